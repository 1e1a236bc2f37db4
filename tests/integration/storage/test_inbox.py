"""The inbox's gate, on real files with a clock that stands still."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extractor.config.settings import InboxSettings
from extractor.errors import Encrypted, InputError, StorageError, Unreadable
from extractor.jobs import Refused
from extractor.storage.files.inbox import Inbox, Settled
from extractor.testing import ManualClock

SETTLE, PATIENCE = 5.0, 60.0
END = b"END"


def is_whole(path: Path) -> None:
    """A file is complete when it ends in END."""
    if not path.read_bytes().endswith(END):
        raise Unreadable(f"{path.name} is cut off. Copy the whole file again.")


@pytest.fixture
def inbox(tmp_path: Path, clock: ManualClock) -> Inbox:
    return make_inbox(tmp_path, clock)


def make_inbox(root: Path, clock: ManualClock, check: Callable[[Path], None] = is_whole, ignore: tuple[str, ...] = ()) -> Inbox:
    return Inbox(root, InboxSettings(settle_seconds=SETTLE, patience_seconds=PATIENCE, ignore=ignore), check, clock)


def scan(inbox: Inbox, **known: frozenset[Path]) -> list[Settled]:
    return list(inbox.scan(known.get("open_paths", frozenset()), known.get("refused", frozenset())))


def names(settled: list[Settled]) -> list[str]:
    return [str(one.arrival.path) for one in settled]


def test_a_file_is_ready_when_nothing_has_touched_it_for_the_settle_time(inbox: Inbox, clock: ManualClock, tmp_path: Path) -> None:
    """A file is handed over once it has stood still, not before, with the hash of its bytes."""
    (tmp_path / "lunch.jpg").write_bytes(b"lunch" + END)
    assert scan(inbox) == []
    clock.advance(SETTLE - 0.1)
    assert scan(inbox) == []
    clock.advance(0.1)
    [settled] = scan(inbox)
    assert (settled.error, settled.arrival.name, settled.arrival.size_bytes) == (None, "lunch.jpg", 8)
    assert settled.arrival.sha256 == hashlib.sha256(b"lunchEND").hexdigest()


def test_files_that_lay_there_before_pass_the_same_gate(tmp_path: Path, clock: ManualClock) -> None:
    """At start a half-copied file is not taken, however old its modification time is."""
    path = tmp_path / "old.jpg"
    path.write_bytes(END)
    os.utime(path, (0, 0))
    inbox = make_inbox(tmp_path, clock)
    assert scan(inbox) == []
    clock.advance(SETTLE)
    assert names(scan(inbox)) == ["old.jpg"]


def test_a_growing_file_waits(inbox: Inbox, clock: ManualClock, tmp_path: Path) -> None:
    """Each change starts the settle time anew, without any event."""
    path = tmp_path / "slow.jpg"
    for size in range(1, 6):
        path.write_bytes(b"x" * size)
        assert scan(inbox) == []
        clock.advance(SETTLE - 1)
    path.write_bytes(b"xxxxx" + END)
    assert scan(inbox) == []
    clock.advance(SETTLE)
    assert names(scan(inbox)) == ["slow.jpg"]


def test_an_event_starts_the_settle_time_anew(inbox: Inbox, clock: ManualClock, tmp_path: Path) -> None:
    """A touch counts even where size and times look the same, as on shares with coarse clocks."""
    (tmp_path / "lunch.jpg").write_bytes(END)
    scan(inbox)
    clock.advance(SETTLE - 1)
    assert inbox.touch(tmp_path / "lunch.jpg")
    scan(inbox)
    clock.advance(SETTLE - 1)
    assert scan(inbox) == []
    clock.advance(1)
    assert names(scan(inbox)) == ["lunch.jpg"]


def test_a_stalled_copy_is_read_when_it_becomes_complete(inbox: Inbox, clock: ManualClock, tmp_path: Path) -> None:
    """A copy that pauses for longer than the settle time is not failed while there is patience."""
    path = tmp_path / "stalled.jpg"
    path.write_bytes(b"half")
    scan(inbox)
    clock.advance(PATIENCE / 2)
    assert scan(inbox) == []
    path.write_bytes(b"half and half" + END)
    scan(inbox)
    clock.advance(SETTLE)
    assert [one.error for one in scan(inbox)] == [None]


def test_a_format_that_is_never_read_fails_at_once(clock: ManualClock, tmp_path: Path) -> None:
    """Only a file that may still be growing is waited for; any other error of the check is final."""

    class NeverReadable(InputError):
        """A word processor document, for example."""

    def check(path: Path) -> None:
        raise NeverReadable(f"{path.name} is a document. Print it to a PDF.")

    inbox = Inbox(tmp_path, InboxSettings(settle_seconds=SETTLE, patience_seconds=PATIENCE), check, clock)
    (tmp_path / "letter.docx").write_bytes(b"PK")
    assert list(inbox.scan((), ())) == []
    clock.advance(SETTLE)
    [settled] = inbox.scan((), ())
    assert isinstance(settled.error, NeverReadable)


def test_an_incomplete_file_is_logged_once(inbox: Inbox, clock: ManualClock, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Later checks are only in a DEBUG log."""
    caplog.set_level("INFO")
    (tmp_path / "half.jpg").write_bytes(b"half")
    for _ in range(5):
        list(inbox.scan((), ()))
        clock.advance(SETTLE * 4)
    assert caplog.messages == ["file_incomplete"]


def test_an_incomplete_file_fails_when_the_patience_ends(inbox: Inbox, clock: ManualClock, tmp_path: Path) -> None:
    """A stalled copy is yielded once, with the error, when the patience ends; until then it is checked at increasing intervals."""
    (tmp_path / "cut.jpg").write_bytes(b"half")
    looks, settled = [], scan(inbox)
    while not settled:
        look = inbox.next_check()
        assert look is not None
        looks.append(look)
        clock.advance(look - clock.monotonic())
        settled = scan(inbox)
    assert looks == [5.0, 15.0, 35.0, 60.0]
    assert isinstance(settled[0].error, Unreadable)
    assert settled[0].arrival.sha256 is not None


def test_what_time_cannot_cure_fails_at_once(tmp_path: Path, clock: ManualClock) -> None:
    """An encrypted file is not waited for."""

    def check(path: Path) -> None:
        raise Encrypted(f"{path.name} is encrypted.")

    inbox = make_inbox(tmp_path, clock, check)
    (tmp_path / "secret.pdf").write_bytes(END)
    scan(inbox)
    clock.advance(SETTLE)
    assert [type(one.error) for one in scan(inbox)] == [Encrypted]


def test_a_crash_of_the_decoder_fails_one_file_only(tmp_path: Path, clock: ManualClock) -> None:
    """An exception that no decoder should raise becomes that file's error; the others are seen."""

    def check(path: Path) -> None:
        if path.name == "bad.jpg":
            raise ZeroDivisionError("decoder bug")

    inbox = make_inbox(tmp_path, clock, check)
    for name in ("bad.jpg", "good.jpg"):
        (tmp_path / name).write_bytes(END)
    scan(inbox)
    clock.advance(SETTLE)
    assert names(scan(inbox)) == ["good.jpg"]
    clock.advance(PATIENCE)
    [failed] = [one for one in scan(inbox) if one.arrival.name == "bad.jpg"]
    assert "ZeroDivisionError" in str(failed.error)


def test_a_file_that_changes_during_the_check_is_not_taken(tmp_path: Path, clock: ManualClock) -> None:
    """The hash belongs to the bytes that were checked."""
    path = tmp_path / "lunch.jpg"
    writes = iter([b"other bytes" + END])

    def check(checked: Path) -> None:
        if data := next(writes, None):
            checked.write_bytes(data)

    inbox = make_inbox(tmp_path, clock, check)
    path.write_bytes(END)
    scan(inbox)
    clock.advance(SETTLE)
    assert scan(inbox) == []
    scan(inbox)
    clock.advance(SETTLE)
    assert [one.arrival.size_bytes for one in scan(inbox)] == [len(b"other bytes" + END)]


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.jpg",
        "._lunch.jpg",
        "lunch.jpg.part",
        "LUNCH.JPG.CRDOWNLOAD",
        "~$lunch.pdf",
        "thumbs.db",
        "@eaDir/lunch.jpg",
        ".stfolder/x/y.jpg",
    ],
)
def test_what_systems_and_downloads_leave_is_ignored(inbox: Inbox, clock: ManualClock, tmp_path: Path, name: str) -> None:
    """Ignored files are neither taken nor waited for, and their events do not start a scan."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(END)
    assert not inbox.touch(path)
    scan(inbox)
    clock.advance(SETTLE)
    assert scan(inbox) == []


def test_the_ignore_list_grows_by_the_setting(tmp_path: Path, clock: ManualClock) -> None:
    """Own patterns are added to the built-in ones."""
    inbox = make_inbox(tmp_path, clock, ignore=("*.xmp",))
    for name in ("a.XMP", "b.part", "c.jpg"):
        (tmp_path / name).write_bytes(END)
    scan(inbox)
    clock.advance(SETTLE)
    assert names(scan(inbox)) == ["c.jpg"]


def test_subfolders_become_tags(inbox: Inbox, clock: ManualClock, tmp_path: Path) -> None:
    """Folders are looked into; their names are the file's tags, outermost first."""
    (tmp_path / "travel" / "2026 Rome").mkdir(parents=True)
    (tmp_path / "travel" / "2026 Rome" / "taxi.jpg").write_bytes(END)
    scan(inbox)
    clock.advance(SETTLE)
    assert [one.arrival.tags for one in scan(inbox)] == [("travel", "2026 Rome")]


def test_links_and_pipes_are_refused_by_name_once(inbox: Inbox, clock: ManualClock, tmp_path: Path) -> None:
    """Nothing that is not a regular file is opened or followed, not even a link to a folder; each is reported once."""
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "private.jpg").write_bytes(END)
    (tmp_path / "link.jpg").symlink_to(outside / "private.jpg")
    (tmp_path / "folder").symlink_to(outside)
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.jpg")
    settled = scan(inbox)
    assert names(settled) == ["dangling", "folder", "link.jpg", "pipe.jpg"]
    assert all(isinstance(one.error, Refused) and one.arrival.name in str(one.error) for one in settled)
    clock.advance(PATIENCE)
    assert scan(inbox, refused=frozenset(one.arrival.path for one in settled)) == []


def test_a_folder_that_becomes_a_link_during_the_scan_is_not_followed(tmp_path: Path, clock: ManualClock) -> None:
    """A folder may be replaced by a link between listing and check: the file behind the link is never opened."""
    opened: list[str] = []
    root, outside = tmp_path / "inbox", tmp_path / "outside"
    for folder in (root / "trip", outside):
        folder.mkdir(parents=True)
    for name in ("a.jpg", "b.jpg"):
        (root / "trip" / name).write_bytes(END)
        (outside / name).hardlink_to(root / "trip" / name)  # looks the same to whoever compares size, times and number

    def swap(path: Path) -> None:
        opened.append(path.name)
        if path.name == "a.jpg":
            (root / "trip").rename(root / ".trip")
            (root / "trip").symlink_to(outside)

    inbox = make_inbox(root, clock, check=swap)
    scan(inbox)
    clock.advance(SETTLE)
    scan(inbox)
    assert opened == ["a.jpg"]
    [link] = scan(inbox)
    assert (str(link.arrival.path), type(link.error)) == ("trip", Refused)


def test_an_enormous_file_is_refused_without_being_read(tmp_path: Path, clock: ManualClock) -> None:
    """A disk image of a terabyte is not read: it is reported once and stays; a smaller file with its name is taken."""
    inbox = Inbox(tmp_path, InboxSettings(settle_seconds=SETTLE), is_whole, clock, max_bytes=10**9)
    with (tmp_path / "disk.jpg").open("wb") as file:
        file.truncate(10**12)
    [settled] = scan(inbox)
    assert (type(settled.error), settled.arrival.sha256, settled.arrival.size_bytes) == (Refused, None, 10**12)
    assert "1,000,000,000,000 bytes" in str(settled.error)
    assert scan(inbox, refused=frozenset({Path("disk.jpg")})) == []
    (tmp_path / "disk.jpg").write_bytes(END)
    scan(inbox)
    clock.advance(SETTLE)
    assert names(scan(inbox, refused=frozenset({Path("disk.jpg")}))) == ["disk.jpg"]


def test_open_files_are_left_alone(inbox: Inbox, clock: ManualClock, tmp_path: Path) -> None:
    """A file whose job is open is not handed over again, whatever touches it (virus scanners, NAS indexers)."""
    path = tmp_path / "lunch.jpg"
    path.write_bytes(END)
    scan(inbox)
    clock.advance(SETTLE)
    assert names(scan(inbox)) == ["lunch.jpg"]
    inbox.touch(path)
    clock.advance(10 * SETTLE)
    assert scan(inbox, open_paths=frozenset({Path("lunch.jpg")})) == []
    assert inbox.next_check() is None


def test_a_vanished_file_is_forgotten(inbox: Inbox, clock: ManualClock, tmp_path: Path) -> None:
    """A name that is used again starts from the beginning."""
    path = tmp_path / "lunch.jpg"
    path.write_bytes(END)
    scan(inbox)
    path.unlink()
    scan(inbox)
    assert inbox.next_check() is None
    clock.advance(SETTLE)
    path.write_bytes(b"new" + END)
    assert scan(inbox) == []


def test_a_missing_inbox_is_a_storage_error(tmp_path: Path, clock: ManualClock) -> None:
    """An unmounted share is reported, not taken for an empty folder."""
    with pytest.raises(StorageError, match="cannot be listed"):
        scan(make_inbox(tmp_path / "unmounted", clock))


HOSTILE = (
    "line\nbreak.jpg",
    "receipt \N{RECEIPT}.jpg",
    "é" * 120 + ".jpg",
    "-rf.jpg",
    "a\x01b\x7f.jpg",
    "caf\udce9.jpg",
    "%s%n.jpg",
    "'; DROP TABLE jobs.jpg",
    "100 %.jpg",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_handed_over(inbox: Inbox, clock: ManualClock, tmp_path: Path, name: str) -> None:
    """Any name that the file system takes is taken; its printable form is valid Unicode."""
    (tmp_path / name).write_bytes(END)
    scan(inbox)
    clock.advance(SETTLE)
    [settled] = scan(inbox)
    assert settled.arrival.path == Path(name)
    settled.arrival.name.encode()


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from([b"h", b"half", b"half and half", b"other half"])),
        st.tuples(st.just("finish"), st.just(b"")),
        st.tuples(st.just("event"), st.just(b"")),
        st.tuples(st.just("remove"), st.just(b"")),
        st.tuples(st.just("scan"), st.just(b"")),
        st.tuples(st.just("wait"), st.sampled_from([b"1", b"5", b"20"])),
    ),
    max_size=25,
)


@given(ACTIONS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_events_settles_a_file_once(tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, bytes]]) -> None:
    """Whatever writes, events and scans come in whatever order: complete bytes are handed over exactly once, and never others."""
    root, clock = tmp_path_factory.mktemp("inbox"), ManualClock()
    inbox, path = make_inbox(root, clock), root / "lunch.jpg"
    taken: list[tuple[int, bytes]] = []

    def look() -> None:
        open_paths = (
            frozenset({Path("lunch.jpg")}) if taken and path.exists() and taken[-1][0] == path.stat().st_ctime_ns else frozenset[Path]()
        )
        for settled in inbox.scan(open_paths, frozenset()):
            assert settled.error is None or not path.read_bytes().endswith(END)
            taken.append((path.stat().st_ctime_ns, path.read_bytes()))

    for action, data in [*actions, ("write", b"the end"), ("finish", b""), ("scan", b""), ("wait", b"20"), ("scan", b""), ("scan", b"")]:
        match action:
            case "write":
                path.write_bytes(data)
            case "finish" if path.exists() and not path.read_bytes().endswith(END):
                path.write_bytes(path.read_bytes() + END)
            case "event":
                inbox.touch(path)
            case "remove":
                path.unlink(missing_ok=True)
            case "wait":
                clock.advance(float(data))
            case "scan":
                look()
    assert taken[-1][1] == b"the end" + END
    assert len({ctime for ctime, _ in taken}) == len(taken)
