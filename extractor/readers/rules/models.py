"""Trained models as plain arrays: fitted by `training`, evaluated here with numpy alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Trees:
    """Boosted decision trees; the sum over all trees is a log-odds.

    Attributes:
        start: Initial value of the sum.
        features: Index of the feature that each node compares, shape (trees, nodes); -1 in leaves.
        thresholds: A sample goes left where its feature is at most this.
        left: Index of the left child; that of the right one is in `right`.
        values: Contribution of a leaf.
    """

    start: float
    features: np.ndarray
    thresholds: np.ndarray
    left: np.ndarray
    right: np.ndarray
    values: np.ndarray

    def log_odds(self, samples: np.ndarray) -> np.ndarray:
        """Return one log-odds per sample; `samples` has shape (samples, features)."""
        count = len(samples)
        if count == 0:
            return np.zeros(0)
        trees = np.arange(len(self.features))[:, None]
        nodes = np.zeros((len(self.features), count), dtype=np.intp)
        columns = np.arange(count)[None, :]
        while True:
            feature = self.features[trees, nodes]
            inner = feature >= 0
            if not inner.any():
                return np.asarray(self.start + self.values[trees, nodes].sum(axis=0))
            goes_left = samples[columns, np.maximum(feature, 0)] <= self.thresholds[trees, nodes]
            nodes = np.where(inner, np.where(goes_left, self.left[trees, nodes], self.right[trees, nodes]), nodes)

    def probabilities(self, samples: np.ndarray) -> np.ndarray:
        """Return one probability per sample."""
        return np.asarray(1 / (1 + np.exp(-self.log_odds(samples))))

    @staticmethod
    def of(stored: Mapping[str, Any]) -> "Trees":
        """Return stored trees: `start`, and `trees`, each a list of nodes (feature, threshold, left, right, value)."""
        size = max(len(tree) for tree in stored["trees"])
        padded = np.array([[*tree, *[[-1, 0, 0, 0, 0]] * (size - len(tree))] for tree in stored["trees"]], dtype=float)
        features, thresholds, left, right, values = np.moveaxis(padded, 2, 0)
        return Trees(float(stored["start"]), features.astype(np.intp), thresholds, left.astype(np.intp), right.astype(np.intp), values)


@dataclass(frozen=True)
class ChoiceNetwork:
    """A network with one hidden layer that scores candidates; a softmax over the candidates of one receipt gives probabilities."""

    mean: np.ndarray
    scale: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    out: np.ndarray
    linear: np.ndarray
    calibration: np.ndarray

    def scores(self, matrix: np.ndarray) -> np.ndarray:
        """Return one score per candidate; higher is likelier."""
        scaled = (matrix - self.mean) / self.scale
        return np.asarray(np.tanh(scaled @ self.hidden + self.hidden_bias) @ self.out + scaled @ self.linear)

    def probabilities(self, matrix: np.ndarray) -> np.ndarray:
        """Return the probabilities of the candidates of one receipt, which add up to 1."""
        scores = self.scores(matrix)
        powers = np.exp(scores - scores.max())
        return np.asarray(powers / powers.sum())

    def confidence(self, probability: float) -> float:
        """Return the share of choices of this probability that were right on receipts that the network was not trained on."""
        return float(np.interp(probability, self.calibration[:, 0], self.calibration[:, 1]))

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> "ChoiceNetwork":
        """Return a network from its stored arrays."""
        return cls(**{field.name: np.array(stored[field.name], dtype=np.float64) for field in fields(cls)})


def logistic(coefficients: Mapping[str, float], facts: Mapping[str, float]) -> float:
    """Return the probability of a logistic regression: one coefficient per fact, and the `constant`."""
    total = coefficients["constant"] + sum(coefficients[name] * value for name, value in facts.items())
    return float(1 / (1 + np.exp(-total)))


@cache
def trees(file: str, name: str) -> Trees:
    """Return the trees stored under `name` in a file of `weights/`."""
    return Trees.of(weights(file)[name])


@cache
def weights(name: str) -> Mapping[str, Any]:
    """Return the contents of a file of `weights/`; read once."""
    text = resources.files("extractor.readers.rules").joinpath("weights", name).read_text(encoding="utf-8")
    stored: Mapping[str, Any] = json.loads(text)
    return stored


@cache
def network(file: str) -> ChoiceNetwork:
    """Return the network in a file of `weights/`."""
    return ChoiceNetwork.load(weights(file))
