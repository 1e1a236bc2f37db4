"""Create an installation with many filed receipts within a minute: the rows of one stored receipt are copied in bulk.

python -m bench.filled FOLDER [--receipts 100000] [--files]
"""

import argparse
import hashlib
import itertools
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.overhead import rich_record
from extractor.config.settings import InboxSettings, Settings
from extractor.jobs import Arrival, JobState, Source, new_receipt_id
from extractor.schemas.record import Record, RecordStatus, ReviewReason
from extractor.storage.archive import Archive, open_archive
from extractor.storage.database.job_queue import JobQueue
from extractor.storage.files.sidecars import record_json
from extractor.testing import ManualClock

MERCHANTS = 500
FIRST_DAY = datetime(2016, 1, 1, tzinfo=UTC)
PARTS = ("items", "tax_lines", "payments", "checks", "review_reasons", "attempts", "fields")
SEED = 20261124


def settings_in(folder: Path) -> Settings:
    """Settings of an installation in this folder."""
    inbox = InboxSettings(settle_seconds=0)
    return Settings(inbox_dir=folder / "inbox", outbox_dir=folder / "outbox", database=folder / "receipts.db", inbox=inbox)


def fill(archive: Archive, receipts: int, *, files: bool = False) -> None:
    """File receipts: one through the regular path, the others as copies of its rows with new ids, hashes, names and dates.

    Args:
        files: Whether to write originals and JSON files into the outbox, too.
    """
    model = _first(archive)
    path = archive.settings.database
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        rows = {name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")] for name in ("jobs", "receipts", *PARTS)}  # noqa: S608 -- our names
        del rows["receipts"][0]["day"]  # a generated column
        words = dict(connection.execute("SELECT * FROM receipts_fts").fetchone())
        connection.execute("PRAGMA synchronous = OFF")
        copies = _copies(model, receipts - 1)
        while batch := list(itertools.islice(copies, 1000)):
            with connection:
                _insert(connection, rows, words, batch)
            if files:
                for record, filed_as in batch:
                    _write(archive, record, filed_as)


def _first(archive: Archive) -> Record:
    """File one receipt through the regular path."""
    clock = ManualClock(FIRST_DAY)
    job_queue = JobQueue(archive.database, clock, archive.settings.work)
    data = b"receipt 0"
    (archive.settings.inbox_dir / "0.jpg").write_bytes(data)
    job = job_queue.enqueue(Arrival(Path("0.jpg"), len(data), hashlib.sha256(data).hexdigest()))
    assert job is not None  # noqa: S101 -- the database is new
    [job] = job_queue.claim("bench", 1)
    copy = archive.filing.claim_copy(job)
    assert copy is not None  # noqa: S101 -- as above
    record = rich_record(Source(copy, job.name, job.sha256 or "", job.receipt_id, job.received_at))
    record = record.model_copy(update={"transaction_date": FIRST_DAY.date()})
    with archive.database.write() as connection:
        record = archive.receipts.save(connection, record)
        job_queue.stored(connection, job, archive.outbox.layout.for_records(job, [record]))
    [job] = job_queue.to_file(1)
    archive.filing.file_records(job, [record])
    assert job_queue.filed(job).state is JobState.DONE  # noqa: S101 -- as above
    return record


def _copies(model: Record, count: int) -> Iterator[tuple[Record, str]]:
    """Yield variations of the record, each with the path that it is filed under."""
    dice = random.Random(SEED)  # noqa: S311 -- no secrets here
    reason = ReviewReason(field="total", kind="unconfirmed", message="Compare the total with the picture.")
    for number in range(1, count + 1):
        arrived = FIRST_DAY + timedelta(minutes=number * 50)
        is_accepted = dice.random() < 0.75
        record = model.model_copy(
            update={
                "receipt_id": new_receipt_id(arrived),
                "source_sha256": hashlib.sha256(f"receipt {number}".encode()).hexdigest(),
                "original_filename": f"{number}.jpg",
                "received_at": arrived,
                "transaction_date": (arrived - timedelta(days=dice.randrange(30))).date(),
                "merchant_name": f"Kopi & Co. {dice.randrange(MERCHANTS)}",
                "status": RecordStatus.ACCEPTED if is_accepted else RecordStatus.NEEDS_REVIEW,
                "review_reasons": () if is_accepted else (reason,),
                "tags": ("travel",) if number % 100 == 0 else (),
                "ocr_text": (model.ocr_text or "") + f"NO {number:06d}\n",
            }
        )
        yield record, f"{arrived:%Y/%m}/{number}-{record.receipt_id[-8:]}.jpg"


def _insert(
    connection: sqlite3.Connection, rows: dict[str, list[dict[str, Any]]], words: dict[str, Any], batch: list[tuple[Record, str]]
) -> None:
    """Insert the rows of a batch into every table."""
    [job], [receipt] = rows["jobs"], rows["receipts"]
    first = connection.execute("SELECT max(id) FROM receipts").fetchone()[0] + 1
    filled: dict[str, list[dict[str, Any]]] = {name: [] for name in ("jobs", "receipts", *PARTS, "receipts_fts")}
    for row_id, (record, filed_as) in enumerate(batch, start=first):
        arrived, name = record.received_at.isoformat(timespec="microseconds"), record.original_filename
        new = {"id": row_id, "receipt_id": record.receipt_id, "received_at": arrived}
        place = {"path": name.encode(), "name": name, "filed_as": filed_as, "filed_at": arrived}
        filled["jobs"].append(job | new | place | {"sha256": record.source_sha256, "size_bytes": len(_bytes_of(record))})
        changed = {
            "tags": '["travel"]' if record.tags else "[]",
            "status": record.status.value,
            "transaction_date": str(record.transaction_date),
        }
        own = {key: getattr(record, key) for key in ("source_sha256", "original_filename", "merchant_name", "ocr_text")}
        key = "".join(filter(str.isalnum, (record.merchant_name or "").casefold()))
        filled["receipts"].append(receipt | new | changed | own | {"merchant_key": key, "record_json": record.model_dump_json()})
        for part in PARTS:
            filled[part] += [row | {"receipt_id": record.receipt_id} for row in rows[part]]
        filled["review_reasons"] += [
            {"receipt_id": record.receipt_id, "position": position} | reason.model_dump()
            for position, reason in enumerate(record.review_reasons)
        ]
        filled["receipts_fts"].append({"rowid": row_id} | words | {"merchant": record.merchant_name, "ocr_text": record.ocr_text})
    for table, new_rows in filled.items():
        if new_rows:
            columns = list(new_rows[0])
            values = ", ".join(f":{column}" for column in columns)
            connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})", new_rows)  # noqa: S608 -- our names


def _bytes_of(record: Record) -> bytes:
    """Contents of the original, which match the record's hash."""
    return f"receipt {Path(record.original_filename).stem}".encode()


def _write(archive: Archive, record: Record, filed_as: str) -> None:
    """Write original and JSON file of a copy."""
    original = archive.settings.outbox_dir / filed_as
    original.parent.mkdir(parents=True, exist_ok=True)
    original.write_bytes(_bytes_of(record))
    archive.outbox.layout.record(filed_as).write_bytes(record_json(record))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--receipts", type=int, default=100_000)
    parser.add_argument("--files", action="store_true", help="also write originals and JSON files")
    arguments = parser.parse_args()
    archive = open_archive(settings_in(arguments.folder))
    fill(archive, arguments.receipts, files=arguments.files)
    archive.close()


if __name__ == "__main__":
    main()
