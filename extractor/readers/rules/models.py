"""Trained models as plain arrays: fitted elsewhere, evaluated here with numpy alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Trees:
    """A sum of binary trees whose total is a log-odds.

    Attributes:
        start: What the sum begins with.
        features: Feature that each node looks at, shape (trees, nodes); -1 in leaves.
        thresholds: A sample goes left where its feature is at most this.
        left: Index of the left child; the right one follows in `right`.
        values: What a leaf adds.
    """

    start: float
    features: np.ndarray
    thresholds: np.ndarray
    left: np.ndarray
    right: np.ndarray
    values: np.ndarray

    def log_odds(self, samples: np.ndarray) -> np.ndarray:
        """One log-odds a sample; `samples` has shape (samples, features)."""
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
        """One probability a sample."""
        return np.asarray(1 / (1 + np.exp(-self.log_odds(samples))))

    @staticmethod
    def of(stored: Mapping[str, Any]) -> "Trees":
        """The trees that `stored` holds: `start`, and `trees`, each a list of nodes (feature, threshold, left, right, value)."""
        size = max(len(tree) for tree in stored["trees"])
        padded = np.array([[*tree, *[[-1, 0, 0, 0, 0]] * (size - len(tree))] for tree in stored["trees"]], dtype=float)
        features, thresholds, left, right, values = np.moveaxis(padded, 2, 0)
        return Trees(float(stored["start"]), features.astype(np.intp), thresholds, left.astype(np.intp), right.astype(np.intp), values)


@dataclass(frozen=True)
class Model:
    """A small network with one hidden layer that scores each candidate; a softmax over the receipt's candidates gives probabilities."""

    mean: np.ndarray
    scale: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    out: np.ndarray
    linear: np.ndarray
    calibration: np.ndarray

    def scores(self, matrix: np.ndarray) -> np.ndarray:
        """One score a candidate; higher is likelier."""
        scaled = (matrix - self.mean) / self.scale
        return np.asarray(np.tanh(scaled @ self.hidden + self.hidden_bias) @ self.out + scaled @ self.linear)

    def probabilities(self, matrix: np.ndarray) -> np.ndarray:
        """Probabilities of the candidates of one receipt; they add up to 1."""
        scores = self.scores(matrix)
        powers = np.exp(scores - scores.max())
        return np.asarray(powers / powers.sum())

    def confidence(self, probability: float) -> float:
        """How often a choice of this probability was right on receipts that the network had not seen."""
        return float(np.interp(probability, self.calibration[:, 0], self.calibration[:, 1]))

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> "Model":
        return cls(**{field.name: np.array(stored[field.name], dtype=np.float64) for field in fields(cls)})


def logistic(coefficients: Mapping[str, float], facts: Mapping[str, float]) -> float:
    """The probability that a logistic regression gives: `coefficients` by fact, and one for `constant`."""
    total = coefficients["constant"] + sum(coefficients[name] * value for name, value in facts.items())
    return float(1 / (1 + np.exp(-total)))


@cache
def trees(file: str, name: str) -> Trees:
    """The trees stored under `name` in a file of `weights/`."""
    return Trees.of(weights(file)[name])


@cache
def weights(name: str) -> Mapping[str, Any]:
    """A file of `weights/`, read once."""
    text = resources.files("extractor.readers.rules").joinpath("weights", name).read_text(encoding="utf-8")
    stored: Mapping[str, Any] = json.loads(text)
    return stored


@cache
def network(file: str) -> Model:
    """The network that a file of `weights/` holds."""
    return Model.load(weights(file))
