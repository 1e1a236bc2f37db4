"""Amounts as integers of minor units: exact rounding, and the printed form."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal


def round_half_up(value: Decimal) -> int:
    """The nearest integer, halves away from zero, as registers round."""
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def to_step(amount: int, step: int) -> int:
    """The multiple of `step` nearest to `amount`, halves up: cash rounding to the smallest coin."""
    return round_half_up(Decimal(amount) / step) * step


def plain(amount: int, digits: int) -> str:
    """An amount for ground truth: a point, no thousands, exactly `digits` decimals."""
    return str(Decimal(amount).scaleb(-digits).quantize(Decimal(1).scaleb(-digits)))


@dataclass(frozen=True)
class MoneyFormat:
    """How one receipt prints amounts.

    Attributes:
        minus: Template of a negative amount, such as `-{}` or `{}-`.
        mark: Currency mark.
        on_items: Where the mark goes on item lines: `before`, `before_space`, `after_space`, `after` or `none`.
        on_totals: The same on totals.
    """

    digits: int
    decimal: str
    thousands: str
    minus: str
    mark: str
    on_items: str
    on_totals: str

    def number(self, value: Decimal, digits: int | None = None) -> str:
        """A plain number with this receipt's decimal mark and grouping, rounded to `digits` (the currency's by default)."""
        places = self.digits if digits is None else digits
        whole, _, fraction = f"{abs(value):.{places}f}".partition(".")
        groups = [whole[max(0, end - 3) : end] for end in range(len(whole), 0, -3)][::-1]
        text = self.thousands.join(groups) + (self.decimal + fraction if fraction else "")
        return self.minus.format(text) if value < 0 else text

    def amount(self, minor: int, *, place: str = "none") -> str:
        """An amount in minor units; `place` says where the currency mark goes."""
        text = self.number(Decimal(abs(minor)).scaleb(-self.digits))
        marked = {
            "none": "{text}",
            "before": "{mark}{text}",
            "before_space": "{mark} {text}",
            "after": "{text}{mark}",
            "after_space": "{text} {mark}",
        }[place].format(text=text, mark=self.mark)
        return self.minus.format(marked) if minor < 0 else marked

    def item(self, minor: int) -> str:
        return self.amount(minor, place=self.on_items)

    def total(self, minor: int) -> str:
        return self.amount(minor, place=self.on_totals)
