"""A closer look: recognises crops around known values again, enlarged, and replaces their fragments in the transcript."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from extractor.documents import Page
from extractor.ocr.layout import to_lines
from extractor.ocr.page_reader import without_doubles
from extractor.ocr.transcript import Box, Fragment, Transcript

# Margin around a crop on all sides, in heights of it: engines miss text that touches the edge.
MARGIN = 0.6


class CropReader(Protocol):
    """Reads a page or a part of it; implemented by `extractor.ocr.page_reader.PageReader`."""

    @property
    def name(self) -> str:
        """Names of its engines."""
        ...

    def read(self, page: Page, effort: int = 0, crop: Box | None = None, row: Box | None = None) -> tuple[Page, Transcript]:
        """Return the upright page, and the text of the page, of the crop, or of a row in the crop, boxes in pixels of that page."""
        ...


def read_closer(page_reader: CropReader, page: Page, transcript: Transcript, boxes: Iterable[Box], *, effort: int) -> Transcript:
    """Return the transcript with the text under `boxes` recognised again at the given effort; everything else is unchanged.

    Only the fragments that hold the values are read, since recognition costs by the width of the text and labels need no second reading.
    That costs a fraction of reading the page, and is an independent reading where `effort` selects another engine.

    Args:
        boxes: Where the values were seen, in pixels of the page.
    """
    places = _merged_places(list(transcript.fragments), list(boxes))
    crops: list[list[Fragment]] = []
    for place in places:
        crop = _with_margin(place, transcript)
        # Crops that intersect show each other's rows; without a neighbour, the engine needs to read one row only.
        is_alone = not any(_intersect(other, crop) for other in places if other is not place)
        crops.append(list(page_reader.read(page, effort, crop=crop, row=place if is_alone else None)[1].fragments))
    found: list[Fragment] = []
    for place, own in zip(places, crops, strict=True):
        # A neighbouring crop may show text that an engine misses in the crop of the place itself.
        found += _within(own, place) or _within([fragment for crop in crops for fragment in crop], place)
    # Also where nothing is found: the earlier reading must not count as a second one.
    kept = [fragment for fragment in transcript.fragments if not any(_is_within(fragment, place) for place in places)]
    return replace(transcript, lines=to_lines([*kept, *without_doubles(found)]))


def _merged_places(fragments: Sequence[Fragment], boxes: Sequence[Box]) -> list[Box]:
    """Return the boxes of the fragments under `boxes`, those side by side merged."""
    places: list[Box] = []
    for box in sorted(fragment.box for fragment in fragments if any(_overlaps(fragment.box, box) for box in boxes)):
        near = next((place for place in places if _is_on_same_row(place, box)), None)
        if near is not None:
            places.remove(near)
            box = Box.around([near, box])  # noqa: PLW2901 -- the place grows
        places.append(box)
    return places


def _overlaps(one: Box, other: Box) -> bool:
    """Return whether the boxes share more than an edge."""
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    return across > 0 and down > 0.5 * min(one.height, other.height)


def _intersect(one: Box, other: Box) -> bool:
    return one.left < other.right and other.left < one.right and one.top < other.bottom and other.top < one.bottom


def _is_on_same_row(one: Box, other: Box) -> bool:
    """Return whether the boxes stand on one row, no further apart than a character or two."""
    across = max(one.left, other.left) - min(one.right, other.right)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    height = min(one.height, other.height)
    return down > 0.5 * height and across < height


def _with_margin(place: Box, transcript: Transcript) -> Box:
    margin = MARGIN * place.height
    left, right = max(0.0, place.left - margin), min(float(transcript.width), place.right + margin)
    return Box(left, max(0.0, place.top - margin), right, min(float(transcript.height), place.bottom + margin))


def _within(fragments: Sequence[Fragment], place: Box) -> list[Fragment]:
    return [fragment for fragment in fragments if _is_within(fragment, place)]


def _is_within(fragment: Fragment, place: Box) -> bool:
    return place.top <= fragment.box.middle <= place.bottom and place.left <= (fragment.box.left + fragment.box.right) / 2 <= place.right
