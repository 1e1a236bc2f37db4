"""The rows of a receipt as its header sees them: pieces of print with what their words say they are."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Final

from extractor.ocr.interface import Box, Fragment, Line, Transcript
from extractor.printed.countries import countries
from extractor.printed.dates import find_dates
from extractor.printed.months import fold
from extractor.printed.times import find_times

WIDE_GAP = 2.0
"""Fragments on a row that lie further apart than this many heights are separate pieces: a shop's name beside a stamp, a street beside a phone."""

CLASSES: Final[dict[str, re.Pattern[str]]] = {
    "legal": re.compile(
        r"\bsdn\b|\bbhd\b|\bberhad\b|\b[s5][do0]n\.? ?b|\benterprises?\b|\bgmbh\b|\bohg\b|\be\.? ?k\b|\bltd\b|\blimited\b|\bllc\b|\binc\b|\bcorp\b|\bplc\b|\bpte\b|\bpvt\b|\bpty\b"
        r"|\bs\.? ?[al]\.?(?:u\b|\b\.?$)|\bs\.? ?r\. ?l|\bs\.?p\.?a\b|\bd\.? ?o\. ?o|\ba\.? ?[s]\.$|\bs\. ?r\. ?o|sp\.? ?z ?o|\bspol|\bab$|\boyj?$|\baps\b|\ba/s\b|\bb\.?v\b|\bn\.v\b"
        r"|\bsarl\b|\bsas\b|\blda\b|\bltda\b|\bkft\b|\bzrt\b|\bооо\b|\bеоод\b|\bоод\b|\bеад\b|\bike\b|\bικε\b|\bco\b\.?,? |\bcompany\b|\bgroup\b|\bholdings?\b|有限公司|株式会社|\bkg\b$"
    ),
    "trade": re.compile(
        r"restaura|restoran|ristorante|\bcafe|kafe|coffee|caffe|kopi|bistro|\bbar\b|\bgrill|pizz|kitchen|\bmart\b|market|supermer|supermarch|supermarkt|\bstores?\b|\bshop|stationer|hardware"
        r"|pharma|farmasi|apothe|apotek|drog|drug|klini|dental|baker|backer|boulang|patiss|hotel|motel|\binn\b|hostel|books?\b|boutique|salon|fashion|electri|trading|perniagaan|perusahaan"
        r"|kedai|pasar|petrol|station|tankstelle|\bgas\b|fuel|shell\b|service|\bauto|motor|car wash|\bgifts?\b|\bdeco|house\b|\bfoods?\b|seafood|noodle|sushi|\bbbq\b|steak|\btea\b|\bteh\b"
        r"|cream|gelat|cinema|theat|museum|castle|parking|\bfarm|butcher|metzger|fleisch|deli\b|tavern|taverna|\bpub\b|brew|lounge|\bclub\b|\bspa\b|optic|toys?\b|sports?\b|jewel|watch"
        r"|super|hyper|centre|center|\bmall\b|plaza|industr|marketing|resources|solution|wholesale|discount|garden|burger|chicken|\bfried\b|taco|curry|indian|thai|chinese|nasi|mamak|kitchen"
        r"|\bkios|trafik|lebensmittel|naturkost|\bmarkt|gasth|wirtshaus|keller|stub|konditorei|eis(?:cafe|diele)|餐廳|餐厅|店|酒家|小吃|ресторан|кафе|магазин|аптека|καφε|ταβερνα"
    ),
    "street": re.compile(
        r"\bstreet\b|\bst\b\.?(?:,|$| )|\broad\b|\brd\b|\bave?\b|\bavenue\b|\bblvd\b|boulevard|\bdrive\b|\bdr\b\.?|\blane\b|\bln\b|\bhwy\b|highway|\bpkwy\b|parkway|\bcourt\b|\bsquare\b|\bway\b"
        r"|\bjalan\b|\bjln\b|\bjl\b|\bja[l1]an|\btaman\b|\btmn\b|\bbandar\b|\bkampung\b|\bkg\.|\blorong\b|\blrg\b|persiaran|\blebuh|kawasan|\bpusat\b|\bdesa\b|\blot\b|\bno[.:,]? ?\d|\blevel\b|\bfloor\b|\bflr\b"
        r"|\bfl\b|\bblock\b|\bblk\b|\bunit\b|\bsuite\b|\bste\b|\bspace\b|\bshop \d|\bshop (?:no|lot)|\bground\b|str\.|strasse\b|straße\b|platz\b|\bweg\b|allee\b|gasse\b|\brue\b|\bquai\b|\bplace\b|\bcalle\b|\bc/|\bavda\b|\bpaseo\b"
        r"|\bplaza\b|\bvia\b|\bviale\b|piazza|\bcorso\b|\brua\b|\blargo\b|\bul\.|\bulica\b|\bal\.|\bnam\.|namesti|\butca\b|gatan\b|vagen\b|gade\b|\bvej\b|gata\b|veien\b|straat\b|gracht\b|plein\b|laan\b"
        r"|\bбул\.|\bул\.|οδος|\bbuilding\b|\bbangunan\b|\bwisma\b|\bmenara\b|\bplaza\b|\bmall\b|\bcomplex\b|\bkompleks\b|\bairport\b|\bterminal\b|\broute\b|\brt\b \d|号|路|區|区"
    ),
    "phone": re.compile(
        r"\bt[e3]?[l1]\b|\btel|\bph(?:one)?\b|\bfax|\bh/?p\b|\bmobil|\bhotline|\bfon\b|telefon|\btlf\b|\bτηλ|\bcontact|\bcall\b|電話|电话|\b\(?0\d{1,4}\)?[ /-]{1,3}\d{3,4}[ -]?\d{3,4}\b"
        r"|\(?[2-9]\d{2}\)? ?[-. ] ?\d{3} ?[-. ] ?\d{4}\b|\+ ?\d{1,3}[ ()-]{0,2}\d"
    ),
    "registration": re.compile(
        r"\bgst\b|\bsst\b|\breg(?:istration|d)?\b|\bvat\b|\babn\b|\bacn\b|\btin\b|\bnip\b|\bdic\b|\bico\b|\buid\b|ust|st\.? ?-?nr|steuer|\bcvr\b|\borg\.? ?nr|\bsiret\b|\btva\b|\bnif\b|\bcif\b|p\.? ?iva|\boib\b|\bpib\b"
        r"|\bco\.? ?(?:reg\.? ?)?no|\bcompany (?:reg|no)|\broc\b|\brob\b|\bssm\b|\bb\.?r\.?n\b|\(? ?\d{5,7} ?- ?[a-z] ?\)?|\bafm\b|αφμ|\bεικ\b|\bеик\b|\btax ?(?:id|no|reg)|\blicen[cs]e|\btrn\b|gstin|\btaxid|\b[a-z]{2,3}\d{6,9}-[a-z]\b"
    ),
    "title": re.compile(
        r"tax ?invoice|\binvoice\b|receipt|\bcash (?:sales?|bill|memo)|\bbill\b|quittung|rechnung|\bbeleg\b|kassenbon|facture|factura|ricevuta|scontrino|paragon|\bfiskal|uctenka|kvitt|\bbon\b|nota\b|reprint|copy\b|duplicate|guest check"
        r"|simplified|official|\bkuitti|αποδειξη|чек|фискал|customer copy|merchant copy"
    ),
    "till": re.compile(
        r"cashier|\btable\b|\btbl\b|\bserver\b|\border\b|\bcheck\b|\bchk\b|terminal|\bstaff\b|\bclerk\b|\bpos\b|\bcounter\b|\bguests?\b|\bpax\b|\bcovers?\b|\btrans|\btill\b|\bregister\b|kasse|bediener|\btisch\b|\bmesa\b|\bcaja\b"
        r"|\bcaisse|\bcaissier|\bticket\b|\bslip\b|\bdoc\b|\bsales ?person|\bmember|\bcustomer\b|\bmanager\b|\bst#|\bop#|\bte#|\btr#|\bref\b|\bauth|\bvisa\b|master|\bcard\b|\bacct|\bdescription|\bqty\b|\bitem\b|\bamount\b|\bprice\b|\btotal\b"
        r"|\bcash\b|\bchange\b|\bdine in\b|take ?(?:out|away)|\bto go\b|\bpump\b|\bgallons|\bdate\b|\btime\b|\bdatum\b|\bfecha\b|kasjer|\bkonobar\b|\bracun\b|\bbetjent"
    ),
    "greeting": re.compile(r"welcome|thank|terima|danke|merci|gracias|grazie|obrigad|dekuj|dziek|tack\b|hvala|kiitos|please|come again|visit|have a|enjoy|willkommen|bienven|\bguten\b|wir freuen"),
    "talk": re.compile(
        r"survey|feedback|win\b|chance|\bfree\b|download|\bapp\b|coupon|follow us|facebook|opinion|tell us|return|exchange|refund|goods sold|policy|within|\byour?\b|\bour\b|\bwe\b|\bopen\b|hours|daily|receive|validation|\boffer|save\b|rewards|loyal|points|\bever[ty]\b"
    ),
    "web": re.compile(r"www\.|w{2,3}[.,]|https?|@[a-z]|\.(?:com|net|org|de|my|co|eu|at|ch|fr|es|it|nl|pl|cz|se|uk|au|ca)\b"),
}  # fmt: skip

_AMOUNT_END = re.compile(r"\d[.,]\s?\d{2}\s?[-a-z*]{0,2}$")
_STATE_ZIP = re.compile(r"\b[a-z]{2}[ .,]{1,3}[\dol]{5}(?:-\d{4})?\b")
_POSTAL = re.compile(
    r"(?<!\d)(?:\d{5}|\d{4} [a-z]{2}|\d{3} \d{2}|\d{2}-\d{3}|\d{4}-\d{3}|[a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2}|[a-z]\d[a-z] ?\d[a-z]\d)(?!\d)(?=[ ,]|$)"
)
_HOUSE = re.compile(
    r"^(?:no\.? ?)?\d{1,5}[a-z]?(?:[-/&, ]+\d{1,5}[a-z]?)*[ ,]+[^\W\d_]{2,}|[^\W\d_]{3,}[ .]\d{1,4}[a-z]?(?:[-/]\d{1,4})?,?$"
)


@dataclass(frozen=True)
class HeaderRow:
    """A piece of a printed row: its fragments side by side without a wide gap, and what its words say.

    Attributes:
        line: The whole row.
        start: Where the piece begins in `line.text`.
        end: Where it ends, excluding.
        index: Its place among all pieces, in reading order over all pages.
        row: Place of its row among all rows.
    """

    line: Line
    start: int
    end: int
    page: int
    index: int
    row: int
    box: Box

    @property
    def text(self) -> str:
        return self.line.text[self.start : self.end]

    @cached_property
    def folded(self) -> str:
        return fold(self.text)

    @cached_property
    def squashed(self) -> str:
        """Letters and digits only, folded."""
        return "".join(character for character in self.folded if character.isalnum())

    @cached_property
    def letters(self) -> int:
        return sum(character.isalpha() for character in self.text)

    @cached_property
    def digits(self) -> int:
        return sum(character.isdigit() for character in self.text)

    @cached_property
    def classes(self) -> frozenset[str]:
        """Which of `CLASSES` its words belong to, and `place`, `postal`, `house`, `amount`, `date`, `time`."""
        found = {name for name, pattern in CLASSES.items() if pattern.search(self.folded)}
        if any(place in self.folded for place in _places()):
            found.add("place")
        if _STATE_ZIP.search(self.folded) or _POSTAL.search(self.folded):
            found.add("postal")
        if _HOUSE.search(self.folded):
            found.add("house")
        if _AMOUNT_END.search(self.folded):
            found.add("amount")
        if find_dates(self.text):
            found.add("date")
        if any(not printed.is_weak for printed in find_times(self.text)):
            found.add("time")
        return frozenset(found)

    @property
    def is_print(self) -> bool:
        """Whether it looks like words that a till printed: at least three letters, read with some confidence."""
        return self.letters >= 3 and self.line.confidence >= 0.5 and self.letters + self.digits >= 0.6 * len(self.text.replace(" ", ""))


_PLACE_CACHE: list[str] = []


def _places() -> Sequence[str]:
    """Names of towns and regions of all countries, folded."""
    if not _PLACE_CACHE:
        _PLACE_CACHE.extend(
            word for country in countries().values() if "places" in country.clues for word, _ in country.clues["places"].literals
        )
    return _PLACE_CACHE


def header_rows(transcripts: Sequence[Transcript]) -> tuple[HeaderRow, ...]:
    """All pieces of all rows, in reading order over all pages."""
    found: list[HeaderRow] = []
    row = 0
    for page, transcript in enumerate(transcripts):
        for line in transcript.lines:
            for start, end, box in _pieces(line):
                found.append(HeaderRow(line, start, end, page, len(found), row, box))
            row += 1
    return tuple(found)


def _pieces(line: Line) -> Iterator[tuple[int, int, Box]]:
    """Start, end and box of the runs of fragments without a wide gap."""
    group: list[Fragment] = []
    start = offset = 0
    for fragment in line.fragments:
        if group and fragment.box.left - group[-1].box.right > WIDE_GAP * median([piece.box.height for piece in (*group, fragment)]):
            yield start, offset - 1, Box.around([piece.box for piece in group])
            group, start = [], offset
        group.append(fragment)
        offset += len(fragment.text) + 1
    yield start, offset - 1, Box.around([piece.box for piece in group])
