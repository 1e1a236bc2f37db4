"""Records become tables and pages for people."""

import sys
from collections.abc import Iterable, Iterator
from decimal import Decimal
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
from extractor.jobs import Job
from extractor.schemas.receipt import Item, Receipt
from extractor.schemas.record import Record, RecordStatus
from extractor.service.status import ServiceStatus

Result = TypeVar("Result")

_STYLES = {
    RecordStatus.ACCEPTED: "green",
    RecordStatus.CORRECTED: "green",
    RecordStatus.NEEDS_REVIEW: "yellow",
    RecordStatus.REJECTED: "dim",
}
_WIDTH_WITHOUT_TERMINAL = 180
"""Wide enough that a file or a pipe gets whole ids and names."""

_LISTS = frozenset({"items", "tax_lines", "payments", "date_candidates"})


def stdout() -> Console:
    """The console for results."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH_WITHOUT_TERMINAL
    return console


def stderr() -> Console:
    """The console for talk: progress, hints and errors."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def track(results: Iterable[Result], total: int, *, is_shown: bool) -> Iterator[Result]:
    """The results as they come, with a bar on stderr meanwhile; what is written to stderr appears above the bar."""
    columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr(), transient=True, disable=not is_shown, redirect_stdout=False) as progress:
        yield from progress.track(results, total=total)


class Bar:
    """A context manager that shows on stderr how far something is; what is written to stderr meanwhile appears above the bar."""

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
        """Shows that `done` of `total` is done."""
        self._progress.update(self._task, description=what, completed=done, total=total)


def record_table(rows: Iterable[Row]) -> Table:
    """One row a record, in the order given: how far it can be trusted, what, where, how much, and from which file."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("status", no_wrap=True)
    table.add_column("date", no_wrap=True)
    table.add_column("merchant", overflow="fold")
    table.add_column("total", justify="right", no_wrap=True)
    table.add_column("currency", no_wrap=True)
    table.add_column("file", overflow="fold")
    table.add_column("id", no_wrap=True)
    for extra, record in rows:
        table.add_row(
            Text(record.status.value, style=_STYLES[record.status]),
            _value(record.transaction_date),
            _value(record.merchant_name),
            _value(record.total),
            _value(record.currency_code),
            safe(extra.get("image", record.original_filename)) + _part_of(record),
            record.receipt_id,
        )
    return table


def _part_of(record: Record) -> str:
    """Which receipt of its file a record is, where the file shows several."""
    return f" ({record.region.number} of {record.region.count})" if record.region else ""


def review_table(records: Iterable[Record]) -> Table:
    """One row a thing that a person should look at."""
    table = Table(title="to review", title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("file", "field", "what to look at"):
        table.add_column(name, overflow="fold")
    for record in records:
        for reason in record.review_reasons:
            table.add_row(safe(record.original_filename) + _part_of(record), safe(reason.field), safe(reason.message))
    return table


def job_table(jobs: Iterable[Job]) -> Table:
    """One row a file: where it is on its way, where it lies, and why it has no record."""
    table = Table(title="files", title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("outbox", overflow="fold")
    table.add_column("why", overflow="fold")
    table.add_column("id", no_wrap=True)
    for job in jobs:
        why = f"same bytes as {job.duplicate_of}" if job.duplicate_of else job.error_message or ""
        table.add_row(safe(job.name), job.state.value, safe(job.filed_as or ""), safe(why), job.receipt_id)
    return table


def status_page(seen: ServiceStatus) -> Group:
    """How the work stands, one line a question, then the last failures."""
    numbers = seen.numbers
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    service = Text("none runs", style="yellow") if seen.process is None else Text(f"process {seen.process}", style="green")
    table.add_row("service", service)
    untaken = "cannot be listed" if seen.untaken is None else f"{seen.untaken} files not taken yet" + _since(seen.oldest_untaken_seconds)
    table.add_row("inbox", untaken)
    waiting = ", ".join(f"{count} {state.value}" for state, count in sorted(numbers.waiting.items())) or "empty"
    table.add_row("queue", waiting + _since(numbers.oldest_seconds))
    table.add_row("files", ", ".join(f"{count} {state.value}" for state, count in sorted(numbers.files.items())) or "none")
    table.add_row("records", ", ".join(f"{count} {status.value}" for status, count in sorted(numbers.records.items())) or "none")
    if (last := numbers.last) and last.filed_at:
        table.add_row("last filed", f"{last.filed_at:%Y-%m-%d %H:%M:%S %Z} {safe(last.filed_as or last.name)}")
    free = (f"{place} {'not there' if size is None else f'{size / 1e9:.1f} GB'}" for place, size in seen.free_bytes.items())
    table.add_row("disk free", ", ".join(free))
    failures = [Text(f"failed {safe(job.name)}: {safe(job.error_message or '')}", style="red") for job in seen.failures]
    return Group(table, *failures)


def _since(seconds: float | None) -> str:
    """How long the oldest has waited, in the largest unit that leaves a whole number."""
    if seconds is None:
        return ""
    size, unit = next((size, unit) for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")) if seconds >= size or size == 1)
    return f", the oldest for {seconds / size:.0f} {unit}"


def record_page(record: Record) -> Group:
    """Everything about one record: values with the text they were read from, items, taxes, payments, checks and reasons for review."""
    parts: list[RenderableType] = [
        Text.assemble(
            (record.status.value, _STYLES[record.status]), f"  {record.receipt_id}  {safe(record.original_filename)}{_part_of(record)}"
        )
    ]
    parts += [Text(f"  look at {safe(reason.field)}: {safe(reason.message)}", style="yellow") for reason in record.review_reasons]
    if record.duplicate_of:
        parts.append(Text(f"  seems to be the same receipt as {record.duplicate_of}", style="yellow"))
    parts.append(_fields_table(record))
    if record.items:
        parts.append(_table("item", Item, record.items))
    if record.tax_lines:
        parts.append(_table("tax", type(record.tax_lines[0]), record.tax_lines))
    if record.payments:
        parts.append(_table("payment", type(record.payments[0]), record.payments))
    if record.checks:
        parts.append(_checks_table(record))
    model = safe(record.model or "model not named")
    arrived = f"{record.received_at:%Y-%m-%d %H:%M %Z}"
    parts.append(Text(f"arrived {arrived}, read by {record.reader} ({model}) in {len(record.attempts)} attempts", style="dim"))
    return Group(*parts)


def _fields_table(record: Record) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("field", "value", "as printed", "confidence", "who says so"):
        table.add_column(name)
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


def _table(title: str, kind: type[BaseModel], values: Iterable[BaseModel]) -> Table:
    """A table of the columns in which at least one of `values` has something."""
    values = tuple(values)
    names = [name for name in kind.model_fields if any(getattr(value, name) is not None for value in values)]
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(name, justify="right" if any(isinstance(getattr(value, name), Decimal) for value in values) else "left")
    for value in values:
        table.add_row(*(_value(getattr(value, name)) for name in names))
    return table


def _checks_table(record: Record) -> Table:
    table = Table(title="checks", title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("check", "expected", "actual", "result"):
        table.add_column(name)
    for check in record.checks:
        result = Text("passed", style="green") if check.passed else Text("failed", style="red")
        table.add_row(safe(check.name), _value(check.expected), _value(check.actual), result)
    return table


def _value(value: object) -> str:
    if value is None:
        return ""
    return safe(format(value, "f") if isinstance(value, Decimal) else value)


def score_table(score: Score) -> Table:
    """Field accuracy in per cent with the number of labels, then what was accepted and how much of that is wrong."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("measure", "per cent", "of"):
        table.add_column(name, justify="left" if name == "measure" else "right")
    counts = {**score.fields, "header (merchant, date, total)": score.headers, "accepted": (score.accepted, score.receipts)}
    counts["wrong among accepted"] = (score.wrong_accepted, score.accepted)
    for name, (part, of) in counts.items():
        table.add_row(name, f"{100 * part / of:.1f}" if of else "-", str(of))
    if score.items_f1 is not None:
        table.add_row("items F1", f"{100 * score.items_f1:.1f}", str(score.items[2]))
    return table


def reliability_table(score: Score) -> Table:
    """For each field and class of confidence: how sure the reader was on average, and how often it was right, in per cent."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("field", "confidence", "of", "mean", "right"):
        table.add_column(name, justify="left" if name in {"field", "confidence"} else "right")
    for name, classes in score.reliability.items():
        for start, end, own in zip(CONFIDENCES, (*CONFIDENCES[1:], 1.0), classes, strict=True):
            if own.of:
                table.add_row(name, f"{start:.2f} to {end:.2f}", str(own.of), f"{100 * own.mean:.1f}", f"{100 * own.right / own.of:.1f}")
    return table
