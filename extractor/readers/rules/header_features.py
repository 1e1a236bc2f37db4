"""What the header's models look at: one row of numbers for every piece of print."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from extractor.parsing.dates.months import fold
from extractor.readers.rules.merchant_names import clean_name, could_name, hosts_of
from extractor.readers.rules.segments import HeaderSegment, classes_of, is_place_alone, patterns, squash

# Classes of words, in the order of their features.
KINDS: Final = (*patterns("rows"), "place", "postal", "region", "house", "amount", "date", "time")

_ADDRESS = frozenset({"street", "postal", "place", "region", "house"})
_NO_NAME = frozenset({"title", "till", "greeting", "talk", "web", "date", "time", "phone", "amount"})
_FAR = 8
_OWN, _SHAPE, _PLACE = len(KINDS) + 24, 6, 24
# How many numbers a piece has.
WIDTH: Final = 4 * (_OWN + _SHAPE) + _PLACE
# Where among what a text says stand whether it is print, and how surely it was read.
_PRINT, _SURE = len(KINDS), len(KINDS) + 5
_LEADS_ON = re.compile(r"\b(?:to|at|at the|to the|visiting|bei|im|a)\W*$")
_STORE_NUMBER = re.compile(r"\b(?:store|shop|branch|filiale|fil|unit|outlet|cafe)\b.{0,4}\d|#\s?\d{2,}")
# A code beside a town or a state, also with its letters and spaces misread.
_CODE = re.compile(
    r"[A-Za-z]{3,}\W{0,3}[A-Z][A-Z1I]\W{0,3}[\dOIlSBZ]{4,5}\b|\b[\dOIlSBZ]{5}\s?[A-Z][A-Za-z]{3}|\b[A-Z]{1,2}\d{1,2}[A-Z]? ?\d[A-Z]{2}\b"
)
_NEAR_STREET = re.compile(
    r"\b(?:[as][uvy]e(?:nu?e?)?|str[eca]{1,3}t|r[o0c][ao]d|dr[il1]ve|[bh][l1i]vd|b[o0]u[l1i]evard|h[il1]ghway|parkway|p[l1i]aza|squar[ec]"
    r"|j[a4][l1i]an|j[l1i]n|taman|bandar|stra[sb8ß]{1,2}e|(?:\w{3,}(?:str|straat|gatan|gade|gasse|weg|platz|allee|utca|tie)))\b"
)
_MALAYSIAN = re.compile(r"\bsdn\b|\bbhd\b")


def segment_features(segments: Sequence[HeaderSegment]) -> np.ndarray:
    """The pieces' features, shape (pieces, `WIDTH`), in their order.

    A piece has its own numbers, its place in the receipt, and the own numbers of the piece above and the two below.
    """
    if not segments:
        return np.zeros((0, WIDTH))
    own = np.array([_own(segment) for segment in segments])
    own = np.hstack([own, _shape(segments)])
    empty = np.full((2, own.shape[1]), -1.0)
    padded = np.vstack([empty, own, empty])
    count = len(segments)
    neighbours = [padded[2 + step : 2 + step + count] for step in (-1, 1, 2)]
    return np.hstack([own, _place(segments), *neighbours])


def _own(segment: HeaderSegment) -> list[float]:
    """What its words and characters say, whether it is print, and how surely it was read."""
    said = _said(segment.text)
    return [*said[:_PRINT], float(segment.is_print), *said[_PRINT:_SURE], segment.line.confidence, *said[_SURE:]]


@lru_cache(maxsize=4096)
def _said(printed: str) -> tuple[float, ...]:
    """What the words and characters of a piece say; kept, since most pieces are the same at every look at a receipt."""
    text, folded, classes, squashed = clean_name(printed) or printed, fold(printed), classes_of(printed), squash(printed)
    length = max(1, len(text.replace(" ", "")))
    digits = sum(character.isdigit() for character in text)
    letters = sum(character.isalpha() for character in text)
    return (
        *(float(kind in classes) for kind in KINDS),
        np.log1p(letters),
        digits / length,
        sum(character.isupper() for character in text) / max(1, letters),
        1 - (letters + digits) / length,
        float(len(text.split())),
        sum(character > "\u2e80" for character in text) / length,
        float(bool(_MALAYSIAN.search(folded))),
        float(could_name(folded)),
        len(set(squashed)) / max(1, min(20, len(squashed))),
        float(bool(_LEADS_ON.search(folded))),
        float(bool(_STORE_NUMBER.search(folded))),
        1 - len(text) / len(printed),
        float(is_place_alone(folded)),
        *_figures(printed, folded),
    )


def _figures(printed: str, folded: str) -> tuple[float, ...]:
    """How numbers stand in it, which tells streets and towns from other rows also where their words are misread."""
    tokens = folded.split() or [""]
    runs = [len(run) for run in re.findall(r"[\doil]*\d[\doil]*", folded)]
    return (
        float(tokens[0][:1].isdigit()),
        float(tokens[-1][-1:].isdigit()),
        float(max(runs, default=0)),
        float(len(runs)),
        float(sum(run in {4, 5, 6} for run in runs)),
        float(bool(_CODE.search(printed))),
        float(bool(_NEAR_STREET.search(folded))),
        float(printed.count(",")),
        float(printed.rstrip()[-1:] in {",", "，"}),
    )


def _shape(segments: Sequence[HeaderSegment]) -> np.ndarray:
    """Sizes and places of the boxes, relative to the page's print."""
    boxes = np.array([segment.box for segment in segments])
    heights = boxes[:, 3] - boxes[:, 1]
    printed = np.array([segment.is_print for segment in segments])
    usual = float(np.median(heights[printed])) if printed.any() else float(np.median(heights))
    usual = max(usual, 1.0)
    left, right = float(boxes[:, 0].min()), float(boxes[:, 2].max())
    width = max(right - left, 1.0)
    largest = max([float(heights[index]) for index, segment in enumerate(segments) if segment.is_print][:15], default=usual)
    return np.column_stack(
        [
            np.clip(heights / usual, 0, 5),
            np.clip(heights / largest, 0, 3),
            (boxes[:, 2] - boxes[:, 0]) / width,
            np.abs((boxes[:, 0] + boxes[:, 2]) / 2 - (left + right) / 2) / width,
            (boxes[:, 0] - left) / width,
            (boxes[:, 2] - boxes[:, 0]) / np.maximum(1, [len(segment.text) for segment in segments]) / usual,
        ]
    )


def _place(segments: Sequence[HeaderSegment]) -> np.ndarray:
    """Where each piece stands among the others, and what comes before and after."""
    count = len(segments)
    last_row = max(1, segments[-1].row_index)
    is_address = [bool(segment.classes & _ADDRESS) and not segment.classes & {"amount", "date"} for segment in segments]
    is_name = [segment.is_print and not segment.classes & _NO_NAME and segment.letters > segment.digits for segment in segments]
    first_amount = next((index for index, segment in enumerate(segments) if "amount" in segment.classes), count)
    words = Counter(word for segment in segments for word in {*re.findall(r"[^\W\d_]{4,}", segment.folded)})
    hosts = {host.replace("-", "") for segment in segments for host in hosts_of(segment.folded)}
    texts = Counter(segment.squashed for segment in segments)
    has_legal = [
        float(any("legal" in segment.classes for segment in segments[:12])),
        float(any(_MALAYSIAN.search(segment.folded) for segment in segments)),
    ]
    letters = max(1, sum(segment.letters for segment in segments))
    unspaced = sum(character > "\u2e80" for segment in segments for character in segment.text) / letters
    names = prints = 0
    found = []
    for index, segment in enumerate(segments):
        own_words = set(re.findall(r"[^\W\d_]{4,}", segment.folded))
        found.append(
            [
                np.log1p(index),
                np.log1p(prints),
                np.log1p(names),
                segment.row_index / last_row,
                np.log1p(count - index),
                float(index < first_amount),
                float(np.clip(first_amount - index, -_FAR, 3 * _FAR)),
                _ahead(segments, index, lambda other: is_address[other.index - segments[0].index]),
                _ahead(segments, index, lambda other: "phone" in other.classes),
                _ahead(segments, index, lambda other: "registration" in other.classes),
                _ahead(segments, index, lambda other: "legal" in other.classes),
                _ahead(segments, index, lambda other: "title" in other.classes),
                _behind(segments, index, lambda other: is_address[other.index - segments[0].index]),
                _behind(segments, index, lambda other: "legal" in other.classes),
                _behind(segments, index, lambda other: "title" in other.classes),
                _behind(segments, index, lambda other: "phone" in other.classes or "registration" in other.classes),
                sum(words[word] > 1 for word in own_words) / max(1, len(own_words)),
                float(texts[segment.squashed] > 1 and len(segment.squashed) > 4),
                float(any(_alike(host, segment.squashed) for host in hosts)),
                *has_legal,
                unspaced,
                *_gaps(segments, index),
            ]
        )
        prints += segment.is_print
        names += is_name[index]
    return np.array(found)


def _ahead(segments: Sequence[HeaderSegment], index: int, is_wanted: Callable[[HeaderSegment], bool]) -> float:
    """How many pieces below the next wanted one stands; `_FAR` where it is not near."""
    return float(next((step for step in range(1, _FAR) if index + step < len(segments) and is_wanted(segments[index + step])), _FAR))


def _behind(segments: Sequence[HeaderSegment], index: int, is_wanted: Callable[[HeaderSegment], bool]) -> float:
    return float(next((step for step in range(1, _FAR) if index - step >= 0 and is_wanted(segments[index - step])), _FAR))


def _alike(host: str, squashed: str) -> bool:
    return len(squashed) >= 4 and (host in squashed or squashed in host)


def _gaps(segments: Sequence[HeaderSegment], index: int) -> tuple[float, float]:
    """Space above and below, in heights of the piece, within 3."""
    box = segments[index].box
    height = max(1.0, box.height)
    above = box.top - segments[index - 1].box.bottom if index else 3 * height
    below = segments[index + 1].box.top - box.bottom if index + 1 < len(segments) else 3 * height
    return float(np.clip(above / height, -1, 3)), float(np.clip(below / height, -1, 3))
