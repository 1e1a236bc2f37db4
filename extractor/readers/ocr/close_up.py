"""A closer look: the printed rows that carry certain values are read again, enlarged, and put in place of what was read before."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from extractor.ocr.interface import Box, Fragment, Line, Transcript
from extractor.ocr.layout import to_lines
from extractor.pages import Page

MARGIN = 0.6
"""Of the row's height, above and below: engines miss print that touches the edge."""


class Looker(Protocol):
    """Reads one page or a part of it; `extractor.ocr.witness.Witness` is one."""

    @property
    def name(self) -> str:
        """Its engines."""
        ...

    def read(self, page: Page, effort: int = 0, crop: Box | None = None) -> tuple[Page, Transcript]:
        """The upright page and the text of the page or the crop, boxes in pixels of that page, at the given effort."""
        ...


def look_closer(witness: Looker, page: Page, transcript: Transcript, boxes: Iterable[Box], *, effort: int) -> Transcript:
    """The transcript with the rows under `boxes` read again at the given effort; all other rows are as before.

    A strip as wide as the page is read for each row, so that labels and amounts on it are read together. Costs a fraction of reading the
    page, and is a reading of its own where `effort` means another engine.

    Args:
        boxes: Where the values were seen, in pixels of the page.
    """
    kept = list(transcript.fragments)
    for strip in _strips(transcript.lines, boxes):
        found = witness.read(page, effort, crop=_with_margin(strip, transcript))[1]
        # Also where nothing is seen: what was read before must not stand again as a second reading.
        kept = [fragment for fragment in kept if not _is_on(fragment, strip)]
        kept += [fragment for fragment in found.fragments if _is_on(fragment, strip)]
    return replace(transcript, lines=to_lines(kept))


def _strips(lines: Sequence[Line], boxes: Iterable[Box]) -> list[Box]:
    """The rows under the boxes, each once, rows that overlap as one."""
    rows = sorted({line.box for box in boxes for line in lines if any(_touches(fragment.box, box) for fragment in line.fragments)})
    strips: list[Box] = []
    for row in sorted(rows, key=lambda row: row.top):
        if strips and row.top < strips[-1].bottom:
            strips[-1] = Box.around([strips[-1], row])
        else:
            strips.append(row)
    return strips


def _touches(one: Box, other: Box) -> bool:
    """Whether the boxes share a point that is not on the edge of either."""
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    return across > 0 and down > 0.5 * min(one.height, other.height)


def _with_margin(strip: Box, transcript: Transcript) -> Box:
    margin = MARGIN * strip.height
    return Box(0, max(0.0, strip.top - margin), transcript.width, min(float(transcript.height), strip.bottom + margin))


def _is_on(fragment: Fragment, strip: Box) -> bool:
    return strip.top <= fragment.box.middle <= strip.bottom
