"""Result files appear whole or not at all, and the file they are about is moved beside them. Nothing is overwritten.

Every step may run twice. While a file is read, a private copy lies in outbox/.work/<receipt id>/: what is hashed, read and filed are the
same bytes.
"""

import errno
import os
import shutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from extractor.errors import StorageError
from extractor.jobs import Job
from extractor.runtime.checkpoints import AtCheckpoint, Checkpoint, go_on
from extractor.runtime.filenames import printable
from extractor.schemas.record import Record
from extractor.storage.files.atomic import (
    copy_hashed,
    digest,
    hidden_name,
    holds,
    is_regular,
    make_folder,
    move,
    storage_errors,
    sync_folder,
    write_whole,
)
from extractor.storage.files.intake import Intake
from extractor.storage.files.naming import OutboxLayout
from extractor.storage.files.sidecars import notice_json, record_json

WORK = ".work"


class Outbox:
    """The outbox, and what is moved there from the inbox.

    Attributes:
        places: Where in it each thing lies.
    """

    def __init__(self, root: Path, inbox_dir: Path, *, at_checkpoint: AtCheckpoint = go_on) -> None:
        self.root = root
        self.layout = OutboxLayout(root)
        self.inbox_dir = inbox_dir
        self._at_checkpoint = at_checkpoint
        self._leaving = Intake(inbox_dir, at_checkpoint=at_checkpoint)

    # Folders that may be away

    @property
    def is_here(self) -> bool:
        """Whether the folder is the outbox, and not what is seen in its place while its volume is not mounted."""
        return (self.root / WORK).is_dir()

    def mark(self) -> bool:
        """Makes the folder the outbox from now on; whether it was not before."""
        with storage_errors(self.root):
            was_here = self.is_here
            make_folder(self.root / WORK)
        return not was_here

    def require_here(self) -> None:
        """Refuses to go on where the outbox is away.

        Raises:
            StorageError: Its volume is not mounted, or it is another folder.
        """
        if not self.is_here:
            way_out = "Mount its volume again; if this is the right folder, run: receipts init"
            raise StorageError(f"{printable(self.root)} is not the outbox that was used before: {WORK} is not in it. {way_out}")

    # A private copy to read

    def take_copy(self, job: Job) -> Path | None:
        """Where a copy of exactly the job's bytes lies, to be read; `None` where the inbox does not have them (any more).

        Raises:
            StorageError: The outbox cannot be written, or the file not be read now.
        """
        self.require_here()
        copy = self._copy(job)
        with storage_errors(copy):
            if holds(copy, job.sha256 or ""):
                return copy
            make_folder(copy.parent)
            hidden = copy.parent / ".copying"  # what has the copy's name is on disk, also after a crash
            for source in self._leaving.places(job):
                if is_regular(source) and copy_hashed(source, hidden) == job.sha256:
                    hidden.replace(copy)
                    sync_folder(copy.parent)
                    return copy
            self._leaving.require_here()
        self.drop_copy(job)
        return None

    def drop_copy(self, job: Job) -> None:
        """Removes the job's private copy, if there is one."""
        folder = self._copy(job).parent
        with storage_errors(folder):
            if folder.exists():
                shutil.rmtree(folder)
                self._at_checkpoint(Checkpoint.COPY_DROPPED)

    def tidy(self, open_ids: Collection[str], find: Callable[[str], Job | None], find_same: Callable[[str], Collection[Job]]) -> None:
        """Clears away what a crash or a power cut has left behind of jobs that are not open.

        Their private copies are removed, and so are files in the inbox under hidden names, if the same bytes are filed; other ones are
        given visible names, to be taken like any file.

        Args:
            find: The job with this `receipt_id`, if there is one.
            find_same: All jobs with these bytes.
        Raises:
            StorageError: The outbox is away, or a folder cannot be read or written.
        """
        self.require_here()
        work = self.root / WORK
        with storage_errors(work):
            for folder in sorted(work.iterdir()):
                if folder.name not in open_ids:
                    shutil.rmtree(folder)
        with storage_errors(self.inbox_dir):
            for aside, receipt_id in self._leaving.leftovers(open_ids):
                sha256 = digest(aside)
                if any(same.filed_as and holds(self.root / same.filed_as, sha256) for same in find_same(sha256)):
                    aside.unlink()
                    sync_folder(aside.parent)
                else:
                    self._leaving.show(aside, find(receipt_id))

    def _copy(self, job: Job) -> Path:
        return self.root / WORK / job.receipt_id / job.path.name

    # Filing

    def file_records(self, job: Job, records: Sequence[Record]) -> None:
        """Puts the original and each of its records in their places, then takes the file out of the inbox.

        Raises:
            StorageError: Something cannot be written or is not there; nothing is lost, run it again.
        """
        self.require_here()
        original = self._planned(job)
        with storage_errors(original):
            make_folder(original.parent)
            if not holds(original, records[0].source_sha256):
                self._put(job, original)
                self._at_checkpoint(Checkpoint.ORIGINAL_PLACED)
            for number, record in enumerate(records, 1):
                write_whole(self.layout.record(job.filed_as or "", number), record_json(record))
                self._at_checkpoint(Checkpoint.RECORD_WRITTEN)
            self._leaving.remove(job)
        self.drop_copy(job)

    def file_other(self, job: Job, first: Job | None = None) -> bool:
        """Whether a failed file or a duplicate, and the notice why, are in their places now; False where the inbox does not have it.

        Args:
            first: The job that has the same bytes, for duplicates.
        Raises:
            StorageError: Something cannot be written; nothing is lost, run it again.
        """
        self.require_here()
        target = self._planned(job)
        with storage_errors(target):
            make_folder(target.parent)
            is_there = job.sha256 is None or self._move_from_inbox(job, target)
            if not is_there:
                hidden_name(target).unlink(missing_ok=True)  # what a crash has left half copied
            else:
                write_whole(self.layout.notice(job.filed_as or ""), notice_json(job, first))
                self._at_checkpoint(Checkpoint.NOTICE_WRITTEN)
        self.drop_copy(job)
        return is_there

    def is_taken(self, job: Job) -> bool:
        """Whether other bytes than the job's lie where its file is planned to go."""
        place = self._planned(job)
        with storage_errors(place):
            return os.path.lexists(place) and not holds(place, job.sha256 or "")

    def has_file(self, job: Job) -> bool:
        """Whether a file with the job's bytes lies where the job says, or is on its way from there back to the inbox."""
        place = self._planned(job)
        with storage_errors(place):
            return any(holds(path, job.sha256 or "") for path in (place, self._leaving.aside(job)))

    def bring_back(self, job: Job) -> Path:
        """Where a failed file lies in the inbox again, relative to it; its notice is removed first.

        Raises:
            StorageError: The file is not in `failed/` any more, or the inbox cannot be written.
        """
        source = self._planned(job)
        with storage_errors(source):
            if is_regular(source):
                aside = self._leaving.make_room(job)
                self.layout.notice(job.filed_as or "").unlink(missing_ok=True)
                sync_folder(source.parent)
                self._at_checkpoint(Checkpoint.NOTICE_REMOVED)
                move(source, aside)
                self._at_checkpoint(Checkpoint.BROUGHT_BACK)
            elif not holds(self._leaving.aside(job), job.sha256 or ""):  # else an earlier try came so far
                raise FileNotFoundError(errno.ENOENT, "is not there any more", os.fspath(source))
            return self._leaving.give_back(job).relative_to(self.inbox_dir)

    def _planned(self, job: Job) -> Path:
        if job.filed_as is None:
            raise StorageError(f"{job.name} has no place in the outbox yet. It is planned when its job is tried again.")
        return self.root / job.filed_as

    def _put(self, job: Job, original: Path) -> None:
        """Renames the private copy to its final name. It is made anew where a crash or a power cut has spoilt it."""
        copy = self.take_copy(job)
        if copy is None:
            way_out = "Its record is saved; put the same file in the inbox under the same name."
            raise StorageError(f"{job.name} left the inbox before it was filed. {way_out}")
        if os.path.lexists(original):
            raise FileExistsError(errno.EEXIST, "holds other bytes than the receipt; move it away", os.fspath(original))
        copy.rename(original)  # its name is brought to disk together with that of the JSON

    def _move_from_inbox(self, job: Job, target: Path) -> bool:
        """Whether the job's file lies at `target` now."""
        if holds(target, job.sha256 or ""):
            sync_folder(target.parent)
            self._leaving.remove(job)  # a crash may have come between copying to another volume and removing
            return True
        if not self._leaving.set_aside(job):
            return False
        move(self._leaving.aside(job), target)
        self._at_checkpoint(Checkpoint.MOVED)
        return True
