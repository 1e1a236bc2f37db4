"""The decision: which records are accepted, which need a review, and for which reasons."""

from datetime import date
from typing import Any

import pytest

from extractor.readers.base import Issue
from extractor.schemas.answer import DocumentType
from extractor.schemas.receipt import Item, Payment, Receipt
from extractor.schemas.record import ReasonKind, RecordStatus
from extractor.schemas.values import FieldEvidence, FieldState
from extractor.validation.arithmetic import run_checks
from extractor.validation.confidence import THRESHOLDS
from extractor.validation.decision import REASKED, Decision, Facts, decide, issues_to_ask
from extractor.validation.normalisation import UnparsedText
from tests.receipts import amount, receipt

TODAY = date(2026, 3, 1)


def sure(**changes: FieldEvidence) -> dict[str, FieldEvidence]:
    return {name: FieldEvidence(raw_text=name, confidence=one.alone) for name, one in THRESHOLDS.items()} | changes


def likely(by: float = 0.0, looks: int = 1) -> dict[str, FieldEvidence]:
    """Every field just likely enough to be believed when something backs it, or less by so much."""
    return {name: FieldEvidence(raw_text=name, confidence=one.backed - by, looks=looks) for name, one in THRESHOLDS.items()}


def decided(of: Receipt, fields: dict[str, FieldEvidence], **facts: Any) -> Decision:
    return decide(Facts(of, fields, run_checks(of, today=TODAY), **facts))


def is_accepted(of: Receipt, fields: dict[str, FieldEvidence]) -> bool:
    decision = decided(of, fields)
    assert bool(decision.reasons) is (decision.status is RecordStatus.NEEDS_REVIEW)
    return decision.status is RecordStatus.ACCEPTED


def test_a_total_that_contradicts_its_parts_blocks() -> None:
    """However sure the reader is, a total that no sum gives is not accepted."""
    assert not is_accepted(receipt(subtotal="10.00", tax_total="1.90", total="13.90"), sure())


def test_items_that_do_not_add_up_flag_but_do_not_block() -> None:
    """A lost line item must not keep a proven total from being accepted."""
    items = (Item(total_price=amount("4.00")),)
    assert is_accepted(receipt(items=items, subtotal="10.00", total="10.00"), sure())


@pytest.mark.parametrize(("day", "plausible"), [(date(2026, 3, 2), True), (date(2026, 3, 3), False), (date(1970, 1, 1), False)])
def test_dates_from_the_future_or_before_tills_block(day: date, plausible: bool) -> None:
    """A day is left for time zones; beyond it, and before 1990, a date is misread."""
    assert is_accepted(receipt(transaction_date=day, total="1.00"), sure()) is plausible


@pytest.mark.parametrize("name", ["merchant_name", "transaction_date", "currency_code", "total"])
def test_nothing_required_may_be_missing(name: str) -> None:
    """A record without merchant, date, currency or total needs a person, and says so."""
    values: dict[str, Any] = {"total": "1.00"} | {name: None}
    issues = decided(receipt(**values), sure()).issues
    assert [(issue.field, issue.kind) for issue in issues if issue.blocking] == [(name, "missing")]


def test_a_missing_time_is_asked_for_but_does_not_block_and_not_printed_is_an_answer() -> None:
    """Many receipts print no time: it is asked for, and then let be."""
    asked = decided(receipt(total="1.00", transaction_time=None), sure())
    assert asked.status is RecordStatus.ACCEPTED
    assert [issue.field for issue in asked.issues] == ["transaction_time"]
    settled = sure(transaction_time=FieldEvidence(state=FieldState.NOT_PRINTED))
    assert not decided(receipt(total="1.00", transaction_time=None), settled).issues


def test_an_ambiguous_date_blocks_and_names_its_candidates() -> None:
    """03/04 stays open until the receipt, a setting or a person decides."""
    candidates = (date(2026, 2, 3), date(2026, 3, 2))
    issues = decided(receipt(total="1.00", date_ambiguous=True, date_candidates=candidates), sure()).issues
    assert [issue.kind for issue in issues if issue.blocking] == ["ambiguous"]
    assert "2026-02-03 or 2026-03-02" in issues[0].message


def test_a_likely_value_needs_something_independent() -> None:
    """Likely is not enough; likely and a second look, or likely and the sums, is."""
    alone = decided(receipt(total="10.00"), likely())
    assert {issue.field for issue in alone.issues} == {name for name, one in THRESHOLDS.items() if one.backed < one.alone}
    proven = decided(receipt(subtotal="10.00", total="10.00"), likely())
    assert "total" not in {issue.field for issue in proven.issues}
    assert is_accepted(receipt(total="10.00"), likely(looks=2))


def test_looks_do_not_outvote_sums() -> None:
    """A likely total that items contest needs a person, however many looks agree; a sum that closes settles it."""
    items = (Item(total_price=amount("94.19")),)
    seen_twice = likely(looks=2)
    assert not is_accepted(receipt(items=items, total="194.19"), seen_twice)
    paid = (Payment(amount=amount("194.19")),)
    assert is_accepted(receipt(items=items, total="194.19", payments=paid), seen_twice)


def test_a_lost_item_does_not_hold_up_a_sure_total() -> None:
    """Items that fall short are flagged; a total of which two looks are all but certain is believed all the same."""
    short = receipt(items=(Item(total_price=amount("4.00")),), total="10.00")
    seen_twice = sure() | {"total": FieldEvidence(raw_text="10.00", confidence=THRESHOLDS["total"].despite, looks=2)}
    assert is_accepted(short, seen_twice)
    assert "items" in {issue.field for issue in decided(short, seen_twice).issues}


def test_both_sides_prove_a_total_that_its_reader_doubts() -> None:
    """What was bought and what was paid closing on the same total outweighs a doubtful label, if a second look agrees."""
    doubtful = {name: FieldEvidence(raw_text=name, confidence=one.alone, looks=2) for name, one in THRESHOLDS.items()}
    doubtful["total"] = FieldEvidence(raw_text="10.00", confidence=THRESHOLDS["total"].proven, looks=2)
    both = receipt(subtotal="10.00", total="10.00", amount_tendered="20.00", change_given="10.00")
    assert is_accepted(both, doubtful)
    assert not is_accepted(receipt(subtotal="10.00", total="10.00"), doubtful)


def test_items_over_a_subtotal_prove_a_total_that_its_reader_doubts() -> None:
    """Items that add up to a subtotal from which the tax leads to the total close twice; a subtotal that is the total closes once."""
    doubtful = sure() | {"total": FieldEvidence(raw_text="11.90", confidence=THRESHOLDS["total"].proven, looks=2)}
    items = (Item(total_price=amount("4.00")), Item(total_price=amount("6.00")))
    assert is_accepted(receipt(items=items, subtotal="10.00", tax_total="1.90", total="11.90"), doubtful)
    assert not is_accepted(receipt(items=items, subtotal="10.00", total="10.00"), doubtful)
    lost = receipt(items=items[:1], subtotal="10.00", tax_total="1.90", total="11.90")
    assert not is_accepted(lost, doubtful)


def test_one_side_outweighs_the_other_for_a_total_of_which_two_looks_are_all_but_certain() -> None:
    """A lost tax, or a misread digit of the cash, is flagged; the side that closes, and two looks, let the total be believed."""
    no_tax = receipt(subtotal="10.00", total="11.90", amount_tendered="20.00", change_given="8.10")
    misread_cash = receipt(subtotal="10.00", tax_total="1.90", total="11.90", amount_tendered="29.00", change_given="8.10")
    for contested in (no_tax, misread_cash):
        certain = sure() | {"total": FieldEvidence(raw_text="11.90", confidence=THRESHOLDS["total"].despite, looks=2)}
        assert is_accepted(contested, certain)
        assert "conflict" in {issue.kind for issue in decided(contested, certain).issues}
        once = sure() | {"total": FieldEvidence(raw_text="11.90", confidence=THRESHOLDS["total"].alone, looks=1)}
        assert not is_accepted(contested, once)
        assert not is_accepted(contested, likely(looks=2))
    both = receipt(subtotal="10.00", total="11.90", amount_tendered="29.00", change_given="8.10")
    assert not is_accepted(both, sure() | {"total": FieldEvidence(raw_text="11.90", confidence=1.0, looks=3)})


def test_a_card_payment_of_another_amount_outweighs_what_was_bought() -> None:
    """`net 5.93 + tax 0.77 = 6.70`, and the card pays 6.80: a levy was added below. Cash may be more than is due."""
    bought = receipt(subtotal="5.93", tax_total="0.77", total="6.70")
    card = bought.model_copy(update={"payments": (Payment(method="Card", amount=amount("6.80")),)})
    assert is_accepted(bought, likely(looks=2))
    assert not is_accepted(card, likely(looks=2))
    assert is_accepted(card.model_copy(update={"amount_tendered": amount("10.00")}), likely(looks=2))


def test_items_prove_a_total_only_where_no_subtotal_stands_between() -> None:
    """Items that add up to the subtotal prove the subtotal."""
    items = (Item(total_price=amount("10.00")),)
    assert decided(receipt(items=items, total="10.00"), likely()).issues[0].field != "total"
    unproven = decided(receipt(items=items, subtotal="10.00", total="12.00"), likely())
    assert "total" in {issue.field for issue in unproven.issues if issue.blocking}


def test_cash_lines_that_make_no_sense_do_not_contest_the_total() -> None:
    """More change than cash is a misread cash line: it is flagged, and the total stands on its own proofs."""
    odd = receipt(subtotal="9.00", total="9.00", amount_tendered="0.00", change_given="9.00")
    assert is_accepted(odd, sure())
    assert "amount_tendered" in {issue.field for issue in decided(odd, sure()).issues}


def test_change_that_contradicts_the_total_blocks() -> None:
    """20.00 handed over and 0.50 back is not a total of 20.00."""
    decision = decided(receipt(total="20.00", amount_tendered="20.00", change_given="0.50"), sure())
    assert [(issue.field, issue.kind) for issue in decision.issues if issue.blocking][:1] == [("total", "conflict")]


def test_a_total_with_the_other_sign_than_what_was_bought_blocks() -> None:
    """`Card -59.00` below items of 59.00 is a payment; an exchange that ends below zero is a total."""
    items = (Item(total_price=amount("24.00")), Item(total_price=amount("35.00")))
    turned = decided(receipt(items=items, total="-59.00"), sure())
    assert [(issue.field, issue.kind) for issue in turned.issues if issue.blocking] == [("total", "conflict")]
    exchange = (Item(total_price=amount("24.00")), Item(total_price=amount("-35.00")))
    assert is_accepted(receipt(items=exchange, total="-11.00"), sure())


def test_an_unlikely_value_is_never_confirmed_by_agreement() -> None:
    """Two looks can make the same mistake."""
    assert not is_accepted(receipt(total="10.00"), likely(by=0.01, looks=2))


def test_a_name_that_one_recogniser_read_twice_must_be_likelier() -> None:
    """Letters that the second engine does not know are read by the same recogniser in both looks."""

    def believed(name: str) -> bool:
        return is_accepted(receipt(total="10.00"), sure(merchant_name=FieldEvidence(raw_text=name, confidence=0.7, looks=2)))

    assert believed("HARBOUR CAFE")
    assert not believed("КРАМНИЦА КРАВЕЦБ")


def test_looks_that_disagree_block() -> None:
    """Where looks disagree, a person decides, however sure each look was."""
    fields = sure(total=FieldEvidence(raw_text="10.00", confidence=1.0, state=FieldState.CONFLICT))
    issues = decided(receipt(total="10.00"), fields).issues
    assert [(issue.field, issue.kind) for issue in issues] == [("total", "conflict")]


def test_what_is_not_a_receipt_is_never_accepted() -> None:
    """A landscape has no total to accept."""
    decision = decided(receipt(total="1.00", document_type=DocumentType.NOT_A_RECEIPT), sure())
    assert [issue.kind for issue in decision.issues if issue.blocking] == ["not_a_receipt"]


def test_facts_of_the_reading_become_reasons() -> None:
    """A page of several receipts, an open currency, an answer that does not fit, and looks that do not agree each need a person."""
    whole = receipt(total="10.00")

    def kinds(of: Receipt = whole, **facts: Any) -> list[tuple[str, str]]:
        return [(reason.field, reason.kind) for reason in decided(of, sure(), **facts).reasons]

    assert kinds() == []
    assert kinds(may_be_several=True) == [("*", "several_receipts")]
    assert kinds(currency_candidates=("USD", "CAD")) == [("currency_code", "ambiguous")]
    assert kinds(invalid_parts={"items[2]": "too long"}) == [("items[2]", "invalid")]
    assert kinds(receipt(total=None), split_votes={"total": ("1.00", "7.00")}) == [("total", "unreadable")]
    assert kinds(split_votes={"tip": ("1.00", "7.00")}) == []
    assert kinds(unparsed=(UnparsedText("tip", "some", "an amount"),), is_cut_off=True) == []


def test_a_list_that_was_cut_off_needs_a_person() -> None:
    """What is beyond the longest list that is kept is only in the original."""
    items = (Item(total_price=amount("10.00")),)
    decision = decided(receipt(items=items, total="10.00"), sure(items=FieldEvidence(state=FieldState.CUT_OFF)))
    assert [(reason.field, reason.kind) for reason in decision.reasons] == [("items", "cut_off")]


def test_every_kind_of_reason_states_whether_it_is_asked_again() -> None:
    """A new kind is not forgotten in the table."""
    assert set(REASKED) == set(ReasonKind)


def test_what_only_wants_confirmation_is_asked_for_alone() -> None:
    """Anything else that blocks has all issues asked for; what does not block is asked for once."""
    unconfirmed = Issue("total", ReasonKind.UNCONFIRMED, "")
    missing = Issue("merchant_name", ReasonKind.MISSING, "")
    time = Issue("transaction_time", ReasonKind.MISSING, "", blocking=False)
    address = Issue("merchant_address", ReasonKind.UNREADABLE, "", blocking=False)
    off = Issue("items", ReasonKind.CONFLICT, "", blocking=False)
    ambiguous = Issue("transaction_date", ReasonKind.AMBIGUOUS, "")

    def asked(*issues: Issue, is_first: bool = False) -> tuple[Issue, ...]:
        return issues_to_ask(Decision(RecordStatus.NEEDS_REVIEW, issues, ()), is_first=is_first)

    assert asked(unconfirmed, time, off) == (unconfirmed,)
    assert asked(unconfirmed, time, address, off, is_first=True) == (unconfirmed, time, address)
    assert asked(missing, time, off) == (missing, time, off)
    assert asked(ambiguous, time) == ()
    assert asked(ambiguous, missing) == (missing,)
