"""Features of the header's models: one row of named numbers for every segment."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from typing import Final

import numpy as np

from extractor.ocr.transcript import Box, Fragment, Line
from extractor.parsing.dates.months import fold
from extractor.readers.rules.merchant_names import clean_name, could_name, hosts_of
from extractor.readers.rules.segments import HeaderSegment, classes_of, is_place_alone, patterns, squash

# Classes of words, in the order of their features.
CLASSES: Final = (*patterns("rows"), "place", "postal", "region", "house", "amount", "date", "time")

# Classes of words that addresses consist of.
_ADDRESS_CLASSES = frozenset({"street", "postal", "place", "region", "house"})
# Classes of words that names do not contain.
_NO_NAME_CLASSES = frozenset({"title", "till", "greeting", "talk", "web", "date", "time", "phone", "amount"})
# Segments above and below within which a feature searches.
_REACH = 8
# Segments at the top in which a company names itself.
_TOP = 12
# Neighbours whose own features a segment has, too, by their distance.
_NEIGHBOURS: Final = {"above": -1, "below": 1, "second_below": 2}
# Words after which a name follows on the next row.
_LEADS_ON = re.compile(r"\b(?:to|at|at the|to the|visiting|bei|im|a)\W*$")
# The number of a shop of a chain.
_STORE_NUMBER = re.compile(r"\b(?:store|shop|branch|filiale|fil|unit|outlet|cafe)\b.{0,4}\d|#\s?\d{2,}")
# A postal code beside a town or a state, also with misread letters and spaces.
_CODE = re.compile(
    r"[A-Za-z]{3,}\W{0,3}[A-Z][A-Z1I]\W{0,3}[\dOIlSBZ]{4,5}\b|\b[\dOIlSBZ]{5}\s?[A-Z][A-Za-z]{3}|\b[A-Z]{1,2}\d{1,2}[A-Z]? ?\d[A-Z]{2}\b"
)
# A word of streets, also misread.
_NEAR_STREET = re.compile(
    r"\b(?:[as][uvy]e(?:nu?e?)?|str[eca]{1,3}t|r[o0c][ao]d|dr[il1]ve|[bh][l1i]vd|b[o0]u[l1i]evard|h[il1]ghway|parkway|p[l1i]aza|squar[ec]"
    r"|j[a4][l1i]an|j[l1i]n|taman|bandar|stra[sb8ß]{1,2}e|(?:\w{3,}(?:str|straat|gatan|gade|gasse|weg|platz|allee|utca|tie)))\b"
)
# The legal form of Malaysia, the country of the labelled scans of the training data.
_MALAYSIAN = re.compile(r"\bsdn\b|\bbhd\b")
# A word that is compared with those of other segments.
_LONG_WORD = re.compile(r"[^\W\d_]{4,}")


def segment_features(segments: Sequence[HeaderSegment]) -> np.ndarray:
    """Return the features of all segments, shape (segments, features), columns as `feature_names`.

    A segment has its own features, its position in the receipt, and the own features of its neighbours (-1 where there is none).
    """
    if not segments:
        return np.zeros((0, len(feature_names())))
    own = np.array([list(each.values()) for each in _own_features(segments)])
    position = np.array([list(each.values()) for each in _position_features(segments)])
    empty = np.full((2, own.shape[1]), -1.0)
    padded = np.vstack([empty, own, empty])
    neighbours = [padded[2 + step : 2 + step + len(segments)] for step in _NEIGHBOURS.values()]
    return np.hstack([own, position, *neighbours])


@cache
def feature_names() -> tuple[str, ...]:
    """Return the names of the columns of `segment_features`."""
    box = Box(0, 0, 1, 1)
    example = [HeaderSegment(Line((Fragment("x", box, 1.0),)), 0, 1, page=0, index=0, row_index=0, box=box)]
    [own], [position] = _own_features(example), _position_features(example)
    return (*own, *position, *(f"{where}_{name}" for where in _NEIGHBOURS for name in own))


def _own_features(segments: Sequence[HeaderSegment]) -> list[dict[str, float]]:
    """Return the features of the words, characters, OCR confidence and box of each segment."""
    return [
        _class_features(segment.text)
        | {"is_print": float(segment.is_print)}
        | _share_features(segment.text)
        | {"confidence": segment.line.confidence}
        | _word_features(segment.text)
        | _number_features(segment.text)
        | shape
        for segment, shape in zip(segments, _shape_features(segments), strict=True)
    ]


# Features of text are cached, since most segments are the same in every reading of a receipt.
@lru_cache(maxsize=4096)
def _class_features(printed: str) -> dict[str, float]:
    classes = classes_of(printed)
    return {f"class_{name}": float(name in classes) for name in CLASSES}


@lru_cache(maxsize=4096)
def _share_features(printed: str) -> dict[str, float]:
    """Return which characters the name in a text consists of."""
    text = clean_name(printed) or printed
    length = max(1, len(text.replace(" ", "")))
    digits = sum(character.isdigit() for character in text)
    letters = sum(character.isalpha() for character in text)
    return {
        "log_letters": np.log1p(letters),
        "digit_share": digits / length,
        "capital_share": sum(character.isupper() for character in text) / max(1, letters),
        "mark_share": 1 - (letters + digits) / length,
        "words": float(len(text.split())),
    }


@lru_cache(maxsize=4096)
def _word_features(printed: str) -> dict[str, float]:
    text, folded, squashed = clean_name(printed) or printed, fold(printed), squash(printed)
    return {
        "ideograph_share": sum(character > "\u2e80" for character in text) / max(1, len(text.replace(" ", ""))),
        "is_malaysian_company": float(bool(_MALAYSIAN.search(folded))),
        "could_name": float(could_name(folded)),
        "distinct_share": len(set(squashed)) / max(1, min(20, len(squashed))),
        "leads_on": float(bool(_LEADS_ON.search(folded))),
        "has_store_number": float(bool(_STORE_NUMBER.search(folded))),
        "cleaned_share": 1 - len(text) / len(printed),
        "is_place_alone": float(is_place_alone(folded)),
    }


@lru_cache(maxsize=4096)
def _number_features(printed: str) -> dict[str, float]:
    """Return how numbers stand in a text; they distinguish streets and towns from other rows even where words are misread."""
    folded = fold(printed)
    tokens = folded.split() or [""]
    runs = [len(run) for run in re.findall(r"[\doil]*\d[\doil]*", folded)]
    return {
        "starts_with_digit": float(tokens[0][:1].isdigit()),
        "ends_with_digit": float(tokens[-1][-1:].isdigit()),
        "longest_number": float(max(runs, default=0)),
        "numbers": float(len(runs)),
        "postal_numbers": float(sum(run in {4, 5, 6} for run in runs)),
        "has_code": float(bool(_CODE.search(printed))),
        "has_street_word": float(bool(_NEAR_STREET.search(folded))),
        "commas": float(printed.count(",")),
        "ends_with_comma": float(printed.rstrip()[-1:] in {",", "，"}),
    }


def _shape_features(segments: Sequence[HeaderSegment]) -> list[dict[str, float]]:
    """Return sizes and positions of the boxes, relative to the print of the page."""
    boxes = np.array([segment.box for segment in segments])
    heights, widths = boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0]
    printed = np.array([segment.is_print for segment in segments])
    usual = float(np.median(heights[printed])) if printed.any() else float(np.median(heights))
    usual = max(usual, 1.0)
    left, right = float(boxes[:, 0].min()), float(boxes[:, 2].max())
    width = max(right - left, 1.0)
    largest = max([float(heights[index]) for index, segment in enumerate(segments) if segment.is_print][:15], default=usual)
    largest = max(largest, 1.0)
    columns = {
        "height": np.clip(heights / usual, 0, 5),
        "height_to_largest": np.clip(heights / largest, 0, 3),
        "width": widths / width,
        "centre_offset": np.abs((boxes[:, 0] + boxes[:, 2]) / 2 - (left + right) / 2) / width,
        "left_offset": (boxes[:, 0] - left) / width,
        "character_width": widths / np.maximum(1, [len(segment.text) for segment in segments]) / usual,
    }
    return [dict(zip(columns, map(float, values), strict=True)) for values in zip(*columns.values(), strict=True)]


def _position_features(segments: Sequence[HeaderSegment]) -> list[dict[str, float]]:
    """Return where each segment stands among the others, and which kinds of segments stand near it."""
    count = len(segments)
    last_row = max(1, segments[-1].row_index)
    first_amount = next((index for index, segment in enumerate(segments) if "amount" in segment.classes), count)
    classes = [segment.classes for segment in segments]
    is_address = [bool(each & _ADDRESS_CLASSES) and not each & {"amount", "date"} for each in classes]
    words = Counter(word for segment in segments for word in set(_LONG_WORD.findall(segment.folded)))
    hosts = {host.replace("-", "") for segment in segments for host in hosts_of(segment.folded)}
    texts = Counter(segment.squashed for segment in segments)
    letters = max(1, sum(segment.letters for segment in segments))
    whole = {
        "has_company": float(any("legal" in each for each in classes[:_TOP])),
        "has_malaysian_company": float(any(_MALAYSIAN.search(segment.folded) for segment in segments)),
        "ideographs": sum(character > "\u2e80" for segment in segments for character in segment.text) / letters,
    }
    names = prints = 0
    found: list[dict[str, float]] = []
    for index, segment in enumerate(segments):
        own_words = set(_LONG_WORD.findall(segment.folded))
        found.append(
            {
                "log_index": np.log1p(index),
                "log_prints_above": np.log1p(prints),
                "log_names_above": np.log1p(names),
                "row": segment.row_index / last_row,
                "log_segments_left": np.log1p(count - index),
                "is_above_amounts": float(index < first_amount),
                "to_first_amount": float(np.clip(first_amount - index, -_REACH, 3 * _REACH)),
                "to_address_below": _distance(range(index + 1, count), lambda other: is_address[other]),
                "to_phone_below": _distance(range(index + 1, count), lambda other: "phone" in classes[other]),
                "to_registration_below": _distance(range(index + 1, count), lambda other: "registration" in classes[other]),
                "to_company_below": _distance(range(index + 1, count), lambda other: "legal" in classes[other]),
                "to_title_below": _distance(range(index + 1, count), lambda other: "title" in classes[other]),
                "to_address_above": _distance(range(index - 1, -1, -1), lambda other: is_address[other]),
                "to_company_above": _distance(range(index - 1, -1, -1), lambda other: "legal" in classes[other]),
                "to_title_above": _distance(range(index - 1, -1, -1), lambda other: "title" in classes[other]),
                "to_number_above": _distance(range(index - 1, -1, -1), lambda other: bool(classes[other] & {"phone", "registration"})),
                "repeated_words": sum(words[word] > 1 for word in own_words) / max(1, len(own_words)),
                "is_repeated": float(texts[segment.squashed] > 1 and len(segment.squashed) > 4),
                "is_in_host": float(any(_is_alike(host, segment.squashed) for host in hosts)),
            }
            | whole
            | _gap_features(segments, index)
        )
        prints += segment.is_print
        names += segment.is_print and not segment.classes & _NO_NAME_CLASSES and segment.letters > segment.digits
    return found


def _distance(indices: Iterable[int], is_wanted: Callable[[int], bool]) -> float:
    """Return how many segments away the first wanted one stands; `_REACH` where it is not near."""
    near = zip(range(1, _REACH), indices, strict=False)
    return float(next((step for step, index in near if is_wanted(index)), _REACH))


def _is_alike(host: str, squashed: str) -> bool:
    return len(squashed) >= 4 and (host in squashed or squashed in host)


def _gap_features(segments: Sequence[HeaderSegment], index: int) -> dict[str, float]:
    """Return the space above and below, in heights of the segment, at most 3."""
    box = segments[index].box
    height = max(1.0, box.height)
    above = box.top - segments[index - 1].box.bottom if index else 3 * height
    below = segments[index + 1].box.top - box.bottom if index + 1 < len(segments) else 3 * height
    return {"gap_above": float(np.clip(above / height, -1, 3)), "gap_below": float(np.clip(below / height, -1, 3))}
