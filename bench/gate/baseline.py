"""The gate's baseline: which fields of which receipt were right, the floors that follow from it, and how a new reading compares."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from extractor.evaluation.scoring import Score, Truth
from extractor.schemas.record import Record

PATH = Path(__file__).with_name("baseline.json")
# A wrong value of one of these makes an accepted record a wrong one.
DECISIVE = frozenset({"merchant", "date", "total", "currency"})
# Receipts by which a count may be worse than the baseline. On one machine the results are always the same; on another processor the OCR
# engine's arithmetic rounds differently, and a character that was nearly undecided comes out differently.
MARGIN = 2
# The same for the items' F1.
F1_MARGIN = 0.01


@dataclass(frozen=True)
class Outcome:
    """How one receipt was read.

    Attributes:
        fields: Whether each labelled field is right.
        items: Items that are right, read and labelled; zeros where none are labelled.
    """

    fields: Mapping[str, bool]
    items: tuple[int, int, int]
    is_accepted: bool

    @classmethod
    def of(cls, truth: Truth, record: Record | None) -> Self:
        score = Score()
        score.add(truth, record)
        return cls({name: right == of for name, (right, of) in score.fields.items()}, score.items, bool(score.accepted))

    @property
    def is_wrongly_accepted(self) -> bool:
        return self.is_accepted and not all(self.fields.get(name, True) for name in DECISIVE)

    def losses(self, before: "Outcome") -> tuple[str, ...]:
        """What was right before and is not any more; empty where nothing got worse."""
        lost = [name for name, was_right in before.fields.items() if was_right and not self.fields.get(name, False)]
        if self.items[0] < before.items[0]:
            lost.append(f"items {before.items[0]} > {self.items[0]} of {self.items[2]}")
        if before.is_accepted and not self.is_accepted:
            lost.append("not accepted")
        if self.is_wrongly_accepted and not before.is_wrongly_accepted:
            lost.append("ACCEPTED AND WRONG")
        return tuple(lost)

    def as_json(self) -> dict[str, Any]:
        right = " ".join(name for name, is_right in self.fields.items() if is_right)
        wrong = " ".join(name for name, is_right in self.fields.items() if not is_right)
        return {"right": right, "wrong": wrong, "items": self.items, "accepted": self.is_accepted}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        fields = dict.fromkeys(stored["right"].split(), True) | dict.fromkeys(stored["wrong"].split(), False)
        hits, found, labelled = stored["items"]
        return cls(fields, (hits, found, labelled), stored["accepted"])


Outcomes = Mapping[str, Outcome]


@dataclass(frozen=True)
class Measure:
    """One number of the gate and its limit.

    Attributes:
        of: What `value` is counted out of; `None` for a ratio.
        is_ceiling: Whether `value` may not exceed `limit`; otherwise it may not fall below it.
    """

    name: str
    value: float
    of: int | None
    limit: float
    is_ceiling: bool = False

    @property
    def is_kept(self) -> bool:
        return self.value <= self.limit if self.is_ceiling else self.value >= self.limit


def measure(outcomes: Iterable[Outcome]) -> dict[str, tuple[float, int | None]]:
    """By name of the measure: its value, and what it is counted out of."""
    outcomes = list(outcomes)
    measured: dict[str, tuple[float, int | None]] = {}
    for name in dict.fromkeys(name for outcome in outcomes for name in outcome.fields):
        judged = [outcome.fields[name] for outcome in outcomes if name in outcome.fields]
        measured[name] = sum(judged), len(judged)
    headers = [all(outcome.fields.get(name, True) for name in ("merchant", "date", "total")) for outcome in outcomes]
    hits, found, labelled = (sum(counts) for counts in zip(*(outcome.items for outcome in outcomes), strict=True))
    measured["header"] = sum(headers), len(headers)
    measured["items F1"] = round(2 * hits / (found + labelled), 4) if found + labelled else 0.0, None
    measured["accepted"] = sum(outcome.is_accepted for outcome in outcomes), len(outcomes)
    measured[WRONG_ACCEPTED] = sum(outcome.is_wrongly_accepted for outcome in outcomes), len(outcomes)
    return measured


WRONG_ACCEPTED = "wrong accepted"


def limits_of(outcomes: Iterable[Outcome]) -> dict[str, float]:
    """Floors, and the ceiling of wrong accepted records, a margin away from what was measured."""
    limits = {}
    for name, (value, of) in measure(outcomes).items():
        margin = F1_MARGIN if of is None else MARGIN
        limits[name] = round(value + margin if name == WRONG_ACCEPTED else max(0, value - margin), 4)
    return limits


@dataclass(frozen=True)
class Baseline:
    """What is committed: the limits, and the outcome of every receipt they were set on."""

    limits: Mapping[str, float]
    outcomes: Outcomes

    @classmethod
    def load(cls, path: Path = PATH) -> Self:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return cls(stored["limits"], {name: Outcome.from_json(outcome) for name, outcome in stored["receipts"].items()})

    @classmethod
    def of(cls, outcomes: Outcomes) -> Self:
        return cls(limits_of(outcomes.values()), outcomes)

    def save(self, path: Path = PATH) -> None:
        """Write it with one receipt a line, so that a diff names the receipts that changed."""
        receipts = ",\n".join(f"  {json.dumps(name)}: {json.dumps(outcome.as_json())}" for name, outcome in self.outcomes.items())
        limits = json.dumps(self.limits, indent=2).replace("\n", "\n ")
        path.write_text(f'{{\n "limits": {limits},\n "receipts": {{\n{receipts}\n }}\n}}\n', encoding="utf-8")

    def measures(self, outcomes: Outcomes) -> list[Measure]:
        """Every number now, beside its limit."""
        return [
            Measure(name, value, of, self.limits[name], is_ceiling=name == WRONG_ACCEPTED)
            for name, (value, of) in measure(outcomes.values()).items()
        ]

    def worse(self, outcomes: Outcomes) -> dict[str, tuple[str, ...]]:
        """By receipt that got worse, what it lost."""
        losses = {name: outcome.losses(self.outcomes[name]) for name, outcome in outcomes.items()}
        return {name: lost for name, lost in losses.items() if lost}

    def better(self, outcomes: Outcomes) -> list[str]:
        """Names of the receipts that got better in something."""
        return [name for name, outcome in outcomes.items() if self.outcomes[name].losses(outcome)]
