"""An answer that is drawn instead of the likeliest one: the same seed draws the same answer, alone or in any batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

STRIDE = 1_000_003
"""Keeps the dice of neighbouring seeds apart: more than an answer has tokens."""


@dataclass(frozen=True)
class Draw:
    """How an answer is drawn.

    Attributes:
        seed: Answers of other seeds differ where the model is not sure.
        temperature: Above 0; 1 draws by the model's own probabilities, less makes likely tokens likelier.
    """

    seed: int
    temperature: float


def shaken(allowed: "torch.Tensor", draws: Sequence[tuple[int, Draw, int]]) -> "torch.Tensor":
    """Scores whose largest is a draw by their softmax, in the rows that are drawn; all other rows as they are.

    What each place of an answer is drawn with depends on seed and place alone, so guesses ahead are checked against the very draw that
    speaking token by token would have made.

    Args:
        allowed: (rows, vocabulary) float; minus infinity where a token is not allowed.
        draws: Row, how it draws, and the place in its answer, counted from 0.
    """
    import torch  # noqa: PLC0415 - `Draw` travels where torch is not

    for row, draw, place in draws:
        dice = torch.Generator(device=allowed.device).manual_seed(draw.seed * STRIDE + place)
        noise = torch.empty_like(allowed[row]).exponential_(generator=dice).log().neg()  # Gumbel: its argmax draws by softmax
        allowed[row] = allowed[row] / draw.temperature + noise
    return allowed
