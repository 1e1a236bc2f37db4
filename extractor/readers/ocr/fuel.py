"""The one item of a pump receipt: a grade of fuel whose volume and unit price make the amount, wherever they stand."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from extractor.printed.digits import clean_digits
from extractor.readers.ocr.rows import Entry, Rows
from extractor.readers.ocr.slots import FoundItem

_GRADES: Final = re.compile(
    r"(?i)\b(?:regular(?:\s+unleaded)?|reg\s?ul\s?ar|unleaded(?:\s+plus)?|unl(?:d|\s?87)|midgrade|plus|premium(?:\s+unleaded)?|super(?:\s?(?:plus|e10|95|98))?"
    r"|supreme|v-?power\w*|vortex\s?\d*|diesel(?:\s?b7)?|eurodiesel|gasoil|gas[oó]leo\s?\w?|gasolina\s?\w*|natural\s?9[58]|euro\s?9[58]|e-?85|e10|e5"
    r"|ron\s?9[57]|primax\s?9[57]|pertamax|pertalite|magna|dexlite|sp\s?9[58](?:-e10)?|benzin[ae]?\s?\w?9?5?|бензин\s?\w?\d*|дизел\w*)\b"
)
_UNNAMED: Final = re.compile(r"(?i)(?:fuel|petrol|gas)(?:\s+(?:sales?|total|purchase|amount))?")
_PUMP: Final = re.compile(r"(?i)\b(?:pump|gallons?|gals?|litres?|liters?|ltrs?|price/g)\b|/\s?(?:gal|l)\b|\d{3}\s?[gl]\b")
_NUMBER: Final = re.compile(r"(?<![\d.,])\d{1,3}[.,]\d{2,4}(?!\d)")
_NEAR: Final = Decimal("0.015")


def find_fuel(rows: Rows, sums: Iterable[Entry]) -> FoundItem | None:
    """The fuel sold, or `None` where no printed volume and price per unit make one of the sums, or no grade is named."""
    if not any(_PUMP.search(row.text) for row in rows):
        return None
    grade = next(((row, match) for row in rows if (match := _GRADES.search(row.text))), None)
    if grade is None:
        return None
    numbers = {text for row in rows for text in _NUMBER.findall(clean_digits(row.text))}
    made = next((found for amount in sums if (found := _factors(amount, sorted(numbers))) is not None), None)
    if made is None:
        return None
    row, match = grade
    total, volume = made
    return FoundItem(match.group().strip(), total, row.box, row.index, quantity=volume)


def with_grade(rows: Rows, items: Sequence[FoundItem]) -> Sequence[FoundItem]:
    """The items; one that is only called `FUEL SALE` is named by the grade that the receipt prints elsewhere."""
    if not any(_UNNAMED.fullmatch(item.description) for item in items):
        return items
    grade = next((match.group().strip() for row in rows if (match := _GRADES.search(row.text))), None)
    return [replace(item, description=grade) if grade and _UNNAMED.fullmatch(item.description) else item for item in items]


def _factors(amount: Entry, numbers: Sequence[str]) -> tuple[Entry, str] | None:
    """The amount and the volume, where a volume with three decimals and a price per unit with three or more make it."""
    for volume in numbers:
        for price in numbers:
            if len(re.split("[.,]", volume)[1]) == 3 and len(re.split("[.,]", price)[1]) >= 3 and volume != price:
                product = Decimal(volume.replace(",", ".")) * Decimal(price.replace(",", "."))
                if abs(product - amount.value) <= _NEAR and _is_price(price):
                    return amount, volume
    return None


def _is_price(text: str) -> bool:
    return Decimal(text.replace(",", ".")) < 10
