"""Metrics for Prometheus: current numbers from the database, and counts of this process.

The only module that imports prometheus_client. Labels are names of states, stages, kinds and folders; none comes from a receipt.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from extractor.jobs import JobState
from extractor.runtime.telemetry import BOUNDS, Counts
from extractor.schemas.record import RecordStatus
from extractor.service.status import Numbers

# States in which a job may be open.
_WAITING = (JobState.QUEUED, JobState.READING, JobState.STORED, JobState.FAILED, JobState.DUPLICATE)

RESTARTS = ("crashed", "hung", "memory", "recycled")


@dataclass(frozen=True)
class Snapshot:
    """The values of one scrape.

    Attributes:
        numbers: `None` if the database cannot be read.
        free_bytes: By folder; `None` for a folder that does not exist.
    """

    version: str
    reader: str
    model: str
    is_healthy: bool
    numbers: Numbers | None
    free_bytes: dict[str, int | None]
    counts: Counts
    reader_restarts: Mapping[str, int]


def render(snapshot: Snapshot, accept: str = "") -> tuple[bytes, str]:
    """Returns the body and the content type of `/metrics`.

    Args:
        accept: The request's `Accept` header.
    """
    encode, content_type = choose_encoder(accept)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(snapshot))
    ProcessCollector(registry=registry)
    return encode(registry), content_type


class _Snapshot(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        snapshot = self._snapshot
        build = {"version": snapshot.version, "reader": snapshot.reader, "model": snapshot.model}
        yield InfoMetricFamily("receipts_build", "Version of the program; who reads, with which model.", build)
        yield GaugeMetricFamily("receipts_healthy", "Whether /healthz says ok.", int(snapshot.is_healthy))
        yield GaugeMetricFamily("receipts_database_up", "Whether the database can be read.", int(snapshot.numbers is not None))
        free = {place: size for place, size in snapshot.free_bytes.items() if size is not None}
        yield _gauge("receipts_disk_free_bytes", "Space left on the disk of a place.", "place", free)
        if snapshot.numbers is not None:
            yield from _database(snapshot.numbers)
        yield from _process(snapshot.counts)
        restarts = {reason: snapshot.reader_restarts.get(reason, 0) for reason in RESTARTS}
        yield _counter("receipts_reader_restarts", "Processes for reading and checking that were replaced.", "reason", restarts)


def _database(numbers: Numbers) -> Iterator[Metric]:
    waiting = {state.value: numbers.waiting.get(state, 0) for state in _WAITING}
    yield _gauge("receipts_queue_files", "Files that are not in their place yet.", "state", waiting)
    yield GaugeMetricFamily("receipts_queue_oldest_seconds", "How long the first of these has waited.", numbers.oldest_seconds or 0.0)
    files = {state.value: numbers.files.get(state, 0) for state in JobState}
    yield _gauge("receipts_files", "Files ever taken.", "state", files)
    records = {status.value: numbers.records.get(status, 0) for status in RecordStatus}
    yield _gauge("receipts_records", "Records in the database.", "status", records)
    if numbers.last and numbers.last.filed_at:
        when = numbers.last.filed_at.timestamp()
        yield GaugeMetricFamily("receipts_last_filed_timestamp_seconds", "When the last receipt was filed.", when)


def _process(counts: Counts) -> Iterator[Metric]:
    stages = HistogramMetricFamily("receipts_stage_seconds", "Seconds that a receipt took in each stage.", labels=["stage"])
    for name, stage in counts.stages.items():
        bounds = [*(str(bound) for bound in BOUNDS), "+Inf"]
        stages.add_metric([name], list(zip(bounds, accumulate(stage.counts), strict=True)), stage.sum)
    yield stages
    statuses = {status.value: counts.receipts[status.value] for status in (RecordStatus.ACCEPTED, RecordStatus.NEEDS_REVIEW)}
    yield _counter("receipts_stored", "Receipts that were read and stored.", "status", statuses)
    yield _counter("receipts_needs_review", "Records that need review, by kind of reason.", "kind", counts.review)
    yield _counter("receipts_questions", "Questions that were put to the reader.", "rung", counts.questions)
    yield CounterMetricFamily("receipts_asked_again", "Receipts that were asked about more than once.", counts.asked_again)
    yield _counter("receipts_attempts_failed", "Attempts that brought no record, by kind of error.", "kind", counts.failures)


def _gauge(name: str, documentation: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _counter(name: str, documentation: str, label: str, values: dict[str, int]) -> Metric:
    family = CounterMetricFamily(name, documentation, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
