"""Invented headings of receipts: names, addresses and what stands around them, in the ways of many countries. For training only."""

import re
from dataclasses import replace
from random import Random

from extractor.ocr.transcript import Box, Fragment, Line, Transcript
from training.places import address, faker
from training.render import OcrNoise

GREETINGS = (
    "WELCOME TO", "Welcome To The", "THANK YOU FOR VISITING", "Thank you for stopping at", "THANK YOU",
    "YOUR GUEST NUMBER IS", "Willkommen bei", "Bienvenue à", "SELAMAT DATANG", "Bienvenidos a", "WELCOME TO OUR STORE",
)  # fmt: skip
TITLES = (
    "TAX INVOICE", "RECEIPT", "Customer Copy", "CUSTOMER COPY", "Sales Receipt", "CASH BILL", "Guest Check",
    "***REPRINT***", "INVOICE", "Merchant Copy", "KUNDENBELEG", "DUPLICATE", "CASH SALES", "DINE IN", "TO GO",
    "Customer Receipt", "Void", "TICKET",
)  # fmt: skip
SLOGANS = (
    "Always low prices.", "Save money. Live better.", "Higher standards, lower prices", "Fresh food daily", "EST 1979",
    "Quality since 1921", "NEIGHBORHOOD GRILL & BAR", "Authorised Money Changer", "Alles für den Garten",
    "Gute Laune inklusive", "Frische und Qualität", "Fine food & wine", "A fresh start", "Le goût du bon",
    "Calidad y precio", "GET A FREE SANDWICH", "TELL US ABOUT YOUR VISIT", "Go to www.survey.example within 7 days",
    "BUY ONE GET ONE FREE", "JOIN NOW AND EARN REWARDS", "OPEN 8:00AM TO 9:00PM DAILY", "We value your opinion",
    "Öffnungszeiten Mo-Sa 8-20 Uhr", "WHOLESALE", "SUPERCENTER", "Authentic Indian Food", "Hair and Beauty",
    "More choice. More taste.", "Let the memories begin", "EVERYTHING FOR LESS", "Your friendly corner shop",
    "Be a responsible shopper",
)  # fmt: skip
SCRAWLS = (
    "42", "A03138", "31802016", "yos 7 home", "236177", "ae", "Ao 3c2", "lone", "JOVI", "9", "PAID", "pd", "18/3", "T5",
    "C", "(0", "KJ1", "Home", "二二", "本*水*木", "关关关长长", "=E:", "EEE", "EEEEE EEE", "REEEREEE", "****", "ro ad", "WAWAWA",
)  # fmt: skip
STAFF = (
    "Manager: {first} {last}", "MANAGER {first} {last}", "GENERAL MANAGER: {first}", "Cashier: {first}",
    "Server: {first} {last}", "Your server was {first}", "{number} {first}", "{number} {first} {initial}.",
)  # fmt: skip

_ADJECTIVES = (
    "Golden", "Blue", "Old", "Royal", "Happy", "Green", "Little", "Grand", "Silver", "Red", "New", "Lucky", "Sunny",
    "Urban", "Wild", "Fresh", "La", "El", "Le", "The", "Big", "Crystal", "Ocean", "Spicy", "Sweet", "Country", "Corner",
    "Crazy", "Imperial", "Modern",
)  # fmt: skip
_NOUNS = (
    "Dragon", "Harbor", "Lion", "Palace", "Garden", "River", "Station", "Bear", "Robin", "Panda", "Crown", "Olive",
    "Lotus", "Orchid", "Anchor", "Mill", "Fox", "Eagle", "Pepper", "Maple", "Sepia", "Sol", "Luna", "Vista", "Tower",
    "Bell", "Barn", "Bridge", "Moon", "Tiger", "Coral", "Cedar", "Falcon", "Sakura", "Ginger", "Basil",
)  # fmt: skip
_TRADES = (
    "Restaurant", "Cafe", "Grill", "Bistro", "Bar & Grill", "Kitchen", "Market", "Supermarket", "Pharmacy", "Car Wash",
    "Hotel", "Bakery", "Books", "Hardware", "Diner", "Pizza", "Seafood", "Steakhouse", "Gas", "Petrol", "Tavern", "Pub",
    "Deli", "Coffee", "Express", "Mart", "Foods", "Store", "Liquor Library", "Hair Salon", "Sushi", "Noodle House",
    "Brewery", "Creamery", "Burger", "Chicken", "Taqueria", "Electronics", "Clothing", "Toys", "Sports", "Outfitters",
    "Gifts", "Hypermarket",
)  # fmt: skip
_LOCAL_TRADES = (
    "Bäckerei", "Metzgerei", "Apotheke", "Gasthaus", "Café", "Getränkemarkt", "Drogerie", "Buchhandlung", "Blumen", "Biomarkt",
    "Restauracja",
    "Kawiarnia", "Sklep", "Apteka", "Boulangerie", "Pharmacie", "Brasserie", "Supermarché", "Ristorante", "Trattoria", "Farmacia",
    "Panadería", "Supermercado", "Cervecería", "Tapas", "Pastelaria", "Padaria", "Mercado", "Kavárna", "Lékárna", "Potraviny", "Konoba",
    "Pekara", "Kiosk", "Bageri", "Livsmedel", "Apotek", "Kafé", "Slagter", "Bakkerij", "Supermarkt", "Market", "Eczane", "Lokanta",
    "Kedai", "Restoran", "Perniagaan", "Pasaraya", "Toko", "Warung",
)  # fmt: skip
_OTHER_LOCALES = ("de_DE", "fr_FR", "pl_PL", "es_ES", "pt_PT", "cs_CZ", "hr_HR", "nl_NL", "sv_SE", "da_DK", "it_IT", "id_ID")
_NUMBERED = ("Order", "Order Number:", "Check #", "Table", "Receipt No", "Ticket", "Trans:", "Bill No.")
_BRANCHES = ("Filiale {x}", "FIL. {x}", "Branch: {x}", "Provozovna: {x}", "Poslovnica: {x}", "Outlet : {x}", "Sklep {x}", "{x}")
_FIRST = (
    "George", "Anna", "Marla", "Kelandria", "Thomas", "Tameka", "Lorraine", "Ricardo", "Jim", "Aisha", "Wendy",
    "Samantha", "Priya", "Housseni", "Lukas",
)  # fmt: skip
_LAST = (
    "Miller", "Donovan", "Khan", "Amphlett", "Obrien", "Nakamura", "Tan", "Ferrari", "Schmidt", "Kowalski", "Singh",
    "Lopez", "Ng", "Weyman", "Hensley",
)  # fmt: skip
_TOWNS = (
    "Springfield", "Madison", "Houston", "Fairview", "Athens", "Dallas", "Las Vegas", "Pueblo", "San Diego", "Oxnard",
    "Morgantown", "Eureka", "Vista", "Palm Desert", "Salinas", "Coarse Hill", "Denver", "Bloomington", "Commerce",
    "Rancho Verde", "Glen Ellyn", "Waterville", "Omaha", "Everett", "Red Bluff", "Lake Buena", "St Petersburg",
    "Boston",
)  # fmt: skip
_LEGAL = (
    "LLC", "Inc.", "Ltd", "Pte Ltd", "Pvt Ltd", "Pty Ltd", "S.L.", "SRL", "SAS", "GmbH", "AB", "d.o.o.", "Sp. z o.o.",
    "s.r.o.", "plc",
)  # fmt: skip


def name(rng: Random) -> list[str]:
    """The lines of a merchant's name: mostly one, sometimes two."""
    cores = (
        f"{rng.choice(_ADJECTIVES)} {rng.choice(_NOUNS)}",
        f"{rng.choice(_NOUNS)} & {rng.choice(_NOUNS)}",
        f"{rng.choice(_FIRST)}'s",
        f"{rng.choice(_LAST)}'s",
        rng.choice(_NOUNS) + rng.choice(("ex", "o", "ia", "mart", "land", "co")),
        f"{rng.choice(_LAST)} {rng.choice(_LAST)}",
        rng.choice(_NOUNS),
        rng.choice(_NOUNS)[: rng.randint(2, 4)].upper(),
        f"{rng.randint(2, 99)}{rng.choice(('', ' '))}{rng.choice(_NOUNS)}",
        f"{rng.choice(_NOUNS)} {rng.choice(_NOUNS)}",
    )
    core = rng.choice(cores)
    trade = rng.choice(_TRADES)
    if rng.random() < 0.35:
        surname = faker(rng.choice(_OTHER_LOCALES), rng).last_name()
        core = rng.choice((core, surname, f"{surname} & {rng.choice(_LAST)}"))
        trade = rng.choice(_LOCAL_TRADES)
        if rng.random() < 0.5:
            core, trade = trade, core
    shape = rng.random()
    if shape < 0.45:
        lines = [f"{core} {trade}"]
    elif shape < 0.6:
        lines = [core, trade]
    elif shape < 0.75:
        town = rng.choice((*_TOWNS, faker(rng.choice(_OTHER_LOCALES), rng).city()))
        lines = [f"{core} {town}{rng.choice(('', '', '', f' {rng.randint(1, 999)}'))}"]
    elif shape < 0.85:
        lines = [f"{core} #{rng.randint(1, 2999)}"]
    else:
        lines = [core]
    case = rng.random()
    return [line.upper() if case < 0.5 else line for line in lines]


_PICTURED, _GLUED, _SEAT = 0.1, 0.12, 0.1
"""Shares of headings whose name is a picture that OCR does not read, whose address ends in the telephone number, and which also print the
address of the company's seat."""


def with_heading(transcript: Transcript, first_row: int, rng: Random) -> tuple[Transcript, str, str]:
    """The transcript with an invented heading in place of its rows before `first_row`, the merchant's name, and its address."""
    named, (addressed, phone) = name(rng), address(rng)
    printed = [] if rng.random() < _PICTURED else named
    rows = [*printed]
    if rng.random() < 0.15:
        rows.insert(rng.randint(0, len(rows)), _company(rng))
    if rng.random() < 0.15:
        rows.append(rng.choice(("Store #{n}", "Store {n}", "STORE {n}", "Branch {n}", "Cafe {n}", "{n}")).format(n=rng.randint(1, 3000)))
    if rng.random() < 0.08:
        rows.append(_staff(rng))
    has_address = rng.random() < 0.88
    if has_address:
        rows += _addressed(addressed, phone, rng)
    rows += _around(phone, "".join(named[:1]), rng) or [phone]
    if printed and rng.random() < 0.06:
        rows = [row for row in rows if row not in printed] + printed
    noise = OcrNoise.drawn(rng)
    body = transcript.lines[first_row:]
    height = transcript.lines[0].box.height if transcript.lines else 20.0
    left = min(line.box.left for line in transcript.lines)
    right = max(line.box.right for line in transcript.lines)
    heading = _set(rows, printed, (left, right, height), noise, rng)
    shift = heading[-1].box.bottom + height * 0.4 - (body[0].box.top if body else 0)
    lowered = [lower(line, shift) for line in body]
    made = replace(transcript, lines=(*heading, *lowered), height=int(transcript.height + abs(shift)))
    return made, " ".join(printed), ", ".join(addressed) if has_address else ""


def _addressed(lines: list[str], phone: str, rng: Random) -> list[str]:
    """The rows of an address: sometimes with a label, with the telephone on the last row, or beside the company's own address."""
    rows = [*lines]
    if rng.random() < _GLUED:
        rows[-1] = f"{rows[-1]} {phone}"
    if rng.random() < 0.05:
        rows[0] = f"{rng.choice(('Address: ', 'Adresse: ', 'Add : ', 'Adresa: ', 'Alamat: '))}{rows[0]}"
    if rng.random() < _SEAT:
        seat = [_company(rng), *address(rng)[0]]
        if rng.random() < 0.4:
            rows[0] = rng.choice(_BRANCHES).format(x=rows[0])
            return [*seat, *rows]
        return [*rows, *rng.choice(([], [phone])), *seat]
    return rows


def _company(rng: Random) -> str:
    stem, line = rng.choice((rng.choice(_NOUNS), rng.choice(_LAST))), rng.choice((" Foods", " Holdings", " Hospitality", " Retail", ""))
    return f"{stem}{line} {rng.choice(_LEGAL)}"


def _staff(rng: Random) -> str:
    facts = {"first": rng.choice(_FIRST), "last": rng.choice(_LAST), "number": rng.randint(1, 99999), "initial": rng.choice("ABDJKLMRST")}
    return rng.choice(STAFF).format(**facts)


def _around(phone: str, first_name: str, rng: Random) -> list[str]:
    """What follows an address: telephone, tax number, web address, sometimes nothing."""
    host = re.sub(r"[^a-z]", "", first_name.lower()) or "shop"
    choices = (
        (0.7, phone),
        (0.15, f"www.{host}.com"),
        (0.15, f"GST No: {rng.randint(100000000, 999999999)}"),
        (0.08, f"ABN {rng.randint(10, 99)} 004 085 616"),
        (0.1, rng.choice(GREETINGS)),
        (0.15, rng.choice(TITLES)),
        (0.15, _staff(rng)),
        (
            0.1,
            f"{rng.choice(_NUMBERED)} {rng.randint(1, 99999)}",
        ),
    )
    return [text for chance, text in choices if rng.random() < chance]


def _set(rows: list[str], named: list[str], frame: tuple[float, float, float], noise: OcrNoise, rng: Random) -> list[Line]:
    """The rows as print, centred or at the left; the name often larger."""
    left, right, height = frame
    is_centred, scale = rng.random() < 0.7, rng.choice((1.0, 1.0, 1.3, 1.6, 2.0))
    top, lines = height, []
    for row in rows:
        size = height * (scale if row in named else 1.0)
        width = len(row) * size * 0.55
        start = (left + right - width) / 2 if is_centred else left
        text = noise.text(rng, row, is_unknown=False) or row
        lines.append(Line((Fragment(text, Box(start, top, start + width, top + size), rng.uniform(0.8, 1.0)),)))
        top += size * rng.uniform(1.05, 1.3)
    return lines


def disturbed(transcript: Transcript, rng: Random) -> Transcript:
    """The transcript with rows that name nobody put above, under and between the first ones, as real receipts have them."""
    lines = list(transcript.lines)
    if not lines:
        return transcript
    height = sorted(line.box.height for line in lines)[len(lines) // 2]
    inserted: list[tuple[int, str]] = []
    if rng.random() < 0.3:
        inserted.append((0, rng.choice(GREETINGS)))
    if rng.random() < 0.2:
        inserted.append((rng.choice((0, 0, 1, 2)), rng.choice(TITLES)))
    slogans = (*SLOGANS, faker("en_US", rng).catch_phrase(), faker("en_US", rng).bs().capitalize())
    inserted += [(rng.choice((0, 1, 1, 2, 3)), rng.choice(slogans)) for _ in range(rng.choice((0, 0, 1, 2)))]
    inserted += [(rng.choice((0, 0, 1, 3)), rng.choice(SCRAWLS)) for _ in range(rng.choice((0, 0, 0, 1, 2, 3)))]
    if rng.random() < 0.12:
        inserted.append((rng.choice((0, 1, 2)), f"{rng.choice(('Store', 'STORE', 'Filiale', 'Store #', 'Shop'))} {rng.randint(1, 9999)}"))
    noise = OcrNoise.drawn(rng)
    for at, text in sorted(inserted, reverse=True):
        lines = _insert(lines, min(at, len(lines)), noise.text(rng, text, is_unknown=False) or text, height * rng.uniform(0.8, 1.6), rng)
    return replace(transcript, lines=tuple(lines), height=transcript.height + int(2 * height * len(inserted)))


def _insert(lines: list[Line], at: int, text: str, height: float, rng: Random) -> list[Line]:
    reference = lines[min(at, len(lines) - 1)].box
    top = reference.top if at < len(lines) else reference.bottom
    centre = (min(line.box.left for line in lines) + max(line.box.right for line in lines)) / 2
    width, shift = len(text) * height * 0.55, height * rng.uniform(1.05, 1.5)
    fragment = Fragment(text, Box(centre - width / 2, top, centre + width / 2, top + height), rng.uniform(0.6, 1.0))
    return [*lines[:at], Line((fragment,)), *(lower(line, shift) for line in lines[at:])]


def lower(line: Line, by: float) -> Line:
    """The line, that many pixels further down."""
    boxes = [(fragment, fragment.box) for fragment in line.fragments]
    return Line(tuple(replace(fragment, box=Box(box.left, box.top + by, box.right, box.bottom + by)) for fragment, box in boxes))
