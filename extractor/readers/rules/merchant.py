"""The merchant: segments scored by a trained model, neighbours joined; chains, web addresses and thanks as fallbacks."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Final

import numpy as np

from extractor.parsing.dates.months import fold
from extractor.parsing.vocabulary import trades
from extractor.readers.rules.chains import BrandMark, MarkKind, chain_of_slogan, find_brand, has_slogan, resembles_chain
from extractor.readers.rules.header_features import feature_names
from extractor.readers.rules.merchant_names import (
    COMPANY_FORM,
    clean_name,
    completed,
    could_name,
    hosts_of,
    is_misreading_of,
    is_registration,
    respelled,
)
from extractor.readers.rules.models import trees
from extractor.readers.rules.segments import HeaderSegment, is_branch, is_candidate, is_place_alone, squash, words

WEIGHTS: Final = "header.json"
# Probability from which a neighbour is part of the name: likelier than not, both were labelled as the name.
_JOINED = 0.5
# Trades that continue a name on the next row.
_TRADES = "|".join(trades("suffixes"))
# A row of a trade alone, which belongs to the name above it.
_TRADE_ROW = re.compile(rf"^\W*(?:the\s)?(?:{_TRADES})\b(?:\s?(?:&|and|n)\s?(?:{_TRADES}))?(?:\s(?:limited|ltd))?\W*$")
# Words of trades, which name nobody alone.
_TRADE_WORDS = frozenset(trades("words"))
# A name that has its trade in it.
_HAS_TRADE = re.compile(rf"\b(?:{_TRADES})\b")
# Words before the name of the person who served.
_STAFF = re.compile(
    r"\b(?:manager|cashier|server|served by|waiter|operator|employee|kellner|bediener|serveur|vendeur"
    r"|касс?ие?р|оператор|продавец|сервитьор|официант|конобар|ταμειο|ταμιασ|σερβιτοροσ|χειριστησ)\b|พนักงาน|แคชเชียร์"
)
# Words of `_STAFF` that are recognised when misread.
_STAFF_FIRST = ("manager", "cashier", "server", "waiter", "operator", "employee")
# Legal forms with the letters in brackets and of branches beside them, as in `(M) SDN BHD`.
_FORM_ALONE = re.compile(rf"{COMPANY_FORM.pattern}|\b(?:m|kl)\b|\([a-z]{{1,4}}\)")
# The number of a shop of a chain.
_STORE_NUMBER = re.compile(r"\b(?:store|shop|branch|filiale|outlet|unit|space|suite)\b\W*(?:no\.?|nr\.?)?\W*[a-z]{0,3}-?\d+")
# An amount with its currency sign.
_PRICE = re.compile(r"[$€£]\s?\d")
# Probability below which a company's row with its legal form is preferred to a likelier row without one.
_COMPANY_BETTER = 0.6
# Probabilities below which other evidence than the heading takes precedence, and below which even a web address does.
_UNSURE, _HOPELESS = 0.3, 0.03
# Segments above and below whose probability of beginning the address is a feature.
_REACH = 3
# Similarity of a misread logo to the chain's name.
_LOGO_SIMILARITY = 0.6
# Confidence of a chain that a single alias names: below the confidence that a second look at the same print could confirm.
_ALIAS_CONFIDENCE = 0.5
# Segments at the top in which companies name themselves, and the probability below which a chain's printed name there is preferred.
_TOP, _BRAND = 12, 0.85
# Share of different ones among these characters; rules that OCR reads as such are always the same few.
_VARIED_SHARE = 0.15
# Segments below a logo in which its name may be printed again, the least probability of such a segment, the least letters, and the least
# similarity.
_TWIN_REACH, _TWIN, _TWIN_LETTERS, _TWIN_SIMILARITY = 3, 0.15, 5, 0.75
# Share of characters above U+2E80 from which a receipt is written without spaces.
_UNSPACED_SHARE = 0.3
# Upper bound of the confidence of a name that is printed once: a single reading does not prove its letters.
_SINGLE_CONFIDENCE = 0.89
# Segments above and below a trade that may name its owner, and the least probability of such a segment.
_OWNER_REACH, _OWNER = 2, 0.1
# The end of a slogan; abbreviations are shorter.
_SENTENCE = re.compile(r"[^\W\d_]{5,}\.$")
# The end of a street with its house number, and the beginning of the town with its postal code below it.
_HOUSE, _TOWN = re.compile(r"[^\W\d_]{3,} \d{1,3}[a-z]?$"), re.compile(r"\W?\d{4,6} ?[^\W\d_]{3,}")
# Upper bound of the confidence of a slogan, a street, a trade without a name, a name one letter from a chain's or beside another chain's
# mark, or an improbable segment: below the confidence that two agreeing readings result in.
_DOUBTFUL_CONFIDENCE = 0.5
# Confidence below which no name is returned: on labelled photos, no name with less was right.
_MIN_CONFIDENCE = 0.1
# Odds, beside those of the segments, that no segment names the merchant. With it, more than nine in ten of the names with a confidence of
# 0.6 were right on labelled photos of other origin than the training data.
_NO_NAME_ODDS = 0.1
# Thanks before the name at the foot of a receipt.
_THANKS = re.compile(r"(?:shopping|dining|visiting|choosing|stopping|eating) ?(?:at|with|by)?\b|einkauf bei|achat chez|compra en")
# Characters from which a row is a sentence.
_SENTENCE_LENGTH = 40
# Hosts that are not the merchant's: mail, networks, surveys, tills, payments.
_FOREIGN_HOST = re.compile(
    r"g?mail|yahoo|hotmail|outlook|icloud|facebook|instagram|twitter|tiktok|youtube|google|tripadvisor|medallia|survey|feedback|listen|voice"
    r"|rewards|opinion|visit|career|paypal|epay|clover|toast|square|kounta|efsta|shutterstock|usps|gov$|tell"
)
# Parts of a host beside the name.
_HOST_PREFIX, _HOST_SUFFIX = (
    re.compile(r"^(?:my|shop|the-|restaurant-|hotel-|cafe-)(?=\w{4})"),
    re.compile(r"-?(?:online|shop|store|us|usa|uk)$"),
)
# A row with a web or mail address.
_WEB = re.compile(r"w{2,3}\W|https?|@|\.com\b")
# Letters of a host that is a name at least.
_HOST_LETTERS = 4


@dataclass(frozen=True)
class Merchant:
    """The merchant's name.

    Attributes:
        segments: The segments that name the merchant, one or two, in print order.
        name: The name.
        confidence: Probability that it is right.
        is_alias: Whether the segments print something else that stands for the name, such as a slogan.
    """

    segments: tuple[HeaderSegment, ...]
    name: str
    confidence: float
    is_alias: bool = False


def find_merchant(segments: Sequence[HeaderSegment], matrix: np.ndarray) -> Merchant | None:
    """Return the merchant's name; `None` where no segment can be one.

    A chain whose name or mark stands near the likeliest segment takes precedence. Where no segment is likely, other marks, the web address
    and the company's legal form are tried. Otherwise the likeliest segment is the name, with its neighbours where they continue it.

    Args:
        segments: All segments of the receipt.
        matrix: Their features, from `merchant_features`.
    """
    chances = _chances(segments, matrix)
    best = max(chances, key=lambda index: chances[index], default=None)
    chain = _chain_near(best, segments, chances)
    if chain is not None:
        return chain
    if best is None or chances[best] < _UNSURE:
        fallback = _fallback(best, segments, chances)
        if fallback is not None or best is None or _confidence((best,), segments, chances) < _MIN_CONFIDENCE:
            return fallback
    chosen = _printed_twin(_before_slogan(_company(best, segments, chances), segments, chances), segments, chances)
    run = _with_owner(_joined(chosen, segments, chances), segments, chances)
    own = tuple(segments[index] for index in run)
    name = " ".join(filter(None, (clean_name(segment.text) for segment in own)))
    name = completed(respelled(name, own, segments), own, segments)
    if chain_name := chain_of_slogan(name):
        return Merchant(own, chain_name, _ALIAS_CONFIDENCE, is_alias=True)
    return Merchant(own, name, min(_max_confidence(name, run, segments, chances), _confidence(run, segments, chances)))


def _chances(segments: Sequence[HeaderSegment], matrix: np.ndarray) -> dict[int, float]:
    """Return the probability to name the merchant of each segment that can be a name, by index."""
    is_unspaced = _is_unspaced(segments)
    kept = [
        index
        for index, (segment, below) in enumerate(zip(segments, (*segments[1:], None), strict=True))
        if is_candidate(index, len(segments)) and _is_possible(segment, below, is_unspaced=is_unspaced)
    ]
    return dict(zip(kept, map(float, trees(WEIGHTS, "merchant").probabilities(matrix[kept])), strict=True)) if kept else {}


def _chain_near(best: int | None, segments: Sequence[HeaderSegment], chances: Mapping[int, float]) -> Merchant | None:
    """Return the chain that the heading names or that the likeliest segment is the logo of."""
    brand = find_brand(_heading(segments))
    if brand is not None and not brand.is_printed and _has_logo(segments, brand):
        brand = replace(brand, is_confirmed=True)
    if brand is not None and _is_chain(brand, best, segments, chances):
        return chain_of(brand)
    known = find_brand(segments)
    is_logo = best is not None and known is not None and _is_its_logo(segments[best], known)
    return chain_of(known, is_confirmed=True) if known is not None and is_logo else None


def _heading(segments: Sequence[HeaderSegment]) -> Sequence[HeaderSegment]:
    """Return the segments above the first amount: below it, an advertisement may name a chain."""
    amounts = (segment.index for segment in segments[:_TOP] if "amount" in segment.classes)
    return segments[: next(amounts, _TOP)]


def _is_chain(brand: BrandMark, best: int | None, segments: Sequence[HeaderSegment], chances: Mapping[int, float]) -> bool:
    """Return whether a chain's mark in the heading names the merchant rather than the likeliest segment.

    A printed name takes precedence over a less probable segment, an alias only over one that is hardly a name or the chain's.
    """
    if best is None or _is_beside(segments[best], brand) or _is_its_logo(segments[best], brand):
        return True
    return chances[best] < (_BRAND if brand.kind >= MarkKind.CONTAINED else _COMPANY_BETTER if brand.is_confirmed else _UNSURE)


def _fallback(best: int | None, segments: Sequence[HeaderSegment], chances: Mapping[int, float]) -> Merchant | None:
    """Return the merchant from other evidence than a heading, from the strongest to the weakest."""
    found = by_marks(segments)
    if found is None and (best is None or chances[best] < _HOPELESS):
        found = by_host(segments)
    if found is None and best is not None and chances[best] < _TWIN and segments[best].classes & {"street", "postal"}:
        found = by_company(segments, tuple(chances))
    return found


def _max_confidence(name: str, run: Sequence[int], segments: Sequence[HeaderSegment], chances: Mapping[int, float]) -> float:
    """Return the upper bound of the confidence of a name: lower where its spelling or its kind is doubtful."""
    is_unlikely = max(chances.get(index, 0.0) for index in run) < _TWIN
    below = segments[run[-1] + 1].text if run[-1] + 1 < len(segments) else ""
    is_street = _HOUSE.search(name) and _TOWN.match(below)
    brand = find_brand(_heading(segments))
    is_company = any("legal" in segments[index].classes for index in run)  # it may operate a shop of the chain
    is_beside_chain = brand is not None and not is_company and squash(brand.name) not in squash(name)
    is_like_chain = is_beside_chain or any(resembles_chain(segments[index]) for index in run)
    if is_unlikely or is_street or is_like_chain or _is_trade_alone(name) or _SENTENCE.search(name):
        return _DOUBTFUL_CONFIDENCE
    return 1.0 if _is_printed_again(name, run, segments) else _SINGLE_CONFIDENCE


def merchant_features(matrix: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the features of the merchant's model.

    These are the segments' own features, and where the address begins, since names stand above it.

    Args:
        matrix: From `header_features.segment_features`.
        starts: From `address.start_chances`.
    """
    count = len(starts)
    if not count:
        return np.zeros((0, len(merchant_feature_names())))
    padded = np.concatenate([np.zeros(_REACH), starts, np.zeros(_REACH)])
    near = [padded[_REACH + step : _REACH + step + count] for step in range(-_REACH, _REACH + 1)]
    best = np.clip(int(starts.argmax()) - np.arange(count), -9, 9) if starts.max() >= _UNSURE else np.full(count, 10)
    return np.column_stack([matrix, *near, best])


def merchant_feature_names() -> tuple[str, ...]:
    """Return the names of the columns of `merchant_features`."""
    return (*feature_names(), *(f"address_start_{step:+d}" for step in range(-_REACH, _REACH + 1)), "to_address")


def _is_possible(segment: HeaderSegment, below: HeaderSegment | None, *, is_unspaced: bool) -> bool:
    """Return whether a segment can be a name: words of somebody, no amount, no street, in the receipt's script.

    A place alone is one only above its trade: `Milano`, `Restaurant`.
    """
    name = clean_name(segment.text)
    if sum(character.isalpha() for character in name) < 2 or not could_name(segment.folded) or not segment.is_print or _is_form_alone(name):
        return False
    if segment.classes & {"amount", "date", "time"} or ("web" in segment.classes and "legal" not in segment.classes):
        return False
    if (
        is_registration(segment.text.strip())
        or _names_staff(segment.folded)
        or _PRICE.search(segment.text)
        or not could_name(_STORE_NUMBER.sub(" ", segment.folded))
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
    """Return whether a text names the person who served, also where the first word is misread."""
    first = re.match(r"\W*([^\W_]+)", folded)
    return bool(_STAFF.search(folded)) or (first is not None and any(is_misreading_of(first[1], known) for known in _STAFF_FIRST))


def _is_form_alone(name: str) -> bool:
    """Return whether nothing but a legal form is left of a company's name."""
    return len(squash(_FORM_ALONE.sub(" ", fold(name)))) < 2


def _is_unspaced(segments: Sequence[HeaderSegment]) -> bool:
    """Return whether the receipt is in a script without spaces; OCR reads such characters into rules elsewhere, always the same few."""
    found = [character for segment in segments for character in segment.text if character > "\u2e80"]
    letters = sum(segment.letters for segment in segments)
    return len(found) > _UNSPACED_SHARE * letters and len(set(found)) > _VARIED_SHARE * len(found)


def _is_beside(segment: HeaderSegment, brand: BrandMark) -> bool:
    """Return whether a segment is the chain's printed name, or its slogan or branch beside it."""
    return (
        segment in brand.rows
        or has_slogan(segment.squashed, brand.name)
        or (brand.is_printed and abs(segment.index - brand.row.index) == 1)
    )


def _is_its_logo(segment: HeaderSegment, brand: BrandMark) -> bool:
    """Return whether a segment is the misread logo of a chain that is known by its slogan or host."""
    names = (squash(brand.name), squash(brand.name.split()[0]))
    return not brand.is_printed and any(
        SequenceMatcher(None, segment.squashed, name, autojunk=False).ratio() >= _LOGO_SIMILARITY for name in names
    )


def _has_logo(segments: Sequence[HeaderSegment], brand: BrandMark) -> bool:
    """Return whether one of the first segments is the chain's misread logo."""
    return any(_is_its_logo(segment, brand) for segment in segments[:_TWIN_REACH] if segment not in brand.pieces)


def _company(best: int, segments: Sequence[HeaderSegment], chances: Mapping[int, float]) -> int:
    """Return the company's own row where the best segment is doubtful; else the best segment itself."""
    if (chances[best] >= _COMPANY_BETTER and not _names_branch(segments[best].folded)) or "legal" in segments[best].classes:
        return best
    legal = [index for index in chances if index < _TOP and "legal" in segments[index].classes and chances[index] >= _TWIN]
    return max(legal, key=lambda index: chances[index], default=best)


def _names_branch(folded: str) -> bool:
    """Return whether a text begins with a word for a shop of a company."""
    first = folded.split(maxsplit=1)[:1]
    return bool(first) and first[0].strip(".:") in words("names", "branches")


def _before_slogan(best: int, segments: Sequence[HeaderSegment], chances: Mapping[int, float]) -> int:
    """Return the likely segment beside the best one where that is a sentence (`FRESH EVERY DAY.` beside `Linde 12 Leeds`)."""
    if not _SENTENCE.search(segments[best].text.strip()):
        return best
    near = [index for index in range(best - _OWNER_REACH, best + _OWNER_REACH + 1) if chances.get(index, 0.0) >= _UNSURE]
    named = [index for index in near if not _SENTENCE.search(segments[index].text.strip()) and not _is_trade_alone(segments[index].text)]
    return max(named, key=lambda index: chances[index], default=best)


def _printed_twin(best: int, segments: Sequence[HeaderSegment], chances: Mapping[int, float]) -> int:
    """Return the segment below a logo that prints its name in ordinary type, which OCR reads better; else the segment itself."""
    if "legal" in segments[best].classes:
        return best
    for other in range(best + 1, best + 1 + _TWIN_REACH):
        if chances.get(other, 0.0) >= _TWIN and _are_twins(segments[best].squashed, segments[other].squashed):
            return other
        if chances.get(other, 0.0) >= _JOINED and _is_longer(segments[best], segments[other]):
            return other
    return best


def _are_twins(logo: str, printed: str) -> bool:
    is_same_length = abs(len(logo) - len(printed)) * 4 <= len(logo) and len(logo) >= _TWIN_LETTERS
    return is_same_length and SequenceMatcher(None, logo, printed, autojunk=False).ratio() >= _TWIN_SIMILARITY


def _is_longer(logo: HeaderSegment, printed: HeaderSegment) -> bool:
    """Return whether print below begins with the logo's whole name and adds the branch or the trade, but no legal form."""
    return len(logo.squashed) >= _TWIN_LETTERS and printed.squashed.startswith(logo.squashed) and "legal" not in printed.classes


def _joined(best: int, segments: Sequence[HeaderSegment], chances: Mapping[int, float]) -> tuple[int, ...]:
    """Return the best segment with the neighbour that continues its name, if there is one."""
    for first, second in ((best, best + 1), (best - 1, best)):
        other = second if first == best else first
        if not 0 <= other < len(segments) or not _touch(segments[first], segments[second]):
            continue
        is_trade = other == second and bool(_TRADE_ROW.search(segments[other].folded)) and not _HAS_TRADE.search(segments[best].folded)
        if is_trade or (chances.get(other, 0.0) >= _JOINED and _continues(segments[first], segments[second])):
            return (first, second)
    return (best,)


def _touch(above: HeaderSegment, below: HeaderSegment) -> bool:
    """Return whether two segments follow each other closely in print of about the same size."""
    if above.page != below.page or below.row_index - above.row_index > 1:
        return False
    heights = sorted((above.box.height, below.box.height))
    return below.box.top - above.box.bottom < heights[0] and heights[1] < 1.6 * heights[0]


def _continues(above: HeaderSegment, below: HeaderSegment) -> bool:
    """Return whether two likely segments are one name: neither repeats the other, the upper is no sentence, the lower no other company."""
    if _overlap(above.squashed, below.squashed) or _SENTENCE.search(above.text.strip()) or _names_branch(below.folded):
        return False
    own = "legal" in below.classes and could_name(_FORM_ALONE.sub(" ", below.folded)) and not _TRADE_ROW.search(below.folded)
    return not own or "legal" in above.classes


def _with_owner(chosen: tuple[int, ...], segments: Sequence[HeaderSegment], chances: Mapping[int, float]) -> tuple[int, ...]:
    """Return the chosen segments with the likeliest one beside them where they only name a trade: `PIZZA E PASTA`, `DA LINDA`."""
    if not all(_is_trade_alone(segments[index].text) for index in chosen):
        return chosen
    near = range(max(0, chosen[0] - _OWNER_REACH), chosen[-1] + _OWNER_REACH + 1)
    owners = [index for index in near if chances.get(index, 0.0) >= _OWNER and not _is_trade_alone(segments[index].text)]
    if not owners:
        return chosen
    owner = max(owners, key=lambda index: chances[index])
    return tuple(range(min(owner, chosen[0]), max(owner, chosen[-1]) + 1))


def _is_trade_alone(text: str) -> bool:
    """Return whether a text has no words but those of trades."""
    found = re.findall(r"[^\W\d_]+", fold(text))
    return bool(found) and all(word in _TRADE_WORDS for word in found)


def _confidence(chosen: Sequence[int], segments: Sequence[HeaderSegment], chances: Mapping[int, float]) -> float:
    """Return the probability that the chosen segments are the merchant's name, from the odds of all segments and of none.

    Segments that print the same name again are no rivals.
    """
    odds = {index: float(chance) / max(1 - float(chance), 1e-6) for index, chance in chances.items()}
    own = max(odds.get(index, 0.0) for index in chosen)
    names = [segments[index].squashed for index in chosen]
    others = (odds[index] for index in odds if index not in chosen and not any(_overlap(segments[index].squashed, name) for name in names))
    return own / (own + sum(others) + _NO_NAME_ODDS)


def _overlap(one: str, other: str) -> bool:
    return one in other or other in one or _are_twins(one, other)


def _is_printed_again(name: str, chosen: Sequence[int], segments: Sequence[HeaderSegment]) -> bool:
    """Return whether the receipt confirms the spelling of the name: in another segment, or in a web address."""
    squashed = squash(name)
    others = [segment for segment in segments if segment.index not in chosen]
    hosts = (host.replace("-", "") for segment in others for host in hosts_of(segment.folded))
    return len(squashed) >= _TWIN_LETTERS and (
        any(squashed in segment.squashed for segment in others) or any(host in squashed for host in hosts if len(host) >= _TWIN_LETTERS)
    )


def by_marks(segments: Sequence[HeaderSegment]) -> Merchant | None:
    """Return the merchant where no heading is legible: by the marks of a chain, or by the thanks at the foot."""
    brand = find_brand(segments)
    if brand is not None:
        return chain_of(brand)
    for above, below in pairwise(segments):
        if match := _THANKS.search(above.folded):
            segment, start = (above, match.end()) if above.folded[match.end() :].strip() else (below, 0)
            name = clean_name(segment.text[start:])
            if could_name(fold(name)) and len(name) < _SENTENCE_LENGTH:
                return Merchant((segment,), name, 0.5)
    return None


def chain_of(brand: BrandMark, *, is_confirmed: bool = False) -> Merchant:
    """Return the merchant that a mark of a chain belongs to, by its own print where that begins with the name.

    Args:
        brand: The mark.
        is_confirmed: Whether other evidence than marks of the chain agrees, such as a logo that resembles the name.
    """
    name = clean_name(brand.row.text)
    if brand.is_printed:
        is_own = len(brand.row.text) < _SENTENCE_LENGTH and squash(name).startswith(squash(brand.name))
        return Merchant((brand.row,), name if is_own else brand.name, 0.8)
    if brand.kind is MarkKind.CONTAINED:
        return Merchant((brand.row,), brand.name, 0.8)
    return Merchant(brand.pieces, brand.name, 0.8 if is_confirmed or brand.is_confirmed else _ALIAS_CONFIDENCE, is_alias=True)


def by_host(segments: Sequence[HeaderSegment]) -> Merchant | None:
    """Return the merchant that its web address names."""
    host = find_host(segments)
    return Merchant((host[0],), host[1], 0.4) if host is not None else None


def find_host(segments: Sequence[HeaderSegment]) -> tuple[HeaderSegment, str] | None:
    """Return the segment with a web or mail address of the merchant's own and the name in it; the most frequent name counts."""
    found: dict[str, list[HeaderSegment]] = {}
    for segment in segments:
        if _WEB.search(segment.folded):
            for host in hosts_of(segment.folded):
                if len(host) >= _HOST_LETTERS and not host.isdigit() and not _FOREIGN_HOST.search(host):
                    found.setdefault(host, []).append(segment)
    if not found:
        return None
    host = max(found, key=lambda name: len(found[name]))
    return found[host][0], " ".join(_HOST_SUFFIX.sub("", _HOST_PREFIX.sub("", host)).split("-")).title()


def by_company(segments: Sequence[HeaderSegment], kept: Sequence[int]) -> Merchant | None:
    """Return the company at the top that is printed with its legal form, where only streets look like names."""
    found = next((segments[index] for index in kept if index < _TOP and "legal" in segments[index].classes), None)
    return Merchant((found,), clean_name(found.text), 0.3) if found is not None else None
