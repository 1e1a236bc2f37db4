"""The shipped doubles do what they promise."""

from PIL import Image

from extractor.documents import Page
from extractor.errors import ReaderUnavailable
from extractor.ocr.transcript import Transcript
from extractor.readers.base import Answer, Document, Question, Reader
from extractor.testing import ManualClock, ScriptedReader


def document(name: str) -> Document:
    return Document(name, (Page(Image.new("RGB", (1, 1))),), (Transcript((), 1, 1, "none"),))


def test_a_scripted_reader_gives_its_answers_in_order_and_repeats_the_last() -> None:
    """Each document has its own script; every question is on record."""
    busy = ReaderUnavailable("busy")
    script = ScriptedReader({"a": [Answer("1"), Answer("2")], "b": [busy]})
    reader: Reader = script
    question = Question(fields=("total",))
    with reader.open([document("a"), document("b")]) as reading:
        assert reading.ask({0: Question(), 1: Question()}) == {0: Answer("1"), 1: busy}
        assert [reading.ask({0: question})[0] for _ in range(2)] == [Answer("2"), Answer("2")]
    assert script.opened == [("a", "b")]
    assert script.asked == [("a", Question()), ("b", Question()), ("a", question), ("a", question)]


def test_a_manual_clock_goes_on_when_told() -> None:
    """Both readings move together, and only by what was asked."""
    clock = ManualClock()
    before = clock.now()
    clock.advance(2.5)
    assert (clock.monotonic(), (clock.now() - before).total_seconds()) == (2.5, 2.5)
