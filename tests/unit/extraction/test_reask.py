"""Asking again: only what is missing or wrong, within a budget, and what several looks at a value prove."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from PIL import Image

from extractor.documents import Page
from extractor.errors import BadAnswer, ExtractorError, ReaderUnavailable
from extractor.extraction.reask import LADDER, OCR_RUNGS, DocumentResult, ReaskPolicy, read_documents
from extractor.extraction.session import ReceiptInput
from extractor.ocr.transcript import Box, Transcript
from extractor.readers.base import Answer, Document, Evidence
from extractor.readers.prompts import ALL_FIELDS, prompt
from extractor.schemas.answer import ReceiptAnswer
from extractor.schemas.record import ReasonKind, RecordStatus
from extractor.schemas.values import FieldState, Origin
from extractor.testing import ManualClock, ScriptedReader
from extractor.validation.agreement import agree

WHOLE = {
    "document_type": "receipt",
    "merchant_name": "Teehaus Nord",
    "transaction_date": "25.12.2025",
    "transaction_time": "14:07",
    "currency": "EUR",
    "items": [{"description": "Tee", "total_price": "4,00 EUR"}],
    "total": "4,00 EUR",
}


def said(confidence: float = 1.0, **changes: Any) -> Answer:
    """An answer with everything, except for the changes; `None` leaves a field out."""
    values = {name: value for name, value in (WHOLE | changes).items() if value is not None}
    return partly(confidence, **values)


def partly(confidence: float = 1.0, **values: Any) -> Answer:
    """An answer with only these fields."""
    evidence = {name: Evidence(value, 0, None, confidence) for name, value in values.items() if isinstance(value, str)}
    return Answer(json.dumps(values), evidence, seconds=0.1)


def document(name: str = "a.jpg") -> Document:
    return Document(name, (Page(Image.new("RGB", (10, 10))),), (Transcript((), 10, 10, "none"),))


def read(*answers: Answer | ExtractorError, witness: Answer | None = None, **policy: Any) -> tuple[DocumentResult, ScriptedReader]:
    """The result for one document whose reader gives these answers in turn."""
    reader = ScriptedReader({"a.jpg": answers}, name="ocr" if witness is None else "vision")  # type: ignore[dict-item]
    receipt = ReceiptInput(document(), witness=witness)
    outcome = read_documents(reader, [receipt], ReaskPolicy(today=lambda: date(2026, 1, 1), **policy))[0]
    assert isinstance(outcome, DocumentResult), outcome
    return outcome, reader


def test_a_complete_answer_is_asked_once() -> None:
    """A receipt that is understood costs one question."""
    outcome, reader = read(said())
    assert outcome.decision.status is RecordStatus.ACCEPTED, outcome.decision.issues
    assert len(reader.asked) == 1
    assert outcome.receipt.total == Decimal("4.00")


def test_only_the_missing_field_is_asked_again_and_the_rest_is_kept() -> None:
    """A missing date costs a question about the date alone, and nothing that was read before is touched."""
    outcome, reader = read(said(transaction_date=None), partly(transaction_date="25.12.2025", total="9,99 EUR"))
    assert [question.fields for _, question in reader.asked[1:]] == [("transaction_date",)]
    assert outcome.receipt.transaction_date == date(2025, 12, 25)
    assert outcome.receipt.total == Decimal("4.00")
    assert [(attempt.rung, attempt.changed) for attempt in outcome.attempts][1] == ("again", ("transaction_date",))


def test_every_rung_looks_differently_and_the_ladder_ends() -> None:
    """A field that cannot be found is asked once a rung, each with more effort, and the record is kept with the reason."""
    outcome, reader = read(said(merchant_name=None), partly(), max_rungs=len(LADDER))
    assert [question.look.effort for _, question in reader.asked] == [0, *(rung.look.effort for rung in LADDER)]
    assert [(issue.field, issue.kind) for issue in outcome.decision.issues if issue.blocking] == [("merchant_name", "missing")]
    assert outcome.receipt.total == Decimal("4.00")


def test_the_budget_ends_the_ladder() -> None:
    """No further question is begun when the time is over or the rungs are used up."""
    clock = ManualClock()

    def ticking() -> float:
        clock.advance(40)
        return clock.monotonic()

    assert len(read(said(total=None), partly(), seconds=30.0, clock=ticking)[1].asked) == 1
    assert len(read(said(total=None), partly(), max_rungs=1)[1].asked) == 2


def test_a_missing_time_is_asked_once_and_not_printed_is_an_answer() -> None:
    """A time does not hold up an acceptable record for more than one further look."""
    absent = partly(missing=[{"field": "transaction_time", "reason": "not_printed"}])
    outcome, reader = read(said(transaction_time=None), absent)
    assert len(reader.asked) == 2
    assert outcome.decision.status is RecordStatus.ACCEPTED
    assert outcome.fields["transaction_time"].state is FieldState.NOT_PRINTED


def test_a_second_look_that_agrees_confirms() -> None:
    """Likely once and seen twice is confirmed; the record says how many looks agree."""
    outcome, reader = read(said(0.9, items=None), said(0.9, items=None))
    assert len(reader.asked) == 2
    assert outcome.decision.status is RecordStatus.ACCEPTED, outcome.decision.issues
    assert outcome.fields["total"].looks == 2


def test_looks_that_disagree_are_a_conflict_until_one_value_leads() -> None:
    """Two values with one look each settle nothing; a third look does."""
    split, _ = read(said(0.9, items=None), said(0.9, items=None, total="4,90 EUR"), max_rungs=1)
    assert split.fields["total"].state is FieldState.CONFLICT
    assert split.decision.status is RecordStatus.NEEDS_REVIEW
    settled, _ = read(said(0.9, items=None), said(0.9, items=None, total="4,90 EUR"), said(0.9, items=None, total="4,90 EUR"), max_rungs=2)
    assert settled.receipt.total == Decimal("4.90")
    assert settled.fields["total"].looks == 2
    assert settled.decision.status is RecordStatus.ACCEPTED


def test_a_later_list_is_taken_only_if_it_leaves_less_to_complain_about() -> None:
    """Items that add up replace items that do not, and never the other way round."""
    wrong, right = [{"description": "Tee", "total_price": "3,00 EUR"}], WHOLE["items"]
    better, _ = read(said(items=wrong, transaction_date=None), partly(items=right), partly(items=wrong))
    assert [item.total_price for item in better.receipt.items] == [Decimal("4.00")]


def test_confirming_asks_for_nothing_else() -> None:
    """A likely value costs a look at its place; items that do not add up are not read again for it, nor on their own."""
    wrong = [{"description": "Tee", "total_price": "3,00 EUR"}]
    assert read(said(0.95, items=wrong), partly())[1].asked[1][1].fields == ("transaction_date", "total")
    assert len(read(said(items=wrong), partly())[1].asked) == 1


def test_a_broken_first_answer_asks_everything_again() -> None:
    """Prose instead of JSON costs a rung, not the receipt; the attempt is on record."""
    outcome, reader = read(Answer("I see a receipt."), said())
    assert reader.asked[1][1].fields == ()
    assert outcome.decision.status is RecordStatus.ACCEPTED
    assert outcome.attempts[0].error is not None


def test_a_field_that_does_not_fit_is_asked_again_alone() -> None:
    """An answer with one bad field keeps the others, and only the bad one is asked again."""
    _, reader = read(said(tip={"amount": 1}, transaction_date=None), partly(transaction_date="25.12.2025"))
    assert reader.asked[1][1].fields == ("transaction_date", "tip")


def test_a_reader_that_fails_later_costs_nothing_that_is_known() -> None:
    """An error of a second question leaves the first answer as it is."""
    outcome, _ = read(said(merchant_name=None), ReaderUnavailable("Out of memory."))
    assert outcome.receipt.total == Decimal("4.00")
    assert outcome.attempts[1].error == "Out of memory."


def test_a_reader_that_never_answers_gives_its_error_to_that_document_alone() -> None:
    """A row that fails fails alone, with the reader's own error."""
    failure = ReaderUnavailable("Out of memory.")
    reader = ScriptedReader({"a.jpg": [failure], "b.jpg": [said()]}, name="ocr")
    results = read_documents(
        reader, [ReceiptInput(document("a.jpg")), ReceiptInput(document("b.jpg"))], ReaskPolicy(today=lambda: date(2026, 1, 1))
    )
    assert results[0] is failure
    assert isinstance(results[1], DocumentResult)
    assert len(reader.asked) == 2


def test_broken_json_to_the_end_is_a_bad_answer() -> None:
    """A reader that never gives JSON is reported as such."""
    reader = ScriptedReader({"a.jpg": [Answer("No.")]}, name="ocr")
    assert isinstance(read_documents(reader, [ReceiptInput(document())], ReaskPolicy())[0], BadAnswer)
    assert {question.fields for _, question in reader.asked} == {()}
    assert len(reader.asked) == 1 + OCR_RUNGS


def test_a_witness_that_agrees_is_a_second_look() -> None:
    """A model's value that the OCR reading shares is confirmed by both."""
    outcome, reader = read(said(0.1, items=None), witness=said(0.9, items=None))
    assert len(reader.asked) == 1
    assert outcome.decision.status is RecordStatus.ACCEPTED, outcome.decision.issues
    assert (outcome.fields["total"].origin, outcome.fields["total"].looks) == (Origin.BOTH, 2)


def test_a_witness_that_disagrees_is_a_conflict_and_never_the_value() -> None:
    """A model's value that the OCR reading contests is not accepted, and the witness's value is not taken either."""
    outcome, reader = read(said(0.99, items=None), partly(), witness=said(0.99, items=None, total="5,00 EUR"))
    assert outcome.receipt.total == Decimal("4.00")
    assert outcome.fields["total"].state is FieldState.CONFLICT
    assert reader.asked[1][1].fields == ("total",)


def model(*answers: Answer | ExtractorError, witness: Answer | None = None, **policy: Any) -> tuple[DocumentResult, ScriptedReader]:
    """The result for one document that a model reads, beside a witness that finds nothing by default."""
    return read(*answers, witness=witness or partly(), **policy)


def drawn(*answers: Answer) -> Answer:
    return replace(answers[0], samples=answers[1:])


def test_a_model_climbs_from_the_image_that_it_knows_to_an_enlarged_part_to_a_vote() -> None:
    """Each rung differs in what is shown or how it is answered, and its attempt tells what was done."""
    witness = Answer(json.dumps({"total": "4,00 EUR"}), {"total": Evidence("4,00 EUR", 0, Box(5, 8, 9, 9), 0.5)})
    outcome, reader = model(said(total=None), partly(), witness=witness)
    looks = [question.look for _, question in reader.asked[1:]]
    assert [(look.crop, look.samples) for look in looks] == [(None, 1), (Box(5, 8, 9, 9), 1), (Box(5, 8, 9, 9), 5)]
    assert [(attempt.rung, attempt.page, attempt.box) for attempt in outcome.attempts[1:]] == [
        ("again", None, None),
        ("closer", 0, (0.5, 0.8, 0.9, 0.9)),
        ("vote", 0, (0.5, 0.8, 0.9, 0.9)),
    ]


def test_a_model_that_is_asked_twice_about_the_same_image_has_looked_once() -> None:
    """It would repeat its mistake: only the enlarged part confirms, and what only wants to be confirmed is not asked for before."""
    outcome, reader = model(said(0.9, items=None), said(0.9, items=None))
    assert [question.look.crop is not None for _, question in reader.asked] == [False, True]
    assert outcome.fields["total"].looks == 2
    repeated, _ = model(said(0.9, transaction_date="32.13.2025"), said(0.9), max_rungs=1)
    assert "transaction_date" in repeated.attempts[1].changed
    same, _ = model(said(0.9, transaction_date="25.12.2030"), partly(0.9, transaction_date="25.12.2030"), max_rungs=1)
    assert (same.attempts[1].changed, same.fields["transaction_date"].looks) == (("transaction_date",), 1)
    again_and_again, _ = model(said(0.9, merchant_name=None), partly(0.9, merchant_name="Teehaus Nord"), partly(), max_rungs=2)
    assert again_and_again.fields["merchant_name"].looks == 1


def test_a_vote_takes_what_most_answers_say_and_files_their_share() -> None:
    """Three of five; together they are one look."""
    right, wrong = partly(0.9, total="4,00 EUR"), partly(0.9, total="9,00 EUR")
    outcome, _ = model(said(total=None), partly(), partly(), drawn(wrong, right, right, wrong, right))
    assert outcome.receipt.total == Decimal("4.00")
    evidence = outcome.fields["total"]
    assert (evidence.agreement, evidence.looks) == (0.6, 1)
    assert (outcome.attempts[-1].samples, outcome.attempts[-1].changed) == (5, ("total",))


def test_what_no_two_looks_agree_on_is_null_and_the_reason_says_what_was_read() -> None:
    """A guess is worse than a question to a person; nothing that was read is lost."""
    votes = [partly(0.9, total=f"{number},00 EUR") for number in (5, 6, 7, 8)]
    outcome, _ = model(said(), partly(), partly(total="4,90 EUR"), drawn(*votes), witness=partly(0.9, total="3,00 EUR"))
    assert outcome.receipt.total is None
    assert outcome.fields["total"].state is FieldState.UNREADABLE
    (issue,) = [issue for issue in outcome.decision.issues if issue.field == "total"]
    assert (issue.kind, issue.blocking) == ("unreadable", True)
    assert all(text in issue.message for text in ("4,00 EUR", "4,90 EUR", "5,00 EUR", "8,00 EUR"))


def test_a_split_vote_leaves_what_two_looks_agree_on() -> None:
    """The first look and the enlarged one say the same; chance does not outweigh them."""
    votes = [partly(0.9, total=f"{number},00 EUR") for number in (5, 6, 7)]
    outcome, _ = model(said(0.5), partly(), partly(0.5, total="4,00 EUR"), drawn(*votes), witness=partly(0.9, total="3,00 EUR"))
    assert outcome.receipt.total == Decimal("4.00")


def test_one_drawn_answer_is_no_vote() -> None:
    """Where the others failed, it counts as one look and has no share."""
    outcome, _ = model(said(total=None), partly(), partly(), drawn(partly(0.9, total="4,00 EUR"), Answer("No.")))
    assert outcome.fields["total"].agreement is None


def test_a_witness_gives_the_draft_from_which_a_model_guesses_and_never_the_question() -> None:
    """The model is quicker for it and stays independent: its prompt is the same with and without."""
    witness = said(0.9, total="9,99 EUR")
    outcome, reader = read(said(total=None), partly(), witness=witness)
    assert {question.draft for _, question in reader.asked} == {witness.text}
    assert all("9,99" not in prompt(question) for _, question in reader.asked)
    assert outcome.receipt.total is None
    _, alone = read(said(total=None), partly())
    assert {question.draft for _, question in alone.asked} == {""}


def test_a_witness_answers_nothing_by_itself() -> None:
    """What the model did not see stays missing, however sure the witness is."""
    outcome, _ = read(said(total=None), partly(), witness=said())
    assert outcome.receipt.total is None


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        ("total", "RM 4.00", "4.00", True),
        ("total", "4.00", "4.90", False),
        ("transaction_date", "25.12.2025", "25/12/25", True),
        ("transaction_date", "25.12.2025", "26.12.2025", False),
        ("transaction_time", "8:13:39 PM", "20:13", True),
        ("transaction_time", "8:13 PM", "20:18", False),
        ("merchant_name", "TEA & CO", "Tea&Co Sdn Bhd", True),
        ("merchant_name", "Teehaus Nord am Alten Hafen", "Teehavs Nord am Alten Hafen", True),
        ("merchant_name", "Marsh & Cope", "Marsh & Cone", False),
        ("merchant_name", "Teehaus", "Bäcker", False),
        ("receipt_number", "A-17", "A17", True),
        ("receipt_number", "A-17", "A-18", False),
    ],
)
def test_two_looks_agree_by_what_the_text_says(name: str, one: str, other: str, same: bool) -> None:
    """Spelling may differ where the value does not; a digit may not."""
    assert agree(name, one, other) is same
    assert name in ALL_FIELDS


def test_a_witness_whose_answer_is_no_json_costs_its_receipt_a_look_and_the_batch_nothing() -> None:
    """The receipt is read as if it had no witness; its neighbour keeps the look of its own."""
    reader = ScriptedReader({"a.jpg": [said()], "b.jpg": [said()]}, name="vision")
    receipts = [ReceiptInput(document("a.jpg"), witness=Answer("No.")), ReceiptInput(document("b.jpg"), witness=said())]
    alone, seen_twice = read_documents(reader, receipts, ReaskPolicy(today=lambda: date(2026, 1, 1)))
    assert isinstance(alone, DocumentResult)
    assert isinstance(seen_twice, DocumentResult)
    assert (alone.decision.status, alone.fields["total"].looks) == (RecordStatus.ACCEPTED, 1)
    assert seen_twice.fields["total"].looks == 2


def test_a_faulty_sample_of_a_vote_does_not_block_what_the_others_agree_on() -> None:
    """Not even the first one; what does not fit in most of the samples is a reason."""
    right, faulty = partly(total="4,00 EUR"), partly(total={"amount": 4})
    outcome, _ = model(said(total=None), partly(), partly(), drawn(faulty, right, right, right, right), witness=said())
    assert outcome.receipt.total == Decimal("4.00")
    assert outcome.decision.status is RecordStatus.ACCEPTED, outcome.decision.reasons
    outcome, _ = model(said(total=None), partly(), partly(), drawn(right, faulty, faulty, faulty, right))
    assert (ReasonKind.INVALID, "total") in {(reason.kind, reason.field) for reason in outcome.decision.reasons}


def test_what_does_not_fit_stays_a_reason_until_the_field_is_asked_for_again() -> None:
    """A further question about other fields does not make it valid."""
    witness = Answer(json.dumps({"total": "4,00 EUR"}), {"total": Evidence("4,00 EUR", 0, Box(5, 8, 9, 9), 0.5)})
    bad = said(total=None, tip={"amount": 1})
    outcome, reader = model(bad, partly(tip={"amount": 1}), ReaderUnavailable("Out of memory."), witness=witness, max_rungs=2)
    assert ("tip", ReasonKind.INVALID) in {(reason.field, reason.kind) for reason in outcome.decision.reasons}
    assert reader.asked[1][1].fields == ("tip", "total")
    settled, _ = model(bad, partly(tip="0,50 EUR"), witness=witness, max_rungs=1)
    assert "tip" not in {reason.field for reason in settled.decision.reasons}


def test_an_answer_that_is_a_receipt_already_is_not_parsed() -> None:
    """A reader that makes no text hands over typed values; as a witness they are the draft of a model."""
    typed = Answer(receipt=ReceiptAnswer(total="4,00 EUR"), evidence={"total": Evidence("4,00 EUR", 0, None, 0.9)})
    outcome, reader = read(said(items=None), witness=typed)
    assert outcome.fields["total"].looks == 2
    assert [json.loads(question.draft) for _, question in reader.asked] == [{"total": "4,00 EUR"}]
