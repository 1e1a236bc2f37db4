"""The named steps of a file from inbox to outbox; tests interrupt the program at each of them."""

from collections.abc import Callable
from enum import StrEnum


class Checkpoint(StrEnum):
    """A step that has just been completed."""

    RECLAIMED = "reclaimed"  # jobs of a process that died are queued again
    TIDIED = "tidied"  # leftovers of a crash are removed
    TAKEN = "taken"  # a settled file is in the job queue
    CLAIMED = "claimed"  # jobs are leased to the worker
    COPIED = "copied"  # the private copy for reading exists
    READ = "read"  # a file of the batch has its result
    STORED = "stored"  # the record and its planned path are saved in one transaction
    WITHDRAWN = "withdrawn"  # a job without a file is closed
    DELAYED = "delayed"  # a job is to be retried
    FAILED = "failed"  # a job will not be retried
    PLANNED = "planned"  # the path of a failed file or a duplicate is saved
    SET_ASIDE = "set_aside"  # a file has its hidden name in the inbox
    GIVEN_BACK = "given_back"  # a hidden file has a visible name again
    ORIGINAL_PLACED = "original_placed"
    RECORD_WRITTEN = "record_written"
    REMOVED = "removed"  # a filed original was removed from the inbox
    MOVED = "moved"  # a failed file or a duplicate was moved to the outbox
    NOTICE_WRITTEN = "notice_written"
    COPY_DROPPED = "copy_dropped"
    FILED = "filed"  # all files are in place and the job is closed
    NOTICE_REMOVED = "notice_removed"  # of a failed file that is retried
    BROUGHT_BACK = "brought_back"  # a failed file is in the inbox again
    REQUEUED = "requeued"  # its job is queued again


AtCheckpoint = Callable[[Checkpoint], None]


def go_on(step: Checkpoint) -> None:
    """Does nothing; the program continues."""
