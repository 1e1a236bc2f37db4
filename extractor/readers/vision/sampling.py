"""Samples answers instead of taking the most likely tokens. The same seed gives the same answer, alone or in any batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

STRIDE = 1_000_003  # distance between the random states of neighbouring seeds: more than an answer has tokens


@dataclass(frozen=True)
class Sampling:
    """How an answer is sampled.

    Attributes:
        seed: Answers with different seeds differ where the model is uncertain.
        temperature: Above 0; 1 samples by the model's own probabilities, less makes likely tokens likelier.
    """

    seed: int
    temperature: float


def add_sampling_noise(allowed: "torch.Tensor", samplings: Sequence[tuple[int, Sampling, int]]) -> "torch.Tensor":
    """Add noise to scores so that the largest is a sample of their softmax; rows that are not sampled stay as they are.

    The noise depends only on the seed and the token's place in the answer. So tokens from a draft are checked against the very sample that
    generating token by token would have taken.

    Args:
        allowed: (rows, vocabulary) float; minus infinity where a token is not allowed. Changed in place.
        samplings: Row, how it is sampled, and the token's place in its answer, counted from 0.
    """
    import torch  # noqa: PLC0415 - `Sampling` is used where torch is not installed

    for row, sampling, place in samplings:
        generator = torch.Generator(device=allowed.device).manual_seed(sampling.seed * STRIDE + place)
        noise = torch.empty_like(allowed[row]).exponential_(generator=generator).log().neg()  # Gumbel: its argmax samples the softmax
        allowed[row] = allowed[row] / sampling.temperature + noise
    return allowed
