"""The weights of clues to country and currency, and how likely a decision by them is right. Fitted by `python -m training.locale`."""

import json
import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from extractor.parsing.locale.evidence import Finding

# What a score may contribute at most: log-odds beyond it are all the same to a decision, and keep `exp` within bounds.
_MAX_SCORE = 40.0


@dataclass(frozen=True)
class LocaleWeights:
    """A conditional logit model over countries.

    Attributes:
        features: Log-odds that a clue of amount 1 adds to a country, by its name.
        elsewhere: Score of all countries that the tables do not know; keeps a lone weak clue from deciding.
        calibration: Points of probability and share of right decisions, rising in both.
    """

    features: Mapping[str, float]
    elsewhere: float
    calibration: Sequence[tuple[float, float]]

    def score(self, findings: Iterable[Finding]) -> float:
        """Log-odds of a country with these clues."""
        return max(-_MAX_SCORE, min(_MAX_SCORE, sum(self.weight_of(finding) for finding in findings)))

    def weight_of(self, finding: Finding) -> float:
        """Log-odds that one clue adds."""
        return self.features[finding.feature] * finding.amount

    def probabilities(self, scores: Mapping[str, float]) -> dict[str, float]:
        """Probabilities of the countries; what is missing to 1 is for those that the tables do not know."""
        top = max(*scores.values(), self.elsewhere)
        odds = {code: math.exp(score - top) for code, score in scores.items()}
        total = sum(odds.values()) + math.exp(self.elsewhere - top)
        return {code: share / total for code, share in odds.items()}

    def calibrated(self, probability: float) -> float:
        """Share of right decisions among those made with this probability."""
        points = self.calibration
        index = bisect_right([point[0] for point in points], probability)
        if index == len(points):
            return points[-1][1]
        (x0, y0), (x1, y1) = points[index - 1], points[index]
        return y0 + (y1 - y0) * (probability - x0) / (x1 - x0) if x1 > x0 else y1


@cache
def locale_weights() -> LocaleWeights:
    """The shipped weights."""
    stored = json.loads(resources.files("extractor.parsing").joinpath("data", "locale_weights.json").read_text(encoding="utf-8"))
    calibration = tuple((float(x), float(y)) for x, y in stored["calibration"])
    return LocaleWeights(MappingProxyType(stored["features"]), float(stored["elsewhere"]), calibration)
