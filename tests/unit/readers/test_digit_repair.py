"""Repairs by arithmetic: made where the sums prove them, and nowhere else."""

import pytest

from extractor.readers.rules.amount_rows import read_rows
from extractor.readers.rules.money_fields import CONTESTED_CONFIDENCE, read_amounts
from extractor.readers.rules.totals import TotalChoice, find_candidates, is_contested
from extractor.validation.decision import TRUST
from tests.transcripts import transcript
from tests.unit.readers.test_amounts import priced


def test_misread_digit_in_the_subtotal() -> None:
    """Items, tax and total prove what a misread subtotal must be; what OCR saw stays in the evidence."""
    part = read_amounts(
        [
            transcript(
                priced("CHIPS", "16.95"),
                priced("JUICE", "12.95"),
                priced("Subtotal", "29.80"),
                priced("Sales Tax", "1.79"),
                priced("TOTAL", "31.69"),
                priced("VISA", "31.69"),
            )
        ]
    )
    assert part.values["subtotal"] == "29.90"
    assert part.evidence["subtotal"].text == "29.80"


def test_misread_digit_in_an_item() -> None:
    """A subtotal proven by tax and total proves the one price that does not fit."""
    part = read_amounts(
        [
            transcript(
                priced("CHIPS", "16.95"),
                priced("JUICE", "12.35"),
                priced("TEA", "2.22"),
                priced("Subtotal", "32.12"),
                priced("Sales Tax", "1.93"),
                priced("TOTAL", "34.05"),
            )
        ]
    )
    assert [item["total_price"] for item in part.values["items"]] == ["16.95", "12.95", "2.22"]


def test_lost_minus_of_a_discount() -> None:
    """A discount printed without its minus gets it back where only then the items make the proven total."""
    part = read_amounts(
        [
            transcript(
                priced("Gurken", "1,90"),
                priced("Preisvorteil", "0,40"),
                priced("Zaziki", "1,79"),
                priced("zu zahlen", "3,29"),
                priced("Bar", "5,00"),
                priced("Rückgeld", "1,71"),
            )
        ]
    )
    assert [item["total_price"] for item in part.values["items"]] == ["1,90", "-0,40", "1,79"]
    assert part.evidence["items[1].total_price"].text == "0,40"


def test_nothing_is_repaired_without_proof() -> None:
    """A subtotal that does not fit stays as printed where the difference is no likely misreading."""
    part = read_amounts(
        [transcript(priced("CHIPS", "16.95"), priced("JUICE", "12.95"), priced("Subtotal", "47.11"), priced("TOTAL", "31.69"))]
    )
    assert part.values["subtotal"] == "47.11"


def test_fuel() -> None:
    """The item of a pump receipt is the grade whose volume and price make the total, wherever they are printed."""
    part = read_amounts(
        [
            transcript(
                "PUMP# 16",
                "SUPER 18.514G",
                priced("PRICE/GAL", "$3.599"),
                priced("FUEL TOTAL", "$ 66.63"),
                priced("Total", "$ 66.63"),
                priced("CREDIT", "$66.63"),
            )
        ]
    )
    (item,) = part.values["items"]
    assert (item["description"], item["quantity"], item["total_price"]) == ("SUPER", "18.514", "66.63")


@pytest.mark.parametrize(
    ("label", "printed", "probability", "contested"),
    [
        ("Total Inclusive GST:", "165.00", 0.4, True),
        ("Total Inclusive GST:", "165.00", 0.01, False),
        ("GST Summary:", "165.00", 0.4, False),
        ("Total Inclusive GST:", "265.00", 0.4, False),
        ("Total before rounding:", "105.03", 0.4, False),
    ],
)
def test_a_total_that_is_printed_in_two_look_alike_ways_is_contested(label: str, printed: str, probability: float, contested: bool) -> None:
    """Subtotal, card and item may share the misread digit that the labelled total shows; rounding and other sums contest nothing."""
    rows = read_rows([transcript(priced("SubTotal:", "105.00"), priced(label, printed), priced("MASTER", "105.00"))])
    by_value = {str(candidate.value): candidate for candidate in find_candidates(rows)}
    choices = (TotalChoice(by_value["105.00"], 0.55, 0.75), TotalChoice(by_value[printed], probability, 0.5))
    assert is_contested(choices, rows.mark) is contested
    assert TRUST["total"].proven > CONTESTED_CONFIDENCE


@pytest.mark.parametrize(("last", "believed"), [("40 1", False), ("40.41", True), ("", True)])
def test_a_total_whose_own_row_cannot_be_read_is_doubted(last: str, believed: bool) -> None:
    """Items alone prove no total where a row below is labelled TOTAL and its amount is illegible."""
    rows = [priced("BREAKFAST BUFFET", "38.00"), priced("FOOD", "38.00"), priced("TAX", "2.41")]
    rows += [priced("7:53AM TOTAL", last)] if last else []
    part = read_amounts([transcript(*rows)])
    doubted = part.values.get("total") == "38.00" and (part.evidence["total"].confidence or 0) <= CONTESTED_CONFIDENCE
    assert doubted is not believed
