"""Everything that a program does to some folders, as a list of events; and what a power cut, or a kill, may leave of it.

The model of a power cut, which every journalling file system keeps:

- A file's bytes are sure as they were when it was last synced. Written to since then, it holds the old bytes, the new ones, a part of
  them, nothing or garbage.
- A name that was made, changed or removed is sure when its folder was synced since then. Otherwise each such change may have come to the
  disk or not, alone, but for two bonds: changes of one name keep their order, and a rename happens as a whole, also between two folders.
- Where something inside a folder was synced, the folder itself and those above it are sure.
- Transactions of the database are lost from the newest backwards, never the last durable one or one before it: what SQLite promises
  for a write-ahead log that is synced at commits with `synchronous = FULL` and only then.
- What users put into the inbox, or take out of it, is on the disk at once.

A kill leaves everything as it is; a file that was being written holds a part of its bytes.
"""

import io
import os
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from errno import EXDEV
from pathlib import Path
from typing import Any, Literal

Kind = Literal["create", "write", "sync file", "sync folder", "rename", "link", "unlink", "mkdir", "rmdir", "put", "take", "commit"]

NAMES: frozenset[Kind] = frozenset({"create", "rename", "link", "unlink", "mkdir", "rmdir", "put", "take"})
"""Events that change names."""


@dataclass(frozen=True)
class Event:
    """One change or sync.

    Attributes:
        path: Relative to the root that is recorded; `.` where it is about no file.
        target: Of a rename or link.
        data: The file's bytes after a write or sync; the database after a commit.
        is_durable: Of a commit.
    """

    kind: Kind
    path: Path = Path()
    target: Path | None = None
    data: bytes = b""
    is_durable: bool = True

    @property
    def names(self) -> tuple[Path, ...]:
        """Those that the event changes."""
        return () if self.kind not in NAMES else (self.path,) if self.target is None else (self.path, self.target)


@dataclass
class File:
    """One file's bytes, whatever its names are.

    Attributes:
        sure: As last synced; `None` where it never was.
        written: What has been written since the sync; `None` where that was nothing.
    """

    sure: bytes | None = None
    written: bytes | None = None

    @property
    def now(self) -> bytes:
        """Its bytes as programs see them."""
        return (self.sure or b"") if self.written is None else self.written

    def after_power_cut(self, rng: random.Random) -> bytes:
        """One of the contents that it may have then."""
        if self.written is None:
            return self.sure or b""
        part = self.written[: rng.randrange(len(self.written) + 1)]
        return rng.choice([self.sure or b"", self.written, part, b"", b"\0" * len(self.written), rng.randbytes(len(self.written) or 7)])


@dataclass
class Tree:
    """Folders and files by name, relative to the root, and the database."""

    folders: set[Path] = field(default_factory=set)
    files: dict[Path, File] = field(default_factory=dict)
    database: bytes = b""

    def apply(self, event: Event, new: File) -> None:
        """Changes the names as the event did; `new` is the file where it makes one."""
        match event.kind:
            case "create" | "put":
                self.files[event.path] = new
                self.folders |= set(event.path.parents)
            case "rename":
                self.files[event.target or Path()] = self.files.pop(event.path)
            case "link":
                self.files[event.target or Path()] = self.files[event.path]
            case "unlink" | "take":
                self.files.pop(event.path, None)
            case "mkdir":
                self.folders.add(event.path)
            case "rmdir":
                self.folders.discard(event.path)

    def names(self) -> Iterator[tuple[Path, File, Path | None]]:
        """Every name with its file, and with the file's first name if it has another one before."""
        first: dict[int, Path] = {}
        for path, file in self.files.items():
            yield path, file, first.get(id(file))
            first.setdefault(id(file), path)

    def make(self, root: Path) -> None:
        """Makes all of it below `root`, and the database as `receipts.db` there."""
        for folder in sorted(self.folders):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for path, file, other in self.names():
            if other:
                os.link(root / other, root / path)
            else:
                (root / path).write_bytes(file.now)
        (root / "receipts.db").write_bytes(self.database)


class Recorder:
    """A context manager that notes what this process does below `root`/inbox and `root`/outbox, and passes it on.

    Args:
        past: Events before: the folders are as these have left them.
        is_split: Whether inbox and outbox are on two volumes: nothing can be renamed from one to the other.
        fault: Called before each change and sync with the path; raises what the system is to say instead of doing it.
    """

    def __init__(
        self, root: Path, past: Sequence[Event] = (), *, is_split: bool = False, fault: Callable[[Path], None] = lambda _: None
    ) -> None:
        self.root = root
        self.events = list(past)
        self._is_split = is_split
        self._fault = fault
        self._undo: list[Callable[[], None]] = []
        self._is_paused = False

    def __enter__(self) -> "Recorder":
        for name in ("mkdir", "rmdir", "unlink", "remove"):
            self._wrap(os, name, self._one_name("unlink" if name == "remove" else name))  # type: ignore[arg-type]
        for name in ("rename", "replace", "link"):
            self._wrap(os, name, self._two_names("rename" if name == "replace" else name))  # type: ignore[arg-type]
        self._wrap(os, "fsync", self._fsync)
        self._wrap(io, "open", self._open)
        return self

    def __exit__(self, *_: object) -> None:
        while self._undo:
            self._undo.pop()()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What happens inside is not the program's doing; whoever does it notes it."""
        self._is_paused = True
        try:
            yield
        finally:
            self._is_paused = False

    def note(self, event: Event) -> None:
        """Adds an event."""
        self.events.append(event)

    def relative(self, path: Any, dir_fd: int | None = None) -> Path | None:
        """The path below the root; `None` where it is none of ours."""
        if isinstance(path, int):
            path = Path(f"/proc/self/fd/{path}").readlink()
        full = (Path() if dir_fd is None else Path(f"/proc/self/fd/{dir_fd}").readlink()) / os.fsdecode(path)
        if self._is_paused or not full.is_relative_to(self.root):
            return None
        relative = full.relative_to(self.root)
        return relative if relative.parts and relative.parts[0] in {"inbox", "outbox"} else None

    def _may_fail(self, relative: Path | None) -> None:
        if relative:
            self._fault(relative)

    def _wrap(self, module: Any, name: str, wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        original = getattr(module, name)
        setattr(module, name, wrapper(original))
        self._undo.append(lambda: setattr(module, name, original))

    def _one_name(self, kind: Kind) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def wrapper(original: Callable[..., Any]) -> Callable[..., Any]:
            def call(path: Any, *rest: Any, dir_fd: int | None = None, **options: Any) -> None:
                self._may_fail(self.relative(path, dir_fd))
                original(path, *rest, **options, **({} if dir_fd is None else {"dir_fd": dir_fd}))
                if relative := self.relative(path, dir_fd):
                    self.note(Event(kind, relative))

            return call

        return wrapper

    def _two_names(self, kind: Kind) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def wrapper(original: Callable[..., Any]) -> Callable[..., Any]:
            def call(source: Any, target: Any, **options: Any) -> None:
                old, new = self.relative(source), self.relative(target)
                if self._is_split and old and new and old.parts[0] != new.parts[0]:
                    raise OSError(EXDEV, os.strerror(EXDEV), os.fspath(source))
                self._may_fail(old or new)
                original(source, target, **options)
                if old and new:
                    self.note(Event(kind, old, new))

            return call

        return wrapper

    def _fsync(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(descriptor: int) -> None:
            self._may_fail(self.relative(descriptor))
            original(descriptor)
            if relative := self.relative(descriptor):
                path = self.root / relative
                self.note(Event("sync folder", relative) if path.is_dir() else Event("sync file", relative, data=path.read_bytes()))

        return call

    def _open(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
            relative = None if set(mode) <= set("rbt") or isinstance(path, int) else self.relative(path)
            self._may_fail(relative)
            is_new = relative is not None and not os.path.lexists(path)
            file = original(path, mode, *rest, **options)
            if relative:
                self.note(Event("create" if is_new else "write", relative))
            return file

        return call


class History:
    """All that happened, and what may be left of it when it stops after so many events (`at`)."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        _, self._files = _replay(events)
        self._needs = _needs(events)
        self._sure_since = _sure_since(events, self._needs)

    def after_kill(self, at: int, rng: random.Random) -> tuple[Tree, list[Event]]:
        """What is there, and the events that have led to it, to go on from."""
        tree, files = _replay(self.events[:at])
        past = list(self.events[:at])
        for path, file in tree.files.items():
            if file.written == b"":  # being written: what it was to hold, its next sync tells
                number = next(index for index, one in enumerate(files) if one is file)
                later = zip(self.events[at:], self._files[at:], strict=True)
                whole = next((event.data for event, one in later if one is self._files[number] and event.data), b"")
                file.written = whole[: rng.choice([len(whole), rng.randrange(len(whole) + 1)])]
                past.append(Event("write", path, data=file.written))
        return tree, past

    def after_power_cut(self, at: int, rng: random.Random) -> Tree:
        """One of the states that the disk may have."""
        _, files = _replay(self.events[:at])
        luck = rng.choice([0.0, 0.1, 0.5, 0.9, 1.0])
        tree = Tree()
        for index in self._surviving(at, lambda: rng.random() < luck):
            tree.apply(self.events[index], files[index])
        left = {id(file): File(file.after_power_cut(rng)) for file in tree.files.values()}
        tree.files = {path: left[id(file)] for path, file in tree.files.items()}
        commits = [event for event in self.events[:at] if event.kind == "commit"]
        last_durable = max(index for index, event in enumerate(commits) if event.is_durable)
        tree.database = rng.choice([commits[last_durable], commits[-1], rng.choice(commits[last_durable:])]).data
        return tree

    def _surviving(self, at: int, is_lucky: Callable[[], bool]) -> Iterator[int]:
        """The events whose names come through, in their order."""
        lost: set[int] = set()
        for index, event in enumerate(self.events[:at]):
            if not event.names:
                continue
            if self._sure_since.get(index, at) < at or (not lost & self._needs[index] and is_lucky()):
                yield index
            else:
                lost.add(index)


def as_past(tree: Tree) -> list[Event]:
    """The events that make the tree, all of it sure."""
    events = [Event("mkdir", folder) for folder in sorted(tree.folders) if folder.parts]
    for path, file, other in tree.names():
        events += [Event("link", other, path)] if other else [Event("create", path), Event("sync file", path, data=file.sure or b"")]
    return [*events, *(Event("sync folder", folder) for folder in sorted(tree.folders)), Event("commit", data=tree.database)]


def _replay(events: Iterable[Event]) -> tuple[Tree, list[File]]:
    """All of it, as a running system sees it; and the file that each event is about (an empty one where it is about none)."""
    tree, files = Tree(), list[File]()
    for event in events:
        file = File() if event.kind in {"create", "put"} else tree.files.get(event.path, File())
        match event.kind:
            case "create":
                file.written = b""
            case "write":
                file.written = event.data
            case "put" | "sync file":
                file.sure, file.written = event.data, None
            case "commit":
                tree.database = event.data
        tree.apply(event, file)
        files.append(file)
    return tree, files


def _needs(events: Sequence[Event]) -> list[set[int]]:
    """For each event the earlier ones without which it cannot be on the disk: those of the same names, of folders above, and, for
    a removed folder, those inside.
    """
    by_name: dict[Path, set[int]] = defaultdict(set)
    needs = []
    for index, event in enumerate(events):
        needed: set[int] = set()
        for name in event.names:
            needed |= by_name[name].union(*(by_name[folder] for folder in name.parents))
            if event.kind == "rmdir":
                needed = needed.union(*(indexes for inside, indexes in by_name.items() if name in inside.parents))
        needs.append(needed)
        for name in event.names:
            by_name[name].add(index)
    return needs


def _sure_since(events: Sequence[Event], needs: Sequence[set[int]]) -> dict[int, int]:
    """The event by which the names of each event have come to the disk."""
    sure: dict[int, int] = {}
    by_folder: dict[Path, set[int]] = defaultdict(set)
    made: dict[Path, set[int]] = defaultdict(set)

    def settle(index: int, since: int) -> None:
        if index not in sure:
            sure[index] = since
            for needed in needs[index]:
                settle(needed, since)

    for number, event in enumerate(events):
        for name in event.names:
            by_folder[name.parent].add(number)
        if event.kind == "mkdir":
            made[event.path].add(number)
        if event.kind in {"put", "take"}:
            settle(number, number)
        elif event.kind in {"sync folder", "sync file"}:
            inside = by_folder[event.path] if event.kind == "sync folder" else set()
            for index in inside.union(*(made[folder] for folder in (event.path, *event.path.parents))):
                settle(index, number)
    return sure
