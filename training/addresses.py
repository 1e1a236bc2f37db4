"""Synthetic addresses in the formats of many countries, line by line as receipts print them. For training only.

Names of streets, towns and people, and postal codes, come from Faker (https://faker.readthedocs.io), never from labelled receipts. The
constants are words of the format alone: street types, directions, administrative units.
"""

from collections.abc import Callable
from functools import cache
from random import Random

from faker import Faker

# The lines of an address, and a row with a telephone number in the format of the same country.
Address = tuple[list[str], str]

_STREET_TYPES = (
    "St", "Street", "St.", "Ave", "Ave.", "Avenue", "Rd", "Rd.", "Road", "Blvd", "Boulevard", "Dr", "Drive", "Ln", "Lane", "Way", "Pkwy",
    "Parkway", "Hwy", "Court", "Plaza", "Circle", "Pike", "Terrace", "Square", "Mall",
)  # fmt: skip
# Second word in the name of a shopping centre, station or airport.
_CENTRES = (
    "Mall", "Centre", "Center", "Plaza", "Shopping Centre", "Shopping Center", "Galleria", "Arcade", "Outlets", "Gardens", "Square",
    "Airport", "Station", "Retail Park", "Einkaufszentrum", "Centro Comercial", "Centre Commercial", "Galeria", "Arkaden",
)  # fmt: skip
# Names without a first word.
_LONE_CENTRES = ("International Airport", "Travel Plaza", "Outlet Center", "Central Station", "Terminal 1", "Terminal 2", "Market Square")


@cache
def _faker(locale: str) -> Faker:
    return Faker(locale)


def faker(locale: str, rng: Random) -> Faker:
    """Return the generator of names and places of a locale, seeded from `rng`."""
    made = _faker(locale)
    made.seed_instance(rng.getrandbits(32))
    return made


def address(rng: Random) -> Address:
    """Make an address of a random country."""
    makers: tuple[tuple[Callable[[Random], Address], int], ...] = (
        (_american, 10), (_british, 4), (_australian, 3), (_singaporean, 3), (_indian, 3), (_emirati, 2), (_canadian, 3), (_malaysian, 5),
        (_european, 15), (_chinese, 2),
    )  # fmt: skip
    lines, phone = rng.choices([maker for maker, _ in makers], [weight for _, weight in makers])[0](rng)
    if rng.random() < 0.25:
        lines = [line.upper() for line in lines]
    return lines, phone


def town(rng: Random, locale: str) -> str:
    return str(faker(locale, rng).city())


def centre(rng: Random, locale: str) -> str:
    """Make the name of a shopping centre, station or airport."""
    if rng.random() < 0.2:
        return rng.choice(_LONE_CENTRES)
    name = town(rng, locale) if rng.random() < 0.5 else faker(locale, rng).last_name()
    return f"{name} {rng.choice(_CENTRES)}"


def _street(rng: Random, locale: str = "en_US") -> str:
    direction = rng.choice(("", "", "", "N ", "S. ", "W ", "East ", "N.E. ", "NW "))
    if rng.random() < 0.1:
        return (
            f"{rng.randint(1, 99999)} {rng.choice(('Hwy', 'Highway', 'US HWY', 'Route'))} {rng.randint(1, 400)}{rng.choice(('', ' West'))}"
        )
    if rng.random() < 0.1:
        count = rng.randint(1, 150)
        ordinal = "th" if 10 <= count % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
        return f"{rng.randint(1, 19999)} {direction}{count}{ordinal} {rng.choice(_STREET_TYPES)}"
    made = faker(locale, rng)
    name = made.last_name() if rng.random() < 0.6 else made.city()
    return f"{rng.randint(1, 19999)} {direction}{name} {rng.choice(_STREET_TYPES)}"


def _american(rng: Random) -> Address:
    shape = rng.choice(("({a}) {b}-{c}", "{a}-{b}-{c}", "{a}.{b}.{c}", "Tel: {a} {b} {c}", "Phone:({a}){b}-{c}", "({a}){b}-{c}"))
    phone = shape.format(a=rng.randint(201, 989), b=rng.randint(200, 999), c=f"{rng.randint(0, 9999):04d}")
    code = f"{rng.randint(10000, 99950)}" + rng.choice(("", "", "", f"-{rng.randint(1000, 9999)}"))
    made = faker("en_US", rng)
    state = made.state_abbr() if rng.random() < 0.85 else made.state()
    place = f"{town(rng, 'en_US')}{rng.choice((', ', ',', ' ', '. ', ',  '))}{state}"
    shape_roll = rng.random()
    if shape_roll < 0.2:
        return [rng.choice((place, place, f"{place} {code}"))], phone
    lines = [_street(rng)]
    if rng.random() < 0.15:
        lines[0] += rng.choice((", #{n}", " Suite {n}", " Ste {n}", " #{n}", " Unit {n}")).format(n=rng.randint(1, 1200))
    elif rng.random() < 0.2:
        lines.append(rng.choice(("Suite {n}", "Ste# {n}", "Space #{n}", "Unit {n}", "Shop {n}")).format(n=rng.randint(1, 1200)))
    if rng.random() < 0.12:
        lines.insert(0, centre(rng, "en_US"))
    if shape_roll < 0.27:
        return [*lines, place, code], phone
    if shape_roll < 0.35:
        return [f"{' '.join(lines)} {place} {code}"], phone
    if shape_roll < 0.45:
        return [*lines, place], phone
    return [*lines, f"{place}{rng.choice((' ', ' ', '  ', ', '))}{code}"], phone


def _canadian(rng: Random) -> Address:
    locale = rng.choice(("en_CA", "fr_CA"))
    made = faker(locale, rng)
    code = made.postcode()
    place = f"{made.city()}{rng.choice((', ', ' ', ','))}{rng.choice((made.province_abbr(), made.province()))}"
    phone = f"({rng.randint(204, 905)}) {rng.randint(200, 999)}-{rng.randint(1000, 9999)}"
    road = rng.choice((_street(rng, "en_CA"), made.street_address().partition("\n")[0], _street(rng, "en_CA")))
    return rng.choice(([road, place], [road, f"{place} {code}"], [road, f"{place}, {code}"], [road, place, code])), phone


def _british(rng: Random) -> Address:
    made = faker("en_GB", rng)
    code = made.postcode()
    name = made.last_name() if rng.random() < 0.7 else made.city()
    street = (
        f"{rng.randint(1, 640)} {name} {rng.choice(('Street', 'Road', 'St', 'Rd', 'Lane', 'Market Place', 'Way', 'Retail Park', 'Hill'))}"
    )
    if rng.random() < 0.2:
        street = street.partition(" ")[2]
    city, county = made.city(), rng.choice((made.county(), "Scotland", "Wales", "UK", "United Kingdom"))
    phone = f"{rng.choice(('Tel: ', 'Telephone : ', '', 'T: '))}0{rng.randint(1200, 1999)} {rng.randint(100000, 999999)}"
    shapes = (
        [street], [street, city], [street, city, code], [city, code], [street, f"{city} {code}"], [f"{street}, {city}, {code}"],
        [street, city, county], [street, city, county, code], [f"{street}, {city}", code],
    )  # fmt: skip
    return rng.choice(shapes), phone


def _australian(rng: Random) -> Address:
    locale = rng.choice(("en_AU", "en_NZ"))
    made = faker(locale, rng)
    suburb, state = made.city(), made.state_abbr() if locale == "en_AU" else ""
    place = f"{suburb} {state} {rng.randint(1000, 6999)}".replace("  ", " ")
    lines = [_street(rng, locale), rng.choice((place, place, suburb))]
    if rng.random() < 0.4:
        lines.insert(0, f"{rng.choice(('Shop', 'SHOP', 'Unit', 'Tenancy'))} {rng.randint(1, 300)} {centre(rng, locale)}")
    return lines, f"{rng.choice(('Ph: ', 'TEL ', 'Ph '))}0{rng.randint(2, 8)} {rng.randint(1000, 9999)} {rng.randint(1000, 9999)}"


def _singaporean(rng: Random) -> Address:
    unit = f"#{rng.choice(('01', 'B1', '03', 'L2', 'B3', '02'))}-{rng.randint(1, 174)}"
    code = rng.choice(("Singapore {n}", "SINGAPORE {n}", "S {n}", "S({n})", "Singapore({n})")).format(n=f"{rng.randint(10000, 829999):06d}")
    name = faker("en_GB", rng).last_name()
    road = f"{rng.randint(1, 600)} {name} {rng.choice(('Road', 'Rd', 'Boulevard', 'Street', 'Turn', 'Avenue'))}"
    mall = centre(rng, "en_GB")
    shapes = ([f"{road} {unit}", mall, code], [road, f"{unit} {mall}", code], [f"{road} {unit}", code], [f"{road}, {unit}, {code}"])
    return rng.choice(shapes), f"Tel: {rng.randint(6000, 6999)} {rng.randint(1000, 9999)}"


def _indian(rng: Random) -> Address:
    made = faker("en_IN", rng)
    city, name = made.city(), made.last_name()
    shapes = (
        "Opp. {x} Cinema", "Near {x} Post Office", "No.{n}, {x} Colony", "{n}, {x} Main Road", "1st Floor, {x} Enclave",
        "G-{n}, {x} Cross", "Shop No {n}, {x} Mall", "{x} Nagar", "H.No. {n}, {x} Chowk",
    )  # fmt: skip
    near, other = (rng.choice(shapes).format(x=name, n=rng.randint(1, 200)) for _ in range(2))
    pin = f"{city}{rng.choice(('-', ' - ', ' '))}{rng.randint(110, 695)}{rng.choice((' ', ''))}{rng.randint(1, 99):03d}"
    lines = rng.choice(([near, pin], [near, city], [near, other, pin], [near, f"{made.last_name()} Nagar, {city}"], [near, other, city]))
    return lines, f"Ph : 0{rng.randint(11, 88)}-{rng.randint(2000000, 9999999)}"


# Source: ISO 3166-2:AE.
_EMIRATES = ("Dubai", "Abu Dhabi", "Sharjah", "Ajman", "Fujairah", "Ras Al Khaimah", "Umm Al Quwain")


def _emirati(rng: Random) -> Address:
    mall, emirate = centre(rng, "en_GB"), rng.choice(_EMIRATES)
    shapes = ([f"{mall} - {emirate}"], [mall, f"{emirate}, U.A.E"], [f"Level {rng.randint(1, 3)} - {mall}"], [mall])
    return rng.choice(shapes), f"Tel:0{rng.randint(2, 7)}-{rng.randint(2000000, 9999999)}"


_MALAYSIAN_AREAS = ("Taman", "Bandar", "Kawasan Perindustrian", "Desa", "Kampung", "Pusat Perdagangan")


def _malaysian(rng: Random) -> Address:
    made = faker("en_MS", rng)
    number = rng.choice(("No. {n},", "No {n},", "NO.{n}", "LOT {n},", "{n} & {n}A,", "{n},", "Lot {n}-A,", "G-{n},", "LG-{n}")).format(
        n=rng.randint(1, 300)
    )
    road, suffix = made.street_name(), rng.choice(("", "", f" {rng.randint(1, 30)}/{rng.randint(1, 9)}"))
    if not road[-1].isalpha():
        suffix = ""
    road += suffix
    area = f"{rng.choice(_MALAYSIAN_AREAS)} {faker('id_ID', rng).last_name()}"
    city, state = f"{made.postcode()} {made.city()}", rng.choice((made.state(), made.state(), "Malaysia"))
    shapes = (
        [f"{number} {road},", f"{area},", f"{city}, {state}"], [f"{number} {road}, {area},", f"{city}, {state}."],
        [f"{number} {road}", city], [f"{area} {number}", road, f"{city}, {state}"], [area, f"{number} {road},", f"{city},", state],
    )  # fmt: skip
    return rng.choice(shapes), rng.choice(("Tel: 0{a}-{b}", "TEL : 0{a}-{b}", "Tel/Fax: 0{a}-{b}")).format(
        a=rng.randint(3, 9), b=rng.randint(2000000, 99999999)
    )


_LOCALES = (
    "de_DE", "de_DE", "de_DE", "de_AT", "de_CH", "fr_FR", "fr_FR", "it_IT", "es_ES", "es_ES", "es_MX", "pt_PT", "pt_BR", "nl_NL", "nl_BE",
    "pl_PL", "pl_PL", "cs_CZ", "sk_SK", "hr_HR", "sl_SI", "hu_HU", "ro_RO", "sv_SE", "da_DK", "no_NO", "fi_FI", "id_ID", "tr_TR",
)  # fmt: skip
_COUNTRY_OF = {"de_DE": "Deutschland", "fr_FR": "France", "it_IT": "Italia", "es_ES": "España", "nl_NL": "Nederland", "sv_SE": "Sverige"}


def _european(rng: Random) -> Address:
    """Make street and number, postal code and town, in the order and with the punctuation of the country."""
    locale = rng.choice(_LOCALES)
    made = faker(locale, rng)
    number = f"{rng.randint(1, 189)}{rng.choice(('', '', '', 'a', '-' + str(rng.randint(2, 99)), '/' + str(rng.randint(1, 20))))}"
    name = made.street_name()
    if locale == "pl_PL":
        name = rng.choice(("ul. ", "ul.", "al. ")) + name
    elif locale == "tr_TR":  # Faker has Turkish names of people, but writes streets and postal codes in the American way
        name = f"{made.last_name()} {rng.choice(('Cad.', 'Sok.', 'Mah.', 'Bulvarı', 'Caddesi'))}"
        number = f"{rng.choice(('No:', 'NO: ', ''))}{number}"
    elif locale == "pt_PT":
        number = rng.choice(("", "N.º ", "nº")) + number
    code = made.postcode() if locale != "tr_TR" else f"{rng.randint(10000, 80999)}"
    city = made.city() if locale != "tr_TR" else made.last_name()
    if rng.random() < 0.5:
        city = city.split(" ")[0]
    prefix = {"de_DE": "D-", "de_AT": "A-", "de_CH": "CH-", "fr_FR": "F-", "hr_HR": "HR-"}.get(locale, "") if rng.random() < 0.15 else ""
    street = f"{number}{rng.choice((' ', ', '))}{name}" if locale == "fr_FR" else f"{name}{rng.choice((' ', ' ', ', '))}{number}"
    place = rng.choice((f"{prefix}{code} {city}", f"{prefix}{code} {city}", f"{code}-{city}", f"{code}, {city}"))
    shapes = (
        [street, place], [street, place], [street, place], [f"{street}, {place}"], [f"{place}, {street}"], [place, street], [street, city],
        [street], [place], [f"{street} {place}"], [street, place, _COUNTRY_OF.get(locale, city)], [centre(rng, locale), street, place],
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
