"""Tables and pages that show records, files and measurements to people."""

import sys
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from pydantic import BaseModel
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from extractor.cli.output import Row
from extractor.cli.terminal import safe
from extractor.evaluation.scoring import CONFIDENCES, Score
from extractor.jobs import Job, JobState
from extractor.schemas.receipt import Item, Receipt
from extractor.schemas.record import Check, Record, RecordStatus
from extractor.service.status import ServiceStatus
from extractor.storage.files.naming import SHORT_ID_LENGTH

Result = TypeVar("Result")

_STYLES = {
    RecordStatus.ACCEPTED: "green",
    RecordStatus.CORRECTED: "green",
    RecordStatus.NEEDS_REVIEW: "yellow",
    RecordStatus.REJECTED: "dim",
}
# Wide enough that names are not wrapped in a file or a pipe.
_WIDTH_WITHOUT_TERMINAL = 180

# States of files that are not filed yet.
_UNFILED = frozenset({JobState.QUEUED, JobState.READING, JobState.STORED, JobState.WITHDRAWN})

_LISTS = frozenset({"items", "tax_lines", "payments", "date_candidates"})


def stdout() -> Console:
    """The console for results."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH_WITHOUT_TERMINAL
    return console


def stderr() -> Console:
    """The console for progress bars, hints and errors."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def track(results: Iterable[Result], total: int, *, is_shown: bool) -> Iterator[Result]:
    """Yield the results and show a progress bar on stderr meanwhile; what else is written to stderr appears above the bar."""
    columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr(), transient=True, disable=not is_shown, redirect_stdout=False) as progress:
        yield from progress.track(results, total=total)


class Bar:
    """A progress bar on stderr, as a context manager; what else is written to stderr appears above the bar."""

    def __init__(self, *, is_shown: bool, refresh_per_second: float = 4) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._progress = Progress(
            *columns,
            console=stderr(),
            transient=True,
            disable=not is_shown,
            redirect_stdout=sys.stdout.isatty(),
            refresh_per_second=refresh_per_second,
        )
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def show(self, what: str, done: int, total: int) -> None:
        """Show `done` of `total`, described by `what`."""
        self._progress.update(self._task, description=what, completed=done, total=total)


def _new_table(title: str | None = None) -> Table:
    """An empty table in the style that all share; its columns stand close, so that they fit a terminal of 80 characters."""
    return Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)


def short_id(receipt_id: str) -> str:
    """The end of an identifier, which names of filed files have; every command that takes an identifier takes it, too."""
    return receipt_id[-SHORT_ID_LENGTH:]


def record_table(rows: Iterable[Row]) -> Table:
    """One row for each record, in the order given: short id, status, date, merchant, total and file."""
    table = _new_table()
    table.add_column("id", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("date", no_wrap=True)
    table.add_column("merchant", overflow="fold", ratio=1)
    table.add_column("total", justify="right", no_wrap=True)
    table.add_column("file", overflow="fold", ratio=1)
    for extra, record in rows:
        table.add_row(
            short_id(record.receipt_id),
            Text(record.status.value, style=_STYLES[record.status]),
            _value(record.transaction_date),
            _value(record.merchant_name),
            f"{_value(record.total)} {_value(record.currency_code)}".strip(),
            safe(extra.get("image", record.original_filename)) + _part_of(record),
        )
    return table


def _part_of(record: Record) -> str:
    """Which of the file's receipts the record is, if the file shows several."""
    return f" ({record.region.number} of {record.region.count})" if record.region else ""


def review_table(records: Iterable[Record]) -> Table:
    """One row for each reason for review."""
    table = _new_table("to review")
    table.add_column("id", no_wrap=True)
    table.add_column("field", overflow="fold")
    table.add_column("what to check", overflow="fold")
    for record in records:
        for reason in record.review_reasons:
            table.add_row(short_id(record.receipt_id), safe(reason.field), safe(reason.message))
    return table


def job_table(jobs: Iterable[Job], untaken: Iterable[Path] = ()) -> Table:
    """One row for each file: its state, where it lies, and why it has no record. Files that have no job yet come first.

    Args:
        untaken: Files in the inbox that no service has taken yet.
    """
    table = _new_table("files")
    table.add_column("id", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("file", overflow="fold")
    table.add_column("why, or where in the outbox", overflow="fold")
    for path in untaken:
        table.add_row("", "untaken", safe(path), "in the inbox; not taken yet, or not complete")
    for job in jobs:
        why = f"same bytes as {short_id(job.duplicate_of)}" if job.duplicate_of else job.error_message or ""
        place = job.filed_as or ("" if job.state in _UNFILED else "left in the inbox")
        parts = [part for part in (safe(why).removesuffix("."), safe(place)) if part]
        table.add_row(short_id(job.receipt_id), job.state.value, safe(job.name), ". ".join(parts))
    return table


def status_page(seen: ServiceStatus) -> Group:
    """The state of service, inbox, queue, records and disks, one line each, then the last failures."""
    numbers = seen.numbers
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    service = Text("not running", style="yellow") if seen.process is None else Text(f"process {seen.process}", style="green")
    table.add_row("service", service)
    untaken = (
        "cannot be listed"
        if seen.untaken is None
        else f"{seen.untaken} {'file' if seen.untaken == 1 else 'files'} not taken yet" + _since(seen.oldest_untaken_seconds)
    )
    table.add_row("inbox", untaken)
    waiting = ", ".join(f"{count} {state.value}" for state, count in sorted(numbers.waiting.items())) or "empty"
    table.add_row("queue", waiting + _since(numbers.oldest_seconds))
    table.add_row("files", ", ".join(f"{count} {state.value}" for state, count in sorted(numbers.files.items())) or "none")
    table.add_row("records", ", ".join(f"{count} {status.value}" for status, count in sorted(numbers.records.items())) or "none")
    if (last := numbers.last) and last.filed_at:
        table.add_row("last filed", f"{last.filed_at:%Y-%m-%d %H:%M:%S %Z} {safe(last.filed_as or last.name)}")
    free = (f"{place} {'missing' if size is None else f'{size / 1e9:.1f} GB'}" for place, size in seen.free_bytes.items())
    table.add_row("disk free", ", ".join(free))
    failures = [Text(f"failed {safe(job.name)}: {safe(job.error_message or '')}", style="red") for job in seen.failures]
    return Group(table, *failures)


def _since(seconds: float | None) -> str:
    """How long the oldest has waited, in the largest unit of which that is at least one."""
    if seconds is None:
        return ""
    size, unit = next((size, unit) for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")) if seconds >= size or size == 1)
    return f", the oldest for {seconds / size:.0f} {unit}"


def record_page(record: Record) -> Group:
    """Everything about one record: values with the text they were read from, items, taxes, payments, checks and reasons for review."""
    head = f"  {record.receipt_id}  {safe(record.original_filename)}{_part_of(record)}"
    parts: list[RenderableType] = [Text.assemble((record.status.value, _STYLES[record.status]), head)]
    parts += [Text(f"  check {safe(reason.field)}: {safe(reason.message)}", style="yellow") for reason in record.review_reasons]
    if record.duplicate_of:
        parts.append(Text(f"  seems to be the same receipt as {short_id(record.duplicate_of)}", style="yellow"))
    parts.append(_fields_table(record))
    if record.items:
        parts.append(_table("items", Item, record.items))
    if record.tax_lines:
        parts.append(_table("taxes", type(record.tax_lines[0]), record.tax_lines))
    if record.payments:
        parts.append(_table("payments", type(record.payments[0]), record.payments))
    if record.checks:
        parts.append(_checks_table(record))
    model = f" ({safe(record.model)})" if record.model else ""
    count = len(record.attempts)
    attempts = "1 attempt" if count == 1 else f"{count} attempts"
    parts.append(Text(f"arrived {record.received_at:%Y-%m-%d %H:%M %Z}, read by {record.reader}{model} in {attempts}", style="dim"))
    return Group(*parts)


def _fields_table(record: Record) -> Table:
    table = _new_table()
    for name in ("field", "value", "as printed"):
        table.add_column(name, overflow="fold")
    table.add_column("confidence", justify="right", no_wrap=True)
    table.add_column("origin", no_wrap=True)
    for name in Receipt.model_fields:
        value, evidence = getattr(record, name), record.fields.get(name)
        if name in _LISTS or value is None or value is False:
            continue
        confidence = "" if evidence is None or evidence.confidence is None else f"{evidence.confidence:.2f}"
        origin = "" if evidence is None or evidence.origin is None else evidence.origin.value
        table.add_row(name, _value(value), _value(evidence and evidence.raw_text), confidence, origin)
    if record.date_candidates:
        table.add_row("date_candidates", ", ".join(day.isoformat() for day in record.date_candidates), "", "", "")
    return table


# Headings that are shorter than the names of the fields.
_HEADINGS = {
    "product_code": "code",
    "unit_of_measure": "unit",
    "unit_price": "each",
    "total_price": "total",
    "net_amount": "net",
    "card_network": "network",
    "card_last4": "card",
}


def _table(title: str, kind: type[BaseModel], values: Iterable[BaseModel]) -> Table:
    """A table of the fields that at least one of `values` has."""
    values = tuple(values)
    names = [name for name in kind.model_fields if any(getattr(value, name) is not None for value in values)]
    table = _new_table(title)
    for name in names:
        table.add_column(
            _HEADINGS.get(name, name.replace("_", " ")),
            overflow="fold",
            justify="right" if any(isinstance(getattr(value, name), Decimal) for value in values) else "left",
        )
    for value in values:
        table.add_row(*(_value(getattr(value, name)) for name in names))
    return table


def _checks_table(record: Record) -> Table:
    table = _new_table("checks")
    table.add_column("check", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("meaning", overflow="fold")
    for check in record.checks:
        result = Text("passed", style="green") if check.passed else Text("failed", style="red")
        table.add_row(safe(check.name), result, safe(describe_check(check)))
    return table


# What a failed check means, by its name up to the index.
_FAILURES = {
    "total_sum": "Subtotal, taxes and extras make {expected}; the total is {actual}.",
    "items_sum": "The items add up to {actual}, not to {expected}.",
    "cash": "Cash less change is {actual}; {expected} was to be paid.",
    "payments_sum": "The payments add up to {actual}, not to {expected}.",
    "tax_sum": "The taxes of all rates add up to {expected}; the tax total is {actual}.",
    "tax_lines": "The rate gives a tax of {expected}; {actual} is printed.",
    "items": "Quantity times unit price is {expected}; the line says {actual}.",
}


def describe_check(check: Check) -> str:
    """What a check found, as a sentence; for one that passed, the value that was confirmed."""
    if check.passed:
        return _value(check.actual)
    if check.name == "date_plausible":
        reason = "too old to be right" if str(check.expected).startswith("not before") else "in the future"
        return f"The date {check.actual} is {reason}."
    sentence = _FAILURES.get(check.name.partition("[")[0], "Expected {expected}, found {actual}.")
    return sentence.format(expected=_value(check.expected), actual=_value(check.actual))


def _value(value: object) -> str:
    if value is None:
        return ""
    return safe(format(value, "f") if isinstance(value, Decimal) else value)


def score_table(score: Score) -> Table:
    """Field accuracy in per cent with the number of labels, then the share of accepted records and of wrong ones among them."""
    table = _new_table()
    for name in ("measure", "per cent", "of"):
        table.add_column(name, justify="left" if name == "measure" else "right")
    counts = {**score.fields, "header (merchant, date, total)": score.headers, "accepted": (score.accepted, score.receipts)}
    counts["wrong among accepted"] = (score.wrong_accepted, score.accepted)
    counts["wrong among accepted, merchants aside"] = (score.wrong_accepted_values, score.accepted)
    for name, (part, of) in counts.items():
        table.add_row(name, f"{100 * part / of:.1f}" if of else "-", str(of))
    if score.items_f1 is not None:
        table.add_row("items F1", f"{100 * score.items_f1:.1f}", str(score.items[2]))
    return table


def reliability_table(score: Score) -> Table:
    """Mean confidence and accuracy in per cent, for each field and class of confidence."""
    table = _new_table()
    for name in ("field", "confidence", "of", "mean", "right"):
        table.add_column(name, justify="left" if name in {"field", "confidence"} else "right")
    for name, classes in score.reliability.items():
        for start, end, own in zip(CONFIDENCES, (*CONFIDENCES[1:], 1.0), classes, strict=True):
            if own.of:
                table.add_row(name, f"{start:.2f} to {end:.2f}", str(own.of), f"{100 * own.mean:.1f}", f"{100 * own.right / own.of:.1f}")
    return table
