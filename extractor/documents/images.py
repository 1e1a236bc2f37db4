"""Decodes images into RGB pages: size checked before decoding, decoded to the end, upright, on white."""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO

import numpy as np
from PIL import Image

from extractor.documents.formats import FileFormat
from extractor.documents.pages import PageLimits, scale_to_fit
from extractor.errors import TooLarge, Unreadable

MULTI_PAGE = frozenset({"TIFF", "GIF"})  # further frames of other formats are thumbnails, depth maps or animations
BAND_PIXELS = 4_000_000  # pixels that are converted and scaled at a time
REDUCING_GAP = 2.0  # images that shrink by more than this are first averaged by whole pixels down to this ratio: as good, and faster
ORIENTATION = 0x0112
# Source: CIPA DC-008 (Exif 2.32), tag Orientation; 1 is upright.
TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Which exceptions Pillow, libtiff and libheif raise for hostile bytes is not documented. Fuzzing found all but the last three.
DECODER_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    struct.error,
    zlib.error,
    AssertionError,
    Warning,
)


def pages(name: str, file_format: FileFormat, data: bytes, limits: PageLimits) -> Iterator[Image.Image]:
    """Decode the pages of an image file, in order.

    Args:
        name: For messages.
    Raises:
        Unreadable: Damaged or cut off.
        TooLarge: More frames or pixels than `limits`.
    """
    try:
        source = _open(file_format, data)
        for number in range(limits.max_pages + 1):
            if not _seek(source, number):
                return
            if number == limits.max_pages:
                raise TooLarge(f"{name} has more than {limits.max_pages} pages. Split it, or raise limits.max_pages.")
            check_pixels(name, source.size, limits)
            yield _decode(source, limits)
            if file_format.pillow_format not in MULTI_PAGE:
                return
    except Image.DecompressionBombError as exc:
        # Pillow's own limit, which some of its decoders check themselves.
        raise TooLarge(f"{name} has more pixels than the decoder for {file_format.label} accepts. Make it smaller.") from exc
    except DECODER_ERRORS as exc:
        raise Unreadable(
            f"{name} is damaged or cut off: {file_format.label} that cannot be decoded to the end. Copy the whole file again."
        ) from exc


def check_pixels(name: str, size: tuple[int, int], limits: PageLimits) -> None:
    """Raise TooLarge for an image with more pixels than `limits.max_pixels`."""
    width, height = size
    if width * height > limits.max_pixels:
        raise TooLarge(
            f"{name} has {width} x {height} pixels; the limit is {limits.max_pixels:,} in all. Make it smaller, or raise limits.max_pixels."
        )


def _open(file_format: FileFormat, data: bytes) -> Image.Image:
    """Open an image, whatever its size.

    `Image.open` would apply Pillow's process-wide limit first. `check_pixels` applies ours to each page instead, and Pillow's limit stays
    as it is for the rest of the program.
    """
    if file_format.decoder == "heif":
        import pillow_heif  # noqa: PLC0415 -- loaded for the files that need it

        return pillow_heif.HeifImageFile(BytesIO(data))  # type: ignore[no-untyped-call]
    if file_format.pillow_format not in Image.OPEN:
        Image.preinit()
    if file_format.pillow_format not in Image.OPEN:
        Image.init()
    factory, _ = Image.OPEN[file_format.pillow_format]
    return factory(BytesIO(data), "")


def _seek(source: Image.Image, number: int) -> bool:
    if number == 0:
        return True
    try:
        source.seek(number)
    except EOFError:
        return False
    return True


def _decode(source: Image.Image, limits: PageLimits) -> Image.Image:
    factor = scale_to_fit(*source.size, limits)
    size = (max(1, round(source.width * factor)), max(1, round(source.height * factor)))
    if source.format in {"JPEG", "MPO"}:
        source.draft(None, size)  # decodes at 1/2, 1/4 or 1/8 where that is still at least `size`
    source.load()
    turn = TRANSPOSITIONS.get(_orientation(source))
    # An image that needs no change is not copied: copies cost more than everything else here. Further frames replace it in `source`.
    is_ready = source.mode == "RGB" and source.size == size and not source.info.get("transparency") and source.format not in MULTI_PAGE
    image = source if is_ready else _scale(source, size)
    return image if turn is None else image.transpose(turn)


def _scale(source: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Convert to RGB and scale, band by band: intermediate copies of the whole image would take several times its memory."""
    width, height = source.size
    step_x, step_y = (max(1, int(whole / part / REDUCING_GAP)) for whole, part in zip(source.size, size, strict=True))
    rows = max(1, BAND_PIXELS // width // step_y) * step_y
    white = _brightest(source, rows) if source.mode in {"I", "F"} else 0.0
    image = Image.new("RGB", (size[0], -(-height // step_y)))
    for top in range(0, height, rows):
        band = to_rgb(source.crop((0, top, width, min(height, top + rows))), white)
        band = band.reduce((step_x, step_y)) if step_x * step_y > 1 else band
        narrow = band.resize((size[0], band.height), Image.Resampling.LANCZOS, box=(0, 0, width / step_x, band.height))
        image.paste(narrow, (0, top // step_y))
    return image.resize(size, Image.Resampling.LANCZOS, box=(0, 0, size[0], height / step_y))


def _orientation(source: Image.Image) -> int:
    try:
        return int(source.getexif().get(ORIENTATION, 1))
    except DECODER_ERRORS:
        return 1  # damaged Exif data does not make the picture unreadable


def to_rgb(image: Image.Image, white: float = 0.0) -> Image.Image:
    """Convert to RGB with 8 bits a channel; transparent parts become white. An image that needs no change is returned as it is.

    Args:
        white: The brightest sample of the whole picture, where `image` is a band of one with 32 bits.
    """
    if image.mode in {"I", "F"} or image.mode.startswith("I;"):
        image = Image.fromarray(_eight_bits(np.asarray(image), white))
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, "white")
        paper.alpha_composite(image.convert("RGBA"))
        image = paper
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bits(samples: np.ndarray, brightest: float) -> np.ndarray:
    """Scale samples to 8 bits. 16 bits lose their lower half; 32 bits and floats define no white, so the brightest sample becomes white."""
    if samples.dtype == np.uint16:
        return (samples >> 8).astype(np.uint8)
    white = 65535.0 if 255 < brightest <= 65535 else max(1e-9, brightest)
    return np.clip(_finite(samples) * (255 / white), 0, 255).astype(np.uint8)


def _brightest(image: Image.Image, rows: int) -> float:
    parts = (image.crop((0, top, image.width, min(image.height, top + rows))) for top in range(0, image.height, rows))
    return max(float(_finite(np.asarray(part)).max()) for part in parts)


def _finite(samples: np.ndarray) -> np.ndarray:
    return np.nan_to_num(samples.astype(np.float64), posinf=0, neginf=0)
