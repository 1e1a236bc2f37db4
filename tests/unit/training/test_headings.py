"""Synthetic headings: the labels match the printed rows."""

from random import Random

from tests.transcripts import transcript
from training.headings import with_heading, with_inserted_rows


def test_a_heading_prints_its_name_above_the_rest() -> None:
    """The rows before the given one are replaced; the others follow below, in order, and none overlaps."""
    page = transcript("OLD NAME", "Old Street 1", "Tea 2.00", "Total 2.00")
    for seed in range(40):
        made, _, _ = with_heading(page, 2, Random(seed))  # noqa: S311
        texts = [line.text for line in made.lines]
        assert texts[-2:] == ["Tea 2.00", "Total 2.00"]
        assert "OLD NAME" not in texts
        tops = [line.box.top for line in made.lines]
        assert tops == sorted(tops)


def test_inserting_keeps_what_was_there() -> None:
    """Rows are only added: every own row stays, in order."""
    page = transcript("NAME", "Street 1", "Tea 2.00", "Total 2.00")
    own = [line.text for line in page.lines]
    for seed in range(40):
        texts = [line.text for line in with_inserted_rows(page, Random(seed)).lines]  # noqa: S311
        assert [text for text in texts if text in own] == own
