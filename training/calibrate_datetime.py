"""Calibrate the confidence of date and time: fit how often a candidate with given properties is the one of the sale.

    python -m training.calibrate_datetime FOLDER [--transcripts FOLDER] [--rendered 900]

FOLDER is that of `training.train_header`.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from extractor.ocr.transcript import Transcript
from extractor.parsing.dates.interpretations import PrintedDate
from extractor.readers.rules.transaction_datetime import FoundMoment, find_datetime
from training.manifest import record_training
from training.train_header import rendered, scans

WEIGHTS = Path(__file__).parent.parent / "extractor" / "readers" / "rules" / "weights" / "when.json"


def is_right(found: FoundMoment, truth: dict[str, Any]) -> bool | None:
    """Whether a candidate is compatible with the ground truth; `None` if that has no value."""
    printed = found.candidate.printed
    wanted = truth.get("date" if isinstance(printed, PrintedDate) else "time")
    if not wanted:
        return None
    if isinstance(printed, PrintedDate):
        return any(reading.day.isoformat() == str(wanted) for reading in printed.readings)
    return printed.value.isoformat()[:5] == str(wanted)[:5]


def calibrate(pairs: Iterator[tuple[tuple[Transcript, ...], dict[str, Any]]]) -> dict[str, dict[str, float]]:
    """Fit a logistic regression for each field, in the form that `extractor.readers.rules.models.logistic` loads."""
    samples: dict[str, list[tuple[dict[str, float], bool]]] = {}
    for transcripts, truth in pairs:
        for name, found in find_datetime(transcripts).items():
            right = is_right(found, truth)
            if right is not None:
                samples.setdefault(name, []).append((dict(found.facts), right))
    return {name: _fit(each) for name, each in samples.items()}


def _fit(samples: Sequence[tuple[dict[str, float], bool]]) -> dict[str, float]:
    names = list(samples[0][0])
    matrix = np.array([[facts[name] for name in names] for facts, _ in samples])
    model = LogisticRegression(C=3.0, max_iter=1000).fit(matrix, [right for _, right in samples])
    coefficients = dict(zip(names, (round(float(value), 4) for value in model.coef_[0]), strict=True))
    return {"constant": round(float(model.intercept_[0]), 4), **coefficients}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--transcripts", type=Path)
    parser.add_argument("--rendered", type=int, default=900)
    options = parser.parse_args(arguments)
    both = [*scans(options.folder, options.transcripts), *rendered(options.rendered)]
    WEIGHTS.write_text(json.dumps(calibrate(iter(both)), indent=1) + "\n", encoding="utf-8")
    command = "python -m training.calibrate_datetime FOLDER --transcripts FOLDER --rendered"
    record_training("when.json", module="calibrate_datetime", command=f"{command} {options.rendered}", seed=None)
    print(f"{len(both)} receipts; wrote {WEIGHTS}")


if __name__ == "__main__":
    main()
