"""Currency marks and codes as printed, and which ISO 4217 currencies each can mean."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Final

from extractor.schemas.values import minor_digits

SYMBOLS: Final[Mapping[str, tuple[str, ...]]] = {
    "€": ("EUR",),
    "£": ("GBP", "GIP", "FKP", "EGP", "LBP"),
    "￡": ("GBP", "GIP", "FKP", "EGP", "LBP"),
    "¥": ("JPY", "CNY"),
    "￥": ("JPY", "CNY"),
    "円": ("JPY",),
    "元": ("CNY", "TWD", "HKD"),
    "圓": ("TWD", "HKD"),
    "원": ("KRW",),
    "₩": ("KRW",),
    "₹": ("INR",),
    "₺": ("TRY",),
    "₽": ("RUB",),
    "₴": ("UAH",),
    "₪": ("ILS",),
    "₱": ("PHP",),
    "₫": ("VND",),
    "฿": ("THB",),
    "₦": ("NGN",),
    "₡": ("CRC",),
    "₲": ("PYG",),
    "₸": ("KZT",),
    "₾": ("GEL",),
    "₼": ("AZN",),
    "₵": ("GHS",),
    "₭": ("LAK",),
    "៛": ("KHR",),
    "$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN", "ARS", "CLP", "COP", "UYU", "FJD", "JMD", "TTD", "BBD", "BSD", "NAD"),
}
"""Marks that are currency signs wherever they stand. An order of candidates is an order of how common they are, not a default."""

WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "us$": ("USD",),
    "usd$": ("USD",),
    "u.s.$": ("USD",),
    "ca$": ("CAD",),
    "can$": ("CAD",),
    "c$": ("CAD",),
    "a$": ("AUD",),
    "au$": ("AUD",),
    "nz$": ("NZD",),
    "s$": ("SGD",),
    "hk$": ("HKD",),
    "nt$": ("TWD",),
    "mx$": ("MXN",),
    "r$": ("BRL",),
    "mop$": ("MOP",),
    "fj$": ("FJD",),
    "r": ("ZAR",),
    "rm": ("MYR",),
    "rp": ("IDR",),
    "rs": ("INR", "PKR", "LKR", "NPR", "MUR"),
    "s/": ("PEN",),
    "kč": ("CZK",),
    "kc": ("CZK",),
    "zł": ("PLN",),
    "zl": ("PLN",),
    "ft": ("HUF",),
    "kn": ("HRK",),
    "kr": ("SEK", "NOK", "DKK", "ISK"),
    "skr": ("SEK",),
    "nok": ("NOK",),
    "dkr": ("DKK",),
    "лв": ("BGN",),
    "lv": ("BGN",),
    "руб": ("RUB", "BYN"),
    "р": ("RUB",),
    "грн": ("UAH",),
    "тг": ("KZT",),
    "ден": ("MKD",),
    "дин": ("RSD",),
    "din": ("RSD",),
    "lei": ("RON", "MDL"),
    "tl": ("TRY",),
    "fr": ("CHF",),
    "sfr": ("CHF",),
    "fcfa": ("XOF", "XAF"),
    "cfa": ("XOF", "XAF"),
    "ksh": ("KES",),
    "tsh": ("TZS",),
    "ush": ("UGX",),
    "dh": ("AED", "MAD"),
    "dhs": ("AED", "MAD"),
    "d.h": ("AED", "MAD"),
    "sr": ("SAR",),
    "kd": ("KWD",),
    "k.d": ("KWD",),
    "b.d": ("BHD",),
    "bd": ("BHD",),
    "qr": ("QAR",),
    "r.o": ("OMR",),
    "egp": ("EGP",),
    "le": ("EGP",),
    "nis": ("ILS",),
    "b/": ("PAB",),
    "q": ("GTQ",),
    "euro": ("EUR",),
    "euros": ("EUR",),
    "eura": ("EUR",),
    "eurot": ("EUR",),
    "baht": ("THB",),
    "บาท": ("THB",),
    "rmb": ("CNY",),
    "人民币": ("CNY",),
    "ringgit": ("MYR",),
    "rupiah": ("IDR",),
    "rupees": ("INR",),
    "peso": ("MXN", "PHP", "ARS", "CLP", "COP"),
    "pesos": ("MXN", "PHP", "ARS", "CLP", "COP"),
    "ευρω": ("EUR",),
    "ευρώ": ("EUR",),
    "đ": ("VND",),
    "vnđ": ("VND",),
    "đồng": ("VND",),
    "د.إ": ("AED",),
    "درهم": ("AED", "MAD"),
    "ر.س": ("SAR",),
    "ريال": ("SAR", "QAR", "YER"),
    "د.ك": ("KWD",),
    "دينار": ("KWD", "BHD", "JOD", "IQD", "LYD", "DZD"),
    "ج.م": ("EGP",),
    "جنيه": ("EGP", "SDG"),
    "د.أ": ("JOD",),
}
"""Letters that mean a currency when they touch an amount or stand alone beside it (casefolded, without a trailing dot)."""

CODES: Final[frozenset[str]] = frozenset(
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP "
    "CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD "
    "JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO "
    "NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS "
    "TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW".split()
)
"""ISO 4217 codes of circulating currencies, and HRK, which older Croatian receipts carry. Source: ISO 4217, table A.1."""

SHOUTED: Final[frozenset[str]] = frozenset("ALL TOP TRY CUP PEN SOS LAK GEL MAD COP BAM ANG MOP SLE SCR AMD".split())
"""Codes that are also words in capitals; they count only where they touch an amount."""


@cache
def _habits() -> Mapping[str, Any]:
    text = resources.files("extractor.parsing").joinpath("data", "currencies.toml").read_text(encoding="utf-8")
    return MappingProxyType(tomllib.loads(text))


@cache
def cash_steps() -> Mapping[str, Decimal]:
    """What totals paid in cash are rounded to, by ISO 4217 code; currencies that are paid to their minor unit are not listed."""
    return MappingProxyType({code: Decimal(step) for code, step in _habits()["cash_steps"].items()})


@cache
def has_decimals(code: str) -> bool:
    """Whether receipts in this currency print amounts with decimals."""
    return minor_digits(code) > 0 and code not in _habits()["whole_amounts"]


@dataclass(frozen=True)
class CurrencyMark:
    """A mark in a text: the characters from `start` to `end`, and the ISO codes that it can mean."""

    text: str
    start: int
    end: int
    candidates: tuple[str, ...]


def candidates_of(mark: str) -> tuple[str, ...]:
    """ISO 4217 codes that a printed mark, word or code can mean, commonest first; empty where it is not a known mark."""
    stripped = mark.strip().strip(":.()[]").strip()
    if stripped.upper() in CODES:
        return (stripped.upper(),)
    return WORDS.get(stripped.casefold()) or SYMBOLS.get(stripped) or ()


def _alternatives(marks: Mapping[str, object]) -> str:
    return "|".join(re.escape(mark) for mark in sorted(marks, key=len, reverse=True))


_LETTER: Final = r"[^\W\d_]"
_BEFORE_ONLY: Final = "r"
_CODES: Final = "|".join(rf"(?<!SDN\s)(?<!SDN\.){code}" if code == "BHD" else code for code in sorted(CODES))
"""Codes count in capitals only; BHD behind SDN is a Malaysian company."""
_NAMES: Final = f"{_alternatives({word: None for word in WORDS if word != _BEFORE_ONLY})}|(?-i:{_CODES})"
_SIGNS: Final = re.escape("".join(SYMBOLS))
_ANY: Final = rf"(?:(?<!{_LETTER})(?:{_NAMES})(?!{_LETTER})\.?|(?:us|ca|au|nz|hk|nt|mx)?[{_SIGNS}])"
_RAND: Final = rf"(?<!{_LETTER})R"
"""One letter that is a mark only in front of an amount; behind one it is a tax letter."""
BEFORE: Final = re.compile(rf"(?P<mark>{_ANY}|{_RAND})\s?[:=]?\s?[-−–(*]?\s?$", re.IGNORECASE)
"""Matches a text that ends in a mark, as in front of an amount."""
AFTER: Final = re.compile(rf"\s?(?P<mark>{_ANY})", re.IGNORECASE)
"""Matches a mark at a position, as behind an amount."""
_MARK: Final = re.compile(_ANY, re.IGNORECASE)
_RAND_MARK: Final = re.compile(rf"{_RAND}(?=\s?\d+[.,\s]\d)")
_BESIDE: Final = 40
"""Characters in front of a mark that may be its amount."""
_NEXT_TO_AMOUNT: Final = (
    re.compile(rf"\s*+[:=]?\s*+[-−–(*]?\s*+[\d.,]*\d(?![\d_]|{_LETTER}{{3}})"),  # in `FR1EDENSPLATZ` is no amount
    re.compile(r"\d[.,\-]*\s?$"),
)


def find_marks(text: str) -> tuple[CurrencyMark, ...]:
    """Every currency mark in a line of print, left to right.

    Letters count only where they touch an amount, stand in brackets as in `Amount (RM)`, or are an ISO code.
    """
    found = []
    for match in sorted((*_MARK.finditer(text), *_RAND_MARK.finditer(text)), key=re.Match.start):
        mark, start, end = match.group(), match.start(), match.end()
        is_attached = bool(_NEXT_TO_AMOUNT[0].match(text, end) or _NEXT_TO_AMOUNT[1].search(text, max(0, start - _BESIDE), start))
        is_code = mark in CODES and mark not in SHOUTED
        is_sign = mark[-1] in SYMBOLS
        is_bracketed = text[start - 1 : start] in tuple("([（") and text[end : end + 1] in tuple(")]）")
        if candidates_of(mark) and (is_attached or is_code or is_sign or is_bracketed):
            found.append(CurrencyMark(mark, start, end, candidates_of(mark)))
    return tuple(found)
