"""Every setting, read once from `receipts.toml` and `RECEIPTS_*`, then frozen."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InboxSettings(_Section):
    """`[inbox]`: when a dropped file is taken."""

    settle_seconds: float = Field(default=5.0, ge=0, description="A file is ready when nothing has touched it for this long.")
    patience_seconds: float = Field(default=600.0, gt=0, description="A file that does not become readable in this time fails.")
    rescan_seconds: float = Field(default=60.0, gt=0, description="How often the folder is listed even without events.")
    poll: bool = Field(default=False, description="Look instead of waiting for events: for network shares.")
    poll_seconds: float = Field(default=2.0, gt=0, description="How often to look when polling.")
    ignore: tuple[str, ...] = Field(default=(), description="File name patterns to leave alone, besides the built-in ones.")


class LimitSettings(_Section):
    """`[limits]`: what one file may cost."""

    max_bytes: int = Field(default=100_000_000, gt=0, description="Size of a file.")
    max_pages: int = Field(default=20, gt=0, description="Pages of a PDF, frames of a TIFF or GIF.")
    max_pixels: int = Field(default=100_000_000, gt=0, description="Width times height of one image.")
    max_side_px: int = Field(default=4000, ge=500, description="Longer side that a page is scaled down to before reading.")


class ReaderSettings(_Section):
    """`[reader]`: who reads, and how often it is asked again."""

    name: str = Field(default="auto", description="`auto`, `ocr`, or another installed reader.")
    ocr_engine: Literal["auto", "faster-paddle", "rapidocr"] = Field(default="auto", description="Who reads text.")
    threads: int = Field(default=0, ge=0, description="CPU threads for OCR; 0 for all cores.")
    max_rungs: int = Field(default=3, ge=0, description="How many times a receipt is asked again.")
    reask_seconds: float = Field(default=60.0, ge=0, description="Time after which no further question is begun.")


class LocaleSettings(_Section):
    """`[locale]`: tie-breaks for what a receipt does not decide itself. Nothing is assumed where they are not set."""

    country: str | None = Field(default=None, pattern=r"^[A-Z]{2}$", description="ISO 3166-1 code.")
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$", description="ISO 4217 code.")
    date_order: Literal["DMY", "MDY", "YMD"] | None = Field(default=None, description="Order of ambiguous dates.")


class WorkSettings(_Section):
    """`[work]`: claims and retries."""

    batch_size: int = Field(default=4, gt=0, description="Receipts read together.")
    lease_seconds: float = Field(default=300.0, gt=0, description="Time after which a dead worker's receipt is taken over.")
    max_attempts: int = Field(default=5, gt=0, description="Attempts before a receipt fails.")
    backoff_seconds: float = Field(default=10.0, ge=0, description="Wait after the first failed attempt; doubles each time.")
    max_backoff_seconds: float = Field(default=3600.0, ge=0, description="Longest wait between attempts.")


class LogSettings(_Section):
    """`[log]`: what is written to stderr."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="DEBUG may hold receipt contents.")
    format: Literal["text", "json"] = Field(default="text", description="One line a message, either way.")


class Settings(_Section):
    """All settings of one installation. Paths are absolute."""

    inbox_dir: Path = Field(default=Path("inbox"), description="Folder that receipts are dropped into.")
    outbox_dir: Path = Field(default=Path("outbox"), description="Folder that results and originals are filed in.")
    database: Path = Field(default=Path("receipts.db"), description="SQLite file.")
    inbox: InboxSettings = InboxSettings()
    limits: LimitSettings = LimitSettings()
    reader: ReaderSettings = ReaderSettings()
    locale: LocaleSettings = LocaleSettings()
    work: WorkSettings = WorkSettings()
    log: LogSettings = LogSettings()
