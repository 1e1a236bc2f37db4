"""The confidence from which a value is accepted: thresholds chosen on labelled receipts."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from extractor.parsing.lookalikes import is_other


@dataclass(frozen=True)
class Thresholds:
    """The calibrated confidence, from 0 to 1, that a field's value needs.

    Attributes:
        alone: Accepted without any confirmation.
        backed: Accepted if a second look or, for the total, a sum agrees. Below it, two looks may make the same mistake.
        proven: A total is accepted if a second look agrees and two independent sums give it.
        despite: A total is accepted if a second look agrees although one sum gives another amount: a line item may be missing, or one side
            (purchase or payment) is misread while the other side gives the total.
    """

    alone: float
    backed: float
    proven: float = 1.0
    despite: float = 1.0


# The fields without which no record is accepted. The numbers were chosen on labelled receipts with `receipts eval`, so that less than one
# accepted record in a hundred has a wrong value in one of these fields.
THRESHOLDS: Mapping[str, Thresholds] = MappingProxyType(
    {
        "merchant_name": Thresholds(0.9, 0.6),
        "transaction_date": Thresholds(0.995, 0.8),
        "currency_code": Thresholds(0.8, 0.8),
        "total": Thresholds(0.999, 0.9, proven=0.6, despite=0.99),
    }
)
REQUIRED_FIELDS = tuple(THRESHOLDS)

# `backed` for a merchant in Cyrillic, Greek or Thai letters: both looks come from the one recogniser of that script, which may repeat its
# mistake.
ONE_RECOGNISER = 0.78

# An address below this confidence is read again: on labelled receipts every second one of those has a wrong letter or row.
CLEAR_ADDRESS = 0.85


def backed_threshold(name: str, text: str) -> float:
    """The confidence that a value needs when a second look agrees.

    Args:
        name: A required field.
        text: Its printed text.
    """
    if name == "merchant_name" and is_other(text):
        return ONE_RECOGNISER
    return THRESHOLDS[name].backed
