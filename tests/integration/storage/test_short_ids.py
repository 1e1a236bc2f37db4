"""People name a record by a few characters of its identifier."""

from pathlib import Path

import pytest

from extractor.errors import InputError
from extractor.storage.archive import Archive
from extractor.storage.database.short_ids import find_receipt_id, is_part_of
from extractor.testing import make_record, make_source

IDS = ("01JD0000000000000000ABCDEF", "01JD0000000000000001ABCDEF", "01JD00000000000000000GHJKM", "01JE000000000000000000PQRS")


@pytest.fixture
def filed(archive: Archive) -> Archive:
    """An archive with a record for each of `IDS`."""
    with archive.database.write() as connection:
        for number, receipt_id in enumerate(IDS):
            source = make_source(f"{number}.jpg", path=Path(f"{number}.jpg"))
            archive.receipts.save(connection, make_record(source).model_copy(update={"receipt_id": receipt_id}))
    return archive


@pytest.mark.parametrize("text", ["01JD00000000000000000GHJKM", "0GHJKM", "00000GHJKM", "0ghjkm", "01JD00000000000000000G"])
def test_the_end_the_beginning_or_the_whole_finds_a_record(filed: Archive, text: str) -> None:
    """Any part that fits one record alone names it; case does not matter."""
    assert find_receipt_id(filed.database, text) == IDS[2]
    assert is_part_of(text, IDS[2])


def test_several_candidates_are_listed(filed: Archive) -> None:
    """Whoever gives too few characters sees which records they fit."""
    with pytest.raises(InputError, match="ABCDEF fits several records") as caught:
        find_receipt_id(filed.database, "ABCDEF")

    assert [receipt_id for receipt_id in IDS if receipt_id in str(caught.value)] == list(IDS[:2])


@pytest.mark.parametrize("text", ["GHJKM", "PQRSTU", "", "%%%%%%%%", "______PQRS", "läufer", "\0\0\0\0\0\0"])
def test_other_texts_find_nothing(filed: Archive, text: str) -> None:
    """Fewer than six characters, unknown ones and SQL wildcards name no record, and the error says where to look."""
    with pytest.raises(InputError, match="receipts list"):
        find_receipt_id(filed.database, text)
    assert not is_part_of(text, IDS[2])
