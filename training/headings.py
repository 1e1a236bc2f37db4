"""Synthetic headings of receipts: names, addresses and the rows around them, in the formats of many countries. For training only.

Names of people, towns and companies, and slogans, come from Faker; greetings and titles from the renderer's language tables.
"""

import re
from dataclasses import replace
from random import Random

from extractor.ocr.transcript import Box, Fragment, Line, Transcript
from training.addresses import address, faker, town
from training.render import OcrNoise
from training.render.locale_tables import language_codes, load_language

_STAFF = (
    "Manager: {first} {last}", "MANAGER {first} {last}", "GENERAL MANAGER: {first}", "Cashier: {first}",
    "Server: {first} {last}", "Your server was {first}", "{number} {first}", "{number} {first} {initial}.",
)  # fmt: skip
# Rows in the position of a title that the language tables do not have.
_NOTES = ("Customer Copy", "Merchant Copy", "***REPRINT***", "DUPLICATE", "DINE IN", "TO GO", "Void", "TICKET", "WHOLESALE")
# Characters of handwriting, logos and stains as OCR engines transcribe them.
_SCRAWLED = "ABCEFHIJKLMNORSTUVWXaeiloruvwz0123456789#*=-:()/.二三本木水长关日一口"

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
_LEGAL = (
    "LLC", "Inc.", "Ltd", "Pte Ltd", "Pvt Ltd", "Pty Ltd", "S.L.", "SRL", "SAS", "GmbH", "AB", "d.o.o.", "Sp. z o.o.",
    "s.r.o.", "plc",
)  # fmt: skip


def _surname(rng: Random) -> str:
    return str(faker("en_US", rng).last_name())


def _word(key: str, rng: Random) -> str:
    """Return a label of a random language of the renderer."""
    return rng.choice(load_language(rng.choice(("en", "en", *language_codes()))).words[key])


def _title(rng: Random) -> str:
    return rng.choice(_NOTES) if rng.random() < 0.4 else _word("title", rng)


def _slogan(rng: Random) -> str:
    made = faker("en_US", rng)
    return rng.choice((_word("slogan", rng), made.catch_phrase(), made.bs().capitalize(), made.catch_phrase().upper()))


def _scrawl(rng: Random) -> str:
    """Return characters without meaning, as OCR engines transcribe handwriting and logos."""
    if rng.random() < 0.2:
        return rng.choice(_SCRAWLED) * rng.randint(1, 8)
    return "".join(rng.choice((*_SCRAWLED, " ")) for _ in range(rng.randint(1, 9))).strip() or "-"


def name(rng: Random) -> list[str]:
    """Make the lines of a merchant's name: mostly one, sometimes two."""
    cores = (
        f"{rng.choice(_ADJECTIVES)} {rng.choice(_NOUNS)}",
        f"{rng.choice(_NOUNS)} & {rng.choice(_NOUNS)}",
        f"{faker('en_US', rng).first_name()}'s",
        f"{_surname(rng)}'s",
        rng.choice(_NOUNS) + rng.choice(("ex", "o", "ia", "mart", "land", "co")),
        f"{_surname(rng)} {_surname(rng)}",
        rng.choice(_NOUNS),
        rng.choice(_NOUNS)[: rng.randint(2, 4)].upper(),
        f"{rng.randint(2, 99)}{rng.choice(('', ' '))}{rng.choice(_NOUNS)}",
        f"{rng.choice(_NOUNS)} {rng.choice(_NOUNS)}",
    )
    core = rng.choice(cores)
    trade = rng.choice(_TRADES)
    if rng.random() < 0.35:
        surname = faker(rng.choice(_OTHER_LOCALES), rng).last_name()
        core = rng.choice((core, surname, f"{surname} & {_surname(rng)}"))
        trade = rng.choice(_LOCAL_TRADES)
        if rng.random() < 0.5:
            core, trade = trade, core
    shape = rng.random()
    if shape < 0.45:
        lines = [f"{core} {trade}"]
    elif shape < 0.6:
        lines = [core, trade]
    elif shape < 0.75:
        place = town(rng, rng.choice(("en_US", "en_US", *_OTHER_LOCALES)))
        lines = [f"{core} {place}{rng.choice(('', '', '', f' {rng.randint(1, 999)}'))}"]
    elif shape < 0.85:
        lines = [f"{core} #{rng.randint(1, 2999)}"]
    else:
        lines = [core]
    case = rng.random()
    return [line.upper() if case < 0.5 else line for line in lines]


# Share of headings whose name is a logo that OCR cannot read.
_LOGO_ONLY = 0.1
# Share of addresses with the telephone number on their last row.
_WITH_PHONE = 0.12
# Share of headings that also print the address of the registered office.
_WITH_OFFICE = 0.1


def with_heading(transcript: Transcript, first_row: int, rng: Random) -> tuple[Transcript, str, str]:
    """Replace the rows before `first_row` by a synthetic heading; returns the transcript, the merchant's name and the address."""
    named, (addressed, phone) = name(rng), address(rng)
    printed = [] if rng.random() < _LOGO_ONLY else named
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
    noise = OcrNoise.random(rng)
    body = transcript.lines[first_row:]
    height = transcript.lines[0].box.height if transcript.lines else 20.0
    left = min(line.box.left for line in transcript.lines)
    right = max(line.box.right for line in transcript.lines)
    heading = _placed(rows, printed, (left, right, height), noise, rng)
    shift = heading[-1].box.bottom + height * 0.4 - (body[0].box.top if body else 0)
    lowered = [_moved_down(line, shift) for line in body]
    made = replace(transcript, lines=(*heading, *lowered), height=int(transcript.height + abs(shift)))
    return made, " ".join(printed), ", ".join(addressed) if has_address else ""


def _addressed(lines: list[str], phone: str, rng: Random) -> list[str]:
    """Return the rows of an address, sometimes with a label, with the telephone number, or beside the address of the registered office."""
    rows = [*lines]
    if rng.random() < _WITH_PHONE:
        rows[-1] = f"{rows[-1]} {phone}"
    if rng.random() < 0.05:
        rows[0] = f"{rng.choice(('Address: ', 'Adresse: ', 'Add : ', 'Adresa: ', 'Alamat: '))}{rows[0]}"
    if rng.random() < _WITH_OFFICE:
        office = [_company(rng), *address(rng)[0]]
        if rng.random() < 0.4:
            rows[0] = rng.choice(_BRANCHES).format(x=rows[0])
            return [*office, *rows]
        return [*rows, *rng.choice(([], [phone])), *office]
    return rows


def _company(rng: Random) -> str:
    stem, line = rng.choice((rng.choice(_NOUNS), _surname(rng))), rng.choice((" Foods", " Holdings", " Hospitality", " Retail", ""))
    return f"{stem}{line} {rng.choice(_LEGAL)}"


def _staff(rng: Random) -> str:
    facts = {
        "first": faker("en_US", rng).first_name(),
        "last": _surname(rng),
        "number": rng.randint(1, 99999),
        "initial": rng.choice("ABDJKLMRST"),
    }
    return rng.choice(_STAFF).format(**facts)


def _around(phone: str, first_name: str, rng: Random) -> list[str]:
    """Return the rows after an address: telephone, tax number, web address, possibly none."""
    host = re.sub(r"[^a-z]", "", first_name.lower()) or "shop"
    choices = (
        (0.7, phone),
        (0.15, f"www.{host}.com"),
        (0.15, f"GST No: {rng.randint(100000000, 999999999)}"),
        (0.08, f"ABN {rng.randint(10, 99)} 004 085 616"),
        (0.1, _word("welcome", rng)),
        (0.15, _title(rng)),
        (0.15, _staff(rng)),
        (
            0.1,
            f"{rng.choice(_NUMBERED)} {rng.randint(1, 99999)}",
        ),
    )
    return [text for chance, text in choices if rng.random() < chance]


def _placed(rows: list[str], named: list[str], frame: tuple[float, float, float], noise: OcrNoise, rng: Random) -> list[Line]:
    """Place the rows, centred or left-aligned; the name is often larger."""
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


def with_inserted_rows(transcript: Transcript, rng: Random) -> Transcript:
    """Insert rows without a name (greetings, titles, slogans, scrawls) above, below and between the first rows."""
    lines = list(transcript.lines)
    if not lines:
        return transcript
    height = sorted(line.box.height for line in lines)[len(lines) // 2]
    inserted: list[tuple[int, str]] = []
    if rng.random() < 0.3:
        inserted.append((0, _word("welcome", rng)))
    if rng.random() < 0.2:
        inserted.append((rng.choice((0, 0, 1, 2)), _title(rng)))
    inserted += [(rng.choice((0, 1, 1, 2, 3)), _slogan(rng)) for _ in range(rng.choice((0, 0, 1, 2)))]
    inserted += [(rng.choice((0, 0, 1, 3)), _scrawl(rng)) for _ in range(rng.choice((0, 0, 0, 1, 2, 3)))]
    if rng.random() < 0.12:
        inserted.append((rng.choice((0, 1, 2)), f"{rng.choice(('Store', 'STORE', 'Filiale', 'Store #', 'Shop'))} {rng.randint(1, 9999)}"))
    noise = OcrNoise.random(rng)
    for at, text in sorted(inserted, reverse=True):
        lines = _insert(lines, min(at, len(lines)), noise.text(rng, text, is_unknown=False) or text, height * rng.uniform(0.8, 1.6), rng)
    return replace(transcript, lines=tuple(lines), height=transcript.height + int(2 * height * len(inserted)))


def _insert(lines: list[Line], at: int, text: str, height: float, rng: Random) -> list[Line]:
    reference = lines[min(at, len(lines) - 1)].box
    top = reference.top if at < len(lines) else reference.bottom
    centre = (min(line.box.left for line in lines) + max(line.box.right for line in lines)) / 2
    width, shift = len(text) * height * 0.55, height * rng.uniform(1.05, 1.5)
    fragment = Fragment(text, Box(centre - width / 2, top, centre + width / 2, top + height), rng.uniform(0.6, 1.0))
    return [*lines[:at], Line((fragment,)), *(_moved_down(line, shift) for line in lines[at:])]


def _moved_down(line: Line, by: float) -> Line:
    """Move a line down by a number of pixels."""
    boxes = [(fragment, fragment.box) for fragment in line.fragments]
    return Line(tuple(replace(fragment, box=Box(box.left, box.top + by, box.right, box.bottom + by)) for fragment, box in boxes))
