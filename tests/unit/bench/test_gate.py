"""The accuracy gate: what makes it fail, and what it says about it."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from bench.gate.__main__ import limits_table, verdict
from bench.gate.baseline import MARGIN, PATH, WRONG_ACCEPTED, Baseline, Outcome
from bench.gate.rendering import gate_receipts
from extractor.evaluation.scoring import Truth
from extractor.jobs import Source
from extractor.schemas.record import RecordStatus
from extractor.testing import make_record
from training.render import IMAGE_TYPES

RIGHT = Outcome({"total": True, "merchant": True, "date": True}, (2, 2, 2), is_accepted=True)


def outcomes(changed: dict[int, Outcome] | None = None) -> dict[str, Outcome]:
    """Twenty receipts, all right but those given by number."""
    return {f"{number:03}": (changed or {}).get(number, RIGHT) for number in range(20)}


def failed(baseline: Baseline, now: dict[str, Outcome]) -> list[str]:
    return [each.name for each in baseline.measures(now) if not each.is_kept]


def test_a_change_that_helps_one_receipt_and_hurts_ten_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """The floors allow for a margin, not for a net loss beyond it; the receipts that got worse are named."""
    wrong = replace(RIGHT, fields={**RIGHT.fields, "total": False}, is_accepted=False)
    baseline = Baseline.of(outcomes({0: wrong}))
    now = outcomes(dict.fromkeys(range(1, 11), wrong))
    measures = baseline.measures(now)
    assert verdict(baseline, now, measures) == 1
    printed = capsys.readouterr().out
    assert "10 receipts got worse and 1 better" in printed
    assert all(f"{number:03} " in printed for number in range(1, 11))
    assert {"total", "accepted"} <= set(failed(baseline, now))
    assert "FAILED" in limits_table(measures)


def test_the_margin_is_allowed_and_no_more() -> None:
    """As many receipts as the margin may get worse in a field."""
    wrong = replace(RIGHT, fields={**RIGHT.fields, "date": False}, is_accepted=False)
    baseline = Baseline.of(outcomes())
    assert failed(baseline, outcomes(dict.fromkeys(range(MARGIN), wrong))) == []
    assert "date" in failed(baseline, outcomes(dict.fromkeys(range(MARGIN + 1), wrong)))


def test_an_accepted_record_with_a_wrong_merchant_counts_as_wrong() -> None:
    """The ceiling counts merchant, date, total and currency; a wrong record that is not accepted does not count."""
    wrong = replace(RIGHT, fields={**RIGHT.fields, "merchant": False})
    baseline = Baseline.of(outcomes())
    assert WRONG_ACCEPTED in failed(baseline, outcomes(dict.fromkeys(range(MARGIN + 1), wrong)))
    assert not replace(wrong, is_accepted=False).is_wrongly_accepted
    assert wrong.losses(RIGHT) == ("merchant", "ACCEPTED AND WRONG")


def test_outcomes_come_from_the_evaluation() -> None:
    """An outcome is what `extractor.evaluation.scoring` says of the record; an unreadable receipt has every labelled field wrong."""
    now = datetime(2026, 1, 2, tzinfo=UTC)
    source = Source(Path("a.jpg"), "a.jpg", "0" * 64, "0" * 26, now)
    record = make_record(source, merchant_name="Kopi", total=Decimal(5), transaction_date=date(2026, 1, 2), status=RecordStatus.ACCEPTED)
    truth = Truth(image="a", merchant="Kopi", total="5.00", date=date(2026, 1, 3))
    assert Outcome.of(truth, record) == Outcome({"merchant": True, "date": False, "total": True}, (0, 0, 0), is_accepted=True)
    assert not any(Outcome.of(truth, None).fields.values())


def test_a_baseline_survives_the_file(tmp_path: Path) -> None:
    """What is saved is what is loaded, one line for each receipt."""
    wrong = replace(RIGHT, fields={"total": False}, items=(1, 2, 3))
    baseline = Baseline.of(outcomes({3: wrong}))
    baseline.save(tmp_path / "baseline.json")
    assert Baseline.load(tmp_path / "baseline.json") == baseline
    assert sum('"right"' in line for line in (tmp_path / "baseline.json").read_text(encoding="utf-8").splitlines()) == 20


def test_the_committed_baseline_is_of_the_receipts_of_the_gate() -> None:
    """It names every receipt of the gate, at least 30 countries on every image type, and its limits follow from its outcomes."""
    baseline = Baseline.load(PATH)
    receipts = gate_receipts()
    assert list(baseline.outcomes) == [one.name for one in receipts]
    assert len({one.country for one in receipts}) >= 30
    assert {one.image_type for one in receipts} == set(IMAGE_TYPES)
    assert baseline == Baseline.of(baseline.outcomes)
