"""What an installation needs is made where it is missing: settings file, inbox, outbox, database."""

from collections.abc import Iterator
from pathlib import Path

from extractor.db import Database
from extractor.errors import StorageError
from extractor.files import storage_errors
from extractor.settings import load_settings, settings_file, settings_template


def prepare(config: Path | None = None) -> Iterator[Path]:
    """Each thing that was missing, once it is made. What is there stays as it is; only an older database is brought up to date.

    Args:
        config: Settings file, as for `load_settings`.
    Raises:
        ConfigError: A setting is wrong.
        StorageError: A place cannot be made.
    """
    path = settings_file(config)
    if not path.exists():
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(settings_template(), encoding="utf-8")
        yield path
    settings = load_settings(path)
    for folder in (settings.inbox_dir, settings.outbox_dir, settings.database.parent):
        if folder.is_dir():
            continue
        if folder.exists():
            raise StorageError(f"{folder} is there, but is no folder. Move it away, or name another one in the settings.")
        with storage_errors(folder):
            folder.mkdir(parents=True)
        yield folder
    is_new = not settings.database.exists()
    Database(settings.database).close()
    if is_new:
        yield settings.database
