"""Which of the printed dates and times is the sale's: the `transaction_date` and `transaction_time` of an answer."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, time
from typing import Any, Final

from extractor.ocr.transcript import Line, Transcript
from extractor.parsing.dates.finder import find_dates
from extractor.parsing.dates.interpretations import PrintedDate
from extractor.parsing.dates.months import fold
from extractor.parsing.times import PrintedTime, find_times
from extractor.readers.base import Evidence
from extractor.readers.rules.field_values import FieldValues, confidence_of, evidence_of
from extractor.readers.rules.models import logistic, weights
from extractor.readers.rules.segments import patterns

WEIGHTS: Final = "when.json"

# Confidence at most of a date whose letters were taken for digits, or whose label says that it is not the sale's: below what a second look
# can back, since both see the same.
GUESSED = 0.75


@dataclass(frozen=True)
class _Row:
    """A printed row with its page and its place in print order, counted over all pages."""

    line: Line
    page: int
    index: int
    folded: str


@dataclass(frozen=True)
class _Moment:
    """A printed date or time on a row, with how much speaks for it being the sale's."""

    row: _Row
    printed: PrintedDate | PrintedTime
    score: float

    @property
    def before(self) -> str:
        """What stands before it on its row, folded."""
        return self.row.folded[: self.printed.start]


def read_when(transcripts: Sequence[Transcript]) -> FieldValues:
    """The sale's date and time as printed, with evidence; left out where none is printed.

    Args:
        transcripts: One a page, in print order.
    """
    values: dict[str, Any] = {}
    evidence: dict[str, Evidence] = {}
    for name, found in find_when(transcripts).items():
        moment = found.moment
        confidence = logistic(weights(WEIGHTS)[name], found.facts)
        if _has_guessed_digits(moment.printed) or (isinstance(moment.printed, PrintedDate) and _is_another(moment)):
            confidence = min(confidence, GUESSED)
        values[name] = moment.printed.text
        evidence[name] = evidence_of(moment.row.line, moment.printed.start, moment.printed.end, page=moment.row.page, confidence=confidence)
    return FieldValues(values, evidence)


def _has_guessed_digits(printed: PrintedDate | PrintedTime) -> bool:
    """Whether letters of a numeric date were taken for digits: the o of 201o may be a zero or a six. In front, a letter names an era."""
    return isinstance(printed, PrintedDate) and not printed.is_named and bool(re.search(r"(?<=.)[A-Za-z]", printed.text))


def _is_another(moment: _Moment) -> bool:
    """Whether the words before a date without a time say that it is another one, `RETURNS THRU 05/31/2016`: the sale's is illegible."""
    has_time = any(not printed.is_weak for printed in find_times(moment.row.line.text))
    return not has_time and _says("other_date", moment.before) and not _says("date", moment.before)


@dataclass(frozen=True)
class Found:
    """The moment that was chosen, and the facts that its confidence is computed from."""

    moment: _Moment
    facts: Mapping[str, float]


def find_when(transcripts: Sequence[Transcript]) -> Mapping[str, Found]:
    """The chosen `transaction_date` and `transaction_time`, those that are printed."""
    rows = list(_rows(transcripts))
    dates = sorted(_dates(rows), key=lambda moment: -moment.score)
    times = sorted(_times(rows, dates[0] if dates else None), key=lambda moment: -moment.score)
    named = (("transaction_date", dates), ("transaction_time", times))
    return {name: Found(moments[0], _facts(moments)) for name, moments in named if moments and moments[0].score > 0}


def _facts(moments: Sequence[_Moment]) -> dict[str, float]:
    """What speaks for and against the first of the moments, which are sorted by score."""
    best = moments[0]
    meanings = _meanings(best.printed)
    others = [moment for moment in moments[1:] if moment.score > 0]
    rivals = [moment for moment in others if not _meanings(moment.printed) & meanings]
    ocr = confidence_of(best.row.line, best.printed.start, best.printed.end)
    return {
        "score": min(best.score, 12.0) / 10,
        "ahead": min(best.score - rivals[0].score, 6.0) / 6 if rivals else 1.0,
        "repeated": float(len(others) > len(rivals)),
        "repaired": float(best.printed.is_repaired),
        "weak": float(best.printed.is_weak),
        "illegible": min(1.0, 10 * (1 - ocr)),
        "short_year": float(
            isinstance(best.printed, PrintedDate) and not best.printed.is_named and not re.search(r"\d{4}", best.printed.text)
        ),
    }


def _meanings(printed: PrintedDate | PrintedTime) -> frozenset[date | tuple[int, int]]:
    """What a date or time can mean; times count by hour and minute."""
    if isinstance(printed, PrintedDate):
        return frozenset(printed.days)
    return frozenset({(printed.value.hour, printed.value.minute)})


def _says(what: str, folded: str) -> bool:
    """Whether a folded text has one of the words of that list."""
    return bool(patterns("when")[what].search(folded))


def _rows(transcripts: Sequence[Transcript]) -> Iterator[_Row]:
    index = 0
    for page, transcript in enumerate(transcripts):
        for line in transcript.lines:
            yield _Row(line, page, index, fold(line.text))
            index += 1


def _dates(rows: Sequence[_Row]) -> list[_Moment]:
    found = [(row, printed) for row in rows for printed in find_dates(row.line.text)]
    repeated: dict[date, int] = {}
    for _, printed in found:
        for day in printed.days:
            repeated[day] = repeated.get(day, 0) + 1
    return [_Moment(row, printed, _date_score(rows, row, printed, repeated)) for row, printed in found]


def _date_score(rows: Sequence[_Row], row: _Row, printed: PrintedDate, repeated: dict[date, int]) -> float:
    before, around = row.folded[: printed.start], row.folded
    above = rows[row.index - 1].folded if row.index else ""
    times = find_times(row.line.text)
    score = 5.0 - 2.0 * row.index / max(1, len(rows))
    score += 2.0 * (_says("date", before)) + 0.7 * bool(_says("date", above) and not find_dates(rows[row.index - 1].line.text))
    score += 2.0 * any(not time.is_weak for time in times) + 0.5 * any(time.is_weak for time in times)
    score += 0.8 * any(_has_time(rows, row.index + step) for step in (-1, 1))
    score += 0.8 * min(2, max(repeated[day] for day in printed.days) - 1)
    score -= 4.0 * (_says("other_date", before)) + 2.0 * (_says("other_date", around[printed.end :])) + 1.0 * (_says("other_date", above))
    score -= 3.0 * printed.is_weak + 0.5 * printed.is_repaired + 3.0 * (row.line.text[printed.end :][:1] == "T")
    score -= 2.0 * (confidence_of(row.line, printed.start, printed.end) < 0.6)
    return max(score, 0.01)


def _has_time(rows: Sequence[_Row], index: int) -> bool:
    return 0 <= index < len(rows) and any(not time.is_weak for time in find_times(rows[index].line.text))


def _times(rows: Sequence[_Row], chosen: _Moment | None) -> list[_Moment]:
    moments = [_Moment(row, printed, _time_score(rows, row, printed, chosen)) for row in rows for printed in find_times(row.line.text)]
    return [replace(moment, score=moment.score + 6.0 * _is_last(moment, moments, chosen)) for moment in moments]


def _is_last(moment: _Moment, moments: Sequence[_Moment], chosen: _Moment | None) -> bool:
    """Whether the sale's day is printed twice with different times and this is the later one: a bill is opened first and settled last."""
    if chosen is None or not isinstance(chosen.printed, PrintedDate):
        return False
    days = chosen.printed.days
    strong = [other for other in moments if not other.printed.is_weak]
    dated = [m for m in strong if _is_dashed(m, days) or _says("settled", m.row.folded)]
    return moment in dated and all(_clock(other) <= _clock(moment) for other in dated)


def _is_dashed(moment: _Moment, days: frozenset[date]) -> bool:
    """Whether it stands with the sale's day on a line of its own between dashes: -27Apr13 19:03-."""
    text = moment.row.line.text
    same_day = any(printed.days & days for printed in find_dates(text))
    return same_day and (text[0] in "-—<" or text[moment.printed.end :].lstrip()[:1] in {"-", "—"})


def _clock(moment: _Moment) -> time:
    return moment.printed.value if isinstance(moment.printed, PrintedTime) else time()


def _time_score(rows: Sequence[_Row], row: _Row, printed: PrintedTime, chosen: _Moment | None) -> float:
    before = row.folded[: printed.start]
    is_labelled = _says("time", before)
    score = 2.0 - 1.0 * row.index / max(1, len(rows))
    score += 2.0 * is_labelled
    if chosen:
        distance = abs(row.index - chosen.row.index)
        score += {0: 4.0, 1: 2.0, 2: 1.0}.get(distance, 0.0)
        if distance == 0:
            score += 1.0 * (0 <= printed.start - chosen.printed.end <= 3)
        elif find_dates(row.line.text):
            score += 1.0
    score += 4.5 * (_says("settled", row.folded) and not printed.is_weak)
    score -= 4.0 * (_says("opening", row.folded) and not find_dates(row.line.text))
    score += 0.5 * (_says("ended", before)) - 1.0 * bool(_says("begun", before))
    score -= 5.0 * (row.line.text[: printed.start][-1:] == "T") + 0.3 * printed.is_repaired
    if printed.is_weak and not (is_labelled or (chosen and chosen.row.index == row.index)):
        return 0.0
    return score - 2.0 * printed.is_weak
