"""How files leave the inbox: under a hidden name first, where nobody replaces them between a look at them and their removal."""

import errno
import os
import secrets
from collections.abc import Collection, Iterator
from pathlib import Path

from extractor.errors import StorageError
from extractor.jobs import RECEIPT_ID_LENGTH, Job
from extractor.runtime.checkpoints import AtCheckpoint, Checkpoint, go_on
from extractor.runtime.filenames import printable, safe_stem
from extractor.storage.files.atomic import holds, is_regular, is_same_file, leads_away, make_folder, mount_of, rename_to_free, sync_folder

ASIDE = ".receipts-"
"""Begins the hidden name, followed by the receipt's id."""


class Intake:
    """The inbox as the place that files are taken from, and that failed ones come back to. Every step may run twice.

    What the system says of folders and files comes out as OSError.
    """

    def __init__(self, inbox_dir: Path, *, at_checkpoint: AtCheckpoint = go_on) -> None:
        self.inbox_dir = inbox_dir
        self._at_checkpoint = at_checkpoint
        self._mount = mount_of(inbox_dir)

    def require_here(self) -> None:
        """Refuses to take it that files were removed where the whole inbox is away.

        Raises:
            StorageError: The folder is not there, or its volume is not mounted.
        """
        mount = mount_of(self.inbox_dir)
        if not self.inbox_dir.is_dir() or not mount.is_relative_to(self._mount):
            way_out = "Mount its volume again, or make the folder; what is queued waits for it."
            raise StorageError(f"The inbox {printable(self.inbox_dir)} is away. {way_out}")
        self._mount = mount

    def aside(self, job: Job) -> Path:
        """The hidden name that the job's file has while it leaves."""
        return (self.inbox_dir / job.path).with_name(f"{ASIDE}{job.receipt_id}")

    def places(self, job: Job) -> tuple[Path, ...]:
        """Where the job's file may lie in the inbox; nowhere if its folder has become a link, which leads away."""
        return () if leads_away(self.inbox_dir, job.path) else (self.inbox_dir / job.path, self.aside(job))

    def set_aside(self, job: Job) -> bool:
        """Whether the job's own bytes lie under its hidden name now, and no more under any other. Other bytes are given their name back.

        Raises:
            StorageError: There is no such file, but the inbox is away.
        """
        source, aside = self.inbox_dir / job.path, self.aside(job)
        if leads_away(self.inbox_dir, job.path):
            return False
        if not aside.exists():
            if not is_regular(source):
                self.require_here()
                return False
            source.rename(aside)
            self._at_checkpoint(Checkpoint.SET_ASIDE)
        if holds(aside, job.sha256 or ""):
            if other := self._second_name(job):
                other.unlink()
                sync_folder(other.parent)
            return True
        self.give_back(job)
        return False

    def remove(self, job: Job) -> None:
        """Removes the job's file, and only that: a file that has replaced it stays."""
        if self.set_aside(job):
            self.aside(job).unlink()
            sync_folder(self.aside(job).parent)  # else it may come back, as a new arrival
            self._at_checkpoint(Checkpoint.REMOVED)

    def make_room(self, job: Job) -> Path:
        """The job's hidden name, which nothing has now, in a folder that is there."""
        aside = self.aside(job)
        if leads_away(self.inbox_dir, job.path):
            raise NotADirectoryError(errno.ENOTDIR, "is a link by now; remove it", os.fspath(aside.parent))
        make_folder(aside.parent)
        if holds(aside, job.sha256 or ""):
            aside.unlink()  # a copy: a crash came between copying to another volume and removing
        elif os.path.lexists(aside):
            self.give_back(job)
        return aside

    def give_back(self, job: Job) -> Path:
        """The visible name that what has the job's hidden name gets; nothing is overwritten."""
        aside, target = self.aside(job), self._second_name(job)
        if target:
            aside.unlink()
        else:
            target = _free_name(self.inbox_dir / job.path, job.receipt_id)
            rename_to_free(aside, target)
        sync_folder(target.parent)
        self._at_checkpoint(Checkpoint.GIVEN_BACK)
        return target

    def leftovers(self, open_ids: Collection[str]) -> Iterator[tuple[Path, str]]:
        """Files under hidden names whose jobs are not open, each with the receipt's id; half copies are removed."""
        for parent, _, names in os.walk(self.inbox_dir):
            for name in names:
                path, receipt_id = Path(parent, name), name.removeprefix(ASIDE)
                if name.startswith(f".{ASIDE}") and name.endswith(".tmp"):
                    path.unlink(missing_ok=True)  # of a failed file on its way back from another volume
                elif name.startswith(ASIDE) and len(receipt_id) == RECEIPT_ID_LENGTH and receipt_id not in open_ids and is_regular(path):
                    yield path, receipt_id

    def show(self, aside: Path, job: Job | None) -> None:
        """Gives a leftover a visible name, so that it is taken like any file; one of its own where its job is not known."""
        if job is not None and aside == self.aside(job):
            self.give_back(job)
        else:
            rename_to_free(aside, _free_name(aside.with_name(f"returned-{aside.name.removeprefix(ASIDE)}"), secrets.token_hex(4)))

    def _second_name(self, job: Job) -> Path | None:
        """The visible name of the very file that has the job's hidden name, too: a crash came while it was given back."""
        name = self.inbox_dir / job.path
        names = (name, _with_id(name, job.receipt_id))
        return next((name for name in names if is_same_file(self.aside(job), name)), None)


def _free_name(path: Path, receipt_id: str) -> Path:
    """The path, or one with the receipt's id in its name where the path is taken."""
    return _with_id(path, receipt_id) if os.path.lexists(path) else path


def _with_id(path: Path, receipt_id: str) -> Path:
    return path.with_name(f"{safe_stem(path.name)}-{receipt_id}{path.suffix}")
