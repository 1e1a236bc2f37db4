"""Line items: every layout of name, quantity, unit price and price on a hand-made transcript."""

from typing import Any

import pytest

from extractor.readers.rules.amount_rows import read_rows
from extractor.readers.rules.item_text import Description, describe, has_name
from extractor.readers.rules.items import find_items
from extractor.readers.rules.money_fields import read_amounts
from tests.transcripts import transcript
from tests.unit.readers.test_amounts import priced


def items(*rows: "str | list[tuple[float, str]]") -> list[dict[str, Any]]:
    """The items read from a receipt of these rows."""
    return list(read_amounts([transcript(*rows)]).values.get("items", []))


def brief(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Descriptions and prices alone."""
    return [(item["description"], item["total_price"]) for item in found]


def test_name_and_price() -> None:
    """A row of a name and a price is an item; tax letters belong to neither."""
    assert brief(items(priced("EGGS", "2.50 T"), priced("HAM", "3.00 F"), priced("TOTAL", "5.50"))) == [("EGGS", "2.50"), ("HAM", "3.00")]


def test_quantity_below() -> None:
    """`2 x 1,99` below an item is its quantity and unit price."""
    (item,) = items(priced("Gurken", "3,98 A"), "2 x 1,99", priced("SUMME", "3,98"))
    assert (item["description"], item["quantity"], item["unit_price"], item["total_price"]) == ("Gurken", "2", "1,99", "3,98")


def test_quantity_above() -> None:
    """`3 x 0,99` above an item is its quantity where the item before does not cost that."""
    first, second = items(priced("PADS", "1,39 C"), [(60.0, "3 x 0,99")], priced("RIEGEL", "2,97 B"), priced("SUMME", "4,36"))
    assert (first["quantity"], second["quantity"], second["unit_price"]) == (None, "3", "0,99")


def test_weight() -> None:
    """A weight and a price per kilogram explain the item's price."""
    (item,) = items(priced("Bananen", "2,11 A"), "0,846 kg x 2,49 EUR/kg", priced("SUMME", "2,11"))
    assert (item["quantity"], item["unit_of_measure"], item["unit_price"]) == ("0,846", "kg", "2,49")


def test_name_above_code_and_price() -> None:
    """The topmost row of text above a nameless price is the name; codes below it are not."""
    found = items(
        [(20, "Description"), (450, "Amount")],
        "PILLAR SINK TAP 87601",
        "0Z05 -5/60",
        [(20, "9074624"), (250, "1 x 19.90"), (510, "19.90")],
        priced("Total", "19.90"),
    )
    assert brief(found) == [("PILLAR SINK TAP 87601", "19.90")]


def test_name_below_code_and_price() -> None:
    """Where names stand below their prices, the header above the first price is no name."""
    found = items(
        "WELCOME TO THE STORE",
        "20418 HARBOR AVE",
        "CITY OF LINDEN",
        "THANKS FOR VISITING US",
        priced("6473553", "299.00"),
        "OCULUS QUEST 2",
        priced("6429500", "49.00"),
        "CARRYING CASE",
        priced("Subtotal", "348.00"),
        priced("Total", "348.00"),
    )
    assert brief(found) == [("OCULUS QUEST 2", "299.00"), ("CARRYING CASE", "49.00")]
    assert [item["product_code"] for item in found] == ["6473553", "6429500"]


def test_discounts_and_deposits() -> None:
    """Discounts and deposits between items are rows of their own, with their sign."""
    found = items(
        priced("Kartoffeln", "2,69 A"),
        priced("Preisvorteil", "-0,30"),
        priced("Cola", "1,75 B"),
        priced("Pfand 0,25 M", "0,25 B"),
        priced("zu zahlen", "4,39"),
    )
    assert brief(found) == [("Kartoffeln", "2,69"), ("Preisvorteil", "-0,30"), ("Cola", "1,75"), ("Pfand 0,25 M", "0,25")]


def test_columns_of_quantity_and_unit_price() -> None:
    """With several columns of amounts, the last is the price and the one before it the unit price."""
    first, second = items(priced("2 ESTRELLA 0,5", "5,40", "10,80"), priced("1 BRAVES", "5,75"), priced("TOTAL", "16,55"))
    assert (first["description"], first["quantity"], first["unit_price"], first["total_price"]) == ("ESTRELLA 0,5", "2", "5,40", "10,80")
    assert second["description"] == "BRAVES"


def test_sums_by_category_are_no_items() -> None:
    """Rows that only sum up the items by category are left out, since the items alone make the subtotal."""
    found = items(
        priced("SOUP", "10.00"),
        priced("BEER", "6.00"),
        priced("FOOD", "10.00"),
        priced("BEVERAGES", "6.00"),
        priced("SUBTOTAL", "16.00"),
        priced("TOTAL", "16.00"),
    )
    assert [item["total_price"] for item in found] == ["10.00", "6.00"]


def test_taxes_between_items() -> None:
    """A tax printed below an item is no item, and does not end them."""
    found = items(
        priced("TV", "299.00"),
        priced("Sales Tax", "28.43"),
        priced("CASE", "49.00"),
        priced("Sales Tax", "4.63"),
        priced("Subtotal", "348.00"),
        priced("Sales Tax", "33.06"),
        priced("Total", "381.06"),
    )
    assert brief(found) == [("TV", "299.00"), ("CASE", "49.00")]


def test_names_that_hold_words_of_sums_are_items_where_the_sum_needs_them() -> None:
    """`TIP` and `PUMP` in a name, and a word that means change in another language, do not hide an item."""
    found = items(
        priced("HOSE PUMP C88351", "1.90"), priced("COTTON TIP", "2.00"), priced("WHITE TIE", "6.50"), priced("Total Incl. GST", "10.40")
    )
    assert [item["total_price"] for item in found] == ["1.90", "2.00", "6.50"]


def test_a_row_that_prints_its_own_product_is_an_item() -> None:
    """Quantity times unit price makes the price: an item, though `MC` is also a card."""
    found = items(priced("C_MC KOPEREK", "1 x 5,99= 5,99 C"), priced("TORBA", "1 x 0,79= 0,79 A"), priced("SUMA PLN", "7,00"))
    assert [item["total_price"] for item in found] == ["5,99", "0,79"]


def test_unit_prices_under_each_item_are_no_items() -> None:
    """A row of the same name under every item is left out, since the items alone make the total."""
    rows = [priced(name, price) for name, price in (("Aioli", "3,50"), ("Gnocchi", "14,90"), ("Dorade", "22,90"))]
    doubled = [row for item in rows for row in (item, priced("Preis:", item[1][1]))]
    assert len(items(*doubled, priced("Summe EUR", "41,30"))) == 3


def test_an_item_is_not_left_out_for_a_sum_that_closes_by_accident() -> None:
    """Where all items make the sum that is printed below them, they stay, though the first ones make the total after a discount."""
    rows = [priced("Tapas", "7.00"), priced("Cava", "22.00"), priced("Offer", "15.00")]
    found = items(*rows, priced("Item Total", "44.00"), priced("Discount", "15.00"), priced("Total", "29.00"))
    assert len(found) == 3


@pytest.mark.parametrize(("seen", "meant"), [("179", "1,79"), ("0\t59", "0,59"), ("10:50", "10,50"), ("10.EO", "10,60"), ("S185", "1,85")])
def test_prices_that_lost_their_mark(seen: str, meant: str) -> None:
    """A number in the column of prices that lost its decimal mark or a digit's shape is a price, and is kept as it was seen."""
    end = 560.0
    cells = [(end - 10 * len(cell), cell) for cell in seen.split("\t")]
    if len(cells) > 1:
        cells = [(end - 50, "0"), (end - 20, "59")]
    rows = [priced("BUTTERTOAST", "1,39"), [(20.0, "JOGHURT"), *cells], priced("GURKE", "10,69"), priced("SUMME EUR", "99,00")]
    part = read_amounts([transcript(*rows)])
    assert brief(list(part.values["items"]))[1] == ("JOGHURT", meant)
    assert part.evidence["items[1].total_price"].text == seen


def test_numbers_away_from_the_column_are_no_prices() -> None:
    """Years, sizes and codes that end a row elsewhere stay what they are."""
    rows = [priced("EGGS", "2.50"), [(20.0, "SHIRT"), (200.0, "179")], priced("HAM", "3.00"), priced("TOTAL", "5.50")]
    assert brief(items(*rows)) == [("EGGS", "2.50"), ("HAM", "3.00")]


def test_a_tax_code_that_touches_a_price_is_no_third_decimal() -> None:
    """`8,001` is 8,00 with tax code 1."""
    found = items(priced("Pils", "8,001"), priced("Hefe", "4,70 1"), priced("Summe", "12,70"))
    assert [item["total_price"] for item in found] == ["8,00", "4,70"]


def test_dashes_in_front_of_every_price_are_no_signs() -> None:
    """A dash that leads to the price is no minus."""
    found = items(priced("Tikka", "-80.00"), priced("Dal", "-60.00"), priced("TOTAL", "140.00"))
    assert [item["total_price"] for item in found] == ["80.00", "60.00"]


def test_a_heading_of_columns_is_no_name() -> None:
    """`Item  Qty  Total` above the first price is a heading, also where its words are misread, and names touch their codes."""
    found = items(
        [(20.0, "ltem"), (300.0, "Qty"), (500.0, "Total")],
        "SR 200200000031-4Vege",
        [(20.0, "$5.50"), (300.0, "1"), (510.0, "$5.50")],
        "SR 200200000017-Pork",
        [(20.0, "$2.70"), (300.0, "1"), (510.0, "$2.70")],
        priced("Total Amount:", "$8.20"),
    )
    assert [item["total_price"] for item in found] == ["5.50", "2.70"]
    assert ["Vege" in found[0]["description"], "Pork" in found[1]["description"]] == [True, True]


def test_the_title_is_the_row_in_words() -> None:
    """Between a department and a code, the row of words above the price names the item."""
    found = items(
        "Frutas e Legumes:",
        "DIOSPIRO",
        [(60.0, "2,200 X 3,99"), (510.0, "8,78")],
        "IRON BASKET",
        "KE23-33-53 - 12/120",
        [(20.0, "9074333"), (250.0, "1X"), (500.0, "54,00")],
        priced("TOTAL", "62,78"),
    )
    assert brief(found) == [("DIOSPIRO", "8,78"), ("IRON BASKET", "54,00")]


def test_a_name_goes_on_where_its_bracket_closes() -> None:
    """A name that is wrapped inside brackets is joined; other rows above a named price are not."""
    found = items(
        priced("STOUT", "5.50"),
        "BOMBER (Black Tea",
        priced("Blonde Ale)", "9.60"),
        "GRILL",
        priced("PIZZA", "8.00"),
        priced("TOTAL", "23.10"),
    )
    assert brief(found) == [("STOUT", "5.50"), ("BOMBER (Black Tea Blonde Ale)", "9.60"), ("PIZZA", "8.00")]


def test_three_decimals_stay_where_prices_have_them() -> None:
    """A dinar has thousand fils: nothing is cut off."""
    found = items(priced("BEEF", "3.085"), priced("MILK", "2.250"), priced("TOTAL KD", "5.335"))
    assert [item["total_price"] for item in found] == ["3.085", "2.250"]


def test_fuel_is_called_by_its_grade() -> None:
    """`FUEL SALE` is no name where the pump prints what was sold."""
    found = items("PUMP#06", "PRODUCT: E-85", priced("FUEL SALE", "30.77"), priced("Debit fee", "0.35"), priced("TOTAL", "31.12"))
    assert brief(found) == [("E-85", "30.77"), ("Debit fee", "0.35")]


def test_an_item_is_no_sum_of_the_items() -> None:
    """Where a receipt is cut off above its total, the item that was taken for the total does not stand for all of them."""
    rows = read_rows([transcript(priced("TURKEY SANDWICH", "7.79"), priced("AVOCADO", "1.59"), priced("TUNA", "6.59"), "No Mayo")])
    assert [str(item.total.value) for item in find_items(rows, rows.entries[:1])] == ["7.79", "1.59", "6.59"]


def test_a_word_for_discount_in_a_name_turns_no_sign() -> None:
    """A price without a minus stays as it is printed where no sum asks for one."""
    found = items(priced("SENIOR CITIZEN TEA", "0.68"), priced("COUPON BOOK", "3.54"), priced("TOTAL", "99.00"))
    assert [item["total_price"] for item in found] == ["0.68", "3.54"]


def test_numbers_of_dishes_are_no_prices() -> None:
    """`R11` in front of a dish is no amount in rand."""
    found = items(priced("#211 R11 Bo xao", "13,90"), priced("#214 R30 Thit kho", "11,90"), priced("Total", "25,80 Euro"))
    assert [item["unit_price"] for item in found] == [None, None]


def test_a_size_in_a_name_is_no_price() -> None:
    """`FR497`, a code, and `9.5IN` stand in the name of an item whose price stands on the next row."""
    found = items(
        [(20, "FR497 TOMATOES")],
        [(20, "40,14 kg x 2,20"), (510, "88,31")],
        [(20, "ENVELOPE 4.5INX9.5IN")],
        [(20, "3 x 3,39"), (510, "10,17")],
        priced("Totaal", "98,48"),
    )
    assert brief(found) == [("TOMATOES", "88,31"), ("ENVELOPE 4.5INX9.5IN", "10,17")]


def test_a_word_of_headers_in_a_name() -> None:
    """`Phone` begins a telephone number in a header; right above a nameless price among the items it is part of a name."""
    found = items(
        [(20, "Notebook")],
        [(20, "2980"), (510, "127.00")],
        [(20, "Phone Case Black")],
        [(20, "5832"), (500, "688.00")],
        priced("Total", "815.00"),
    )
    assert brief(found) == [("Notebook", "127.00"), ("Phone Case Black", "688.00")]


def test_a_price_that_lost_its_mark_behind_a_unit_price() -> None:
    """The unit price left of the column does not stand for the price."""
    found = items(priced("TEA", "288.00"), [(20, "SOAP")], [(20, "4 @ 50.50"), (500, "202:00")], priced("TOTAL", "490.00"))
    assert brief(found) == [("TEA", "288.00"), ("SOAP", "202.00")]


def test_as_many_names_above_as_below() -> None:
    """Where the last price cannot be read, names are still taken from above; a short word above the first one is a heading."""
    rows = [[(20.0, f"9639 BEANS TIN {n}")] if part else [(20.0, f"3 x {n}.00"), (510.0, f"{3 * n}.00")] for n in (2, 3) for part in (1, 0)]
    found = items("==============", *rows, [(20, "9640 PEAS TIN 4")], [(20, "3 x 4.00"), (510, "1Z")], priced("TOTAL", "27.00"))
    assert brief(found)[:2] == [("BEANS TIN 2", "6.00"), ("BEANS TIN 3", "9.00")]
    found = items(
        "SALE", [(20, "4274779"), (500, "16.99")], "CDR SPINDLE BLANK", [(20, "4766809"), (510, "9.99")], "PHOTO MATTE PAPER 8.5X11"
    )
    assert brief(found) == [("CDR SPINDLE BLANK", "16.99"), ("PHOTO MATTE PAPER 8.5X11", "9.99")]


def test_a_price_that_quantity_and_unit_price_contradict() -> None:
    """Quantity times unit price is the price where only that adds up."""
    found = items(priced("2 LAGER", "4.41", "9.82"), priced("1 COLA", "2.00"), priced("TOTAL", "10.82"))
    assert brief(found) == [("LAGER", "8.82"), ("COLA", "2.00")]


def test_a_tax_letter_that_was_read_as_a_digit() -> None:
    """`3.498` is 3,49 B where three thousand is more than the total."""
    assert brief(items(priced("HAM", "6,49"), priced("BERRIES", "3.498"), priced("SUMME", "9,98"))) == [
        ("HAM", "6,49"),
        ("BERRIES", "3,49"),
    ]


def test_a_price_without_a_name_counts_where_the_sum_needs_it() -> None:
    """The name of an item that cannot be read does not take its price away."""
    found = items(priced("HAM", "6.49"), [(520, "3.50")], priced("SUBTOTAL", "9.99"), priced("TOTAL", "9.99"))
    assert [(item["description"], item["total_price"]) for item in found] == [("HAM", "6.49"), (None, "3.50")]


def test_a_cover_charge_is_an_item() -> None:
    """`Coperto` is printed among what was eaten."""
    found = items(priced("1 x Pizza", "8,00"), priced("2 x Coperto", "3,00"), priced("TOTALE", "11,00"))
    assert brief(found) == [("Pizza", "8,00"), ("Coperto", "3,00")]


def test_dashes_in_front_of_some_prices_are_no_signs() -> None:
    """Where a leader of dots was read as a dash here and there, the sum says that nothing was given back."""
    found = items(
        priced("Tikka", "-80.00"), priced("Naan", "22.00"), priced("Rice", "-38.00"), priced("Dal", "60.00"), priced("TOTAL", "200.00")
    )
    assert [item["total_price"] for item in found] == ["80.00", "22.00", "38.00", "60.00"]


def test_a_unit_price_with_a_sign_read_as_an_ideograph() -> None:
    """A unit price is cut off the name also where a sign that no model knows follows it."""
    found = items([(20, "PIZZA"), (250, "£1.45 主"), (510, "£1.45")], priced("TOTAL", "£1.45"))
    assert brief(found) == [("PIZZA", "1.45")]


def test_the_tax_rate_in_its_own_column_is_no_part_of_the_name() -> None:
    """Greek tills print it between name and price; a percentage beside the name's words stays."""
    assert describe("ΨΩΜΙ ΧΩΡΙΑΤΙΚΟ\t13,00%").name == "ΨΩΜΙ ΧΩΡΙΑΤΙΚΟ"
    assert describe("МЛЯКО 3%").name == "МЛЯКО 3%"


@pytest.mark.parametrize("letter", ["B", "Б", "Ђ", "Γ"])
def test_a_tax_letter_of_any_script_in_its_own_column_is_no_part_of_the_name(letter: str) -> None:
    """A capital alone between name and price is a tax code."""
    assert describe(f"ХЛЯБ ДОБРУДЖА\t{letter}").name == "ХЛЯБ ДОБРУДЖА"


def test_a_price_that_lost_its_mark_before_a_cyrillic_tax_letter() -> None:
    """`179 Б` in the column of prices is 1.79 where the sum needs it."""
    bought = items(priced("ХЛЯБ", "1.20 Б"), priced("МЛЯКО", "179 Б"), priced("СИР", "4.00 Б"), priced("ОБЩА СУМА", "6.99 ЛВ"))
    assert brief(bought) == [("ХЛЯБ", "1.20"), ("МЛЯКО", "1.79"), ("СИР", "4.00")]


@pytest.mark.parametrize("text", ["2 бр. x", "0,512 кг x", "25.125 ลิตร x", "3 τεμ. x"])
def test_units_of_other_scripts_are_no_names(text: str) -> None:
    """A factor with its unit says nothing of what is sold."""
    assert not has_name(text)


def test_no_items() -> None:
    """A card slip has none."""
    assert items(priced("AMOUNT", "20.00"), priced("VISA", "20.00")) == []


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2 Hot Tea", Description("Hot Tea", quantity="2")),
        ("1x Croquetas", Description("Croquetas", quantity="1")),
        ("2-Tenderloin", Description("Tenderloin", quantity="2")),
        ("9555590501204 RUBBER BOOTS", Description("RUBBER BOOTS", code="9555590501204")),
        ("BATH RUGS\t40076499017", Description("BATH RUGS", code="40076499017")),
        ("(A) OVOS CLASSE M", Description("OVOS CLASSE M")),
        ("Pale Ale 4x330ml", Description("Pale Ale 4x330ml")),
        ("Milk 1L\tT", Description("Milk 1L")),
        ("Coke Zero\tx2", Description("Coke Zero", quantity="2")),
    ],
)
def test_descriptions(text: str, meant: Description) -> None:
    """Counts, codes and tax letters are taken off a name, and nothing else."""
    assert describe(text) == meant
