"""Trains the header's models: which pieces of print name the merchant, which are its address.

One command, on scans with labels (SROIE, CC BY 4.0) and on receipts that the project renders:

    python -m training.header FOLDER [--transcripts FOLDER] [--rendered 900]

FOLDER holds `truth.jsonl` and the images that it names. Transcripts are read from pickles named `train__sroie__<file>.pkl` where such a
folder is given, else by the witness (about a third of a second an image). Needs scikit-learn, which the project itself does not.
"""

import argparse
import json
import pickle
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from extractor.ocr.interface import Transcript
from extractor.ocr.registry import build_ladder
from extractor.ocr.witness import Witness
from extractor.pages import PageLimits, load_pages
from extractor.readers.ocr.address import clean_piece
from extractor.readers.ocr.header_features import features
from extractor.readers.ocr.header_rows import HeaderRow, header_rows, is_candidate
from extractor.readers.ocr.names import clean_name
from training.headings import disturbed, with_heading
from training.render import OcrNoise, render

WEIGHTS = Path(__file__).parent.parent / "extractor" / "readers" / "ocr" / "weights" / "header.json"


@dataclass(frozen=True)
class Example:
    """A receipt's pieces with their features, what is true of each, and the truth itself."""

    rows: tuple[HeaderRow, ...]
    matrix: np.ndarray
    is_merchant: np.ndarray
    is_address: np.ndarray
    truth: dict[str, Any]


def squash(text: str | None) -> str:
    return "".join(character for character in unicodedata.normalize("NFKC", text or "").casefold() if character.isalnum())


def names_merchant(text: str, name: str | None) -> bool:
    """Whether a piece is the merchant's name or a good part of it."""
    one, other = squash(clean_name(text)), squash(name)
    if not one or not other:
        return False
    if min(len(one), len(other)) >= 4 and (one in other or other in one):
        return True
    return one == other or SequenceMatcher(None, one, other, autojunk=False).ratio() >= 0.85


def is_in_address(text: str, address: str | None) -> bool:
    """Whether a piece is a stretch of the address, OCR slips allowed."""
    one, other = squash(clean_piece(text)), squash(address)
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
    rows = header_rows(transcripts)
    matrix = features(rows)
    kept = [index for index in range(len(rows)) if is_candidate(index, len(rows))]
    rows = tuple(rows[index] for index in kept)
    merchant = np.array([names_merchant(row.text, truth.get("merchant")) for row in rows], dtype=bool)
    address = np.array([is_in_address(row.text, truth.get("address")) for row in rows], dtype=bool)
    return Example(rows, matrix[kept], merchant, address, truth)


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
def _witness() -> Witness:
    return Witness(build_ladder("auto", threads=0))


def rendered(count: int) -> Iterator[tuple[tuple[Transcript, ...], dict[str, Any]]]:
    for number in range(count):
        receipt = render(f"header-{number}")
        yield (receipt.transcript(OcrNoise.drawn(Random(number)), number),), receipt.truth


def train(samples: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    """Boosted trees as `extractor.readers.ocr.trees.Trees.of` reads them."""
    model = HistGradientBoostingClassifier(
        max_iter=140, learning_rate=0.09, max_leaf_nodes=10, min_samples_leaf=15, l2_regularization=2.0, random_state=0
    )
    model.fit(samples, labels, sample_weight=weights)
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
        rows = [row.row for row, is_head in zip(own.rows, own.is_merchant | own.is_address, strict=True) if is_head and row.row < 12]
        for _ in range(headings if transcripts[0].lines else 0):
            made, name, address = with_heading(transcripts[0], max(rows, default=0) + 1, rng)
            found.append(example((disturbed(made, rng), *transcripts[1:]), {**truth, "merchant": name, "address": address}))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--transcripts", type=Path)
    parser.add_argument("--rendered", type=int, default=900)
    options = parser.parse_args(arguments)
    real = examples_of(scans(options.folder, options.transcripts), headings=0)
    made = examples_of(rendered(options.rendered), headings=1)
    everything = real + made
    samples = np.vstack([each.matrix for each in everything])
    weights = np.concatenate([np.full(len(each.matrix), 1.0) for each in everything])
    models = {
        "merchant": train(samples, np.concatenate([each.is_merchant for each in everything]), weights),
        "address": train(samples, np.concatenate([each.is_address for each in everything]), weights),
    }
    WEIGHTS.write_text(json.dumps(models, separators=(",", ":")), encoding="utf-8")
    print(f"{len(real)} from scans, {len(made)} rendered; {WEIGHTS} has {WEIGHTS.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
