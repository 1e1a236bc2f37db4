"""The date and time of the transaction, selected among all dates and times that the receipt prints."""

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

# Upper bound of the confidence of a date whose letters were read as digits, or whose label belongs to another date. A second reading cannot
# confirm it, since both see the same characters.
_GUESSED_CONFIDENCE = 0.75


@dataclass(frozen=True)
class _Row:
    """A printed row with its page and its index over all pages."""

    line: Line
    page: int
    index: int
    folded: str


@dataclass(frozen=True)
class _Candidate:
    """A printed date or time on a row, with its score."""

    row: _Row
    printed: PrintedDate | PrintedTime
    score: float

    @property
    def before(self) -> str:
        """The text before it on its row, folded."""
        return self.row.folded[: self.printed.start]


def read_datetime(transcripts: Sequence[Transcript]) -> FieldValues:
    """Return `transaction_date` and `transaction_time` as printed, with evidence; each is left out where none is printed.

    Args:
        transcripts: One per page, in print order.
    """
    values: dict[str, Any] = {}
    evidence: dict[str, Evidence] = {}
    for name, found in find_datetime(transcripts).items():
        candidate = found.candidate
        confidence = logistic(weights(WEIGHTS)[name], found.facts)
        if _has_guessed_digits(candidate.printed) or (isinstance(candidate.printed, PrintedDate) and _is_labelled_as_other(candidate)):
            confidence = min(confidence, _GUESSED_CONFIDENCE)
        values[name] = candidate.printed.text
        evidence[name] = evidence_of(
            candidate.row.line, candidate.printed.start, candidate.printed.end, page=candidate.row.page, confidence=confidence
        )
    return FieldValues(values, evidence)


def _has_guessed_digits(printed: PrintedDate | PrintedTime) -> bool:
    """Return whether letters of a numeric date were read as digits: the o of 201o may be a zero or a six.

    A leading letter names an era.
    """
    return isinstance(printed, PrintedDate) and not printed.is_named and bool(re.search(r"(?<=.)[A-Za-z]", printed.text))


def _is_labelled_as_other(candidate: _Candidate) -> bool:
    """Return whether the words before a date without a time name another date (`RETURNS THRU 05/31/2016`)."""
    has_time = any(not printed.is_weak for printed in find_times(candidate.row.line.text))
    return not has_time and _matches("other_date", candidate.before) and not _matches("date", candidate.before)


@dataclass(frozen=True)
class FoundMoment:
    """The selected candidate, and the facts from which its confidence is computed."""

    candidate: _Candidate
    facts: Mapping[str, float]


def find_datetime(transcripts: Sequence[Transcript]) -> Mapping[str, FoundMoment]:
    """Return the selected `transaction_date` and `transaction_time`, where one is printed."""
    rows = list(_rows(transcripts))
    dates = sorted(_dates(rows), key=lambda candidate: -candidate.score)
    times = sorted(_times(rows, dates[0] if dates else None), key=lambda candidate: -candidate.score)
    named = (("transaction_date", dates), ("transaction_time", times))
    return {name: FoundMoment(candidates[0], _facts(candidates)) for name, candidates in named if candidates and candidates[0].score > 0}


def _facts(candidates: Sequence[_Candidate]) -> dict[str, float]:
    """Return the features of the first candidate among candidates sorted by score."""
    best = candidates[0]
    meanings = _meanings(best.printed)
    others = [candidate for candidate in candidates[1:] if candidate.score > 0]
    rivals = [candidate for candidate in others if not _meanings(candidate.printed) & meanings]
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
    """Return the days or times that a candidate can mean; times count by hour and minute."""
    if isinstance(printed, PrintedDate):
        return frozenset(printed.days)
    return frozenset({(printed.value.hour, printed.value.minute)})


def _matches(what: str, folded: str) -> bool:
    """Return whether a folded text contains a word of the list."""
    return bool(patterns("when")[what].search(folded))


def _rows(transcripts: Sequence[Transcript]) -> Iterator[_Row]:
    index = 0
    for page, transcript in enumerate(transcripts):
        for line in transcript.lines:
            yield _Row(line, page, index, fold(line.text))
            index += 1


def _dates(rows: Sequence[_Row]) -> list[_Candidate]:
    found = [(row, printed) for row in rows for printed in find_dates(row.line.text)]
    repeated: dict[date, int] = {}
    for _, printed in found:
        for day in printed.days:
            repeated[day] = repeated.get(day, 0) + 1
    return [_Candidate(row, printed, _date_score(rows, row, printed, repeated)) for row, printed in found]


def _date_score(rows: Sequence[_Row], row: _Row, printed: PrintedDate, repeated: dict[date, int]) -> float:
    before, around = row.folded[: printed.start], row.folded
    above = rows[row.index - 1].folded if row.index else ""
    times = find_times(row.line.text)
    score = 5.0 - 2.0 * row.index / max(1, len(rows))
    score += 2.0 * (_matches("date", before)) + 0.7 * bool(_matches("date", above) and not find_dates(rows[row.index - 1].line.text))
    score += 2.0 * any(not time.is_weak for time in times) + 0.5 * any(time.is_weak for time in times)
    score += 0.8 * any(_row_has_time(rows, row.index + step) for step in (-1, 1))
    score += 0.8 * min(2, max(repeated[day] for day in printed.days) - 1)
    score -= (
        4.0 * (_matches("other_date", before))
        + 2.0 * (_matches("other_date", around[printed.end :]))
        + 1.0 * (_matches("other_date", above))
    )
    score -= 3.0 * printed.is_weak + 0.5 * printed.is_repaired + 3.0 * (row.line.text[printed.end :][:1] == "T")
    score -= 2.0 * (confidence_of(row.line, printed.start, printed.end) < 0.6)
    return max(score, 0.01)


def _row_has_time(rows: Sequence[_Row], index: int) -> bool:
    return 0 <= index < len(rows) and any(not time.is_weak for time in find_times(rows[index].line.text))


def _times(rows: Sequence[_Row], chosen: _Candidate | None) -> list[_Candidate]:
    candidates = [
        _Candidate(row, printed, _time_score(rows, row, printed, chosen)) for row in rows for printed in find_times(row.line.text)
    ]
    return [replace(candidate, score=candidate.score + 6.0 * _is_settlement(candidate, candidates, chosen)) for candidate in candidates]


def _is_settlement(candidate: _Candidate, candidates: Sequence[_Candidate], chosen: _Candidate | None) -> bool:
    """Return whether this is the later of two times printed with the day of the sale: bills are opened, then settled."""
    if chosen is None or not isinstance(chosen.printed, PrintedDate):
        return False
    days = chosen.printed.days
    strong = [other for other in candidates if not other.printed.is_weak]
    dated = [m for m in strong if _stands_between_dashes(m, days) or _matches("settled", m.row.folded)]
    return candidate in dated and all(_clock(other) <= _clock(candidate) for other in dated)


def _stands_between_dashes(candidate: _Candidate, days: frozenset[date]) -> bool:
    """Return whether it stands with the day of the sale on a line of its own between dashes: -27Apr13 19:03-."""
    text = candidate.row.line.text
    same_day = any(printed.days & days for printed in find_dates(text))
    return same_day and (text[0] in "-—<" or text[candidate.printed.end :].lstrip()[:1] in {"-", "—"})


def _clock(candidate: _Candidate) -> time:
    return candidate.printed.value if isinstance(candidate.printed, PrintedTime) else time()


def _time_score(rows: Sequence[_Row], row: _Row, printed: PrintedTime, chosen: _Candidate | None) -> float:
    before = row.folded[: printed.start]
    is_labelled = _matches("time", before)
    score = 2.0 - 1.0 * row.index / max(1, len(rows))
    score += 2.0 * is_labelled
    if chosen:
        distance = abs(row.index - chosen.row.index)
        score += {0: 4.0, 1: 2.0, 2: 1.0}.get(distance, 0.0)
        if distance == 0:
            score += 1.0 * (0 <= printed.start - chosen.printed.end <= 3)
        elif find_dates(row.line.text):
            score += 1.0
    score += 4.5 * (_matches("settled", row.folded) and not printed.is_weak)
    score -= 4.0 * (_matches("opening", row.folded) and not find_dates(row.line.text))
    score += 0.5 * (_matches("ended", before)) - 1.0 * bool(_matches("begun", before))
    score -= 5.0 * (row.line.text[: printed.start][-1:] == "T") + 0.3 * printed.is_repaired
    if printed.is_weak and not (is_labelled or (chosen and chosen.row.index == row.index)):
        return 0.0
    return score - 2.0 * printed.is_weak
