"""Receipts in, trustworthy records out. `from extractor import read_receipts` is the whole of it in Python."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from extractor.api import read_receipts

__all__ = ["read_receipts"]


def __getattr__(name: str) -> Any:
    """`read_receipts`, imported when it is first used, so that `import extractor` costs nothing."""
    if name == "read_receipts":
        from extractor.api import read_receipts  # noqa: PLC0415  # see above

        return read_receipts
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
