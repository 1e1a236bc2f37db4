"""Checks of the installation: each diagnosis is a fact and, if something is wrong, what to do."""

import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from extractor.config.settings import Settings
from extractor.documents import Page
from extractor.errors import ExtractorError
from extractor.ocr.engines.tesseract import PACKAGE, LineRecogniser
from extractor.ocr.scripts import LATIN, SCRIPTS
from extractor.ocr.selection import build_page_reader
from extractor.storage.database.connection import HEAD
from extractor.storage.files.outbox import Outbox

# A warning below the first; below the second a few dozen photos no longer fit.
LOW_BYTES = 1_000_000_000
FULL_BYTES = 100_000_000
# The first with RETURNING, by which jobs are claimed. Source: https://www.sqlite.org/lang_returning.html
OLDEST_SQLITE = (3, 35, 0)
# File systems on which the kernel reports no changes made by other machines.
NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "fuse.rclone", "vboxsf"})
# What the OCR engines must read in a test image.
TEST_TEXT = "TOTAL 12.50"


class Level(StrEnum):
    """Severity of a diagnosis."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Diagnosis:
    """The result of one check.

    Attributes:
        name: What was checked, such as `inbox`.
        fact: What was found.
        advice: What to do; empty if all is well.
    """

    name: str
    level: Level
    fact: str
    advice: str = ""


def examine(settings: Settings) -> Iterator[Diagnosis]:
    """Run all checks, and yield each diagnosis as soon as it is known. Leaves nothing behind on the disk."""
    yield _sqlite_library()
    for name, folder in (("inbox", settings.inbox_dir), ("outbox", settings.outbox_dir), ("database folder", settings.database.parent)):
        yield _folder(name, folder)
        if folder.is_dir():
            yield _disk(name, folder)
    if settings.outbox_dir.is_dir() and settings.database.exists() and not Outbox(settings.outbox_dir).is_available:
        yield Diagnosis(
            "outbox", Level.FAIL, f"{settings.outbox_dir} is not the outbox of this database", "Mount its volume, or: receipts init"
        )
    yield _database(settings.database)
    yield _events(settings)
    yield _ocr(settings)
    yield _scripts()
    yield _weights()
    gpu = _gpu()
    yield gpu
    if importlib.util.find_spec("torch") and (gpu.level is Level.OK or settings.vision.device == "cpu"):
        yield _vision(settings)


def _sqlite_library() -> Diagnosis:
    level = Level.OK if sqlite3.sqlite_version_info >= OLDEST_SQLITE else Level.FAIL
    return Diagnosis(
        "sqlite",
        level,
        f"SQLite {sqlite3.sqlite_version}, Python {sys.version.split()[0]}",
        "" if level is Level.OK else "Use a Python whose SQLite is 3.35 or newer.",
    )


def _folder(name: str, folder: Path) -> Diagnosis:
    """Whether a file can be written to the folder. One is written, synced and removed, since permissions alone do not tell."""
    if not folder.is_dir():
        return Diagnosis(name, Level.FAIL, f"{folder} does not exist", "Create it with: receipts init")
    probe = folder / f".doctor-{uuid.uuid4().hex}.part"
    try:
        with probe.open("xb") as file:
            file.write(b"probe")
            file.flush()
            os.fsync(file.fileno())
        next(folder.iterdir())
    except OSError as error:
        return Diagnosis(
            name, Level.FAIL, f"{folder} cannot be written: {error.strerror}", "Give this user permission to read and write it."
        )
    finally:
        probe.unlink(missing_ok=True)
    return Diagnosis(name, Level.OK, f"{folder} can be written")


def _disk(name: str, folder: Path) -> Diagnosis:
    free = shutil.disk_usage(folder).free
    level = Level.OK if free >= LOW_BYTES else Level.WARN if free >= FULL_BYTES else Level.FAIL
    return Diagnosis(
        f"{name} disk",
        level,
        f"{free / 1e9:.1f} GB free",
        "" if level is Level.OK else "Free space; receipts wait in the inbox while it is full.",
    )


def _database(path: Path) -> Diagnosis:
    """Whether the database is intact and has the tables of this version. Opens it read-only."""
    if not path.exists():
        return Diagnosis("database", Level.WARN, f"{path} does not exist yet", "Create it with: receipts init")
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10)) as connection:
            damage = connection.execute("PRAGMA integrity_check").fetchone()[0]
            version = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        return Diagnosis(
            "database",
            Level.FAIL,
            f"{path} cannot be read: {error}",
            "Stop the process that locks it, or replace it: receipts restore BACKUP",
        )
    if damage != "ok":
        return Diagnosis(
            "database",
            Level.FAIL,
            f"{path} is damaged: {damage}",
            "Replace it with a backup: receipts restore BACKUP. The outbox has every record as JSON.",
        )
    if version is None or version[0] != HEAD:
        return Diagnosis("database", Level.FAIL, f"{path} has the tables of another version", "Migrate it with: receipts init")
    return Diagnosis("database", Level.OK, f"{path} is intact, version {version[0]}")


def _events(settings: Settings) -> Diagnosis:
    """Whether the kernel reports new files, and how many folders may be watched."""
    if settings.inbox.poll:
        return Diagnosis("events", Level.OK, f"not used: the inbox is listed every {settings.inbox.poll_seconds:g} s")
    kind = _file_system(settings.inbox_dir)
    if kind in NETWORK_FILE_SYSTEMS:
        return Diagnosis(
            "events",
            Level.WARN,
            f"the inbox is on {kind}, which reports no changes by other machines",
            "Set inbox.poll = true, or watch with --poll.",
        )
    limit = Path("/proc/sys/fs/inotify/max_user_watches")
    if not limit.exists():
        return Diagnosis("events", Level.OK, "file events of this operating system")
    allowed = int(limit.read_text())
    needed = 1 + sum(len(folders) for _, folders, _ in os.walk(settings.inbox_dir))
    if needed * 2 > allowed:
        fact = f"{needed} folders to watch, {allowed} allowed by the kernel"
        return Diagnosis("events", Level.WARN, fact, "Raise fs.inotify.max_user_watches with sysctl, or set inbox.poll = true.")
    return Diagnosis("events", Level.OK, f"inotify, up to {allowed} folders")


def _file_system(folder: Path) -> str:
    """Type of the file system that a folder is on; empty if the operating system does not report it."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return ""
    rows = (line.split() for line in mounts.read_text(errors="replace").splitlines())
    kinds = {Path(row[1].replace("\\040", " ")): row[2] for row in rows}
    return next((kinds[place] for place in (folder, *folder.parents) if place in kinds), "")


def _ocr(settings: Settings) -> Diagnosis:
    """Whether the OCR engine loads and reads a test image."""
    image = Image.new("RGB", (600, 160), "white")
    ImageDraw.Draw(image).text((40, 40), TEST_TEXT, fill="black", font=ImageFont.load_default(size=64))
    started = time.monotonic()
    try:
        page_reader = build_page_reader(settings.reader.ocr_engine, threads=settings.reader.threads)
        _, transcript = page_reader.read(Page(image))
    except ExtractorError as error:
        return Diagnosis("ocr", Level.FAIL, str(error))
    seconds = time.monotonic() - started
    if "".join(TEST_TEXT.split()) not in "".join(transcript.text.split()):
        advice = "Set another engine in reader.ocr_engine, or reinstall the package."
        return Diagnosis("ocr", Level.FAIL, f"{transcript.engine} reads {TEST_TEXT!r} as {transcript.text!r}", advice)
    return Diagnosis("ocr", Level.OK, f"{transcript.engine} loads and reads in {seconds:.1f} s")


def _scripts() -> Diagnosis:
    """Whether receipts in other scripts can be read."""
    names = "Cyrillic, Greek and Thai"
    if not importlib.util.find_spec(PACKAGE):
        advice = f"If you have receipts in these scripts: pip install {PACKAGE}"
        return Diagnosis("scripts", Level.WARN, f"{names} are read as Latin: {PACKAGE} is not installed", advice)
    image = Image.new("L", (300, 60), "white")
    ImageDraw.Draw(image).text((10, 5), TEST_TEXT, fill="black", font=ImageFont.load_default(size=40))
    try:
        for language in (*(name for script in SCRIPTS for name in script.languages), LATIN):
            text = LineRecogniser(language).read(image).text
    except ExtractorError as error:
        return Diagnosis("scripts", Level.FAIL, str(error), "Reinstall the package: it is incomplete.")
    if text != TEST_TEXT:
        return Diagnosis("scripts", Level.FAIL, f"Tesseract reads {TEST_TEXT!r} as {text!r}", f"Reinstall {PACKAGE}.")
    return Diagnosis("scripts", Level.OK, f"{names} are read by Tesseract")


def _weights() -> Diagnosis:
    """Whether the field models that ship with the package are complete."""
    advice = "Reinstall the package: it is incomplete."
    sizes: dict[str, int] = {}
    try:
        for path in files("extractor.readers.rules").joinpath("weights").iterdir():
            data = path.read_bytes()
            json.loads(data)
            sizes[path.name] = len(data)
    except (OSError, ValueError) as error:
        return Diagnosis("weights", Level.FAIL, f"the field models cannot be read: {error}", advice)
    if not sizes:
        return Diagnosis("weights", Level.FAIL, "the field models are missing", advice)
    return Diagnosis("weights", Level.OK, f"field models {', '.join(sorted(sizes))}, {sum(sizes.values()) / 1000:.0f} kB")


def _gpu() -> Diagnosis:
    """Whether torch finds a GPU."""
    if importlib.util.find_spec("torch") is None:
        return Diagnosis("gpu", Level.OK, "not used: torch is not installed; the ocr reader does not need it")
    try:
        name = _run_python("import torch; print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else '')")
    except (subprocess.SubprocessError, OSError) as error:
        advice = "Reinstall torch for this machine's driver. The ocr reader works without it."
        return Diagnosis("gpu", Level.WARN, f"torch does not load: {error}", advice)
    if not name:
        advice = "Check the driver with nvidia-smi. The ocr reader works without it."
        return Diagnosis("gpu", Level.WARN, "torch is installed but finds no CUDA device", advice)
    return Diagnosis("gpu", Level.OK, name)


_PLAN = """
import json, sys
from extractor.errors import ExtractorError
from extractor.readers.vision.model_loading import planned
from extractor.readers.vision.model_options import VisionOptions
try:
    choice = planned(VisionOptions(**json.loads(sys.argv[1])))
    print(f"{choice.model} would be loaded with {choice.precision.removesuffix('bit')} bits ({choice.why})")
except ExtractorError as error:
    print(f"no weights can be loaded now: {error}")
"""


def _vision(settings: Settings) -> Diagnosis:
    """Which weights of the vision model would be loaded now, and why. Downloads nothing."""
    options = settings.vision.model_dump() | {"offline": True}
    try:
        fact = _run_python(_PLAN, json.dumps(options))
    except (subprocess.SubprocessError, OSError) as error:
        advice = "Reinstall it: pip install '.[vision]' in the source code's folder. The ocr reader works without it."
        return Diagnosis("vision", Level.WARN, f"the vision reader does not load: {error}", advice)
    if " would be loaded with " in fact:
        return Diagnosis("vision", Level.OK, fact)
    advice = (
        "The vision reader downloads what is missing when it starts." if not settings.vision.offline else "Set vision.model or precision."
    )
    return Diagnosis("vision", Level.WARN if settings.reader.name == "vision" else Level.OK, fact, advice)


def _run_python(program: str, *arguments: str) -> str:
    """What a Python program prints, in a process of its own: torch is slow to load, and a broken driver may kill the process."""
    done = subprocess.run(  # noqa: S603  # our own interpreter and constants
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout.strip()
