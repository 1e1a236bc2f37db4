"""Amounts as integers of minor units: exact rounding and formatting."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal


def round_half_up(value: Decimal) -> int:
    """Round to the nearest integer, halves away from zero, as cash registers do."""
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def to_step(amount: int, step: int) -> int:
    """Round to the nearest multiple of `step`, halves away from zero: cash rounding to the smallest coin."""
    return round_half_up(Decimal(amount) / step) * step


def plain(amount: int, digits: int) -> str:
    """Format an amount for ground truth: decimal point, no thousands separators, exactly `digits` decimals."""
    return str(Decimal(amount).scaleb(-digits).quantize(Decimal(1).scaleb(-digits)))


@dataclass(frozen=True)
class MoneyFormat:
    """How one receipt formats amounts.

    Attributes:
        minus: Template of a negative amount, such as `-{}` or `{}-`.
        mark: Currency symbol or code.
        on_items: Position of the mark on item lines: `before`, `before_space`, `after_space`, `after` or `none`.
        on_totals: The same for totals.
    """

    digits: int
    decimal: str
    thousands: str
    minus: str
    mark: str
    on_items: str
    on_totals: str

    def number(self, value: Decimal, digits: int | None = None) -> str:
        """Format a number with this receipt's separators, rounded to `digits` decimals (by default those of the currency)."""
        places = self.digits if digits is None else digits
        whole, _, fraction = f"{abs(value):.{places}f}".partition(".")
        groups = [whole[max(0, end - 3) : end] for end in range(len(whole), 0, -3)][::-1]
        text = self.thousands.join(groups) + (self.decimal + fraction if fraction else "")
        return self.minus.format(text) if value < 0 else text

    def amount(self, minor: int, *, place: str = "none") -> str:
        """Format an amount in minor units, with the currency mark at `place`."""
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
