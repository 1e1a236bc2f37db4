"""Moves files from the inbox to the outbox, and failed ones back. Every method may run twice, so that a crash can be resumed.

While a file is read, a private copy of it is in `outbox/.work/<receipt id>/`: the bytes that are hashed, read and filed are the same.
"""

import errno
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from extractor.errors import StorageError
from extractor.jobs import Job
from extractor.runtime.checkpoints import AtCheckpoint, Checkpoint, go_on
from extractor.schemas.record import Record
from extractor.storage.files.atomic import digest, holds, is_regular, move, storage_errors, sync_folder
from extractor.storage.files.intake import Intake
from extractor.storage.files.outbox import Outbox


class Filing:
    """The inbox and the outbox together.

    Attributes:
        intake: Takes files out of the inbox.
        outbox: Writes them into the outbox.
    """

    def __init__(self, inbox_dir: Path, outbox_dir: Path, *, at_checkpoint: AtCheckpoint = go_on) -> None:
        self.outbox = Outbox(outbox_dir, at_checkpoint=at_checkpoint)
        self.intake = Intake(inbox_dir, self.outbox.work_dir, at_checkpoint=at_checkpoint)
        self._at_checkpoint = at_checkpoint

    def claim_copy(self, job: Job) -> Path | None:
        """Path of a private copy of the job's file, to be read; `None` if the file was removed from the inbox or replaced.

        Raises:
            StorageError: The outbox cannot be written, or the file cannot be read.
        """
        self.outbox.require_available()
        with storage_errors(self.outbox.work_dir):
            copy = self.intake.claim_copy(job)
            if copy is None:
                self.intake.drop_copy(job)
            return copy

    def file_records(self, job: Job, records: Sequence[Record]) -> None:
        """Puts the original and the JSON of each record in the outbox, then removes the file from the inbox.

        Raises:
            StorageError: Something cannot be written or is missing. Nothing is lost; call it again.
        """
        self.outbox.require_available()
        with storage_errors(self.outbox.original(job)):
            if not self.outbox.has_original(job):
                copy = self.claim_copy(job)  # a crash or a power cut may have damaged the first one
                if copy is None:
                    advice = "Its record is saved; put the same file in the inbox under the same name."
                    raise StorageError(f"{job.name} left the inbox before it was filed. {advice}")
                self.outbox.link_original(job, copy)
            self.outbox.write_records(job, records)
            self.intake.remove(job)
            self.intake.drop_copy(job)

    def file_other(self, job: Job, first: Job | None = None) -> bool:
        """Moves a failed file or a duplicate to the outbox with a notice why, and returns whether the inbox still had it.

        Args:
            first: The job with the same content, for a duplicate.
        Raises:
            StorageError: Something cannot be written. Nothing is lost; call it again.
        """
        self.outbox.require_available()
        with storage_errors(self.outbox.original(job)):
            is_there = job.sha256 is None or self._move_to_outbox(job)  # what was refused stays in the inbox
            if not is_there:
                self.outbox.drop_partial(job)
            elif self.outbox.layout.has_notice(job):
                self.outbox.write_notice(job, first)
            self.intake.drop_copy(job)
        return is_there

    def has_file(self, job: Job) -> bool:
        """Whether a failed job's file is in the outbox, or hidden in the inbox because `put_back` was interrupted."""
        with storage_errors(self.outbox.original(job)):
            return self.outbox.has_original(job) or holds(self.intake.hidden_path(job), job.sha256 or "")

    def put_back(self, job: Job) -> Path:
        """Moves a failed file back into the inbox and returns its path relative to it. Its notice is removed first.

        Raises:
            StorageError: The file is not in `failed/` any more, or the inbox cannot be written.
        """
        source = self.outbox.original(job)
        with storage_errors(source):
            if is_regular(source):
                hidden = self.intake.make_room(job)
                self.outbox.remove_notice(job)
                move(source, hidden)
                self._at_checkpoint(Checkpoint.BROUGHT_BACK)
            elif not holds(self.intake.hidden_path(job), job.sha256 or ""):  # where an interrupted call has left it
                raise FileNotFoundError(errno.ENOENT, "does not exist any more", os.fspath(source))
            return self.intake.unhide(job).relative_to(self.intake.inbox_dir)

    def tidy(self, open_ids: Collection[str], find: Callable[[str], Job | None], find_same: Callable[[str], Collection[Job]]) -> None:
        """Cleans up what a crash or a power cut has left of jobs that are not open.

        Removes their private copies. Removes files with hidden names in the inbox if the outbox has the same content, and gives visible
        names to all others, so that they are taken like any file.

        Args:
            find: Returns the job with a `receipt_id`, if there is one.
            find_same: Returns all jobs with a SHA-256.
        Raises:
            StorageError: The outbox is not available, or a folder cannot be read or written.
        """
        self.outbox.require_available()
        with storage_errors(self.outbox.work_dir):
            self.intake.drop_copies_except(open_ids)
        with storage_errors(self.intake.inbox_dir):
            for hidden, receipt_id in self.intake.hidden_leftovers(open_ids):
                if self._is_filed(sha256 := digest(hidden), find_same(sha256)):
                    hidden.unlink()
                    sync_folder(hidden.parent)
                else:
                    self.intake.unhide_leftover(hidden, find(receipt_id))

    def _is_filed(self, sha256: str, jobs: Collection[Job]) -> bool:
        return any(job.filed_as and holds(self.outbox.root / job.filed_as, sha256) for job in jobs)

    def _move_to_outbox(self, job: Job) -> bool:
        """Moves the job's file to its planned path, and returns whether it is there."""
        if self.outbox.has_original(job):
            sync_folder(self.outbox.original(job).parent)
            self.outbox.drop_partial(job)  # a crash may have come before the file's other names were removed
            self.intake.remove(job)
            return True
        if not self.intake.hide(job):
            return False
        self.outbox.move_original(job, self.intake.hidden_path(job))
        return True
