"""A closer look: the print that carries certain values is read again, enlarged, and put in place of what was read before."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from extractor.documents import Page
from extractor.ocr.layout import to_lines
from extractor.ocr.page_reader import without_doubles
from extractor.ocr.transcript import Box, Fragment, Transcript

# Of the height, on all sides: engines miss print that touches the edge.
MARGIN = 0.6


class Looker(Protocol):
    """Reads one page or a part of it; `extractor.ocr.page_reader.Witness` is one."""

    @property
    def name(self) -> str:
        """Its engines."""
        ...

    def read(self, page: Page, effort: int = 0, crop: Box | None = None, row: Box | None = None) -> tuple[Page, Transcript]:
        """The upright page and the text of the page, of the crop, or of a row in the crop, boxes in pixels of that page."""
        ...


def look_closer(witness: Looker, page: Page, transcript: Transcript, boxes: Iterable[Box], *, effort: int) -> Transcript:
    """The transcript with what stands under `boxes` read again at the given effort; everything else is as before.

    Only the fragments that hold the values are read: recognition costs by the width of the text, and a label need not be read twice.
    That is a fraction of reading the page, and a reading of its own where `effort` means another engine.

    Args:
        boxes: Where the values were seen, in pixels of the page.
    """
    places = _places(list(transcript.fragments), list(boxes))
    crops: list[list[Fragment]] = []
    for place in places:
        crop = _with_margin(place, transcript)
        # Rows of one value that stand close together help each other; any other neighbour would only cost time.
        is_alone = not any(_meet(other, crop) for other in places if other is not place)
        crops.append(list(witness.read(page, effort, crop=crop, row=place if is_alone else None)[1].fragments))
    found: list[Fragment] = []
    for place, own in zip(places, crops, strict=True):
        # A neighbour's crop may show what an engine overlooks in the place's own, or only a part of it.
        found += _on(own, place) or _on([fragment for crop in crops for fragment in crop], place)
    # Also where nothing is seen: what was read before must not stand again as a second reading.
    kept = [fragment for fragment in transcript.fragments if not any(_is_on(fragment, place) for place in places)]
    return replace(transcript, lines=to_lines([*kept, *without_doubles(found)]))


def _places(fragments: Sequence[Fragment], boxes: Sequence[Box]) -> list[Box]:
    """What to look at: the fragments under the boxes, those side by side as one."""
    places: list[Box] = []
    for box in sorted(fragment.box for fragment in fragments if any(_touches(fragment.box, box) for box in boxes)):
        near = next((place for place in places if _is_beside(place, box)), None)
        if near is not None:
            places.remove(near)
            box = Box.around([near, box])  # noqa: PLW2901 -- the place grows
        places.append(box)
    return places


def _touches(one: Box, other: Box) -> bool:
    """Whether the boxes share a point that is not on the edge of either."""
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    return across > 0 and down > 0.5 * min(one.height, other.height)


def _meet(one: Box, other: Box) -> bool:
    return one.left < other.right and other.left < one.right and one.top < other.bottom and other.top < one.bottom


def _is_beside(one: Box, other: Box) -> bool:
    """Whether the boxes stand on one row and are no further apart than a character or two."""
    across = max(one.left, other.left) - min(one.right, other.right)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    height = min(one.height, other.height)
    return down > 0.5 * height and across < height


def _with_margin(place: Box, transcript: Transcript) -> Box:
    margin = MARGIN * place.height
    left, right = max(0.0, place.left - margin), min(float(transcript.width), place.right + margin)
    return Box(left, max(0.0, place.top - margin), right, min(float(transcript.height), place.bottom + margin))


def _on(fragments: Sequence[Fragment], place: Box) -> list[Fragment]:
    return [fragment for fragment in fragments if _is_on(fragment, place)]


def _is_on(fragment: Fragment, place: Box) -> bool:
    return place.top <= fragment.box.middle <= place.bottom and place.left <= (fragment.box.left + fragment.box.right) / 2 <= place.right
