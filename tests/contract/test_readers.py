"""The contract of every reader: what the pipeline relies on."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from extractor.documents import Page
from extractor.errors import ReaderUnavailable
from extractor.ocr.transcript import Box, Transcript
from extractor.readers.answer_parser import parse_answer
from extractor.readers.base import Answer, Document, Issue, Look, Question, Reader, Reading, root_of
from extractor.readers.prompts import FIRST, again, asked_fields
from extractor.readers.rules.ocr_reader import OcrReader
from tests.transcripts import transcript
from tests.vision.conftest import TRANSFORMERS_TALKS_TO_ITSELF, picture

AGAIN = again([Issue("transaction_date", "missing", "No date was found."), Issue("total", "unconfirmed", "Only one look.")], Look(effort=1))
WHOLE_AGAIN = replace(FIRST, issues=(Issue("*", "invalid", "Not JSON."),), look=Look(effort=2))

RECEIPT = transcript(
    "TEA HOUSE LTD", "12 Long Street", "Date: 25/12/2025 14:07", [(50, "Green tea"), (500, "4.00")], [(50, "TOTAL"), (500, "4.00")]
)

pytestmark = pytest.mark.filterwarnings(TRANSFORMERS_TALKS_TO_ITSELF)


class PaperWitness:
    """Sees what is on the paper, whatever the effort; fails on pages that are blank."""

    name = "paper"

    def read(self, page: Page, effort: int = 0, crop: Box | None = None, row: Box | None = None) -> tuple[Page, Transcript]:  # noqa: ARG002
        if page.number == BLANK:
            raise ReaderUnavailable("The OCR engine failed.")
        return page, RECEIPT


BLANK = 99


@pytest.fixture(params=["ocr", pytest.param("vision", marks=pytest.mark.vision)])
def reader(request: pytest.FixtureRequest) -> Iterator[Reader]:
    """Every reader, on a small scale: OCR that sees one receipt, a tiny model with random weights."""
    if request.param == "ocr":
        yield OcrReader(PaperWitness())
        return
    pytest.importorskip("torch", reason="the vision extra is not installed")
    from extractor.readers.vision.vision_reader import VisionReader  # noqa: PLC0415  # needs what the line above looks for

    make_engine: Callable[..., object] = request.getfixturevalue("make_engine")
    yield VisionReader(make_engine(max_rows=4, max_tokens=300), model="tiny", max_tokens=300)  # type: ignore[arg-type]


def documents(count: int) -> list[Document]:
    return [Document(f"{seed}.png", (Page(picture(40, 60, seed)),), (RECEIPT,)) for seed in range(count)]


def ask(reading: Reading, questions: dict[int, Question]) -> dict[int, Answer]:
    found = reading.ask(questions)
    answers = {row: answer for row, answer in found.items() if isinstance(answer, Answer)}
    assert set(answers) == set(questions), found
    return answers


def stated(answer: Answer) -> Sequence[str]:
    return list(json.loads(answer.text))


def test_a_reader_has_a_name_and_versions(reader: Reader) -> None:
    """Name, model and prompt version are filed with every record."""
    assert reader.name
    assert reader.model
    assert reader.prompt_version


def test_every_row_that_is_asked_is_answered_and_no_other(reader: Reader) -> None:
    """Answers come by row, also where rows are skipped."""
    with reader.open(documents(3)) as reading:
        assert set(ask(reading, {0: AGAIN, 2: AGAIN})) == {0, 2}
        assert set(ask(reading, {1: AGAIN})) == {1}


def test_a_narrowed_question_brings_only_what_it_asks_for(reader: Reader) -> None:
    """Fields that were not asked are not touched."""
    with reader.open(documents(1)) as reading:
        answer = ask(reading, {0: AGAIN})[0]
    assert set(stated(answer)) <= {*asked_fields(AGAIN), "missing"}
    assert {root_of(path) for path in answer.evidence} <= {*asked_fields(AGAIN), "missing"}


@pytest.mark.parametrize("question", [FIRST, AGAIN, WHOLE_AGAIN], ids=["first", "again", "whole again"])
def test_answers_are_valid_or_say_that_they_were_cut_off(reader: Reader, question: Question) -> None:
    """Answers can be parsed; an answer that was cut off says so."""
    with reader.open(documents(1)) as reading:
        answer = ask(reading, {0: question})[0]
    parsed = parse_answer(answer.text, is_cut_off=answer.is_cut_off)
    assert {issue.kind for issue in parsed.issues} <= ({"cut_off"} if answer.is_cut_off else set())
    assert answer.seconds >= 0
    assert all(seen.confidence is None or 0 <= seen.confidence <= 1 for seen in answer.evidence.values())


def test_questions_may_be_asked_on_and_on(reader: Reader) -> None:
    """Asking again is what readers are for; no number of questions breaks a reading."""
    with reader.open(documents(1)) as reading:
        for effort in range(1, 5):
            ask(reading, {0: replace(AGAIN, look=Look(effort=effort))})


def test_a_reader_opens_one_batch_after_another(reader: Reader) -> None:
    """Nothing of one batch is left in the next."""
    for count in (1, 2):
        with reader.open(documents(count)) as reading:
            assert len(ask(reading, dict.fromkeys(range(count), AGAIN))) == count


def test_the_ocr_reader_s_rows_fail_alone() -> None:
    """A page on which the engine fails costs its own row its answer, and no other."""
    broken = Document("broken.png", (Page(picture(40, 60, 1), BLANK),), (RECEIPT,))
    with OcrReader(PaperWitness()).open([*documents(1), broken]) as reading:
        found = reading.ask({0: WHOLE_AGAIN, 1: WHOLE_AGAIN})
    assert isinstance(found[0], Answer)
    assert isinstance(found[1], ReaderUnavailable)
