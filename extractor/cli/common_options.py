"""What the commands' options share. Imports nothing that `receipts --help` would have to wait for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from extractor.config.settings import Settings
    from extractor.storage.archive import Archive


class Format(StrEnum):
    """How results are written to stdout."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How results are written to stdout.")]
ReaderOption = Annotated[str | None, typer.Option("--reader", help="Who reads, instead of the setting reader.name.", show_default=False)]


@dataclass
class Invocation:
    """What the options in front of the command say; commands get it as `context.obj`."""

    config: Path | None = None
    debug: bool = False
    unit: str = ""

    def settings(self, **changes: dict[str, object] | None) -> "Settings":
        """The settings, with the sections in `changes` updated by options of the command line; those that are `None` are left alone."""
        from extractor.config.settings import load_settings  # noqa: PLC0415  # see the module's docstring

        return load_settings(self.config, overrides={name: change for name, change in changes.items() if change})

    @contextmanager
    def archive(self) -> "Iterator[Archive]":
        """Everything that is filed; looking makes no database where there is none."""
        from extractor.errors import ConfigError  # noqa: PLC0415  # see the module's docstring

        settings = self.settings()
        if not settings.database.is_file():
            raise ConfigError(f"{settings.database} is not there. Make it with: receipts init")
        from extractor.storage.archive import open_archive  # noqa: PLC0415  # as above

        archive = open_archive(settings)
        try:
            yield archive
        finally:
            archive.close()
