"""Content of the JSON files in the outbox: records, and notices about failed files and duplicates."""

import json
from typing import Any

from extractor.jobs import Job, JobState
from extractor.schemas.record import Record


def record_json(record: Record) -> bytes:
    """The record as it is written to the outbox."""
    return record.model_dump_json(indent=2).encode() + b"\n"


def notice_json(job: Job, first: Job | None) -> bytes:
    """Explains why a file is in `failed/` or `duplicates/`, and what the user can do.

    Args:
        first: The job with the same content, for a duplicate.
    """
    common = {"file": job.name, "receipt_id": job.receipt_id, "sha256": job.sha256, "received_at": job.received_at.isoformat()}
    notice = common | (_duplicate(job, first) if job.state is JobState.DUPLICATE else _failure(job))
    return json.dumps(notice, ensure_ascii=False, indent=2).encode() + b"\n"


def _duplicate(job: Job, first: Job | None) -> dict[str, Any]:
    return {
        "what": f"{job.name} is a duplicate.",
        "why": "A file with exactly this content was received before, so it was not read again.",
        "what_to_do": "You can delete this copy.",
        "duplicate_of": job.duplicate_of,
        "filed_as": first.filed_as if first else None,
    }


def _failure(job: Job) -> dict[str, Any]:
    if job.sha256:
        what = f"{job.name} was not filed as a receipt."
        what_to_do = f"Do what the message says, then run: receipts retry {job.receipt_id}"
    else:
        what = f"{job.name} was refused and left in the inbox."
        what_to_do = "Put the file itself in the inbox."
    return {"what": what, "why": job.error_message, "kind": job.error_kind, "what_to_do": what_to_do, "attempts": job.attempts}
