"""Keywords: what a label says, in many languages and in misread print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractor.parsing.keywords import Role, roles_of


@pytest.mark.parametrize(
    ("label", "role"),
    [
        ("TOTAL", Role.TOTAL),
        ("IOtaI", Role.TOTAL),
        ("Sub Total", Role.SUBTOTAL),
        ("SUBT0TAL:", Role.SUBTOTAL),
        ("Total Incl. GST@6%", Role.GRAND),
        ("BALANCE DUE", Role.GRAND),
        ("SUMME EUR", Role.GRAND),
        ("Zwischensumme", Role.SUBTOTAL),
        ("NET A PAYER", Role.GRAND),
        ("Ukupno :", Role.TOTAL),
        ("I ALT", Role.TOTAL),
        ("ОБЩА СУМА", Role.GRAND),
        ("OБЩA CУMA", Role.GRAND),
        ("ΣΥΝΟΛΟ", Role.TOTAL),
        ("∑YNOΛO", Role.TOTAL),
        ("合 計", Role.TOTAL),
        ("小计", Role.SUBTOTAL),
        ("รวมทั้งสิ้น", Role.GRAND),
        ("SALESTAX", Role.TAX),
        ("G$T", Role.TAX),
        ("TAX1", Role.TAX),
        ("MwSt", Role.TAX),
        ("PTUB8%", Role.TAX),
        ("Rückgeld", Role.CHANGE),
        ("VEKSLEPENGER", Role.CHANGE),
        ("Contant", Role.CASH),
        ("BANKKORT", Role.CARD),
        ("Rounding Adj", Role.ROUNDING),
        ("Preisvorteil", Role.DISCOUNT),
        ("Pfand", Role.DEPOSIT),
        ("Service Charge 10%", Role.SERVICE),
        ("Gratuity", Role.TIP),
    ],
)
def test_labels(label: str, role: Role) -> None:
    """Labels are understood in many languages, without spaces and with look-alike characters."""
    assert role in roles_of(label)


@pytest.mark.parametrize("label", ["TOTAL QTY", "Total Savings", "Sub Total", "Total Tax", "TOTAL TENDERED", "Total Discount"])
def test_totals_of_something_else(label: str) -> None:
    """A longer keyword takes its words away from a shorter one: these are no totals."""
    assert not roles_of(label) & {Role.TOTAL, Role.GRAND}


@pytest.mark.parametrize("label", ["SUMMERWIT", "Tenderloin", "Masterclass", "BARBECUE", "1 x Celebrity Burger", "BILLA SPOL S R.0."])
def test_names_hold_no_keywords(label: str) -> None:
    """A keyword inside a longer word, or a short one spread over two, says nothing."""
    assert roles_of(label) == frozenset()


@given(st.text(max_size=40))
def test_any_label_is_safe(label: str) -> None:
    """No label makes the search fail."""
    assert isinstance(roles_of(label), frozenset)
