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
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from extractor.ocr.interface import Box, Fragment, Line, Transcript
from extractor.readers.ocr.address import clean_piece
from extractor.readers.ocr.header_features import features
from extractor.readers.ocr.header_rows import HeaderRow, header_rows, is_candidate
from extractor.readers.ocr.names import clean_name
from training.render import OcrNoise, render

WEIGHTS = Path(__file__).parent.parent / "extractor" / "readers" / "ocr" / "weights" / "header.json"

# Rows that stand above, between and below headers of real receipts and name nobody.
GREETINGS = (
    "WELCOME TO", "Welcome To The", "THANK YOU FOR VISITING", "Thank you for stopping at", "THANK YOU", "YOUR GUEST NUMBER IS", "Willkommen bei", "Bienvenue à",
    "SELAMAT DATANG", "Bienvenidos a", "WELCOME TO OUR STORE",
)  # fmt: skip
TITLES = (
    "TAX INVOICE", "RECEIPT", "Customer Copy", "CUSTOMER COPY", "Sales Receipt", "CASH BILL", "Guest Check", "***REPRINT***", "Merchant Copy", "KUNDENBELEG", "INVOICE",
    "DUPLICATE", "CASH SALES", "DINE IN", "TO GO", "Customer Receipt", "Void", "TICKET", "Customer-activated Purchase/Capture",
)  # fmt: skip
SLOGANS = (
    "Always low prices.", "Save money. Live better.", "More saving. More doing.", "power to the players", "DRESS FOR LESS", "i'm lovin' it", "Fresh food daily", "EST 1979",
    "NEIGHBORHOOD GRILL & BAR", "Authorised Money Changer", "Mein Drogeriemarkt", "Es gibt immer was zu tun.", "Gute Laune inklusive", "Frische und Qualität", "Quality since 1921",
    "Fine food & wine", "A fresh start", "Le goût du bon", "Calidad y precio", "GET A FREE SANDWICH", "TELL US ABOUT YOUR VISIT", "Go to www.survey.example within 7 days",
    "BUY ONE GET ONE FREE", "JOIN NOW AND EARN REWARDS", "OPEN 8:00AM TO 9:00PM DAILY", "We value your opinion", "Öffnungszeiten Mo-Sa 8-20 Uhr", "WHOLESALE", "SUPERCENTER",
)  # fmt: skip
SCRAWLS = (
    "42",
    "A03138",
    "31802016",
    "yos 7 home",
    "236177",
    "ae",
    "Ao 3c2",
    "lone",
    "JOVI",
    "9",
    "PAID",
    "pd",
    "18/3",
    "T5",
    "C",
    "(0",
    "二二",
    "Sequoia",
    "Nissan yos",
    "KJ1",
    "Home",
    "=E:",
    "EEE",
)


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


def disturbed(transcript: Transcript, rng: Random) -> Transcript:
    """The transcript with rows that name nobody put above, under and between the first ones, as real receipts have them."""
    lines = list(transcript.lines)
    if not lines:
        return transcript
    height = float(np.median([line.box.height for line in lines]))
    inserted: list[tuple[int, str]] = []
    if rng.random() < 0.35:
        inserted.append((0, rng.choice(GREETINGS)))
    if rng.random() < 0.2:
        inserted.append((rng.choice((0, 0, 1, 2)), rng.choice(TITLES)))
    for _ in range(rng.choice((0, 0, 1, 2))):
        inserted.append((rng.choice((0, 1, 1, 2, 3)), rng.choice(SLOGANS)))
    for _ in range(rng.choice((0, 0, 0, 1, 2, 3))):
        inserted.append((rng.choice((0, 0, 1, 3)), rng.choice(SCRAWLS)))
    if rng.random() < 0.15:
        inserted.append((rng.choice((0, 1, 2)), f"{rng.choice(('Store', 'STORE', 'Filiale', 'Store #', 'Shop'))} {rng.randint(1, 9999)}"))
    noise = OcrNoise.drawn(rng)
    for at, text in sorted(inserted, reverse=True):
        lines = _insert(lines, min(at, len(lines)), noise.text(rng, text, is_unknown=False), height * rng.uniform(0.8, 1.6), rng)
    return replace(transcript, lines=tuple(lines), height=transcript.height + int(sum(height for _ in inserted) * 1.5))


def _insert(lines: list[Line], at: int, text: str, height: float, rng: Random) -> list[Line]:
    reference = lines[min(at, len(lines) - 1)].box
    top = reference.top if at < len(lines) else reference.bottom
    centre = (min(line.box.left for line in lines) + max(line.box.right for line in lines)) / 2
    width = len(text) * height * 0.55
    shift = height * rng.uniform(1.05, 1.5)
    box = Box(centre - width / 2, top, centre + width / 2, top + height)
    fragment = Fragment(text, box, rng.uniform(0.6, 1.0))
    return [*lines[:at], Line((fragment,)), *(_lowered(line, shift) for line in lines[at:])]


def _lowered(line: Line, by: float) -> Line:
    moved = tuple(
        replace(fragment, box=Box(fragment.box.left, fragment.box.top + by, fragment.box.right, fragment.box.bottom + by))
        for fragment in line.fragments
    )
    return Line(moved)


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
    from extractor.ocr.witness import make_witness  # noqa: PLC0415  # only where no transcripts are given
    from extractor.pages import PageLimits, load_pages  # noqa: PLC0415

    witness = make_witness()
    return tuple(witness.read(page)[1] for page in load_pages(path, PageLimits()))


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


def examples_of(pairs: Iterator[tuple[tuple[Transcript, ...], dict[str, Any]]], *, copies: int) -> list[Example]:
    """Every receipt as it is, and that many disturbed copies of it."""
    found = []
    for number, (transcripts, truth) in enumerate(pairs):
        found.append(example(transcripts, truth))
        for copy in range(copies):
            rng = Random(f"{number}:{copy}")
            found.append(example((disturbed(transcripts[0], rng), *transcripts[1:]), truth))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--transcripts", type=Path)
    parser.add_argument("--rendered", type=int, default=900)
    options = parser.parse_args(arguments)
    real = examples_of(scans(options.folder, options.transcripts), copies=1)
    made = examples_of(rendered(options.rendered), copies=1)
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
