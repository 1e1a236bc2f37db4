"""The weights of the clues to country and currency: complete, calibrated, and fitted on receipts of all countries alike."""

from pathlib import Path
from random import Random

import numpy as np
import pytest

from extractor.parsing.locale.weights import locale_weights
from training.locale import FEATURES, PRIOR, Group, fit, group_of, receipt_rows, save


def test_the_shipped_weights_know_every_clue() -> None:
    """Each clue that a receipt can show has a weight, with the sign that it was meant to have."""
    shipped = locale_weights().features
    assert {*shipped, "elsewhere"} == set(FEATURES)
    assert all(weight * PRIOR[name] >= 0 for name, weight in shipped.items())


def test_the_calibration_rises() -> None:
    """A higher probability never means fewer right decisions, and none is certain."""
    weights = locale_weights()
    shares = [weights.calibrated(step / 100) for step in range(101)]
    assert shares == sorted(shares)
    assert 0.9 < shares[-1] < 1.0


def test_fitting_learns_from_what_is_printed() -> None:
    """A clue that always stands beside the right country gains weight; one that no receipt shows keeps its own."""
    clue, other = FEATURES.index("places@address"), FEATURES.index("year_system")
    matrix = np.zeros((3, len(FEATURES)))
    matrix[0, clue] = 1.0
    weights = fit([Group("NZ", matrix, 0)] * 50)
    assert weights[clue] > PRIOR["places@address"]
    assert weights[other] == pytest.approx(PRIOR["year_system"])


def test_a_rendered_receipt_becomes_a_group() -> None:
    """The right candidate has clues; the same seed gives the same receipt."""
    rows, mark = receipt_rows("PL", "test")
    assert (rows, mark) == receipt_rows("PL", "test")
    group = group_of(rows, mark, "PL", Random("keeps the country"))  # noqa: S311  (no secret)
    assert group.matrix[group.right].any()


def test_saved_weights_are_those_that_were_fitted(tmp_path: Path) -> None:
    """What is written scores as what was fitted."""
    fitted = np.array([PRIOR[name] for name in FEATURES])
    saved = save(fitted, np.array([[0.0, 0.0], [1.0, 0.9]]), tmp_path / "weights.json")
    assert saved.features["phone_code"] == PRIOR["phone_code"]
    assert saved.calibrated(0.5) == pytest.approx(0.45)
