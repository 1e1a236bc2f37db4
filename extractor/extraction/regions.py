"""Where on its pages a field stands, or usually stands: the part to enlarge for another look. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from extractor.ocr.transcript import Box, Transcript
from extractor.readers.base import Document, Evidence

MOST = 0.5
"""Share of a page's text that is enlarged at most: more would hardly be larger than on the whole page."""

USUALLY = {
    "document_type": (0.0, 0.3),
    "merchant_name": (0.0, 0.3),
    "merchant_address": (0.0, 0.3),
    "merchant_phone": (0.0, 0.3),
    "merchant_tax_id": (0.0, 0.3),
    "receipt_number": (0.0, 0.4),
    "transaction_date": (0.0, 0.4),
    "transaction_time": (0.0, 0.4),
    "items": (0.2, 0.7),
}
"""From where to where a field is printed on most receipts, as shares of the text's height."""

TOTALS = (0.5, 1.0)
"""The same of all other fields, which are sums, taxes and payments."""


@dataclass(frozen=True)
class CropRegion:
    """A part of a page.

    Attributes:
        page: Counted from 0.
        box: In pixels of that page.
        fields: Of those asked for, the ones to look for on this page.
    """

    page: int
    box: Box
    fields: tuple[str, ...]


def part_to_enlarge(fields: Iterable[str], seen: Mapping[str, Evidence], document: Document) -> CropRegion:
    """The part of a page to look at for some fields: the place of the first, and of as many of the others as stand near enough.

    A field stands where the witness saw it, on all of its printed row, since labels stand beside values; else where it usually does, on the
    first page or, for sums, the last.

    Args:
        fields: The most important first; at least one.
        seen: By top-level field, what the witness saw.
    """
    places = {name: _place(name, seen.get(name), document.transcripts) for name in fields}
    page, box = next(iter(places.values()))
    most = MOST * _text(document.transcripts[page]).height
    for other_page, other in places.values():
        joined = Box.around([box, other])
        if other_page == page and joined.height <= max(most, box.height):
            box = joined
    return CropRegion(page, box, tuple(name for name, (other_page, _) in places.items() if other_page == page))


def _place(name: str, seen: Evidence | None, transcripts: tuple[Transcript, ...]) -> tuple[int, Box]:
    if seen is not None and seen.box is not None and seen.page < len(transcripts):
        box = seen.box
        rows = (line.box for line in transcripts[seen.page].lines if box.top <= line.box.middle <= box.bottom)
        return seen.page, Box.around([box, *rows])
    page = 0 if name in USUALLY else len(transcripts) - 1
    text = _text(transcripts[page])
    start, end = USUALLY.get(name, TOTALS)
    return page, Box(text.left, text.top + start * text.height, text.right, text.top + end * text.height)


def _text(transcript: Transcript) -> Box:
    """The part of a page that has text; all of it where none was seen."""
    boxes = [line.box for line in transcript.lines]
    return Box.around(boxes) if boxes else Box(0, 0, transcript.width, transcript.height)
