"""The merchant's address: the segments that two trained models string together, without what is printed beside them."""

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

import numpy as np

from extractor.ocr.transcript import Box, Fragment, Line
from extractor.parsing.dates.months import fold
from extractor.parsing.vocabulary import telephone, trades
from extractor.readers.rules.chains import find_brand
from extractor.readers.rules.header_features import feature_names
from extractor.readers.rules.models import trees
from extractor.readers.rules.segments import HeaderSegment, is_candidate, mend_words

WEIGHTS: Final = "header.json"
# Probability from which a segment is tried as the first of an address, the number tried, and the most segments of an address.
_START_LIKELY, _MAX_STARTS, _MAX_LENGTH = 0.02, 8, 8
# Probability from which an address may begin with the segment that names the merchant.
_START_AT_NAME = 0.6
# Probability below which no address is returned.
_MIN_CONFIDENCE = 0.05
# Probability from which an address that already has a town continues to a second one, and so began too early.
_SECOND_TOWN = 0.5
# Probability of being a part from which an address begins there although no start was found, and the discount for that.
_PART_SURE, _WITHOUT_START = 0.5, 0.4
# Probability of being a part from which a segment may be a street or a code that an address lacks.
_PART_POSSIBLE = 0.02
# Probability of being a part below which a segment between two others is a stray mark, and from which the one beyond it is a part.
_PART_STRAY, _PART_CERTAIN = 0.05, 0.7
# Of two addresses the one nearer to the merchant's name counts: the factor for each segment between them.
_DISTANCE_DISCOUNT = 0.95
# Digits of a segment of an address at most, segments skipped between two of its parts, and neighbours whose probability is a feature.
_MAX_DIGITS, _MAX_SKIPPED, _REACH = 16, 2, 3
# A postal code alone.
_CODE = re.compile(r"^\W*(?:\d{1,6}|\d{5}\W\d{4}|\d{2,3}\W\d{2,3})\W*$")
# The number and first name of the person who served.
_SERVER = re.compile(r"^\W*\d{1,8} [^\W\d_]{2,}\W*$")
# The number of a table or a check.
_TABLE = re.compile(r"^\W*(?:tb[l1]|tab[l1]e|chk|check)\b|\bgst \d{1,2}$|^\d{1,4}/\d{1,2}$")
# Segments below a server's name within which the table or the check is printed.
_TABLE_REACH = 2
# Classes of words that addresses consist of.
_ADDRESS_CLASSES = frozenset({"street", "postal", "place", "region", "house"})
# Labels and numbers that no address contains.
_NO_ADDRESS = re.compile(
    r"\b(?:manager|cashier|server|waiter|operator|inv(?:oice|olce)?\.? ?no|order no|bill no|terminal ?(?:id|no\b|[:#])|table ?(?:no|\W))"
    r"|\b(?:shipping|payment) method|\bcustomer (?:name|code|no|copy)"
    r"|^\W*(?:store|cafe|branch|filiale|outlet) ?(?:number|no|nr|#)?\W{0,3}\d+\W*$|^\w+\W{1,3}\d{3}-\d{4}\b"
    r"|^\W*(?:магазин|обект|филиал|філія|продавница|пословница|poslovnica|(?:υπο)?καταστημα|สาขา(?:ที่)?) ?№?\W{0,3}\d+\W*$"
    r"|\d ?kg\b|\beur\b|[€$£]|\b(?:vat|gst|sst|abn|tin|nip)\w{0,3}\b.*\d{3}|\(#\d|^\W*outlet\W|: ?1[38]00\b"
)
# Opening hours.
_HOURS = re.compile(
    r"\d{1,2}[:.h]\d{2}\W{0,3}(?:uhr|h|am|pm)?\s?(?:[-–—~]|to|bis|a)\s?\d{1,2}[:.h]\d{2}|\bopening hours|offnungszeit|geoffnet"
)
# A label with a colon.
_LABEL = re.compile(r"^\W*[^\W\d_]{3,}(?: [^\W\d_]{2,}){0,2} ?[:：]")
# Telephone and tax numbers, mail and web addresses behind an address.
_TAIL = re.compile(
    r"[\s,;.|/(-]*\(?\b(?:(?:t[e3]?[l1](?:efon|ephone|no)?|ph(?:one)?|fax|fon|h/?p|mob(?:ile|il)?|hotline|contact|gst|sst|vat|reg|tin|nip|www|e-?mail"
    r"|nif|cif|st\.?nr|steuer-?(?:nr|nummer|id)\w*)\b|тел\b|моб\b|факс|инн\b|еик\b|пиб\b|едб\b|τηλ|φαξ|αφμ\b|โทร)\s?(?:no\b)?[\s.:：#()+]*\(?\+?\s?"
    r"(?:[\dw@(]|[a-z]\W?\d{7}|[a-z]{2}\W?\d{3}).*$"
    r"|[\s,;.|/(-]*\b(?:ust|mwst|umsatzsteuer|tax|tva|vat)[-. ]{0,2}id\w{0,2}\b.*$|(?:^|[\s,;|/]+)[\w.-]+@\w.*$",
    re.IGNORECASE,
)
# A telephone number without a label behind an address.
_PHONE = re.compile(rf"[\s,;.|/]*(?:{'|'.join(telephone('behind_address'))})\W*$")
# A date behind an address.
_DAY = re.compile(
    r"[\s,]+(?:(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? \d{1,2},? \d{4}|\d{1,2}[/.]\d{1,2}[/.](?:\d{2}|\d{4}))\b.*$",
    re.IGNORECASE,
)
# A label of addresses.
_HEAD = re.compile(
    r"^\W*(?:add(?:ress)?|adresse|alamat|adresa|адреса?|διευθυνση|διεύθυνση|ที่อยู่|地址|店铺地址|hq add|h\.q\.?)\s?[:：.]\s*", re.IGNORECASE
)
# Marks around an address that do not belong to it.
_EDGE = re.compile(r"^[\s,;:.*_=~|-]+|[\s,;:*_=~|-]+$")
# Misreadings of words and codes in small print and dot matrices: U for V, letters for bars, and 0 for the O of a town behind its code.
_SLIPS = (
    (re.compile(r"\bA[UV]E(NUE)?\b"), r"AVE\1"),
    (re.compile(r"\bBOULEUARD\b"), "BOULEVARD"),
    (re.compile(r"\bB[LI1][UV]D\b"), "BLVD"),
    (re.compile(r"\b(\d{5})0(?=[a-zäöüß]{3})"), r"\1 O"),
    (re.compile(r"(?<=\d) [Il|] (?=\d{5} )"), ", "),
)
# Segments before a street that may be names, letters from which a segment above a town may be its street, and telephone numbers between a
# street and its town.
_MAX_NAMES, _STREET_LETTERS, _MAX_PHONES = 2, 3, 2
# Letters from which a repeated segment is left out, and the similarity of the two.
_LONG_NAME, _SAME = 8, 0.8
# A postal code with its town. Five digits in a row that begins with LOT or NO are a plot.
_TOWN = re.compile(r"\b(?:\d{5},? [^\W\d_]{3}|\d{2}-\d{3} [^\W\d_]|\d{4} [a-z]{2} [a-z]{3}|\d{3} \d{2} [^\W\d_]{3})")
# The number of a plot or unit rather than a postal code.
_PLOT = re.compile(r"^\W*(?:lot|no|unit|blk|pt|p\.t|ptd)\b")
# Codes of Canada and Britain, and those of the United States beside their state.
_LETTERED = re.compile(r"\b(?:[a-z]\d[a-z] ?\d[a-z]\d|[a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2}|[a-z]{2} \d{5}(?:-\d{4})?\W*$)(?!\w)")
# A code at the end of a row, misread or not.
_COARSE_CODE = re.compile(r"\b[\doil]{5}\W*$")
# A code of five digits alone.
_FIVE_DIGITS = re.compile(r"^\W*\d{5}(?:-\d{4})?\W*$")
# A Greek postal code with its label.
_GREEK_CODE = re.compile(r"^\W*τ\W{0,2}κ\W{0,3}\d{3} ?\d{2}\W*$")
# A word that identifies a merchant's name.
_WORD = re.compile(r"[^\W\d_]{4,}")
# The beginning of a street with its number.
_STREET_NEXT = re.compile(r"\s*(?:[^\W\d_][^\d,]{2,} \d{1,4}\b|\d{1,4} [^\W\d_]{3})")
# A house number at the beginning.
_HOUSE = re.compile(r"\d{1,4}\b")
_NUMBERED = re.compile(r"#\s?\d{3,}\W*$")
# A trade in the name of a shop above its street.
_TRADE = re.compile(rf"\b(?:{'|'.join(trades('suffixes'))}|gas|gasoline)\b")


@dataclass(frozen=True)
class Address:
    """The segments of the address in print order, its text on one line, and the probability that it is complete and nothing else."""

    segments: tuple[HeaderSegment, ...]
    text: str
    confidence: float


def find_address(
    segments: Sequence[HeaderSegment], matrix: np.ndarray, chances: np.ndarray, merchant: Sequence[HeaderSegment]
) -> Address | None:
    """Return the merchant's address; `None` where none is printed.

    One model gives the probability that an address begins with a segment, another one that it continues with the next. The likeliest run
    wins.

    Args:
        segments: All segments of the receipt.
        matrix: Their `address_features`.
        chances: Their `start_chances`.
        merchant: The segments that name the merchant; of two addresses the one nearer to them counts.
    """
    usable, named = usable_segments(segments), {segment.index for segment in merchant}
    starts = [index for index in usable if chances[index] >= (_START_AT_NAME if index in named else _START_LIKELY)]
    starts = sorted(starts, key=lambda index: -chances[index])[:_MAX_STARTS]
    runs: list[tuple[float, float, tuple[int, ...]]] = []
    for index in starts:
        # No run is likelier than its beginning.
        if runs and chances[index] < max(runs)[0]:
            break
        chance, run = _longest_run(index, float(chances[index]), usable, segments, matrix)
        if chance >= _MIN_CONFIDENCE:
            runs.append((chance * _DISTANCE_DISCOUNT ** _distance(run, merchant), chance, run))
    if not runs:
        surest = max(usable, key=lambda index: _inside(matrix, index), default=None)
        if surest is None or surest in named or _inside(matrix, surest) < _PART_SURE:
            return None
        runs = [(0.0, *_longest_run(surest, _inside(matrix, surest) * _WITHOUT_START, usable, segments, matrix))]
    _, chance, best = max(runs)
    best = _completed(best, [index for index in usable if _inside(matrix, index) >= _PART_POSSIBLE], segments, named)
    text = ", ".join(clean_segment(segments[index].text) for index in best)
    return Address(tuple(segments[index] for index in best), _without_leading_name(text, merchant), chance)


def _longest_run(
    start: int, chance: float, usable: Sequence[int], segments: Sequence[HeaderSegment], matrix: np.ndarray
) -> tuple[float, tuple[int, ...]]:
    """Return the likeliest run of segments that begins there, and its probability, from that of its first segment."""
    run: tuple[int, ...] = (start,)
    best = (0.0, run)
    while len(run) < _MAX_LENGTH:
        following = _past_strays(run, usable, segments, matrix)
        if following is None:
            break
        goes_on = float(trees(WEIGHTS, "address_next").probabilities(step_features(run, following, segments, matrix)[None])[0])
        if goes_on > _SECOND_TOWN and len(run) > 1 and _is_town_alone(segments[start]) and "region" in segments[following].classes:
            run = run[1:]
        best = max(best, (chance * (1 - goes_on), run))
        chance, run = chance * goes_on, (*run, following)
        if chance < best[0]:
            return best
    return max(best, (chance, run))


def _past_strays(run: Sequence[int], usable: Sequence[int], segments: Sequence[HeaderSegment], matrix: np.ndarray) -> int | None:
    """Return the segment that may continue a run; where it is hardly part of an address, the one after it if that certainly is."""
    following = next_segment(run, usable)
    if following is None:
        return None
    beyond = next_segment(run, [index for index in usable if index > following])
    if beyond is None:
        return following
    is_stray = _inside(matrix, following) < _PART_STRAY and _inside(matrix, beyond) >= _PART_CERTAIN
    return beyond if is_stray or _continues_column(segments[run[-1]], segments[beyond], segments[following]) else following


def next_segment(run: Sequence[int], usable: Sequence[int]) -> int | None:
    """Return the next segment that may continue a run; `None` where more than `_MAX_SKIPPED` others stand between."""
    following = next((index for index in usable if index > run[-1]), None)
    return following if following is not None and following - run[-1] <= 1 + _MAX_SKIPPED else None


def _continues_column(last: HeaderSegment, beyond: HeaderSegment, following: HeaderSegment) -> bool:
    """Return whether the second of two segments of a row has a postal code and stands below the last one, and the first has none."""
    if beyond.row_index != following.row_index or "postal" not in beyond.classes or following.digits or "place" in following.classes:
        return False
    return _shared_width(last.box, beyond.box) > max(0.0, _shared_width(last.box, following.box))


def _shared_width(one: Box, other: Box) -> float:
    """Return the width that two boxes share; negative where there is a gap."""
    return min(one.right, other.right) - max(one.left, other.left)


def _is_town_alone(segment: HeaderSegment) -> bool:
    """Return whether a segment is a town with its state and nothing else, as branches are named."""
    return "region" in segment.classes and not segment.classes & {"street", "house"}


def _distance(run: Sequence[int], merchant: Sequence[HeaderSegment]) -> int:
    return min((abs(index - segment.index) for index in run for segment in merchant), default=0)


def _inside(matrix: np.ndarray, index: int) -> float:
    """Return the probability that a segment is part of an address; `matrix` holds `address_features`."""
    return float(matrix[index, -_REACH - 1])


def part_chances(segments: Sequence[HeaderSegment], matrix: np.ndarray) -> np.ndarray:
    """Return the probability of each segment to be part of an address; `matrix` holds their `segment_features`."""
    return _chances("address", segments, matrix)


def start_chances(segments: Sequence[HeaderSegment], matrix_with_parts: np.ndarray) -> np.ndarray:
    """Return the probability of each segment that an address begins with it; `matrix_with_parts` holds their `address_features`."""
    return _chances("address_start", segments, matrix_with_parts)


def _chances(model: str, segments: Sequence[HeaderSegment], matrix_with_parts: np.ndarray) -> np.ndarray:
    chances = np.zeros(len(segments))
    usable = usable_segments(segments)
    if usable:
        chances[usable] = trees(WEIGHTS, model).probabilities(matrix_with_parts[usable])
    return chances


def address_features(matrix: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the features of the models of an address's first segment and its continuation.

    These are the segments' own features and the probabilities that each and its neighbours are a part.

    Args:
        matrix: From `header_features.segment_features`.
        inside: From `part_chances`.
    """
    count = len(inside)
    padded = np.concatenate([np.zeros(_REACH), inside, np.zeros(_REACH)])
    return np.column_stack([matrix, *(padded[_REACH + step : _REACH + step + count] for step in range(-_REACH, _REACH + 1))])


def address_feature_names() -> tuple[str, ...]:
    """Return the names of the columns of `address_features`."""
    return (*feature_names(), *(f"inside_{step:+d}" for step in range(-_REACH, _REACH + 1)))


def step_feature_names() -> tuple[str, ...]:
    """Return the names of the elements of `step_features`."""
    box = Box(0, 0, 1, 1)
    example = HeaderSegment(Line((Fragment("x", box, 1.0),)), 0, 1, page=0, index=0, row_index=0, box=box)
    return (*address_feature_names(), *_step_features([example], example, example, []))


def step_features(run: Sequence[int], following: int, segments: Sequence[HeaderSegment], matrix: np.ndarray) -> np.ndarray:
    """Return the features of a continuation: those of the next segment, those of the run so far, and how the two stand together."""
    last, candidate = segments[run[-1]], segments[following]
    own, skipped = [segments[index] for index in run], segments[run[-1] + 1 : following]
    return np.concatenate([matrix[following], list(_step_features(own, last, candidate, skipped).values())])


def _step_features(
    run: Sequence[HeaderSegment], last: HeaderSegment, candidate: HeaderSegment, skipped: Sequence[HeaderSegment]
) -> dict[str, float]:
    height = max(1.0, last.box.height)
    return {
        "run_length": float(len(run)),
        "run_has_town": float(any(_names_town(segment) for segment in run)),
        "run_has_street": float(any("street" in segment.classes for segment in run)),
        "run_has_house": float(any("house" in segment.classes for segment in run)),
        "run_has_digits": float(any(segment.digits for segment in run)),
        "skipped": float(len(skipped)),
        "skipped_has_text": float(any(segment.letters + segment.digits >= 3 for segment in skipped)),
        "gap": float(np.clip((candidate.box.top - last.box.bottom) / height, -2, 4)),
        "left_shift": float(np.clip((candidate.box.left - last.box.left) / height, -9, 9)),
        "centre_shift": float(np.clip((candidate.box.left + candidate.box.right - last.box.left - last.box.right) / 2 / height, -9, 9)),
        "height_ratio": float(candidate.box.height / height),
        "is_on_same_row": float(candidate.row_index == last.row_index),
        "run_repeats_it": float(any(candidate.squashed == segment.squashed for segment in run)),
    }


def usable_segments(segments: Sequence[HeaderSegment]) -> list[int]:
    """Return the indices of segments that can be part of an address."""
    possible = (index for index in range(len(segments)) if is_candidate(index, len(segments)) and _is_possible(segments[index]))
    return [index for index in possible if not _names_server(segments, index)]


def _is_possible(segment: HeaderSegment) -> bool:
    """Return whether a segment can be part of an address: no web address, register or shop number, company, time, or label of the till."""
    is_when = {"date", "time"} <= segment.classes or (
        bool(segment.classes & {"date", "time"}) and not segment.classes & {"street", "house"} and "postal" not in segment.classes
    )
    if (
        not clean_segment(segment.text)
        or segment.digits > _MAX_DIGITS
        or "amount" in segment.classes
        or is_when
        or _NO_ADDRESS.search(segment.folded)
    ):
        return False
    if "legal" in segment.classes and not segment.classes & {"street", "house", "postal"}:
        return False
    if _HOURS.search(segment.folded) and not segment.classes & {"postal", "region"}:
        return False
    if not segment.letters and not _CODE.search(segment.folded):
        return False
    if _LABEL.search(segment.folded) and not _HEAD.search(segment.text) and not segment.classes & _ADDRESS_CLASSES:
        return False
    return bool(segment.classes & _ADDRESS_CLASSES) or not segment.classes & {"web", "registration", "title", "phone", "greeting"}


def _names_server(segments: Sequence[HeaderSegment], index: int) -> bool:
    """Return whether a segment is the number and first name of a server, above the number of the table or the check."""
    is_code = index > 0 and 4 <= segments[index].digits <= 5 and "house" in segments[index - 1].classes
    below = segments[index + 1 : index + 1 + _TABLE_REACH]
    return bool(_SERVER.search(segments[index].folded)) and not is_code and any(_TABLE.search(segment.folded) for segment in below)


def clean_segment(text: str) -> str:
    """Return the text of a segment of an address without its label, and without phone and tax numbers behind it."""
    cleaned = _DAY.sub("", _PHONE.sub("", _TAIL.sub("", _HEAD.sub("", text))))
    for pattern, meant in _SLIPS:
        cleaned = pattern.sub(meant, cleaned)
    return mend_words(" ".join(_EDGE.sub("", cleaned).split()))


def _completed(run: tuple[int, ...], usable: Sequence[int], segments: Sequence[HeaderSegment], named: Set[int]) -> tuple[int, ...]:
    """Return the run without names before its street, and with the street above it and the code below that belong to it.

    Args:
        run: Indices of the segments that were found.
        usable: Indices of segments that may be part of an address.
        segments: All segments.
        named: Indices of those that name the merchant.
    """
    run = _with_street(_without_name(_without_end(run, segments, named), segments, named), usable, segments)
    return _with_code(_with_town(run, segments), segments)


def _without_name(run: tuple[int, ...], segments: Sequence[HeaderSegment], named: Set[int]) -> tuple[int, ...]:
    """Return the run without a first segment that the next ones repeat, and without the shop's name before a street."""
    own, merchant = [segments[index] for index in run], [segments[index] for index in named]
    for start in range(min(len(run) - 1, _MAX_NAMES), 0, -1):
        last, before = own[start - 1], own[:start]
        if any(segment.classes & {"postal", "region"} or _has_street(segment) for segment in before):
            continue
        is_repeated = len(last.squashed) >= _LONG_NAME and any(_repeats(segment.squashed, last.squashed) for segment in own[start:])
        is_trade = _has_street(own[start]) and bool(_TRADE.search(last.folded))
        is_street = "street" in own[start].classes or {"house", "postal"} & own[start].classes == {"house"}
        is_name = bool(own[start].digits) and is_street and _shares_name(last, merchant)
        if is_trade or _is_stray(last, own[start]) or (not last.digits and (is_repeated or is_name)):
            return run[start:]
    return run


def _is_stray(segment: HeaderSegment, street: HeaderSegment) -> bool:
    """Return whether a segment above a street that begins with its number is a slogan, a branch's number or a stain."""
    if not _HOUSE.match(street.folded) or not {"street", "house"} <= street.classes:
        return False
    is_plain = not segment.digits and not segment.classes & {"street", "postal", "place", "region", "house"}
    return not segment.is_print or is_plain or bool(_NUMBERED.search(segment.folded) and "street" not in segment.classes)


def _without_end(run: tuple[int, ...], segments: Sequence[HeaderSegment], named: Set[int]) -> tuple[int, ...]:
    """Return the run without the shop's name after its town."""
    last, before = segments[run[-1]], [segments[index] for index in run[:-1]]
    is_plain = not last.digits and not last.classes & {"street", "postal", "region", "house"}
    is_name = run[-1] in named or _shares_name(last, [segments[index] for index in named]) or find_brand([last]) is not None
    return run[:-1] if is_plain and is_name and any("postal" in segment.classes for segment in before) else run


def _repeats(text: str, name: str) -> bool:
    """Return whether a text contains another one, possibly misread."""
    return name in text or SequenceMatcher(None, text, name, autojunk=False).ratio() >= _SAME


def _has_street(segment: HeaderSegment) -> bool:
    """Return whether a segment has a street with its number."""
    is_house = segment.folded[:1].isdigit() and "house" in segment.classes
    return bool(segment.digits) and (is_house or bool(segment.classes & {"street", "postal"}))


def _shares_name(segment: HeaderSegment, merchant: Sequence[HeaderSegment]) -> bool:
    """Return whether a segment has a word of the merchant's name."""
    return _shares_word(segment.folded, merchant)


def _shares_word(folded: str, merchant: Sequence[HeaderSegment]) -> bool:
    words = set(_WORD.findall(folded))
    return any(words & set(_WORD.findall(other.folded)) for other in merchant)


def _with_street(run: tuple[int, ...], usable: Sequence[int], segments: Sequence[HeaderSegment]) -> tuple[int, ...]:
    """Return the run with the street above it, where it begins with a town or a unit."""
    first, above = segments[run[0]], run[0] - 1
    is_headless = first.text.startswith("#") or (bool(first.classes & {"postal", "region"}) and "street" not in first.classes)
    if not is_headless or above not in usable:
        return run
    is_street = "house" in segments[above].classes and not segments[above].classes & {"till", "trade", "postal"}
    return (above, *run) if is_street and segments[above].letters >= _STREET_LETTERS else run


def _with_town(run: tuple[int, ...], segments: Sequence[HeaderSegment]) -> tuple[int, ...]:
    """Return the run of a street alone with the town, its state or code, that is printed below its telephone numbers."""
    own = [segments[index] for index in run]
    if not any(_has_street(segment) for segment in own) or any(
        segment.classes & {"postal", "region", "place"} or _names_town(segment) for segment in own
    ):
        return run
    below = next((segment for segment in segments[run[-1] + 1 : run[-1] + 2 + _MAX_PHONES] if "phone" not in segment.classes), None)
    if below is None or below.index == run[-1] + 1 or below.classes & {"amount", "date", "time", "web"}:
        return run
    is_town = _names_town(below) or ("place" in below.classes and bool(_COARSE_CODE.search(below.folded)))
    return (*run, below.index) if is_town else run


def _with_code(run: tuple[int, ...], segments: Sequence[HeaderSegment]) -> tuple[int, ...]:
    """Return the run with the segment below that is or begins with its postal code."""
    below = run[-1] + 1
    if below >= len(segments) or segments[below].classes & {"amount", "date", "time"}:
        return run
    if any(_LETTERED.search(segments[index].folded) or _TOWN.search(segments[index].folded) for index in run):
        return run
    is_code = _LETTERED.match(segments[below].folded) or (
        "region" in segments[run[-1]].classes and _FIVE_DIGITS.search(segments[below].folded)
    )
    has_code = bool(re.search(r"\d{5}", segments[run[-1]].folded))
    is_greek = _GREEK_CODE.search(segments[below].folded) is not None
    return (*run, below) if (is_code or is_greek) and not has_code else run


def _names_town(segment: HeaderSegment) -> bool:
    """Return whether a segment has a town with its postal code or its state."""
    return "region" in segment.classes or (
        "street" not in segment.classes and bool(_TOWN.search(segment.folded)) and not _PLOT.search(segment.folded)
    )


def _without_leading_name(text: str, merchant: Sequence[HeaderSegment]) -> str:
    """Return the text of an address without the merchant's name before its street, as in `Linde Store Köln, Hauptstr. 5`."""
    name, _, rest = text.partition(",")
    is_name = not any(character.isdigit() for character in name) and _shares_word(fold(name), merchant)
    return rest.strip() if is_name and _STREET_NEXT.match(rest) else text
