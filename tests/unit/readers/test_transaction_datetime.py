"""Which date and time are the sale's, among all that are printed."""

import pytest

from extractor.readers.rules.transaction_datetime import read_datetime
from extractor.validation.decision import TRUST
from tests.transcripts import transcript

HEAD = ("CORNER CAFE", "12 MAIN STREET", "TEL: 03-5555 1234")


def read(*rows: str) -> tuple[str | None, str | None]:
    values = read_datetime([transcript(*rows)]).values
    return values.get("transaction_date"), values.get("transaction_time")


def test_a_date_and_its_time_are_read_with_evidence() -> None:
    """Date and time are copied as printed, with page, box and confidence."""
    part = read_datetime([transcript(*HEAD, "Date: 24/11/2017 7:42:16PM", "Total 12.00")])
    assert part.values == {"transaction_date": "24/11/2017", "transaction_time": "7:42:16PM"}
    seen = part.evidence["transaction_date"]
    assert seen.text == "24/11/2017"
    assert seen.page == 0
    assert seen.box is not None
    assert seen.confidence is not None
    assert 0 < seen.confidence <= 1


def test_a_digit_that_was_read_as_a_letter_keeps_a_date_from_being_believed() -> None:
    """The o of 201o may be a zero or a six: another look that sees the same letter proves nothing."""
    confidences = []
    for year in ("2010", "201o"):
        seen = read_datetime([transcript(*HEAD, f"Date: 25/12/{year} 20:13", "Total 12.00")]).evidence["transaction_date"]
        confidences.append(seen.confidence or 0.0)
    clean, guessed = confidences
    assert guessed < TRUST["transaction_date"].backed < clean


def test_nothing_is_read_where_nothing_is_printed() -> None:
    """A receipt without date and time has neither."""
    assert read(*HEAD, "Coffee 3.50", "Total 3.50") == (None, None)


@pytest.mark.parametrize(
    "other",
    [
        "Offer valid until 31/01/2019",
        "Return by 24/01/2019",
        "Expires 30/06/2019",
        "Member since 01/02/2015",
        "Umtausch bis 08.01.2019",
        "Next visit 02/02/2019",
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_other_dates_are_not_the_sales(other: str, *, is_first: bool) -> None:
    """Dates of offers, returns, expiry and membership lose against the date with the time, wherever they stand."""
    sale = "24/11/2017 20:13"
    rows = (other, *HEAD, sale) if is_first else (*HEAD, sale, "Total 3.50", other)
    assert read(*rows) == ("24/11/2017", "20:13")


def test_a_deadline_alone_is_no_date_to_believe() -> None:
    """Where the sale's date is illegible, the last day for returns is never sure enough to be accepted; a date with a time is."""

    def confidence(row: str) -> float:
        return read_datetime([transcript(*HEAD, "Total 3.50", row)]).evidence["transaction_date"].confidence or 0

    assert confidence("RETURNS WITH RECEIPT THRU 24/11/2017") < TRUST["transaction_date"].backed
    assert confidence("Promoter:00 24/11/2017 20:13") > TRUST["transaction_date"].backed


def test_opening_hours_are_not_the_time() -> None:
    """Hours of the shop above do not win against the time beside the date."""
    assert read("CORNER CAFE", "OPEN 8:00AM TO 9:00PM DAILY", "Mo-Fr 8:00 - 20:00", "05.03.2018", "Zeit: 14:05", "Summe 3,50") == (
        "05.03.2018",
        "14:05",
    )


def test_a_bill_is_dated_when_it_is_settled() -> None:
    """A till that prints the opening of the table above and the time of payment at the total means the latter."""
    assert read(*HEAD, "Chk 4781 Apr01'18 12:11P", "Soup 9.00", "12:28PM Total 9.72")[1] == "12:28PM"
    assert read(*HEAD, "27Apr13 17:51", "Soup 9.00", "Total 9.00", "-27Apr13 19:03-")[1] == "19:03"


def test_a_later_print_is_not_the_sale() -> None:
    """The time that a copy was printed at does not replace the sale's."""
    assert read(*HEAD, "20/03/2024 19:12", "Soup 9.00", "Imprime le 20/03/24 - 19:45")[1] == "19:12"


def test_a_fiscal_device_counts_in_another_zone() -> None:
    """Time stamps of fiscal devices (ISO, universal time) lose against the local time."""
    assert read(*HEAD, "2025-07-31T10:41:47.000Z", "2025-07-31T10:43:08.000Z", "31.07.25 12:41") == ("31.07.25", "12:41")


def test_amounts_are_no_times() -> None:
    """A price that looks like a dotted time is not taken, also where no time is printed."""
    assert read(*HEAD, "Tea 14.05", "05/03/2018", "Total 14.05")[1] is None


def test_a_time_on_its_own_row_is_read() -> None:
    """A labelled time below the date belongs to it."""
    assert read(*HEAD, "Date: 05/03/2018", "Time: 14.05") == ("05/03/2018", "14.05")
