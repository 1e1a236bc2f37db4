"""Separates several receipts that lie beside one another on one page. Pure.

A page is cut only where there is no doubt: a gap without print runs from its top to its bottom, and the part on either side has a merchant,
a date and a total of its own. To know that, the OCR reader's rules run on each part (`read_fields`), and the fields of the parts are
compared as those of two looks are (`validation.agreement`). The columns of one receipt do not have all of these fields, and a card slip or
a copy beside its receipt has the same date.
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
from extractor.validation.agreement import agree

MIN_LINES = 6  # rows of a receipt, at least
MAX_RECEIPTS = 6  # on a page; a page with more columns is a table
MIN_GAP = 1.5  # width of the gap between receipts, in line heights
MAX_SLOPE = 0.2  # lean of a gap, in pixels across for each pixel down: receipts do not lie straight
MARGIN_LINES = 2.0  # paper kept around a receipt's print, in line heights, where the gap is wide enough

# A part with so many fragments is no column of a receipt: on labelled receipts, columns with a merchant and a total have at most 10.
MIN_FRAGMENTS = 12

# The fields that make a part look like a receipt, and those that a receipt of its own has.
LIKELY_FIELDS = ("merchant_name", "total")
OWN_FIELDS = ("merchant_name", "transaction_date", "total")


@dataclass(frozen=True)
class SeparateReceipt:
    """One of several receipts on a page.

    Attributes:
        box: The part of the page that its print takes up, in pixels.
        transcript: Its own print, with boxes and size of the page.
        texts: Its merchant, date, time and total as printed, by field.
    """

    box: Box
    transcript: Transcript
    texts: Mapping[str, str]


def separate_receipts(transcript: Transcript) -> tuple[SeparateReceipt, ...]:
    """The receipts on a page, from left to right; empty where there is one, or where there is any doubt."""
    parts = _parts(list(transcript.fragments))
    if len(parts) < 2:
        return ()
    receipts = [receipt for part in parts if (receipt := _receipt(part, transcript)) is not None]
    are_separate = len(receipts) == len(parts) and all(_differ(one, other) for one, other in combinations(receipts, 2))
    return tuple(receipts) if are_separate else ()


def may_be_several(transcript: Transcript) -> bool:
    """Whether a page that `separate_receipts` does not cut may show several: each part has much print, a merchant and a total of its own.

    It may be a receipt and its copy, or two receipts of which one date was not read.
    """
    parts = _parts(list(transcript.fragments))
    return len(parts) > 1 and all(len(part) >= MIN_FRAGMENTS and _texts(_part_of(part, transcript), LIKELY_FIELDS) for part in parts)


def cut_out(image: Image.Image, receipts: Sequence[SeparateReceipt]) -> list[tuple[Image.Image, Box]]:
    """Each receipt's part of the page, with its box in pixels of the page.

    Receipts do not lie straight: print of the others that reaches into a part is painted over.

    Args:
        image: The page that the receipts are on.
        receipts: From left to right.
    """
    parts = []
    for number, receipt in enumerate(receipts):
        margin = MARGIN_LINES * float(np.median([fragment.box.height for fragment in receipt.transcript.fragments]))
        left, top = max(0, round(receipt.box.left - margin)), max(0, round(receipt.box.top - margin))
        right, bottom = min(image.width, round(receipt.box.right + margin)), min(image.height, round(receipt.box.bottom + margin))
        part = image.crop((left, top, right, bottom))
        colour = tuple(int(value) for value in np.median(np.asarray(part).reshape(-1, 3), axis=0))
        for other in (*receipts[:number], *receipts[number + 1 :]):
            for box in (fragment.box for fragment in other.transcript.fragments):
                if box.left < right and box.right > left and box.top < bottom and box.bottom > top:
                    part.paste(colour, (round(box.left) - left, round(box.top) - top, round(box.right) - left, round(box.bottom) - top))
        parts.append((part, Box(left, top, right, bottom)))
    return parts


def _parts(fragments: list[Fragment]) -> list[list[Fragment]]:
    """The fragments between gaps, from left to right; all of them in one part where there are too many gaps for receipts."""
    parts, place = [fragments], 0
    while place < len(parts):
        cut = _cut(parts[place])
        if cut is None:
            place += 1
        elif len(parts) == MAX_RECEIPTS:
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
    for slope in np.linspace(-MAX_SLOPE, MAX_SLOPE, 41):
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


def _receipt(fragments: Sequence[Fragment], page: Transcript) -> SeparateReceipt | None:
    """The fragments as a receipt; `None` where they are none, or only a part of one."""
    transcript = _part_of(fragments, page)
    texts = _texts(transcript, OWN_FIELDS)
    return SeparateReceipt(Box.around([fragment.box for fragment in fragments]), transcript, texts) if texts else None


def _part_of(fragments: Sequence[Fragment], page: Transcript) -> Transcript:
    """A part of a page as if nothing else were printed on it."""
    return Transcript(to_lines(fragments), page.width, page.height, page.engine)


def _texts(transcript: Transcript, required: Sequence[str]) -> dict[str, str]:
    """Merchant, date, time and total as printed; empty where this is no receipt, or a required field is not found."""
    values = read_fields((transcript,)).values if len(transcript.lines) >= MIN_LINES else {}
    if values.get("document_type") in {DocumentType.NOT_A_RECEIPT, DocumentType.CARD_SLIP} or not all(
        values.get(name) for name in required
    ):
        return {}
    return {name: values[name] for name in (*OWN_FIELDS, "transaction_time") if values.get(name)}


def _differ(one: SeparateReceipt, other: SeparateReceipt) -> bool:
    """Whether two parts are two receipts, and not one with its card slip or copy.

    They have another date, and another total or time; or another merchant, total and time.
    """

    def has_other(name: str) -> bool:
        return name in one.texts and name in other.texts and not agree(name, one.texts[name], other.texts[name])

    if has_other("transaction_date"):
        return has_other("total") or has_other("transaction_time")  # otherwise it may be one date, misread once
    return has_other("merchant_name") and has_other("total") and has_other("transaction_time")
