"""Doubles that run in worker processes, which import this module anew: the name of a file says what it does to its process."""

import errno
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from extractor.documents import PageLimits
from extractor.documents.isolated_check import CheckHandler
from extractor.errors import ConfigError, InputError
from extractor.extraction.isolated import IsolatedReading, LoadedExtraction
from extractor.jobs import Extracted, Source
from extractor.testing import make_record, make_source

logger = logging.getLogger("extractor.unruly")


def misbehave(path: Path) -> None:
    """Does what the first word of the file's name says; most words mean nothing bad."""
    match path.name.split("-")[0]:
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(3)
        case "hang":
            time.sleep(600)
        case "spin":
            path.write_text(str(os.getpid()))
            sum(range(10**12))  # native code that handles no signal
        case "eat":
            eaten = b"x" * 700_000_000
            time.sleep(600)
            del eaten
        case "refused" | "bug" as word:
            raise {"refused": MemoryError, "bug": ZeroDivisionError}[word]("somewhere deep")
        case "unlucky":
            if not path.exists():
                path.write_text("was here")
                os._exit(3)
        case "meet":
            path.write_text("here")
            while len(list(path.parent.glob("meet-*"))) < 2:
                time.sleep(0.01)
        case _:
            pass


def extract(sources: Sequence[Source], upcoming: Sequence[Source] = ()) -> list[Extracted]:
    """Records that say by `model` which process has read them."""
    for source in upcoming:
        source.path.with_name(f"announced-{source.name}").touch()
    for source in sources:
        logger.debug("contents", extra={"text": source.name})
        if source.name.startswith("patient"):
            await_announced(source.path)
        misbehave(source.path)
    return [(make_record(source, model=str(os.getpid())),) for source in sources]


def await_announced(path: Path) -> None:
    """Returns when another file was announced."""
    deadline = time.monotonic() + 30
    while not any(path.parents[1].rglob("announced-*")):
        if time.monotonic() > deadline:
            raise TimeoutError("nothing was announced")
        time.sleep(0.01)


def load(*, reads_together: bool = False) -> LoadedExtraction:
    return LoadedExtraction(extract, reads_together)


def load_unless(obstacle: Path) -> LoadedExtraction:
    """Cannot work while the obstacle is there."""
    if obstacle.exists():
        raise ConfigError(f"{obstacle} is in the way. Remove it.")
    return load()


def load_sabotaged(obstacle: Path) -> LoadedExtraction:
    """Reads batches together; the first one puts the obstacle in the way of all later workers, and ends its own."""

    def sabotaged(sources: Sequence[Source], upcoming: Sequence[Source] = ()) -> list[Extracted]:
        if not obstacle.with_name("sabotaged").exists():
            obstacle.with_name("sabotaged").touch()
            obstacle.touch()
            os._exit(3)
        return extract(sources, upcoming)

    load_unless(obstacle)
    return LoadedExtraction(sabotaged, reads_together=True)


@dataclass(frozen=True)
class Made:
    """What `UnrulyPreparer` makes of a source.

    Attributes:
        process: Which process has made it.
    """

    name: str
    process: int
    size_bytes: int = 10


class UnrulyPreparer:
    """Makes something of every source, unless its name says otherwise, and notes beside it how often."""

    greeting = None

    def __init__(self, obstacle: Path | None = None) -> None:
        if obstacle is not None:
            load_unless(obstacle)

    def __call__(self, source: Source, /) -> Made:
        misbehave(source.path)
        with source.path.with_name(f"made-{source.name}").open("a") as file:
            file.write("x")
        return Made(source.name, os.getpid())


class UnrulyCheck:
    """Accepts every file, unless its name says otherwise."""

    greeting = None

    def __call__(self, path: Path, /) -> None:
        misbehave(path)


class TemptedCheck(CheckHandler):
    """The real check with its limits; tries to do what a decoder never should."""

    def __init__(self) -> None:
        super().__init__(PageLimits())

    def __call__(self, path: Path, /) -> None:
        try:
            self._yield_to_temptation(path)
        except OSError as error:
            raise InputError(f"{path.name}: {errno.errorcode[error.errno or 0]}") from error

    def _yield_to_temptation(self, path: Path) -> None:
        match path.stem:
            case "write":
                path.with_name("written").write_bytes(b"x" * 10_000)
            case "open":
                _ = [path.open("rb") for _ in range(100)]
            case "allocate":
                bytearray(3_000_000_000)
            case _:
                super().__call__(path)


@contextmanager
def no_descriptors(spare: int = 0) -> Iterator[None]:
    """This process can open no more than so many files, sockets or pipes; those that are open stay so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = [os.open(os.devnull, os.O_RDONLY) for _ in range(spare + 1)]
    for descriptor in free:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[-1], hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def main() -> None:
    """A program that reads the file in its arguments and nothing else: `python -c "from tests.unruly import main; main()" FILE`."""
    path = Path(sys.argv[1])
    IsolatedReading(partial(load))([make_source(path.name, path=path)])
