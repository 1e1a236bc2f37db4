"""Log lines that machines and people can read, whatever is in them."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest

from extractor.config.settings import LogSettings
from extractor.runtime import logs

logger = logging.getLogger("extractor.some_module")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("extractor")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


def test_text_is_one_line_with_quoted_fields() -> None:
    """A name with a line end cannot forge a log line."""
    logs.configure(LogSettings(), stream := io.StringIO())
    logger.info("receipt_filed", extra={"file": 'a"b\nERROR forged', "attempts": 2})
    [line] = stream.getvalue().splitlines()
    assert line.endswith(r'INFO receipt_filed file="a\"b\nERROR forged" attempts=2')


@pytest.mark.parametrize("character", ["\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\u202e", "\udce9"])
def test_nothing_in_a_line_steers_the_terminal(character: str) -> None:
    """Line ends of Unicode, control sequences, turned text and lone surrogates are escaped in names and in what libraries say."""
    logs.configure(LogSettings(), stream := io.StringIO())
    logger.warning("library says %s", character, extra={"file": f"a{character}b"})
    [line] = stream.getvalue().encode("utf-8").decode().splitlines()
    assert line.isprintable()
    assert line.endswith(f'says \\u{ord(character):04x} file="a\\u{ord(character):04x}b"')


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_the_line_for_people() -> None:
    """Such a line is escaped like any other; an empty one hides the event, and events without one look as everywhere."""
    logs.configure(LogSettings(), stream := Terminal())
    logger.info("receipt_stored", extra={"file": "a.jpg"} | logs.for_terminal("2022-06-24  dm\x1b  5.60 EUR  accepted"))
    logger.info("file_taken", extra=logs.for_terminal(""))
    logger.info("service_started", extra={"inbox": "in"})
    first, second = stream.getvalue().splitlines()
    assert first == r"2022-06-24  dm\u001b  5.60 EUR  accepted"
    assert second.endswith(' INFO service_started inbox="in"')


@pytest.mark.parametrize(("style", "kind"), [("text", io.StringIO), ("json", io.StringIO), ("json", Terminal)])
def test_the_line_for_people_is_in_no_log(style: Literal["text", "json"], kind: type[io.StringIO]) -> None:
    """It quotes the receipt, so that only a terminal may show it."""
    logs.configure(LogSettings(format=style), stream := kind())
    logger.info("receipt_stored", extra={"file": "a.jpg"} | logs.for_terminal("2022-06-24  dm  5.60 EUR  accepted"))
    assert "receipt_stored" in stream.getvalue()
    assert "dm" not in stream.getvalue()
    assert "terminal" not in stream.getvalue()


def test_json_has_event_and_fields() -> None:
    """One object a line, with the event's stable name."""
    logs.configure(LogSettings(format="json"), stream := io.StringIO())
    try:
        raise ValueError("broken")
    except ValueError:
        logger.exception("reading_crashed", extra={"files": ["a.jpg"]})
    entry = json.loads(stream.getvalue())
    assert (entry["event"], entry["level"], entry["logger"], entry["files"]) == (
        "reading_crashed", "ERROR", "extractor.some_module", ["a.jpg"],
    )  # fmt: skip
    assert entry["trace"].endswith('raise ValueError("broken")\nValueError')  # the code, and not what was in it


def test_levels_are_those_of_the_settings_and_libraries_are_quiet() -> None:
    """DEBUG appears only where it is asked for; libraries speak up from WARNING on. Configuring twice does not write twice."""
    logs.configure(LogSettings(), io.StringIO())
    logs.configure(LogSettings(), stream := io.StringIO())
    logger.debug("contents")
    logging.getLogger("library").info("chatter")
    logging.getLogger("library").warning("trouble")
    logger.info("event")
    assert [line.split(maxsplit=3)[3] for line in stream.getvalue().splitlines()] == ["trouble", "event"]


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_traceback_from_another_process_is_written_like_any_other(style: Literal["text", "json"]) -> None:
    """It comes as text, and stays in its one line."""
    logs.configure(LogSettings(format=style), stream := io.StringIO())
    record = logger.makeRecord(logger.name, logging.ERROR, __file__, 1, "reading_crashed", (), None)
    record.exc_text = "Traceback\nZeroDivisionError"
    logger.handle(record)
    [line] = stream.getvalue().splitlines()
    assert "Traceback\\nZeroDivisionError" in line
