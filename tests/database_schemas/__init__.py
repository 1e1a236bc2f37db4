"""One SQL dump a schema version, each made by the code of that schema; the upgrade tests begin with them.

After a new migration: `python -m tests.database_schemas` writes the dump of the newest schema.
Dumps of schemas that were released stay as they are.
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import date, time
from decimal import Decimal
from pathlib import Path

from extractor.config.settings import InboxSettings, Settings
from extractor.errors import Encrypted
from extractor.jobs import Arrival, Extracted, Source, part_id
from extractor.schemas.receipt import Item, ItemKind, Payment, TaxLine
from extractor.schemas.record import Attempt, Check, Record, RecordStatus, Region, ReviewReason
from extractor.schemas.values import FieldEvidence, Origin
from extractor.service.app import build_service
from extractor.storage.database.connection import HEAD
from extractor.testing import ManualClock, ScriptedExtraction, make_record

FOLDER = Path(__file__).parent
FILES = {
    "travel/cafe.jpg": b"a coffee",
    "travel/cafe again.jpg": b"the same coffee, photographed again",
    "ramen.png": b"ramen",
    "copy of ramen.png": b"ramen",
    "locked.pdf": b"encrypted",
    "gone.jpg": b"removed before it was read",
}


def load(dump: Path, database: Path) -> None:
    """Makes the database that the dump describes."""
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))


def dump_lines(connection: sqlite3.Connection) -> Iterator[str]:
    """The database as SQL statements: tables with their rows, the search table as if it were an ordinary one, then indexes and views."""
    yield "BEGIN;"
    made = connection.execute(
        "SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'receipts\\_fts\\_%' ESCAPE '\\'"
    )
    things = sorted(made, key=lambda thing: ("table", "index", "view").index(thing[1]))
    for name, kind, sql in things:
        yield f"{sql};"
        if kind == "table":
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
            columns = ["rowid", *columns] if name == "receipts_fts" else columns
            quoted = ", ".join(f"quote({column})" for column in columns)
            for row in connection.execute(f"SELECT {quoted} FROM {name} ORDER BY rowid"):  # noqa: S608 -- our own names
                yield f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join(row)});"  # noqa: S608 -- as above
    yield "COMMIT;"


def make(folder: Path) -> Path:
    """A database with files in every state and records with every part, made by the service."""
    settings = Settings(
        inbox_dir=folder / "inbox", outbox_dir=folder / "outbox", database=folder / "receipts.db", inbox=InboxSettings(settle_seconds=0)
    )
    clock = ManualClock()
    service = build_service(settings, extract=ScriptedExtraction(read), check=lambda _: None, clock=clock)
    job_queue = service.archive.job_queue
    for name, data in FILES.items():
        path = settings.inbox_dir / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    service.scanner.scan()
    (settings.inbox_dir / "gone.jpg").unlink()
    (settings.inbox_dir / "link.jpg").symlink_to("nowhere")
    service.run_once()
    clock.advance(3600)
    (settings.inbox_dir / "caf\udce9.jpg").write_bytes(b"waits")
    service.scanner.scan()
    job_queue.enqueue(Arrival(Path("being read.jpg"), 7, "0" * 64))
    job_queue.claim("dead", 1)
    service.archive.close()
    return settings.database


def read(source: Source) -> Record | Extracted:
    """What the scripted reader makes of each file."""
    if source.name == "table.jpg":
        regions = (Region(number=number, count=2, page=0, box=((number - 1) / 2, 0, number / 2, 1)) for number in (1, 2))
        return tuple(make_record(source, receipt_id=part_id(source.receipt_id, one.number), region=one) for one in regions)
    if source.name == "locked.pdf":
        return Encrypted("locked.pdf is encrypted. Remove the password and drop it again.")
    if "ramen" in source.name:
        return make_record(
            source, merchant_name="ラーメン二郎", transaction_date=date(2026, 2, 28), currency_code="JPY", total=Decimal(1200),
            status=RecordStatus.NEEDS_REVIEW,
            review_reasons=(ReviewReason(field="total", kind="unconfirmed", message="Compare the total with the picture."),),
        )  # fmt: skip
    return make_record(
        source, merchant_name="Kopi & Co.", transaction_date=date(2026, 3, 14), transaction_time=time(9, 26), currency_code="MYR",
        items=(
            Item(description="Flat white", quantity=Decimal(2), unit_price=Decimal("8.505"), total_price=Decimal("17.01")),
            Item(description="It's on the house", total_price=Decimal("-1.01"), kind=ItemKind.DISCOUNT),
        ),
        subtotal=Decimal("16.00"), tax_total=Decimal("0.96"), total=Decimal("16.96"),
        tax_lines=(TaxLine(code="S", rate=Decimal("6.0"), net_amount=Decimal("16.00"), amount=Decimal("0.96")),),
        payments=(Payment(method="cash", amount=Decimal("16.95")),),
        checks=(Check(name="subtotal_plus_tax", expected=Decimal("16.96"), actual=Decimal("16.96"), passed=True),),
        attempts=(Attempt(rung="first", fields=("total",), seconds=0.25),),
        fields={"total": FieldEvidence(raw_text="RM16.96", confidence=0.9, origin=Origin.OCR, page=0, box=(0.1, 0.2, 0.3, 0.4))},
        ocr_text="KOPI & CO\nFlat white 17.01\nTOTAL RM16.96",
    )  # fmt: skip


def main() -> None:
    """Writes the dump of the newest schema."""
    with tempfile.TemporaryDirectory() as folder, closing(sqlite3.connect(make(Path(folder)))) as connection:
        (FOLDER / f"{HEAD}.sql").write_text("\n".join(dump_lines(connection)) + "\n", encoding="utf-8")
