"""Trains the header's models: which pieces of print name the merchant, which are its address.

One command, on scans with labels (SROIE, CC BY 4.0) and on receipts that the project renders:

    python -m training.header FOLDER [--transcripts FOLDER] [--rendered 600]

FOLDER holds `truth.jsonl` and the images that it names. Transcripts are read from pickles named `train__sroie__<file>.pkl` where such a
folder is given, else by the witness (about a third of a second an image). Needs the `train` extra: scikit-learn and Faker.
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
from training.headings import disturbed, with_heading
from training.manifest import record_training
from training.render import OcrNoise, render

LEGIBLE = 0.8
"""Likeness of the pieces found to the address from which they teach where it begins and ends."""
WEIGHTS = Path(__file__).parent.parent / "extractor" / "readers" / "rules" / "weights" / "header.json"


@dataclass(frozen=True)
class Example:
    """A receipt's pieces that may be of its header, what is true of each, and the truth itself.

    Attributes:
        rows: All pieces.
        kept: Indices of those that may be of the header.
        address: Indices of those that are the address, in order; empty where it was not found, or read too badly to learn from.
        has_address: Whether to learn from its address, or from its absence.
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
        """In which half of all receipts it is, with all others of its merchant: what one model tells another comes from the other half."""
        return crc32(squash(self.truth.get("merchant") or "")[:5].encode()) % 2


def names_merchant(text: str, name: str | None) -> bool:
    """Whether a piece is the merchant's name or a good part of it."""
    one, other = squash(clean_name(text)), squash(name or "")
    if not one or not other:
        return False
    if min(len(one), len(other)) >= 4 and (one in other or other in one):
        return True
    return one == other or SequenceMatcher(None, one, other, autojunk=False).ratio() >= 0.85


def is_in_address(text: str, address: str | None) -> bool:
    """Whether a piece is a stretch of the address, OCR slips allowed."""
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
    reach = blocks[-1].b + blocks[-1].size - blocks[0].b
    return sum(block.size for block in blocks) >= 0.8 * len(one) and reach <= 1.4 * len(one) + 3


def example(transcripts: Sequence[Transcript], truth: dict[str, Any]) -> Example:
    rows = find_segments(transcripts)
    kept = tuple(index for index in range(len(rows)) if is_candidate(index, len(rows)))
    merchant = np.array([names_merchant(rows[index].text, truth.get("merchant")) for index in kept], dtype=bool)
    address = np.array([is_in_address(rows[index].text, truth.get("address")) for index in kept], dtype=bool)
    run = address_run(rows, [index for index, is_part in zip(kept, address, strict=True) if is_part], truth.get("address"))
    return Example(rows, kept, merchant, address, run, bool(run) or not squash(truth.get("address") or ""), truth)


def address_run(rows: Sequence[HeaderSegment], parts: Sequence[int], address: str | None) -> tuple[int, ...]:
    """Of the pieces that are stretches of the address those neighbours that together are it; empty where none are like it."""
    possible = set(usable_segments(rows))
    usable = [index for index in parts if index in possible]
    runs: list[list[int]] = []
    for index in usable:
        if runs and index - runs[-1][-1] <= 4:
            runs[-1].append(index)
        else:
            runs.append([index])
    likeness = {tuple(run): alike(" ".join(clean_segment(rows[index].text) for index in run), address) for run in runs}
    best = max(likeness, key=lambda run: likeness[run], default=())
    return best if likeness.get(best, 0.0) >= LEGIBLE else ()


def alike(one: str, other: str | None) -> float:
    return SequenceMatcher(None, squash(one), squash(other or ""), autojunk=False).ratio()


def scans(folder: Path, cached: Path | None) -> Iterator[tuple[tuple[Transcript, ...], dict[str, Any]]]:
    """Transcripts and truths of the labelled scans of SROIE in a folder."""
    for text in (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines():
        truth = json.loads(text)
        if not re.match(r"sroie/", truth["image"]):
            continue
        pickled = cached / f"train__{truth['image'].replace('/', '__')}.pkl" if cached else None
        if pickled is not None and pickled.exists():
            yield pickle.loads(pickled.read_bytes()), truth  # noqa: S301  # written by this project's own witness
        else:
            yield read(folder / truth["image"]), truth


def read(path: Path) -> tuple[Transcript, ...]:
    """What the witness sees on the pages of a file, with ordinary effort."""
    return tuple(_witness().read(page)[1] for page in load_pages(path, PageLimits()))


@cache
def _witness() -> PageReader:
    return build_page_reader("auto", threads=0)


def rendered(count: int) -> Iterator[tuple[tuple[Transcript, ...], dict[str, Any]]]:
    for number in range(count):
        receipt = render(f"header-{number}")
        yield (receipt.transcript(OcrNoise.drawn(Random(number)), number),), receipt.truth


def train(samples: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Boosted trees as `extractor.readers.rules.models.Trees.of` reads them."""
    model = HistGradientBoostingClassifier(
        max_iter=180, learning_rate=0.07, max_leaf_nodes=10, min_samples_leaf=15, l2_regularization=2.0, max_features=0.25, random_state=0
    )
    model.fit(samples, labels)
    stored = []
    for predictor in model._predictors:  # noqa: SLF001  # scikit-learn offers no other way to its trees
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
    """Every receipt as it is, once disturbed, and with that many invented headings in place of its own."""
    found = []
    for number, (transcripts, truth) in enumerate(pairs):
        rng = Random(f"{number}:heading")
        own = example(transcripts, truth)
        found += [own, example((disturbed(transcripts[0], rng), *transcripts[1:]), truth)]
        heads = [own.rows[index].row_index for index, is_head in zip(own.kept, own.is_merchant | own.is_address, strict=True) if is_head]
        for _ in range(headings if transcripts[0].lines else 0):
            made, name, address = with_heading(transcripts[0], max((row for row in heads if row < 12), default=0) + 1, rng)
            made = disturbed(made, rng) if rng.random() < 0.5 else made
            found.append(example((made, *transcripts[1:]), {**truth, "merchant": name, "address": address}))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--transcripts", type=Path)
    parser.add_argument("--rendered", type=int, default=600)
    parser.add_argument("--half", type=int, choices=(0, 1), help="learn from every other scan only, to measure on the rest")
    options = parser.parse_args(arguments)
    labelled = list(scans(options.folder, options.transcripts))
    real = examples_of(iter(labelled if options.half is None else labelled[options.half :: 2]), headings=0)
    made = examples_of(rendered(options.rendered), headings=2)
    WEIGHTS.write_text(json.dumps(models_of([*real, *made]), separators=(",", ":")), encoding="utf-8")
    command = "python -m training.header FOLDER --transcripts FOLDER --rendered"
    record_training("header.json", module="header", command=f"{command} {options.rendered}", seed=0)
    print(f"{len(real)} from scans, {len(made)} rendered; {WEIGHTS} has {WEIGHTS.stat().st_size / 1024:.0f} KiB")


def models_of(examples: Sequence[Example]) -> dict[str, Any]:
    """All models of the header, learned from these receipts.

    What one model hands to the next is told by one that learned from the other half of the receipts: nobody knows receipts by heart later.
    """
    seen = [(each, segment_features(each.rows).astype(np.float32)) for each in examples]
    parts = _by_half(parts_of, seen)
    wider = [(each, address_features(matrix, told).astype(np.float32)) for (each, matrix), told in zip(seen, parts, strict=True)]
    starts = _by_half(starts_of, wider)
    named = [(each, merchant_features(matrix, told).astype(np.float32)) for (each, matrix), told in zip(seen, starts, strict=True)]
    return {
        "address": train(*parts_of(seen)),
        "address_start": train(*starts_of(wider)),
        "address_next": train(*steps_of(wider)),
        "merchant": train(*names_of(named)),
    }


Seen = Sequence[tuple[Example, np.ndarray]]
"""Receipts with what a model looks at in each of their pieces."""
Samples = tuple[np.ndarray, np.ndarray]
"""Samples and their labels."""


def _by_half(samples_of: Callable[[Seen], Samples], seen: Seen) -> list[np.ndarray]:
    """For each receipt what a model that learned from the other half says of its pieces."""
    models = [Trees.of(train(*samples_of([pair for pair in seen if pair[0].half != half]))) for half in (0, 1)]
    told = []
    for each, matrix in seen:
        usable, chances = usable_segments(each.rows), np.zeros(len(each.rows))
        chances[usable] = models[each.half].probabilities(matrix[usable])
        told.append(chances)
    return told


def parts_of(seen: Seen) -> Samples:
    """Every piece that can be of an address, and whether it is."""
    samples, labels = [], []
    for each, matrix in seen:
        is_part = dict(zip(each.kept, each.is_address, strict=True))
        usable = usable_segments(each.rows)
        samples.append(matrix[usable])
        labels += [is_part[index] for index in usable]
    return np.vstack(samples), np.array(labels)


def starts_of(seen: Seen) -> Samples:
    """Every piece that can be of an address, and whether the address begins with it."""
    samples, labels = [], []
    for each, matrix in seen:
        if each.has_address:
            usable = usable_segments(each.rows)
            samples.append(matrix[usable])
            labels += [index in each.address[:1] for index in usable]
    return np.vstack(samples), np.array(labels)


def steps_of(seen: Seen) -> Samples:
    """Each step along each address, and whether the next piece is still the address."""
    samples, labels = [], []
    for each, matrix in seen:
        usable = usable_segments(each.rows)
        for count in range(1, len(each.address) + 1):
            following = next_segment(each.address[:count], usable)
            if following is not None:
                samples.append(step_features(each.address[:count], following, each.rows, matrix).astype(np.float32))
                labels.append(following in each.address)
    return np.array(samples), np.array(labels)


def names_of(seen: Seen) -> Samples:
    """Every piece of the header, and whether it names the merchant."""
    return np.vstack([matrix[list(each.kept)] for each, matrix in seen]), np.concatenate([each.is_merchant for each, _ in seen])


if __name__ == "__main__":
    main()
