"""Names of the files in the outbox, chosen among those that are free. Reads the folder, writes nothing.

outbox/2026/03/lunch-7Q2M9XKD.json, .jpg     record and original, by year and month of the transaction, or of the arrival
outbox/failed/lunch.jpg, .jpg.error.json     a file that could not be read, and why
outbox/duplicates/lunch.jpg, .duplicate.json a file whose content was filed before, and where
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from extractor.jobs import Job, JobState
from extractor.runtime.filenames import safe_stem, safe_suffix
from extractor.schemas.record import Record

FAILED, DUPLICATES = "failed", "duplicates"

# Characters from the random end of a receipt's id: 40 bits, so that two receipts with one name in one month do not collide.
SHORT_ID_LENGTH = 8


@dataclass(frozen=True)
class Filed:
    """A file of a closed job in the outbox.

    Attributes:
        place: Path relative to the outbox.
        sha256: Of the original; `None` for JSON files.
        may_be_gone: Whether users may delete it.
        number: Of a record's JSON: the receipt's number among those in the file, from 1.
    """

    place: str
    sha256: str | None
    may_be_gone: bool = False
    number: int = 1


class OutboxLayout:
    """Paths of originals, relative to the outbox and with slashes, and full paths of the JSON files beside them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def for_records(self, job: Job, records: Sequence[Record]) -> str:
        """A free path for the original of these records, with free paths for their JSON files beside it."""
        day = _filing_date(records[0])
        suffix = safe_suffix(job.name)
        suffix = ".original" if suffix is None or suffix.lower() == ".json" else suffix  # .json is the record's
        stem = f"{day.year:04d}/{day.month:02d}/{safe_stem(job.name)}"
        place = f"{stem}-{job.receipt_id[-SHORT_ID_LENGTH:]}{suffix}"
        paths = [self.root / place, *(self.record(place, number) for number in range(1, len(records) + 1))]
        is_free = not any(os.path.lexists(path) for path in paths)
        return place if is_free else f"{stem}-{job.receipt_id}{suffix}"

    def for_other(self, job: Job, first: Job | None = None) -> str:
        """A path for a failed file or a duplicate, with its own name if that is free.

        Args:
            first: The job with the same content, for a duplicate. If its original is missing, the duplicate takes its place.
        """
        if first is not None and first.state is JobState.DONE and first.filed_as and not os.path.lexists(self.root / first.filed_as):
            return first.filed_as
        folder = DUPLICATES if job.state is JobState.DUPLICATE else FAILED
        stem, suffix = f"{folder}/{safe_stem(job.name)}", safe_suffix(job.name) or ""
        if f"{stem}{suffix}".lower().endswith((".error.json", ".duplicate.json")):
            suffix += ".original"  # otherwise the notice about another file could have this name
        for end in ("", f"-{job.receipt_id[-SHORT_ID_LENGTH:]}"):
            place = f"{stem}{end}{suffix}"
            if not any(os.path.lexists(path) for path in (self.root / place, self.notice(place))):
                return place
        return f"{stem}-{job.receipt_id}{suffix}"

    def record(self, filed_as: str, number: int = 1) -> Path:
        """The JSON file of a record.

        Args:
            filed_as: Path of the original.
            number: The receipt's number among those in the file.
        """
        first = (self.root / filed_as).with_suffix(".json")
        return first if number == 1 else first.with_name(f"{first.stem}-{number}.json")

    def notice(self, filed_as: str) -> Path:
        """The JSON file that explains why a file is in `failed/` or `duplicates/`."""
        kind = "duplicate" if filed_as.startswith(f"{DUPLICATES}/") else "error"
        return self.root / f"{filed_as}.{kind}.json"

    def has_notice(self, job: Job) -> bool:
        """Whether such a file belongs to the job: not to a duplicate that replaces a missing original."""
        return (job.filed_as or "").startswith((f"{FAILED}/", f"{DUPLICATES}/"))

    def files_of(self, job: Job, records: int = 1) -> tuple[Filed, ...]:
        """The files of a closed job: its original and a notice, or its original and the JSON of each record."""
        if job.filed_as is None or job.state is JobState.WITHDRAWN:
            return ()
        if job.state in {JobState.STORED, JobState.DONE}:
            numbers = range(1, records + 1)
            beside = (Filed(self._relative(self.record(job.filed_as, number)), None, number=number) for number in numbers)
            return (Filed(job.filed_as, job.sha256), *beside)
        if not self.has_notice(job):
            return ()  # the file belongs to the job that it was filed for first
        may_be_gone = job.state is JobState.DUPLICATE
        original = (Filed(job.filed_as, job.sha256, may_be_gone),) if job.sha256 else ()  # what was refused stays in the inbox
        return (*original, Filed(self._relative(self.notice(job.filed_as)), None, may_be_gone))

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def _filing_date(record: Record) -> date:
    """The date of the transaction, or of the arrival if there is none or a person has to check it."""
    is_doubtful = any(not check.passed for check in record.checks if check.name == "date_plausible")
    is_doubtful |= any(reason.field == "transaction_date" for reason in record.review_reasons)
    return record.received_at if record.transaction_date is None or is_doubtful else record.transaction_date
