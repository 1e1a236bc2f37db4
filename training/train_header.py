"""Train the models of the header: which segments are the name of the merchant, and which are its address.

Trained on labelled scans (SROIE, CC BY 4.0) and on receipts that the project renders:

    python -m training.train_header FOLDER [--transcripts FOLDER] [--rendered 600]

FOLDER contains `truth.jsonl` and the images that it names. With `--transcripts`, transcripts are loaded from pickles named
`train__sroie__<file>.pkl`; otherwise OCR reads the images, in about a third of a second each. Needs the `train` extra: scikit-learn and
Faker.
"""

import argparse
import json
import pickle
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from extractor.documents import PageLimits, load_pages
from extractor.ocr.page_reader import PageReader
from extractor.ocr.selection import build_page_reader
from extractor.ocr.transcript import Transcript
from extractor.parsing.text import squash
from extractor.readers.rules.address import address_features, clean_segment, next_segment, step_features, usable_segments
from extractor.readers.rules.header_features import segment_features
from extractor.readers.rules.merchant import merchant_features
from extractor.readers.rules.merchant_names import clean_name
from extractor.readers.rules.models import Trees
from extractor.readers.rules.segments import HeaderSegment, find_segments, is_candidate
from training.headings import with_heading, with_inserted_rows
from training.manifest import record_training
from training.receipt_sets import TrainingSet, training_receipts
from training.render import OcrNoise

# Segments at least this similar to the labelled address are used to learn where an address begins and ends.
MIN_SIMILARITY = 0.8
WEIGHTS = Path(__file__).parent.parent / "extractor" / "readers" / "rules" / "weights" / "header.json"


@dataclass(frozen=True)
class Example:
    """One receipt: its segments, their labels and the ground truth.

    Attributes:
        rows: All segments.
        kept: Indices of the segments that may belong to the header.
        address: Indices of the segments of the address, in order; empty if it was not found or is not legible enough.
        has_address: Whether the presence or absence of an address is known.
    """

    rows: tuple[HeaderSegment, ...]
    kept: tuple[int, ...]
    is_merchant: np.ndarray
    is_address: np.ndarray
    address: tuple[int, ...]
    has_address: bool
    truth: dict[str, Any]

    @property
    def half(self) -> int:
        """Number of the half that it belongs to, 0 or 1. All receipts of a merchant are in the same half, for two-fold cross-fitting."""
        return crc32(squash(self.truth.get("merchant") or "")[:5].encode()) % 2


def names_merchant(text: str, name: str | None) -> bool:
    """Whether a segment is the merchant's name or a substantial part of it."""
    one, other = squash(clean_name(text)), squash(name or "")
    if not one or not other:
        return False
    if min(len(one), len(other)) >= 4 and (one in other or other in one):
        return True
    return one == other or SequenceMatcher(None, one, other, autojunk=False).ratio() >= 0.85


def is_in_address(text: str, address: str | None) -> bool:
    """Whether a segment is a contiguous part of the address, OCR errors allowed."""
    one, other = squash(clean_segment(text)), squash(address or "")
    if not one or not other:
        return False
    if one in other:
        return len(one) >= 4
    if len(one) < 5:
        return False
    blocks = [block for block in SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks() if block.size >= 2]
    if not blocks:
        return False
    span = blocks[-1].b + blocks[-1].size - blocks[0].b
    return sum(block.size for block in blocks) >= 0.8 * len(one) and span <= 1.4 * len(one) + 3


def example(transcripts: Sequence[Transcript], truth: dict[str, Any]) -> Example:
    rows = find_segments(transcripts)
    kept = tuple(index for index in range(len(rows)) if is_candidate(index, len(rows)))
    merchant = np.array([names_merchant(rows[index].text, truth.get("merchant")) for index in kept], dtype=bool)
    address = np.array([is_in_address(rows[index].text, truth.get("address")) for index in kept], dtype=bool)
    run = address_run(rows, [index for index, is_part in zip(kept, address, strict=True) if is_part], truth.get("address"))
    return Example(rows, kept, merchant, address, run, bool(run) or not squash(truth.get("address") or ""), truth)


def address_run(rows: Sequence[HeaderSegment], parts: Sequence[int], address: str | None) -> tuple[int, ...]:
    """Of the segments that are part of the address, return the neighbouring ones most similar to all of it; empty if none are similar."""
    possible = set(usable_segments(rows))
    usable = [index for index in parts if index in possible]
    runs: list[list[int]] = []
    for index in usable:
        if runs and index - runs[-1][-1] <= 4:
            runs[-1].append(index)
        else:
            runs.append([index])
    similarities = {tuple(run): similarity(" ".join(clean_segment(rows[index].text) for index in run), address) for run in runs}
    best = max(similarities, key=lambda run: similarities[run], default=())
    return best if similarities.get(best, 0.0) >= MIN_SIMILARITY else ()


def similarity(one: str, other: str | None) -> float:
    return SequenceMatcher(None, squash(one), squash(other or ""), autojunk=False).ratio()


def scans(folder: Path, cached: Path | None) -> Iterator[tuple[tuple[Transcript, ...], dict[str, Any]]]:
    """Yield transcripts and ground truth of the SROIE scans in a folder."""
    for text in (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines():
        truth = json.loads(text)
        if not re.match(r"sroie/", truth["image"]):
            continue
        pickled = cached / f"train__{truth['image'].replace('/', '__')}.pkl" if cached else None
        if pickled is not None and pickled.exists():
            yield pickle.loads(pickled.read_bytes()), truth  # noqa: S301  # written by this project
        else:
            yield read(folder / truth["image"]), truth


def read(path: Path) -> tuple[Transcript, ...]:
    """Transcribe the pages of a file with the default OCR effort."""
    return tuple(_page_reader().read(page)[1] for page in load_pages(path, PageLimits()))


@cache
def _page_reader() -> PageReader:
    return build_page_reader("auto", threads=0)


def rendered(count: int) -> Iterator[tuple[tuple[Transcript, ...], dict[str, Any]]]:
    """Yield transcripts with simulated OCR errors, and ground truth, of rendered receipts."""
    for number, receipt in enumerate(training_receipts(TrainingSet.HEADER, count)):
        yield (receipt.transcript(OcrNoise.random(Random(number)), number),), receipt.truth


def train(samples: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Fit boosted trees and return them in the form that `extractor.readers.rules.trees.Trees.of` loads."""
    model = HistGradientBoostingClassifier(
        max_iter=180, learning_rate=0.07, max_leaf_nodes=10, min_samples_leaf=15, l2_regularization=2.0, max_features=0.25, random_state=0
    )
    model.fit(samples, labels)
    stored = []
    for predictor in model._predictors:  # noqa: SLF001  # scikit-learn has no public access to the trees
        nodes = predictor[0].nodes
        stored.append(
            [
                [-1, 0, 0, 0, round(float(node["value"]), 5)]
                if node["is_leaf"]
                else [int(node["feature_idx"]), round(float(node["num_threshold"]), 5), int(node["left"]), int(node["right"]), 0]
                for node in nodes
            ]
        )
    return {"start": float(model._baseline_prediction.ravel()[0]), "trees": stored}  # noqa: SLF001


def examples_of(pairs: Iterator[tuple[tuple[Transcript, ...], dict[str, Any]]], *, headings: int) -> list[Example]:
    """Return each receipt unchanged, once with inserted rows, and with `headings` synthetic headings instead of its own."""
    found = []
    for number, (transcripts, truth) in enumerate(pairs):
        rng = Random(f"{number}:heading")
        original = example(transcripts, truth)
        found += [original, example((with_inserted_rows(transcripts[0], rng), *transcripts[1:]), truth)]
        heads = [
            original.rows[index].row_index
            for index, is_head in zip(original.kept, original.is_merchant | original.is_address, strict=True)
            if is_head
        ]
        for _ in range(headings if transcripts[0].lines else 0):
            made, name, address = with_heading(transcripts[0], max((row for row in heads if row < 12), default=0) + 1, rng)
            made = with_inserted_rows(made, rng) if rng.random() < 0.5 else made
            found.append(example((made, *transcripts[1:]), {**truth, "merchant": name, "address": address}))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--transcripts", type=Path)
    parser.add_argument("--rendered", type=int, default=600)
    parser.add_argument("--half", type=int, choices=(0, 1), help="train on every other scan only, to evaluate on the rest")
    options = parser.parse_args(arguments)
    labelled = list(scans(options.folder, options.transcripts))
    real = examples_of(iter(labelled if options.half is None else labelled[options.half :: 2]), headings=0)
    made = examples_of(rendered(options.rendered), headings=2)
    WEIGHTS.write_text(json.dumps(models_of([*real, *made]), separators=(",", ":")), encoding="utf-8")
    command = "python -m training.train_header FOLDER --transcripts FOLDER --rendered"
    record_training("header.json", module="train_header", command=f"{command} {options.rendered}", seed=0)
    print(f"{len(real)} from scans, {len(made)} rendered; {WEIGHTS} has {WEIGHTS.stat().st_size / 1024:.0f} KiB")


def models_of(examples: Sequence[Example]) -> dict[str, Any]:
    """Train all models of the header on these receipts.

    A model's output that is an input of the next model comes from a copy trained on the other half of the receipts, so that the next model
    is not trained on outputs for memorised receipts.
    """
    samples = [(each, segment_features(each.rows).astype(np.float32)) for each in examples]
    parts = _cross_fitted(parts_of, samples)
    wider = [
        (each, address_features(matrix, probabilities).astype(np.float32))
        for (each, matrix), probabilities in zip(samples, parts, strict=True)
    ]
    starts = _cross_fitted(starts_of, wider)
    named = [
        (each, merchant_features(matrix, probabilities).astype(np.float32))
        for (each, matrix), probabilities in zip(samples, starts, strict=True)
    ]
    return {
        "address": train(*parts_of(samples)),
        "address_start": train(*starts_of(wider)),
        "address_next": train(*steps_of(wider)),
        "merchant": train(*names_of(named)),
    }


# Receipts, each with a matrix of features: one row for each segment.
Featured = Sequence[tuple[Example, np.ndarray]]
# Feature rows and their labels.
Samples = tuple[np.ndarray, np.ndarray]


def _cross_fitted(samples_of: Callable[[Featured], Samples], receipts: Featured) -> list[np.ndarray]:
    """Return, for each receipt, the probabilities of its segments by a model trained on the other half."""
    models = [Trees.of(train(*samples_of([pair for pair in receipts if pair[0].half != half]))) for half in (0, 1)]
    results = []
    for each, matrix in receipts:
        usable, probabilities = usable_segments(each.rows), np.zeros(len(each.rows))
        probabilities[usable] = models[each.half].probabilities(matrix[usable])
        results.append(probabilities)
    return results


def parts_of(receipts: Featured) -> Samples:
    """Return every segment that can be part of an address, and whether it is."""
    samples, labels = [], []
    for each, matrix in receipts:
        is_part = dict(zip(each.kept, each.is_address, strict=True))
        usable = usable_segments(each.rows)
        samples.append(matrix[usable])
        labels += [is_part[index] for index in usable]
    return np.vstack(samples), np.array(labels)


def starts_of(receipts: Featured) -> Samples:
    """Return every segment that can be part of an address, and whether the address begins with it."""
    samples, labels = [], []
    for each, matrix in receipts:
        if each.has_address:
            usable = usable_segments(each.rows)
            samples.append(matrix[usable])
            labels += [index in each.address[:1] for index in usable]
    return np.vstack(samples), np.array(labels)


def steps_of(receipts: Featured) -> Samples:
    """Return each step along each address, and whether the next segment still belongs to it."""
    samples, labels = [], []
    for each, matrix in receipts:
        usable = usable_segments(each.rows)
        for count in range(1, len(each.address) + 1):
            following = next_segment(each.address[:count], usable)
            if following is not None:
                samples.append(step_features(each.address[:count], following, each.rows, matrix).astype(np.float32))
                labels.append(following in each.address)
    return np.array(samples), np.array(labels)


def names_of(receipts: Featured) -> Samples:
    """Return every segment of the header, and whether it names the merchant."""
    return np.vstack([matrix[list(each.kept)] for each, matrix in receipts]), np.concatenate([each.is_merchant for each, _ in receipts])


if __name__ == "__main__":
    main()
