"""What the process counts, and that no text of a receipt can become a label."""

from collections.abc import Iterator

import pytest

from extractor.errors import BadAnswer
from extractor.extraction.reask import LADDER
from extractor.runtime.telemetry import BOUNDS, OTHER, RUNGS, Telemetry
from extractor.schemas.record import Attempt, RecordStatus, ReviewReason
from extractor.testing import ManualClock, make_record


def test_stages_share_the_time_of_a_batch(clock: ManualClock) -> None:
    """Four receipts in two seconds are four times half a second; what raises is counted too."""
    telemetry = Telemetry(clock.monotonic)
    for _ in telemetry.timed("read", _batch(clock, 4, seconds=2)):
        clock.advance(100)  # what the caller does meanwhile does not count
    with pytest.raises(ZeroDivisionError), telemetry.stage("read"):
        _break_after(clock, 5000)
    read = telemetry.counts().stages["read"]
    assert (read.counts[BOUNDS.index(1.0)], read.counts[-1], read.sum) == (4, 1, 5002)


def test_a_bound_belongs_to_its_bucket(clock: ManualClock) -> None:
    """Prometheus counts what took as long as the bound below the bound."""
    telemetry = Telemetry(clock.monotonic)
    with telemetry.stage("store"):
        clock.advance(BOUNDS[3])
    assert telemetry.counts().stages["store"].counts.index(1) == 3


def test_a_stored_record_is_counted_by_kind() -> None:
    """Status, questions by rung, whether it was asked again, and each kind of reason once a record."""
    telemetry = Telemetry()
    reasons = [ReviewReason(field=field, kind="missing", message="m") for field in ("total", "merchant_name")]
    attempts = [Attempt(rung=rung, fields=()) for rung in ("first", "again")]
    telemetry.stored(make_record(status=RecordStatus.NEEDS_REVIEW, review_reasons=tuple(reasons), attempts=tuple(attempts), model="m"))
    telemetry.stored(make_record(attempts=tuple(attempts[:1])))
    telemetry.failed(BadAnswer("no JSON", text="{"))
    counts = telemetry.counts()
    assert counts.receipts == {"needs_review": 1, "accepted": 1}
    assert counts.questions == {"first": 2, "again": 1}
    assert (counts.asked_again, counts.review, counts.failures) == (1, {"missing": 1}, {"BadAnswer": 1})
    assert counts.reader == ("scripted", "")


def test_unknown_names_never_become_labels() -> None:
    """Whatever a reader manages to put in the place of a kind or rung, it is counted as `other`."""
    telemetry = Telemetry()
    record = make_record(
        review_reasons=(ReviewReason(field="total", kind="TOTAL 12.50", message="m"),), attempts=(Attempt(rung="Tea & Co", fields=()),)
    )
    telemetry.stored(record)
    assert (telemetry.counts().review, telemetry.counts().questions) == ({OTHER: 1}, {OTHER: 1})


def test_the_ladder_is_known() -> None:
    """The copy of the rungs' names cannot fall behind."""
    assert {"first", *(rung.name for rung in LADDER)} == RUNGS


def _batch(clock: ManualClock, receipts: int, *, seconds: float) -> Iterator[int]:
    """Results of a reader that needs some time for a batch, and gives all of them at its end."""
    clock.advance(seconds)
    yield from range(receipts)


def _break_after(clock: ManualClock, seconds: float) -> None:
    clock.advance(seconds)
    raise ZeroDivisionError
