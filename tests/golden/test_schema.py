"""The record's JSON Schema is a promise to users: it changes only on purpose."""

import json
from collections.abc import Callable

from extractor.schemas.record import Record


def test_the_record_s_schema_is_the_one_that_was_published(golden: Callable[[str, str], None]) -> None:
    """A change of the record shows up in review; after a wanted one, run `pytest --update-golden`."""
    golden("record.schema.json", json.dumps(Record.model_json_schema(mode="serialization"), indent=2, ensure_ascii=False) + "\n")
