"""Files that can never be read leave the inbox as soon as they have settled; those that may be incomplete are waited for."""

from functools import partial
from pathlib import Path

import pytest

from extractor.config.settings import InboxSettings
from extractor.documents import PageLimits, check_complete
from extractor.errors import Unreadable, UnsupportedFormat
from extractor.storage.files.inbox import Inbox, Settled
from extractor.testing import ManualClock

SETTLE, PATIENCE = 5.0, 600.0


def settle(folder: Path, clock: ManualClock, name: str, data: bytes) -> list[Settled]:
    """Result of the first scan after the file has settled."""
    settings = InboxSettings(settle_seconds=SETTLE, patience_seconds=PATIENCE)
    inbox = Inbox(folder, settings, partial(check_complete, limits=PageLimits()), clock)
    (folder / name).write_bytes(data)
    assert list(inbox.scan((), ())) == []
    clock.advance(SETTLE)
    return list(inbox.scan((), ()))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("order.eml", b"From: shop@example.com\r\nTo: me@example.com\r\nSubject: Your order\r\n\r\nThank you\r\n"),
        ("report.docx", b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml" + bytes(900) + b"word/document.xml"),
        ("IMG_0001.MOV", b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + bytes(900)),
        ("IMG_0001.AAE", b'<?xml version="1.0"?>\n<plist version="1.0"><dict>\n<key>adjustmentBaseVersion</key>\n<integer>0</integer>'),
        ("notes.txt", b"Buy milk and bread\n"),
    ],
)
def test_unsupported_files_fail_at_once(tmp_path: Path, clock: ManualClock, name: str, data: bytes) -> None:
    """Nobody waits ten minutes for the rest of a video; the error says what to do."""
    [settled] = settle(tmp_path, clock, name, data)
    assert isinstance(settled.error, UnsupportedFormat)
    assert name in str(settled.error)
    assert settled.arrival.sha256 is not None


@pytest.mark.parametrize("data", [b"\xff\xd8\xff\xe0 half a photo", bytes(5000), b"%PD", b"\x93\x01\x88" * 90])
def test_what_may_be_incomplete_is_waited_for(tmp_path: Path, clock: ManualClock, data: bytes) -> None:
    """A photo that is still being copied is `Unreadable`, which the inbox tries again until its patience ends."""
    assert settle(tmp_path, clock, "photo.jpg", data) == []
    with pytest.raises(Unreadable):
        check_complete(tmp_path / "photo.jpg", PageLimits())
