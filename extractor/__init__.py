"""Extract checked records from receipts. The names below are the public Python API; each is imported when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from extractor.api import ReadResult, ReceiptInput, read_receipts
    from extractor.config.settings import Settings, load_settings
    from extractor.errors import (
        BadAnswer,
        ConfigError,
        DatabaseDamaged,
        Encrypted,
        ExtractorError,
        FileCrashesReader,
        InputError,
        ReaderDown,
        ReaderRefused,
        ReaderUnavailable,
        Stopped,
        StorageError,
        TooLarge,
        Unreadable,
        UnsupportedFormat,
    )
    from extractor.schemas.receipt import Item, Payment, Receipt, TaxLine
    from extractor.schemas.record import Check, Record, RecordStatus, ReviewReason
    from extractor.schemas.values import FieldEvidence

__all__ = [
    "BadAnswer",
    "Check",
    "ConfigError",
    "DatabaseDamaged",
    "Encrypted",
    "ExtractorError",
    "FieldEvidence",
    "FileCrashesReader",
    "InputError",
    "Item",
    "Payment",
    "ReadResult",
    "ReaderDown",
    "ReaderRefused",
    "ReaderUnavailable",
    "Receipt",
    "ReceiptInput",
    "Record",
    "RecordStatus",
    "ReviewReason",
    "Settings",
    "Stopped",
    "StorageError",
    "TaxLine",
    "TooLarge",
    "Unreadable",
    "UnsupportedFormat",
    "load_settings",
    "read_receipts",
]

# Names that are not errors, by the module that defines them.
_HOMES = {
    "extractor.api": ("ReadResult", "ReceiptInput", "read_receipts"),
    "extractor.config.settings": ("Settings", "load_settings"),
    "extractor.schemas.receipt": ("Item", "Payment", "Receipt", "TaxLine"),
    "extractor.schemas.record": ("Check", "Record", "RecordStatus", "ReviewReason"),
    "extractor.schemas.values": ("FieldEvidence",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name on first use: `import extractor` itself loads nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF.get(name, "extractor.errors")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
