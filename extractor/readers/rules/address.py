"""Which of a receipt's rows are the merchant's address, and the address without what is printed beside it."""

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

import numpy as np

from extractor.ocr.transcript import Box
from extractor.parsing.dates.months import fold
from extractor.readers.rules.chains import find_brand
from extractor.readers.rules.models import trees
from extractor.readers.rules.segments import HeaderSegment, is_candidate, mend_words

WEIGHTS: Final = "header.json"
# Probability from which a piece is tried as an address's first, how many are tried, and how many pieces an address may have.
_LIKELY, _STARTS, _LONGEST = 0.02, 8, 8
# Probability from which an address may begin with the piece that names the merchant.
_NAMED = 0.6
# Probability below which no address is worth telling.
_LEAST = 0.05
# Probability from which an address that already has a town goes on to a second one, and so began too early.
_DOUBTFUL = 0.5
# Probability of being a part from which an address begins there though no beginning was found, and what that is worth.
_SURELY, _UNBEGUN = 0.5, 0.4
# Probability of being a part from which a piece may be a street or a code that a found address lacks.
_PERHAPS = 0.02
# Probability below which a piece between two of an address is a stray mark, and from which the one beyond it is certainly a part.
_STRAY, _CERTAIN = 0.05, 0.7
# Of two addresses the one nearer to the merchant's name counts: what each piece between them takes off.
_DISTANCE = 0.95
_MOST_DIGITS, _SKIPPED, _REACH = 16, 2, 3
_CODE = re.compile(r"^\W*(?:\d{1,6}|\d{5}\W\d{4}|\d{2,3}\W\d{2,3})\W*$")
_SERVER = re.compile(r"^\W*\d{1,8} [^\W\d_]{2,}\W*$")
_TABLE = re.compile(r"^\W*(?:tb[l1]|tab[l1]e|chk|check)\b|\bgst \d{1,2}$|^\d{1,4}/\d{1,2}$")
# How many pieces below a server's name the table or the check is printed.
_SERVED = 2
_PLACES = frozenset({"street", "postal", "place", "region", "house"})
_OTHER = re.compile(
    r"\b(?:manager|cashier|server|waiter|operator|inv(?:oice|olce)?\.? ?no|order no|bill no|terminal ?(?:id|no\b|[:#])|table ?(?:no|\W))"
    r"|\b(?:shipping|payment) method|\bcustomer (?:name|code|no|copy)"
    r"|^\W*(?:store|cafe|branch|filiale|outlet) ?(?:number|no|nr|#)?\W{0,3}\d+\W*$|^\w+\W{1,3}\d{3}-\d{4}\b"
    r"|^\W*(?:магазин|обект|филиал|філія|продавница|пословница|poslovnica|(?:υπο)?καταστημα|สาขา(?:ที่)?) ?№?\W{0,3}\d+\W*$"
    r"|\d ?kg\b|\beur\b|[€$£]|\b(?:vat|gst|sst|abn|tin|nip)\w{0,3}\b.*\d{3}|\(#\d|^\W*outlet\W|: ?1[38]00\b"
)
_TAIL = re.compile(
    r"[\s,;.|/(-]*\(?\b(?:(?:t[e3]?[l1](?:efon|ephone|no)?|ph(?:one)?|fax|fon|h/?p|mob(?:ile|il)?|hotline|contact|gst|sst|vat|reg|tin|nip|www|e-?mail"
    r"|nif|cif|st\.?nr|steuer-?(?:nr|nummer|id)\w*)\b|тел\b|моб\b|факс|инн\b|еик\b|пиб\b|едб\b|τηλ|φαξ|αφμ\b|โทร)\s?(?:no\b)?[\s.:：#()+]*\(?\+?\s?"
    r"(?:[\dw@(]|[a-z]\W?\d{7}|[a-z]{2}\W?\d{3}).*$"
    r"|[\s,;.|/(-]*\b(?:ust|mwst|umsatzsteuer|tax|tva|vat)[-. ]{0,2}id\w{0,2}\b.*$|(?:^|[\s,;|/]+)[\w.-]+@\w.*$",
    re.IGNORECASE,
)
_PHONE = re.compile(r"[\s,;.|/]*(?:\(\d{3}\)\s?\d{3}\s?[-. ]?\s?\d{4}|(?<!\d)\d{3}[-.]\d{3}[-.]\d{4}|(?<!\d)0\d{1,2}-\d{7,8})\W*$")
_DAY = re.compile(
    r"[\s,]+(?:(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? \d{1,2},? \d{4}|\d{1,2}[/.]\d{1,2}[/.](?:\d{2}|\d{4}))\b.*$",
    re.IGNORECASE,
)
# Matches opening hours.
_HOURS = re.compile(
    r"\d{1,2}[:.h]\d{2}\W{0,3}(?:uhr|h|am|pm)?\s?(?:[-–—~]|to|bis|a)\s?\d{1,2}[:.h]\d{2}|\bopening hours|offnungszeit|geoffnet"
)
_LABEL = re.compile(r"^\W*[^\W\d_]{3,}(?: [^\W\d_]{2,}){0,2} ?[:：]")
_HEAD = re.compile(
    r"^\W*(?:add(?:ress)?|adresse|alamat|adresa|адреса?|διευθυνση|διεύθυνση|ที่อยู่|地址|店铺地址|hq add|h\.q\.?)\s?[:：.]\s*", re.IGNORECASE
)
_EDGE = re.compile(r"^[\s,;:.*_=~|-]+|[\s,;:*_=~|-]+$")


# What small print and dot matrices make of words and codes: V looks like U, a bar like a letter, and a town
# on O follows its code without a space.
_SLIPS = (
    (re.compile(r"\bA[UV]E(NUE)?\b"), r"AVE\1"),
    (re.compile(r"\bBOULEUARD\b"), "BOULEVARD"),
    (re.compile(r"\bB[LI1][UV]D\b"), "BLVD"),
    (re.compile(r"\b(\d{5})0(?=[a-zäöüß]{3})"), r"\1 O"),
    (re.compile(r"(?<=\d) [Il|] (?=\d{5} )"), ", "),
)


def clean_segment(text: str) -> str:
    """A stretch of an address alone: without its label, and without phone and tax numbers that follow on the same row."""
    piece = _HEAD.sub("", text)
    piece = _DAY.sub("", _PHONE.sub("", _TAIL.sub("", piece)))
    for pattern, meant in _SLIPS:
        piece = pattern.sub(meant, piece)
    return mend_words(" ".join(_EDGE.sub("", piece).split()))


@dataclass(frozen=True)
class Address:
    """The pieces of the address in print order, its text on one line, and the probability that it is all of it and nothing else."""

    segments: tuple[HeaderSegment, ...]
    text: str
    confidence: float


def address_features(matrix: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """What the models of an address's begin and end look at: the pieces' features, and how likely each and its neighbours are a part.

    Args:
        matrix: From `header_features.features`.
        inside: From `part_chances`.
    """
    count = len(inside)
    padded = np.concatenate([np.zeros(_REACH), inside, np.zeros(_REACH)])
    return np.column_stack([matrix, *(padded[_REACH + step : _REACH + step + count] for step in range(-_REACH, _REACH + 1))])


def part_chances(segments: Sequence[HeaderSegment], matrix: np.ndarray) -> np.ndarray:
    """For each piece the probability that it is a part of an address; `matrix` holds their `header_features.features`."""
    return _chances("address", segments, matrix)


def start_chances(segments: Sequence[HeaderSegment], seen: np.ndarray) -> np.ndarray:
    """For each piece the probability that an address begins with it; `seen` holds their `address_features`."""
    return _chances("address_start", segments, seen)


def _chances(model: str, segments: Sequence[HeaderSegment], seen: np.ndarray) -> np.ndarray:
    chances = np.zeros(len(segments))
    usable = usable_segments(segments)
    if usable:
        chances[usable] = trees(WEIGHTS, model).probabilities(seen[usable])
    return chances


def usable_segments(segments: Sequence[HeaderSegment]) -> list[int]:
    """The pieces that can be part of an address."""
    possible = (index for index in range(len(segments)) if is_candidate(index, len(segments)) and _is_possible(segments[index]))
    return [index for index in possible if not _names_server(segments, index)]


def _names_server(segments: Sequence[HeaderSegment], index: int) -> bool:
    """Whether a piece is the number and first name of who served, printed above the number of the table or the check."""
    is_code = index > 0 and 4 <= segments[index].digits <= 5 and "house" in segments[index - 1].classes
    below = segments[index + 1 : index + 1 + _SERVED]
    return bool(_SERVER.search(segments[index].folded)) and not is_code and any(_TABLE.search(segment.folded) for segment in below)


def find_address(
    segments: Sequence[HeaderSegment], matrix: np.ndarray, chances: np.ndarray, merchant: Sequence[HeaderSegment]
) -> Address | None:
    """The merchant's address; `None` where none is printed.

    One model tells where an address begins, another one whether it goes on with the next piece. The likeliest run of pieces wins.

    Args:
        rows: All pieces of the receipt.
        matrix: Their `address_features`.
        chances: What `start_chances` says of them.
        merchant: The pieces that name the merchant; of two addresses the one nearer to them counts.
    """
    usable, named = usable_segments(segments), {segment.index for segment in merchant}
    starts = [index for index in usable if chances[index] >= (_NAMED if index in named else _LIKELY)]
    starts = sorted(starts, key=lambda index: -chances[index])[:_STARTS]
    runs: list[tuple[float, float, tuple[int, ...]]] = []
    for index in starts:
        # No run is likelier than its beginning.
        if runs and chances[index] < max(runs)[0]:
            break
        chance, run = _grown(index, float(chances[index]), usable, segments, matrix)
        if chance >= _LEAST:
            runs.append((chance * _DISTANCE ** _distance(run, merchant), chance, run))
    if not runs:
        surest = max(usable, key=lambda index: _inside(matrix, index), default=None)
        if surest is None or surest in named or _inside(matrix, surest) < _SURELY:
            return None
        runs = [(0.0, *_grown(surest, _inside(matrix, surest) * _UNBEGUN, usable, segments, matrix))]
    _, chance, best = max(runs)
    best = whole(best, [index for index in usable if _inside(matrix, index) >= _PERHAPS], segments, named)
    text = ", ".join(clean_segment(segments[index].text) for index in best)
    return Address(tuple(segments[index] for index in best), without_name(text, merchant), chance)


def _grown(
    start: int, chance: float, usable: Sequence[int], segments: Sequence[HeaderSegment], matrix: np.ndarray
) -> tuple[float, tuple[int, ...]]:
    """The likeliest run of pieces that begins there, and its probability, from that of its beginning."""
    run: tuple[int, ...] = (start,)
    best = (0.0, run)
    while len(run) < _LONGEST:
        following = _past_strays(run, usable, segments, matrix)
        if following is None:
            break
        goes_on = float(trees(WEIGHTS, "address_next").probabilities(step_features(run, following, segments, matrix)[None])[0])
        if goes_on > _DOUBTFUL and len(run) > 1 and _is_town_alone(segments[start]) and "region" in segments[following].classes:
            run = run[1:]
        best = max(best, (chance * (1 - goes_on), run))
        chance, run = chance * goes_on, (*run, following)
        if chance < best[0]:
            return best
    return max(best, (chance, run))


def next_segment(run: Sequence[int], usable: Sequence[int]) -> int | None:
    """The piece that may continue a run: the next that can be of an address, where at most a few others stand between."""
    following = next((index for index in usable if index > run[-1]), None)
    return following if following is not None and following - run[-1] <= 1 + _SKIPPED else None


def _past_strays(run: Sequence[int], usable: Sequence[int], segments: Sequence[HeaderSegment], matrix: np.ndarray) -> int | None:
    """The piece that may continue a run; where that is hardly of an address, the next one if it certainly is."""
    following = next_segment(run, usable)
    if following is None:
        return None
    beyond = next_segment(run, [index for index in usable if index > following])
    if beyond is None:
        return following
    is_stray = _inside(matrix, following) < _STRAY and _inside(matrix, beyond) >= _CERTAIN
    return beyond if is_stray or _is_in_line(segments[run[-1]], segments[beyond], segments[following]) else following


def _is_in_line(last: HeaderSegment, beyond: HeaderSegment, following: HeaderSegment) -> bool:
    """Whether of two pieces of a row the second has a postal code and stands below the last one, and the first has none."""
    if beyond.row_index != following.row_index or "postal" not in beyond.classes or following.digits or "place" in following.classes:
        return False
    return _across(last.box, beyond.box) > max(0.0, _across(last.box, following.box))


def _across(one: Box, other: Box) -> float:
    """How much of their width two boxes share; less than nothing where there is a gap."""
    return min(one.right, other.right) - max(one.left, other.left)


def _inside(matrix: np.ndarray, index: int) -> float:
    """How likely a piece is a part of an address; `matrix` holds `address_features`."""
    return float(matrix[index, -_REACH - 1])


def step_features(run: Sequence[int], following: int, segments: Sequence[HeaderSegment], matrix: np.ndarray) -> np.ndarray:
    """What tells whether an address goes on: the next piece's features, what the run holds already, and how the two stand together."""
    last, piece = segments[run[-1]], segments[following]
    height = max(1.0, last.box.height)
    skipped = segments[run[-1] + 1 : following]
    together = [
        float(len(run)),
        float(any(names_town(segments[index]) for index in run)),
        float(any("street" in segments[index].classes for index in run)),
        float(any("house" in segments[index].classes for index in run)),
        float(any(segment.digits for segment in (segments[index] for index in run))),
        float(len(skipped)),
        float(any(segment.letters + segment.digits >= 3 for segment in skipped)),
        float(np.clip((piece.box.top - last.box.bottom) / height, -2, 4)),
        float(np.clip((piece.box.left - last.box.left) / height, -9, 9)),
        float(np.clip((piece.box.left + piece.box.right - last.box.left - last.box.right) / 2 / height, -9, 9)),
        float(piece.box.height / height),
        float(piece.row_index == last.row_index),
        float(any(piece.squashed == segments[index].squashed for index in run)),
    ]
    return np.concatenate([matrix[following], together])


def _is_town_alone(segment: HeaderSegment) -> bool:
    """Whether a piece is a town with its state and nothing else, as branches are named."""
    return "region" in segment.classes and not segment.classes & {"street", "house"}


def _is_possible(segment: HeaderSegment) -> bool:
    """Whether the piece can be part of an address at all: no web address, number of a register or shop, company, time, or till's label."""
    is_when = {"date", "time"} <= segment.classes or (
        bool(segment.classes & {"date", "time"}) and not segment.classes & {"street", "house"} and "postal" not in segment.classes
    )
    if (
        not clean_segment(segment.text)
        or segment.digits > _MOST_DIGITS
        or "amount" in segment.classes
        or is_when
        or _OTHER.search(segment.folded)
    ):
        return False
    if "legal" in segment.classes and not segment.classes & {"street", "house", "postal"}:
        return False
    if _HOURS.search(segment.folded) and not segment.classes & {"postal", "region"}:
        return False
    if not segment.letters and not _CODE.search(segment.folded):
        return False
    if _LABEL.search(segment.folded) and not _HEAD.search(segment.text) and not segment.classes & _PLACES:
        return False
    return bool(segment.classes & _PLACES) or not segment.classes & {"web", "registration", "title", "phone", "greeting"}


def _distance(run: Sequence[int], merchant: Sequence[HeaderSegment]) -> int:
    return min((abs(index - segment.index) for index in run for segment in merchant), default=0)


# How many pieces before a street may be names, letters from which a piece above a town may be its street, and how many telephone numbers
# may stand between a street and its town.
_NAMES, _STREET, _PHONES = 2, 3, 2
# Letters from which a piece that is said again is one too many, and how alike the two have to be.
_LONG_NAME, _SAME = 8, 0.8
# A postal code with its town; five digits in a row that begins with LOT or NO are a plot.
_TOWN = re.compile(r"\b(?:\d{5},? [^\W\d_]{3}|\d{2}-\d{3} [^\W\d_]|\d{4} [a-z]{2} [a-z]{3}|\d{3} \d{2} [^\W\d_]{3})")
_PLOT = re.compile(r"^\W*(?:lot|no|unit|blk|pt|p\.t|ptd)\b")
# Codes of Canada and Britain, of the United States beside their state, and one of five digits alone.
_LETTERED = re.compile(r"\b(?:[a-z]\d[a-z] ?\d[a-z]\d|[a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2}|[a-z]{2} \d{5}(?:-\d{4})?\W*$)(?!\w)")
# A code at the end of a row, its digits misread or not.
_COARSE_CODE = re.compile(r"\b[\doil]{5}\W*$")
_FIVE = re.compile(r"^\W*\d{5}(?:-\d{4})?\W*$")
_GREEK_CODE = re.compile(r"^\W*τ\W{0,2}κ\W{0,3}\d{3} ?\d{2}\W*$")
_WORD = re.compile(r"[^\W\d_]{4,}")
# Matches what begins with a street and its number.
_STREET_NEXT = re.compile(r"\s*(?:[^\W\d_][^\d,]{2,} \d{1,4}\b|\d{1,4} [^\W\d_]{3})")
_HOUSE = re.compile(r"\d{1,4}\b")
_NUMBERED = re.compile(r"#\s?\d{3,}\W*$")
_TRADE = re.compile(r"\b(?:restaurant|cafe|bistro|grill|gas|gasoline|pizzeria|bakery|pharmacy|kitchen)\b")


def whole(run: tuple[int, ...], usable: Sequence[int], segments: Sequence[HeaderSegment], named: Set[int]) -> tuple[int, ...]:
    """The pieces of an address, less names before its street, with the street above it and the code below that belong to it.

    Args:
        run: Indices of the pieces that were found.
        usable: Those of pieces that may be of an address.
        rows: All pieces.
        named: Indices of those that name the merchant.
    """
    run = _with_street(_without_name(_without_end(run, segments, named), segments, named), usable, segments)
    return _with_code(_with_town(run, segments), segments)


def without_name(text: str, merchant: Sequence[HeaderSegment]) -> str:
    """A stretch of an address without the merchant's name before its street: of `Linde Store Köln, Hauptstr. 5` the street."""
    name, _, rest = text.partition(",")
    is_name = not any(character.isdigit() for character in name) and _shares_word(fold(name), merchant)
    return rest.strip() if is_name and _STREET_NEXT.match(rest) else text


def names_town(segment: HeaderSegment) -> bool:
    """Whether a piece has a town with its postal code or its state."""
    return "region" in segment.classes or (
        "street" not in segment.classes and bool(_TOWN.search(segment.folded)) and not _PLOT.search(segment.folded)
    )


def _without_name(run: tuple[int, ...], segments: Sequence[HeaderSegment], named: Set[int]) -> tuple[int, ...]:
    """The run without a first piece that the next ones say again, and without the shop's name before a street."""
    pieces, merchant = [segments[index] for index in run], [segments[index] for index in named]
    for start in range(min(len(run) - 1, _NAMES), 0, -1):
        last, before = pieces[start - 1], pieces[:start]
        if any(piece.classes & {"postal", "region"} or _has_street(piece) for piece in before):
            continue
        is_said_again = len(last.squashed) >= _LONG_NAME and any(_says(piece.squashed, last.squashed) for piece in pieces[start:])
        is_trade = _has_street(pieces[start]) and bool(_TRADE.search(last.folded))
        is_street = "street" in pieces[start].classes or {"house", "postal"} & pieces[start].classes == {"house"}
        is_name = bool(pieces[start].digits) and is_street and _is_of(last, merchant)
        if is_trade or _is_stray(last, pieces[start]) or (not last.digits and (is_said_again or is_name)):
            return run[start:]
    return run


def _is_stray(segment: HeaderSegment, street: HeaderSegment) -> bool:
    """Whether a piece above a street that begins with its number is none of an address: a slogan, a branch's number, stains."""
    if not _HOUSE.match(street.folded) or not {"street", "house"} <= street.classes:
        return False
    is_plain = not segment.digits and not segment.classes & {"street", "postal", "place", "region", "house"}
    return not segment.is_print or is_plain or bool(_NUMBERED.search(segment.folded) and "street" not in segment.classes)


def _without_end(run: tuple[int, ...], segments: Sequence[HeaderSegment], named: Set[int]) -> tuple[int, ...]:
    """The run without the shop's name after its town."""
    last, before = segments[run[-1]], [segments[index] for index in run[:-1]]
    is_plain = not last.digits and not last.classes & {"street", "postal", "region", "house"}
    is_name = run[-1] in named or _is_of(last, [segments[index] for index in named]) or find_brand([last]) is not None
    return run[:-1] if is_plain and is_name and any("postal" in segment.classes for segment in before) else run


def _says(text: str, name: str) -> bool:
    """Whether a piece has the whole of another one, a letter misread or not."""
    return name in text or SequenceMatcher(None, text, name, autojunk=False).ratio() >= _SAME


def _has_street(segment: HeaderSegment) -> bool:
    """Whether a piece has a street with its number."""
    is_house = segment.folded[:1].isdigit() and "house" in segment.classes
    return bool(segment.digits) and (is_house or bool(segment.classes & {"street", "postal"}))


def _is_of(segment: HeaderSegment, merchant: Sequence[HeaderSegment]) -> bool:
    """Whether a piece has a word of the merchant's name."""
    return _shares_word(segment.folded, merchant)


def _shares_word(folded: str, merchant: Sequence[HeaderSegment]) -> bool:
    words = set(_WORD.findall(folded))
    return any(words & set(_WORD.findall(other.folded)) for other in merchant)


def _with_street(run: tuple[int, ...], usable: Sequence[int], segments: Sequence[HeaderSegment]) -> tuple[int, ...]:
    """The run, and before a town or a unit that it begins with the street above."""
    first, above = segments[run[0]], run[0] - 1
    is_headless = first.text.startswith("#") or (bool(first.classes & {"postal", "region"}) and "street" not in first.classes)
    if not is_headless or above not in usable:
        return run
    is_street = "house" in segments[above].classes and not segments[above].classes & {"till", "trade", "postal"}
    return (above, *run) if is_street and segments[above].letters >= _STREET else run


def _with_town(run: tuple[int, ...], segments: Sequence[HeaderSegment]) -> tuple[int, ...]:
    """The run of a street alone, and the town with its state or code that is printed below its telephone numbers."""
    own = [segments[index] for index in run]
    if not any(_has_street(segment) for segment in own) or any(
        segment.classes & {"postal", "region", "place"} or names_town(segment) for segment in own
    ):
        return run
    below = next((segment for segment in segments[run[-1] + 1 : run[-1] + 2 + _PHONES] if "phone" not in segment.classes), None)
    if below is None or below.index == run[-1] + 1 or below.classes & {"amount", "date", "time", "web"}:
        return run
    is_town = names_town(below) or ("place" in below.classes and bool(_COARSE_CODE.search(below.folded)))
    return (*run, below.index) if is_town else run


def _with_code(run: tuple[int, ...], segments: Sequence[HeaderSegment]) -> tuple[int, ...]:
    """The run, and after it the piece that is or begins with its postal code."""
    below = run[-1] + 1
    if below >= len(segments) or segments[below].classes & {"amount", "date", "time"}:
        return run
    if any(_LETTERED.search(segments[index].folded) or _TOWN.search(segments[index].folded) for index in run):
        return run
    is_code = _LETTERED.match(segments[below].folded) or ("region" in segments[run[-1]].classes and _FIVE.search(segments[below].folded))
    has_code = bool(re.search(r"\d{5}", segments[run[-1]].folded))
    is_greek = _GREEK_CODE.search(segments[below].folded) is not None
    return (*run, below) if (is_code or is_greek) and not has_code else run
