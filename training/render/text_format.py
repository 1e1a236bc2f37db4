"""How one cash register formats text: letter case, character set, dates and times."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from training.render.locale_tables import Country, Language

_PLAIN = str.maketrans({"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "đ": "d", "Đ": "D", "ı": "i", "ß": "ss"})


@dataclass(frozen=True)
class TextFormat:
    """Text formatting of one cash register.

    Attributes:
        is_upper: Text is printed in capitals.
        is_plain: Letters are printed without diacritics, as by registers with a limited character set.
        date_format: Template with `{d}`, `{m}`, `{y}`, `{yy}`, `{mon}`, `{H}`, `{h}`, `{M}`, `{S}`, `{ap}`; `time_format` likewise.
    """

    country: Country
    language: Language
    is_upper: bool
    is_plain: bool
    date_format: str
    time_format: str

    def format(self, text: str) -> str:
        """Return `text` as this register prints it."""
        if self.is_plain:
            parts = unicodedata.normalize("NFD", text.translate(_PLAIN))
            text = "".join(part for part in parts if not "\u0300" <= part <= "\u036f")
        if self.is_upper:
            text = self.upper(text)
        return text

    def upper(self, text: str) -> str:
        """Capitalise by the rules of the language: Greek drops accents, Turkish keeps dotted letters apart."""
        for small, capital in self.language.upper.items():
            text = text.replace(small, capital)
        return text.upper()

    def _fill(self, moment: datetime, template: str) -> str:
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
        return self.format(text)

    def date(self, moment: datetime) -> str:
        return self._fill(moment, self.date_format)

    def time(self, moment: datetime) -> str:
        return self._fill(moment, self.time_format)
