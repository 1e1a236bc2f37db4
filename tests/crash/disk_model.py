"""Records the file operations of a program, and models which of them survive a power cut or a kill.

The model of a power cut, which holds for every journalling file system:

- A file's contents are durable as of its last sync. If it was written since then, it holds the old bytes, the new ones, a part of them,
  nothing or garbage.
- A change of a name (create, rename, remove) is durable once its folder was synced. Otherwise each change may or may not survive,
  independently but for two rules: changes of one name keep their order, and a rename is atomic, also between two folders.
- If something inside a folder was synced, the folder itself and its parents are durable.
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

# Events that change names.
NAMES: frozenset[Kind] = frozenset({"create", "rename", "link", "unlink", "mkdir", "rmdir", "put", "take"})


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
        """Names that the event changes."""
        return () if self.kind not in NAMES else (self.path,) if self.target is None else (self.path, self.target)


@dataclass
class File:
    """Contents of one file, independent of its names.

    Attributes:
        synced: Contents at the last sync; `None` if it was never synced.
        written: Contents written since then; `None` if there are none.
    """

    synced: bytes | None = None
    written: bytes | None = None

    @property
    def now(self) -> bytes:
        """Contents as programs see them."""
        return (self.synced or b"") if self.written is None else self.written

    def after_power_cut(self, rng: random.Random) -> bytes:
        """Draw one of the contents that it may have after a power cut."""
        if self.written is None:
            return self.synced or b""
        part = self.written[: rng.randrange(len(self.written) + 1)]
        return rng.choice([self.synced or b"", self.written, part, b"", b"\0" * len(self.written), rng.randbytes(len(self.written) or 7)])


@dataclass
class Tree:
    """Folders and files by name, relative to the root, and the database."""

    folders: set[Path] = field(default_factory=set)
    files: dict[Path, File] = field(default_factory=dict)
    database: bytes = b""

    def apply(self, event: Event, new: File) -> None:
        """Apply the name changes of an event; `new` is the file that it creates, if any."""
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
        """Yield every name with its file, and the earlier name of the same file if it is a hard link."""
        first: dict[int, Path] = {}
        for path, file in self.files.items():
            yield path, file, first.get(id(file))
            first.setdefault(id(file), path)

    def make(self, root: Path) -> None:
        """Create all folders and files below `root`, and the database as `receipts.db`."""
        for folder in sorted(self.folders):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for path, file, other in self.names():
            if other:
                os.link(root / other, root / path)
            else:
                (root / path).write_bytes(file.now)
        (root / "receipts.db").write_bytes(self.database)


class Recorder:
    """Context manager that records the file operations of this process below `root`/inbox and `root`/outbox.

    Args:
        past: Earlier events, which led to the current folders.
        is_split: Whether inbox and outbox are on two volumes: renames between them fail with EXDEV.
        fault: Called before each change and sync with the path; raises the error that the operation should fail with.
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
        """Suspend recording; operations inside the context are recorded by the caller."""
        self._is_paused = True
        try:
            yield
        finally:
            self._is_paused = False

    def note(self, event: Event) -> None:
        """Append an event."""
        self.events.append(event)

    def relative(self, path: Any, dir_fd: int | None = None) -> Path | None:
        """Return the path relative to the root; `None` if it is outside the recorded folders."""
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
    """A sequence of events, and the possible states after a stop behind the first `at` of them."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        _, self._files = _replay(events)
        self._needs = _needs(events)
        self._durable_since = _durable_since(events, self._needs)

    def after_kill(self, at: int, rng: random.Random) -> tuple[Tree, list[Event]]:
        """Return the state after a kill, and the events that led to it."""
        tree, files = _replay(self.events[:at])
        past = list(self.events[:at])
        for path, file in tree.files.items():
            if file.written == b"":  # being written: its next sync has the whole contents
                number = next(index for index, one in enumerate(files) if one is file)
                later = zip(self.events[at:], self._files[at:], strict=True)
                whole = next((event.data for event, one in later if one is self._files[number] and event.data), b"")
                file.written = whole[: rng.choice([len(whole), rng.randrange(len(whole) + 1)])]
                past.append(Event("write", path, data=file.written))
        return tree, past

    def after_power_cut(self, at: int, rng: random.Random) -> Tree:
        """Draw one of the possible states of the disk after a power cut."""
        _, files = _replay(self.events[:at])
        survival_rate = rng.choice([0.0, 0.1, 0.5, 0.9, 1.0])
        tree = Tree()
        for index in self._surviving(at, lambda: rng.random() < survival_rate):
            tree.apply(self.events[index], files[index])
        left = {id(file): File(file.after_power_cut(rng)) for file in tree.files.values()}
        tree.files = {path: left[id(file)] for path, file in tree.files.items()}
        commits = [event for event in self.events[:at] if event.kind == "commit"]
        last_durable = max(index for index, event in enumerate(commits) if event.is_durable)
        tree.database = rng.choice([commits[last_durable], commits[-1], rng.choice(commits[last_durable:])]).data
        return tree

    def _surviving(self, at: int, survives: Callable[[], bool]) -> Iterator[int]:
        """Yield the indices of the events whose name changes survive, in order."""
        lost: set[int] = set()
        for index, event in enumerate(self.events[:at]):
            if not event.names:
                continue
            if self._durable_since.get(index, at) < at or (not lost & self._needs[index] and survives()):
                yield index
            else:
                lost.add(index)


def as_past(tree: Tree) -> list[Event]:
    """Return events that create the tree, all of it durable."""
    events = [Event("mkdir", folder) for folder in sorted(tree.folders) if folder.parts]
    for path, file, other in tree.names():
        events += [Event("link", other, path)] if other else [Event("create", path), Event("sync file", path, data=file.synced or b"")]
    return [*events, *(Event("sync folder", folder) for folder in sorted(tree.folders)), Event("commit", data=tree.database)]


def _replay(events: Iterable[Event]) -> tuple[Tree, list[File]]:
    """Replay events; returns the tree as a running system sees it, and the file of each event (an empty one if it has none)."""
    tree, files = Tree(), list[File]()
    for event in events:
        file = File() if event.kind in {"create", "put"} else tree.files.get(event.path, File())
        match event.kind:
            case "create":
                file.written = b""
            case "write":
                file.written = event.data
            case "put" | "sync file":
                file.synced, file.written = event.data, None
            case "commit":
                tree.database = event.data
        tree.apply(event, file)
        files.append(file)
    return tree, files


def _needs(events: Sequence[Event]) -> list[set[int]]:
    """Return, for each event, the earlier events it depends on: those of the same names, of parent folders, and, for a removed folder,
    those inside it.
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


def _durable_since(events: Sequence[Event], needs: Sequence[set[int]]) -> dict[int, int]:
    """Return, for each event, the later event that made its name changes durable."""
    synced: dict[int, int] = {}
    by_folder: dict[Path, set[int]] = defaultdict(set)
    made: dict[Path, set[int]] = defaultdict(set)

    def settle(index: int, since: int) -> None:
        if index not in synced:
            synced[index] = since
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
    return synced
