"""Times of day as printed, and what is none."""

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractor.parsing.times import find_times


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("14:05", "14:05:00"),
        ("25/12/2018 8:13:39PM", "20:13:39"),
        ("25/12/20188:13:39PM", "20:13:39"),
        ("15 May 201818:43", "18:43:00"),
        ("Jun 15 12:47:59 2011", "12:47:59"),
        ("20h15", "20:15:00"),
        ("8.13 PM", "20:13:00"),
        ("7:23:34P", "19:23:34"),
        ("14.05 Uhr", "14:05:00"),
        ("19.30 น.", "19:30:00"),
        ("下午 2:05", "14:05:00"),
        ("14時05分", "14:05:00"),
        ("12:05 AM", "00:05:00"),
        ("12:05PM", "12:05:00"),
        ("10:35AMTable", "10:35:00"),
        ("15:05 Amt Due", "15:05:00"),
        ("17-05-2022 13:2801081", "13:28:00"),
        ("18·24", "18:24:00"),
    ],
)
def test_common_forms_are_read(text: str, wanted: str) -> None:
    """Every usual way to print a time is found and means the same on the 24-hour clock."""
    assert [str(printed.value) for printed in find_times(text)] == [wanted]


@pytest.mark.parametrize("text", ["02:21 PH", "8:31AN", "O8:31", "13;11:54"])
def test_slips_are_repaired_and_flagged(text: str) -> None:
    """A half of the day or a digit that OCR misread is put right, and the time says that it was."""
    (printed,) = find_times(text)
    assert printed.is_repaired


@pytest.mark.parametrize(
    "text",
    [
        "10:00-22:00",
        "Mon-Fri 9am - 5pm",
        "MON 08:00 TO 21:00",
        "OPEN 8:00AM TO 9:0OPM DAILY",
        "2:30 hours",
        "25:99",
        "8:5",
        "24:00",
        "4H20-035",
        "12/03/2018",
    ],
)
def test_spans_and_durations_are_left_out(text: str) -> None:
    """Opening hours, durations and impossible times are no times of a sale."""
    assert find_times(text) == ()


@pytest.mark.parametrize("text", ["Total 14.05", "8 PM", "Invoice 12:3456"])
def test_what_may_be_something_else_is_weak(text: str) -> None:
    """A time that could as well be an amount, a bare hour or part of a number needs more to count."""
    (printed,) = find_times(text)
    assert printed.is_weak


FORMATS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S%p", "%d/%m/%Y %H:%M", "Time: %H:%M", "%Hh%M", "%H.%M Uhr")


@given(st.times(), st.sampled_from(FORMATS))
def test_printed_times_come_back(value: time, form: str) -> None:
    """A time printed in any common form is found with its hour and minute."""
    text = value.strftime(form.replace("%d/%m/%Y", "05/03/2018"))
    assert [(printed.value.hour, printed.value.minute) for printed in find_times(text)] == [(value.hour, value.minute)]


@given(st.text(alphabet="0123456789:.;h APMapmU hrT-時分午後", max_size=30))
def test_any_text_is_survived(text: str) -> None:
    """Whatever OCR prints, finding times does not fail, and every time lies where it says."""
    for printed in find_times(text):
        assert 0 <= printed.start < printed.end <= len(text)
