"""What one field family contributes to an answer: values as printed and where they were seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from extractor.readers.interface import Evidence


@dataclass(frozen=True)
class Part:
    """Some fields of a `ReceiptAnswer` with their evidence.

    Attributes:
        values: By field name of `ReceiptAnswer`; plain JSON values, text as printed. Fields that were not found are left out.
        evidence: By field path (`total`, `items[0].total_price`).
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
