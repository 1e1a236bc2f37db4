"""Indexes for large databases: neither the service's queries nor lists read all rows any more."""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    "DROP INDEX jobs_due",
    "CREATE INDEX jobs_due ON jobs (state, next_attempt_at, id) WHERE filed_at is null",
    "CREATE INDEX jobs_state ON jobs (state, filed_at)",
    "CREATE INDEX jobs_refused ON jobs (path) WHERE error_kind = 'Refused'",
    "CREATE INDEX jobs_filed ON jobs (filed_as)",
    "DROP INDEX ix_receipts_status",
    "CREATE INDEX receipts_status ON receipts (status, receipt_id)",
    "ALTER TABLE receipts ADD COLUMN day TEXT GENERATED ALWAYS AS (coalesce(transaction_date, substr(received_at, 1, 10))) VIRTUAL",
    "CREATE INDEX receipts_day ON receipts (day)",
)


def upgrade() -> None:
    """Create the indexes, and drop those that they replace."""
    for statement in STATEMENTS:
        op.execute(statement)
