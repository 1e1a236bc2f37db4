"""Answers of known content from a model without sense: the grammar's masks are narrowed to them, and all else is as ever.

With random weights a model says nonsense of any length, so that neither the share of forced tokens nor that of right guesses is that of
receipts. Held to a script it says a receipt, through the same steps, masks and checks.
"""

import json
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import torch

from extractor.readers.vision.grammar import WORD_BITS, GrammarRow, Grammars

WORDS = "MILK BREAD BUTTER RICE TEA COFFEE SUGAR CHICKEN EGGS APPLE ORANGE JUICE WATER SOAP PAPER NOODLE SAUCE CHEESE LARGE FRESH".split()

LOOK_AHEAD_BYTES = 48
"""More than the longest token."""


class Scripted(dict[str, Any]):
    """A schema whose answer is known."""

    def __init__(self, schema: Mapping[str, Any], text: str) -> None:
        super().__init__(schema)
        self.text = text


class _ScriptedRow(GrammarRow):
    def __init__(self, row: GrammarRow, text: bytes, grammars: Grammars) -> None:
        super().__init__(row.matcher, row.schema)
        self.text, self._grammars, self.at = text, grammars, 0

    def accept(self, token: int) -> None:
        super().accept(token)
        self.at += len(self._grammars.piece(token))


class ScriptedGrammars(Grammars):
    """Grammars that allow a scripted answer nothing but what comes next in it; the work of the real masks is done all the same."""

    def __init__(self, tokenizer: Any, ends: Collection[int]) -> None:
        super().__init__(tokenizer, ends)

    def row(self, schema: Mapping[str, Any] | None) -> GrammarRow:
        row = super().row(schema)
        return _ScriptedRow(row, schema.text.encode(), self) if isinstance(schema, Scripted) else row

    def fill(self, paths: Sequence[tuple[GrammarRow, Sequence[int]]], masks: torch.Tensor) -> None:
        super().fill(paths, masks)
        place = 0
        for row, ahead in paths:
            if isinstance(row, _ScriptedRow):
                for depth, token in enumerate(self._next(row, ahead)):
                    masks[place + depth].zero_()
                    bit = token % WORD_BITS
                    masks[place + depth, token // WORD_BITS] = (1 << bit) - (1 << WORD_BITS if bit == WORD_BITS - 1 else 0)
            place += 1 + len(ahead)

    def _next(self, row: _ScriptedRow, ahead: Sequence[int]) -> Iterator[int]:
        """What the script says next, and after each of the tokens ahead for as long as they follow it."""
        at = row.at
        for guess in (*ahead, None):
            tokens = self.tokens(row.text[at : at + LOOK_AHEAD_BYTES])
            if not tokens:
                return
            yield tokens[0]
            if guess is None or not row.text.startswith(self.piece(guess), at):
                return
            at += len(self.piece(guess))


def receipt_answer(number: int, items: int) -> dict[str, Any]:
    """The whole answer about a receipt; other numbers give other texts."""
    dice = random.Random(number)  # noqa: S311 - no secret
    lines = []
    for _ in range(items):
        price, count = dice.randrange(100, 4000), dice.randrange(1, 4)
        name = " ".join(dice.choices(WORDS, k=3))
        row = {"description": name, "quantity": str(count), "unit_price": None, "total_price": f"{price * count / 100:.2f}"}
        lines.append(row)
    total = f"{sum(float(line['total_price'] or 0) for line in lines):.2f}"
    return {
        "document_type": "receipt",
        "merchant_name": " ".join(dice.choices(WORDS, k=2)) + " SDN BHD",
        "merchant_address": f"{dice.randrange(200)}, JALAN {dice.choice(WORDS)} {dice.randrange(20)}, {dice.randrange(10**5):05d} JOHOR",
        "merchant_phone": f"07-{dice.randrange(10**7):07d}",
        "merchant_tax_id": None,
        "receipt_number": f"A{dice.randrange(10**6):06d}",
        "transaction_date": f"{dice.randrange(1, 29):02d}/{dice.randrange(1, 13):02d}/2018",
        "transaction_time": f"{dice.randrange(24):02d}:{dice.randrange(60):02d}",
        "currency": "RM",
        "items": lines,
        "subtotal": total,
        "discount_total": None,
        "tax_lines": [],
        "tax_total": None,
        "tip": None,
        "service_charge": None,
        "rounding": "0.00",
        "total": total,
        "payments": [{"method": "CASH", "amount": total}],
        "amount_tendered": total,
        "change_given": "0.00",
    }


def written(answer: object) -> str:
    """An answer as a model writes it."""
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def misread(value: Any, share: float, dice: random.Random) -> Any:
    """The same answer from a worse reader: about this share of its values is missing, invented, or has a wrong character."""
    if isinstance(value, dict):
        return {name: misread(part, share, dice) for name, part in value.items()}
    if isinstance(value, list):
        return [misread(part, share, dice) for part in value]
    if dice.random() >= share:
        return value
    if value is None:
        return "1"
    if dice.random() < 0.4:
        return None
    place = dice.randrange(len(value))
    return value[:place] + dice.choice("A8 .") + value[place + 1 :]
