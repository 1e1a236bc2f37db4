"""What a row of the item list may be counted as: the item that it most likely sells, and what else it may mean, each at a price."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from extractor.ocr.interface import Box
from extractor.printed.amounts import DecimalMark
from extractor.printed.keywords import Role
from extractor.readers.ocr.rows import Entry


@dataclass(frozen=True)
class FoundItem:
    """One line item with its amounts' places."""

    description: str
    total: Entry
    box: Box
    row: int
    quantity: str | None = None
    unit: str | None = None
    unit_price: Entry | None = None
    product_code: str | None = None


@dataclass(frozen=True)
class Slot:
    """One row that may be an item.

    Attributes:
        usual: What it is counted as where no sum speaks against it; `None` where it is no item.
        others: What else it may be, each with what it costs to believe that: about the natural logarithm of the odds against it.
        is_doubtful: True where its label or shape says that it may be no item.
    """

    usual: FoundItem | None
    others: tuple[tuple[FoundItem | None, float], ...] = ()
    is_doubtful: bool = False

    @property
    def is_likely(self) -> bool:
        """True where it is an item or may be one by its label."""
        return self.usual is not None or any(
            item is not None and item.description and not item.total.roles & _CHARGES and cost <= _IN_NEVER for item, cost in self.others
        )


_SUMS: Final = frozenset({Role.SUBTOTAL, Role.TOTAL, Role.NET})
_NEVER: Final = frozenset({Role.SAVINGS, Role.EXCHANGE, Role.CHANGE, Role.TAX, Role.SERVICE, Role.TIP, Role.ROUNDING})
_CHARGES: Final = frozenset({Role.TAX, Role.SERVICE, Role.ROUNDING, Role.CHANGE})
"""Labels of rows that are never counted for being many: with them, the items add up to every total."""
_DOUBTFUL: Final = frozenset({Role.NOISE, Role.COUNT, Role.CASH, Role.CARD})
"""Labels of rows that are items only where the sum needs them, since names of wares hold such words; from hardly ever to often."""
_THREE: Final = 3
_NEAR: Final = Decimal("0.02")
_IN_SUMS: Final = 3.5
_IN_NEVER: Final = 3.0
_IN_DOUBTFUL: Final = 1.5
_IN_NAMELESS: Final = 1.5
_OUT_ODD: Final = 1.0
_SIGN: Final = 1.0
_PRODUCT: Final = 1.5


@dataclass(frozen=True)
class Money:
    """What the prices of one receipt look like.

    Attributes:
        mark: Its decimal mark, or `None` where prices have no decimals.
        places: Digits behind it.
        most: The largest sum that the items may add up to; 0 where none is known.
    """

    mark: DecimalMark | None
    places: int
    most: Decimal

    @classmethod
    def of(cls, prices: Sequence[Entry], mark: DecimalMark | None, most: Decimal) -> "Money":
        three = sum(price.printed.decimals == _THREE for price in prices)
        return cls(mark, _THREE if three * 2 > len(prices) else 2 if mark else 0, most)


def make_slot(item: FoundItem, money: Money) -> Slot:
    """What a priced row may be, by its label and by the shape of its price."""
    mark = money.mark
    item = _with_sane_price(item, money)
    if _is_product(item):
        return Slot(item)
    if not item.description:
        return Slot(None, ((item, _IN_NAMELESS),) if 0 < item.total.value < money.most else (), is_doubtful=True)
    labelled = _labelled(item, mark)
    if labelled is not None:
        return labelled
    printed, value = item.total.printed, item.total.value
    is_odd = value < 0 or not printed.is_money_like or printed.decimals > money.places or bool(mark and not printed.decimals)
    if is_odd or re.search(r"\d{5}", item.description):
        return Slot(item, ((None, _OUT_ODD),), is_doubtful=True)
    product = _product(item)
    if product is not None and product > 0 and mark is not None:
        return Slot(item, ((with_price(item, f"{product:.2f}".replace(".", mark), mark), _PRODUCT),))
    return Slot(item)


def _labelled(item: FoundItem, mark: DecimalMark | None) -> Slot | None:
    """What its label says of a row; `None` where it says nothing against an item."""
    roles, value = item.total.roles, item.total.value
    if roles & {Role.DISCOUNT, Role.DEPOSIT} and not value:
        return Slot(None, is_doubtful=True)
    if roles & (_NEVER | _SUMS):
        return Slot(None, ((item, _IN_SUMS if roles & _SUMS else _IN_NEVER),), is_doubtful=True)
    if Role.DISCOUNT in roles and value > 0:
        given_back = with_price(item, f"-{item.total.printed.text}", mark)
        return Slot(item, ((given_back, _SIGN), (None, _SIGN)), is_doubtful=True)
    if roles & _DOUBTFUL and not roles & {Role.DISCOUNT, Role.DEPOSIT}:
        return Slot(None, ((item, _IN_DOUBTFUL),), is_doubtful=True)
    return None


def _is_product(item: FoundItem) -> bool:
    """True where the row itself prints a quantity and a unit price that make the price."""
    product = _product(item)
    return product is not None and item.total.value > 0 and abs(product - item.total.value) <= _NEAR


def _product(item: FoundItem) -> Decimal | None:
    """What quantity and unit price make, where the row itself prints both."""
    if item.quantity is None or item.unit_price is None or item.unit_price.row != item.total.row:
        return None
    return Decimal(item.quantity.replace(",", ".")) * item.unit_price.value


def _with_sane_price(item: FoundItem, money: Money) -> FoundItem:
    """The item with a price that prices of its receipt can be: two decimals where others have them, and not beyond the total."""
    printed, mark = item.total.printed, money.mark
    if mark is None:
        return item
    if printed.decimals == _THREE > money.places and mark in printed.text:
        return with_price(item, printed.text[:-1], mark)
    digits = printed.text
    if printed.decimals == _THREE and mark not in digits and item.total.value > money.most > 0:
        return with_price(item, re.sub(r"[.,](?=\d{3}$)", mark, digits)[:-1], mark)  # `3.288` for `3,28 B`
    if printed.decimals == 0 and digits.isdigit() and len(digits) > 2 and item.total.value > money.most > 0:
        return with_price(item, f"{digits[:-2]}{mark}{digits[-2:]}", mark)
    return item


def unsigned(slot: Slot) -> Slot:
    """The slot with prices that are not below zero."""
    usual = slot.usual
    return replace(slot, usual=positive(usual) if usual else None, others=tuple((positive(i) if i else None, c) for i, c in slot.others))


def positive(item: FoundItem) -> FoundItem:
    """The item with a price that is not below zero."""
    total = item.total
    text = total.printed.text.strip("-–—−~()")
    return item if total.value >= 0 else replace(item, total=replace(total, printed=replace(total.printed, text=text), value=-total.value))


def total_of(items: Iterable[FoundItem | None]) -> Decimal:
    """The sum of the prices; `None` counts nothing."""
    return sum((item.total.value for item in items if item is not None), Decimal(0))


def with_price(item: FoundItem, text: str, mark: DecimalMark | None) -> FoundItem:
    """The item with its price read as another text; what OCR saw is kept in `Entry.seen`."""
    total = item.total
    printed = replace(total.printed, text=text)
    return replace(item, total=replace(total, printed=printed, value=printed.value(mark), seen=total.seen or total.printed.text))
