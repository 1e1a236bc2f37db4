"""What a receipt says stays in the database and the outbox: the log and monitoring never repeat it, whatever happens to the receipt."""

import io
import json
import logging
import urllib.request
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from extractor.config.settings import LogSettings, MetricsSettings, Settings
from extractor.errors import BadAnswer, ReaderUnavailable
from extractor.jobs import JobState, Source
from extractor.runtime import logs
from extractor.schemas.receipt import Item
from extractor.schemas.record import Attempt, Check, Record, RecordStatus, ReviewReason
from extractor.service.app import build_service
from extractor.service.health import HealthServer
from extractor.service.lifecycle import Service
from extractor.testing import ScriptedExtraction, make_record

MERCHANT, ADDRESS, ITEM, AMOUNT, CARD = "Zebrafink Bakery", "17 Quillwort Lane", "Marzipan hedgehog", "48151.62", "4242"
SECRETS = (MERCHANT, ADDRESS, ITEM, AMOUNT, CARD, "Zebrafink", "hedgehog")


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What the program logs at INFO, as JSON."""
    root, ours = logging.getLogger(), logging.getLogger("extractor")
    before = root.handlers[:], root.level, ours.level
    logs.configure(LogSettings(format="json"), stream := io.StringIO())
    yield stream
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


def telling_record(source: Source) -> Record:
    """A record that says everything, in every place that can hold text."""
    said = f"{MERCHANT}, {ADDRESS}: {ITEM} {AMOUNT}, card {CARD}"
    return make_record(
        source,
        status=RecordStatus.NEEDS_REVIEW,
        merchant_name=MERCHANT,
        merchant_address=ADDRESS,
        currency_code="EUR",
        total=Decimal(AMOUNT),
        items=(Item(description=ITEM, total_price=Decimal(AMOUNT)),),
        ocr_text=said,
        review_reasons=(
            ReviewReason(field="merchant_name", kind="conflict", message=said),
            ReviewReason(field=said, kind=said, message=said),
        ),
        checks=(Check(name=said, expected=said, actual=said, passed=False),),
        attempts=(Attempt(rung="first", fields=(), error=said), Attempt(rung=said, fields=(said,))),
        reader="scripted",
        model="scripted-1",
    )


def outcome(source: Source) -> Record | BadAnswer | ReaderUnavailable:
    """Each file meets another fate; what libraries raise often quotes what they were given."""
    said = f"{MERCHANT}, {ADDRESS}: {ITEM} {AMOUNT}, card {CARD}"
    if source.name == "crash.png":
        try:
            raise KeyError(said)
        except KeyError as error:
            raise ValueError(said) from error
    if source.name == "sql.png":
        raise IntegrityError("INSERT INTO receipts VALUES (?)", (said,), Exception(said))
    if source.name == "answer.png":
        return BadAnswer("The answer is not JSON.", text=said)
    if source.name == "away.png":
        return ReaderUnavailable("The model is out of memory.")
    return telling_record(source)


def test_no_line_of_the_log_repeats_a_receipt(settings: Settings, draw: Callable[..., Path], logged: io.StringIO) -> None:
    """Stored, to review, crashed, badly answered, tried again, failed, a duplicate: the log names files, states and kinds alone."""
    names = ("good.png", "crash.png", "sql.png", "answer.png", "away.png")
    for name in names:
        draw(settings.inbox_dir / name, name)
    draw(settings.inbox_dir / "good-again.png", "good.png")
    (settings.inbox_dir / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 " + MERCHANT.encode())
    service = build_service(settings, extract=ScriptedExtraction(outcome))
    service.run_once()
    assert service.archive.job_queue.counts() == {JobState.DONE: 1, JobState.DUPLICATE: 1, JobState.FAILED: 5}
    events = {json.loads(line)["event"] for line in logged.getvalue().splitlines()}
    assert {"file_taken", "receipt_stored", "reading_crashed", "receipt_failed", "file_filed"} <= events
    assert "test_privacy.py" in logged.getvalue()  # where it crashed is told
    told = logged.getvalue() + monitored(service)
    assert [secret for secret in SECRETS if secret in told] == []


def monitored(service: Service) -> str:
    """Everything that monitoring returns."""
    with HealthServer(MetricsSettings(port=0), lambda: service) as monitor:
        host, port = monitor.address
        pages = [urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=20) for path in ("/metrics", "/healthz")]
        text = "".join(page.read().decode() for page in pages)
    for page in pages:
        page.close()
    assert 'receipts_needs_review_total{kind="other"} 1.0' in text
    return text


def test_at_debug_a_crash_says_what_it_said(logged: io.StringIO) -> None:
    """Whoever asks for contents gets them."""
    logs.configure(LogSettings(level="DEBUG"), logged)
    try:
        raise ValueError(MERCHANT)
    except ValueError:
        logging.getLogger("extractor.some_module").exception("reading_crashed")
    assert MERCHANT in logged.getvalue()
