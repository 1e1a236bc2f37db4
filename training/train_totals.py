"""Train the model that picks the total among all printed amounts, and write its weights.

    python -m training.train_totals --receipts FOLDER [--rendered 1600] [--transcripts FOLDER]

FOLDER contains `truth.jsonl` and the images that it names; only the data sets in `LICENSED` are used. The rest of the training set consists
of receipts that the project renders. Without `--transcripts`, OCR reads the images first.
"""

import argparse
import json
import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

import numpy as np

from extractor.documents import PageLimits, load_pages
from extractor.ocr.page_reader import PageReader
from extractor.ocr.selection import build_page_reader
from extractor.ocr.transcript import Transcript
from extractor.readers.rules.amount_rows import read_rows
from extractor.readers.rules.models import ChoiceNetwork
from extractor.readers.rules.sums import Sums
from extractor.readers.rules.totals import features, find_candidates
from training.manifest import record_training
from training.receipt_sets import TrainingSet, training_receipts
from training.render import OcrNoise

# Data sets whose licence permits to share weights trained on them.
LICENSED = frozenset({"sroie"})
# SROIE labels totals before or after cash rounding.
TOLERANCE = {"sroie": Decimal("0.02")}
WEIGHTS = Path(__file__).parents[1] / "extractor/readers/rules/weights/total.json"
FOLDS = 5


@dataclass(frozen=True)
class Group:
    """Candidates of one receipt: a row of features for each, and which of them is the total."""

    matrix: np.ndarray
    is_total: np.ndarray
    weight: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters."""

    hidden: int = 16
    members: int = 4
    epochs: int = 300
    decay: float = 2e-3
    rate: float = 0.03
    seed: int = 0


def group_of(transcripts: Sequence[Transcript], total: Decimal, tolerance: Decimal, weight: float) -> Group | None:
    """Return the candidates of a labelled receipt; `None` if it has no amount. If OCR missed the total, none is marked as the total."""
    rows = read_rows(transcripts)
    candidates = find_candidates(rows)
    is_total = np.array([abs(candidate.value - total) <= tolerance for candidate in candidates], dtype=float)
    if not candidates:
        return None
    return Group(features(rows, Sums(rows), candidates), is_total, weight)


def labelled_groups(folder: Path, transcripts: Path | None, weight: float) -> Iterator[Group]:
    """Yield the groups of the licensed receipts in a labelled folder."""
    for line in (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines():
        truth = json.loads(line)
        if truth["dataset"] not in LICENSED or not truth["total"]:
            continue
        pages = _cached(folder, truth["image"], transcripts) if transcripts else _read(folder / truth["image"])
        total = Decimal(truth["total"].replace(",", ""))
        if group := group_of(pages, total, TOLERANCE.get(truth["dataset"], Decimal(0)), weight):
            yield group


def _cached(folder: Path, image: str, transcripts: Path) -> Sequence[Transcript]:
    path = transcripts / f"{folder.name}__{image.replace('/', '__')}.pkl"
    pages: Sequence[Transcript] = pickle.loads(path.read_bytes())  # noqa: S301  (the caller's cache)
    return pages


@lru_cache(maxsize=1)
def _page_reader() -> PageReader:
    return build_page_reader()


def _read(image: Path) -> Sequence[Transcript]:
    return tuple(_page_reader().read(page)[1] for page in load_pages(image, PageLimits()))


def rendered_groups(count: int) -> Iterator[Group]:
    """Yield the groups of rendered receipts, with simulated OCR errors."""
    for number, receipt in enumerate(training_receipts(TrainingSet.TOTALS, count)):
        total = receipt.truth["total"]
        if total is None:
            continue
        if group := group_of((receipt.transcript(OcrNoise(), seed=number),), Decimal(total), Decimal(0), 1.0):
            yield group


def fit(groups: Sequence[Group], recipe: Recipe) -> ChoiceNetwork:
    """Fit one network; receipts whose total is not among the candidates are skipped.

    Minimises the mean cross-entropy of the softmax over each receipt's candidates, with Adam and weight decay.
    """
    groups = [group for group in groups if group.is_total.any()]
    rng = np.random.default_rng(recipe.seed)
    matrix = np.vstack([group.matrix for group in groups])
    mean, scale = matrix.mean(axis=0), np.maximum(matrix.std(axis=0), 0.1)
    inputs = (matrix - mean) / scale
    wanted = np.concatenate([group.is_total / group.is_total.sum() for group in groups])
    sizes = [len(group.is_total) for group in groups]
    owner = np.repeat(np.arange(len(groups)), sizes)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    weights = np.array([group.weight for group in groups])
    weights = (weights / weights.sum())[owner]
    width = inputs.shape[1]
    values = {
        "hidden": rng.normal(0, 0.1, (width, recipe.hidden)),
        "hidden_bias": np.zeros(recipe.hidden),
        "out": rng.normal(0, 0.1, recipe.hidden),
        "linear": np.zeros(width),
    }
    moments = {name: (np.zeros_like(value), np.zeros_like(value)) for name, value in values.items()}
    for step in range(1, recipe.epochs + 1):
        activations = np.tanh(inputs @ values["hidden"] + values["hidden_bias"])
        scores = activations @ values["out"] + inputs @ values["linear"]
        powers = np.exp(scores - np.maximum.reduceat(scores, starts)[owner])
        error = (powers / np.add.reduceat(powers, starts)[owner] - wanted) * weights
        back = np.outer(error, values["out"]) * (1 - activations**2)
        gradients = {
            "hidden": inputs.T @ back + recipe.decay * values["hidden"],
            "hidden_bias": back.sum(axis=0),
            "out": activations.T @ error + recipe.decay * values["out"],
            "linear": inputs.T @ error + recipe.decay * values["linear"],
        }
        for name, gradient in gradients.items():
            first, second = moments[name]
            first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
            moments[name] = first, second
            values[name] = values[name] - recipe.rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return ChoiceNetwork(mean=mean, scale=scale, calibration=np.array([[0.0, 0.0], [1.0, 1.0]]), **values)


def ensemble(groups: Sequence[Group], recipe: Recipe) -> ChoiceNetwork:
    """Fit several networks from different random starts and return their mean as one wider network, which varies less."""
    members = [fit(groups, replace(recipe, seed=recipe.seed + number)) for number in range(recipe.members)]
    first = members[0]
    return replace(
        first,
        hidden=np.hstack([member.hidden for member in members]),
        hidden_bias=np.concatenate([member.hidden_bias for member in members]),
        out=np.concatenate([member.out for member in members]) / len(members),
        linear=np.mean([member.linear for member in members], axis=0),
    )


def cross_validate(groups: Sequence[Group], recipe: Recipe) -> list[tuple[float, bool]]:
    """Return, for each receipt's best candidate, its probability by a network not trained on the receipt, and whether it is right."""
    order = np.random.default_rng(recipe.seed).permutation(len(groups))
    judged: list[tuple[float, bool]] = []
    for fold in range(FOLDS):
        held_out = set(order[fold::FOLDS].tolist())
        model = ensemble([group for index, group in enumerate(groups) if index not in held_out], recipe)
        for index in sorted(held_out):
            probabilities = model.probabilities(groups[index].matrix)
            best = int(probabilities.argmax())
            judged.append((float(probabilities[best]), bool(groups[index].is_total[best])))
    return judged


def calibrate(judged: Sequence[tuple[float, bool]]) -> np.ndarray:
    """Calibrate probabilities by isotonic regression (pool adjacent violators); returns points of a rising line."""
    pooled: list[tuple[float, float, float]] = []  # sum of probabilities, number right, number
    for probability, is_right in sorted(judged):
        pooled.append((probability, float(is_right), 1.0))
        while len(pooled) > 1 and pooled[-2][1] / pooled[-2][2] >= pooled[-1][1] / pooled[-1][2]:
            last, before = pooled.pop(), pooled.pop()
            pooled.append((before[0] + last[0], before[1] + last[1], before[2] + last[2]))
    # Laplace smoothing: few samples that are all right do not mean certainty.
    probabilities = [0.0, *(total / count for total, _, count in pooled), 1.0]
    rates = [(right + 1) / (count + 2) for _, right, count in pooled]
    return np.column_stack([probabilities, np.maximum.accumulate([0.0, *rates, rates[-1]])])


def report(judged: Sequence[tuple[float, bool]]) -> str:
    """Format the accuracy, overall and by probability."""
    lines = [f"{len(judged)} receipts, right {100 * np.mean([right for _, right in judged]):.1f} %"]
    for low, high in ((0, 0.5), (0.5, 0.8), (0.8, 0.9), (0.9, 0.97), (0.97, 0.99), (0.99, 1.01)):
        inside = [right for p, right in judged if low <= p < high]
        if inside:
            lines.append(f"  probability {low:.2f} to {min(high, 1):.2f}: {len(inside):5d} receipts, right {100 * np.mean(inside):5.1f} %")
    return "\n".join(lines)


def save(model: ChoiceNetwork, path: Path) -> None:
    """Write a model as JSON, rounded to five significant digits."""
    stored = {name: _rounded(getattr(model, name)) for name in ("mean", "scale", "hidden", "hidden_bias", "out", "linear", "calibration")}
    path.write_text(json.dumps(stored) + "\n", encoding="utf-8")


def _rounded(array: np.ndarray) -> object:
    return json.loads(json.dumps(array.tolist()), parse_float=lambda text: float(f"{float(text):.5g}"))


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--receipts", type=Path, required=True, help="folder with truth.jsonl and images")
    parser.add_argument("--transcripts", type=Path, help="folder of pickled transcripts, instead of reading the images")
    parser.add_argument("--rendered", type=int, default=1600, help="receipts to render")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    options = parser.parse_args(list(arguments) if arguments is not None else None)
    recipe = Recipe()
    real = list(labelled_groups(options.receipts, options.transcripts, weight=2.0))
    groups = [*real, *rendered_groups(options.rendered)]
    judged = cross_validate(groups, recipe)
    print(report(judged))
    save(replace(ensemble(groups, recipe), calibration=calibrate(judged)), options.weights)
    if options.weights == WEIGHTS:
        command = "python -m training.train_totals --receipts FOLDER --transcripts FOLDER --rendered"
        record_training("total.json", module="train_totals", command=f"{command} {options.rendered}", seed=recipe.seed)
    print(f"wrote {options.weights}")


if __name__ == "__main__":
    main()
