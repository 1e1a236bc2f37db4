"""Where in the outbox each thing lies, by the names that are free when it is planned. Moves and writes nothing.

outbox/2026/03/lunch-7Q2M9XKD.json, .jpg     the record and the original; year and month of the transaction, else of the arrival
outbox/failed/lunch.jpg, .jpg.error.json     what could not be read, and why
outbox/duplicates/lunch.jpg, .duplicate.json the same bytes again, and where the first ones are
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from extractor.jobs import Job, JobState
from extractor.runtime.filenames import safe_stem, safe_suffix
from extractor.schemas.record import Record

FAILED, DUPLICATES = "failed", "duplicates"
SHORT_ID_LENGTH = 8
"""Of the random end of a receipt's id: 40 bits, so that two receipts with one name in one month do not meet."""


@dataclass(frozen=True)
class Filed:
    """A file that lies in the outbox once its job is closed.

    Attributes:
        place: Relative to the outbox.
        sha256: Of its bytes; `None` for JSON files.
        may_be_gone: Whether people were told that they may delete it.
        number: Of a record's JSON: which of the file's receipts it is about, from 1.
    """

    place: str
    sha256: str | None
    may_be_gone: bool = False
    number: int = 1


class OutboxLayout:
    """The places in one outbox. They are told relative to it, as POSIX paths; those of JSON files as full paths."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def for_records(self, job: Job, records: Sequence[Record]) -> str:
        """Where the original of these records goes, relative to the outbox; the JSON of each lies beside it."""
        day = records[0].transaction_date or records[0].received_at
        suffix = safe_suffix(job.name)
        suffix = ".original" if suffix is None or suffix.lower() == ".json" else suffix  # .json is the record's
        stem = f"{day.year:04d}/{day.month:02d}/{safe_stem(job.name)}"
        place = f"{stem}-{job.receipt_id[-SHORT_ID_LENGTH:]}{suffix}"
        paths = [self.root / place, *(self.record(place, number) for number in range(1, len(records) + 1))]
        is_free = not any(os.path.lexists(path) for path in paths)
        return place if is_free else f"{stem}-{job.receipt_id}{suffix}"

    def for_other(self, job: Job) -> str:
        """Where a failed file or a duplicate goes, relative to the outbox: under its own name where that is free."""
        folder = DUPLICATES if job.state is JobState.DUPLICATE else FAILED
        stem, suffix = f"{folder}/{safe_stem(job.name)}", safe_suffix(job.name) or ""
        if f"{stem}{suffix}".lower().endswith((".error.json", ".duplicate.json")):
            suffix += ".original"  # else the notice about another file could have this name, and replace it
        for end in ("", f"-{job.receipt_id[-SHORT_ID_LENGTH:]}"):
            place = f"{stem}{end}{suffix}"
            if not any(os.path.lexists(path) for path in (self.root / place, self.notice(place))):
                return place
        return f"{stem}-{job.receipt_id}{suffix}"

    def record(self, filed_as: str, number: int = 1) -> Path:
        """The JSON file of the record whose original is filed there; of several receipts in it, of the one with this number."""
        first = (self.root / filed_as).with_suffix(".json")
        return first if number == 1 else first.with_name(f"{first.stem}-{number}.json")

    def notice(self, filed_as: str) -> Path:
        """The JSON file that says why a file lies in `failed/` or `duplicates/`."""
        kind = "duplicate" if filed_as.startswith(f"{DUPLICATES}/") else "error"
        return self.root / f"{filed_as}.{kind}.json"

    def files_of(self, job: Job, records: int = 1) -> tuple[Filed, ...]:
        """The files that a closed job has in the outbox: the original, and the JSON beside it, or one for each of its records."""
        if job.filed_as is None or job.state is JobState.WITHDRAWN:
            return ()
        is_record, may_be_gone = job.state in {JobState.STORED, JobState.DONE}, job.state is JobState.DUPLICATE
        original = (Filed(job.filed_as, job.sha256, may_be_gone),) if job.sha256 else ()  # what was refused stays in the inbox
        if not is_record:
            return (*original, Filed(self._relative(self.notice(job.filed_as)), None, may_be_gone))
        beside = (Filed(self._relative(self.record(job.filed_as, number)), None, number=number) for number in range(1, records + 1))
        return (*original, *beside)

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()
