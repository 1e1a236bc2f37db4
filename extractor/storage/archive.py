"""Opens the database and the folders of an installation: enough to list, search, export and retry, also while a service runs."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from extractor.config.settings import Settings
from extractor.errors import ConfigError
from extractor.jobs import Job, JobState
from extractor.runtime.checkpoints import AtCheckpoint, Checkpoint, go_on
from extractor.runtime.clock import Clock, SystemClock
from extractor.storage.database.connection import Database
from extractor.storage.database.job_queue import JobQueue
from extractor.storage.database.receipts import ReceiptRepository
from extractor.storage.files.atomic import make_folder, storage_errors
from extractor.storage.files.filing import Filing
from extractor.storage.files.outbox import Outbox


@dataclass(frozen=True)
class Archive:
    """The database, inbox and outbox of one installation. Needs no reader.

    Attributes:
        filing: Moves files between inbox and outbox.
    """

    settings: Settings
    database: Database
    job_queue: JobQueue
    receipts: ReceiptRepository
    filing: Filing
    at_checkpoint: AtCheckpoint = go_on

    @property
    def outbox(self) -> Outbox:
        """The folder of filed originals and JSON files."""
        return self.filing.outbox

    def retry(self, names: Collection[str] = ()) -> tuple[Job, ...]:
        """Moves failed files back into the inbox, queues their jobs again, and returns these.

        Args:
            names: Names or ids of the files to retry; by default all that are still in `failed/`.
        Raises:
            StorageError: A named file is not in `failed/` any more, or the inbox cannot be written.
        """
        wanted = [
            job
            for job in self.job_queue.jobs(JobState.FAILED)
            if job.filed_at and job.sha256 and (not names or {job.receipt_id, job.name, Path(job.filed_as or "").name} & set(names))
        ]
        return tuple(self._retry(job) for job in wanted if names or self.filing.has_file(job))

    def _retry(self, job: Job) -> Job:
        queued = self.job_queue.requeue(job, self.filing.put_back(job))
        self.at_checkpoint(Checkpoint.REQUEUED)
        return queued

    def close(self) -> None:
        """Closes the database."""
        self.database.close()


def prepare(settings: Settings) -> tuple[Path, ...]:
    """Creates the folders and the database if they do not exist, and returns those that were created.

    Marks the outbox as the right folder, and replaces a missing database by an empty one.
    """
    made = []
    for folder in (settings.inbox_dir, settings.outbox_dir, settings.database.parent):
        if not folder.is_dir():
            with storage_errors(folder):
                make_folder(folder)
            made.append(folder)
    Outbox(settings.outbox_dir).mark()
    if not settings.database.exists():
        Database(settings.database).close()
        made.append(settings.database)
    return tuple(made)


def open_archive(settings: Settings, *, clock: Clock | None = None, at_checkpoint: AtCheckpoint = go_on) -> Archive:
    """Opens the archive of this installation; creates folders and database if there is none.

    Raises:
        ConfigError: The database does not exist, but the outbox has been used.
        DatabaseDamaged, StorageError: The database cannot be used.
    """
    if not settings.database.exists():
        if Outbox(settings.outbox_dir).is_available:
            advice = "Put it back (receipts restore BACKUP), or correct the setting; to start with an empty one, run: receipts init"
            raise ConfigError(f"{settings.database} does not exist, but {settings.outbox_dir} has been used with a database. {advice}")
        prepare(settings)
    database = Database(settings.database)
    job_queue = JobQueue(database, clock or SystemClock(), settings.work)
    filing = Filing(settings.inbox_dir, settings.outbox_dir, at_checkpoint=at_checkpoint)
    return Archive(settings, database, job_queue, ReceiptRepository(database), filing, at_checkpoint)
