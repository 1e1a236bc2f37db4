"""Trust: what may be accepted, what goes to a person, and why."""

from datetime import date
from typing import Any

import pytest

from extractor.schemas.answer import DocumentType
from extractor.schemas.receipt import Item, Payment, Receipt
from extractor.schemas.values import FieldEvidence, FieldState
from extractor.validation.arithmetic import run_checks
from extractor.validation.decision import TRUST, Examination, examine
from tests.receipts import amount, receipt

TODAY = date(2026, 3, 1)


def sure(**changes: FieldEvidence) -> dict[str, FieldEvidence]:
    return {name: FieldEvidence(raw_text=name, confidence=trust.alone) for name, trust in TRUST.items()} | changes


def likely(by: float = 0.0, looks: int = 1) -> dict[str, FieldEvidence]:
    """Every field just likely enough to be believed when something backs it, or less by so much."""
    return {name: FieldEvidence(raw_text=name, confidence=trust.backed - by, looks=looks) for name, trust in TRUST.items()}


def examined(of: Receipt, fields: dict[str, FieldEvidence]) -> Examination:
    return examine(of, fields, run_checks(of, today=TODAY))


def test_a_total_that_contradicts_its_parts_blocks() -> None:
    """However sure the reader is, a total that no sum gives is not accepted."""
    assert not examined(receipt(subtotal="10.00", tax_total="1.90", total="13.90"), sure()).is_acceptable


def test_items_that_do_not_add_up_flag_but_do_not_block() -> None:
    """A lost line item must not keep a proven total from being accepted."""
    items = (Item(total_price=amount("4.00")),)
    assert examined(receipt(items=items, subtotal="10.00", total="10.00"), sure()).is_acceptable


@pytest.mark.parametrize(("day", "plausible"), [(date(2026, 3, 2), True), (date(2026, 3, 3), False), (date(1970, 1, 1), False)])
def test_dates_from_the_future_or_before_tills_block(day: date, plausible: bool) -> None:
    """A day is left for time zones; beyond it, and before 1990, a date is misread."""
    assert examined(receipt(transaction_date=day, total="1.00"), sure()).is_acceptable is plausible


@pytest.mark.parametrize("name", ["merchant_name", "transaction_date", "currency_code", "total"])
def test_nothing_required_may_be_missing(name: str) -> None:
    """A record without merchant, date, currency or total needs a person, and says so."""
    values: dict[str, Any] = {"total": "1.00"} | {name: None}
    issues = examined(receipt(**values), sure()).issues
    assert [(issue.field, issue.kind) for issue in issues if issue.blocking] == [(name, "missing")]


def test_a_missing_time_is_asked_for_but_does_not_block_and_not_printed_is_an_answer() -> None:
    """Many receipts print no time: it is asked for, and then let be."""
    asked = examined(receipt(total="1.00", transaction_time=None), sure())
    assert asked.is_acceptable
    assert [issue.field for issue in asked.issues] == ["transaction_time"]
    settled = sure(transaction_time=FieldEvidence(state=FieldState.NOT_PRINTED))
    assert not examined(receipt(total="1.00", transaction_time=None), settled).issues


def test_an_ambiguous_date_blocks_and_names_its_candidates() -> None:
    """03/04 stays open until the receipt, a setting or a person decides."""
    candidates = (date(2026, 2, 3), date(2026, 3, 2))
    issues = examined(receipt(total="1.00", date_ambiguous=True, date_candidates=candidates), sure()).issues
    assert [issue.kind for issue in issues if issue.blocking] == ["ambiguous"]
    assert "2026-02-03 or 2026-03-02" in issues[0].message


def test_a_likely_value_needs_something_independent() -> None:
    """Likely is not enough; likely and a second look, or likely and the sums, is."""
    alone = examined(receipt(total="10.00"), likely())
    assert {issue.field for issue in alone.issues} == {name for name, trust in TRUST.items() if trust.backed < trust.alone}
    proven = examined(receipt(subtotal="10.00", total="10.00"), likely())
    assert "total" not in {issue.field for issue in proven.issues}
    assert examined(receipt(total="10.00"), likely(looks=2)).is_acceptable


def test_looks_do_not_outvote_sums() -> None:
    """A likely total that items contest needs a person, however many looks agree; a sum that closes settles it."""
    items = (Item(total_price=amount("94.19")),)
    seen_twice = likely(looks=2)
    assert not examined(receipt(items=items, total="194.19"), seen_twice).is_acceptable
    paid = (Payment(amount=amount("194.19")),)
    assert examined(receipt(items=items, total="194.19", payments=paid), seen_twice).is_acceptable


def test_a_lost_item_does_not_hold_up_a_sure_total() -> None:
    """Items that fall short are flagged; a total of which two looks are all but certain is believed all the same."""
    short = receipt(items=(Item(total_price=amount("4.00")),), total="10.00")
    seen_twice = sure() | {"total": FieldEvidence(raw_text="10.00", confidence=TRUST["total"].despite, looks=2)}
    assert examined(short, seen_twice).is_acceptable
    assert "items" in {issue.field for issue in examined(short, seen_twice).issues}


def test_both_sides_prove_a_total_that_its_reader_doubts() -> None:
    """What was bought and what was paid closing on the same total outweighs a doubtful label, if a second look agrees."""
    doubtful = {name: FieldEvidence(raw_text=name, confidence=trust.alone, looks=2) for name, trust in TRUST.items()}
    doubtful["total"] = FieldEvidence(raw_text="10.00", confidence=TRUST["total"].proven, looks=2)
    both = receipt(subtotal="10.00", total="10.00", amount_tendered="20.00", change_given="10.00")
    assert examined(both, doubtful).is_acceptable
    assert not examined(receipt(subtotal="10.00", total="10.00"), doubtful).is_acceptable


def test_items_over_a_subtotal_prove_a_total_that_its_reader_doubts() -> None:
    """Items that add up to a subtotal from which the tax leads to the total close twice; a subtotal that is the total closes once."""
    doubtful = sure() | {"total": FieldEvidence(raw_text="11.90", confidence=TRUST["total"].proven, looks=2)}
    items = (Item(total_price=amount("4.00")), Item(total_price=amount("6.00")))
    assert examined(receipt(items=items, subtotal="10.00", tax_total="1.90", total="11.90"), doubtful).is_acceptable
    assert not examined(receipt(items=items, subtotal="10.00", total="10.00"), doubtful).is_acceptable
    lost = receipt(items=items[:1], subtotal="10.00", tax_total="1.90", total="11.90")
    assert not examined(lost, doubtful).is_acceptable


def test_one_side_outweighs_the_other_for_a_total_of_which_two_looks_are_all_but_certain() -> None:
    """A lost tax, or a misread digit of the cash, is flagged; the side that closes, and two looks, let the total be believed."""
    no_tax = receipt(subtotal="10.00", total="11.90", amount_tendered="20.00", change_given="8.10")
    misread_cash = receipt(subtotal="10.00", tax_total="1.90", total="11.90", amount_tendered="29.00", change_given="8.10")
    for contested in (no_tax, misread_cash):
        certain = sure() | {"total": FieldEvidence(raw_text="11.90", confidence=TRUST["total"].despite, looks=2)}
        assert examined(contested, certain).is_acceptable
        assert "conflict" in {issue.kind for issue in examined(contested, certain).issues}
        once = sure() | {"total": FieldEvidence(raw_text="11.90", confidence=TRUST["total"].alone, looks=1)}
        assert not examined(contested, once).is_acceptable
        assert not examined(contested, likely(looks=2)).is_acceptable
    both = receipt(subtotal="10.00", total="11.90", amount_tendered="29.00", change_given="8.10")
    assert not examined(both, sure() | {"total": FieldEvidence(raw_text="11.90", confidence=1.0, looks=3)}).is_acceptable


def test_a_card_payment_of_another_amount_outweighs_what_was_bought() -> None:
    """`net 5.93 + tax 0.77 = 6.70`, and the card pays 6.80: a levy was added below. Cash may be more than is due."""
    bought = receipt(subtotal="5.93", tax_total="0.77", total="6.70")
    card = bought.model_copy(update={"payments": (Payment(method="Card", amount=amount("6.80")),)})
    assert examined(bought, likely(looks=2)).is_acceptable
    assert not examined(card, likely(looks=2)).is_acceptable
    assert examined(card.model_copy(update={"amount_tendered": amount("10.00")}), likely(looks=2)).is_acceptable


def test_items_prove_a_total_only_where_no_subtotal_stands_between() -> None:
    """Items that add up to the subtotal prove the subtotal."""
    items = (Item(total_price=amount("10.00")),)
    assert examined(receipt(items=items, total="10.00"), likely()).issues[0].field != "total"
    unproven = examined(receipt(items=items, subtotal="10.00", total="12.00"), likely())
    assert "total" in {issue.field for issue in unproven.issues if issue.blocking}


def test_cash_lines_that_make_no_sense_do_not_contest_the_total() -> None:
    """More change than cash is a misread cash line: it is flagged, and the total stands on its own proofs."""
    odd = receipt(subtotal="9.00", total="9.00", amount_tendered="0.00", change_given="9.00")
    assert examined(odd, sure()).is_acceptable
    assert "amount_tendered" in {issue.field for issue in examined(odd, sure()).issues}


def test_change_that_contradicts_the_total_blocks() -> None:
    """20.00 handed over and 0.50 back is not a total of 20.00."""
    examination = examined(receipt(total="20.00", amount_tendered="20.00", change_given="0.50"), sure())
    assert [(issue.field, issue.kind) for issue in examination.issues if issue.blocking][:1] == [("total", "conflict")]


def test_a_total_with_the_other_sign_than_what_was_bought_blocks() -> None:
    """`Card -59.00` below items of 59.00 is a payment; an exchange that ends below zero is a total."""
    items = (Item(total_price=amount("24.00")), Item(total_price=amount("35.00")))
    turned = examined(receipt(items=items, total="-59.00"), sure())
    assert [(issue.field, issue.kind) for issue in turned.issues if issue.blocking] == [("total", "conflict")]
    exchange = (Item(total_price=amount("24.00")), Item(total_price=amount("-35.00")))
    assert examined(receipt(items=exchange, total="-11.00"), sure()).is_acceptable


def test_an_unlikely_value_is_never_confirmed_by_agreement() -> None:
    """Two looks can make the same mistake."""
    assert not examined(receipt(total="10.00"), likely(by=0.01, looks=2)).is_acceptable


def test_a_name_that_one_recogniser_read_twice_must_be_likelier() -> None:
    """Letters that the second engine does not know are read by the same recogniser in both looks."""

    def believed(name: str) -> bool:
        return examined(receipt(total="10.00"), sure(merchant_name=FieldEvidence(raw_text=name, confidence=0.7, looks=2))).is_acceptable

    assert believed("HARBOUR CAFE")
    assert not believed("КРАМНИЦА КРАВЕЦБ")


def test_looks_that_disagree_block() -> None:
    """Where looks disagree, a person decides, however sure each look was."""
    fields = sure(total=FieldEvidence(raw_text="10.00", confidence=1.0, state=FieldState.CONFLICT))
    issues = examined(receipt(total="10.00"), fields).issues
    assert [(issue.field, issue.kind) for issue in issues] == [("total", "conflict")]


def test_what_is_not_a_receipt_is_never_accepted() -> None:
    """A landscape has no total to accept."""
    examination = examined(receipt(total="1.00", document_type=DocumentType.NOT_A_RECEIPT), sure())
    assert [issue.kind for issue in examination.issues if issue.blocking] == ["not_a_receipt"]
