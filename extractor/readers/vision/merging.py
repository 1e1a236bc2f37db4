"""Merges the answers about the parts and pages of one receipt. Pure."""

import json
from collections.abc import Sequence
from typing import Any

Fields = dict[str, Any]

# Fields whose last value counts: a total on page 1 is carried over to page 2. Of all other fields the first value counts.
FROM_THE_END = frozenset(
    "subtotal discount_total tax_total tip service_charge rounding total amount_tendered change_given tax_lines payments".split()
)

LISTS = frozenset(("items", "tax_lines", "payments", "missing"))


def merged(answers: Sequence[Fields]) -> Fields:
    """Merge the answers about a receipt's parts, in print order (at least one).

    Items are concatenated; those that two neighbouring parts both show are included once. A field is missing if no part has it.
    """
    names = list(dict.fromkeys(name for answer in answers for name in answer))
    whole = {name: _value(name, [answer[name] for answer in answers if name in answer]) for name in names if name != "missing"}
    if "missing" in names:
        whole["missing"] = _missing([answer.get("missing") or [] for answer in answers], whole)
    return whole


def item_offsets(answers: Sequence[Fields]) -> list[int]:
    """Return, for each part, the index of its first item in the merged items."""
    items, offsets = list[Any](), list[int]()
    for answer in answers:
        more = list(answer.get("items") or ())
        offsets.append(len(items) - _shared(items, more))
        items = _concatenated(items, more)
    return offsets


def _value(name: str, stated: Sequence[Any]) -> Any:
    if name == "items":
        items: list[Any] = []
        for more in stated:
            items = _concatenated(items, list(more or ()))
        return items
    order = reversed(stated) if name in FROM_THE_END else stated
    return next((value for value in order if value), [] if name in LISTS else None)


def _concatenated(items: list[Any], more: list[Any]) -> list[Any]:
    """Concatenate two lists; items at the end of the first that are also the start of the second are included once."""
    return [*items, *more[_shared(items, more) :]]


def _shared(items: list[Any], more: list[Any]) -> int:
    """Return the number of items that the end of `items` and the start of `more` have in common."""
    keys, more_keys = [_key(item) for item in items], [_key(item) for item in more]
    return next((size for size in range(min(len(items), len(more)), 0, -1) if keys[-size:] == more_keys[:size]), 0)


def _key(item: Any) -> str:
    """Return the key by which two readings of an item are the same: its text and price, ignoring case and blanks."""
    if not isinstance(item, dict):
        return json.dumps(item)
    parts = [str(item.get(name) or "") for name in ("description", "total_price")]
    return "|".join("".join(part.casefold().split()) for part in parts)


def _missing(stated: Sequence[Sequence[Any]], whole: Fields) -> list[Any]:
    """Return reasons for fields that no part has; where parts differ, `cut_off` and `unreadable` take precedence over `not_printed`."""
    reasons: dict[str, Any] = {}
    for entry in (entry for entries in stated for entry in entries if isinstance(entry, dict)):
        field = entry.get("field")
        if isinstance(field, str) and not whole.get(field) and (field not in reasons or entry.get("reason") != "not_printed"):
            reasons[field] = entry
    return list(reasons.values())
