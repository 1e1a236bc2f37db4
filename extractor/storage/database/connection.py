"""Opens a SQLite file, upgrades its schema, and runs transactions. Knows no table."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError, IntegrityError

from extractor.errors import ConfigError, DatabaseDamaged, StorageError
from extractor.runtime.clock import SystemClock
from extractor.storage.database.snapshot import snapshot
from extractor.storage.files.atomic import copy_hashed

if TYPE_CHECKING:
    from alembic.config import Config

logger = logging.getLogger(__name__)

# Newest migration; a test compares it with the files. Without it, Alembic would be imported at every start.
HEAD = "0003"

_HERE = Path(__file__).parent
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",  # readers do not wait for the writer
    "PRAGMA foreign_keys = ON",
)


class Database:
    """A SQLite file with the newest schema. Threads may share it; each transaction has its own connection.

    Raises:
        StorageError: The file cannot be opened, or is locked.
        DatabaseDamaged: The file is damaged or not a database.
        ConfigError: It was created by a newer version of this program.
    """

    def __init__(self, path: Path, *, busy_seconds: float = 5.0) -> None:
        self.path = path
        self._busy_seconds = busy_seconds
        self._opened: tuple[int, int] | None = None
        self._engine = create_engine(URL.create("sqlite", database=str(path)), creator=self._connect)
        event.listen(self._engine, "connect", _prepare)
        event.listen(self._engine, "begin", _begin)
        # IMMEDIATE waits for the write lock at the start; a transaction that starts by reading could fail later instead.
        self._writing = self._engine.execution_options(begin="BEGIN IMMEDIATE", synchronous="NORMAL")
        self._writing_durably = self._engine.execution_options(begin="BEGIN IMMEDIATE", synchronous="FULL")
        with self._errors():
            with self._engine.connect() as connection:  # no write lock: readers do not wait for a writer
                is_newest = _version(connection) == HEAD
            if not is_newest:
                with self._writing_durably.begin() as connection:
                    _migrate(connection, path)
        self._opened = _identity(path)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection with a consistent snapshot of the database, for reading only.

        Raises:
            StorageError: The database is locked or does not exist any more.
            DatabaseDamaged: It is damaged or was replaced.
        """
        with self._errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        """A transaction, which is rolled back if the block raises. There is one writer at a time, also across processes.

        Args:
            durable: Whether this and all earlier transactions survive a power cut. Otherwise the latest ones may be lost, always in
                order; that is enough for state that can be recovered from the folders.
        Raises:
            StorageError: The database is locked or does not exist any more, or the disk is full.
            DatabaseDamaged: It is damaged or was replaced.
        """
        engine = self._writing_durably if durable else self._writing
        with self._errors(), engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Closes all idle connections."""
        self._engine.dispose()

    def _connect(self) -> sqlite3.Connection:
        # Only the first connection creates a database: later, an empty one must not replace one that was removed.
        mode = "rwc" if self._opened is None else "rw"
        name = f"{self.path.absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(name, uri=True, timeout=self._busy_seconds, check_same_thread=False)

    def _check_identity(self) -> None:
        """Raises an error if the file was removed or replaced: what is written to it would be lost when the program ends."""
        if self._opened is None or (now := _identity(self.path)) == self._opened:
            return
        if now is None:
            raise StorageError(
                f"{self.path} does not exist any more. Put it back, or stop the program and restore it: receipts restore BACKUP"
            )
        advice = "Restart the program to use the new file."
        raise DatabaseDamaged(f"{self.path} was replaced by another file while it was in use. {advice}")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        self._check_identity()
        try:
            yield
        except IntegrityError:
            raise  # a bug, not a fault of the disk
        except DatabaseError as error:
            if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
                raise _damaged(self.path, error.orig) from error
            raise StorageError(
                f"{self.path}: {error.orig}. Check that the disk has space and that no other program locks the database."
            ) from error


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of the file; `None` if it does not exist."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _damaged(path: Path, cause: BaseException | None) -> DatabaseDamaged:
    """Copies the damaged database, unless an earlier error has done so, and returns the error. The database itself is not changed."""
    copy = path.with_name(f"{path.name}.damaged")
    copied = f"A copy of its current state is {copy}"
    try:
        if not copy.exists():
            hidden = path.with_name(f".{copy.name}.tmp")
            if (log := path.with_name(f"{path.name}-wal")).exists():
                copy_hashed(log, copy.with_name(f"{copy.name}-wal"))
            copy_hashed(path, hidden)
            hidden.replace(copy)  # last: this name means that the copy is complete
    except OSError as error:
        copied = f"It could not be copied ({error.strerror})"
    advice = "Stop the program, move the file away, and restore a backup: receipts restore BACKUP. The outbox has every record as JSON."
    return DatabaseDamaged(f"{path} is damaged: {cause}. {copied}. {advice}")


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # this module starts transactions itself
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if synchronous := options.get("synchronous"):
        connection.exec_driver_sql(f"PRAGMA synchronous = {synchronous}")
    connection.exec_driver_sql(options.get("begin", "BEGIN"))


def _version(connection: Connection) -> str | None:
    """Schema version of the database; `None` for a new one."""
    is_new = connection.scalar(text("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'")) == 0
    return None if is_new else connection.scalar(text("SELECT version_num FROM alembic_version"))


def _migrate(connection: Connection, path: Path) -> None:
    """Upgrades the schema to HEAD in the caller's transaction; other processes that start meanwhile wait.

    A database with an older schema is first copied to a file beside it, which is kept.
    """
    version = _version(connection)
    if version == HEAD:
        return
    from alembic.config import Config  # noqa: PLC0415 -- slow to import and rarely needed
    from alembic.script import ScriptDirectory  # noqa: PLC0415 -- as above

    config = Config()
    config.set_main_option("script_location", str(_HERE / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version is not None and version not in known:
        raise ConfigError(f"{path} has schema {version}, created by a newer version of this program. Install that version.")
    if version is None:
        _upgrade(connection, config)
        return
    backup = path.with_name(f"{path.name}.schema-{version}.{SystemClock().now():%Y%m%dT%H%M%S.%fZ}.backup")
    logger.info("database_upgrade", extra={"database": str(path), "schema": version, "to": HEAD, "backup": str(backup)})
    snapshot(path, backup)  # the transaction's lock blocks all other writers
    try:
        _upgrade(connection, config)
    except BaseException:
        backup.unlink()  # nothing was changed, and a service that restarts again and again must not fill the disk
        raise


def _upgrade(connection: Connection, config: "Config") -> None:
    """Runs the missing migrations and creates the views again."""
    from alembic import command  # noqa: PLC0415 -- slow to import and rarely needed

    for view in connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'view'")).all():
        connection.exec_driver_sql(f'DROP VIEW "{view}"')
    command.upgrade(config, HEAD)
    for statement in (_HERE / "views.sql").read_text(encoding="utf-8").split(";\n"):
        if statement.strip():
            connection.exec_driver_sql(statement)
