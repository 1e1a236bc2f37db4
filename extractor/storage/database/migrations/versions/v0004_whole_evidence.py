"""Columns for the whole evidence and all attempts of a record; existing rows are filled from the records' JSON."""

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    "ALTER TABLE fields ADD COLUMN looks INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE fields ADD COLUMN agreement DOUBLE",
    "ALTER TABLE attempts ADD COLUMN page INTEGER",
    "ALTER TABLE attempts ADD COLUMN box_left DOUBLE",
    "ALTER TABLE attempts ADD COLUMN box_top DOUBLE",
    "ALTER TABLE attempts ADD COLUMN box_right DOUBLE",
    "ALTER TABLE attempts ADD COLUMN box_bottom DOUBLE",
    "ALTER TABLE attempts ADD COLUMN samples INTEGER NOT NULL DEFAULT 1",
    "CREATE INDEX receipts_duplicates ON receipts (duplicate_of) WHERE duplicate_of IS NOT NULL",
    """
    UPDATE fields SET looks = known.looks, agreement = known.agreement
    FROM (
        SELECT receipts.receipt_id, field.key AS path,
            coalesce(json_extract(field.value, '$.looks'), 1) AS looks, json_extract(field.value, '$.agreement') AS agreement
        FROM receipts, json_each(receipts.record_json, '$.fields') AS field
    ) AS known
    WHERE fields.receipt_id = known.receipt_id AND fields.path = known.path AND (known.looks <> 1 OR known.agreement IS NOT NULL)
    """,
    """
    UPDATE attempts SET
        page = json_extract(known.attempt, '$.page'), samples = coalesce(json_extract(known.attempt, '$.samples'), 1),
        box_left = json_extract(known.attempt, '$.box[0]'), box_top = json_extract(known.attempt, '$.box[1]'),
        box_right = json_extract(known.attempt, '$.box[2]'), box_bottom = json_extract(known.attempt, '$.box[3]')
    FROM (
        SELECT receipts.receipt_id, attempt.key AS position, attempt.value AS attempt
        FROM receipts, json_each(receipts.record_json, '$.attempts') AS attempt
    ) AS known
    WHERE attempts.receipt_id = known.receipt_id AND attempts.position = known.position
    """,
)


def upgrade() -> None:
    """Add the columns and fill them."""
    for statement in STATEMENTS:
        op.execute(statement)
