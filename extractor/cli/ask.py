"""The command that asks the vision model free questions about an image."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from extractor.cli.terminal import safe

if TYPE_CHECKING:
    from extractor.readers.vision.conversation import Conversation


def ask(
    context: typer.Context,
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="An image or PDF, of a receipt or of anything else.", show_default=False)],
    question: Annotated[str | None, typer.Argument(metavar="QUESTION", help="What to ask.", show_default=False)] = None,
    *,
    chat: Annotated[bool, typer.Option("--chat", help="Read further questions from stdin; each may refer to earlier answers.")] = False,
    page: Annotated[int, typer.Option("--page", min=1, help="Page of a PDF.")] = 1,
) -> None:
    """Ask the vision model about an image. The answer is printed as it is generated; Ctrl-C ends it."""
    from extractor.documents import PageLimits, load_pages
    from extractor.errors import ConfigError, InputError  # not needed for --help
    from extractor.readers.vision.conversation import Conversation
    from extractor.readers.vision.model_options import VisionOptions
    from extractor.readers.vision.vision_reader import load_engine

    if question is None and not chat:
        raise ConfigError('No question. Give one, as in: receipts ask photo.jpg "What is this?", or use --chat.')
    settings = context.obj.settings()
    pages = load_pages(image, PageLimits(**settings.limits.model_dump()))
    if page > len(pages):
        raise InputError(f"{image} has no page {page}; its last page is {len(pages)}.")
    typer.echo(f"Loading {safe(settings.vision.model)} ...", err=True)
    engine, _ = load_engine(VisionOptions(**settings.vision.model_dump()))
    conversation = Conversation(engine, pages[page - 1].image, max_tokens=settings.vision.max_tokens)
    try:
        for asked in _questions(question, chat=chat):
            answer(conversation, asked)
    finally:
        conversation.close()


def answer(conversation: "Conversation", question: str) -> None:
    """Write an answer to stdout as it is generated; Ctrl-C ends the answer, not the program."""
    try:
        is_whole = conversation.ask(question, _write)
    except KeyboardInterrupt:
        is_whole = True  # the user knows that it was interrupted
    typer.echo()
    if not is_whole:
        typer.echo("The answer reached its limit (vision.max_tokens). With --chat you can ask the model to continue.", err=True)


def _questions(first: str | None, *, chat: bool) -> Iterator[str]:
    """The question given, then in a chat those read from stdin, until its end (Ctrl-D)."""
    if first is not None:
        yield first
    while chat:
        if sys.stdin.isatty():
            typer.echo("> ", nl=False, err=True)
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            line = ""
        if not line:
            return
        if line.strip():
            yield line.strip()


def _write(text: str) -> None:
    """Write generated text line by line, with terminal control characters replaced."""
    typer.echo("\n".join(safe(line) for line in text.split("\n")), nl=False)
