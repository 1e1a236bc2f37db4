"""The record's JSON Schema is a promise to users: it changes only on purpose."""

import json
from pathlib import Path

from schemas.record import Record

GOLDEN = Path(__file__).with_name("record.schema.json")


def test_the_record_s_schema_is_the_one_that_was_published(update_golden: bool) -> None:
    """A change of the record shows up in review; after a wanted one, run `pytest tests/golden --update-golden`."""
    schema = json.dumps(Record.model_json_schema(mode="serialization"), indent=2, ensure_ascii=False) + "\n"
    if update_golden:
        GOLDEN.write_text(schema, encoding="utf-8")

    assert schema == GOLDEN.read_text(encoding="utf-8")
