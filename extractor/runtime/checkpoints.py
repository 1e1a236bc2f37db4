"""The named steps of a file's way from inbox to outbox; tests stop the program at each of them."""

from collections.abc import Callable
from enum import StrEnum


class Checkpoint(StrEnum):
    """What has just been done."""

    RECLAIMED = "reclaimed"  # jobs of a dead process are queued again
    TIDIED = "tidied"  # what a crash has left behind is cleared away
    TAKEN = "taken"  # a file that has settled is in the job queue
    CLAIMED = "claimed"  # jobs are leased to the worker
    COPIED = "copied"  # the private copy to read is made
    READ = "read"  # the batch has its results
    STORED = "stored"  # the record is saved and its place planned, in one transaction
    WITHDRAWN = "withdrawn"  # a job without a file is closed
    DELAYED = "delayed"  # a job is to be tried again
    FAILED = "failed"  # a job will not be tried again
    PLANNED = "planned"  # the place of a failed file or a duplicate is written down
    SET_ASIDE = "set_aside"  # a file has its hidden name in the inbox
    GIVEN_BACK = "given_back"  # a file that proved to be another one has a visible name again
    ORIGINAL_PLACED = "original_placed"
    RECORD_WRITTEN = "record_written"
    REMOVED = "removed"  # a file that is filed has left the inbox
    MOVED = "moved"  # a failed file or a duplicate has left the inbox
    NOTICE_WRITTEN = "notice_written"
    COPY_DROPPED = "copy_dropped"
    FILED = "filed"  # the job is closed, all being in place
    NOTICE_REMOVED = "notice_removed"  # of a failed file that is wanted again
    BROUGHT_BACK = "brought_back"  # a failed file is in the inbox again
    REQUEUED = "requeued"  # its job is queued again


AtCheckpoint = Callable[[Checkpoint], None]


def go_on(step: Checkpoint) -> None:
    """Does nothing: the program goes on to the next step."""
