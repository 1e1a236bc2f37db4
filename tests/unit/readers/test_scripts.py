"""Receipts in Cyrillic, Greek and Thai: what `tests/scripts` prints is understood, also where single letters are misread."""

import tomllib
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from extractor.config.settings import LocaleSettings
from extractor.parsing.dates.months import fold
from extractor.readers.rules.ocr_reader import read_fields
from extractor.schemas.answer import ReceiptAnswer
from extractor.schemas.receipt import Receipt
from extractor.schemas.values import Origin
from extractor.validation.normalisation import normalise
from tests.transcripts import typed

RECEIPTS = {
    path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in (Path(__file__).parents[2] / "typed_receipts").glob("*.toml")
}
TABLES = ("extractor/parsing/data/languages.toml", "extractor/parsing/data/countries.toml", "extractor/readers/rules/header_words.toml")


def read(text: str) -> Receipt:
    """What a typed page says."""
    page = typed(text)
    part = read_fields([page])
    answer = ReceiptAnswer.model_validate(part.values)
    return normalise(answer, part.evidence, (page,), origin=Origin.OCR, preferences=LocaleSettings()).receipt


def said(receipt: Receipt, name: str, like: Any) -> Any:
    """A field in the form of the expected one."""
    if name == "items":
        return [[item.description, str(item.total_price)] for item in receipt.items]
    if name == "payments":
        return [str(payment.amount) for payment in receipt.payments]
    value = getattr(receipt, name)
    if isinstance(value, Decimal):
        return str(value.quantize(Decimal(like)))
    return value.isoformat()[: len(like)] if isinstance(value, date | time) else value


@pytest.mark.parametrize("name", sorted(RECEIPTS))
def test_receipts_are_understood(name: str) -> None:
    """Every field that the receipt prints is read, and its date has one meaning."""
    receipt = read(RECEIPTS[name]["text"])
    expected = RECEIPTS[name]["answer"]
    assert {field: said(receipt, field, value) for field, value in expected.items()} == expected
    assert not receipt.date_ambiguous


@pytest.mark.parametrize("table", TABLES)
def test_tables_can_match_folded_text(table: str) -> None:
    """Patterns are looked for in folded text, so their Cyrillic, Greek and Thai letters are folded, too."""
    text = (Path(__file__).parents[3] / table).read_text(encoding="utf-8")
    unfolded = {word for word in text.split() if any("\u0370" <= c < "\u0e80" and fold(c) != c for c in word)}
    assert unfolded == set()
