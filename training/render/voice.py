"""How one register prints text: its case, its character set, and how it writes dates and times."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from training.render.tables import Country, Language

_PLAIN = str.maketrans({"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "đ": "d", "Đ": "D", "ı": "i", "ß": "ss"})


@dataclass(frozen=True)
class Voice:
    """One register's way of printing text.

    Attributes:
        is_upper: Everything in capitals.
        is_plain: Letters without their accents, as on registers with an old character set.
        date_format: With `{d}`, `{m}`, `{y}`, `{yy}`, `{mon}`, `{H}`, `{h}`, `{M}`, `{S}`, `{ap}`; the same for `time_format`.
    """

    country: Country
    language: Language
    is_upper: bool
    is_plain: bool
    date_format: str
    time_format: str

    def say(self, text: str) -> str:
        """`text` as this register prints it."""
        if self.is_plain:
            parts = unicodedata.normalize("NFD", text.translate(_PLAIN))
            text = "".join(part for part in parts if not "\u0300" <= part <= "\u036f")
        if self.is_upper:
            text = self.upper(text)
        return text

    def upper(self, text: str) -> str:
        """Capitals as this language prints them: Greek drops accents, Turkish keeps its dots."""
        for small, capital in self.language.upper.items():
            text = text.replace(small, capital)
        return text.upper()

    def when(self, moment: datetime, template: str) -> str:
        month = self.language.months[moment.month - 1]
        year = moment.year + self.country.era
        text = template.format(
            d=moment.day,
            m=moment.month,
            y=year,
            yy=year % 100,
            mon=month,
            H=moment.hour,
            h=(moment.hour - 1) % 12 + 1,
            M=moment.minute,
            S=moment.second,
            ap="AM" if moment.hour < 12 else "PM",
        )
        return self.say(text)

    def date(self, moment: datetime) -> str:
        return self.when(moment, self.date_format)

    def time(self, moment: datetime) -> str:
        return self.when(moment, self.time_format)
