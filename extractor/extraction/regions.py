"""The part of a page to enlarge for another look: where a field stands, or usually stands. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from extractor.ocr.transcript import Box, Transcript
from extractor.readers.base import Document, Evidence

# Largest share of a page's text, by height, that is enlarged: a larger part would hardly be larger than on the whole page.
MAX_SHARE = 0.5

# The usual place of a field, from top to bottom as shares of the text's height; that of all other fields (sums, taxes, payments) is TOTALS.
USUAL_PLACES = {
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
TOTALS = (0.5, 1.0)


@dataclass(frozen=True)
class CropRegion:
    """A part of a page.

    Attributes:
        page: Counted from 0.
        box: In pixels of that page.
        fields: Those of the wanted fields that are on this page.
    """

    page: int
    box: Box
    fields: tuple[str, ...]


def part_to_enlarge(fields: Iterable[str], seen: Mapping[str, Evidence], document: Document) -> CropRegion:
    """The part of a page to enlarge for some fields: the place of the first, joined with those of the others that are near enough.

    The place of a field that the witness found is its whole printed row, since labels stand beside values. The place of any other field is
    its usual one, on the first page or, for sums, the last.

    Args:
        fields: The most important first; at least one.
        seen: The witness's evidence, by top-level field.
    """
    places = {name: _place(name, seen.get(name), document.transcripts) for name in fields}
    page, box = next(iter(places.values()))
    most = MAX_SHARE * _text(document.transcripts[page]).height
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
    page = 0 if name in USUAL_PLACES else len(transcripts) - 1
    text = _text(transcripts[page])
    start, end = USUAL_PLACES.get(name, TOTALS)
    return page, Box(text.left, text.top + start * text.height, text.right, text.top + end * text.height)


def _text(transcript: Transcript) -> Box:
    """The part of a page that has text; the whole page where no text was found."""
    boxes = [line.box for line in transcript.lines]
    return Box.around(boxes) if boxes else Box(0, 0, transcript.width, transcript.height)
