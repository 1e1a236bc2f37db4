"""Takes files out of the inbox: claims a private copy to read, removes the original once it is filed, and puts failed files back.

A file gets a hidden name before it is compared and removed, so that nobody can replace it between the two steps. Every method may run
twice. OSErrors about files and folders are passed on.
"""

import errno
import os
import secrets
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from extractor.errors import StorageError
from extractor.jobs import RECEIPT_ID_LENGTH, Job
from extractor.runtime.checkpoints import AtCheckpoint, Checkpoint, go_on
from extractor.runtime.filenames import printable, safe_stem
from extractor.storage.files.atomic import (
    copy_hashed,
    holds,
    is_regular,
    is_same_file,
    leads_away,
    make_folder,
    mount_of,
    rename_to_free,
    sync_folder,
)

# Prefix of the hidden name; the receipt's id follows.
HIDDEN_PREFIX = ".receipts-"


class Intake:
    """The inbox, seen from the side where files leave it.

    Args:
        work_dir: Folder for private copies, on the volume of the outbox: a copy becomes the filed original.
    """

    def __init__(self, inbox_dir: Path, work_dir: Path, *, at_checkpoint: AtCheckpoint = go_on) -> None:
        self.inbox_dir = inbox_dir
        self._work_dir = work_dir
        self._at_checkpoint = at_checkpoint
        self._mount = mount_of(inbox_dir)

    def require_available(self) -> None:
        """Checks that the inbox is mounted, so that an absent file really was removed from it.

        Raises:
            StorageError: The folder does not exist, or its volume is not mounted.
        """
        mount = mount_of(self.inbox_dir)
        if not self.inbox_dir.is_dir() or not mount.is_relative_to(self._mount):
            advice = "Mount its volume again, or make the folder; queued files wait for it."
            raise StorageError(f"The inbox {printable(self.inbox_dir)} is not available. {advice}")
        self._mount = mount

    # Private copies

    def claim_copy(self, job: Job) -> Path | None:
        """Path of a private copy with the job's SHA-256, which is made if there is none; `None` if the inbox does not hold those bytes.

        Raises:
            StorageError: The inbox is not available.
        """
        copy = self._copy_path(job)
        if holds(copy, job.sha256 or ""):
            return copy
        make_folder(copy.parent)
        partial = copy.parent / ".copying"  # a file with the copy's name is synced, also after a crash
        for source in self._sources(job):
            if is_regular(source) and copy_hashed(source, partial) == job.sha256:
                partial.replace(copy)
                sync_folder(copy.parent)
                return copy
        self.require_available()
        return None

    def drop_copy(self, job: Job) -> None:
        """Removes the job's private copy, if there is one."""
        folder = self._copy_path(job).parent
        if folder.exists():
            shutil.rmtree(folder)
            self._at_checkpoint(Checkpoint.COPY_DROPPED)

    def drop_copies_except(self, receipt_ids: Collection[str]) -> None:
        """Removes the private copies of all other jobs."""
        for folder in sorted(self._work_dir.iterdir()):
            if folder.name not in receipt_ids:
                shutil.rmtree(folder)

    def _copy_path(self, job: Job) -> Path:
        return self._work_dir / job.receipt_id / job.path.name

    def _sources(self, job: Job) -> tuple[Path, ...]:
        """Paths that the job's file may have in the inbox; none if its folder has become a symbolic link."""
        return () if leads_away(self.inbox_dir, job.path) else (self.inbox_dir / job.path, self.hidden_path(job))

    # Removal

    def hidden_path(self, job: Job) -> Path:
        """Path of the job's file while it is being removed or put back."""
        return (self.inbox_dir / job.path).with_name(f"{HIDDEN_PREFIX}{job.receipt_id}")

    def hide(self, job: Job) -> bool:
        """Gives the job's file its hidden name as its only one, and returns whether its bytes are the job's; other files stay visible.

        Raises:
            StorageError: The file does not exist, and the inbox is not available.
        """
        source, hidden = self.inbox_dir / job.path, self.hidden_path(job)
        if leads_away(self.inbox_dir, job.path):
            return False
        if not hidden.exists():
            if not is_regular(source):
                self.require_available()
                return False
            source.rename(hidden)
            self._at_checkpoint(Checkpoint.SET_ASIDE)
        if holds(hidden, job.sha256 or ""):
            if other := self._other_name(job):
                other.unlink()
                sync_folder(other.parent)
            return True
        self.unhide(job)
        return False

    def remove(self, job: Job) -> None:
        """Removes the job's file; another file that has its name by now is kept."""
        if self.hide(job):
            hidden = self.hidden_path(job)
            hidden.unlink()
            sync_folder(hidden.parent)  # otherwise a power cut may bring the file back as a new arrival
            self._at_checkpoint(Checkpoint.REMOVED)

    # Return

    def make_room(self, job: Job) -> Path:
        """The job's hidden path, with no file there and its folder created.

        Raises:
            NotADirectoryError: The folder has become a symbolic link.
        """
        hidden = self.hidden_path(job)
        if leads_away(self.inbox_dir, job.path):
            raise NotADirectoryError(errno.ENOTDIR, "is a symbolic link now; remove it", os.fspath(hidden.parent))
        make_folder(hidden.parent)
        if holds(hidden, job.sha256 or ""):
            hidden.unlink()  # a second copy: a crash came before the first one was removed
        elif os.path.lexists(hidden):
            self.unhide(job)
        return hidden

    def unhide(self, job: Job) -> Path:
        """Gives the file at the job's hidden path a visible name, which is returned; overwrites nothing."""
        hidden, target = self.hidden_path(job), self._other_name(job)
        if target:
            hidden.unlink()
            sync_folder(target.parent)
        else:
            target = _free_name(self.inbox_dir / job.path, job.receipt_id)
            rename_to_free(hidden, target)
        self._at_checkpoint(Checkpoint.GIVEN_BACK)
        return target

    def hidden_leftovers(self, open_ids: Collection[str]) -> Iterator[tuple[Path, str]]:
        """Hidden files of jobs that are not open, each with its receipt id; removes partial copies on the way."""
        for parent, _, names in os.walk(self.inbox_dir):
            for name in names:
                path, receipt_id = Path(parent, name), name.removeprefix(HIDDEN_PREFIX)
                if name.startswith(f".{HIDDEN_PREFIX}") and name.endswith(".tmp"):
                    path.unlink(missing_ok=True)  # of a failed file that was being put back from another volume
                elif name == receipt_id or len(receipt_id) != RECEIPT_ID_LENGTH or receipt_id in open_ids:
                    continue
                elif is_regular(path):
                    yield path, receipt_id

    def unhide_leftover(self, hidden: Path, job: Job | None) -> None:
        """Gives a hidden file a visible name, so that it is taken like any other; a new one if its job is unknown."""
        if job is not None and hidden == self.hidden_path(job):
            self.unhide(job)
        else:
            visible = hidden.with_name(f"returned-{hidden.name.removeprefix(HIDDEN_PREFIX)}")
            rename_to_free(hidden, _free_name(visible, secrets.token_hex(4)))

    def _other_name(self, job: Job) -> Path | None:
        """The visible name that the file at the job's hidden path has as well, if a crash interrupted `unhide`."""
        name = self.inbox_dir / job.path
        names = (name, _with_id(name, job.receipt_id))
        return next((name for name in names if is_same_file(self.hidden_path(job), name)), None)


def _free_name(path: Path, receipt_id: str) -> Path:
    """The path, or one with the receipt's id in its name if the path is taken."""
    return _with_id(path, receipt_id) if os.path.lexists(path) else path


def _with_id(path: Path, receipt_id: str) -> Path:
    return path.with_name(f"{safe_stem(path.name)}-{receipt_id}{path.suffix}")
