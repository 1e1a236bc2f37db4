"""What the JSON files in the outbox say: a record, or why a file lies in `failed/` or `duplicates/`. Pure."""

import json
from typing import Any

from extractor.jobs import Job, JobState
from extractor.schemas.record import Record


def record_json(record: Record) -> bytes:
    """The record as the outbox file holds it."""
    return record.model_dump_json(indent=2).encode() + b"\n"


def notice_json(job: Job, first: Job | None) -> bytes:
    """Why a failed file or a duplicate lies where it does, and what to do.

    Args:
        first: The job that has the same bytes, for duplicates.
    """
    return json.dumps(_notice(job, first), ensure_ascii=False, indent=2).encode() + b"\n"


def _notice(job: Job, first: Job | None) -> dict[str, Any]:
    common = {"file": job.name, "receipt_id": job.receipt_id, "sha256": job.sha256, "received_at": job.received_at.isoformat()}
    if job.state is JobState.DUPLICATE:
        why = "The inbox has received exactly these bytes before, so they are not read again."
        way_out = "Nothing is to be done; this copy may be deleted."
        filed_as = first.filed_as if first else None
        return common | {
            "what": f"{job.name} is a duplicate.",
            "why": why,
            "way_out": way_out,
            "duplicate_of": job.duplicate_of,
            "filed_as": filed_as,
        }
    what = f"{job.name} was not filed as a receipt." if job.sha256 else f"{job.name} was refused and left in the inbox."
    way_out = f"Do what the message says, then run: receipts retry {job.receipt_id}" if job.sha256 else "Put the file itself in the inbox."
    return common | {"what": what, "why": job.error_message, "kind": job.error_kind, "way_out": way_out, "attempts": job.attempts}
