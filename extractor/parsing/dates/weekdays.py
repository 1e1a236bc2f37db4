"""Weekdays in printed text: a weekday beside an ambiguous date decides its order."""

import re

from extractor.parsing.dates.months import fold

# Source: CLDR's wide and abbreviated names, folded; Monday first. Only names that mean one day in every language listed.
_NAMES = (
    "mon monday montag lundi lunes lunedi maandag poniedzialek pondeli hetfo luni ponedjeljak mandag maanantai pazartesi isnin senin",
    "tue tues tuesday dienstag mardi martes martedi dinsdag wtorek utery kedd marti utorak tirsdag tisdag tiistai sali selasa",
    "wed wednesday mittwoch mercredi miercoles mercoledi woensdag sroda streda szerda miercuri srijeda onsdag keskiviikko carsamba rabu",
    "thu thurs thursday donnerstag jeudi jueves giovedi donderdag czwartek ctvrtek csutortok joi cetvrtak torsdag torstai persembe khamis",
    "fri friday freitag vendredi viernes venerdi vrijdag piatek patek pentek vineri petak fredag perjantai cuma jumaat jumat",
    "sat saturday samstag sonnabend samedi sabado sabato zaterdag sobota szombat sambata subota lordag lauantai cumartesi sabtu",
    "sun sunday sonntag dimanche domingo domenica zondag niedziela nedele vasarnap duminica nedjelja sondag sunnuntai pazar ahad minggu",
)
_BY_NAME = {name: number for number, names in enumerate(_NAMES) for name in names.split()}
_PATTERN = re.compile(r"(?<![^\W\d_])(?:" + "|".join(sorted(_BY_NAME, key=len, reverse=True)) + r")(?![^\W\d_])")


def weekdays_in(text: str) -> frozenset[int]:
    """The weekdays named in a text; Monday is 0."""
    return frozenset(_BY_NAME[match.group()] for match in _PATTERN.finditer(fold(text)))
