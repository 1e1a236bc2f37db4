"""Options and arguments that several commands share. Imports nothing heavy, so that `receipts --help` answers at once."""

import calendar
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from extractor.config.settings import Settings
    from extractor.storage.archive import Archive


class Format(StrEnum):
    """Format of results on stdout."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


FormatOption = Annotated[Format, typer.Option("--format", "-f", help="Format of the results on stdout.")]
ReaderOption = Annotated[
    str | None, typer.Option("--reader", metavar="NAME", help="Reader to use instead of the setting reader.name.", show_default=False)
]


def parse_first_day(text: str) -> date:
    """The first day of a day, month or year: `2023-10` is 2023-10-01."""
    return _parse_period(text)[0]


def parse_last_day(text: str) -> date:
    """The last day of a day, month or year: `2023-10` is 2023-10-31."""
    return _parse_period(text)[1]


def _parse_period(text: str) -> tuple[date, date]:
    numbers = text.split("-") if re.fullmatch(r"[0-9]{4}(-[0-9]{1,2}){0,2}", text) else []
    try:
        match [int(number) for number in numbers]:
            case [year]:
                return date(year, 1, 1), date(year, 12, 31)
            case [year, month]:
                return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])
            case [year, month, day]:
                return date(year, month, day), date(year, month, day)
    except ValueError:
        pass  # no such month or day
    raise typer.BadParameter(f"{text!r} is not a date. Write a day, month or year as in 2023-10-31, 2023-10 or 2023.")


@dataclass
class Invocation:
    """The options in front of the command; commands get it as `context.obj`."""

    config: Path | None = None
    debug: bool = False
    unit: str = ""

    def settings(self, **changes: dict[str, object] | None) -> "Settings":
        """The settings, with the sections in `changes` updated by command line options; a section that is `None` stays as it is."""
        from extractor.config.settings import load_settings  # noqa: PLC0415  # not needed for --help

        return load_settings(self.config, overrides={name: change for name, change in changes.items() if change})

    @contextmanager
    def archive(self) -> "Iterator[Archive]":
        """The archive of these settings, closed with the block. A missing database is an error: only `receipts init` creates one."""
        from extractor.errors import ConfigError  # noqa: PLC0415  # not needed for --help

        settings = self.settings()
        if not settings.database.is_file():
            raise ConfigError(f"{settings.database} does not exist. Create it with: receipts init")
        from extractor.storage.archive import open_archive  # noqa: PLC0415  # not needed for --help

        archive = open_archive(settings)
        try:
            yield archive
        finally:
            archive.close()
