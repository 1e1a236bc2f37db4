"""Grammars: which tokens may come next."""

from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch", reason="the vision extra is not installed")

from extractor.readers.vision.grammar import GrammarRow, Grammars, masked  # noqa: E402 - not without torch

if TYPE_CHECKING:
    from extractor.readers.vision.model_loading import LoadedModel

pytestmark = pytest.mark.vision

SCHEMA = {"type": "object", "properties": {"a": {"enum": ["b"]}}, "required": ["a"], "additionalProperties": False}


@pytest.fixture
def grammars(loaded_mllama: "LoadedModel") -> Grammars:
    return Grammars(loaded_mllama.processor.tokenizer, loaded_mllama.ends)


def allowed(grammars: Grammars, row: GrammarRow, vocabulary: int) -> set[int]:
    masks = grammars.blank(1)
    grammars.fill([(row, ())], masks)
    return set(torch.isfinite(masked(torch.zeros(1, vocabulary), masks))[0].nonzero()[:, 0].tolist())


def test_an_answer_is_compact_and_then_only_ends(grammars: Grammars, loaded_mllama: "LoadedModel") -> None:
    """No blanks between tokens, and after the last brace only the end token, however often it is asked."""
    row, tokenizer = grammars.row(SCHEMA), loaded_mllama.processor.tokenizer
    for token in tokenizer('{"a":"b"}', add_special_tokens=False)["input_ids"]:
        assert token in allowed(grammars, row, len(tokenizer))
        row.accept(token)
    assert row.error is None
    assert allowed(grammars, row, len(tokenizer)) == allowed(grammars, row, len(tokenizer)) == loaded_mllama.ends


def test_what_must_come_next_is_known(grammars: Grammars, loaded_mllama: "LoadedModel") -> None:
    """In the tokenizer's own tokens, up to where a choice begins; once the answer is complete, nothing more."""
    choice = {"type": "object", "properties": {"total": {"enum": ["12", None]}}, "required": ["total"], "additionalProperties": False}
    row, tokenizer = grammars.row(choice), loaded_mllama.processor.tokenizer
    whole = tokenizer('{"total":null}', add_special_tokens=False)["input_ids"]
    forced = row.forced_tokens()
    assert forced
    assert forced == whole[: len(forced)]
    assert tokenizer.decode(forced).startswith('{"total')
    for token in [*forced, *whole[len(forced) :]]:
        row.accept(token)
    assert row.is_finished
    assert row.forced_tokens() == []


def test_free_text_is_never_forced(grammars: Grammars) -> None:
    """A row without a grammar, or one that has left it, has a choice and no end of its own."""
    free, failed = grammars.row(None), grammars.row(SCHEMA)
    failed.accept(0)
    assert (free.forced_tokens(), free.is_finished, failed.forced_tokens(), failed.is_finished) == ([], False, [], False)


def test_a_token_off_the_grammar_frees_its_row(grammars: Grammars, loaded_mllama: "LoadedModel") -> None:
    """The row has an error; its mask allows everything, so that nothing fails before it is removed."""
    row, tokenizer = grammars.row(SCHEMA), loaded_mllama.processor.tokenizer
    row.accept(tokenizer.convert_tokens_to_ids("z"))
    assert row.error
    assert len(allowed(grammars, row, len(tokenizer))) == len(tokenizer)


@pytest.mark.parametrize("more", [-10, 0, 200])
def test_masks_fit_vocabularies_of_other_sizes(grammars: Grammars, loaded_mllama: "LoadedModel", more: int) -> None:
    """Logits may be fewer or more than the tokenizer's tokens; those far beyond are never allowed."""
    tokens = len(loaded_mllama.processor.tokenizer)
    found = allowed(grammars, grammars.row(None), tokens + more)
    assert found >= set(range(min(tokens, tokens + more)))
    assert max(found) < tokens + 32


def test_a_bad_schema_is_an_error_of_its_row(grammars: Grammars) -> None:
    """A schema that cannot be compiled is an error of its row, not an exception."""
    bad: dict[str, Any] = {"type": "string", "pattern": "(?=x)"}
    assert grammars.row(bad).error


def test_a_recycled_row_begins_anew(grammars: Grammars, loaded_mllama: "LoadedModel") -> None:
    """Wherever the earlier answer ended; a failed row is not used again."""
    tokenizer = loaded_mllama.processor.tokenizer
    row = grammars.row(SCHEMA)
    at_start = allowed(grammars, row, len(tokenizer))
    row.accept(tokenizer.convert_tokens_to_ids("{"))
    grammars.recycle(row)
    assert allowed(grammars, grammars.row(SCHEMA), len(tokenizer)) == at_start
    failed = grammars.row(SCHEMA)
    failed.accept(tokenizer.convert_tokens_to_ids("z"))
    grammars.recycle(failed)
    assert grammars.row(SCHEMA).error is None
