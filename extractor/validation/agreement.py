"""Whether two printed texts state the same value of a field. Pure."""

import re
from difflib import SequenceMatcher

from extractor.parsing.dates.finder import find_dates
from extractor.parsing.times import find_times
from extractor.validation.normalisation import AMOUNT_FIELDS, MAGNITUDE_FIELDS

# Names and addresses agree from this similarity of their letters and digits: two looks at the same print differ in spaces, accents and, in
# long texts, a letter.
MIN_SIMILARITY = {"merchant_name": 0.93, "merchant_address": 0.85}


def agree(name: str, one: str, other: str) -> bool:
    """Whether two texts state the same: the same digits of an amount, a common date, the same minute, a similar name.

    Args:
        name: A text field of `ReceiptAnswer`.
    """
    if one == other:
        return True
    if name in AMOUNT_FIELDS or name in MAGNITUDE_FIELDS:
        return re.sub(r"\D", "", one) == re.sub(r"\D", "", other)
    if name == "transaction_date":
        days = [{day for printed in find_dates(text) for day in printed.days} for text in (one, other)]
        return bool(days[0] & days[1])
    if name == "transaction_time":
        minutes = [{(printed.value.hour, printed.value.minute) for printed in find_times(text)} for text in (one, other)]
        return bool(minutes[0] & minutes[1])
    a, b = (re.sub(r"[\W_]", "", text.casefold()) for text in (one, other))
    if name in MIN_SIMILARITY and a and b:
        return a in b or b in a or SequenceMatcher(None, a, b, autojunk=False).ratio() >= MIN_SIMILARITY[name]
    return a == b
