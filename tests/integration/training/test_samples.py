"""The sample receipts: contents of the demonstration set, its reproducibility, and random sets with ground truth."""

import io
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image

from training.samples import Sample, main, random_samples, sample_set


@pytest.fixture(scope="module")
def demonstration() -> tuple[Sample, ...]:
    """The demonstration set, rendered once."""
    return sample_set()


@pytest.fixture(scope="module")
def samples(demonstration: tuple[Sample, ...]) -> dict[str, bytes]:
    """Its files by name."""
    return {sample.name: sample.data for sample in demonstration}


def test_the_set_shows_what_it_promises(demonstration: tuple[Sample, ...], samples: dict[str, bytes]) -> None:
    """Several countries, currencies and date orders, a PDF, a faint one, one without a time, a duplicate, a corrupt file, no receipt."""
    truths = [sample.truth for sample in demonstration if sample.truth]
    assert len({truth["currency"] for truth in truths}) >= 5
    assert {truth["date_order"] for truth in truths} == {"DMY", "MDY", "YMD"}
    assert any(truth["time"] is None for truth in truths)
    assert samples["us-diner-duplicate.jpg"] == samples["us-diner.jpg"]
    assert sum(1 for sample in demonstration if sample.truth is None) == 2


def test_the_malaysian_sample_is_of_the_time_of_its_tax(demonstration: tuple[Sample, ...]) -> None:
    """Malaysia had a GST from April 2015 to May 2018; on another date the sample would rightly need review."""
    [truth] = [sample.truth for sample in demonstration if sample.name == "my-cash-rounding.jpg"]
    assert truth
    assert "2015-04-01" <= truth["date"] <= "2018-05-31"


def test_files_are_what_their_suffix_says(samples: dict[str, bytes]) -> None:
    """All files decode completely, except the deliberately corrupt one; the PDF has one page."""
    for name, data in samples.items():
        if name.endswith(".pdf"):
            document = pypdfium2.PdfDocument(data)
            assert len(document) == 1
            document.close()
        elif name.startswith("corrupt"):
            with Image.open(io.BytesIO(data)) as picture, pytest.raises(OSError, match="truncated"):
                picture.load()
        else:
            with Image.open(io.BytesIO(data)) as picture:
                picture.load()
                assert picture.format == {".jpg": "JPEG", ".png": "PNG"}[Path(name).suffix]


def test_the_set_is_the_same_in_every_process(samples: dict[str, bytes], tmp_path: Path) -> None:
    """The command in a separate process writes byte-identical files."""
    subprocess.run([sys.executable, "-m", "training.samples", str(tmp_path)], check=True, capture_output=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == samples


def test_random_receipts_come_with_their_truth(tmp_path: Path) -> None:
    """Each line of truth.jsonl names an image in the folder and has its total."""
    main([str(tmp_path), "--random", "3", "--seed", "7"])
    lines = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 3
    for line in lines:
        assert (tmp_path / line["image"]).is_file()
        assert Decimal(line["total"]) > 0
    assert [sample.truth for sample in random_samples(3, 7)] == lines
    assert [sample.truth for sample in random_samples(3, 8)] != lines
