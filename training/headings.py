"""Invented headings of receipts: names, addresses and what stands around them, in the ways of many countries. For training only."""

import re
from dataclasses import replace
from random import Random

from extractor.ocr.interface import Box, Fragment, Line, Transcript
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
    "Server: {first} {last}", "Your server was {first}",
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
_FIRST = (
    "George", "Anna", "Marla", "Kelandria", "Thomas", "Tameka", "Lorraine", "Ricardo", "Jim", "Aisha", "Wendy",
    "Samantha", "Priya", "Housseni", "Lukas",
)  # fmt: skip
_LAST = (
    "Miller", "Donovan", "Khan", "Amphlett", "Obrien", "Nakamura", "Tan", "Ferrari", "Schmidt", "Kowalski", "Singh",
    "Lopez", "Ng", "Weyman", "Hensley",
)  # fmt: skip
_ROADS = (
    "Main", "Oak", "Washington", "Market", "Church", "Bulla", "Linden", "Elm", "Hacienda", "Robson", "Orchard", "Canal",
    "France", "Sahara", "Cedar", "Harbor", "King", "Mission",
)  # fmt: skip
_SUFFIXES = (
    "St", "Street", "Ave", "Ave.", "Avenue", "Rd", "Rd.", "Road", "Blvd", "Boulevard", "Dr", "Drive", "Ln", "Lane",
    "Way", "Pkwy", "Hwy", "Court", "Plaza", "Circle",
)  # fmt: skip
_TOWNS = (
    "Springfield", "Madison", "Houston", "Fairview", "Athens", "Dallas", "Las Vegas", "Pueblo", "San Diego", "Oxnard",
    "Morgantown", "Eureka", "Vista", "Palm Desert", "Salinas", "Coarse Hill", "Denver", "Bloomington", "Commerce",
    "Rancho Verde", "Glen Ellyn", "Waterville", "Omaha", "Everett", "Red Bluff", "Lake Buena", "St Petersburg",
    "Boston",
)  # fmt: skip
_STATES = (
    "CA", "TX", "NY", "FL", "IL", "WI", "NV", "PA", "GA", "NE", "WA", "CO", "MA", "NJ", "MD", "VA", "AZ", "OH", "MI",
    "SC", "TN", "GU", "MN",
)  # fmt: skip
_BRITISH = (
    "London", "Blackpool", "York", "Hadleigh", "Camden", "Brighton", "Leeds", "Bristol", "Pocklington", "Kilmarnock",
    "Merry Hill", "Edinburgh",
)  # fmt: skip
_SUBURBS = (
    "Strathmore", "Essendon", "Myrtleford", "Southbank", "Parramatta", "Waurn Ponds", "Melbourne", "Fremantle",
    "Plenty Valley",
)  # fmt: skip
_MALLS = (
    "Paragon", "Suntec City", "Dubai Mall", "Mall of Emirates", "Howard Centre", "The Gardens", "Plenty Centre",
    "Mid Valley City", "Grand Hotel", "Howard Airport", "Trinity",
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
    )
    core = rng.choice(cores)
    trade = rng.choice(_TRADES)
    shape = rng.random()
    if shape < 0.45:
        lines = [f"{core} {trade}"]
    elif shape < 0.6:
        lines = [core, trade]
    elif shape < 0.75:
        lines = [f"{core} {rng.choice(_TOWNS)}"]
    elif shape < 0.85:
        lines = [f"{core} #{rng.randint(1, 2999)}"]
    else:
        lines = [core]
    case = rng.random()
    return [line.upper() if case < 0.5 else line for line in lines]


def address(rng: Random) -> tuple[list[str], str]:
    """The lines of an address, and the row with the telephone that belongs to its country."""
    return rng.choice((_american, _american, _american, _british, _australian, _singaporean, _indian, _emirati, _canadian))(rng)


def _street(rng: Random) -> str:
    direction = rng.choice(("", "", "", "N ", "S. ", "W ", "East ", "N.E. "))
    if rng.random() < 0.1:
        return f"{rng.randint(1, 9999)} {rng.choice(('Hwy', 'Highway', 'HWY', 'Route'))} {rng.randint(1, 400)}{rng.choice(('', ' West'))}"
    return f"{rng.randint(1, 9999)} {direction}{rng.choice(_ROADS)} {rng.choice(_SUFFIXES)}"


def _american(rng: Random) -> tuple[list[str], str]:
    shape = rng.choice(("({a}) {b}-{c}", "{a}-{b}-{c}", "{a}.{b}.{c}", "Tel: {a} {b} {c}", "Phone:({a}){b}-{c}"))
    phone = shape.format(a=rng.randint(201, 989), b=rng.randint(200, 999), c=f"{rng.randint(0, 9999):04d}")
    town, state = rng.choice(_TOWNS), rng.choice(_STATES)
    code = f"{rng.randint(10000, 99950)}" + rng.choice(("", "", "", f"-{rng.randint(1000, 9999)}"))
    comma = rng.choice((", ", ",", " ", ". "))
    place = f"{town}{comma}{state}"
    if rng.random() < 0.25:
        return [place], phone
    lines = [_street(rng)]
    if rng.random() < 0.25:
        lines.append(rng.choice(("Suite {n}", "Ste# {n}", "Space #{n}", "Unit {n}", "Shop {n}")).format(n=rng.randint(1, 1200)))
    if rng.random() < 0.12:
        return [*lines, place, code], phone
    if rng.random() < 0.12:
        lines.insert(0, rng.choice(_MALLS))
    return [*lines, f"{place} {code}"], phone


def _canadian(rng: Random) -> tuple[list[str], str]:
    letters = "ABCEGHJKLMNPRSTVXY"
    code = f"{rng.choice(letters)}{rng.randint(0, 9)}{rng.choice(letters)} {rng.randint(0, 9)}{rng.choice(letters)}{rng.randint(0, 9)}"
    place = f"{rng.choice(('Vancouver', 'Kelowna', 'Montreal', 'Richmond Hill', 'Toronto'))}, {rng.choice(('BC', 'QC', 'ON', 'AB'))}"
    phone = f"({rng.choice((604, 250, 514, 905, 416))}) {rng.randint(200, 999)}-{rng.randint(1000, 9999)}"
    return [_street(rng), rng.choice((place, f"{place} {code}", f"{place}, {code}"))], phone


def _british(rng: Random) -> tuple[list[str], str]:
    code = (
        f"{rng.choice(('BD', 'LS', 'EH', 'N', 'SW', 'BN'))}{rng.randint(1, 37)} {rng.randint(1, 9)}{rng.choice(('AY', 'DL', 'SD', 'ND'))}"
    )
    street = f"{rng.randint(1, 640)} {rng.choice(_ROADS)} {rng.choice(('Street', 'Road', 'St', 'Rd', 'Lane', 'Market Place'))}"
    town, phone = (
        rng.choice(_BRITISH),
        f"{rng.choice(('Tel: ', 'Telephone : ', ''))}0{rng.randint(1200, 1999)} {rng.randint(100000, 999999)}",
    )
    lines = rng.choice(
        ([street], [street, town], [street, town, code], [town, code], [street, f"{town} {code}"], [f"{street}, {town}, {code}"])
    )
    return lines, phone


def _australian(rng: Random) -> tuple[list[str], str]:
    place = f"{rng.choice(_SUBURBS)} {rng.choice(('VIC', 'NSW', 'QLD', 'WA', 'SA'))} {rng.randint(2000, 6999)}"
    place = place.upper() if rng.random() < 0.5 else place
    lines = [_street(rng), place]
    if rng.random() < 0.4:
        lines.insert(0, f"Shop {rng.randint(1, 300)} {rng.choice(_MALLS)}")
    return lines, f"{rng.choice(('Ph: ', 'TEL ', 'Ph '))}0{rng.randint(2, 8)} {rng.randint(1000, 9999)} {rng.randint(1000, 9999)}"


def _singaporean(rng: Random) -> tuple[list[str], str]:
    unit = f"#{rng.choice(('01', 'B1', '03', 'L2'))}-{rng.randint(1, 174)}"
    code = f"{rng.choice(('Singapore', 'SINGAPORE', 'S'))} {rng.randint(10000, 829999):06d}"
    road = f"{rng.randint(1, 600)} {rng.choice(_ROADS)} {rng.choice(('Road', 'Rd', 'Boulevard', 'Street'))}"
    lines = rng.choice(
        (
            [f"{road} {unit}", rng.choice(_MALLS), code],
            [road, f"{unit} {rng.choice(_MALLS)}", code],
            [f"{road} {unit}", code],
            [f"{road}, {unit}, {code}"],
        )
    )
    return lines, f"Tel: {rng.randint(6000, 6999)} {rng.randint(1000, 9999)}"


def _indian(rng: Random) -> tuple[list[str], str]:
    city = rng.choice(("Chennai", "Mumbai", "Hubli", "Gurgaon", "Panaji Goa", "Bangalore", "Delhi"))
    near = rng.choice(
        (
            "Opp. {x} Cinema",
            "Near {x} Post Office",
            "No.{n}, {x} Colony",
            "{n}, {x} Main Road",
            "1st Floor, {x} Enclave",
            "G-{n}, {x} Cross Point",
        )
    )
    near = near.format(x=rng.choice(_NOUNS), n=rng.randint(1, 200))
    pin = f"{city}-{rng.randint(110, 695)} {rng.randint(1, 99):03d}"
    return rng.choice(
        ([near, pin], [near, city], [near, f"{rng.choice(_ROADS)} Nagar, {city}"])
    ), f"Ph : 0{rng.randint(11, 88)}-{rng.randint(2000000, 9999999)}"


def _emirati(rng: Random) -> tuple[list[str], str]:
    mall = rng.choice(_MALLS)
    lines = rng.choice(
        (
            [f"{mall} - Dubai"],
            [mall, "Dubai, U.A.E"],
            [f"Level {rng.randint(1, 3)} - {mall}"],
            [mall],
            [f"Terminal {rng.randint(1, 3)}, {rng.choice(_TOWNS)} Airport"],
        )
    )
    return lines, f"Tel:0{rng.randint(2, 7)}-{rng.randint(2000000, 9999999)}"


_PICTURED, _GLUED = 0.1, 0.12
"""Shares of headings whose name is a picture that OCR does not read, and whose address ends in the telephone number."""


def with_heading(transcript: Transcript, first_row: int, rng: Random) -> tuple[Transcript, str, str]:
    """The transcript with an invented heading in place of its rows before `first_row`, the merchant's name, and its address."""
    named, (addressed, phone) = name(rng), address(rng)
    if rng.random() < _PICTURED:
        named = []
    rows = [*named]
    if rng.random() < 0.15:
        rows.insert(len(rows), f"{rng.choice(_NOUNS)} {rng.choice(('Foods', 'Holdings', 'Hospitality', 'Retail'))} {rng.choice(_LEGAL)}")
    if rng.random() < 0.12:
        rows.append(rng.choice(("Store #{n}", "Store {n}", "STORE {n}", "Branch {n}", "Cafe {n}")).format(n=rng.randint(1, 3000)))
    if rng.random() < 0.08:
        rows.append(rng.choice(STAFF).format(first=rng.choice(_FIRST), last=rng.choice(_LAST)))
    has_address = rng.random() < 0.85
    rows += addressed if has_address else []
    if has_address and rng.random() < _GLUED:
        rows[-1] = f"{rows[-1]} {phone}"
    rows += _around(phone, "".join(named[:1]), rng) or [phone]
    if named and rng.random() < 0.06:
        rows = [row for row in rows if row not in named] + named
    noise = OcrNoise.drawn(rng)
    body = transcript.lines[first_row:]
    height = transcript.lines[0].box.height if transcript.lines else 20.0
    left = min(line.box.left for line in transcript.lines)
    right = max(line.box.right for line in transcript.lines)
    heading = _set(rows, named, (left, right, height), noise, rng)
    shift = heading[-1].box.bottom + height * 0.4 - (body[0].box.top if body else 0)
    lowered = [lower(line, shift) for line in body]
    made = replace(transcript, lines=(*heading, *lowered), height=int(transcript.height + abs(shift)))
    return made, " ".join(named), ", ".join(addressed) if has_address else ""


def _around(phone: str, first_name: str, rng: Random) -> list[str]:
    """What follows an address: telephone, tax number, web address, sometimes nothing."""
    host = re.sub(r"[^a-z]", "", first_name.lower()) or "shop"
    choices = (
        (0.75, phone),
        (0.2, f"www.{host}.com"),
        (0.2, f"GST No: {rng.randint(100000000, 999999999)}"),
        (0.1, f"ABN {rng.randint(10, 99)} 004 085 616"),
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
    inserted += [(rng.choice((0, 1, 1, 2, 3)), rng.choice(SLOGANS)) for _ in range(rng.choice((0, 0, 1, 2)))]
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
