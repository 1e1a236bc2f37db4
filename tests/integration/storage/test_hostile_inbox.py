"""A folder full of files that mean harm goes through the real inbox, check, job queue and outbox."""

import io
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from extractor.cli.display import job_table, record_page, record_table
from extractor.config.settings import InboxSettings, LimitSettings, Settings
from extractor.jobs import JobState, Source
from extractor.runtime.filenames import printable
from extractor.runtime.logs import TextFormatter
from extractor.schemas.receipt import Item
from extractor.schemas.record import Record
from extractor.service.app import build_service
from extractor.storage.archive import Archive
from extractor.testing import ScriptedExtraction, make_record
from tests.hostile import flated, gif, laughing_pdf, one_page, picture_pdf, plain_tags, png, stream, tiff

LIMITS = LimitSettings(max_bytes=3_000_000, max_pages=5, max_pixels=2_000_000)
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u2066\u2028\n=cmd|' /C calc'!A0 <script>alert(1)</script> \0 end"

# A page that draws a form that draws itself twice: opening it can fill any memory.
SELF_DRAWING = one_page(
    stream(b"/F Do"),
    stream(b"/F Do /F Do", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</F 5 0 R>>>>"),
    page=b"/Resources<</XObject<</F 5 0 R>>>>",
)

NAMES = (
    "-rf.png",
    "--help.png",
    "two\nlines.png",
    "\x1b[2J\x07bell.png",
    "gpj.\u202egnp.png",
    "CON.png",
    "nul",
    "Lunch.png",
    "lunch.png",
    "LUNCH.PNG",
    "a'b\"c;$(touch owned)`x`&|.png",
    "%s%n{}.png",
    "é" * 125 + ".png",
    "x" * 251 + ".png",
    "\N{RECEIPT}\u200d\ufeff.png",
    "file.png.error.json",
    "file.json",
    " .png",
    os.fsdecode(b"latin\xe9.png"),
    os.fsdecode(b"\xff\xfe"),
)

FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "empty.jpg": ("failed", lambda: b""),
    "svg.jpg": ("failed", lambda: b"<svg onload=alert(1)>"),
    "html.png": ("failed", lambda: b"<!doctype html><script>alert(1)</script>"),
    "archive.pdf": ("failed", lambda: b"PK\x03\x04" + one_page(stream(b""))),
    "bomb.png": ("failed", lambda: png(30_000, 30_000, bits=1, colour=0, rows=9)),
    "frames.gif": ("failed", lambda: gif(9, 9, 5000)),
    "claims.tif": ("failed", lambda: tiff([plain_tags(0xFFFFFFFF, 0xFFFFFFFF)], body=b"x")),
    "picture.pdf": ("failed", lambda: picture_pdf(30_000, 30_000, b"x")),
    "itself.pdf": ("failed", lambda: SELF_DRAWING),
    "circle.tif": ("done", lambda: tiff([plain_tags(3, 3, strip_bytes=9)] * 2, body=bytes(9), following=[1, 0])),
    "nested.pdf": ("done", lambda: one_page(flated(b"0 0 m 9 9 l S", 8))),
    "forms.pdf": ("done", lambda: laughing_pdf(3, 3)),
    "script.pdf": ("done", lambda: one_page(stream(b""), b"<</S/JavaScript/JS(app.alert(1))>>", catalog=b"/OpenAction 5 0 R")),
    "deep/er/than/usual/ok.png": ("done", lambda: png(7, 7)),
}


def says_evil(source: Source) -> Record:
    """What a reader might have read on the worst of receipts."""
    return make_record(
        source,
        merchant_name=ESCAPES,
        merchant_address=ESCAPES,
        receipt_number=ESCAPES,
        items=(Item(description=ESCAPES, unit_of_measure=ESCAPES),),
        ocr_text=ESCAPES * 50,
    )


@contextmanager
def log_lines() -> Iterator[io.StringIO]:
    """What the service logs, as it would stand on stderr."""
    handler = logging.StreamHandler(stream := io.StringIO())
    handler.setFormatter(TextFormatter())
    logger = logging.getLogger("extractor")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(before)


def shown(*tables: object) -> str:
    out = io.StringIO()
    Console(width=300, file=out, markup=False, highlight=False, emoji=False).print(*tables)
    return out.getvalue()


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in (folder, *folder.rglob("*"))
    }


# What is no regular file, or enormous: rejected by name, and neither opened nor moved.
LEFT = ["disk.img", "endless", "link.png", "linked folder", "pipe.png"]


def drop_everything(inbox: Path, outside: Path) -> dict[str, str]:
    """The state that each regular file should end in, by its printable name; `outside` is what the links lead to."""
    expected: dict[str, str] = {}
    for number, name in enumerate(NAMES, 10):
        (inbox / name).write_bytes(png(number, 9))
        expected[printable(name)] = "done"
    for name, (state, make) in FILES.items():
        (inbox / name).parent.mkdir(parents=True, exist_ok=True)
        (inbox / name).write_bytes(make())
        expected[Path(name).name] = state
    (inbox / "hard.png").hardlink_to(outside / "secret.png")
    (inbox / "zz twin.png").write_bytes(png(10, 9))
    with (inbox / "sparse.png").open("wb") as file:
        file.truncate(20_000_000)
    with (inbox / "disk.img").open("wb") as file:
        file.truncate(10**12)
    (inbox / "link.png").symlink_to(outside / "secret.png")
    (inbox / "linked folder").symlink_to(outside)
    (inbox / "endless").symlink_to(inbox)
    os.mkfifo(inbox / "pipe.png")
    (inbox / "folder.png").mkdir()
    return expected | {"hard.png": "done", "zz twin.png": "duplicate", "sparse.png": "failed"}


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Archive, dict[str, str], str]]:
    """What is filed when the service has worked off everything, what should have become of each file, and the log. Tests only look."""
    folder, outside = tmp_path_factory.mktemp("hostile"), tmp_path_factory.mktemp("outside")
    settings = Settings(
        inbox_dir=folder / "inbox",
        outbox_dir=folder / "outbox",
        database=folder / "receipts.db",
        inbox=InboxSettings(settle_seconds=0, patience_seconds=0.01),
        limits=LIMITS,
    )
    settings.inbox_dir.mkdir()
    (outside / "sub").mkdir()
    (outside / "secret.png").write_bytes(png(5, 5))
    before = snapshot(outside)
    expected = drop_everything(settings.inbox_dir, outside)
    linked = snapshot(outside)
    with log_lines() as lines:
        built = build_service(settings, extract=ScriptedExtraction(says_evil))
        built.run_once()
    assert snapshot(outside) == linked
    assert before.keys() == linked.keys()
    yield built.archive, expected, lines.getvalue()
    built.archive.close()


def test_every_hostile_file_ends_in_one_visible_state(worked: tuple[Archive, dict[str, str], str]) -> None:
    """Whatever is dropped is filed, failed or refused, each file once, and nothing else is in the inbox or touched outside."""
    archive, expected, log = worked
    jobs = archive.job_queue.jobs()
    regular = [job for job in jobs if job.sha256]

    assert {job.name: job.state.value for job in regular} == expected
    assert len({job.filed_as for job in regular}) == len(regular) == len(expected)
    assert all((archive.outbox.root / (job.filed_as or "")).is_file() for job in regular)
    assert sorted(job.name for job in jobs if not job.sha256) == LEFT
    assert {job.state for job in jobs if not job.sha256} == {JobState.FAILED}
    assert sorted(path.name for path in archive.settings.inbox_dir.iterdir() if path.is_symlink() or not path.is_dir()) == LEFT
    assert not Path("owned").exists()
    assert all(line.isprintable() and line.startswith("20") for line in log.split("\n") if line)


def test_what_is_filed_about_hostile_files_is_harmless(worked: tuple[Archive, dict[str, str], str]) -> None:
    """Names in the outbox are printable, every JSON file is valid UTF-8, and no table steers the terminal."""
    archive, _, _ = worked
    filed = [path for path in archive.outbox.root.rglob("*") if path.is_file()]
    assert all(str(path.relative_to(archive.outbox.root)).isprintable() for path in filed)
    notices = [json.loads(path.read_bytes().decode("utf-8")) for path in filed if path.suffix == ".json"]
    assert len(notices) == len(archive.job_queue.jobs())
    assert all(notice["receipt_id"] and json.dumps(notice, ensure_ascii=False).encode("utf-8") for notice in notices)

    records = list(archive.receipts.list())
    tables = record_table(({}, record) for record in records), job_table(archive.job_queue.jobs()), record_page(records[0])
    for text in map(shown, tables):
        assert not {"\x1b", "\x07", "\x9b", "\0", "\u2028", "\u202e", "\u2066"} & set(text)
    assert {record.merchant_name for record in archive.receipts.search("script alert")} == {ESCAPES}
