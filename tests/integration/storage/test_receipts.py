"""Records in a real SQLite file: whole round trips, filters, search, twins, and the documented views."""

import functools
import itertools
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from extractor.errors import ConfigError, StorageError
from extractor.jobs import new_receipt_id
from extractor.schemas.answer import DocumentType
from extractor.schemas.receipt import Item, ItemKind, Payment, TaxLine
from extractor.schemas.record import Attempt, Check, CheckName, ReasonKind, Record, RecordStatus, ReviewReason
from extractor.schemas.values import FieldEvidence, FieldState, Origin
from extractor.storage.archive import Archive
from extractor.storage.database import connection
from extractor.storage.database.connection import Database
from extractor.storage.database.receipts import ReceiptRepository
from extractor.storage.database.tables import Base
from extractor.testing import make_record, make_source

PACKAGE = Path(connection.__file__).parent


@pytest.fixture
def store(archive: Archive) -> ReceiptRepository:
    return archive.receipts


def save(store: ReceiptRepository, record: Record) -> Record:
    with store._database.write() as connection:
        return store.save(connection, record)


def cafe(name: str = "cafe.jpg", **values: Any) -> Record:
    """A coffee in Kuala Lumpur, with every part that a record may have."""
    plain: dict[str, Any] = {
        "document_type": DocumentType.RECEIPT,
        "merchant_name": "Kopi & Co. Sdn Bhd",
        "transaction_date": date(2026, 3, 14),
        "transaction_time": time(9, 26),
        "currency_code": "MYR",
        "items": (
            Item(
                description="Flat white",
                quantity=Decimal(2),
                unit_price=Decimal("8.505"),
                total_price=Decimal("17.01"),
                tax_rate=Decimal(6),
            ),
            Item(description="Café au lait", total_price=Decimal("-1.01"), kind=ItemKind.DISCOUNT),
        ),
        "subtotal": Decimal("16.00"),
        "tax_total": Decimal("0.96"),
        "tax_lines": (TaxLine(code="S", rate=Decimal("6.0"), net_amount=Decimal("16.00"), amount=Decimal("0.96")),),
        "total": Decimal("16.96"),
        "payments": (Payment(method="cash", amount=Decimal("16.95")),),
        "checks": (
            Check(name=CheckName.TOTAL_SUM, expected=Decimal("16.96"), actual=Decimal("16.95"), tolerance=Decimal("0.01"), passed=True),
        ),
        "review_reasons": (ReviewReason(field="total", kind=ReasonKind.UNCONFIRMED, message="Compare the total with the picture."),),
        "attempts": (Attempt(rung="first", fields=("total",), seconds=0.25),),
        "fields": {"total": FieldEvidence(raw_text="RM16.96", confidence=0.9, origin=Origin.OCR, page=0, box=(0.1, 0.2, 0.3, 0.4))},
        "tags": ("travel", "kl"),
        "ocr_text": "KOPI & CO\nFlat white 17.01\nTOTAL RM16.96",
    }
    return make_record(make_source(name), **(plain | values))


def test_a_record_comes_back_equal(store: ReceiptRepository) -> None:
    """What is read is what was saved, every part of it."""
    record = cafe()
    assert save(store, record) == record
    assert store.get(record.receipt_id) == record
    assert store.get("0" * 26) is None


AMOUNTS = st.none() | st.decimals(-999_999_999_999, 999_999_999_999, places=3)
TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ITEMS = st.builds(
    Item, description=TEXTS, quantity=AMOUNTS, unit_price=AMOUNTS, discount=AMOUNTS, total_price=AMOUNTS, kind=st.sampled_from(ItemKind)
)
RECORDS = st.builds(
    cafe,
    merchant_name=TEXTS,
    currency_code=st.sampled_from([None, "JPY", "EUR", "KWD"]),
    transaction_date=st.none() | st.dates(),
    transaction_time=st.none() | st.times(),
    date_candidates=st.lists(st.dates(), max_size=2).map(tuple),
    items=st.lists(ITEMS, max_size=3).map(tuple),
    total=AMOUNTS,
    rounding=AMOUNTS,
    tax_included=st.none() | st.booleans(),
    tax_lines=st.lists(st.builds(TaxLine, description=TEXTS, rate=AMOUNTS, amount=AMOUNTS), max_size=2).map(tuple),
    payments=st.lists(
        st.builds(Payment, method=TEXTS, amount=AMOUNTS, card_last4=st.none() | st.from_regex(r"\A[0-9]{4}\Z")), max_size=2
    ).map(tuple),
    checks=st.lists(
        st.builds(Check, name=st.just("sum"), expected=AMOUNTS, actual=st.none() | st.just("Kopi"), passed=st.booleans()), max_size=2
    ).map(tuple),
    fields=st.dictionaries(
        st.sampled_from(["total", "items[0].total_price"]),
        st.builds(FieldEvidence, raw_text=TEXTS, confidence=st.none() | st.floats(0, 1), state=st.sampled_from(FieldState)),
    ),
    received_at=st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 -- hypothesis wants naive bounds
    ocr_text=TEXTS,
    tags=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=2).map(tuple),
    status=st.sampled_from(RecordStatus),
)


@given(RECORDS)
def test_any_record_comes_back_equal(record: Record) -> None:
    """Whatever a record holds, it survives SQLite and JSON, and its amounts are in the tables to the cent."""
    saved = save(_shared_store(), record)
    assert _shared_store().get(record.receipt_id) == saved
    assert saved.model_copy(update={"duplicate_of": None}) == record
    assert Record.model_validate_json(record.model_dump_json()) == record


@functools.cache
def _shared_store() -> ReceiptRepository:
    return ReceiptRepository(Database(Path(tempfile.mkdtemp()) / "receipts.db"))


def test_saving_again_replaces(store: ReceiptRepository) -> None:
    """A corrected record takes the place of the first, with all its parts and its words."""
    record = cafe()
    save(store, record)
    corrected = record.model_copy(update={"merchant_name": "Teh Tarik", "items": (), "status": RecordStatus.CORRECTED})
    save(store, corrected)
    assert list(store.list()) == [corrected]
    assert list(store.search("kopi flat")) == [corrected]  # still in the OCR text
    assert list(store.search("tarik")) == [corrected]
    with store._database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM items")) == 0
        assert connection.scalar(text("SELECT count(*) FROM receipts_fts")) == 1


def test_a_transaction_that_fails_saves_nothing(store: ReceiptRepository) -> None:
    """Record, parts and words appear together or not at all."""
    item_of_nobody = text("INSERT INTO items (receipt_id, position, kind) VALUES ('nobody', 0, 'item')")
    with pytest.raises(IntegrityError), store._database.write() as connection:  # noqa: PT012 -- the transaction is what is tested
        store.save(connection, cafe())
        connection.execute(item_of_nobody)
    assert list(store.list()) == []
    assert list(store.search("kopi")) == []


@pytest.fixture
def three(store: ReceiptRepository) -> dict[str, Record]:
    """A coffee in March, a fuel receipt in May that needs review, and one without a date that arrived on 14 March."""
    records = {
        "cafe": cafe("cafe.jpg"),
        "fuel": cafe(
            "fuel.jpg", merchant_name="100% Fuel_Stop", transaction_date=date(2026, 5, 1), tags=(), status=RecordStatus.NEEDS_REVIEW
        ),
        "undated": cafe("undated.jpg", merchant_name=None, transaction_date=None, transaction_time=None, tags=("kl",)),
    }
    return {name: save(store, record) for name, record in records.items()}


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({}, {"cafe", "fuel", "undated"}),
        ({"status": RecordStatus.NEEDS_REVIEW}, {"fuel"}),
        ({"since": date(2026, 3, 15)}, {"fuel"}),
        ({"until": date(2026, 3, 14)}, {"cafe", "undated"}),
        ({"since": date(2026, 3, 14), "until": date(2026, 3, 14)}, {"cafe", "undated"}),
        ({"merchant": "KOPI co"}, {"cafe"}),
        ({"merchant": "fuelstop"}, {"fuel"}),
        ({"tag": "kl"}, {"cafe", "undated"}),
        ({"tag": "k"}, set()),
        ({"tag": "kl", "merchant": "kopi"}, {"cafe"}),
    ],
)
def test_filters_narrow_together(store: ReceiptRepository, three: dict[str, Record], conditions: dict[str, Any], found: set[str]) -> None:
    """Every condition must be met; a receipt without a date counts by its arrival."""
    assert {record.receipt_id for record in store.list(**conditions)} == {three[name].receipt_id for name in found}


def test_the_list_is_newest_first_and_limited(store: ReceiptRepository, three: dict[str, Record]) -> None:
    """The identifier sorts by time of arrival."""
    ids = [record.receipt_id for record in store.list()]
    assert ids == sorted(ids, reverse=True)
    assert [record.receipt_id for record in store.list(limit=2)] == ids[:2]
    assert store.counts() == {RecordStatus.ACCEPTED: 2, RecordStatus.NEEDS_REVIEW: 1}


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("kopi sdn", 1),
        ("flat WHITE", 3),
        ("cafe", 3),
        ("whit", 3),
        ("fuel kopi", 1),
        ("16.96", 3),
        ("RM16", 3),
        ("nowhere", 0),
        ("", 0),
        ("& -", 0),
    ],
)
def test_search_finds_words_in_any_part(store: ReceiptRepository, three: dict[str, Record], words: str, count: int) -> None:
    """Merchant, items and OCR text are searched; case, accents and word endings do not matter; all words must be there."""
    assert len(list(store.search(words))) == count


@pytest.mark.parametrize("words", ['"', 'a"b', "NEAR(", "merchant:x", "a OR", "*", "^x", "-kopi", "caf\udce9", "a\0b", "(((", "'"])
def test_search_takes_any_text(store: ReceiptRepository, three: dict[str, Record], words: str) -> None:
    """Signs that mean something to the index are plain text to a user."""
    list(store.search(words))


def test_a_second_photo_of_a_receipt_is_proposed_as_duplicate(store: ReceiptRepository) -> None:
    """Same merchant, date, time, total and currency from other bytes: the oldest such record is named, and nothing else changes."""
    first = save(store, cafe("first.jpg"))
    second = cafe("second.jpg", merchant_name="KOPI & CO SDN. BHD")
    assert save(store, second) == second.model_copy(update={"duplicate_of": first.receipt_id})
    assert save(store, first) == first


@pytest.mark.parametrize(
    "difference",
    [
        {"total": Decimal("16.97")},
        {"transaction_date": date(2026, 3, 15)},
        {"transaction_time": time(9, 27)},
        {"transaction_time": None},
        {"currency_code": "SGD"},
        {"merchant_name": "Teh Tarik"},
        {"merchant_name": None},
        {"total": None},
    ],
)
def test_different_receipts_are_no_duplicates(store: ReceiptRepository, difference: dict[str, Any]) -> None:
    """One difference, or one thing that is not known, is enough."""
    save(store, cafe("first.jpg"))
    assert save(store, cafe("second.jpg", **difference)).duplicate_of is None


@pytest.fixture
def shell(archive: Archive, three: dict[str, Record]) -> Iterator[sqlite3.Connection]:
    """The database as a user opens it, without this project."""
    connection = sqlite3.connect(archive.settings.database)
    yield connection
    connection.close()


def test_the_views_have_decimal_amounts(shell: sqlite3.Connection, three: dict[str, Record]) -> None:
    """Amounts are numbers in the receipt's currency; the exact cents are beside them; prices keep all their digits."""
    of = (three["cafe"].receipt_id,)
    receipt = "SELECT merchant_name, transaction_date, total, total_minor, minor_factor FROM v_receipts WHERE receipt_id = ?"
    assert shell.execute(receipt, of).fetchall() == [("Kopi & Co. Sdn Bhd", "2026-03-14", 16.96, 1696, 100)]
    item = "SELECT description, quantity, unit_price, total_price FROM v_items WHERE receipt_id = ? ORDER BY position"
    assert shell.execute(item, of).fetchall() == [("Flat white", 2.0, 8.505, 17.01), ("Café au lait", None, None, -1.01)]
    assert shell.execute("SELECT rate, net_amount, amount FROM v_tax_lines WHERE receipt_id = ?", of).fetchall() == [(6.0, 16.0, 0.96)]
    review = shell.execute("SELECT receipt_id, field, kind, total FROM v_needs_review").fetchall()
    assert review == [(three["fuel"].receipt_id, "total", "unconfirmed", 16.96)]


@pytest.mark.parametrize(
    ("currency", "total", "minor"), [("JPY", "1200", 1200), ("EUR", "12.00", 1200), ("KWD", "1.200", 1200), (None, "12", 1200)]
)
def test_minor_units_follow_the_currency(archive: Archive, currency: str | None, total: str, minor: int) -> None:
    """Yen have no cents, dinars have a thousand fils; the view shows the amount as printed."""
    save(archive.receipts, cafe(currency_code=currency, total=Decimal(total)))
    with archive.database.read() as connection:
        assert connection.execute(text("SELECT total_minor, total FROM v_receipts")).one() == (minor, float(total))


def test_the_example_queries_run(shell: sqlite3.Connection) -> None:
    """Every example in views.sql, which the manual repeats, runs through SQLite alone and finds what it says."""
    examples = re.findall(r"^-- example: (.+)$", (PACKAGE / "views.sql").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(examples) == 7
    found = [shell.execute(example).fetchall() for example in examples]
    assert found[0][0] == ("2026-03", "MYR", 2, 33.92)
    assert all(found[:5])


def test_the_migrations_make_what_the_code_expects(tmp_path: Path) -> None:
    """The migrated schema and the mapped tables are the same, and HEAD is the newest migration."""
    Database(tmp_path / "new.db").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'new.db'}")
    with engine.connect() as opened:
        context = MigrationContext.configure(opened, opts={"include_object": lambda _, name, *__: not name.startswith("receipts_fts")})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()
    assert ScriptDirectory(str(PACKAGE / "migrations")).get_current_head() == connection.HEAD


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    """A database that is up to date is opened as it is."""
    path = tmp_path / "receipts.db"
    Database(path).close()
    with sqlite3.connect(path) as connection:
        before = connection.execute("SELECT sql FROM sqlite_master").fetchall()
    Database(path).close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT sql FROM sqlite_master").fetchall() == before


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    """A file that a newer version has changed is not touched."""
    path = tmp_path / "receipts.db"
    Database(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match="newer version"):
        Database(path)


def test_a_folder_that_is_missing_is_a_storage_error(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(StorageError, match="nowhere"):
        Database(tmp_path / "nowhere" / "receipts.db")


def test_a_locked_database_is_a_storage_error(tmp_path: Path) -> None:
    """Whoever waits too long for the lock gets an error that says to try later, and nothing is half-written."""
    database = Database(tmp_path / "receipts.db", busy_seconds=0.05)
    holder = sqlite3.connect(tmp_path / "receipts.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="locked"), database.write():
        pass
    holder.execute("ROLLBACK")
    with database.write() as connection:
        connection.execute(text("SELECT 1"))
    holder.close()
    database.close()


def test_looking_does_not_wait_for_a_writer(archive: Archive, store: ReceiptRepository) -> None:
    """While another program holds the write lock, a database is opened and read all the same."""
    save(store, cafe())
    holder = sqlite3.connect(archive.settings.database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    database = Database(archive.settings.database, busy_seconds=0.05)
    assert len(list(ReceiptRepository(database).list())) == 1
    database.close()
    holder.close()


def test_the_promises_pragmas_are_set(archive: Archive) -> None:
    """Readers do not wait, parts do not outlive their receipt, and what must survive a power cut does (2 is FULL, 1 is NORMAL)."""
    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    found = []
    for durable in (True, False, True):
        with archive.database.write(durable=durable) as connection:
            found.append({name: connection.scalar(text(f"PRAGMA {name}")) for name in names})
    plain = {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 5000}
    assert found == [plain | {"synchronous": level} for level in (2, 1, 2)]


WORDS = [
    '"',
    "'",
    '""',
    "*",
    "tea*",
    "tea AND",
    "NOT",
    "NEAR(",
    "merchant:tea",
    "{merchant items}:tea",
    "^tea",
    "tea -house",
    "(",
    ")",
    "-",
    ";--",
    "%",
    "_",
]


@pytest.mark.parametrize("words", [*WORDS, "tea\0house", "\udce9", "\u202e", "é" * 10_000, "a " * 2000])
def test_any_words_can_be_searched_for(archive: Archive, words: str) -> None:
    """What is an operator, a quotation mark or half a character to SQLite is just text: the answer may be empty, never an error."""
    save(archive.receipts, cafe(ocr_text="tea house"))
    assert len(list(archive.receipts.search(words))) <= 1
    assert list(archive.receipts.list(merchant=f"{words} of nowhere")) == []
    assert list(archive.receipts.list(tag=words)) == []
    assert archive.receipts.get(words) is None


def test_columns_repeat_the_whole_evidence(store: ReceiptRepository, shell: sqlite3.Connection) -> None:
    """How many looks agree on a value, what share of the answers gives it, and what was enlarged are in the tables, too."""
    box = (0.1, 0.2, 0.3, 0.4)
    attempt = Attempt(rung="vote", fields=("total",), page=1, box=box, samples=5)
    record = save(store, cafe(attempts=(attempt,), fields={"total": FieldEvidence(raw_text="16.96", looks=3, agreement=0.6)}))
    evidence = "SELECT looks, agreement FROM fields WHERE receipt_id = ?"
    assert shell.execute(evidence, (record.receipt_id,)).fetchall() == [(3, 0.6)]
    asked = "SELECT page, box_left, box_top, box_right, box_bottom, samples FROM attempts WHERE receipt_id = ?"
    assert shell.execute(asked, (record.receipt_id,)).fetchall() == [(1, *box, 5)]


@pytest.mark.parametrize(
    ("statement", "columns"),
    [
        ("UPDATE receipts SET status = 'corrected'", ("receipts.status",)),
        ("UPDATE receipts SET tip_minor = 100", ("receipts.tip_minor",)),
        ("UPDATE items SET total_price_minor = 1 WHERE position = 0", ("items.total_price_minor",)),
        ("UPDATE fields SET looks = 9", ("fields.looks",)),
        ("DELETE FROM payments", ("payments",)),
    ],
)
def test_columns_that_were_changed_by_hand_are_found(
    store: ReceiptRepository, shell: sqlite3.Connection, statement: str, columns: tuple[str, ...]
) -> None:
    """The record is read from its JSON: other values in the columns are a second truth."""
    record = save(store, cafe())
    save(store, cafe("other.jpg", merchant_name=None, total=None))
    assert list(store.altered()) == []
    where = "WHERE" if "WHERE" not in statement else "AND"
    shell.execute(f"{statement} {where} receipt_id = ?", (record.receipt_id,))
    shell.commit()
    assert list(store.altered()) == [(record.receipt_id, columns)]


def test_spending_counts_each_purchase_once(store: ReceiptRepository, shell: sqlite3.Connection) -> None:
    """Accepted and corrected records, of several photos of a receipt only one, and nothing that still needs a person."""

    def spending() -> list[str]:
        query = "SELECT original_filename FROM v_spending JOIN receipts USING (receipt_id) WHERE v_spending.tags = '[\"sum\"]' ORDER BY 1"
        return [name for (name,) in shell.execute(query).fetchall()]

    arrivals = itertools.count()  # identifiers sort by arrival only from one millisecond to the next

    def saved(name: str, status: RecordStatus, merchant: str = "Tea House") -> Record:
        receipt_id = new_receipt_id(datetime(2026, 3, 14, 12, tzinfo=UTC) + timedelta(seconds=next(arrivals)))
        return save(store, cafe(name, receipt_id=receipt_id, merchant_name=merchant, status=status, tags=("sum",)))

    first = saved("first.jpg", RecordStatus.NEEDS_REVIEW)
    photos = [saved(f"photo {number}.jpg", RecordStatus.ACCEPTED) for number in (1, 2)]
    assert {photo.duplicate_of for photo in photos} == {first.receipt_id}
    saved("corrected.jpg", RecordStatus.CORRECTED, "Corner")
    saved("rejected.jpg", RecordStatus.REJECTED, "Nobody")
    corrected, photo = spending()
    assert (corrected, photo[:5]) == ("corrected.jpg", "photo")
    save(store, first.model_copy(update={"status": RecordStatus.CORRECTED}))
    assert spending() == ["corrected.jpg", "first.jpg"]
