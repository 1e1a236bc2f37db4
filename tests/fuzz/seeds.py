"""Initial corpus: a valid input of every kind."""

from collections.abc import Callable
from functools import cache

import pillow_heif
from PIL import Image, ImageDraw

from extractor.config.settings import settings_template
from tests import hostile


@cache
def files() -> dict[str, bytes]:
    """Return a small file of every supported format, by name."""
    pillow_heif.register_heif_opener(thumbnails=False)
    picture = Image.effect_noise((48, 64), 30).convert("RGB")
    ImageDraw.Draw(picture).text((2, 2), "TOTAL 4.50", fill="black")
    other = picture.transpose(Image.Transpose.ROTATE_180)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x927C] = b"maker" * 20

    def several() -> dict[str, object]:
        return {"save_all": True, "append_images": [other.copy(), picture.copy()]}  # saving leaves format settings in them

    make: dict[str, Callable[[], bytes]] = {
        "jpeg": lambda: hostile.encoded(picture, "JPEG", exif=exif),
        "progressive": lambda: hostile.encoded(picture, "JPEG", progressive=True),
        "cmyk": lambda: hostile.encoded(picture.convert("CMYK"), "JPEG"),
        "mpo": lambda: hostile.encoded(picture, "MPO", **several()),
        "png": lambda: hostile.encoded(picture.convert("P"), "PNG", exif=exif),
        "rgba": lambda: hostile.encoded(picture.convert("RGBA"), "PNG"),
        "apng": lambda: hostile.encoded(picture, "PNG", **several()),
        "deep": lambda: hostile.encoded(picture.convert("I;16"), "PNG"),
        "webp": lambda: hostile.encoded(picture, "WEBP", lossless=True, exif=exif),
        "lossy": lambda: hostile.encoded(picture, "WEBP", **several()),
        "tiff": lambda: hostile.encoded(picture, "TIFF", compression="tiff_lzw"),
        "pages": lambda: hostile.encoded(picture, "TIFF", **several()),
        "fax": lambda: hostile.encoded(picture.convert("1"), "TIFF", compression="group4"),
        "float": lambda: hostile.float_tiff(9, 9),
        "gif": lambda: hostile.encoded(picture, "GIF", **several()),
        "bmp": lambda: hostile.encoded(picture.convert("P"), "BMP"),
        "heif": lambda: hostile.encoded(picture, "HEIF", quality=50, **several()),
        "avif": lambda: hostile.encoded(picture, "AVIF", quality=50),
        "pdf": lambda: hostile.encoded(picture, "PDF", resolution=300, **several()),
        "drawn": lambda: hostile.one_page(hostile.flated(b"1 0 0 RG 0 0 m 99 99 l S", 2)),
        "forms": lambda: hostile.laughing_pdf(2, 2),
    }
    return {name: one() for name, one in make.items()}


def seeds_of(target: str) -> list[bytes]:
    """Return the initial corpus of a target."""
    if target in {"images", "pdfs", "kinds"}:
        return list(files().values())
    if target == "answers":
        return [b'{"total": "4.50", "items": [{"description": "Tea", "total_price": 4.50}], "missing": []}', b"```json\n{}\n```"]
    if target == "settings":
        # The bytes that choose the variable's name and the length of its value come first.
        return [b"\x00\x00" + settings_template().replace("# ", "").encode(), b"\x01\x01a[inbox]\nsettle_seconds = 3\n"]
    if target == "names":
        return [b"lunch.jpg", b"-rf\n\x1b[2J\xe2\x80\xae.pdf", b"caf\xe9"]
    return [bytes(range(0, 256, step)) * 3 for step in (1, 3, 7)] + [b"\x01\x07TOTAL 12,50 EUR 03/04/2024 14:07"]
