"""Dates as printed: what they can mean, and what is no date."""

from datetime import date
from typing import Any

import pytest
from babel.dates import get_month_names
from hypothesis import given
from hypothesis import strategies as st

from extractor.parsing.dates.finder import find_dates
from extractor.parsing.dates.months import fold, months_of

LANGUAGES = "en de fr es ca it nl pl cs sk hu ro bg hr sr sl sv da nb fi et lv lt el tr ru uk id ms vi th is pt".split()


def days(text: str) -> set[str]:
    return {str(day) for printed in find_dates(text) for day in printed.days}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2018/03/05", {"2018-03-05"}),
        ("05MAR18", {"2018-03-05"}),
        ("12 Mar18 8:54 AM", {"2018-03-12"}),
        ("12/18/2024601808813", {"2024-12-18"}),
        ("20180305", {"2018-03-05"}),
        ("25.12.'18", {"2018-12-25"}),
        ("03/04/2018", {"2018-04-03", "2018-03-04"}),
        ("15 May 201818:43", {"2018-05-15"}),
        ("Dec26'07 07:26PM", {"2007-12-26"}),
        ("Jun 15 12:47:59 2011", {"2011-06-15"}),
        ("March 5, 2018", {"2018-03-05"}),
        ("5 de marzo de 2018", {"2018-03-05"}),
        ("19-Sep-2015", {"2015-09-19"}),
        ("2018-Mar-05", {"2018-03-05"}),
        ("2021-06-25T15:42:25.000Z", {"2021-06-25"}),
        ("05 03 2018", {"2018-03-05", "2018-05-03"}),
        ("25032018 13:11", {"2018-03-25"}),
    ],
)
def test_common_forms_are_read(text: str, wanted: set[str]) -> None:
    """Every usual way to print a date is found, with all that it can mean."""
    assert days(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted", "years"),
    [
        ("28/8/2568", "2025-08-28", "buddhist"),
        ("13/10/68", "2025-10-13", "buddhist"),
        ("107/03/05", "2018-03-05", "minguo"),
        ("2018年3月5日", "2018-03-05", "gregorian"),
        ("令和5年3月5日", "2023-03-05", "reiwa"),
        ("平成30年3月5日", "2018-03-05", "heisei"),
    ],
)
def test_other_year_systems_are_converted(text: str, wanted: str, years: str) -> None:
    """Years of the Buddhist, Minguo and Japanese calendars become Gregorian years, and say so."""
    (reading,) = {reading for printed in find_dates(text) for reading in printed.readings if str(reading.day) == wanted}
    assert reading.years == years


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Date:l5/O3/2018", "2018-03-15"),
        ("15/0312018", "2018-03-15"),
        ("2107/2017", "2017-07-21"),
        ("Ju103'12 02:34PM", "2012-07-03"),
        ("27-04--18 16:40", "2018-04-27"),
        ("02,/22/2014", "2014-02-22"),
        ("N0V 3 2018", "2018-11-03"),
        ("20/03/201B", "2018-03-20"),
    ],
)
def test_slips_are_repaired_and_flagged(text: str, wanted: str) -> None:
    """What OCR makes of a date is put right, and the date says that it was."""
    (printed,) = find_dates(text)
    assert {str(day) for day in printed.days} == {wanted}
    assert printed.is_repaired


@pytest.mark.parametrize(
    "text",
    [
        "TEL: 03-42601064", "192.168.10.18", "v1.2.3", "12.50.18", "2.50 12.00 15.00", "Slip 12/345/2018", "14:05:18",
        "30/02/2018", "2 SET 15.90", "#01-13/14", "3 -9.14", "24/12", "1-01-0-01-007797", "Total 1,234.50",
    ],
)  # fmt: skip
def test_other_numbers_are_no_dates(text: str) -> None:
    """Phone numbers, addresses of computers, versions, amounts, times and days without a year are left alone."""
    assert find_dates(text) == ()


def test_a_glued_time_does_not_belong_to_the_date() -> None:
    """A time printed without a space behind the year is left out of the date's text."""
    assert [printed.text for printed in find_dates("16-03-201812:07:10")] == ["16-03-2018"]
    assert [printed.text for printed in find_dates("12/03/1808:15")] == ["12/03/18"]


def test_the_order_decides_between_readings() -> None:
    """A known order leaves one day; an order that the date contradicts leaves it as it is."""
    (printed,) = find_dates("03/04/18")
    assert printed.in_order("DMY") == {date(2018, 4, 3)}
    assert printed.in_order("MDY") == {date(2018, 3, 4)}
    assert printed.in_order("YMD") == {date(2003, 4, 18)}
    (certain,) = find_dates("25/12/2018")
    assert certain.in_order("MDY") == {date(2018, 12, 25)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_months_of_all_languages_are_known(language: str) -> None:
    """Every name of three letters or more that CLDR gives a month in these languages means that month."""
    for width in ("wide", "abbreviated"):
        for month, name in get_month_names(width, "format", language).items():
            plain = fold(name).strip(".").removeprefix("de ").removeprefix("d’")
            if len(plain) >= 3:
                assert month in months_of(plain)[0], name


FORMATS = (
    "%d/%m/%Y",
    "%d.%m.%y",
    "%d-%m-%Y",
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d %b %Y",
    "%d%b%y",
    "%b %d, %Y",
    "%m/%d/%Y",
    "%Y%m%d",
    "%d/%m/%Y %H:%M",
    "Date: %d/%m/%y",
)


@given(st.dates(date(2000, 1, 1), date(2039, 12, 31)), st.sampled_from(FORMATS))
def test_printed_dates_come_back(day: date, form: str) -> None:
    """A date printed in any common form is found, and its day is among what it can mean."""
    assert any(reading.day == day for printed in find_dates(day.strftime(form)) for reading in printed.readings)


@given(st.text(alphabet="0123456789/-.,:' OolIMAYmarDec年月日令和Tz", max_size=40))
def test_any_text_is_survived(text: str) -> None:
    """Whatever OCR prints, finding dates does not fail; every date lies where it says and means at least one day."""
    for printed in find_dates(text):
        assert 0 <= printed.start < printed.end <= len(text)
        assert printed.readings
        assert printed.days


def test_dates_do_not_overlap() -> None:
    """Several dates on a row are found one after the other."""
    found: Any = find_dates("From 01/02/2018 to 05/02/2018")
    assert [printed.text for printed in found] == ["01/02/2018", "05/02/2018"]
