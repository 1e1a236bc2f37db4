"""Several receipts beside one another on one page: where each of them lies. Pure.

One receipt is never taken for several. Between two lies a gap that no print crosses, from the top of the page to its bottom; and what lies
on either side is a receipt of its own, with its own merchant, date and total. Columns of one receipt have not all of these, and a card slip
or a copy beside its receipt is of the same day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from PIL import Image

from extractor.ocr.layout import to_lines
from extractor.ocr.transcript import Box, Fragment, Transcript
from extractor.readers.rules.ocr_reader import read_fields
from extractor.schemas.answer import DocumentType
from extractor.validation.voting import agree

MIN_LINES = 6
"""Rows that a receipt of its own has at least."""

MOST_PAPERS = 6
"""Receipts on a page at most: a page with more columns is a table."""

MIN_GAP = 1.5
"""Width of the gap between receipts, in heights of print, at least."""

MAX_SLOPES = 0.2
"""How far a gap may lean to the left or right, in pixels across for each pixel down: papers do not lie straight."""

MUCH_PRINT = 12
"""Pieces of print from which a part is no column of a receipt: those of labelled receipts that have merchant and total have 10 at most."""

DOUBTFUL = ("merchant_name", "total")
"""What makes a part look like a receipt."""

OWN = ("merchant_name", "transaction_date", "total")
"""What each receipt has for itself."""


@dataclass(frozen=True)
class Paper:
    """One of several receipts on a page.

    Attributes:
        box: Where its print is, in pixels of the page.
        transcript: Its own print, with boxes and size of the page.
        said: What it says of merchant, date, time and total, as read.
    """

    box: Box
    transcript: Transcript
    said: Mapping[str, str]


MARGIN_LINES = 2.0
"""Paper kept around a receipt's print, in heights of print, where the gap is wide enough."""


def papers_of(transcript: Transcript) -> tuple[Paper, ...]:
    """The receipts on a page, from left to right: two or more; none where there is one, or where there is any doubt."""
    parts = _parts(list(transcript.fragments))
    if len(parts) < 2:
        return ()
    papers = [paper for part in parts if (paper := _paper(part, transcript)) is not None]
    is_each_one = len(papers) == len(parts) and all(_are_two(one, other) for one, other in combinations(papers, 2))
    return tuple(papers) if is_each_one else ()


def may_be_several(transcript: Transcript) -> bool:
    """Whether a page that is not cut looks as if it should be: each part has much print, a merchant and a total of its own.

    It may be a receipt and its copy, or one of the dates was not read.
    """
    parts = _parts(list(transcript.fragments))
    return len(parts) > 1 and all(len(part) >= MUCH_PRINT and _said(_alone(part, transcript), DOUBTFUL) for part in parts)


def cut_out(image: Image.Image, papers: Sequence[Paper]) -> list[tuple[Image.Image, Box]]:
    """Each paper's part of the page, and where it is; print of the others in it, since papers do not lie straight, is painted over.

    Args:
        image: The page that the papers are on.
        papers: From left to right.
    """
    parts = []
    for number, paper in enumerate(papers):
        margin = MARGIN_LINES * float(np.median([fragment.box.height for fragment in paper.transcript.fragments]))
        left, top = max(0, round(paper.box.left - margin)), max(0, round(paper.box.top - margin))
        right, bottom = min(image.width, round(paper.box.right + margin)), min(image.height, round(paper.box.bottom + margin))
        part = image.crop((left, top, right, bottom))
        colour = tuple(int(value) for value in np.median(np.asarray(part).reshape(-1, 3), axis=0))
        for other in (*papers[:number], *papers[number + 1 :]):
            for box in (fragment.box for fragment in other.transcript.fragments):
                if box.left < right and box.right > left and box.top < bottom and box.bottom > top:
                    part.paste(colour, (round(box.left) - left, round(box.top) - top, round(box.right) - left, round(box.bottom) - top))
        parts.append((part, Box(left, top, right, bottom)))
    return parts


def _parts(fragments: list[Fragment]) -> list[list[Fragment]]:
    """The fragments between gaps, from left to right; all together where there are more gaps than people lay receipts side by side."""
    parts, place = [fragments], 0
    while place < len(parts):
        cut = _cut(parts[place])
        if cut is None:
            place += 1
        elif len(parts) == MOST_PAPERS:
            return [fragments]
        else:
            parts[place : place + 1] = cut
    return parts


def _cut(fragments: list[Fragment]) -> tuple[list[Fragment], list[Fragment]] | None:
    """The fragments left and right of the widest gap; `None` where no gap is wide enough or a side is too small for a receipt."""
    if len(fragments) < 2 * MIN_LINES:
        return None
    boxes = np.array([fragment.box for fragment in fragments], dtype=float)
    height = float(np.median(boxes[:, 3] - boxes[:, 1]))
    middles = (boxes[:, 1] + boxes[:, 3]) / 2
    best: tuple[float, np.ndarray] | None = None
    for slope in np.linspace(-MAX_SLOPES, MAX_SLOPES, 41):
        shift = slope * (middles - middles.mean())
        left, right = boxes[:, 0] - shift, boxes[:, 2] - shift
        order = np.argsort(left)
        reach = np.maximum.accumulate(right[order])
        gaps = left[order][1:] - reach[:-1]
        for place in np.flatnonzero(gaps >= MIN_GAP * height):
            is_left = np.zeros(len(fragments), dtype=bool)
            is_left[order[: place + 1]] = True
            if min(is_left.sum(), (~is_left).sum()) >= MIN_LINES and (best is None or gaps[place] > best[0]):
                best = float(gaps[place]), is_left
    if best is None:
        return None
    left_side = [fragment for fragment, is_left in zip(fragments, best[1], strict=True) if is_left]
    right_side = [fragment for fragment, is_left in zip(fragments, best[1], strict=True) if not is_left]
    return left_side, right_side


def _paper(fragments: Sequence[Fragment], page: Transcript) -> Paper | None:
    """The receipt that these fragments are; `None` where they are none, or only a part of one."""
    transcript = _alone(fragments, page)
    said = _said(transcript, OWN)
    return Paper(Box.around([fragment.box for fragment in fragments]), transcript, said) if said else None


def _alone(fragments: Sequence[Fragment], page: Transcript) -> Transcript:
    """A part of a page as if nothing else were printed on it."""
    return Transcript(to_lines(fragments), page.width, page.height, page.engine)


def _said(transcript: Transcript, wanted: Sequence[str]) -> dict[str, str]:
    """What print says of merchant, date, time and total; nothing where it is no receipt, or does not say all that is wanted."""
    values = read_fields((transcript,)).values if len(transcript.lines) >= MIN_LINES else {}
    if values.get("document_type") in {DocumentType.NOT_A_RECEIPT, DocumentType.CARD_SLIP} or not all(values.get(name) for name in wanted):
        return {}
    return {name: values[name] for name in (*OWN, "transaction_time") if values.get(name)}


def _are_two(one: Paper, other: Paper) -> bool:
    """Whether two papers are no receipt and its slip or copy: of other days and of another total or time, or other in all that they say."""

    def differ(name: str) -> bool:
        return name in one.said and name in other.said and not agree(name, one.said[name], other.said[name])

    if differ("transaction_date"):
        return differ("total") or differ("transaction_time")  # else it may be one day, misread once
    return differ("merchant_name") and differ("total") and differ("transaction_time")
