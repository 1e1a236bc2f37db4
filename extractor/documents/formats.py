"""Detects a file's format from its bytes, and whether its end is missing.

Three outcomes: a format that is read (`decoder` is set), a known format that holds no pages (`what_to_do` is set), and bytes that are not
recognised, which may be the start of a file that is still being copied.
"""

import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class FileFormat:
    """A file format.

    Attributes:
        label: For messages, with its article: `a ZIP archive`.
        decoder: The module that turns it into pages; `None` where there is none.
        pillow_format: Pillow's name of the format, for `pillow` only.
        what_to_do: Advice for the user where the format is known and never read.
    """

    label: str
    decoder: Literal["pillow", "heif", "pdf"] | None = None
    pillow_format: str = ""
    what_to_do: str = ""

    @property
    def is_readable(self) -> bool:
        return self.decoder is not None

    @property
    def is_unsupported(self) -> bool:
        """Whether the file can never be read, however complete it is."""
        return bool(self.what_to_do)


PDF = FileFormat("a PDF", "pdf")
HEIF = FileFormat("a HEIF image", "heif")
AVIF = FileFormat("an AVIF image", "pillow", "AVIF")
WEBP = FileFormat("a WebP image", "pillow", "WEBP")
JPEG = FileFormat("a JPEG image", "pillow", "JPEG")
PNG = FileFormat("a PNG image", "pillow", "PNG")
GIF = FileFormat("a GIF image", "pillow", "GIF")
TIFF = FileFormat("a TIFF image", "pillow", "TIFF")
BMP = FileFormat("a BMP image", "pillow", "BMP")

# Not recognised: more bytes may still arrive.
TOO_SHORT = FileFormat("only a few bytes long")
ZEROS = FileFormat("only zero bytes")
UNKNOWN = FileFormat("of unknown format")


def _unsupported(label: str, what_to_do: str) -> FileFormat:
    return FileFormat(label, what_to_do=what_to_do)


_EXPORT = "Export it as JPEG, PNG or PDF and drop that."
_PRINT = "Print it to a PDF and drop that."
_UNPACK = "Unpack it and drop the files inside."
_PHOTO = "Drop a photo, a scan or a PDF of the receipt."
MAIL = _unsupported("an e-mail", "Save its attachment, or print it to a PDF, and drop that.")
PHOTO_EDITS = _unsupported("a list of edits to a photo (AAE)", "Drop the photo itself; this file is not needed.")
CAMERA_RAW = _unsupported("a camera raw file", _EXPORT)
VIDEO = _unsupported("a video", _PHOTO)
AUDIO = _unsupported("a sound recording", _PHOTO)
ZIP = _unsupported("a ZIP archive", _UNPACK)
OFFICE = _unsupported("an office document", _PRINT)
TEXT = _unsupported("a text file", _PRINT)
PROPERTY_LIST = _unsupported("an Apple property list", _PHOTO)
RIFF = FileFormat("a RIFF file")  # see RIFF_FORMS
JPEG_XL = _unsupported("a JPEG XL image", _EXPORT)
JPEG_2000 = _unsupported("a JPEG 2000 image", _EXPORT)

# Source: the formats' own specifications; where a file has these bytes.
SIGNATURES: tuple[tuple[int, bytes, FileFormat], ...] = (
    (0, b"\xff\xd8\xff", JPEG),
    (0, b"\x89PNG\r\n\x1a\n", PNG),
    (0, b"GIF87a", GIF),
    (0, b"GIF89a", GIF),
    (0, b"II*\0", TIFF),
    (0, b"MM\0*", TIFF),
    (0, b"II+\0", TIFF),  # BigTIFF
    (0, b"MM\0+", TIFF),
    (0, b"RIFF", RIFF),
    (0, b"PK\x03\x04", ZIP),
    (0, b"PK\x05\x06", _unsupported("an empty ZIP archive", _PHOTO)),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _unsupported("an old office document or an Outlook message", _PRINT)),
    (0, b"{\\rtf", _unsupported("an RTF document", _PRINT)),
    (0, b"%!PS", _unsupported("a PostScript file", _PRINT)),
    (0, b"8BPS", _unsupported("a Photoshop file", _EXPORT)),
    (0, b"AT&TFORM", _unsupported("a DjVu document", _PRINT)),
    (0, b"\0\0\x01\0", _unsupported("an icon", _PHOTO)),
    (0, b"\xd7\xcd\xc6\x9a", _unsupported("a Windows metafile", _EXPORT)),
    (0, b"\x1f\x8b", _unsupported("a gzip archive", _UNPACK)),
    (0, b"BZh", _unsupported("a bzip2 archive", _UNPACK)),
    (0, b"\xfd7zXZ\0", _unsupported("an XZ archive", _UNPACK)),
    (0, b"\x28\xb5\x2f\xfd", _unsupported("a Zstandard archive", _UNPACK)),
    (0, b"7z\xbc\xaf\x27\x1c", _unsupported("a 7z archive", _UNPACK)),
    (0, b"Rar!\x1a\x07", _unsupported("a RAR archive", _UNPACK)),
    (0, b"SQLite format 3\0", _unsupported("an SQLite database", _PHOTO)),
    (0, b"\x7fELF", _unsupported("a program", _PHOTO)),
    (0, b"L\0\0\0\x01\x14\x02\0", _unsupported("a Windows shortcut", "Drop the file that it points to.")),
    (0, b"bplist0", PROPERTY_LIST),
    (257, b"ustar", _unsupported("a TAR archive", _UNPACK)),
    (0, b"ID3", AUDIO),
    (0, b"OggS", AUDIO),
    (0, b"fLaC", AUDIO),
    (0, b"MThd", AUDIO),
    (0, b"#!AMR", AUDIO),
    (8, b"AIFF", AUDIO),
    (8, b"AIFC", AUDIO),
    (0, b"\xff\xfb", AUDIO),  # MPEG layer III, with and without a checksum
    (0, b"\xff\xf3", AUDIO),
    (0, b"\xff\xf2", AUDIO),
    (0, b"\xff\xf1", AUDIO),  # AAC
    (0, b"\xff\xf9", AUDIO),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", VIDEO),  # Windows Media
    (0, b"\x1aE\xdf\xa3", VIDEO),  # Matroska, WebM
    (0, b"FLV\x01", VIDEO),
    (4, b"moov", VIDEO),  # QuickTime without a `ftyp` box
    (4, b"mdat", VIDEO),
    (4, b"wide", VIDEO),
    (4, b"pnot", VIDEO),
    (0, b"\0\0\x01\xba", VIDEO),  # MPEG
    (0, b"\0\0\x01\xb3", VIDEO),
    (0, b"\0\0\0\x0cjP  ", JPEG_2000),
    (0, b"\xff\x4f\xff\x51", JPEG_2000),
    (0, b"\0\0\0\x0cJXL ", JPEG_XL),
    (0, b"\xff\x0a", JPEG_XL),
    (0, b"FUJIFILMCCD-RAW", CAMERA_RAW),
    (0, b"IIU\0", CAMERA_RAW),  # Panasonic
    (0, b"IIRO", CAMERA_RAW),  # Olympus
    (0, b"IIRS", CAMERA_RAW),
    (0, b"MMOR", CAMERA_RAW),
    (0, b"II\x1a\0\0\0HEAPCCDR", CAMERA_RAW),  # Canon CRW
    (0, b"FOVb", CAMERA_RAW),  # Sigma
)
# Source: ISO/IEC 23008-12 and the AVIF specification, brands of the `ftyp` box.
HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})
# Source: mp4ra.org, registered brands.
AUDIO_BRANDS = frozenset({b"M4A ", b"M4B ", b"M4P "})
RAW_BRANDS = frozenset({b"crx "})
RIFF_FORMS = {b"WEBP": WEBP, b"WAVE": AUDIO, b"AVI ": VIDEO}
# Names of entries that tell an office document from any other ZIP archive. Source: ECMA-376 part 2; OpenDocument 1.3 part 2.
ZIP_ENTRIES: tuple[tuple[bytes, FileFormat], ...] = (
    (b"word/document.xml", _unsupported("a Word document", _PRINT)),
    (b"xl/workbook.xml", _unsupported("an Excel workbook", _PRINT)),
    (b"ppt/presentation.xml", _unsupported("a PowerPoint presentation", _PRINT)),
    (b"[Content_Types].xml", OFFICE),
    (b"Index/Document.iwa", OFFICE),  # Pages, Numbers, Keynote
    (b"mimetypeapplication/vnd.oasis.opendocument", OFFICE),
    (b"mimetypeapplication/epub+zip", _unsupported("an EPUB book", _PRINT)),
)
MARKUP: tuple[tuple[re.Pattern[bytes], FileFormat], ...] = (
    (re.compile(rb"adjustment(BaseVersion|Data|FormatIdentifier)"), PHOTO_EDITS),
    (re.compile(rb"<plist[\s>]"), PROPERTY_LIST),
    (re.compile(rb"<(!doctype\s+html|html|head|body)[\s>]", re.IGNORECASE), _unsupported("an HTML page", _PRINT)),
    (re.compile(rb"<svg[\s>]", re.IGNORECASE), _unsupported("an SVG drawing", _EXPORT)),
    (re.compile(rb"^\s*<\?xml"), _unsupported("an XML file", _PRINT)),
)
# Header fields that begin a message as it is stored or exported. Source: RFC 5322, section 3.6; RFC 4155 for `From `.
MAIL_START = re.compile(
    rb"(From \S+ |(Return-Path|Received|Delivered-To|Message-ID|MIME-Version|DKIM-Signature|Authentication-Results|ARC-\S+|X-\S+):\s)",
    re.IGNORECASE,
)
MAIL_FIELD = re.compile(rb"^(From|To|Cc|Subject|Date|Reply-To|Message-ID|MIME-Version|Content-Type):\s", re.IGNORECASE | re.MULTILINE)
BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
HEAD_BYTES = 4096
PDF_HEAD = 1024  # a PDF may begin with this much rubbish (ISO 32000-1, annex H)
PDF_TAIL = 4096  # likewise at its end; some producers append more than the 1024 bytes that the standard allows
SHORTEST = 16  # fewer bytes without a signature tell nothing: they may be the start of one
TEXT_CONTROLS = frozenset(b"\t\n\r\f\x1b\b")


def detect_format(data: bytes) -> FileFormat:
    """Return the format of a file's bytes; its name does not count.

    Args:
        data: The whole file, or at least its first `HEAD_BYTES`.
    """
    head = data[:HEAD_BYTES]
    if head[4:8] == b"ftyp":  # before signatures: the size in front of it may look like one
        return _iso_media(head)
    for offset, signature, file_format in SIGNATURES:
        if head.startswith(signature, offset):
            return _variant(file_format, data)
    if len(head) < SHORTEST and b"%PDF-" not in head:
        return TOO_SHORT if any(head) else ZEROS
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in BMP_HEADERS:
        return BMP
    if b"%PDF-" in head[:PDF_HEAD]:
        return PDF
    return _text(head)


def _variant(file_format: FileFormat, data: bytes) -> FileFormat:
    """Return the format more exactly, where files of several formats begin alike."""
    if file_format is ZIP:
        return next((office for name, office in ZIP_ENTRIES if name in data), ZIP)
    if file_format is PROPERTY_LIST and b"adjustmentFormatIdentifier" in data:
        return PHOTO_EDITS
    if file_format is TIFF and _is_camera_raw(data):
        return CAMERA_RAW
    if file_format is RIFF:
        return RIFF_FORMS.get(data[8:12], AUDIO) if len(data) >= SHORTEST else TOO_SHORT
    return file_format


def _iso_media(head: bytes) -> FileFormat:
    size = min(int.from_bytes(head[:4], "big"), HEAD_BYTES)
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, size, 4))}
    if brands & AVIF_BRANDS:
        return AVIF
    if brands & HEIF_BRANDS:
        return HEIF
    if size > len(head):
        return UNKNOWN  # the list of brands is cut off
    if brands & RAW_BRANDS:
        return CAMERA_RAW
    return AUDIO if head[8:12] in AUDIO_BRANDS else VIDEO


def _is_camera_raw(data: bytes) -> bool:
    """Whether a TIFF holds a camera's sensor data: DNG, CR2, NEF, ARW. Their first picture is a thumbnail, too small to be read.

    Source: TIFF 6.0, section 2; DNG 1.7, "DNGVersion"; TIFF/EP (ISO 12234-2) for the thumbnail whose SubIFDs hold the full picture.
    """
    if data[8:10] == b"CR":
        return True
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    first = int.from_bytes(data[4:8], order)
    count = int.from_bytes(data[first : first + 2], order)
    entries = [data[at : at + 12] for at in range(first + 2, first + 2 + 12 * count, 12) if at + 12 <= len(data)]
    tags = {int.from_bytes(entry[:2], order): int.from_bytes(entry[8:12], order) for entry in entries}
    subfile_type, sub_ifds, dng_version = 0xFE, 0x14A, 0xC612
    return dng_version in tags or (tags.get(subfile_type) == 1 and sub_ifds in tags)


def _text(head: bytes) -> FileFormat:
    if not any(head[:PDF_HEAD]):
        return ZEROS
    is_utf16 = head[:2] in {b"\xff\xfe", b"\xfe\xff"}
    plain = head.replace(b"\0", b"") if is_utf16 else head
    if MAIL_START.match(plain) or (MAIL_FIELD.match(plain) and len(MAIL_FIELD.findall(plain)) > 1):
        return MAIL
    for pattern, file_format in MARKUP:
        if pattern.search(plain):
            return file_format
    is_text = is_utf16 or all(byte >= 0x20 or byte in TEXT_CONTROLS for byte in head)
    return TEXT if is_text else UNKNOWN


def find_truncation(file_format: FileFormat, data: bytes) -> str:
    """Return what shows that a file is cut off, for a message; empty where its end is there or only decoding can tell."""
    check = END_CHECKS.get(file_format)
    return check(data) if check else ""


# In JPEG's entropy-coded data a marker is FF and neither a stuffed zero, a restart marker nor a fill byte.
JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
JPEG_END, JPEG_TEMPORARY = 0xD9, 0x01


def _jpeg_end(data: bytes) -> str:
    """Source: ITU-T T.81, annex B. A thumbnail inside a segment has an end marker too, so segments are stepped over."""
    position = 2
    while found := JPEG_MARKER.search(data, position):
        marker = data[found.start() + 1]
        if marker == JPEG_END:
            return ""
        # Searching on from here skips the data after a scan's header, and rubbish between segments.
        position = found.end() + (int.from_bytes(data[found.end() : found.end() + 2], "big") if marker != JPEG_TEMPORARY else 0)
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
    declared = int.from_bytes(data[4:8], "little") + 8
    return f"it holds {len(data):,} of {declared:,} bytes" if len(data) < declared else ""


def _gif_end(data: bytes) -> str:
    return "" if data.rstrip(b"\0").endswith(b";") else "the GIF has no trailer"


def _pdf_end(data: bytes) -> str:
    return "" if b"%%EOF" in data[-PDF_TAIL:] else "the PDF has no end-of-file mark"


END_CHECKS: dict[FileFormat, Callable[[bytes], str]] = {
    JPEG: _jpeg_end,
    PNG: _png_end,
    WEBP: _webp_end,
    PDF: _pdf_end,
    GIF: _gif_end,
}
