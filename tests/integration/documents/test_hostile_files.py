"""Hostile files are refused or cost a bounded amount of memory; none of them breaks the program."""

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from extractor.documents import PageLimits, check_complete, load_pages
from extractor.errors import InputError, TooLarge, Unreadable, UnsupportedFormat
from tests.hostile import encoded, flated, float_tiff, gif, laughing_pdf, one_page, pdf, picture_pdf, plain_tags, png, stream, tiff

LIMITS = PageLimits()
BOMB_SIDE = 4500  # pixels: 20 megapixels are allowed, and enough to notice one copy too many
# Interpreter and libraries 90, the decoded picture of 4 bytes a pixel 80, the same as wide as the page 70, the page 60, room for bands.
MOST_MIB = 360

MEASURE = """
import resource, sys
from pathlib import Path
from extractor.documents import PageLimits, check_complete, load_pages
(check_complete if sys.argv[2] == "check" else load_pages)(Path(sys.argv[1]), PageLimits())
peak = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")][0]
print(int(peak.split()[1]) // 1024)
"""

ADMISSIBLE: dict[str, Callable[[], bytes]] = {
    "alpha channel": lambda: png(BOMB_SIDE, BOMB_SIDE),
    "floats": lambda: float_tiff(BOMB_SIDE, BOMB_SIDE),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory of a process is told by Linux only")
@pytest.mark.parametrize("kind", ADMISSIBLE)
def test_a_picture_costs_its_own_memory_and_little_more(tmp_path: Path, kind: str) -> None:
    """A few kilobytes that unfold to the allowed size are converted in parts: no step makes another copy of the whole."""
    path = tmp_path / "bomb"
    path.write_bytes(ADMISSIBLE[kind]())
    done = subprocess.run([sys.executable, "-c", MEASURE, path, "load"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) < MOST_MIB


def claimed(width: int, height: int) -> bytes:
    return tiff([plain_tags(width, height)], body=b"x")


LYING_TIFF = claimed(1, 1).replace(struct.pack("<HHI", 273, 4, 1), struct.pack("<HHI", 273, 4, 0x3FFFFFFF))
LOSSLESS = encoded(Image.new("RGB", (16, 16)), "WEBP", lossless=True)

REFUSED: dict[str, tuple[type[InputError], Callable[[], bytes]]] = {
    "TIFF that claims 18 exapixels": (TooLarge, lambda: claimed(0xFFFFFFFF, 0xFFFFFFFF)),
    "TIFF without its pixels": (Unreadable, lambda: claimed(9999, 9999)),
    "TIFF with a billion strips": (Unreadable, lambda: LYING_TIFF),
    "GIF of 100,000 frames": (TooLarge, lambda: gif(10, 10, 100_000)),
    "GIF with a huge screen": (TooLarge, lambda: gif(65_535, 65_535, 1)),
    "WebP that claims 268 megapixels": (TooLarge, lambda: LOSSLESS[:21] + struct.pack("<I", 0x0FFFFFFF) + LOSSLESS[25:]),
    "PNG that claims 3.6 gigapixels": (TooLarge, lambda: png(60_000, 60_000, bits=1, colour=0, rows=100)),
    "PNG without a row": (Unreadable, lambda: png(0, 10)),
    "BMP that claims 4 gigapixels": (
        TooLarge,
        lambda: b"BM" + struct.pack("<IHHIIiiHHIIIIII", 54, 0, 0, 54, 40, 65_500, 65_500, 1, 24, *[0] * 6),
    ),
    "PDF with a picture of 900 megapixels": (TooLarge, lambda: picture_pdf(30_000, 30_000, b"x")),
    "PDF that counts two billion pages": (
        InputError,
        lambda: pdf([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 2000000000>>"]),
    ),
    "PDF whose page tree is a circle": (
        InputError,
        lambda: pdf([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 15>>"]),
    ),
    "SVG as a photo": (UnsupportedFormat, lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
    "HTML as a photo": (UnsupportedFormat, lambda: b"<html><img src=x onerror=alert(1)></html>"),
    "ZIP that is a PDF too": (UnsupportedFormat, lambda: b"PK\x03\x04" + bytes(26) + one_page(stream(b""))),
    "GIF that is HTML too": (InputError, lambda: b"GIF89a/*" + bytes(8) + b"*/=1;<html><script>alert(1)</script>;"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_what_it_is(tmp_path: Path, name: str) -> None:
    """A file that claims too much or is no picture is refused before its pixels are made, with its fact."""
    kind, make = REFUSED[name]
    path = tmp_path / "receipt.jpg"
    path.write_bytes(make())
    for read in (check_complete, load_pages):
        with pytest.raises(kind, match=r"receipt\.jpg"):
            read(path, LIMITS)


def test_pillows_own_limit_stays_as_it_is() -> None:
    """Importing the package leaves Pillow's guard against decompression bombs on, for whatever else the program opens."""
    code = "from PIL import Image as I; a = I.MAX_IMAGE_PIXELS; from extractor.documents import images, pdf; print(a, I.MAX_IMAGE_PIXELS)"
    before, after = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert before == after != "None"


def jpeg() -> bytes:
    return encoded(Image.new("RGB", (40, 30), "white"), "JPEG")


READ: dict[str, tuple[int, Callable[[], bytes]]] = {
    "TIFF whose directories form a circle": (2, lambda: tiff([plain_tags(3, 3, strip_bytes=9)] * 2, body=bytes(9), following=[1, 0])),
    "TIFF with a thousand unknown tags": (
        1,
        lambda: tiff([plain_tags(3, 3, strip_bytes=9) | {60_000 + tag: (4, [tag]) for tag in range(1000)}], body=bytes(9)),
    ),
    "JPEG that is a PDF too": (1, lambda: jpeg() + one_page(stream(b""))),
    "JPEG that is a ZIP too": (1, lambda: jpeg() + b"PK\x03\x04" + bytes(26)),
    "PDF that is a ZIP too": (1, lambda: one_page(stream(b"")) + b"PK\x03\x04" + bytes(26)),
    "PDF with a page larger than the earth": (1, lambda: one_page(stream(b""), box=b"0 0 1e9 1e9")),
    "PDF with a page of less than nothing": (1, lambda: one_page(stream(b""), box=b"0 0 -5 -5")),
    "PDF with a page as thin as a hair": (1, lambda: one_page(stream(b""), box=b"0 0 14400 0.001")),
    "PDF with a unit of kilometres": (1, lambda: one_page(stream(b""), page=b"/UserUnit 100000")),
    "PDF with ten filters on a stream": (1, lambda: one_page(flated(b"0 0 m 9 9 l S", 10))),
    "PDF with forms in forms": (1, lambda: laughing_pdf(4, 3)),
    "PDF with a script and an attachment": (
        1,
        lambda: one_page(
            stream(b""),
            b"<</S/JavaScript/JS(while(true){app.alert(1)})>>",
            b"<</Type/Filespec/F(evil.exe)/EF<</F 7 0 R>>>>",
            stream(b"MZ"),
            catalog=b"/OpenAction 5 0 R/AA<</WC 5 0 R>>/Names<</JavaScript<</Names[(a)5 0 R]>>/EmbeddedFiles<</Names[(e)6 0 R]>>>>",
        ),
    ),
    "PDF whose table of references is a circle": (1, lambda: one_page(stream(b"")).replace(b"/Size 5", b"/Size 5/Prev 9")),
    "PDF with a million brackets": (1, lambda: one_page(stream(b"[" * 1_000_000))),
}


@pytest.mark.parametrize("name", READ)
def test_read_as_what_it_shows(tmp_path: Path, name: str) -> None:
    """Circles end, other kinds of file behind the picture do not count, scripts and attachments are left alone."""
    count, make = READ[name]
    path = tmp_path / "receipt"
    path.write_bytes(make())
    check_complete(path, LIMITS)
    assert len(load_pages(path, LIMITS)) == count
    assert [each.name for each in tmp_path.iterdir()] == ["receipt"]


def test_a_till_roll_has_a_limit(tmp_path: Path) -> None:
    """A strip keeps its readable width, but no strip becomes more pixels than a large page."""
    path = tmp_path / "roll.png"
    path.write_bytes(png(1000, 40_000, bits=1, colour=0))
    (page,) = load_pages(path, LIMITS)
    assert page.image.width * page.image.height <= 16_100_000
    path.write_bytes(png(1000, 20_000, bits=1, colour=0))
    (page,) = load_pages(path, LIMITS)
    assert page.image.size == (800, 16_000)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "damage",
    [
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\xff\xff\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x05\0\xff\xff\xff\x7f\0\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x04\0\0\0abc\0",
    ],
    ids=["no directory", "short directory", "orientation 65535", "two billion values", "directory in itself", "orientation in words"],
)
def test_damaged_exif_leaves_the_picture(tmp_path: Path, damage: bytes) -> None:
    """A photo whose camera data are nonsense is taken as upright."""
    data = jpeg()
    path = tmp_path / "photo.jpg"
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(damage) + 2) + damage + data[2:])
    (page,) = load_pages(path, LIMITS)
    assert page.image.size == (40, 30)


def test_text_chunks_of_a_png_are_not_unpacked_without_end(tmp_path: Path) -> None:
    """A comment that unfolds to a thousand times its size is not unfolded."""
    bomb = zlib.compress(bytes(20_000_000), 9)
    path = tmp_path / "comment.png"
    name = b"zTXt"
    data = b"Comment\0\0" + bomb
    comment = struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    path.write_bytes(png(9, 9, extra=comment))
    with pytest.raises(Unreadable, match=r"comment\.png"):
        load_pages(path, LIMITS)
