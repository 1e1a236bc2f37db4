"""The answer parser: keeps what fits the schema and names the rest. Pure; treats model output as hostile."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic import ValidationError

from extractor.errors import BadAnswer
from extractor.readers.base import Issue
from extractor.schemas.answer import ReceiptAnswer

# Three times the longest answer that the schema allows in practice (300 items).
MAX_ANSWER_CHARACTERS = 200_000

# Positions tried, from the end, where an answer is truncated; a valid prefix ends at one of the last few.
MAX_CUT_POINTS = 50

_LIST_FIELDS = frozenset(name for name, field in ReceiptAnswer.model_fields.items() if field.default == ())


@dataclass(frozen=True)
class ParsedAnswer:
    """The valid part of an answer, and an issue for each field that did not fit the schema."""

    answer: ReceiptAnswer
    issues: tuple[Issue, ...] = ()


def parse_answer(text: str, *, is_cut_off: bool = False) -> ParsedAnswer:
    """Parse the answer of a reader.

    Fences and prose around the JSON object are dropped. Numbers stay the text they were written in (`2.50` stays `2.50`). A field that does
    not fit the schema is left out and named in the issues, so that only it is asked again; of a list, only the rows that do not fit. A
    truncated answer is kept up to its last complete value.

    Args:
        is_cut_off: True where the reader reports that it hit its length limit.
    Raises:
        BadAnswer: No JSON object, an unknown constant such as NaN, a duplicate key, too deeply nested, or too long.
    """
    if len(text) > MAX_ANSWER_CHARACTERS:
        raise BadAnswer(f"The answer has {len(text)} characters; {MAX_ANSWER_CHARACTERS} are allowed.", text=text[:1000])
    start = text.find("{")
    if start < 0:
        raise BadAnswer("The answer holds no JSON object.", text=text)
    values, was_repaired = _decode(text[start:])
    kept, issues = _valid_part(values)
    if is_cut_off or was_repaired:
        issues = (*issues, Issue("*", "cut_off", "The answer ended too soon; what was complete is kept.", blocking=False))
    return ParsedAnswer(kept, issues)


def _decode(text: str) -> tuple[dict[str, Any], bool]:
    """Return the JSON object at the start of `text`, and whether its end had to be supplied."""
    decoder = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_float=str, parse_int=str, parse_constant=_refuse_constant)
    try:
        try:
            values, was_repaired = decoder.raw_decode(text)[0], False
        except json.JSONDecodeError as error:
            values, was_repaired = _longest_prefix(decoder, text[: error.pos + 1]), True
    except RecursionError as error:
        raise BadAnswer("The answer is nested too deeply.", text=text[:1000]) from error
    except _Refused as error:
        raise BadAnswer(str(error), text=text) from error
    if not isinstance(values, dict):
        raise BadAnswer("The answer is not a JSON object.", text=text)
    return values, was_repaired


class _Refused(Exception):
    """JSON that the standard library would silently accept. Not a ValueError, since callers of the decoder catch that for syntax."""


def _refuse_constant(name: str) -> NoReturn:
    raise _Refused(f"The answer holds {name}, which is not JSON.")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _Refused("The answer states a key twice.")
    return values


def _longest_prefix(decoder: json.JSONDecoder, text: str) -> Any:
    """Return the value of the longest prefix of `text` that becomes JSON when its open brackets are closed.

    Raises:
        BadAnswer: No prefix does, or only one that is empty.
    """
    for end, closing in list(_cut_points(text))[: -MAX_CUT_POINTS - 1 : -1]:
        try:
            if values := decoder.raw_decode(text[:end] + closing)[0]:
                return values
        except json.JSONDecodeError:
            continue
    raise BadAnswer("The answer is not JSON.", text=text)


def _cut_points(text: str) -> Iterator[tuple[int, str]]:
    """Yield positions where a value may have just ended, each with the closing brackets that are missing there."""
    open_brackets: list[str] = []
    in_string = is_escaped = False
    for position, character in enumerate(text):
        if in_string:
            in_string = is_escaped or character != '"'
            is_escaped = character == "\\" and not is_escaped
            continue
        if character == '"':
            in_string = True
        elif character in "{[":
            open_brackets.append("}" if character == "{" else "]")
            yield position + 1, "".join(reversed(open_brackets))
        elif character in "}]":
            if not open_brackets or open_brackets.pop() != character:
                return
            yield position + 1, "".join(reversed(open_brackets))
        elif character == ",":
            yield position, "".join(reversed(open_brackets))


def _valid_part(values: dict[str, Any]) -> tuple[ReceiptAnswer, tuple[Issue, ...]]:
    """Validate, and drop the parts that each validation reports until the rest fits the schema."""
    issues: list[Issue] = []
    values = {name: value for name, value in values.items() if name in ReceiptAnswer.model_fields}
    while True:
        try:
            return ReceiptAnswer.model_validate(values), tuple(issues)
        except ValidationError as error:
            paths = {_part_at_fault(values, detail["loc"]): detail["msg"] for detail in error.errors(include_url=False)}
            issues += [Issue(_dotted(path), "invalid", f"Does not fit: {message}.") for path, message in paths.items()]
            values = _without(values, set(paths))


def _part_at_fault(values: dict[str, Any], location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return the path of the field to drop, or of the row of a list where only that is wrong."""
    field = location[0]
    if field in _LIST_FIELDS and len(location) > 1 and isinstance(location[1], int) and isinstance(values[str(field)], list):
        return field, location[1]
    return (field,)


def _without(values: dict[str, Any], paths: set[tuple[int | str, ...]]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if (name,) in paths:
            continue
        rows_at_fault = {path[1] for path in paths if path[0] == name and len(path) > 1}
        kept[name] = [row for index, row in enumerate(value) if index not in rows_at_fault] if rows_at_fault else value
    return kept


def _dotted(path: tuple[int | str, ...]) -> str:
    return str(path[0]) + "".join(f"[{part}]" for part in path[1:])
