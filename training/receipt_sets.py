"""Sets of rendered receipts with disjoint seeds: one for each model that is trained, and one for the accuracy gate."""

from collections.abc import Iterator
from enum import StrEnum

from training.render import RenderedReceipt, RenderOptions, render

GATE = "gate"


class TrainingSet(StrEnum):
    """Sets that models are trained on; `GATE` is not one of them."""

    HEADER = "header"
    LOCALE = "locale"
    TOTALS = "totals"


def training_receipt(training_set: TrainingSet, key: str, options: RenderOptions | None = None) -> RenderedReceipt:
    """Render one receipt of a training set. Training commands have no other source of rendered receipts."""
    return render(f"{training_set}-{key}", options)


def training_receipts(training_set: TrainingSet, count: int) -> Iterator[RenderedReceipt]:
    """Render the first `count` receipts of a training set."""
    for number in range(count):
        yield training_receipt(training_set, str(number))


def gate_receipt(number: int, options: RenderOptions) -> RenderedReceipt:
    """Render one receipt of the accuracy gate."""
    return render(f"{GATE}-{number}", options)
