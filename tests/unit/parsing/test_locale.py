"""Where a receipt comes from, what its money is, and in which order its dates are."""

from datetime import date

import pytest

from extractor.config.settings import LocaleSettings
from extractor.parsing.dates.finder import find_dates
from extractor.parsing.dates.interpretations import PrintedDate
from extractor.parsing.locale.resolution import weigh_locale


def printed(text: str) -> PrintedDate:
    return find_dates(text)[0]


RECEIPTS = {
    "MY": ("MYR", ["KEDAI BUKU MAJU SDN BHD", "12 JALAN SAGU, TAMAN DAYA", "81100 JOHOR BAHRU", "GST ID: 000181747712", "TOTAL RM 12.50"]),
    "US": ("USD", ["Diner", "120 Main St", "Springfield, IL 62701", "(217) 555-0123", "Sales Tax 1.20", "TOTAL $15.40"]),
    "CA": ("CAD", ["Diner", "120 Main St", "Vancouver BC V6B 1A1", "(604) 555-0123", "GST 0.70", "PST 0.98", "TOTAL $15.68"]),
    "AU": ("AUD", ["Corner Cafe", "9 Bulla Rd", "Strathmore VIC 3041", "ABN 53 004 085 616", "GST included 1.40", "TOTAL $15.40"]),
    "GB": ("GBP", ["Corner Cafe", "9 High Street", "Edinburgh EH2 4SD", "VAT No 123 4567 89", "TOTAL £15.40"]),
    "SG": ("SGD", ["CAFE PTE LTD", "370 Alexandra Road", "Singapore 159953", "GST Reg No 200711630D", "7% GST 1.00", "TOTAL $15.40"]),
    "DE": ("EUR", ["Laden GmbH", "Hauptstr. 12", "04103 Leipzig", "USt-IdNr. DE123456789", "MwSt 19% 1,20", "Summe EUR 15,40"]),
    "AT": ("EUR", ["Eckladen", "Ring 12", "1010 Wien", "UID: ATU12345678", "20% MwSt 1,20", "Summe EUR 15,40"]),
    "PL": ("PLN", ["Sklep Sp. z o.o.", "ul. Kwiatowa 3", "00-872 Warszawa", "NIP 525-24-03-742", "PARAGON FISKALNY", "SUMA PLN 15,40"]),
    "TH": ("THB", ["Corner Shop", "TAX#0107542000011 (VAT Included)", "03/10/68 23:33", "Total 758.25"]),
    "IN": ("INR", ["CAFE PVT LTD", "CHENNAI-600 096", "GSTIN 33AABCU9603R1ZM", "CGST 2.5% 3.00", "SGST 2.5% 3.00", "TOTAL 126.00"]),
    "SE": ("SEK", ["Hörnan AB", "Storgatan 59", "116 38 STOCKHOLM", "ORGNR 556036-0793", "MOMS 25% 20,00", "TOTALT 100,00", "KVITTO"]),
}  # fmt: skip


@pytest.mark.parametrize(("country", "currency", "rows"), [(code, *entry) for code, entry in RECEIPTS.items()], ids=list(RECEIPTS))
def test_evidence_decides_country_and_currency(country: str, currency: str, rows: list[str]) -> None:
    """Tax numbers, postal codes, places, phones and words together tell the country, also where the mark is shared by many."""
    guess = weigh_locale(rows)
    assert (guess.country, guess.currency) == (country, currency)
    assert guess.is_currency_decided
    assert guess.evidence


def test_a_plain_dollar_stays_open() -> None:
    """A dollar sign alone decides neither country nor currency; the candidates are kept."""
    guess = weigh_locale(["CORNER CAFE", "Tea $2.00", "Total $2.00", "Thank you"])
    assert guess.country is None
    assert not guess.is_currency_decided
    assert {"USD", "CAD", "AUD"} <= set(guess.currencies)


def test_dishes_tell_indonesia_and_malaysia_by_their_money() -> None:
    """Nasi and ayam are eaten in both; prices without decimals are paid in rupiah, with decimals in ringgit."""
    dishes = ("NASI GORENG", "AYAM BAKAR", "TEH PANAS")
    whole = weigh_locale([*(f"{dish} {price}" for dish, price in zip(dishes, ("45,000", "31,500", "5,500"), strict=True)), "Total 82,000"])
    assert whole.currency == "IDR"
    broken = weigh_locale(["Kedai Makan Sdn Bhd", *(f"{dish} 4.50" for dish in dishes), "Total 13.50"])
    assert broken.currency == "MYR"


@pytest.mark.parametrize(("country", "town"), [("US", "Fairhaven,OH 44560"), ("CA", "Elmvale, ON L0L 1P0"), ("AU", "Merribee NSW 2594")])
def test_a_town_with_its_state_and_postal_code_decides(country: str, town: str) -> None:
    """Towns that no table knows, on a receipt without any mark of a currency."""
    guess = weigh_locale(["The Willow Grill", "6028 Old Mill Rd", town, "Subtotal 41.95", "Total 45.20", "Thank you"])
    assert (guess.country, guess.is_currency_decided) == (country, True)


def test_a_town_with_its_state_needs_little_more() -> None:
    """A state behind a town's comma decides with a phone number beside it."""
    guess = weigh_locale(["FAIRHAVEN,NJ", "(609) 555-0134", "Subtotal 12.00", "Tax 1.08", "Total 13.08", "Thank you"])
    assert (guess.currency, guess.is_currency_decided) == ("USD", True)


def test_a_chain_decides_nothing_alone() -> None:
    """A chain that is at home in one country proposes its currency; a dollar sign confirms it for none of the countries with dollars."""
    guess = weigh_locale(["IN-N-OUT BURGER", "Tea $1.20", "Subtotal 12.00", "Tax 1.08", "Total 13.08", "Thank you"])
    assert (guess.currency, guess.is_currency_decided) == ("USD", False)


@pytest.mark.parametrize("item", ["California roll", "Pilot pen", "Dallas jeans", "Hamilton ham", "Wellington boots"])
def test_an_item_is_no_clue(item: str) -> None:
    """A place or a chain in the name of an item makes no currency likelier."""
    rows = ["CORNER CAFE", "{} 9.50", "Tea 2.00", "Subtotal $11.50", "Total $11.50", "Thank you"]
    with_name, without = (weigh_locale([row.format(text) for row in rows]) for text in (item, "Plain thing"))
    assert with_name == without


def test_a_place_in_the_address_counts_more_than_in_a_name() -> None:
    """`Dallas` below a street is where the shop is; `Dallas Grill` may be anywhere."""
    rows = ("Tea 2.00", "Subtotal $2.00", "Total $2.00")
    address, name = weigh_locale(["CORNER CAFE", "12 Main St", "Dallas", *rows]), weigh_locale(["DALLAS GRILL", "Welcome", *rows])
    assert address.currency_confidence > name.currency_confidence


def test_a_street_named_after_a_town_is_no_clue() -> None:
    """Hamilton Street and Wellington Road are found in many countries."""
    rows = ("Tea 2.00", "Subtotal $2.00", "Total $2.00")
    guesses = {weigh_locale(["CORNER CAFE", street, *rows]).currencies for street in ("12 Hamilton Street", "12 Linden Street")}
    assert len(guesses) == 1


@pytest.mark.parametrize(
    ("currency", "rows"),
    [
        ("EUR", ["ANOAEIEH AIANIKH∑", "△OY ΨAEINEIPAIA", "Cafe Latte 4,75 13.0%", "ΣYNOΛO 6,70", "ΦΠA 0,77", "ΓIA MHNO∑"]),
        ("CNY", ["老城饭馆", "桌号 12", "账单", "总计 328.00元"]),
        ("TWD", ["老城飯館", "帳單", "總計 328元", "統一編號 12345678"]),
    ],
    ids=["Greek", "simplified", "traditional"],
)  # fmt: skip
def test_the_script_tells_the_currency(currency: str, rows: list[str]) -> None:
    """Greek letters that OCR left among Latin look-alikes; Chinese characters as they are written on one side of the strait."""
    guess = weigh_locale(rows)
    assert (guess.currency, guess.is_currency_decided) == (currency, True)


def test_words_of_a_card_terminal_lean_towards_canada() -> None:
    """What Canadian terminals print makes its dollar the likeliest, and decides nothing alone."""
    guess = weigh_locale(["MEMBER", "COKE ZERO 17.19", "SUBTOTAL 17.19", "TOTAL 19.42", "01 APPROVED - THANK YOU 027", "Retain this copy"])
    assert (guess.currencies[0], guess.is_currency_decided) == ("CAD", False)


def test_a_date_that_the_place_cannot_mean_decides_nothing_for_others() -> None:
    """A Greek receipt with a sixteenth month has a misread digit, or a till set otherwise: its other dates may be either."""
    greek = ["ΦΑΡΜΑΚΕΙΟ ΒΛΑΧΑΚΗΣ", "ΑΦΜ 149642334", "881 11 ΠΑΛΑΙΑ ΠΟΛΗ", "ΦΠΑ 24% 1,14", "ΣΥΝΟΛΟ 5,90", "12/10/21"]
    assert weigh_locale(greek).date_order == "DMY"
    assert weigh_locale([*greek, "12/16/21 13:35"]).date_order is None


def test_nothing_is_assumed_of_an_empty_page() -> None:
    """Without text there is no country, no currency, no order, no language."""
    guess = weigh_locale([])
    assert (guess.country, guess.currency, guess.date_order, guess.language, guess.decimal_mark) == (None, None, None, None, None)


def test_settings_settle_only_what_is_open() -> None:
    """A preferred country fills a gap and is named as what settled it; it does not overrule the receipt."""
    preferences = LocaleSettings(country="CA", date_order="DMY")
    open_guess = weigh_locale(["Tea $2.00", "03/04/2018", "Total $2.00"], preferences=preferences)
    assert (open_guess.currency, open_guess.date_order) == ("CAD", "DMY")
    assert {"currency", "date_order"} <= set(open_guess.settled)
    decided = weigh_locale(RECEIPTS["MY"][1], preferences=preferences)
    assert decided.currency == "MYR"
    assert "currency" not in decided.settled


def test_the_past_has_its_own_money() -> None:
    """Before a country took the euro its receipts were in what it had then."""
    rows = ["Konoba d.o.o.", "Obala 3, 51000 Rijeka", "OIB 83938812619", "PDV 25%", "UKUPNO 25,00", "Račun"]
    assert weigh_locale([*rows, "26.08.2021 09:59"]).currency == "HRK"
    assert weigh_locale([*rows, "26.08.2023 09:59"]).currency == "EUR"


def test_the_country_orders_the_date() -> None:
    """An ambiguous date means one day where the country is known, and the other order elsewhere."""
    assert weigh_locale(RECEIPTS["MY"][1]).days_of(printed("03/04/2018")) == {date(2018, 4, 3)}
    assert weigh_locale(RECEIPTS["US"][1]).days_of(printed("03/04/2018")) == {date(2018, 3, 4)}


def test_the_receipts_own_dates_order_the_date() -> None:
    """A day above 12, a weekday beside the date, or the same day printed in full elsewhere decide without a country."""
    for proof in ("Printed 25/12/2018", "Tue 03/04/2018 14:05", "03 Apr 2018"):
        assert weigh_locale(["03/04/2018", proof]).days_of(printed("03/04/2018")) == {date(2018, 4, 3)}, proof


def test_an_undecided_date_stays_ambiguous() -> None:
    """Where nothing tells, both days remain."""
    guess = weigh_locale(["Total $2.00", "03/04/2018"])
    assert guess.days_of(printed("03/04/2018")) == {date(2018, 4, 3), date(2018, 3, 4)}


def test_years_first_where_that_is_usual() -> None:
    """A short date of China begins with the year; a date without a leading year in Sweden begins with the day."""
    chinese = weigh_locale(["北京朝阳店", "微信支付 50.00", "找零 2.00", "谢谢惠顾", "18.10.07 21:23:48"])
    assert chinese.days_of(printed("18.10.07")) == {date(2018, 10, 7)}
    assert weigh_locale(RECEIPTS["SE"][1]).days_of(printed("04-05-2019")) == {date(2019, 5, 4)}


def test_amounts_without_decimals_speak_for_indonesia() -> None:
    """Thousands without decimals and words of tills in English leave the rupiah as the likeliest currency, not as a decided one."""
    guess = weigh_locale(["Nasi Campur 75,000", "Ice Tea 18,000", "SUBTOTAL 93,000", "PB1 9,300", "TOTAL 102,300"])
    assert guess.currencies[0] == "IDR"


def test_the_mark_at_the_total_outweighs_a_second_currency() -> None:
    """A conversion printed below the total does not change the currency."""
    rows = [*RECEIPTS["CA"][1], "Currencies", "USD $11.82"]
    assert weigh_locale(rows, mark="$").currency == "CAD"


def test_the_total_of_a_simple_till_is_no_lira() -> None:
    """`TL 297.00` is the label of a total; behind the amount, TL is what is paid with."""
    till = ["SHEUNG WAN, HONG KONG", "REG 22-08-2014", "ST 270.00", "TL 297.00", "CASH 297.00"]
    assert "TRY" not in weigh_locale(till, mark="TL").currencies
    assert weigh_locale(["KAHVE 12,00 TL", "CAY 4,00 TL", "TOPLAM 16,00 TL"], mark="TL").currency == "TRY"


def test_an_emv_number_is_no_tax_number() -> None:
    """Card terminals' application numbers do not look like a company's number."""
    guess = weigh_locale(["Diner", "AID: A0000000041010", "Total 12.00"])
    assert guess.country is None


@pytest.mark.parametrize("rows", [("14-04-2025 16:16", "ВАЛИДНО ДО 14-04-2026"), ("14-04-2025", "Замяна до 14-04-2026")])
def test_the_last_day_of_a_voucher_decides_no_currency(rows: tuple[str, ...]) -> None:
    """Bulgaria paid in levs when the thing was bought, whatever it pays with when the voucher ends."""
    assert weigh_locale(["СЛЪНЦЕ ООД гр. Русе", "ЕИК 115234876", "ОБЩА СУМА 9.37", "В БРОЙ 9.37", "ДДС 1.56", *rows]).currency == "BGN"
