"""Fuzz targets. Each takes any bytes and raises only if a guarantee is violated."""

import json
import logging
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final

from PIL import Image

from extractor.cli.terminal import safe
from extractor.config.settings import LocaleSettings, load_settings
from extractor.documents import Page, PageLimits, check_complete, display_name
from extractor.documents.formats import detect_format, find_truncation
from extractor.errors import BadAnswer, ConfigError, InputError
from extractor.extraction.reask import ReaskPolicy, read_documents
from extractor.ocr.layout import to_lines
from extractor.ocr.transcript import Box, Fragment, Transcript
from extractor.parsing.amounts import decimal_mark, find_amounts, find_percentages, parse_amount
from extractor.parsing.currencies import find_marks
from extractor.parsing.dates.finder import find_dates
from extractor.parsing.dates.interpretations import PrintedDate
from extractor.parsing.keywords import roles_of
from extractor.parsing.locale.resolution import weigh_locale
from extractor.parsing.times import PrintedTime, find_times
from extractor.readers.answer_parser import parse_answer
from extractor.readers.base import Answer, Document, Issue, Look
from extractor.readers.prompts import FIRST, again
from extractor.readers.rules.ocr_reader import OcrReader
from extractor.runtime.filenames import printable, safe_stem, safe_suffix
from extractor.runtime.logs import JsonFormatter, TextFormatter
from extractor.schemas.values import Origin
from extractor.storage.database.connection import Database
from extractor.storage.database.receipts import ReceiptRepository
from extractor.testing import ScriptedReader
from extractor.validation.arithmetic import run_checks
from extractor.validation.normalisation import normalise
from tests.fuzz.data_provider import DataProvider

LIMITS: Final = PageLimits(max_bytes=1_000_000, max_pages=4, max_pixels=1_000_000)
TODAY: Final = date(2026, 3, 14)

# What receipts say, so that random texts get past the first test of every rule.
WORDS: Final = (
    *"TOTAL Subtotal SUMME Tax MwSt 19% GST 6% VAT Cash Change Visa **** Rounding Discount Tip Service Date Datum Time Invoice No".split(),
    *"x kg @ EUR € $ RM Rp ¥ 円 ฿ Street Road Tel Fax www.shop.com Sdn Bhd GmbH Ltd 12345 City Item Bread Milk 2 1 0 -".split(),
    *"12/03/2024 2024-03-12 12.03.24 3rd March 12Mar2024 14:07 2:07PM 1,234.50 1.234,50 12.50 0,99 -3.00 (2.00) 1'000.00 12,- 4.5".split(),
    *"٣٫٥٠ １２．５０ ² ⅷ 㐁 \u202e \0 \ud800 \n \t O0.1O l2.5o 1.000.000 000 99999999999 ,, .. :: // --".split(" "),
)


def _scratch() -> Path:
    return Path(tempfile.gettempdir(), f"receipts-fuzz-{os.getpid()}")


def _text(provider: DataProvider) -> str:
    """Return a mix of receipt words and random text."""
    parts: list[str] = []
    while not provider.is_empty and len(parts) < 12:
        parts.append(provider.pick(WORDS) if provider.below(3) else provider.text(12))
        if not provider.below(4):
            break
    return provider.pick((" ", "", "\t")).join(parts)


def _read(data: bytes) -> None:
    path = _scratch().with_suffix(".receipt")
    path.write_bytes(data)
    try:
        with suppress(InputError):
            check_complete(path, LIMITS)
    finally:
        path.unlink()


def images(data: bytes) -> None:
    """An image is decoded or rejected."""
    if detect_format(data).decoder != "pdf":
        _read(data)


def pdfs(data: bytes) -> None:
    """A PDF is decoded or rejected. Recursive forms, which can exhaust memory, are excluded: only process isolation helps."""
    if detect_format(data).decoder == "pdf" and b"/Form" not in data:
        _read(data)


def kinds(data: bytes) -> None:
    """Any bytes have a detected kind and are complete or not."""
    kind = detect_format(data)
    assert kind.label
    find_truncation(kind, data)


def answers(data: bytes) -> None:
    """Any text parses or raises BadAnswer; parsed answers can be normalised and checked."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        parsed = parse_answer(text)
    except BadAnswer:
        return
    normalised = normalise(parsed.answer, {}, (), origin=Origin.VISION, preferences=LocaleSettings())
    run_checks(normalised.receipt, today=TODAY)
    parse_answer(parsed.answer.model_dump_json())


def texts_in_answers(data: bytes) -> None:
    """Any field values of an answer can be normalised, checked and re-asked."""
    provider = DataProvider(data)
    row = {name: _text(provider)[:40] for name in ("description", "quantity", "unit_price", "discount", "total_price")}
    tax = {name: _text(provider)[:40] for name in ("rate", "net_amount", "amount")}
    values = {
        name: _text(provider)[:40]
        for name in ("merchant_name", "transaction_date", "transaction_time", "currency", "subtotal", "tax_total", "total", "tip")
    }
    answer = Answer(json.dumps(values | {"items": [row] * provider.below(4), "tax_lines": [tax]}))
    page = Document("any.jpg", (Page(Image.new("RGB", (60, 60))),), (Transcript((), provider.below(3), provider.below(3), "none"),))
    [outcome] = read_documents(ScriptedReader({"any.jpg": (answer,)}), [page], ReaskPolicy(today=lambda: TODAY))
    assert outcome


def settings(data: bytes) -> None:
    """A settings file and an environment are settings or a ConfigError."""
    provider = DataProvider(data)
    name = provider.pick(
        ("RECEIPTS_INBOX__SETTLE_SECONDS", "RECEIPTS_INBOX_DIR", "RECEIPTS_INBOX__IGNORE", "RECEIPTS_X", "RECEIPTS_CONFIG")
    )
    value = provider.text(30).replace("\0", "")
    folder = _scratch().with_suffix(".settings")
    folder.mkdir(exist_ok=True)
    (folder / "receipts.toml").write_bytes(provider.rest())
    with suppress(ConfigError):
        load_settings(environ={}, folder=folder)
    with suppress(ConfigError):
        load_settings(environ={name: value}, folder=folder)


def printed(data: bytes) -> None:
    """Whatever is found in a text is part of it."""
    provider = DataProvider(data)
    text = _text(provider) if provider.below(2) else provider.rest().decode("utf-8", "surrogateescape")
    for amount in find_amounts(text):
        assert 0 <= amount.start < amount.end <= len(text)
        assert amount.value(".").is_finite()
    moments: list[PrintedDate | PrintedTime] = [*find_dates(text), *find_times(text)]
    for found in moments:
        assert 0 <= found.start < found.end <= len(text)
    parse_amount(text, ".")
    parse_amount(text, None)
    find_percentages(text)
    find_marks(text)
    roles_of(text)
    decimal_mark([text])
    weigh_locale([text, *text.split("\n")], mark=text[:40])


class _Paper:
    """A page reader that returns the same transcript at every effort."""

    name = "paper"

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript

    def read(self, page: Page, effort: int = 0, crop: Box | None = None, row: Box | None = None) -> tuple[Page, Transcript]:  # noqa: ARG002
        return page, self._transcript


def _transcript(provider: DataProvider) -> Transcript:
    """Return fragments anywhere on a page, most of them in rows."""
    fragments: list[Fragment] = []
    while not provider.is_empty and len(fragments) < 60:
        text = _text(provider)
        row, left = provider.below(20), provider.below(600)
        height = 20.0 if provider.below(8) else float(provider.below(300))
        width = len(text) * 10.0 if provider.below(8) else float(provider.below(600))
        fragments.append(Fragment(text, Box(left, row * 30.0, left + width, row * 30.0 + height), provider.below(101) / 100))
    return Transcript(to_lines(fragments), 600, 640, "provider")


def reader(data: bytes) -> None:
    """The OCR reader answers for any transcript, and its answers become records."""
    provider = DataProvider(data)
    count = 1 + provider.below(2)
    size = max(1, len(data) // count)
    transcripts = tuple(_transcript(DataProvider(provider.take(size))) for _ in range(count))
    page = Page(Image.new("RGB", (600, 640), "white"))
    document = Document("any.jpg", (page,) * count, transcripts)
    witness = _Paper(transcripts[-1])
    with OcrReader(witness).open([document]) as reading:
        for question in (FIRST, again([Issue("total", "missing", "No total.")], Look(effort=1))):
            answer = reading.ask({0: question})[0]
            assert isinstance(answer, Answer)
            parsed = parse_answer(answer.text)
            for index, transcript in enumerate(transcripts):
                assert all(seen.page != index or seen.box is None or transcript.width for seen in answer.evidence.values())
            normalised = normalise(parsed.answer, answer.evidence, transcripts, origin=Origin.OCR, preferences=LocaleSettings())
            run_checks(normalised.receipt, today=TODAY)


def names(data: bytes) -> None:
    """A file name of any bytes is safe in messages, logs, terminals and the outbox."""
    raw = data.replace(b"\0", b"").replace(b"/", b"")[:255] or b"x"
    name = os.fsdecode(raw)
    shown = printable(name)
    shown.encode()
    assert display_name(Path(name)).isprintable()
    stem, suffix = safe_stem(shown), safe_suffix(shown)
    assert stem.isprintable()
    assert Path(stem + (suffix or "")).name == stem + (suffix or "")
    assert not {"\n", "\x1b"} & set(safe(shown))
    record = logging.LogRecord("extractor", logging.INFO, "", 0, "event", None, None)
    record.file = name
    assert len(TextFormatter().format(record).splitlines()) == 1
    assert "\x1b" not in TextFormatter().format(record)
    assert json.loads(JsonFormatter().format(record))["file"] == name


@cache
def _store() -> ReceiptRepository:
    path = _scratch().with_suffix(".db")
    path.unlink(missing_ok=True)
    return ReceiptRepository(Database(path))


def searches(data: bytes) -> None:
    """Any words can be searched for."""
    words = data.decode("utf-8", "surrogateescape")
    assert list(_store().search(words)) == []
    assert list(_store().list(merchant=words, tag=words)) == []


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    target.__name__: target for target in (images, pdfs, kinds, answers, texts_in_answers, settings, printed, reader, names, searches)
}
