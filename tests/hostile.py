"""Hostile files, made here: bombs, loops, false sizes, and files that are two formats at once."""

import io
import signal
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from PIL import Image

MEGA = 1_000_000


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *, bits: int = 8, colour: int = 6, rows: int | None = None, extra: bytes = b"") -> bytes:
    """A PNG of zeros: by default with an alpha channel, four bytes a pixel from a thousandth of that in the file.

    Args:
        colour: 0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGB with alpha.
        rows: How many of its rows are there; all by default.
        extra: Chunks after the header.
    """
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = bytes(1 + (width * channels * bits + 7) // 8)
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(row) for _ in range(height if rows is None else rows)) + packer.flush()
    palette = chunk(b"PLTE", bytes(3)) if colour == 3 else b""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + palette + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def gif(width: int, height: int, frames: int) -> bytes:
    """A GIF whose frames are one pixel each, at any size of its screen."""
    frame = b"\x21\xf9\x04\x08\0\0\0\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + frame * frames + b";"


def tiff(tags: Sequence[dict[int, tuple[int, Sequence[int]]]], *, body: bytes = b"", following: Sequence[int] | None = None) -> bytes:
    """A little-endian TIFF with these directories.

    Args:
        tags: One mapping a directory: number to type (3 short, 4 long) and values. The value -1 stands for the place of `body`.
        body: What strips point at.
        following: Index of the directory that follows each; -1 ends the chain. By default the next one.
    """
    start = 8 + len(body)
    sizes = [2 + 12 * len(each) + 4 + sum(4 * len(values) for _, values in each.values() if len(values) > 1) for each in tags]
    places = [start + sum(sizes[:index]) for index in range(len(tags))]
    data = b"II*\0" + struct.pack("<I", places[0]) + body
    for index, each in enumerate(tags):
        entries, beyond = b"", b""
        room = places[index] + 2 + 12 * len(each) + 4
        for number, (kind, values) in sorted(each.items()):
            real = [8 if value == -1 else value for value in values]
            inline = struct.pack("<I", real[0]) if len(real) == 1 else struct.pack("<I", room + len(beyond))
            beyond += b"" if len(real) == 1 else struct.pack(f"<{len(real)}I", *real)
            entries += struct.pack("<HHI", number, 4 if len(real) > 1 else kind, len(real)) + inline
        then = (index + 1 if index + 1 < len(tags) else -1) if following is None else following[index]
        data += struct.pack("<H", len(each)) + entries + struct.pack("<I", places[then] if then >= 0 else 0) + beyond
    return data


def plain_tags(
    width: int, height: int, *, strip_bytes: int = 1, **changes: tuple[int, Sequence[int]]
) -> dict[int, tuple[int, Sequence[int]]]:
    """The tags of a grey TIFF without compression, in one strip; `changes` are by name: `t259=(3, [8])`."""
    tags: dict[int, tuple[int, Sequence[int]]] = {
        256: (4, [width]), 257: (4, [height]), 258: (3, [8]), 259: (3, [1]), 262: (3, [1]), 273: (4, [-1]), 277: (3, [1]),
        278: (4, [height]), 279: (4, [strip_bytes]),
    }  # fmt: skip
    return tags | {int(name[1:]): value for name, value in changes.items()}


def float_tiff(width: int, height: int) -> bytes:
    """A TIFF of 32-bit floats, all zero, deflated to almost nothing."""
    packer = zlib.compressobj(9)
    row = bytes(4 * width)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return tiff([plain_tags(width, height, strip_bytes=len(body), t258=(3, [32]), t259=(3, [8]), t339=(3, [3]))], body=body)


def pdf(objects: Sequence[bytes], *, root: int = 1, trailer: bytes = b"") -> bytes:
    """A PDF of these objects, numbered from 1, with a right table of references."""
    data, places = b"%PDF-1.7\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n" % number + each + b"\nendobj\n"
    table = len(data)
    rows = b"".join(b"%010d 00000 n \n" % place for place in places)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + rows
    return data + b"trailer<</Root %d 0 R/Size %d%s>>\nstartxref\n%d\n%%%%EOF\n" % (root, len(objects) + 1, trailer, table)


def stream(data: bytes, entries: bytes = b"") -> bytes:
    """A stream object."""
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (entries, len(data), data)


def flated(data: bytes, times: int, entries: bytes = b"") -> bytes:
    """A stream object, deflated several times over."""
    for _ in range(times):
        data = zlib.compress(data, 9)
    return stream(data, entries + b"/Filter[%s]" % (b"/FlateDecode " * times))


def one_page(content: bytes, *objects: bytes, page: bytes = b"", box: bytes = b"0 0 200 300", catalog: bytes = b"") -> bytes:
    """A PDF with one page: object 4 is its content, further objects are numbered from 5."""
    return pdf(
        [
            b"<</Type/Catalog/Pages 2 0 R%s>>" % catalog,
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[%s]/Contents 4 0 R%s>>" % (box, page),
            content,
            *objects,
        ]
    )


def picture_pdf(width: int, height: int, data: bytes, entries: bytes = b"") -> bytes:
    """A PDF whose page is a picture that claims a size, with these bytes (already encoded)."""
    picture = stream(
        data, b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceGray/BitsPerComponent 8%s" % (width, height, entries)
    )
    return one_page(stream(b"200 0 0 300 0 0 cm /I Do"), picture, page=b"/Resources<</XObject<</I 5 0 R>>>>")


def laughing_pdf(levels: int, times: int) -> bytes:
    """A PDF whose page draws a form that draws a form, each several times: `times ** levels` squares."""
    forms = []
    for level in range(levels):
        inner = b"/F Do " * times if level + 1 < levels else b"0 0 9 9 re f "
        resources = b"/Resources<</XObject<</F %d 0 R>>>>" % (6 + level) if level + 1 < levels else b""
        forms.append(stream(inner, b"/Type/XObject/Subtype/Form/BBox[0 0 200 300]" + resources))
    return one_page(stream(b"/F Do " * times), *forms, page=b"/Resources<</XObject<</F 5 0 R>>>>")


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    """The image as a file."""
    buffer = io.BytesIO()
    image.copy().save(buffer, file_format, **options)  # saving leaves settings of the format in an image
    return buffer.getvalue()


@contextmanager
def no_endless_loop(seconds: int = 60) -> Iterator[None]:
    """Fails where what is inside takes a hundred times longer than it should: exponential search would never end."""

    def give_up(*_: object) -> None:
        raise AssertionError(f"still not done after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
