"""Known answers from a model with random weights: the masks of the grammar are narrowed to a scripted answer.

A model with random weights writes nonsense of any length, so neither the share of forced tokens nor the acceptance rate of drafts would
be realistic. With a script it writes a receipt through the same steps, masks and checks.
"""

import json
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import torch

from extractor.readers.vision.grammar import WORD_BITS, GrammarRow, Grammars

WORDS = "MILK BREAD BUTTER RICE TEA COFFEE SUGAR CHICKEN EGGS APPLE ORANGE JUICE WATER SOAP PAPER NOODLE SAUCE CHEESE LARGE FRESH".split()

# Longer than the longest token.
LOOK_AHEAD_BYTES = 48


class Scripted(dict[str, Any]):
    """A schema with a scripted answer."""

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
    """Grammars whose masks allow only the next token of a scripted answer, after computing the real masks."""

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
        """Yield the next token of the script, and those after each draft token as long as the draft follows the script."""
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
    """Return a complete answer; it depends on `number`."""
    rng = random.Random(number)  # noqa: S311 - not for secrets
    lines = []
    for _ in range(items):
        price, count = rng.randrange(100, 4000), rng.randrange(1, 4)
        name = " ".join(rng.choices(WORDS, k=3))
        row = {"description": name, "quantity": str(count), "unit_price": None, "total_price": f"{price * count / 100:.2f}"}
        lines.append(row)
    total = f"{sum(float(line['total_price'] or 0) for line in lines):.2f}"
    return {
        "document_type": "receipt",
        "merchant_name": " ".join(rng.choices(WORDS, k=2)) + " SDN BHD",
        "merchant_address": f"{rng.randrange(200)}, JALAN {rng.choice(WORDS)} {rng.randrange(20)}, {rng.randrange(10**5):05d} JOHOR",
        "merchant_phone": f"07-{rng.randrange(10**7):07d}",
        "merchant_tax_id": None,
        "receipt_number": f"A{rng.randrange(10**6):06d}",
        "transaction_date": f"{rng.randrange(1, 29):02d}/{rng.randrange(1, 13):02d}/2018",
        "transaction_time": f"{rng.randrange(24):02d}:{rng.randrange(60):02d}",
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
    """Serialise an answer as a model writes it."""
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def misread(value: Any, share: float, rng: random.Random) -> Any:
    """Degrade an answer: about this share of its values is missing, invented or has a wrong character."""
    if isinstance(value, dict):
        return {name: misread(part, share, rng) for name, part in value.items()}
    if isinstance(value, list):
        return [misread(part, share, rng) for part in value]
    if rng.random() >= share:
        return value
    if value is None:
        return "1"
    if rng.random() < 0.4:
        return None
    place = rng.randrange(len(value))
    return value[:place] + rng.choice("A8 .") + value[place + 1 :]
