"""Formats are told by bytes alone: which are read, which never are, and which bytes may be the start of a file."""

import struct
from collections.abc import Sequence

import pytest

from extractor.documents.formats import SIGNATURES, detect_format


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    brands = b"".join(compatible or (major,))
    return struct.pack(">I", 16 + len(brands)) + b"ftyp" + major + bytes(4) + brands + struct.pack(">I", 8) + b"mdat"


def zip_file(*names: bytes) -> bytes:
    """A ZIP archive's first entry, data, and the names in its directory."""
    head = b"PK\x03\x04" + bytes(22) + struct.pack("<HH", len(names[0]), 0) + names[0]
    return head + bytes(5000) + b"".join(b"PK\x01\x02" + bytes(42) + name for name in names)


def camera_tiff(order: str, tags: Sequence[tuple[int, int]], *, at: int = 8) -> bytes:
    """A TIFF whose first directory has these tags, each a long integer."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(f"{order}H", len(tags)) + b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags)
    return mark + struct.pack(f"{order}I", at) + bytes(at - 8) + directory + bytes(4)


AAE = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" '
    b'"http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n<plist version="1.0">\n<dict>\n\t<key>adjustmentBaseVersion</key>\n'
)

UNSUPPORTED: dict[str, tuple[bytes, str]] = {
    "message as received": (b"Return-Path: <a@example.com>\r\nReceived: from example.com\r\n\r\nHello", "an e-mail"),
    "message as exported": (b"From: A <a@example.com>\nTo: b@example.com\nSubject: Your order\n\n<html>", "an e-mail"),
    "message with a PDF further on": (
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed\r\n\r\n" + b"x" * 2000 + b"%PDF-1.4",
        "an e-mail",
    ),
    "mailbox": (b"From a@example.com Mon Jan  1 00:00:00 2024\nSubject: Hello\n\n", "an e-mail"),
    "Word document": (zip_file(b"[Content_Types].xml", b"_rels/.rels", b"word/document.xml"), "a Word document"),
    "Excel workbook": (zip_file(b"[Content_Types].xml", b"xl/workbook.xml"), "an Excel workbook"),
    "presentation": (zip_file(b"ppt/presentation.xml"), "a PowerPoint presentation"),
    "other office document": (zip_file(b"[Content_Types].xml", b"visio/document.xml"), "an office document"),
    "LibreOffice document": (zip_file(b"mimetypeapplication/vnd.oasis.opendocument.text"), "an office document"),
    "archive of photos": (zip_file(b"IMG_0001.jpg"), "a ZIP archive"),
    "QuickTime film": (ftyp(b"qt  "), "a video"),
    "QuickTime film without brands": (struct.pack(">I", 8) + b"wide" + struct.pack(">I", 99) + b"mdat" + bytes(90), "a video"),
    "MP4": (ftyp(b"mp42", b"isom", b"mp42"), "a video"),
    "film whose box looks like an icon": (b"\0\0\x01\0ftypisom" + bytes(4) + b"isom" * 60, "a video"),
    "voice memo": (ftyp(b"M4A ", b"M4A ", b"isom"), "a sound recording"),
    "MP3": (b"ID3\x04" + bytes(60), "a sound recording"),
    "MP3 without tags": (b"\xff\xfb\x90\x64" + bytes(60), "a sound recording"),
    "WAVE": (b"RIFF\x24\0\0\0WAVEfmt " + bytes(30), "a sound recording"),
    "AVI": (b"RIFF\x24\0\0\0AVI LIST" + bytes(30), "a video"),
    "edits of a photo": (AAE, "edits to a photo"),
    "edits of a photo, binary": (b"bplist00" + bytes(40) + b"_\x10\x1aadjustmentFormatIdentifier", "edits to a photo"),
    "other property list": (AAE.replace(b"adjustmentBaseVersion", b"name"), "an Apple property list"),
    "Canon raw": (ftyp(b"crx ", b"crx ", b"isom"), "a camera raw file"),
    "older Canon raw": (b"II*\0\x10\0\0\0CR\x02\0" + bytes(60), "a camera raw file"),
    "DNG": (camera_tiff("<", [(0xFE, 1), (0x100, 256), (0xC612, 0x0401)]), "a camera raw file"),
    "Nikon raw": (camera_tiff(">", [(0xFE, 1), (0x14A, 4000)], at=100), "a camera raw file"),
    "Photoshop": (b"8BPS\0\x01" + bytes(60), "a Photoshop file"),
    "web page with a drawing": (b"<!DOCTYPE html><html><body><svg width=1></svg>", "an HTML page"),
    "text": ("Kaffee 3,50 €\nSumme 3,50 €\n".encode(), "a text file"),
    "text of Windows": ("\ufeffSumme 3,50\r\n".encode("utf-16-le"), "a text file"),
    "old Word document": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(60), "an old office document"),
    "TAR archive": (b"IMG_0001.jpg".ljust(257, b"\0") + b"ustar\0" + bytes(200), "a TAR archive"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_formats_that_are_never_read_are_named(name: str) -> None:
    """Each says what it is and what to do, so that nobody waits for the rest of it."""
    data, label = UNSUPPORTED[name]
    found = detect_format(data)
    assert label in found.label
    assert found.is_unsupported
    assert not found.is_readable
    assert found.what_to_do.endswith(".")


@pytest.mark.parametrize(
    ("data", "label"),
    [
        (ftyp(b"mif1", b"mif1", b"heic"), "a HEIF image"),
        (ftyp(b"avif", b"avif", b"mif1"), "an AVIF image"),
        (b"rubbish before\n" * 40 + b"%PDF-1.7\n", "a PDF"),
        (camera_tiff("<", [(0xFE, 0), (0x100, 256)]), "a TIFF image"),
        (camera_tiff(">", [(0xFE, 1), (0x100, 256)]), "a TIFF image"),  # a scanner's thumbnail
        (b"BM" + bytes(12) + struct.pack("<I", 40) + bytes(40), "a BMP image"),
    ],
)
def test_formats_that_are_read(data: bytes, label: str) -> None:
    """Neighbours of those above stay readable."""
    found = detect_format(data)
    assert found.label == label
    assert found.is_readable
    assert not found.is_unsupported


@pytest.mark.parametrize("size", range(64))
@pytest.mark.parametrize(
    "whole",
    [
        b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0" + bytes(44),
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(48),
        ftyp(b"heic", b"mif1", b"heic") + bytes(40),
        ftyp(b"isom", b"avif") + bytes(40),
        b"RIFF\x40\0\0\0WEBPVP8 " + bytes(48),
        b"GIF89a" + bytes(58),
        b"BM" + bytes(12) + struct.pack("<I", 40) + bytes(46),
        b"II*\0\x08\0\0\0\x01\0" + bytes(54),
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj" + bytes(40),
    ],
    ids=["JPEG", "PNG", "HEIF", "AVIF", "WebP", "GIF", "BMP", "TIFF", "PDF"],
)
def test_the_start_of_an_image_is_never_given_up(whole: bytes, size: int) -> None:
    """A file that is still being copied is readable or not recognised, however few of its bytes are there."""
    assert not detect_format(whole[:size]).is_unsupported


def test_no_signature_hides_another() -> None:
    """Of two signatures that begin alike, the longer one comes first."""
    for index, (offset, signature, _) in enumerate(SIGNATURES):
        assert not any(offset == place and signature.startswith(earlier) for place, earlier, _ in SIGNATURES[:index])
