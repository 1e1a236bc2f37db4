"""Invented addresses in the ways of many countries, line by line as receipts print them. For training only.

Streets, towns and postal codes come from Faker, which knows how each country writes them.
"""

from collections.abc import Callable
from functools import cache
from random import Random

from faker import Faker

Address = tuple[list[str], str]
"""The lines of an address, and the row with the telephone that belongs to its country."""

_MALLS = (
    "Paragon", "Suntec City", "Dubai Mall", "Mall of Emirates", "Howard Centre", "The Gardens", "Plenty Centre",
    "Mid Valley City", "Grand Hotel", "Howard Airport", "Trinity", "International Airport", "Travel Plaza", "Outlet Center",
    "Shopping Centre", "Centre Comercial", "C.C. Arena", "CH Galeria", "Einkaufszentrum", "Local B-4",
    "Sky City", "Galeria Centrum", "Arkaden", "Central Station", "Terminal 2", "Market Square", "Hauptbahnhof",
)  # fmt: skip
_AMERICAN = (
    "Washington", "Main", "Market", "Church", "Hacienda", "Robson", "Canal", "France", "Sahara", "Harbor", "King", "Mission", "Bulla",
    "Temple", "Jones", "Powers", "Western", "Eastern", "Garth Brooks", "Avondale", "Linden", "Santa Fe", "Cochran", "Windmill", "3rd",
    "72nd", "Third", "Broadway", "Lincoln", "Las Vegas", "Martin Luther King", "El Camino", "Ocean", "University", "Airport",
)  # fmt: skip
_SUFFIXES = (
    "St", "Street", "St.", "Ave", "Ave.", "Avenue", "Rd", "Rd.", "Road", "Blvd", "Boulevard", "Dr", "Drive", "Ln", "Lane", "Way", "Pkwy",
    "Parkway", "Hwy", "Court", "Plaza", "Circle", "Pike", "Terrace", "Square", "Mall",
)  # fmt: skip
_TOWNS = (
    "Springfield", "Madison", "Houston", "Fairview", "Athens", "Dallas", "Las Vegas", "Pueblo", "San Diego", "Oxnard",
    "Morgantown", "Eureka", "Vista", "Palm Desert", "Salinas", "Coarse Hill", "Denver", "Bloomington", "Commerce",
    "Rancho Verde", "Glen Ellyn", "Waterville", "Omaha", "Everett", "Red Bluff", "Lake Buena", "St Petersburg",
    "Boston", "Jamaica Plain", "Reno", "Durham", "Tampa", "Yukon", "Portland", "Kansas City", "Bronx", "Pomona", "Troutdale",
)  # fmt: skip
_STATES = (
    "CA", "TX", "NY", "FL", "IL", "WI", "NV", "PA", "GA", "NE", "WA", "CO", "MA", "NJ", "MD", "VA", "AZ", "OH", "MI",
    "SC", "TN", "GU", "MN", "NC", "OR", "OK", "HI", "MO", "IN", "KY", "LA", "AL", "UT", "CT", "N.C.", "California", "New York", "Illinois",
)  # fmt: skip


@cache
def _faker(locale: str) -> Faker:
    return Faker(locale)


def faker(locale: str, rng: Random) -> Faker:
    """Invents what a country's names and places look like, the same from the same `rng`."""
    made = _faker(locale)
    made.seed_instance(rng.getrandbits(32))
    return made


def address(rng: Random) -> Address:
    """An address of some country."""
    makers: tuple[tuple[Callable[[Random], Address], int], ...] = (
        (_american, 10), (_british, 4), (_australian, 3), (_singaporean, 3), (_indian, 3), (_emirati, 2), (_canadian, 3), (_malaysian, 5),
        (_european, 15), (_chinese, 2),
    )  # fmt: skip
    lines, phone = rng.choices([maker for maker, _ in makers], [weight for _, weight in makers])[0](rng)
    if rng.random() < 0.25:
        lines = [line.upper() for line in lines]
    return lines, phone


def _street(rng: Random) -> str:
    direction = rng.choice(("", "", "", "N ", "S. ", "W ", "East ", "N.E. ", "NW "))
    if rng.random() < 0.1:
        return (
            f"{rng.randint(1, 99999)} {rng.choice(('Hwy', 'Highway', 'US HWY', 'Route'))} {rng.randint(1, 400)}{rng.choice(('', ' West'))}"
        )
    name = rng.choice(_AMERICAN) if rng.random() < 0.6 else faker("en_US", rng).last_name()
    return f"{rng.randint(1, 19999)} {direction}{name} {rng.choice(_SUFFIXES)}"


def _town(rng: Random, locale: str) -> str:
    return rng.choice(_TOWNS) if rng.random() < 0.6 else str(faker(locale, rng).city())


def _american(rng: Random) -> Address:
    shape = rng.choice(("({a}) {b}-{c}", "{a}-{b}-{c}", "{a}.{b}.{c}", "Tel: {a} {b} {c}", "Phone:({a}){b}-{c}", "({a}){b}-{c}"))
    phone = shape.format(a=rng.randint(201, 989), b=rng.randint(200, 999), c=f"{rng.randint(0, 9999):04d}")
    code = f"{rng.randint(10000, 99950)}" + rng.choice(("", "", "", f"-{rng.randint(1000, 9999)}"))
    place = f"{_town(rng, 'en_US')}{rng.choice((', ', ',', ' ', '. ', ',  '))}{rng.choice(_STATES)}"
    shape_roll = rng.random()
    if shape_roll < 0.2:
        return [rng.choice((place, place, f"{place} {code}"))], phone
    lines = [_street(rng)]
    if rng.random() < 0.15:
        lines[0] += rng.choice((", #{n}", " Suite {n}", " Ste {n}", " #{n}", " Unit {n}")).format(n=rng.randint(1, 1200))
    elif rng.random() < 0.2:
        lines.append(rng.choice(("Suite {n}", "Ste# {n}", "Space #{n}", "Unit {n}", "Shop {n}")).format(n=rng.randint(1, 1200)))
    if rng.random() < 0.12:
        lines.insert(0, rng.choice(_MALLS))
    if shape_roll < 0.27:
        return [*lines, place, code], phone
    if shape_roll < 0.35:
        return [f"{' '.join(lines)} {place} {code}"], phone
    if shape_roll < 0.45:
        return [*lines, place], phone
    return [*lines, f"{place}{rng.choice((' ', ' ', '  ', ', '))}{code}"], phone


def _canadian(rng: Random) -> Address:
    letters = "ABCEGHJKLMNPRSTVXY"
    code = f"{rng.choice(letters)}{rng.randint(0, 9)}{rng.choice(letters)} {rng.randint(0, 9)}{rng.choice(letters)}{rng.randint(0, 9)}"
    town = rng.choice(("Vancouver", "Kelowna", "Montreal", "Richmond Hill", "Toronto", "Burnaby", "Quebec", faker("en_CA", rng).city()))
    place = f"{town}{rng.choice((', ', ' ', ','))}{rng.choice(('BC', 'QC', 'ON', 'AB', 'B.C.', 'Ontario'))}"
    phone = f"({rng.choice((604, 250, 514, 905, 416))}) {rng.randint(200, 999)}-{rng.randint(1000, 9999)}"
    road = rng.choice((_street(rng), faker("fr_CA", rng).street_address(), _street(rng)))
    return rng.choice(([road, place], [road, f"{place} {code}"], [road, f"{place}, {code}"], [road, place, code])), phone


def _british(rng: Random) -> Address:
    made = faker("en_GB", rng)
    code = made.postcode()
    name = made.last_name() if rng.random() < 0.5 else rng.choice(_AMERICAN)
    street = (
        f"{rng.randint(1, 640)} {name} {rng.choice(('Street', 'Road', 'St', 'Rd', 'Lane', 'Market Place', 'Way', 'Retail Park', 'Hill'))}"
    )
    if rng.random() < 0.2:
        street = street.partition(" ")[2]
    town = rng.choice(
        (
            "London",
            "Blackpool",
            "York",
            "Hadleigh",
            "Camden",
            "Brighton",
            "Leeds",
            "Bristol",
            "Kilmarnock",
            "Edinburgh",
            "Dundee",
            made.city(),
        )
    )
    phone = f"{rng.choice(('Tel: ', 'Telephone : ', '', 'T: '))}0{rng.randint(1200, 1999)} {rng.randint(100000, 999999)}"
    county = rng.choice((made.county(), "Scotland", "UK", "United Kingdom"))
    shapes = (
        [street], [street, town], [street, town, code], [town, code], [street, f"{town} {code}"], [f"{street}, {town}, {code}"],
        [street, town, county], [street, town, county, code], [f"{street}, {town}", code],
    )  # fmt: skip
    return rng.choice(shapes), phone


def _australian(rng: Random) -> Address:
    made = faker(rng.choice(("en_AU", "en_NZ")), rng)
    suburb = rng.choice(("Strathmore", "Essendon", "Southbank", "Parramatta", "Waurn Ponds", "Fremantle", "Grey Lynn", made.city()))
    place = f"{suburb} {rng.choice(('VIC', 'NSW', 'QLD', 'WA', 'SA', ''))} {rng.randint(1000, 6999)}".replace("  ", " ")
    lines = [_street(rng), rng.choice((place, place, suburb))]
    if rng.random() < 0.4:
        lines.insert(0, f"{rng.choice(('Shop', 'SHOP', 'Unit', 'Tenancy'))} {rng.randint(1, 300)} {rng.choice(_MALLS)}")
    return lines, f"{rng.choice(('Ph: ', 'TEL ', 'Ph '))}0{rng.randint(2, 8)} {rng.randint(1000, 9999)} {rng.randint(1000, 9999)}"


def _singaporean(rng: Random) -> Address:
    unit = f"#{rng.choice(('01', 'B1', '03', 'L2', 'B3', '02'))}-{rng.randint(1, 174)}"
    code = rng.choice(("Singapore {n}", "SINGAPORE {n}", "S {n}", "S({n})", "Singapore({n})")).format(n=f"{rng.randint(10000, 829999):06d}")
    road = f"{rng.randint(1, 600)} {rng.choice(_AMERICAN)} {rng.choice(('Road', 'Rd', 'Boulevard', 'Street', 'Turn', 'Avenue'))}"
    mall = rng.choice(_MALLS)
    shapes = ([f"{road} {unit}", mall, code], [road, f"{unit} {mall}", code], [f"{road} {unit}", code], [f"{road}, {unit}, {code}"])
    return rng.choice(shapes), f"Tel: {rng.randint(6000, 6999)} {rng.randint(1000, 9999)}"


def _indian(rng: Random) -> Address:
    made = faker("en_IN", rng)
    city, name = rng.choice(("Chennai", "Mumbai", "Hubli", "Gurgaon", "Bangalore", "New Delhi", made.city())), made.last_name()
    shapes = (
        "Opp. {x} Cinema", "Near {x} Post Office", "No.{n}, {x} Colony", "{n}, {x} Main Road", "1st Floor, {x} Enclave",
        "G-{n}, {x} Cross Point", "Shop No {n}, {x} Mall", "{x} Nagar", "H.No. {n}, {x} Chowk",
    )  # fmt: skip
    near, other = (rng.choice(shapes).format(x=name, n=rng.randint(1, 200)) for _ in range(2))
    pin = f"{city}{rng.choice(('-', ' - ', ' '))}{rng.randint(110, 695)}{rng.choice((' ', ''))}{rng.randint(1, 99):03d}"
    lines = rng.choice(([near, pin], [near, city], [near, other, pin], [near, f"{made.last_name()} Nagar, {city}"], [near, other, city]))
    return lines, f"Ph : 0{rng.randint(11, 88)}-{rng.randint(2000000, 9999999)}"


def _emirati(rng: Random) -> Address:
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


_AREAS = ("Taman", "Bandar", "Kawasan Perindustrian", "Desa", "Kampung", "Changkat", "Pusat Perdagangan")
_MALAYSIAN_TOWNS = ("Kuala Lumpur", "Shah Alam", "Petaling Jaya", "Klang", "Johor Bahru", "Subang Jaya", "Ipoh")


def _malaysian(rng: Random) -> Address:
    made = faker("id_ID", rng)
    road = (
        rng.choice(("Jalan", "Jln", "JALAN", "Lorong", "Persiaran"))
        + f" {made.last_name()} {rng.choice(('', f'{rng.randint(1, 30)}/{rng.randint(1, 9)}'))}".rstrip()
    )
    number = rng.choice(("No. {n},", "No {n},", "NO.{n}", "LOT {n},", "{n} & {n}A,", "{n},", "Lot {n}-A,", "G-{n},", "LG-{n}")).format(
        n=rng.randint(1, 300)
    )
    area = f"{rng.choice(_AREAS)} {made.first_name()}"
    town = f"{rng.randint(10000, 98000)} {rng.choice(_MALAYSIAN_TOWNS)}"
    state = rng.choice(("Selangor", "Selangor Darul Ehsan", "Johor", "Wilayah Persekutuan", "Malaysia", "Perak", "Pulau Pinang"))
    lines = rng.choice(
        (
            [f"{number} {road},", f"{area},", f"{town}, {state}"],
            [f"{number} {road}, {area},", f"{town}, {state}."],
            [f"{number} {road}", town],
            [f"{area} {number}", road, f"{town}, {state}"],
            [area, f"{number} {road},", f"{town},", state],
        )
    )
    return lines, rng.choice(("Tel: 0{a}-{b}", "TEL : 0{a}-{b}", "Tel/Fax: 0{a}-{b}")).format(
        a=rng.randint(3, 9), b=rng.randint(2000000, 99999999)
    )


_LOCALES = (
    "de_DE", "de_DE", "de_DE", "de_AT", "de_CH", "fr_FR", "fr_FR", "it_IT", "es_ES", "es_ES", "es_MX", "pt_PT", "pt_BR", "nl_NL", "nl_BE",
    "pl_PL", "pl_PL", "cs_CZ", "sk_SK", "hr_HR", "sl_SI", "hu_HU", "ro_RO", "sv_SE", "da_DK", "no_NO", "fi_FI", "id_ID", "tr_TR",
)  # fmt: skip
_COUNTRY_OF = {"de_DE": "Deutschland", "fr_FR": "France", "it_IT": "Italia", "es_ES": "España", "nl_NL": "Nederland", "sv_SE": "Sweden"}


def _european(rng: Random) -> Address:
    """Street and number, code and town, in the order and with the marks that the country's receipts use."""
    locale = rng.choice(_LOCALES)
    made = faker(locale, rng)
    number = f"{rng.randint(1, 189)}{rng.choice(('', '', '', 'a', '-' + str(rng.randint(2, 99)), '/' + str(rng.randint(1, 20))))}"
    name = made.street_name()
    if locale == "pl_PL":
        name = rng.choice(("ul. ", "ul.", "al. ")) + name
    elif locale == "tr_TR":
        name = f"{made.last_name()} {rng.choice(('Cad.', 'Sok.', 'Mah.', 'Bulvarı', 'Caddesi'))}"
        number = f"{rng.choice(('No:', 'NO: ', ''))}{number}"
    elif locale == "pt_PT":
        number = rng.choice(("", "N.º ", "nº")) + number
    code = made.postcode() if locale != "tr_TR" else f"{rng.randint(10000, 80999)}"
    city = made.city() if locale != "tr_TR" else rng.choice(("Istanbul", "Ankara", "Izmir", "Antalya", "Kadıköy/İstanbul"))
    if rng.random() < 0.5:
        city = city.split(" ")[0]
    prefix = {"de_DE": "D-", "de_AT": "A-", "de_CH": "CH-", "fr_FR": "F-", "hr_HR": "HR-"}.get(locale, "") if rng.random() < 0.15 else ""
    street = f"{number}{rng.choice((' ', ', '))}{name}" if locale == "fr_FR" else f"{name}{rng.choice((' ', ' ', ', '))}{number}"
    place = rng.choice((f"{prefix}{code} {city}", f"{prefix}{code} {city}", f"{code}-{city}", f"{code}, {city}"))
    shapes = (
        [street, place], [street, place], [street, place], [f"{street}, {place}"], [f"{place}, {street}"], [place, street], [street, city],
        [street], [place], [f"{street} {place}"], [street, place, _COUNTRY_OF.get(locale, city)], [rng.choice(_MALLS), street, place],
    )  # fmt: skip
    phone = rng.choice(("Tel. 0{a} {b}", "Telefon: 0{a}/{b}", "Tél : 0{a} {b}", "tel. {a} {b}", "Tlf. {b}", "+{a} {b}"))
    return list(rng.choice(shapes)), phone.format(a=rng.randint(11, 999), b=rng.randint(200000, 9999999))


def _chinese(rng: Random) -> Address:
    made = faker(rng.choice(("zh_CN", "zh_TW")), rng)
    city, district = made.city_name() if hasattr(made, "city_name") else made.city(), made.last_name() + made.last_name()
    road = f"{made.street_name()}{rng.randint(1, 300)}{rng.choice(('号', '號'))}{rng.choice(('', '1层', 'B1楼'))}"
    lines = [f"{city}{district}{rng.choice(('区', '區'))}{road}"]
    if rng.random() < 0.5:
        lines[0] = rng.choice(("地址：", "地址:")) + lines[0]
    return lines, f"{rng.choice(('电话：', '電話:', 'TEL:'))}0{rng.randint(10, 29)}-{rng.randint(20000000, 89999999)}"
