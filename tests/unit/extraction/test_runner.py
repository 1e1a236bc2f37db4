"""Files that were prepared elsewhere become records in the order of their sources, and the upcoming files are passed on."""

import json
from collections.abc import Iterator, Mapping, Sequence

from PIL import Image

from extractor.documents import Page, PageLimits
from extractor.errors import ExtractorError, Unreadable
from extractor.extraction.preparation import PreparedFile
from extractor.extraction.reask import ReaskPolicy
from extractor.extraction.runner import Extraction
from extractor.extraction.session import ReceiptInput
from extractor.jobs import Extracted, Source
from extractor.ocr.page_reader import PageReader
from extractor.ocr.transcript import Transcript
from extractor.readers.base import Answer, Document
from extractor.schemas.record import Record
from extractor.testing import ScriptedReader, make_source


class NoEngine:
    """An engine that nobody asks."""

    name = "none"

    def read(self, _: object) -> list[object]:
        raise AssertionError("another process reads the pages")


class PreparedElsewhere:
    """Yields these files, two in a batch, and keeps the upcoming sources of every call."""

    def __init__(self, made: Mapping[str, PreparedFile | ExtractorError]) -> None:
        self._made = made
        self.upcoming: list[Sequence[Source]] = []

    def start(self) -> None:
        """Nothing has to be started."""

    def batches(self, sources: Sequence[Source], upcoming: Sequence[Source] = ()) -> Iterator[list[PreparedFile | ExtractorError]]:
        self.upcoming.append(upcoming)
        for first in range(0, len(sources), 2):
            yield [self._made[source.name] for source in sources[first : first + 2]]


def prepared(name: str) -> PreparedFile:
    page, transcript = Page(Image.new("RGB", (8, 8))), Transcript((), 8, 8, "none")
    return PreparedFile(
        (ReceiptInput(Document(name, (page,), (transcript,)), witness=Answer(json.dumps({"merchant_name": f"Shop {name}"}))),)
    )


def only(result: Extracted) -> Record | ExtractorError:
    """The one record of a file, or its error."""
    if isinstance(result, ExtractorError):
        return result
    [record] = result
    return record


def test_records_come_in_the_order_of_their_sources() -> None:
    """Over several batches, an error where its file was; each document goes with its own witness, whose agreement is filed."""
    names = ["a", "broken", "b", "c", "d"]
    made = {name: prepared(name) if name != "broken" else Unreadable("broken is cut off.") for name in names}
    reader = ScriptedReader({name: [Answer(json.dumps({"merchant_name": f"Shop {name}"}))] for name in names})
    batches = PreparedElsewhere(made)
    limits, witness = PageLimits(), PageReader([NoEngine()])  # type: ignore[list-item]
    extraction = Extraction(reader, witness, limits=limits, policy=ReaskPolicy(max_rungs=0), prepared=batches)
    sources, later = [make_source(name) for name in names], [make_source("later")]
    results = extraction.read(sources, later)
    assert [result.merchant_name if isinstance(result, Record) else str(result) for result in map(only, results)] == [
        "Shop a",
        "broken is cut off.",
        "Shop b",
        "Shop c",
        "Shop d",
    ]
    assert {result.fields["merchant_name"].looks for result in map(only, results) if isinstance(result, Record)} == {2}
    assert reader.opened == [("a",), ("b", "c"), ("d",)]
    extraction.read(sources[:1])
    assert batches.upcoming == [later, ()]
