"""Bytes become a kind of file, told by content, and whether their end is there."""

import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Kind:
    """What a file is.

    Attributes:
        label: For messages, with its article: `a ZIP archive`.
        decoder: Who turns it into pages; `None` where nobody does.
        format: Pillow's name of the format, for `pillow` only.
    """

    label: str
    decoder: Literal["pillow", "heif", "pdf"] | None = None
    format: str = ""

    @property
    def is_readable(self) -> bool:
        return self.decoder is not None


PDF = Kind("a PDF", "pdf")
HEIF = Kind("a HEIF image", "heif")
AVIF = Kind("an AVIF image", "pillow", "AVIF")
WEBP = Kind("a WebP image", "pillow", "WEBP")
JPEG = Kind("a JPEG image", "pillow", "JPEG")
PNG = Kind("a PNG image", "pillow", "PNG")

# Source: the formats' own specifications; each begins with these bytes.
SIGNATURES: tuple[tuple[bytes, Kind], ...] = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"II*\0", Kind("a TIFF image", "pillow", "TIFF")),
    (b"MM\0*", Kind("a TIFF image", "pillow", "TIFF")),
    (b"II+\0", Kind("a TIFF image", "pillow", "TIFF")),
    (b"MM\0+", Kind("a TIFF image", "pillow", "TIFF")),
    (b"GIF87a", Kind("a GIF image", "pillow", "GIF")),
    (b"GIF89a", Kind("a GIF image", "pillow", "GIF")),
    (b"PK\x03\x04", Kind("a ZIP archive or an office document")),
    (b"PK\x05\x06", Kind("an empty ZIP archive")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind("an old office document or mail")),
    (b"{\\rtf", Kind("an RTF document")),
    (b"%!PS", Kind("a PostScript file")),
    (b"8BPS", Kind("a Photoshop file")),
    (b"\x1f\x8b", Kind("a gzip archive")),
    (b"7z\xbc\xaf\x27\x1c", Kind("a 7z archive")),
    (b"Rar!\x1a\x07", Kind("a RAR archive")),
    (b"SQLite format 3\0", Kind("an SQLite database")),
    (b"\x7fELF", Kind("a program")),
    (b"ID3", Kind("a sound file")),
    (b"OggS", Kind("a sound file")),
    (b"\x1aE\xdf\xa3", Kind("a video")),
    (b"\0\0\0\x0cjP  ", Kind("a JPEG 2000 image")),
    (b"\0\0\0\x0cJXL ", Kind("a JPEG XL image")),
    (b"\xff\x0a", Kind("a JPEG XL image")),
)
# Source: ISO/IEC 23008-12 and the AVIF specification, brands of the `ftyp` box.
HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})
MARKUP = (
    (re.compile(rb"<svg[\s>]", re.IGNORECASE), Kind("an SVG drawing")),
    (re.compile(rb"<(!doctype\s+html|html|head|body)[\s>]", re.IGNORECASE), Kind("an HTML page")),
    (re.compile(rb"^\s*<\?xml"), Kind("an XML file")),
)
BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
HEAD = 1024  # a PDF may begin with this much rubbish (ISO 32000-1, annex H)
PDF_TAIL = 4096  # likewise at its end; some producers append more than the 1024 bytes that the standard allows
TEXT_CONTROLS = frozenset(b"\t\n\r\f\x1b\b")


def kind_of(data: bytes) -> Kind:
    """What the bytes are, whatever the file is called."""
    for signature, kind in SIGNATURES:
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF":
        return WEBP if data[8:12] == b"WEBP" else Kind("a sound file or a video")
    if data[4:8] == b"ftyp":
        return _iso_media(data)
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in BMP_HEADERS:
        return Kind("a BMP image", "pillow", "BMP")
    if b"%PDF-" in data[:HEAD]:
        return PDF
    return _text(data)


def _iso_media(data: bytes) -> Kind:
    size = min(int.from_bytes(data[:4], "big"), HEAD)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, size, 4))}
    if brands & AVIF_BRANDS:
        return AVIF
    return HEIF if brands & HEIF_BRANDS else Kind("a video or sound file")


def _text(data: bytes) -> Kind:
    head = data[:HEAD]
    for pattern, kind in MARKUP:
        if pattern.search(head):
            return kind
    if not any(head):
        return Kind("only zero bytes")
    if all(byte >= 0x20 or byte in TEXT_CONTROLS for byte in head) or head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return Kind("a text file")
    return Kind("of unknown kind")


def missing_end(kind: Kind, data: bytes) -> str:
    """What tells that a file is cut off, for a message; empty where its end is there or only decoding can tell."""
    check = ENDS.get(kind)
    return check(data) if check else ""


# In JPEG's entropy-coded data a marker is FF and neither a stuffed zero, a restart marker nor a fill byte.
JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
JPEG_END, JPEG_SCAN = 0xD9, 0xDA


def _jpeg_end(data: bytes) -> str:
    """Source: ITU-T T.81, annex B. A thumbnail inside a segment has an end marker too, so segments are stepped over."""
    position = 2
    while found := JPEG_MARKER.search(data, position):
        marker = data[found.start() + 1]
        if marker == JPEG_END:
            return ""
        # The data after a scan's header is passed by searching on from here, as is rubbish between segments.
        position = found.end() + (int.from_bytes(data[found.end() : found.end() + 2], "big") if marker != 0x01 else 0)
    return "the JPEG has no end marker"


def _png_end(data: bytes) -> str:
    """Source: PNG specification, section 5: length, type, data, CRC; IEND is last."""
    position = 8
    while position + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        stop = position + 8 + length
        if stop + 4 > len(data):
            break
        is_critical = not name[0] & 0x20
        if is_critical and zlib.crc32(data[position + 4 : stop]) != int.from_bytes(data[stop : stop + 4], "big"):
            return "a part of the PNG does not match its checksum"
        if name == b"IEND":
            return ""
        position = stop + 4
    return "the PNG has no IEND chunk"


def _webp_end(data: bytes) -> str:
    promised = int.from_bytes(data[4:8], "little") + 8
    return f"it holds {len(data):,} of {promised:,} bytes" if len(data) < promised else ""


def _gif_end(data: bytes) -> str:
    return "" if data.rstrip(b"\0").endswith(b";") else "the GIF has no trailer"


def _pdf_end(data: bytes) -> str:
    return "" if b"%%EOF" in data[-PDF_TAIL:] else "the PDF has no end-of-file mark"


ENDS: dict[Kind, Callable[[bytes], str]] = {
    JPEG: _jpeg_end,
    PNG: _png_end,
    WEBP: _webp_end,
    PDF: _pdf_end,
    Kind("a GIF image", "pillow", "GIF"): _gif_end,
}
