"""Files become pages, or an error that says what the file is and what to do."""

import io
import os
import random
import socket
import struct
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pillow_heif
import pypdfium2
import pypdfium2.raw as pdfium
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from extractor.documents import Page, PageLimits, check_complete, load_pages
from extractor.errors import Encrypted, InputError, ReaderUnavailable, TooLarge, Unreadable, UnsupportedFormat
from tests.unruly import no_descriptors

LIMITS = PageLimits()
RED, WHITE = (250, 10, 10), (255, 255, 255)


@pytest.fixture
def picture() -> Image.Image:
    """60 x 100, white, with a red square in the top left corner and enough texture to need many bytes."""
    image = Image.effect_noise((60, 100), 30).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 59, 40), fill=WHITE)
    draw.rectangle((0, 0, 19, 19), fill=RED)
    return image


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def as_heif(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=90)
    return buffer.getvalue()


ENCODERS: dict[str, Callable[[Image.Image], bytes]] = {
    "jpeg": lambda image: encoded(image, "JPEG", quality=95, subsampling=0),
    "progressive jpeg": lambda image: encoded(image, "JPEG", quality=95, subsampling=0, progressive=True),
    "png": lambda image: encoded(image, "PNG"),
    "webp": lambda image: encoded(image, "WEBP", lossless=True),
    "tiff": lambda image: encoded(image, "TIFF"),
    "compressed tiff": lambda image: encoded(image, "TIFF", compression="tiff_lzw"),
    "gif": lambda image: encoded(image, "GIF"),
    "bmp": lambda image: encoded(image, "BMP"),
    "heif": as_heif,
    "avif": lambda image: encoded(image, "AVIF", quality=95),
    "pdf": lambda image: encoded(image, "PDF", resolution=300),
}


def close_to(pixel: object, colour: tuple[int, int, int], tolerance: int = 30) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(a - b) <= tolerance for a, b in zip(pixel, colour, strict=True))


def load(path: Path, data: bytes, limits: PageLimits = LIMITS) -> tuple[Page, ...]:
    path.write_bytes(data)
    return load_pages(path, limits)


def refused(path: Path, limits: PageLimits = LIMITS) -> InputError:
    """The error of `load_pages`; `check_complete` must raise the same."""
    with pytest.raises(InputError) as loading:
        load_pages(path, limits)
    with pytest.raises(InputError) as checking:
        check_complete(path, limits)
    assert (type(loading.value), str(loading.value)) == (type(checking.value), str(checking.value))
    return loading.value


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("suffix", [".jpg", ".pdf", ""])
def test_format_is_detected_by_content(tmp_path: Path, picture: Image.Image, kind: str, suffix: str) -> None:
    """Every format is read as RGB, whatever the file is called."""
    (page,) = load(tmp_path / f"receipt{suffix}", ENCODERS[kind](picture))
    assert page.image.mode == "RGB"
    assert page.number == 0
    assert page.image.size == (60, 100)
    assert close_to(page.image.getpixel((10, 10)), RED)
    assert close_to(page.image.getpixel((40, 10)), WHITE)
    check_complete(tmp_path / f"receipt{suffix}", LIMITS)


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 1.0])
def test_cut_off_file_is_unreadable(tmp_path: Path, picture: Image.Image, kind: str, share: float) -> None:
    """A file that lacks its end, be it a few bytes, is unreadable, and the message says to copy it again."""
    data = ENCODERS[kind](picture)
    path = tmp_path / "receipt"
    path.write_bytes(data[: min(int(len(data) * share), len(data) - 12)])
    error = refused(path)
    assert isinstance(error, Unreadable)
    assert "Copy the whole file again." in str(error)


@pytest.mark.parametrize("kind", ["jpeg", "progressive jpeg", "png", "pdf", "gif"])  # WebP decodes zeros
def test_second_half_still_zero(tmp_path: Path, picture: Image.Image, kind: str) -> None:
    """A copy in progress whose space is reserved but not yet written is unreadable."""
    data = ENCODERS[kind](picture)
    path = tmp_path / "receipt"
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    assert isinstance(refused(path), Unreadable)


def test_jpeg_end_marker_of_the_thumbnail_does_not_count(tmp_path: Path, picture: Image.Image) -> None:
    """A JPEG cut in its main image is cut off, though its embedded thumbnail is whole."""
    exif = Image.Exif()
    exif[0x9286] = b"\xff\xd8" + b"x" * 50 + b"\xff\xd9"
    data = encoded(picture, "JPEG", exif=exif.tobytes())
    path = tmp_path / "receipt.jpg"
    path.write_bytes(data[:-2])
    assert "end marker" in str(refused(path))


def test_bytes_after_the_end_are_ignored(tmp_path: Path, picture: Image.Image) -> None:
    """Phones append data to their photos; such a file is whole."""
    assert len(load(tmp_path / "receipt.jpg", ENCODERS["jpeg"](picture) + b"phone data" * 9)) == 1


NOT_IMAGES: dict[bytes, tuple[type[InputError], str]] = {
    b"": (Unreadable, "is empty"),
    b"Total 12.50\nThank you\n": (UnsupportedFormat, "a text file"),
    b"<!DOCTYPE html><html><body>Receipt</body></html>": (UnsupportedFormat, "an HTML page"),
    b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>': (UnsupportedFormat, "an SVG drawing"),
    b"PK\x03\x04" + bytes(60): (UnsupportedFormat, "a ZIP archive"),
    b"\x7fELF" + bytes(60): (UnsupportedFormat, "a program"),
    b"\0\0\0\x18ftypisom\0\0\0\0isomavc1": (UnsupportedFormat, "a video"),
    bytes(500): (Unreadable, "only zero bytes"),
    b"\x93\x01\x88" * 90: (Unreadable, "of unknown format"),
}


@pytest.mark.parametrize("data", NOT_IMAGES)
def test_other_files_are_named(tmp_path: Path, data: bytes) -> None:
    """What is no image or PDF is refused by name; only what may be the start of a larger file is `Unreadable`, which is tried again."""
    path = tmp_path / "lunch.jpg"
    path.write_bytes(data)
    error = refused(path)
    kind, label = NOT_IMAGES[data]
    assert type(error) is kind
    assert "lunch.jpg" in str(error)
    assert label in str(error)


def test_a_large_video_is_no_large_picture(tmp_path: Path) -> None:
    """A format that is never read is named before its size: making it smaller would not help."""
    path = tmp_path / "IMG_0001.MOV"
    with path.open("wb") as file:
        file.write(b"\0\0\0\x14ftypqt  \0\0\0\0qt  ")
        file.truncate(10**12)  # sparse
    error = refused(path)
    assert type(error) is UnsupportedFormat
    assert "a video" in str(error)


def test_a_shortage_of_file_descriptors_is_not_the_files_fault(tmp_path: Path, picture: Image.Image) -> None:
    """Where the process can open no file, the error is one that is retried."""
    path = tmp_path / "receipt.png"
    path.write_bytes(ENCODERS["png"](picture))
    with no_descriptors(), pytest.raises(ReaderUnavailable, match="Too many open files"):
        load_pages(path, LIMITS)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation(tmp_path: Path, picture: Image.Image, orientation: int, file_format: str) -> None:
    """A photo is upright whichever way the camera was held."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose members that turn an upright picture into the stored one
    stored = picture if orientation == 1 else picture.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    (page,) = load(tmp_path / "photo", encoded(stored, file_format, exif=exif, quality=95))
    assert page.image.size == (60, 100)
    assert close_to(page.image.getpixel((10, 10)), RED)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("file_format", ["HEIF", "AVIF"])
def test_phone_formats_are_turned_once(tmp_path: Path, picture: Image.Image, orientation: int, file_format: str) -> None:
    """HEIC and AVIF say their orientation twice, in Exif and in the container; the photo is turned once."""
    stored = picture if orientation == 1 else picture.transpose(Image.Transpose({3: 3, 6: 2, 8: 4}[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    if file_format == "HEIF":
        buffer = io.BytesIO()
        pillow_heif.from_pillow(stored).save(buffer, quality=90, exif=exif.tobytes())
        data = buffer.getvalue()
    else:
        data = encoded(stored, "AVIF", quality=95, exif=exif)
    (page,) = load(tmp_path / "photo", data)
    assert page.image.size == (60, 100)
    assert close_to(page.image.getpixel((10, 10)), RED)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "YCbCr", "I", "F"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    """Dark stays dark and bright stays bright in every pixel format."""
    base = Image.new("L", (40, 40), 250)
    base.paste(5, (0, 0, 20, 40))
    if mode == "I;16":
        image = Image.frombytes("I;16", base.size, b"".join(struct.pack("<H", value * 257) for value in base.tobytes()))
    else:
        image = base.convert("RGB").convert(mode) if mode == "CMYK" else base.convert(mode)
    (page,) = load(tmp_path / "receipt.tif", encoded(image, "TIFF"))
    assert page.image.mode == "RGB"
    assert close_to(page.image.getpixel((5, 20)), (5, 5, 5), 12)
    assert close_to(page.image.getpixel((35, 20)), (250, 250, 250), 12)


def test_adobe_cmyk_jpeg(tmp_path: Path) -> None:
    """A CMYK photo from a print shop is not read as its negative."""
    (page,) = load(tmp_path / "receipt.jpg", encoded(Image.new("RGB", (32, 32), WHITE).convert("CMYK"), "JPEG"))
    assert close_to(page.image.getpixel((5, 5)), WHITE)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_is_white(tmp_path: Path, mode: str) -> None:
    """Black print on transparent paper stays readable."""
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 10, 20))
    (page,) = load(tmp_path / "receipt.png", encoded(image.convert(mode), "PNG"))
    assert close_to(page.image.getpixel((3, 3)), (0, 0, 0))
    assert close_to(page.image.getpixel((15, 3)), WHITE)


def test_pages_in_print_order(tmp_path: Path) -> None:
    """Every page of a TIFF, a GIF and a PDF is there, in order."""
    first, *others = (Image.new("RGB", (90, 60), (shade, shade, shade)) for shade in (250, 150, 50))
    for file_format in ("TIFF", "GIF", "PDF"):
        found = load(tmp_path / file_format, encoded(first, file_format, save_all=True, append_images=others))
        shades = [page.image.getpixel((20, 20)) for page in found]
        assert [page.number for page in found] == [0, 1, 2]
        assert all(close_to(pixel, (shade,) * 3, 12) for pixel, shade in zip(shades, (250, 150, 50), strict=True)), file_format


@pytest.mark.parametrize("file_format", ["TIFF", "GIF", "PDF"])
def test_too_many_pages(tmp_path: Path, file_format: str) -> None:
    """A long document is refused with the limit and its setting named."""
    first, *others = (Image.new("RGB", (30, 30), (shade, 0, 0)) for shade in range(0, 60, 10))
    path = tmp_path / "book"
    path.write_bytes(encoded(first, file_format, save_all=True, append_images=others))
    error = refused(path, PageLimits(max_pages=5))
    assert isinstance(error, TooLarge)
    assert "limits.max_pages" in str(error)
    assert len(load_pages(path, PageLimits(max_pages=6))) == 6


def test_too_many_bytes(tmp_path: Path) -> None:
    """A file over the size limit is not even opened."""
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(10**12)  # sparse
    error = refused(path)
    assert isinstance(error, TooLarge)
    assert "limits.max_bytes" in str(error)


def png_bomb(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    rows = packer.compress(bytes(width // 8 + 1) * 100) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_decompression_bomb(tmp_path: Path) -> None:
    """A few bytes that promise 200 megapixels and more are refused by their header."""
    path = tmp_path / "bomb.png"
    path.write_bytes(png_bomb(60_000, 60_000))
    error = refused(path)
    assert isinstance(error, TooLarge)
    assert "60000 x 60000" in str(error)
    assert "limits.max_pixels" in str(error)


def test_picture_bomb_inside_a_pdf(tmp_path: Path) -> None:
    """A PDF is refused for the pixels of its pictures too."""
    path = tmp_path / "bomb.pdf"
    path.write_bytes(encoded(Image.new("1", (3000, 3000)), "PDF", resolution=3000))
    assert isinstance(refused(path, PageLimits(max_pixels=1_000_000)), TooLarge)


def test_the_limit_is_the_users(tmp_path: Path) -> None:
    """A limit raised above Pillow's own is honoured."""
    path = tmp_path / "large.png"
    path.write_bytes(encoded(Image.new("1", (20_000, 10_000), 1), "PNG"))
    (page,) = load_pages(path, PageLimits(max_pixels=200_000_000, max_side_px=1000))
    assert page.image.size == (1600, 800)


@pytest.mark.parametrize(("size", "expected"), [((5000, 2500), (4000, 2000)), ((300, 200), (300, 200)), ((1000, 9000), (800, 7200))])
@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_scaled_to_the_limit(tmp_path: Path, size: tuple[int, int], expected: tuple[int, int], file_format: str) -> None:
    """Large pages are scaled down, small ones left alone, and a till roll keeps a readable width."""
    (page,) = load(tmp_path / "receipt", encoded(Image.new("L", size, 255), file_format))
    assert page.image.size == expected


@pytest.fixture
def encrypted_pdf(tmp_path: Path) -> Path:
    """A PDF with the standard security handler, revision 3; no password fits."""
    path = tmp_path / "lunch.pdf"
    path.write_bytes(
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\n"
        b"4 0 obj<</Filter/Standard/V 2/R 3/Length 128/P -44/O<" + b"5a" * 32 + b">/U<" + b"a5" * 32 + b">>>endobj\n"
        b"trailer<</Root 1 0 R/Encrypt 4 0 R/ID[<0123456789abcdef0123456789abcdef><0123456789abcdef0123456789abcdef>]>>\n"
        b"startxref\n0\n%%EOF\n"
    )
    return path


def test_encrypted_pdf(encrypted_pdf: Path) -> None:
    """A PDF with a password says so, and what to do."""
    error = refused(encrypted_pdf)
    assert isinstance(error, Encrypted)
    assert str(error) == "lunch.pdf is encrypted. Remove the password and drop it again."


def test_pdf_page_size_does_not_count(tmp_path: Path) -> None:
    """A page declared as large as PDF allows is rendered within the limit."""
    document = pypdfium2.PdfDocument.new()
    document.new_page(14_400, 14_400)
    document.save(tmp_path / "poster.pdf")
    document.close()
    (page,) = load_pages(tmp_path / "poster.pdf", LIMITS)
    assert page.image.size == (4000, 4000)


def test_pdf_is_rendered_fine_enough_for_print(tmp_path: Path) -> None:
    """A receipt of 80 mm has 300 dots an inch."""
    document = pypdfium2.PdfDocument.new()
    document.new_page(226.8, 400)
    document.save(tmp_path / "receipt.pdf", version=pdfium.FPDF_NO_INCREMENTAL)
    document.close()
    (page,) = load_pages(tmp_path / "receipt.pdf", LIMITS)
    assert page.image.width == pytest.approx(945, abs=2)


def test_special_files_are_refused_at_once(tmp_path: Path, picture: Image.Image) -> None:
    """Folders, pipes, sockets and links are refused by what they are; nobody waits for a pipe's writer."""
    (tmp_path / "real.png").write_bytes(ENCODERS["png"](picture))
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "link.jpg").symlink_to(tmp_path / "real.png")
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket.jpg"))
        for name, what in {"folder.jpg": "a folder", "link.jpg": "a link", "pipe.jpg": "a named pipe", "socket.jpg": "a socket"}.items():
            error = refused(tmp_path / name)
            assert isinstance(error, Unreadable)
            assert f"{name} is {what}" in str(error)


def test_missing_file(tmp_path: Path) -> None:
    """A file that vanished is unreadable, not a crash."""
    assert "not there" in str(refused(tmp_path / "gone.jpg"))
    assert "cannot be opened" in str(refused(tmp_path / "nul\0byte.jpg"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_forbidden_file(tmp_path: Path, picture: Image.Image) -> None:
    """A file without the right to read says so."""
    path = tmp_path / "secret.png"
    path.write_bytes(ENCODERS["png"](picture))
    path.chmod(0)
    assert "not permitted" in str(refused(path))


@pytest.mark.parametrize(
    "name", ["two\nlines.jpg", "bell\x07\x1b[31m.jpg", "🧾 quittung.jpg", os.fsdecode(b"latin\xe9.jpg"), "n" * 246 + ".jpg"]
)
def test_messages_stay_one_printable_line(tmp_path: Path, name: str) -> None:
    """No file name can break the log or the terminal."""
    (tmp_path / name).write_bytes(b"text")
    message = str(refused(tmp_path / name))
    assert message.isprintable()
    assert message.encode("utf-8")
    assert len(message) < 250


def test_pdfs_in_several_threads(tmp_path: Path, picture: Image.Image) -> None:
    """PDFs may be read by several threads at once."""
    path = tmp_path / "receipt.pdf"
    path.write_bytes(ENCODERS["pdf"](picture))
    sizes: list[tuple[int, int]] = []
    threads = [threading.Thread(target=lambda: sizes.extend(load_pages(path, LIMITS)[0].image.size for _ in range(10))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [(60, 100)] * 40


HEADS = [
    b"",
    b"\xff\xd8\xff\xe0",
    b"\x89PNG\r\n\x1a\n",
    b"II*\0",
    b"MM\0*",
    b"GIF89a",
    b"BM",
    b"RIFF\0\0\0\0WEBP",
    b"%PDF-1.7\n",
    b"\0\0\0\x18ftypheic",
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=st.sampled_from(HEADS), body=st.binary(max_size=300))
def test_random_bytes(tmp_path: Path, head: bytes, body: bytes) -> None:
    """Whatever the bytes, nothing but an InputError is raised."""
    path = tmp_path / "receipt"
    path.write_bytes(head + body)
    with suppress(InputError):
        assert load_pages(path, PageLimits(max_pixels=1_000_000))


@pytest.mark.parametrize("kind", ENCODERS)
def test_flipped_bytes(tmp_path: Path, picture: Image.Image, kind: str) -> None:
    """A damaged file is read or refused; it never breaks the program."""
    data, dice = ENCODERS[kind](picture), random.Random(kind)  # noqa: S311 -- not for secrets
    path = tmp_path / "receipt"
    for _ in range(60):
        broken = bytearray(data)
        for _ in range(dice.randint(1, 6)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        path.write_bytes(broken)
        with suppress(InputError):
            assert load_pages(path, PageLimits(max_pixels=4_000_000))
