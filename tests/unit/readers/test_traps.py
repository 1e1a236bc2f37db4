"""Typed receipts that name a place or a chain where it says nothing: each is read right or left open, and never decided by that name."""

import json
import tomllib
from pathlib import Path

import pytest

from extractor.config.settings import LocaleSettings
from extractor.readers.answer_parser import parse_answer
from extractor.readers.rules.ocr_reader import read_fields
from extractor.schemas.receipt import Receipt
from extractor.schemas.record import ReasonKind
from extractor.schemas.values import FieldEvidence, Origin
from extractor.validation.confidence import THRESHOLDS
from extractor.validation.decision import Facts, decide
from extractor.validation.normalisation import Normalised, normalise
from tests.transcripts import typed

FOLDER = Path(__file__).parents[2] / "typed_receipts/traps"
RECEIPTS = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.toml")}


def read(text: str) -> Normalised:
    """The values of a typed page and their evidence."""
    page = typed(text)
    part = read_fields([page])
    answer = parse_answer(json.dumps(part.values, ensure_ascii=False)).answer
    return normalise(answer, part.evidence, (page,), origin=Origin.OCR, preferences=LocaleSettings())


def is_believed(name: str, evidence: FieldEvidence | None) -> bool:
    """Whether a field is sure enough to be accepted where a second look agrees."""
    return evidence is not None and (evidence.confidence or 0.0) >= THRESHOLDS[name].backed


@pytest.mark.parametrize("name", sorted(RECEIPTS))
def test_a_name_decides_nothing_alone(name: str) -> None:
    """What is expected is read; where the currency is open, an issue says so and no country is claimed."""
    expected = RECEIPTS[name]
    result = read(expected["text"])
    found = {field: _text(result.receipt, field, value) for field, value in expected["answer"].items()}
    assert found == expected["answer"]
    facts = Facts(result.receipt, result.fields, unparsed=result.unparsed, currency_candidates=result.currency_candidates)
    doubts = [issue for issue in decide(facts).issues if issue.field == "currency_code" and issue.kind is ReasonKind.AMBIGUOUS]
    is_open = result.receipt.currency_code is None or bool(doubts)
    assert is_open == expected["open"]["currency"]
    assert result.receipt.merchant_country is None or not is_open


@pytest.mark.parametrize("name", ["kaufhand", "decathlan", "annas-fish", "advertisement-alone"])
def test_the_printed_name_is_the_evidence(name: str) -> None:
    """The merchant's raw text is what the receipt prints, and its origin is no alias."""
    evidence = read(RECEIPTS[name]["text"]).fields["merchant_name"]
    assert (evidence.raw_text, evidence.origin) == (RECEIPTS[name]["answer"]["merchant_name"], Origin.OCR)


def test_an_alias_alone_is_not_believed() -> None:
    """A chain's web address at the foot proposes its name as an alias, with less confidence than a second look could confirm."""
    text = (
        "12\n2750 N HOLLY ROAD\nFRESNO, CA 93999\n" + "Hammer  9.50\nSUBTOTAL  9.50\nTOTAL  $9.50\nCASH  $9.50\nwww.homedepot.com/survey\n"
    )
    result = read(text)
    evidence = result.fields["merchant_name"]
    assert result.receipt.merchant_name == "The Home Depot"
    assert (evidence.origin, evidence.raw_text) == (Origin.ALIAS, "www.homedepot.com/survey")
    assert not is_believed("merchant_name", evidence)


def _text(receipt: Receipt, field: str, like: str) -> str:
    value = getattr(receipt, field)
    return f"{value:.2f}" if field == "total" else str(value)
