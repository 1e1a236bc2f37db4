"""Names of months in 34 languages, folded, and a pattern that finds them despite OCR errors."""

import re
import unicodedata
from functools import cache
from types import MappingProxyType

from extractor.parsing.confusions import SLIPS

# Source: CLDR's wide and abbreviated names (format and stand-alone) of ca bg cs da de el en es et fi fr hr hu id is it lt
# lv ms nb nl pl pt ro ru sk sl sr sv th tr uk vi, folded; and what tills print besides: ags, agt, mrz, nop, okt, peb.
# An underscore stands for a space.
_NAMES: dict[int, str] = {
    1: (
        "ene enero gen gener gennaio ian ianuarie jaan jaanuar jan janeiro januar januara januari january janv janvaris "
        "janvier led leden ledna oca ocak saus sausio sausis sij sijecanj sijecnja sty styczen stycznia tammi tammikuu "
        "tammikuuta thang_1 thg_1 ιαν ιανουαριοσ ιανουαριου січ січень січня янв январь января яну януари јан јануар ม.ค "
        "มกราคม"
    ),
    2: (
        "feb febbraio febr febrer febrero februar februara februari februarie februaris february fev fevereiro fevr fevrier "
        "helmi helmikuu helmikuuta lut lutego luty peb sub subat thang_2 thg_2 uno unor unora vas vasario vasaris veebr "
        "veebruar velj veljaca veljace φεβ φεβρουαριοσ φεβρουαριου лют лютии лютого феб фебруар фев февр февраль февраля "
        "февруари ก.พ กุมภาพันธ์"
    ),
    3: (
        "bre brezen brezna kov kovas kovo maalis maaliskuu maaliskuuta maart mac mar marc marca march marcius marco marec "
        "maret mars mart martie marts marz marzec marzo mrt mrz ozu ozujak ozujka thang_3 thg_3 μαρ μαρτιοσ μαρτιου бер "
        "березень березня мар март марта มี.ค มีนาคม"
    ),
    4: (
        "abr abril apr april aprila aprile aprilie aprilis aprill avr avril bal balandis balandzio dub duben dubna huhti "
        "huhtikuu huhtikuuta kwi kwiecien kwietnia nis nisan thang_4 thg_4 tra travanj travnja απρ απριλιοσ απριλιου апр "
        "апрель апреля април квіт квітень квітня เม.ย เมษายน"
    ),
    5: (
        "geg geguze geguzes kve kveten kvetna mag maggio mai maig maijs maio maj maja majus may mayis mayo mei svi svibanj "
        "svibnja thang_5 thg_5 touko toukokuu toukokuuta μαι μαιοσ μαιου маи мая мај трав травень травня พ.ค พฤษภาคม"
    ),
    6: (
        "birz birzelio birzelis cerven cervna cvn cze czerwca czerwiec giu giugno haz haziran iun iunie juin jun juna june "
        "junho juni junij junijs junio junius juny juuni kesa kesakuu kesakuuta lip lipanj lipnja thang_6 thg_6 ιουν ιουνιοσ "
        "ιουνιου июн июнь июня черв червень червня юни јун มิ.ย มิถุนายน"
    ),
    7: (
        "cervence cervenec cvc heina heinakuu heinakuuta iul iulie juil juillet jul jula julai julho juli julij julijs julio "
        "juliol julius july juuli liep liepa liepos lip lipca lipiec lug luglio srp srpanj srpnja tem temmuz thang_7 thg_7 "
        "ιουλ ιουλιοσ ιουλιου июл июль июля лип липень липня юли јул ก.ค กรกฎาคม"
    ),
    8: (
        "ago agost agosto ags agt agu agust agustos agustus aout aug august augusta augusti augusts augustus augusztus avg "
        "avgust elo elokuu elokuuta kol kolovoz kolovoza ogo ogos rugp rugpjucio rugpjutis sie sierpien sierpnia srp srpen "
        "srpna thang_8 thg_8 αυγ αυγουστοσ αυγουστου авг август августа серп серпень серпня ส.ค สิงหาคม"
    ),
    9: (
        "eyl eylul rugs rugsejis rugsejo ruj rujan rujna sep sept septembar september septembra septembre septembrie "
        "septembris septiembre set setembre setembro settembre syys syyskuu syyskuuta szept szeptember thang_9 thg_9 wrz "
        "wrzesien wrzesnia zar zari σεπ σεπτεμβριοσ σεπτεμβριου вер вересень вересня сент сентябрь сентября сеп септембар "
        "септември ก.ย กันยายน"
    ),
    10: (
        "eki ekim lis listopad listopada loka lokakuu lokakuuta oct october octobre octombrie octubre okt oktobar oktober "
        "oktobra oktobris oktoober ott ottobre out outubro paz pazdziernik pazdziernika rij rijen rijna spal spalio spalis "
        "thang_10 thg_10 οκτ οκτωβριοσ οκτωβριου жовт жовтень жовтня окт октобар октомври октябрь октября ต.ค ตุลาคม"
    ),
    11: (
        "kas kasim lapkr lapkricio lapkritis lis listopad listopada listopadu marras marraskuu marraskuuta noiembrie nop nov "
        "novembar november novembra novembre novembris novembro noviembre stu studeni studenoga thang_11 thg_11 νοε νοεμβριοσ "
        "νοεμβριου лист листопад листопада нов новембар ное ноември нояб ноябрь ноября พ.ย พฤศจิกายน"
    ),
    12: (
        "ara aralik dec decembar december decembra decembre decembrie decembris des desember desembre dets detsember dez "
        "dezember dezembro dic dicembre diciembre dis disember gru grudnia grudzien gruod gruodis gruodzio joulu joulukuu "
        "joulukuuta pro prosinac prosinca prosince prosinec thang_12 thg_12 δεκ δεκεμβριοσ δεκεμβριου груд грудень грудня дек "
        "декабрь декабря декември дец децембар ธ.ค ธันวาคม"
    ),
}

# Folded name to the months that it can mean: `listopad` is November in Polish and October in Croatian.
MONTHS: "MappingProxyType[str, tuple[int, ...]]"

_index: dict[str, tuple[int, ...]] = {}
for _month, _lines in _NAMES.items():
    for _name in _lines.split():
        _index[_name.replace("_", " ")] = (*_index.get(_name.replace("_", " "), ()), _month)
MONTHS = MappingProxyType(_index)

# Names that are ordinary words elsewhere; a date with one of them needs a year of four digits or separators other than spaces.
ALSO_WORDS = frozenset("ara bal bre des dis kas mac maj out pro set stu tra uno".split())

# A Thai vowel that Unicode decomposes though it is no letter with an accent.
_SARA_AM = "\u0e33"
_SINGLE = {"ς": "σ", "ı": "i", "ł": "l", "đ": "d", "ø": "o"}


def fold(text: str) -> str:
    """The text in lower case without accents, character by character: positions stay as they are."""
    return "".join(_fold_character(character) for character in text)


@cache
def _fold_character(character: str) -> str:
    if character == _SARA_AM:
        return character
    base = unicodedata.normalize("NFKD", character)[:1].lower()[:1] or character
    return _SINGLE.get(base, base)


def _slipped(name: str) -> str:
    """A pattern for the name as OCR may print it: look-alike characters, dots left out."""
    parts = []
    for character in name:
        if character in ". ":
            parts.append("[. ]?")
        elif character in SLIPS:
            parts.append(f"[{re.escape(SLIPS[character])}]")
        else:
            parts.append(re.escape(character))
    return "".join(parts)


# Longest first, so that `mars` is not read as `mar` and an `s`. Plain names before slipped ones, so that `jul` never loses to `jui`.
_ORDERED = sorted(MONTHS, key=lambda name: (-len(name), name))
# Matches a month's name in folded text.
PATTERN = "(?:" + "|".join([*(re.escape(name) for name in _ORDERED), *(_slipped(name) for name in _ORDERED)]) + ")"
_SLIPPED = tuple((re.compile(_slipped(name)), name) for name in _ORDERED)


@cache
def months_of(name: str) -> tuple[tuple[int, ...], bool]:
    """The months that a folded name can mean, and whether it had to be repaired to be one. Empty where it is no month."""
    if name in MONTHS:
        return MONTHS[name], False
    for pattern, plain in _SLIPPED:
        if pattern.fullmatch(name):
            return MONTHS[plain], True
    return (), False
