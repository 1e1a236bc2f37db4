"""Which of a receipt's rows name the merchant: pieces scored by a trained model, neighbours joined where a name is broken in two."""

import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Final

import numpy as np

from extractor.parsing.dates.months import fold
from extractor.readers.rules.chains import BrandMark, MarkKind, chain_of_slogan, find_brand, has_slogan, resembles_chain
from extractor.readers.rules.lexicon import words
from extractor.readers.rules.merchant_marks import ALIAS_ALONE, Merchant, by_company, by_host, by_marks, chain_of, hosts_of
from extractor.readers.rules.merchant_names import clean_name, could_name, is_note, is_slip_of
from extractor.readers.rules.segments import HeaderSegment, is_branch, is_candidate, is_place_alone, squash
from extractor.readers.rules.trees import trees

WEIGHTS: Final = "header.json"
_JOINED = 0.5
"""Probability from which a neighbour is part of the name: it must be likelier than not that both were labelled as one."""
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
_DOUBTED = 0.6
"""Probability below which the row of a company with its legal form is better than a likelier one without."""
_UNSURE, _HOPELESS = 0.3, 0.03
"""Probabilities below which other evidence than the heading is asked first, and below which even a web address is better."""
_REACH = 3
"""How many pieces above and below are asked whether the address begins there."""
_LOGO = 0.6
"""How alike a misread logo and the chain's name have to be."""
_HEAD, _BRAND = 12, 0.85
"""Pieces at the top among which a chain's printed name wins against a less probable one."""
_VARIED = 0.15
_NEAR, _TWIN, _NAMED, _SIMILAR = 3, 0.15, 5, 0.75
"""How near below a logo, how probable, how long and how alike the same name in print has to be."""
_UNSPACED = 0.3
_ONCE = 0.89
"""The most that is claimed for a name that is printed once: which letters it has, one reading does not prove."""
_BESIDE, _OWNER = 2, 0.1
"""How many pieces above and below a trade may name its owner, and how probable such a piece has to be."""
_SENTENCE = re.compile(r"[^\W\d_]{5,}\.$")
"""Matches the end of a slogan; abbreviations are shorter."""
_HOUSE, _TOWN = re.compile(r"[^\W\d_]{3,} \d{1,3}[a-z]?$"), re.compile(r"\W?\d{4,6} ?[^\W\d_]{3,}")
"""Match the end of a street with its house number, and the beginning of the town with its postal code below it."""
# The most that is claimed for a slogan, a street, a trade without a name, a name beside another chain's mark or one letter from a chain's,
# or a piece that is hardly like a name: less than what two looks that agree are accepted with.
_NOBODY = 0.5
_LEAST = 0.1
"""Confidence below which a name is none: of names claimed with less on labelled photos none is right."""
_NONE = 0.1
"""Odds, beside those of the pieces, that no piece names the merchant. With it, of names that are claimed with 0.6 on labelled photos of
other origin than the training data, more than nine in ten are right."""


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


def find_merchant(rows: Sequence[HeaderSegment], matrix: np.ndarray) -> Merchant | None:
    """The merchant's name; `None` where no piece can be one.

    Args:
        rows: All pieces of the receipt.
        matrix: Their features, from `merchant_features`.
    """
    is_unspaced = _is_unspaced(rows)
    kept = [
        index
        for index, (row, below) in enumerate(zip(rows, (*rows[1:], None), strict=True))
        if is_candidate(index, len(rows)) and _is_possible(row, below, is_unspaced=is_unspaced)
    ]
    chances = dict(zip(kept, trees(WEIGHTS, "merchant").probabilities(matrix[kept]), strict=True)) if kept else {}
    best = max(kept, key=lambda index: chances[index], default=None)
    brand = find_brand(_heading(rows))
    if brand is not None and not brand.is_printed and _has_logo(rows, brand):
        brand = replace(brand, is_confirmed=True)
    if brand is not None and _is_chain(brand, None if best is None else rows[best], 0.0 if best is None else float(chances[best])):
        return chain_of(brand)
    known = find_brand(rows)
    if best is not None and known is not None and _is_its_logo(rows[best], known):
        return chain_of(known, is_confirmed=True)
    if best is None or chances[best] < _UNSURE:
        fallback = by_marks(rows)
        if fallback is None and (best is None or chances[best] < _HOPELESS):
            fallback = by_host(rows)
        if fallback is None and best is not None and chances[best] < _TWIN and rows[best].classes & {"street", "postal"}:
            fallback = by_company(rows, kept)
        if fallback is not None or best is None or _confidence((best,), rows, chances) < _LEAST:
            return fallback
    best = _before_slogan(_company(best, rows, chances), rows, chances)
    chosen = _with_owner(_joined(_printed_twin(best, rows, chances), rows, chances), rows, chances)
    own = [rows[index] for index in chosen]
    name = " ".join(filter(None, (clean_name(row.text) for row in own)))
    name = completed(respelled(name, own, rows), own, rows)
    if chain := chain_of_slogan(name):
        return Merchant(tuple(own), chain, ALIAS_ALONE, is_alias=True)
    sure = 1.0 if _is_printed_again(name, chosen, rows) else _ONCE
    is_unlikely = max(chances.get(index, 0.0) for index in chosen) < _TWIN
    below = rows[chosen[-1] + 1].text if chosen[-1] + 1 < len(rows) else ""
    is_street = _HOUSE.search(name) and _TOWN.match(below)
    is_doubtful = any(resembles_chain(row) for row in own) or (brand is not None and squash(brand.name) not in squash(name))
    if is_unlikely or is_street or is_doubtful or _is_trade_alone(name) or _SENTENCE.search(name):
        sure = _NOBODY
    return Merchant(tuple(rows[index] for index in chosen), name, min(sure, _confidence(chosen, rows, chances)))


def _confidence(chosen: Sequence[int], rows: Sequence[HeaderSegment], chances: dict[int, float]) -> float:
    """How likely the chosen pieces are the merchant's name, one piece being it, or none: what no other piece looks like is it more likely.

    Pieces that print the same name again are no rivals.
    """
    odds = {index: float(chance) / max(1 - float(chance), 1e-6) for index, chance in chances.items()}
    own = max(odds.get(index, 0.0) for index in chosen)
    names = [rows[index].squashed for index in chosen]
    others = (odds[index] for index in odds if index not in chosen and not any(_is_same(rows[index].squashed, name) for name in names))
    return own / (own + sum(others) + _NONE)


def _is_same(one: str, other: str) -> bool:
    return one in other or other in one or _are_twins(one, other)


def _is_printed_again(name: str, chosen: Sequence[int], rows: Sequence[HeaderSegment]) -> bool:
    """Whether the receipt confirms how the name is written: in another piece, or in a web address."""
    squashed = squash(name)
    others = [row for row in rows if row.index not in chosen]
    hosts = (host.replace("-", "") for row in others for host in hosts_of(row.folded))
    return len(squashed) >= _NAMED and (
        any(squashed in row.squashed for row in others) or any(host in squashed for host in hosts if len(host) >= _NAMED)
    )


def _heading(rows: Sequence[HeaderSegment]) -> Sequence[HeaderSegment]:
    """The pieces at the top, above the first amount: below it, a chain may be printed in an advertisement."""
    amounts = (row.index for row in rows[:_HEAD] if "amount" in row.classes)
    return rows[: next(amounts, _HEAD)]


def _is_chain(brand: BrandMark, best: HeaderSegment | None, chance: float) -> bool:
    """Whether a chain's mark in the heading names the merchant rather than the likeliest piece.

    A printed name takes precedence over a less probable piece, an alias only over a piece that is hardly a name or belongs to the chain.
    """
    if best is None or _is_beside(best, brand) or _is_its_logo(best, brand):
        return True
    return chance < (_BRAND if brand.kind >= MarkKind.CONTAINED else _DOUBTED if brand.is_confirmed else _UNSURE)


def _is_beside(row: HeaderSegment, brand: BrandMark) -> bool:
    """Whether a piece is the chain's printed name, or a neighbour of it: its slogan, its branch."""
    return row in brand.rows or has_slogan(row.squashed, brand.name) or (brand.is_printed and abs(row.index - brand.row.index) == 1)


def _is_its_logo(row: HeaderSegment, brand: BrandMark) -> bool:
    """Whether a piece is what OCR made of the logo of a chain that is known by its slogan or host."""
    names = (squash(brand.name), squash(brand.name.split()[0]))
    return not brand.is_printed and any(SequenceMatcher(None, row.squashed, name, autojunk=False).ratio() >= _LOGO for name in names)


def _has_logo(rows: Sequence[HeaderSegment], brand: BrandMark) -> bool:
    """Whether one of the first pieces is what OCR read of the chain's logo."""
    return any(_is_its_logo(row, brand) for row in rows[:_NEAR] if row not in brand.pieces)


def _is_possible(row: HeaderSegment, below: HeaderSegment | None, *, is_unspaced: bool) -> bool:
    """Whether the piece can be a name at all: words of somebody, no amount, no street, in the receipt's script.

    A place alone is one only above its trade: `Milano`, `Restaurant`.
    """
    name = clean_name(row.text)
    if sum(character.isalpha() for character in name) < 2 or not could_name(row.folded) or not row.is_print or _is_form_alone(name):
        return False
    if row.classes & {"amount", "date", "time"} or ("web" in row.classes and "legal" not in row.classes):
        return False
    if is_note(row.text.strip()) or _names_staff(row.folded) or _PRICE.search(row.text) or not could_name(_STORE.sub(" ", row.folded)):
        return False
    is_above_trade = below is not None and bool(_TRADE_ROW.search(below.folded))
    if (is_place_alone(row.folded) and not is_above_trade) or is_branch(row.text):
        return False
    if {"house", "street"} <= row.classes and row.text.lstrip()[:1].isdigit():
        return False
    unspaced = sum(character > "\u2e80" for character in row.text)
    return unspaced * 3 < len(row.text) or is_unspaced


def _names_staff(folded: str) -> bool:
    """Whether a text names who served, also where the first word is misread."""
    first = re.match(r"\W*([^\W_]+)", folded)
    return bool(_STAFF.search(folded)) or (first is not None and any(is_slip_of(first[1], known) for known in _STAFF_FIRST))


def _is_form_alone(name: str) -> bool:
    """Whether a legal form is all that is left of a company's name."""
    return len(squash(_LEGAL_WORDS.sub(" ", fold(name)))) < 2


def _is_unspaced(rows: Sequence[HeaderSegment]) -> bool:
    """Whether the receipt is in a script without spaces; elsewhere OCR makes such characters of rules, always the same few."""
    found = [character for row in rows for character in row.text if character > "\u2e80"]
    letters = sum(row.letters for row in rows)
    return len(found) > _UNSPACED * letters and len(set(found)) > _VARIED * len(found)


def _company(best: int, rows: Sequence[HeaderSegment], chances: dict[int, float]) -> int:
    """The company's own row where the best piece is hardly one; else the best piece itself."""
    if (chances[best] >= _DOUBTED and not _names_branch(rows[best].folded)) or "legal" in rows[best].classes:
        return best
    legal = [index for index in chances if index < _HEAD and "legal" in rows[index].classes and chances[index] >= _TWIN]
    return max(legal, key=lambda index: chances[index], default=best)


def _names_branch(folded: str) -> bool:
    """Whether a text begins with a word for a shop of a company."""
    first = folded.split(maxsplit=1)[:1]
    return bool(first) and first[0].strip(".:") in words("names", "branches")


def _before_slogan(best: int, rows: Sequence[HeaderSegment], chances: dict[int, float]) -> int:
    """The likely piece beside the best one where that is a sentence: of `VIELFALT.` and `HIT 100 Leipzig` the second."""
    if not _SENTENCE.search(rows[best].text.strip()):
        return best
    near = [index for index in range(best - _BESIDE, best + _BESIDE + 1) if chances.get(index, 0.0) >= _UNSURE]
    named = [index for index in near if not _SENTENCE.search(rows[index].text.strip()) and not _is_trade_alone(rows[index].text)]
    return max(named, key=lambda index: chances[index], default=best)


def _printed_twin(best: int, rows: Sequence[HeaderSegment], chances: dict[int, float]) -> int:
    """The piece below a logo that prints the same name in ordinary type, which OCR reads better; else the best piece itself."""
    if "legal" in rows[best].classes:
        return best
    for other in range(best + 1, best + 1 + _NEAR):
        if chances.get(other, 0.0) >= _TWIN and _are_twins(rows[best].squashed, rows[other].squashed):
            return other
        if chances.get(other, 0.0) >= _JOINED and _is_longer(rows[best], rows[other]):
            return other
    return best


def _are_twins(logo: str, printed: str) -> bool:
    is_same_length = abs(len(logo) - len(printed)) * 4 <= len(logo) and len(logo) >= _NAMED
    return is_same_length and SequenceMatcher(None, logo, printed, autojunk=False).ratio() >= _SIMILAR


def _is_longer(logo: HeaderSegment, printed: HeaderSegment) -> bool:
    """Whether print below begins with the logo's whole name and adds to it: the branch, the trade, but no legal form."""
    return len(logo.squashed) >= _NAMED and printed.squashed.startswith(logo.squashed) and "legal" not in printed.classes


def _joined(best: int, rows: Sequence[HeaderSegment], chances: dict[int, float]) -> tuple[int, ...]:
    """The best piece with the neighbour that continues its name, if there is one."""
    for first, second in ((best, best + 1), (best - 1, best)):
        other = second if first == best else first
        if not 0 <= other < len(rows) or not _touch(rows[first], rows[second]):
            continue
        is_trade = other == second and bool(_TRADE_ROW.search(rows[other].folded)) and not _TRADE_WORD.search(rows[best].folded)
        if is_trade or (chances.get(other, 0.0) >= _JOINED and _continues(rows[first], rows[second])):
            return (first, second)
    return (best,)


def _with_owner(chosen: tuple[int, ...], rows: Sequence[HeaderSegment], chances: dict[int, float]) -> tuple[int, ...]:
    """The chosen pieces with the likeliest one beside them where they name nothing but a trade: `PIZZA E PASTA`, `L'OSTERIA`."""
    if not all(_is_trade_alone(rows[index].text) for index in chosen):
        return chosen
    near = range(max(0, chosen[0] - _BESIDE), chosen[-1] + _BESIDE + 1)
    owners = [index for index in near if chances.get(index, 0.0) >= _OWNER and not _is_trade_alone(rows[index].text)]
    if not owners:
        return chosen
    owner = max(owners, key=lambda index: chances[index])
    return tuple(range(min(owner, chosen[0]), max(owner, chosen[-1]) + 1))


def _is_trade_alone(text: str) -> bool:
    """Whether a text has no words but those of trades."""
    found = re.findall(r"[^\W\d_]+", fold(text))
    return bool(found) and all(word in words("names", "trades") for word in found)


def _touch(above: HeaderSegment, below: HeaderSegment) -> bool:
    """Whether two pieces follow each other closely in print of about the same size."""
    if above.page != below.page or below.row - above.row > 1:
        return False
    heights = sorted((above.box.height, below.box.height))
    return below.box.top - above.box.bottom < heights[0] and heights[1] < 1.6 * heights[0]


def _continues(above: HeaderSegment, below: HeaderSegment) -> bool:
    """Whether two likely pieces are one name: neither repeats the other, the upper is no sentence, the lower no branch or other company."""
    if _is_same(above.squashed, below.squashed) or _SENTENCE.search(above.text.strip()) or _names_branch(below.folded):
        return False
    own = "legal" in below.classes and could_name(_LEGAL_WORDS.sub(" ", below.folded)) and not _TRADE_ROW.search(below.folded)
    return not own or "legal" in above.classes


_WORD = re.compile(r"[^\W\d_]{4,}")
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_LONG, _HIDDEN = 5, 2
"""Letters of a name that is looked for in other words, at least, and letters in front of it, at most."""
_SAME = 0.75
"""How alike, legal forms aside, two pieces are that print one name."""
_FORM = re.compile(r"\b(?:sdn|bhd|berhad|co|company|ltd|limited|llc|inc|corp|plc|pte|pvt|pty|gmbh|kg|ag|srl|sa|sas)\b")


def respelled(name: str, own: Sequence[HeaderSegment], rows: Sequence[HeaderSegment]) -> str:
    """The name with single letters put right: `Marsh & Cone` above `Marsh Cope Ltd` is `Marsh & Cope`, if the lower row is the surer one.

    Args:
        own: The pieces that the name was read from.
        rows: All pieces.
    """
    sure = min(row.confidence for row in own)
    twins = [row for row in rows if row not in own and row.confidence > sure and _is_same_name(name, row.text)]
    return _WORD.sub(lambda match: _word(match.group(), twins), name) if twins else name


def completed(name: str, own: Sequence[HeaderSegment], rows: Sequence[HeaderSegment]) -> str:
    """The name with its first letters where a logo hid them: `ineStar` above `Leipzig CineStar` is `CineStar`; one word only.

    Args:
        own: The pieces that the name was read from.
        rows: All pieces.
    """
    squashed = squash(name)
    if len(squashed) < _LONG or " " in name:
        return name
    printed = (word for row in rows if row not in own and "web" not in row.classes for word in _TOKEN.findall(row.text))
    whole = (word for word in printed if 0 < len(squash(word)) - len(squashed) <= _HIDDEN and squash(word).endswith(squashed))
    return next((word for word in whole if word[0].isupper()), name)  # a stain in front of the same name is no capital


def _is_same_name(one: str, other: str) -> bool:
    a, b = (squash(_FORM.sub(" ", fold(text))) for text in (one, other))
    return bool(a and b) and abs(len(a) - len(b)) * 4 <= len(a) and SequenceMatcher(None, a, b, autojunk=False).ratio() >= _SAME


def _word(word: str, twins: Sequence[HeaderSegment]) -> str:
    """The word, or with one other letter the one word that the twins print in its place."""
    printed = {found for row in twins for found in _WORD.findall(row.text)}
    if fold(word) in map(fold, printed):
        return word
    near = {fold(found): found for found in printed if len(found) == len(word) and _differences(fold(word), fold(found)) == 1}
    if len(near) != 1:
        return word
    [found] = near.values()
    return "".join(_in_case(theirs, ours) if fold(ours) != fold(theirs) else ours for ours, theirs in zip(word, found, strict=True))


def _differences(one: str, other: str) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True)) if len(one) == len(other) else len(one)


def _in_case(letter: str, like: str) -> str:
    return letter.upper() if like.isupper() else letter.lower()
