"""Writes the outbox: originals, and the JSON files beside them. Files appear whole or not at all, and nothing is overwritten."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from extractor.errors import StorageError
from extractor.jobs import Job
from extractor.runtime.checkpoints import AtCheckpoint, Checkpoint, go_on
from extractor.runtime.filenames import printable
from extractor.schemas.record import Record
from extractor.storage.files.atomic import (
    hidden_name,
    holds,
    link_or_rename,
    make_folder,
    move,
    storage_errors,
    sync_folder,
    write_whole,
)
from extractor.storage.files.naming import OutboxLayout
from extractor.storage.files.sidecars import notice_json, record_json

# Folder for the private copies of files that are being read. It also marks the folder as the outbox.
WORK = ".work"


class Outbox:
    """The outbox folder.

    Attributes:
        layout: Names of the files in it.
    """

    def __init__(self, root: Path, *, at_checkpoint: AtCheckpoint = go_on) -> None:
        self.root = root
        self.layout = OutboxLayout(root)
        self._at_checkpoint = at_checkpoint

    @property
    def work_dir(self) -> Path:
        """Folder for private copies."""
        return self.root / WORK

    @property
    def is_available(self) -> bool:
        """Whether the folder is the outbox, and not an empty mount point."""
        return self.work_dir.is_dir()

    def mark(self) -> bool:
        """Makes the folder the outbox, and returns whether it was not before."""
        with storage_errors(self.root):
            was_available = self.is_available
            make_folder(self.work_dir)
        return not was_available

    def require_available(self) -> None:
        """Checks that the folder is the outbox.

        Raises:
            StorageError: Its volume is not mounted, or it is another folder.
        """
        if not self.is_available:
            advice = "Mount its volume again; if this is the right folder, run: receipts init"
            raise StorageError(f"{printable(self.root)} is not the outbox that was used before: {WORK} is not in it. {advice}")

    def original(self, job: Job) -> Path:
        """Planned path of the job's file.

        Raises:
            StorageError: None is planned yet.
        """
        if job.filed_as is None:
            raise StorageError(f"{job.name} has no path in the outbox yet. It gets one when its job is retried.")
        return self.root / job.filed_as

    def has_original(self, job: Job) -> bool:
        """Whether the job's file is in the outbox, with the right content. OSErrors are passed on."""
        return holds(self.original(job), job.sha256 or "")

    def is_occupied(self, job: Job) -> bool:
        """Whether another file has the planned path."""
        path = self.original(job)
        with storage_errors(path):
            return os.path.lexists(path) and not self.has_original(job)

    def link_original(self, job: Job, copy: Path) -> None:
        """Puts a private copy at the planned path, where it is not yet synced to disk; the copy may keep its name as well.

        Raises:
            FileExistsError: There is another file.
        """
        original = self.original(job)
        make_folder(original.parent)
        try:
            link_or_rename(copy, original)
        except FileExistsError as error:
            raise FileExistsError(errno.EEXIST, "holds other bytes than the receipt; move it away", os.fspath(original)) from error
        self._at_checkpoint(Checkpoint.ORIGINAL_PLACED)

    def move_original(self, job: Job, source: Path) -> None:
        """Moves a file, perhaps from another volume, to the planned path.

        Raises:
            FileExistsError: There is another file.
        """
        original = self.original(job)
        make_folder(original.parent)
        move(source, original)
        self._at_checkpoint(Checkpoint.MOVED)

    def drop_partial(self, job: Job) -> None:
        """Removes what a crash in `move_original` has left half copied."""
        hidden_name(self.original(job)).unlink(missing_ok=True)

    def write_records(self, job: Job, records: Sequence[Record]) -> None:
        """Writes the JSON file of each record and syncs it to disk, together with the original's name."""
        for number, record in enumerate(records, 1):
            write_whole(self.layout.record(job.filed_as or "", number), record_json(record))
            self._at_checkpoint(Checkpoint.RECORD_WRITTEN)

    def write_notice(self, job: Job, first: Job | None) -> None:
        """Writes the JSON file that explains a failed file or a duplicate.

        Args:
            first: The job with the same content, for a duplicate.
        """
        notice = self.layout.notice(job.filed_as or "")
        make_folder(notice.parent)
        write_whole(notice, notice_json(job, first))
        self._at_checkpoint(Checkpoint.NOTICE_WRITTEN)

    def remove_notice(self, job: Job) -> None:
        """Removes that JSON file, if there is one."""
        notice = self.layout.notice(job.filed_as or "")
        notice.unlink(missing_ok=True)
        sync_folder(notice.parent)
        self._at_checkpoint(Checkpoint.NOTICE_REMOVED)
