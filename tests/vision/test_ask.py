"""Free questions about an image."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the vision extra is not installed")

from extractor.cli.ask import answer, ask
from extractor.cli.common_options import Invocation
from extractor.errors import ConfigError, ReaderRefused
from extractor.readers.vision.conversation import Conversation
from tests.vision.conftest import picture

if TYPE_CHECKING:
    from extractor.readers.vision.mllama import MllamaEngine

pytestmark = pytest.mark.vision

MakeEngine = Callable[..., "MllamaEngine"]


def talk(conversation: Conversation, *questions: str) -> list[str]:
    said = []
    for question in questions:
        heard: list[str] = []
        conversation.ask(question, heard.append)
        said.append("".join(heard))
    return said


def test_an_answer_rests_on_all_that_was_said(make_engine: MakeEngine) -> None:
    """The same question has another answer later in a conversation, and the image is the same all along."""
    first, second = talk(Conversation(make_engine(), picture(40, 60, 1), max_tokens=12), "What is it?", "What is it?")
    assert first != second
    assert talk(Conversation(make_engine(), picture(40, 60, 1), max_tokens=12), "What is it?") == [first]
    assert talk(Conversation(make_engine(), picture(40, 60, 2), max_tokens=12), "What is it?") != [first]


def test_ctrl_c_ends_the_answer_and_only_it(make_engine: MakeEngine) -> None:
    """What was said stays in the conversation, and the next question is answered."""
    conversation = Conversation(make_engine(), picture(40, 60, 1), max_tokens=30)
    heard: list[str] = []

    def interrupt(text: str) -> None:
        heard.append(text)
        if len(heard) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        conversation.ask("What is it?", interrupt)
    assert conversation.turns == ["What is it?", "".join(heard)]
    assert talk(conversation, "Go on.")[0]


def test_a_broken_off_answer_ends_its_line(make_engine: MakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    """An answer that reached its limit says so on stderr; stdout holds the answer alone."""
    answer(Conversation(make_engine(), picture(40, 60, 1), max_tokens=5), "What is it?")
    out, err = capsys.readouterr()
    assert out.endswith("\n")
    assert "vision.max_tokens" in err


def test_a_conversation_too_long_for_memory_is_refused(make_engine: MakeEngine) -> None:
    conversation = Conversation(make_engine(max_rows=1, max_tokens=20), picture(40, 60, 1), max_tokens=20)
    with pytest.raises(ReaderRefused, match="max_tokens"):
        talk(conversation, "word " * 2000)


@pytest.fixture
def command(mllama_folder: Path, tmp_path: Path) -> Callable[..., Any]:
    """Runs the command with a tiny model."""
    config = tmp_path / "receipts.toml"
    config.write_text(f'[vision]\nmodel = "{mllama_folder}"\ndevice = "cpu"\nmax_rows = 1\nmax_tokens = 12\noffline = true\n')
    app = typer.Typer()
    app.command()(ask)
    return lambda *arguments, **options: CliRunner().invoke(app, list(arguments), obj=Invocation(config=config), **options)


def test_one_question(command: Callable[..., Any], draw: Callable[..., Path], tmp_path: Path) -> None:
    """stdout is the answer; what else there is to say goes to stderr."""
    done = command(str(draw(tmp_path / "photo.png", "a watch")), "What time is it?")
    assert done.exit_code == 0, done.output
    assert done.stdout.strip()
    assert "Loading" not in done.stdout


def test_chat_reads_questions_until_the_end(command: Callable[..., Any], draw: Callable[..., Path], tmp_path: Path) -> None:
    """Blank lines are no questions."""
    done = command(str(draw(tmp_path / "photo.png", "a watch")), "--chat", input="What is it?\n\nAnd now?\n")
    assert done.exit_code == 0, done.output
    assert done.stderr.count("vision.max_tokens") == 2


def test_a_question_is_needed(command: Callable[..., Any], draw: Callable[..., Path], tmp_path: Path) -> None:
    done = command(str(draw(tmp_path / "photo.png")))
    assert isinstance(done.exception, ConfigError)
