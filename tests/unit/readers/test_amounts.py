"""The money fields of whole receipts: totals, taxes, charges, payments and currency, each rule on a hand-made transcript."""

from typing import Any

import pytest

from extractor.ocr.transcript import Transcript
from extractor.parsing.keywords import Role
from extractor.readers.rules.amount_rows import read_rows
from extractor.readers.rules.money_fields import read_amounts
from tests.transcripts import transcript

RIGHT = 560


def priced(*cells: str) -> list[tuple[float, str]]:
    """A row of a label at the left and columns of amounts, the last one at the right edge."""
    label, *amounts = cells
    columns = [(RIGHT - 10 * len(text) - 120 * (len(amounts) - 1 - place), text) for place, text in enumerate(amounts)]
    return [(20.0, label), *((float(left), text) for left, text in columns)]


def values(*rows: "str | list[tuple[float, str]]") -> dict[str, Any]:
    """What is read from a receipt of these rows."""
    return dict(read_amounts([transcript(*rows)]).values)


def test_total_between_subtotal_and_cash() -> None:
    """Cash larger than the total is no total; tendered and change are known by what they leave."""
    found = values(
        "CORNER SHOP",
        priced("MILK 1L", "2.50"),
        priced("BREAD", "3.20"),
        priced("SUBTOTAL", "5.70"),
        priced("SALES TAX", "0.40"),
        priced("TOTAL", "$6.10"),
        priced("CASH", "20.00"),
        priced("CHANGE", "13.90"),
    )
    assert (found["subtotal"], found["tax_total"], found["total"]) == ("5.70", "0.40", "6.10")
    assert (found["amount_tendered"], found["change_given"]) == ("20.00", "13.90")
    assert found["currency"] == "$"
    assert [item["total_price"] for item in found["items"]] == ["2.50", "3.20"]


def test_total_without_the_word() -> None:
    """Where no row is called total, the sums of the amounts show it."""
    found = values(
        priced("Xqwz plm", "12.00"), priced("Vrtk dss", "7.50"), priced("Zzkk", "19.50"), priced("Qpfw", "50.00"), priced("Bbdt", "30.50")
    )
    assert found["total"] == "19.50"


def test_second_currency_below_the_total() -> None:
    """A total converted into another currency is not the total."""
    found = values(
        priced("Kava", "1,80"),
        priced("Sok", "2,20"),
        priced("UKUPNO EUR", "4,00"),
        priced("Gotovina", "4,00"),
        priced("Ukupno u HRK tečaj 7,53450", "30,14"),
    )
    assert found["total"] == "4,00"


def test_rounded_total_is_what_was_owed() -> None:
    """With a total before and after rounding to coins, the rounding is found, and the total is one of the two."""
    found = values(
        priced("NASI LEMAK", "8.20"),
        priced("TEH TARIK", "2.13"),
        priced("Total Sales (Inclusive GST)", "10.33"),
        priced("Rounding Adj", "0.02"),
        priced("Total Payable", "10.35"),
        priced("CASH", "50.00"),
        priced("CHANGE", "39.65"),
    )
    assert found["rounding"] == "0.02"
    assert found["total"] == "10.35"


@pytest.mark.parametrize("label", ["TOTAL QTY", "Total items", "Total savings", "Item Count"])
def test_totals_of_other_things(label: str) -> None:
    """Counts and savings are no totals, however large."""
    found = values(priced("A4 PAPER", "12.00"), priced("PEN", "3.00"), priced("TOTAL", "15.00"), priced(label, "99.00"))
    assert found["total"] == "15.00"


def test_refund() -> None:
    """A refund's total is negative."""
    found = values(
        priced("BURGER", "-2.87"), priced("SUBTOTAL", "-2.87"), priced("TAX", "-0.26"), priced("TOTAL", "-3.13"), priced("VISA", "-3.13")
    )
    assert (found["subtotal"], found["tax_total"], found["total"]) == ("-2.87", "-0.26", "-3.13")


def test_german_tax_table() -> None:
    """A tax table gives one line a rate with net and tax; their sum is not printed and so not invented."""
    found = values(
        priced("SALATBAR", "2,24 B"),
        priced("KAFFEE", "11,90 A"),
        priced("SUMME EUR", "14,14"),
        [(20, "MWSt"), (150, "NETTO"), (300, "MwSt"), (450, "UMSATZ")],
        priced("A 19%", "10,00", "1,90", "11,90"),
        priced("B 7%", "2,09", "0,15", "2,24"),
    )
    assert [(line["code"], line["rate"], line["net_amount"], line["amount"]) for line in found["tax_lines"]] == [
        ("A", "19%", "10,00", "1,90"),
        ("B", "7%", "2,09", "0,15"),
    ]
    assert "tax_total" not in found


@pytest.mark.parametrize("label", ["USt. 19 %", "USt.19 %", "MwSt.19,0%", "incl.19,00% MwSt", "Nr.4. 19% MwSt"])
def test_a_rate_is_read_beside_its_word(label: str) -> None:
    """The rate of a tax counts whether or not a space separates it from the tax's name."""
    found = values(priced("KAFFEE", "11,90"), priced("SUMME", "11,90"), priced(label, "1,90"))
    assert [(line["rate"], line["amount"]) for line in found["tax_lines"]] == [("19%", "1,90")]


def test_the_sum_of_a_tax_table_does_not_replace_its_rates() -> None:
    """A table of several rates gives its rates, and its row of sums the tax over all."""
    found = values(
        priced("SEIFE", "2,59 A"),
        priced("BROT", "2,08 B"),
        priced("SUMME EUR", "4,67"),
        [(20, "Steuer"), (150, "Netto"), (300, "Steuer"), (450, "Brutto")],
        priced("A= 19,0%", "2,18", "0,41", "2,59"),
        priced("B= 7,0%", "1,94", "0,14", "2,08"),
        priced("Gesamtbetrag", "4,12", "0,55", "4,67"),
    )
    assert found["tax_total"] == "0,55"
    assert [(line["code"], line["rate"], line["net_amount"], line["amount"]) for line in found["tax_lines"]] == [
        ("A", "19%", "2,18", "0,41"),
        ("B", "7%", "1,94", "0,14"),
    ]


def test_gst_summary() -> None:
    """The tax is printed as a line and again in a summary: it is one tax."""
    found = values(
        priced("RICE", "26.60"),
        priced("Total Incl. GST@6%", "RM 26.60"),
        priced("GST @6% included in total", "RM 1.51"),
        [(20, "GST Summary"), (250, "Amount(RM)"), (450, "Tax(RM)")],
        priced("SR 6%", "25.09", "1.51"),
    )
    assert found["tax_total"] == "1.51"
    assert len(found["tax_lines"]) == 1
    assert found["currency"] == "RM"


def test_printed_sum_of_taxes() -> None:
    """Where the sum over the rates is printed it is the tax."""
    found = values(
        priced("LATTE", "14,50 A"),
        priced("SERNIK", "12,90 B"),
        priced("PTU A 23%", "2,71"),
        priced("PTU B 8%", "0,96"),
        priced("SUMA PTU", "3,67"),
        priced("SUMA PLN", "27,40"),
    )
    assert found["tax_total"] == "3,67"


def test_printed_zero_tax() -> None:
    """A tax of 0.00 is a printed tax."""
    found = values(priced("BOOK", "9.00"), priced("TAX", "0.00"), priced("TOTAL", "9.00"))
    assert found["tax_total"] == "0.00"


def test_tax_whose_label_was_torn_off() -> None:
    """The amount between subtotal and total is the tax where the receipt names one on a row of its own."""
    found = values(
        priced("STEAK", "44.00"),
        priced("Subtotal", "44.00"),
        "Tax",
        [(500, "3.85")],
        priced("Total", "47.85"),
    )
    assert found["tax_total"] == "3.85"


def test_net_amount_is_the_subtotal() -> None:
    """Without a printed subtotal, the net amount that tax leads from to the total is it."""
    found = values(priced("ADULT", "39.00"), priced("TOTAL ex VAT", "32.50"), priced("VAT", "6.50"), priced("TOTAL", "39.00"))
    assert found["subtotal"] == "32.50"


def test_several_subtotals() -> None:
    """Of several subtotals, the one that the tax leads from to the total counts."""
    found = values(
        priced("MEAL", "6.74"),
        priced("Food Sub-Total", "6.74"),
        priced("COUPON", "-0.65"),
        priced("SUB TOTAL", "6.09"),
        priced("Sales Tax", "0.56"),
        priced("TOTAL", "6.65"),
    )
    assert found["subtotal"] == "6.09"


def test_service_and_tip() -> None:
    """Service charge and tip are fields of their own and no tax."""
    found = values(
        priced("SOUP", "20.00"),
        priced("SUBTOTAL", "20.00"),
        priced("Service Charge 10%", "2.00"),
        priced("Gratuity", "3.00"),
        priced("TOTAL", "25.00"),
    )
    assert (found["service_charge"], found["tip"], found["total"]) == ("2.00", "3.00", "25.00")
    assert "tax_total" not in found


def test_card_payment() -> None:
    """A card payment carries the last four digits of the card where they are printed."""
    found = values(priced("SHOES", "59.00"), priced("TOTAL", "59.00"), priced("VISA DEBIT", "59.00"), "XXXXXXXXXXXX4071")
    assert found["payments"] == [{"method": "VISA DEBIT", "amount": "59.00", "card_last4": "4071"}]


def test_whole_number_total() -> None:
    """A total without decimals is read as a sum although the prices have them."""
    found = values(
        priced("UTTAPPA", "54.28"),
        priced("LASSI", "44.76"),
        priced("Sub Total", "99.04"),
        priced("SGST", "2.48"),
        priced("CGST", "2.48"),
        priced("Total :", "104"),
    )
    assert found["total"] == "104"


def test_rupiah() -> None:
    """Amounts with thousands only keep their print; nothing is taken for decimals."""
    found = values(
        priced("KOPI", "25.000"),
        priced("NASI", "30.000"),
        priced("TOTAL", "55.000"),
        priced("TUNAI", "100.000"),
        priced("KEMBALI", "45.000"),
    )
    assert (found["total"], found["change_given"]) == ("55.000", "45.000")


def test_evidence_says_where() -> None:
    """Every value has evidence on its page, and the total's confidence is a probability."""
    pages = [transcript("SHOP", priced("PEN", "3.00")), transcript(priced("TOTAL", "3.00"), priced("CASH", "3.00"))]
    part = read_amounts(pages)
    total = part.evidence["total"]
    assert (total.text, total.page) == ("3.00", 1)
    assert total.box is not None
    assert total.box.right == pytest.approx(RIGHT, abs=1)
    assert 0.5 < (total.confidence or 0) < 1
    assert part.evidence["items[0].total_price"].page == 0


def test_nothing_is_invented() -> None:
    """A page without amounts gives no money field at all, and an empty page neither."""
    assert values("A walk in the woods", "Chapter one") == {}
    assert dict(read_amounts([Transcript((), 100, 100, "hand")]).values) == {}


def test_a_code_in_an_address_is_no_currency() -> None:
    """`OMR` behind a town is a road; alone on a row, beside an amount or in a label it is money."""
    rows = (priced("TEA", "100.00"), priced("TOTAL", "100.00"))
    assert "currency" not in read_amounts([transcript("KANDANUR ,OMR", *rows)]).values
    assert read_amounts([transcript("KANDANUR ,OMR", "INR", *rows)]).values["currency"] == "INR"
    assert read_amounts([transcript("Total in INR", *rows)]).values["currency"] == "INR"


def test_points_are_no_total_where_one_is_printed() -> None:
    """A balance of points has a label of a sum, and no decimals: beside a labelled total of money it is nothing; alone it may be one."""
    printed = (priced("GAS", "25.29"), priced("TAX", "0.80"), priced("TOTAL", "$26.09"), "Hew Balance : 135837")
    assert [str(entry.value) for entry in read_rows([transcript(*printed)]).entries] == ["25.29", "0.80", "26.09"]
    assert read_amounts([transcript(priced("TEA", "20.00"), priced("CAKE", "25.00"), priced("TOTAL", "45"))]).values["total"] == "45"


def test_a_payment_that_till_and_terminal_both_print_is_one() -> None:
    """The till books what the card pays as negative; the terminal's slip below says the same amount of the same card."""
    found = values(
        priced("SOAP", "8,35"), priced("SUMME EUR", "8,35"), priced("MasterCard EUR", "-8,35"), priced("DEBIT MASTERCARD", "8,35")
    )
    assert [payment["amount"] for payment in found["payments"]] == ["-8,35"]


@pytest.mark.parametrize(
    ("row", "tax"),
    [
        (priced("7.0% - Boston", "$0.65"), "$0.65"),
        ([(500.0, "0.65")], "0.65"),
    ],
)
def test_a_tax_without_its_word(row: list[tuple[float, str]], tax: str) -> None:
    """What leads from the subtotal to the total is the tax where a rate or nothing names it."""
    found = values(priced("TEA", "9.28"), priced("Subtotal", "$9.28"), row, priced("Total", "$9.93"))
    assert (found["tax_total"], found["total"]) == (tax.strip("$"), "9.93")


def test_a_tax_that_lost_its_mark() -> None:
    """`165` on a row of a tax is 1.65 where that leads to the total."""
    found = values(priced("TEA", "9.28"), priced("Subtotal", "9.28"), [(20.0, "A 18% TAX"), (530.0, "165")], priced("Total", "10.93"))
    assert found["tax_total"] == "1.65"


def test_a_tip_leads_to_the_total_and_is_no_tax() -> None:
    """An amount whose label says something else is not taken for the tax, however well it fits; nor is half of the subtotal."""
    assert "tax_total" not in values(priced("TEA", "9.00"), priced("Subtotal", "9.00"), priced("Tip 20%", "1.80"), priced("Total", "10.80"))
    assert "tax_total" not in values(priced("TEA", "9.00"), priced("Subtotal", "9.00"), [(520.0, "4.50")], priced("Total", "13.50"))


def test_the_tax_above_a_net_sum() -> None:
    """Where a net sum is printed, what it lacks to the total is the tax, though its label is misread; the net sum is the subtotal."""
    found = values(priced("Essen", "62,20"), priced("MuST 19 x", "9,93"), priced("Netto 1", "52,27"), priced("Summe", "62,20"))
    assert (found["tax_total"], found["subtotal"]) == ("9,93", "52,27")


def test_a_subtotal_whose_word_is_not_known() -> None:
    """`ST` above the service charge is the subtotal, since both make the total."""
    found = values(
        priced("Tikka", "80.00"),
        priced("Rice", "40.00"),
        priced("ST", "120.00"),
        "10 x",
        priced("Service Charge", "12.00"),
        priced("Total", "132.00"),
    )
    assert found["subtotal"] == "120.00"


@pytest.mark.parametrize(("first", "second", "total"), [("ЛВ", "ЕВРО", "19.56"), ("ЕВРО", "ЛВ", "10.00")])
def test_a_sum_printed_again_in_the_other_currency_is_no_total(first: str, second: str, total: str) -> None:
    """Around the change to the euro both currencies are printed; the sale's own comes first, whatever the items are."""
    other = {"19.56": "10.00", "10.00": "19.56"}[total]
    found = values(
        priced("ОБЯДНО МЕНЮ", total), priced(f"ОБЩА СУМА {first}", total), priced(f"ОБЩА СУМА {second}", other), priced("В БРОЙ", total)
    )
    assert found["total"] == total


def test_sums_of_one_currency_stay_sums() -> None:
    """A subtotal that is no conversion of the total keeps its role."""
    found = values(priced("ХЛЯБ", "1.20"), priced("СИР", "8.80"), priced("МЕЖДИННА СУМА", "10.00"), priced("ОБЩА СУМА", "10.00"))
    assert (found["subtotal"], found["total"]) == ("10.00", "10.00")


def test_a_count_between_a_label_and_its_amount() -> None:
    """`TOTAL  3 items  12.00` is a total, and how many were sold says nothing against it."""
    rows = read_rows([transcript(priced("TEA", "12.00"), [(20.0, "TOTAL"), (300.0, "3 items"), (510.0, "12.00")])]).rows
    assert Role.COUNT not in rows[-1].entries[0].roles
    assert Role.TOTAL in rows[-1].entries[0].roles


def test_the_currency_of_a_conversion_is_not_the_receipts() -> None:
    """`Еквівалент EUR 26.72` below a total without a mark says nothing of the money that was paid."""
    assert "currency" not in values(priced("Роман", "899.00"), priced("ВСЬОГО", "899.00"), priced("Еквівалент EUR", "26.72"))
