"""The merchant: segments scored by a trained model, neighbours joined, with chains, web addresses and thanks as fallbacks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Final

import numpy as np

from extractor.parsing.dates.months import fold
from extractor.readers.rules.chains import BrandMark, find_brand, says_slogan
from extractor.readers.rules.merchant_names import clean_name, completed, could_name, hosts_of, is_note, is_slip_of, respelled
from extractor.readers.rules.models import trees
from extractor.readers.rules.segments import HeaderSegment, is_branch, is_candidate, is_place_alone, squash, words

WEIGHTS: Final = "header.json"
# Probability from which a neighbour is part of the name: it must be likelier than not that both were labelled as one.
_JOINED = 0.5
_TRADES = r"restaurants?|restoran|cafe|bistro|bar|grill|kitchen|pizzeria|pub|supermarkets?|bakery|hotel|market|pharmacy|bookshop"
_TRADE_ROW = re.compile(rf"^\W*(?:the\s)?(?:{_TRADES})\b(?:\s?(?:&|and|n)\s?(?:{_TRADES}))?(?:\s(?:limited|ltd))?\W*$")
_TRADE_WORD = re.compile(rf"\b(?:{_TRADES})\b")
_STAFF = re.compile(
    r"\b(?:manager|cashier|server|served by|waiter|operator|employee|kellner|bediener|serveur|vendeur"
    r"|касс?ие?р|оператор|продавец|сервитьор|официант|конобар|ταμειο|ταμιασ|σερβιτοροσ|χειριστησ)\b|พนักงาน|แคชเชียร์"
)
_STAFF_FIRST = ("manager", "cashier", "server", "waiter", "operator", "employee")
_LEGAL_WORDS = re.compile(
    r"\b(?:sdn|bhd|berhad|d\W?o\W?o|s\W?r\W?o|co|company|ltd|limited|llc|inc|corp|plc|pte|pvt|pty|е?оод|е?ад|ооо|[зоп]?ао|ип|тов|фоп|доо(?:ел)?|gmbh|kg|ag|srl|sl|sa|sas|m|kl)\b|\([a-z]{1,4}\)"
)
_STORE = re.compile(r"\b(?:store|shop|branch|filiale|outlet|unit|space|suite)\b\W*(?:no\.?|nr\.?)?\W*[a-z]{0,3}-?\d+")
_PRICE = re.compile(r"[$€£]\s?\d")
# Probability below which the row of a company with its legal form is better than a likelier one without.
_DOUBTED = 0.6
# Probabilities below which other evidence than the heading is asked first, and below which even a web address is better.
_UNSURE, _HOPELESS = 0.3, 0.03
# How many pieces above and below are asked whether the address begins there.
_REACH = 3
# How alike a misread logo and the chain's name have to be.
_LOGO = 0.6
# Pieces at the top among which a chain's printed name wins against a less probable one.
_HEAD, _BRAND = 12, 0.85
_VARIED = 0.15
# How near below a logo, how probable, how long and how alike the same name in print has to be.
_NEAR, _TWIN, _NAMED, _SIMILAR = 3, 0.15, 5, 0.75
_UNSPACED = 0.3
# The most that is claimed for a name that is printed once: which letters it has, one reading does not prove.
_ONCE = 0.89
# How many pieces above and below a trade may name its owner, and how probable such a piece has to be.
_BESIDE, _OWNER = 2, 0.1
# Matches the end of a slogan; abbreviations are shorter.
_SENTENCE = re.compile(r"[^\W\d_]{5,}\.$")
# Match the end of a street with its house number, and the beginning of the town with its postal code below it.
_HOUSE, _TOWN = re.compile(r"[^\W\d_]{3,} \d{1,3}[a-z]?$"), re.compile(r"\W?\d{4,6} ?[^\W\d_]{3,}")
# The most that is claimed for a slogan, a street, a trade without a name, or a piece that is hardly like one: less than what two looks that
# agree make believed.
_NOBODY = 0.5
# Confidence below which a name is none: of names claimed with less on labelled photos none is right.
_LEAST = 0.1
# Odds, beside those of the pieces, that no piece names the merchant. With it, of names that are claimed with 0.6 on labelled photos of
# other origin than the training data, more than nine in ten are right.
_NONE = 0.1
_THANKS = re.compile(r"(?:shopping|dining|visiting|choosing|stopping|eating) ?(?:at|with|by)?\b|einkauf bei|achat chez|compra en")
# Characters from which a row is a sentence.
_SHORT = 40
# Pieces at the top among which a company names who sold, and not who made the till.
_TOP = 12
# Hosts of others: mail, networks, surveys, tills, payments.
_OTHERS = re.compile(
    r"g?mail|yahoo|hotmail|outlook|icloud|facebook|instagram|twitter|tiktok|youtube|google|tripadvisor|medallia|survey|feedback|listen|voice"
    r"|rewards|opinion|visit|career|paypal|epay|clover|toast|square|kounta|efsta|shutterstock|usps|gov$|tell"
)
_LEAD, _TAIL = re.compile(r"^(?:my|shop|the-|restaurant-|hotel-|cafe-)(?=\w{4})"), re.compile(r"-?(?:online|shop|store|us|usa|uk)$")
_WEB = re.compile(r"w{2,3}\W|https?|@|\.com\b")
_SHORTEST = 4


@dataclass(frozen=True)
class Merchant:
    """The pieces that name the merchant (one or two, in print order), the name, and the probability that it is right."""

    segments: tuple[HeaderSegment, ...]
    name: str
    confidence: float


def find_merchant(segments: Sequence[HeaderSegment], matrix: np.ndarray) -> Merchant | None:
    """The merchant's name; `None` where no piece can be one.

    Args:
        rows: All pieces of the receipt.
        matrix: Their features, from `merchant_features`.
    """
    is_unspaced = _is_unspaced(segments)
    kept = [
        index
        for index, (segment, below) in enumerate(zip(segments, (*segments[1:], None), strict=True))
        if is_candidate(index, len(segments)) and _is_possible(segment, below, is_unspaced=is_unspaced)
    ]
    chances = dict(zip(kept, trees(WEIGHTS, "merchant").probabilities(matrix[kept]), strict=True)) if kept else {}
    best = max(kept, key=lambda index: chances[index], default=None)
    brand = find_brand(segments[:_HEAD])
    if brand is not None and (
        best is None or chances[best] < _BRAND or _is_beside(segments[best], brand) or _is_its_logo(segments[best], brand)
    ):
        return chain_of(brand)
    known = find_brand(segments)
    if best is not None and known is not None and _is_its_logo(segments[best], known):
        return chain_of(known)
    if best is None or chances[best] < _UNSURE:
        fallback = by_marks(segments)
        if fallback is None and (best is None or chances[best] < _HOPELESS):
            fallback = by_host(segments)
        if fallback is None and best is not None and chances[best] < _TWIN and segments[best].classes & {"street", "postal"}:
            fallback = by_company(segments, kept)
        if fallback is not None or best is None or _confidence((best,), segments, chances) < _LEAST:
            return fallback
    best = _before_slogan(_company(best, segments, chances), segments, chances)
    chosen = _with_owner(_joined(_printed_twin(best, segments, chances), segments, chances), segments, chances)
    own = [segments[index] for index in chosen]
    name = " ".join(filter(None, (clean_name(segment.text) for segment in own)))
    name = completed(respelled(name, own, segments), own, segments)
    sure = 1.0 if _is_printed_again(name, chosen, segments) else _ONCE
    is_unlikely = max(chances.get(index, 0.0) for index in chosen) < _TWIN
    below = segments[chosen[-1] + 1].text if chosen[-1] + 1 < len(segments) else ""
    is_street = _HOUSE.search(name) and _TOWN.match(below)
    if is_unlikely or is_street or _is_trade_alone(name) or _SENTENCE.search(name):
        sure = _NOBODY
    return Merchant(tuple(segments[index] for index in chosen), name, min(sure, _confidence(chosen, segments, chances)))


def merchant_features(matrix: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """What the merchant's model looks at: the pieces' features, and where the address begins, since names stand above it.

    Args:
        matrix: From `header_features.features`.
        starts: From `address.start_chances`.
    """
    count = len(starts)
    if not count:
        return np.zeros((0, matrix.shape[1] + 2 * _REACH + 2))
    padded = np.concatenate([np.zeros(_REACH), starts, np.zeros(_REACH)])
    near = [padded[_REACH + step : _REACH + step + count] for step in range(-_REACH, _REACH + 1)]
    best = np.clip(int(starts.argmax()) - np.arange(count), -9, 9) if starts.max() >= _UNSURE else np.full(count, 10)
    return np.column_stack([matrix, *near, best])


def _is_possible(segment: HeaderSegment, below: HeaderSegment | None, *, is_unspaced: bool) -> bool:
    """Whether the piece can be a name at all: words of somebody, no amount, no street, in the receipt's script.

    A place alone is one only above its trade: `Milano`, `Restaurant`.
    """
    name = clean_name(segment.text)
    if sum(character.isalpha() for character in name) < 2 or not could_name(segment.folded) or not segment.is_print or _is_form_alone(name):
        return False
    if segment.classes & {"amount", "date", "time"} or ("web" in segment.classes and "legal" not in segment.classes):
        return False
    if (
        is_note(segment.text.strip())
        or _names_staff(segment.folded)
        or _PRICE.search(segment.text)
        or not could_name(_STORE.sub(" ", segment.folded))
    ):
        return False
    is_above_trade = below is not None and bool(_TRADE_ROW.search(below.folded))
    if (is_place_alone(segment.folded) and not is_above_trade) or is_branch(segment.text):
        return False
    if {"house", "street"} <= segment.classes and segment.text.lstrip()[:1].isdigit():
        return False
    unspaced = sum(character > "\u2e80" for character in segment.text)
    return unspaced * 3 < len(segment.text) or is_unspaced


def _names_staff(folded: str) -> bool:
    """Whether a text names who served, also where the first word is misread."""
    first = re.match(r"\W*([^\W_]+)", folded)
    return bool(_STAFF.search(folded)) or (first is not None and any(is_slip_of(first[1], known) for known in _STAFF_FIRST))


def _is_form_alone(name: str) -> bool:
    """Whether a legal form is all that is left of a company's name."""
    return len(squash(_LEGAL_WORDS.sub(" ", fold(name)))) < 2


def _is_unspaced(segments: Sequence[HeaderSegment]) -> bool:
    """Whether the receipt is in a script without spaces; elsewhere OCR makes such characters of rules, always the same few."""
    found = [character for segment in segments for character in segment.text if character > "\u2e80"]
    letters = sum(segment.letters for segment in segments)
    return len(found) > _UNSPACED * letters and len(set(found)) > _VARIED * len(found)


def _is_beside(segment: HeaderSegment, brand: BrandMark) -> bool:
    """Whether a piece is the chain's printed name, or a neighbour of it: its slogan, its branch."""
    return (
        segment is brand.row
        or says_slogan(segment.squashed, brand.name)
        or (brand.is_printed and abs(segment.index - brand.row.index) == 1)
    )


def _is_its_logo(segment: HeaderSegment, brand: BrandMark) -> bool:
    """Whether a piece is what OCR made of the logo of a chain that is known by its slogan or host."""
    names = (squash(brand.name), squash(brand.name.split()[0]))
    return not brand.is_printed and any(SequenceMatcher(None, segment.squashed, name, autojunk=False).ratio() >= _LOGO for name in names)


def _company(best: int, segments: Sequence[HeaderSegment], chances: dict[int, float]) -> int:
    """The company's own row where the best piece is hardly one; else the best piece itself."""
    if (chances[best] >= _DOUBTED and not _names_branch(segments[best].folded)) or "legal" in segments[best].classes:
        return best
    legal = [index for index in chances if index < _HEAD and "legal" in segments[index].classes and chances[index] >= _TWIN]
    return max(legal, key=lambda index: chances[index], default=best)


def _names_branch(folded: str) -> bool:
    """Whether a text begins with a word for a shop of a company."""
    first = folded.split(maxsplit=1)[:1]
    return bool(first) and first[0].strip(".:") in words("names", "branches")


def _before_slogan(best: int, segments: Sequence[HeaderSegment], chances: dict[int, float]) -> int:
    """The likely piece beside the best one where that is a sentence: of `VIELFALT.` and `HIT 100 Leipzig` the second."""
    if not _SENTENCE.search(segments[best].text.strip()):
        return best
    near = [index for index in range(best - _BESIDE, best + _BESIDE + 1) if chances.get(index, 0.0) >= _UNSURE]
    named = [index for index in near if not _SENTENCE.search(segments[index].text.strip()) and not _is_trade_alone(segments[index].text)]
    return max(named, key=lambda index: chances[index], default=best)


def _printed_twin(best: int, segments: Sequence[HeaderSegment], chances: dict[int, float]) -> int:
    """The piece below a logo that prints the same name in ordinary type, which OCR reads better; else the best piece itself."""
    if "legal" in segments[best].classes:
        return best
    for other in range(best + 1, best + 1 + _NEAR):
        if chances.get(other, 0.0) >= _TWIN and _are_twins(segments[best].squashed, segments[other].squashed):
            return other
        if chances.get(other, 0.0) >= _JOINED and _is_longer(segments[best], segments[other]):
            return other
    return best


def _are_twins(logo: str, printed: str) -> bool:
    is_same_length = abs(len(logo) - len(printed)) * 4 <= len(logo) and len(logo) >= _NAMED
    return is_same_length and SequenceMatcher(None, logo, printed, autojunk=False).ratio() >= _SIMILAR


def _is_longer(logo: HeaderSegment, printed: HeaderSegment) -> bool:
    """Whether print below begins with the logo's whole name and adds to it: the branch, the trade, but no legal form."""
    return len(logo.squashed) >= _NAMED and printed.squashed.startswith(logo.squashed) and "legal" not in printed.classes


def _joined(best: int, segments: Sequence[HeaderSegment], chances: dict[int, float]) -> tuple[int, ...]:
    """The best piece with the neighbour that continues its name, if there is one."""
    for first, second in ((best, best + 1), (best - 1, best)):
        other = second if first == best else first
        if not 0 <= other < len(segments) or not _touch(segments[first], segments[second]):
            continue
        is_trade = other == second and bool(_TRADE_ROW.search(segments[other].folded)) and not _TRADE_WORD.search(segments[best].folded)
        if is_trade or (chances.get(other, 0.0) >= _JOINED and _continues(segments[first], segments[second])):
            return (first, second)
    return (best,)


def _touch(above: HeaderSegment, below: HeaderSegment) -> bool:
    """Whether two pieces follow each other closely in print of about the same size."""
    if above.page != below.page or below.row_index - above.row_index > 1:
        return False
    heights = sorted((above.box.height, below.box.height))
    return below.box.top - above.box.bottom < heights[0] and heights[1] < 1.6 * heights[0]


def _continues(above: HeaderSegment, below: HeaderSegment) -> bool:
    """Whether two likely pieces are one name: neither repeats the other, the upper is no sentence, the lower no branch or other company."""
    if _is_same(above.squashed, below.squashed) or _SENTENCE.search(above.text.strip()) or _names_branch(below.folded):
        return False
    own = "legal" in below.classes and could_name(_LEGAL_WORDS.sub(" ", below.folded)) and not _TRADE_ROW.search(below.folded)
    return not own or "legal" in above.classes


def _with_owner(chosen: tuple[int, ...], segments: Sequence[HeaderSegment], chances: dict[int, float]) -> tuple[int, ...]:
    """The chosen pieces with the likeliest one beside them where they name nothing but a trade: `PIZZA E PASTA`, `L'OSTERIA`."""
    if not all(_is_trade_alone(segments[index].text) for index in chosen):
        return chosen
    near = range(max(0, chosen[0] - _BESIDE), chosen[-1] + _BESIDE + 1)
    owners = [index for index in near if chances.get(index, 0.0) >= _OWNER and not _is_trade_alone(segments[index].text)]
    if not owners:
        return chosen
    owner = max(owners, key=lambda index: chances[index])
    return tuple(range(min(owner, chosen[0]), max(owner, chosen[-1]) + 1))


def _is_trade_alone(text: str) -> bool:
    """Whether a text has no words but those of trades."""
    found = re.findall(r"[^\W\d_]+", fold(text))
    return bool(found) and all(word in words("names", "trades") for word in found)


def _confidence(chosen: Sequence[int], segments: Sequence[HeaderSegment], chances: dict[int, float]) -> float:
    """How likely the chosen pieces are the merchant's name, one piece being it, or none: what no other piece looks like is it more likely.

    Pieces that print the same name again are no rivals.
    """
    odds = {index: float(chance) / max(1 - float(chance), 1e-6) for index, chance in chances.items()}
    own = max(odds.get(index, 0.0) for index in chosen)
    names = [segments[index].squashed for index in chosen]
    others = (odds[index] for index in odds if index not in chosen and not any(_is_same(segments[index].squashed, name) for name in names))
    return own / (own + sum(others) + _NONE)


def _is_same(one: str, other: str) -> bool:
    return one in other or other in one or _are_twins(one, other)


def _is_printed_again(name: str, chosen: Sequence[int], segments: Sequence[HeaderSegment]) -> bool:
    """Whether the receipt confirms how the name is written: in another piece, or in a web address."""
    squashed = squash(name)
    others = [segment for segment in segments if segment.index not in chosen]
    hosts = (host.replace("-", "") for segment in others for host in hosts_of(segment.folded))
    return len(squashed) >= _NAMED and (
        any(squashed in segment.squashed for segment in others) or any(host in squashed for host in hosts if len(host) >= _NAMED)
    )


def by_marks(segments: Sequence[HeaderSegment]) -> Merchant | None:
    """The name where no heading is legible: a chain's marks anywhere, or whom the foot thanks for."""
    brand = find_brand(segments)
    if brand is not None:
        return chain_of(brand)
    for above, below in pairwise(segments):
        if match := _THANKS.search(above.folded):
            segment, start = (above, match.end()) if above.folded[match.end() :].strip() else (below, 0)
            name = clean_name(segment.text[start:])
            if could_name(fold(name)) and len(name) < _SHORT:
                return Merchant((segment,), name, 0.5)
    return None


def chain_of(brand: BrandMark) -> Merchant:
    """The merchant that a chain's mark means; its own print where that begins with the name."""
    name = clean_name(brand.row.text)
    if not (brand.is_printed and len(brand.row.text) < _SHORT and squash(name).startswith(squash(brand.name))):
        name = brand.name
    return Merchant((brand.row,), name, 0.8)


def by_host(segments: Sequence[HeaderSegment]) -> Merchant | None:
    """The name in the merchant's web address."""
    host = find_host(segments)
    return Merchant((host[0],), host[1], 0.4) if host is not None else None


def find_host(segments: Sequence[HeaderSegment]) -> tuple[HeaderSegment, str] | None:
    """The piece with a web or mail address of the merchant's own, and the name in it; the name that most rows print counts."""
    found: dict[str, list[HeaderSegment]] = {}
    for segment in segments:
        if _WEB.search(segment.folded):
            for host in hosts_of(segment.folded):
                if len(host) >= _SHORTEST and not host.isdigit() and not _OTHERS.search(host):
                    found.setdefault(host, []).append(segment)
    if not found:
        return None
    host = max(found, key=lambda name: len(found[name]))
    return found[host][0], " ".join(_TAIL.sub("", _LEAD.sub("", host)).split("-")).title()


def by_company(segments: Sequence[HeaderSegment], kept: Sequence[int]) -> Merchant | None:
    """The company at the top that is printed with its legal form, where only streets look like names."""
    found = next((segments[index] for index in kept if index < _TOP and "legal" in segments[index].classes), None)
    return Merchant((found,), clean_name(found.text), 0.3) if found is not None else None
