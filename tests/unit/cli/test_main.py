"""Every error reaches the user as one line and a documented exit code."""

import pytest

from extractor import errors
from extractor.cli.main import exit_code_of, explain
from extractor.cli.terminal import tell
from extractor.errors import BadAnswer, ExtractorError

OWN_ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ExtractorError)]


@pytest.mark.parametrize("kind", OWN_ERRORS)
def test_own_errors_keep_their_code_and_words(kind: type[ExtractorError]) -> None:
    """What an error says of itself is what the user reads and what scripts see."""
    error = BadAnswer("lunch.jpg is cut off.", text="{") if kind is BadAnswer else kind("lunch.jpg is cut off.")

    assert (exit_code_of(error), explain(error)) == (kind.exit_code, "lunch.jpg is cut off.")


def test_the_system_s_refusals_count_as_storage_errors() -> None:
    """A full disk that no function expected still tells what to look at."""
    error = OSError(28, "No space left on device", "/data/outbox")

    assert exit_code_of(error) == 5
    assert explain(error) == "/data/outbox: No space left on device. Check its permissions and the space on its disk."


def test_a_bug_says_how_to_report_it() -> None:
    """An unexpected error is named as ours, with the way to its traceback."""
    error = KeyError("total")

    assert exit_code_of(error) == 1
    assert explain(error).startswith("KeyError: 'total'. This is a bug")
    assert "--debug" in explain(error)


def test_messages_stay_on_one_line_and_steer_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A file name cannot clear the screen, break the line or turn the text around."""
    tell(ExtractorError("a\nb\x1b[2Jc\u202ed is not a receipt."))

    assert capsys.readouterr() == ("", "receipts: a\ufffdb\ufffd[2Jc\ufffdd is not a receipt.\n")
