"""Fits the weights of the clues to country and currency on rendered receipts, and writes them with their calibration.

    python -m training.locale [--each 40] [--seed 0]

The project renders receipts of every country that it has tables for, with simulated OCR errors. Their towns are invented, so real ones are
added: places and chains of the country, and now and then of another one, as dishes, shops and advertisements are named after them. Kinds of
clues are left out at random (clue dropout), since real receipts lack most of them.

The model is a conditional logit: each country's score is the sum of its clues' weights, which are the same for all countries. They are
drawn towards `PRIOR`, so a clue that rendered receipts never show keeps the weight that it has there. The calibration comes from
cross-validation over countries: a fold's receipts are judged with weights fitted on other countries.
"""

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from random import Random

import numpy as np

from extractor.parsing.currencies import find_marks
from extractor.parsing.keywords import Role, roles_of
from extractor.parsing.locale.countries import countries
from extractor.parsing.locale.currency_evidence import CurrencyMarks
from extractor.parsing.locale.evidence import CANADIAN_AREA_CODES, Finding, find_clues
from extractor.parsing.locale.weights import LocaleWeights
from extractor.parsing.locale.zones import Zone, zones_of
from training.receipt_sets import TrainingSet, training_receipt
from training.render import OcrNoise, RenderOptions
from training.train_totals import calibrate, report

WEIGHTS = Path(__file__).parents[1] / "extractor/parsing/data/locale_weights.json"
COUNTRIES = sorted(path.stem.upper() for path in (Path(__file__).parent / "render/countries").glob("*.toml"))
FOLDS = 5

# Log-odds of each clue before any receipt is seen, estimated by hand; a clue's zone is left to the data.
_BY_KIND = {
    "tax_ids": 5.0, "taxes": 2.0, "phrases": 1.5, "legal": 2.5, "places": 3.0, "streets": 1.2, "addresses": 2.0, "postal": 3.5,
    "local_phone": 1.5, "brands": 3.0,
}  # fmt: skip
_COUNTED_ZONES = (Zone.ADDRESS, Zone.HEADER, Zone.TOTALS, Zone.FOOT)
# Share of a name's weight outside the address, where dishes, shops and advertisements are called after places and chains.
_OUTSIDE = 0.5
PRIOR: Mapping[str, float] = {
    f"{kind}@{zone}": weight * (_OUTSIDE if kind in ("places", "brands") and zone in (Zone.TOTALS, Zone.FOOT) else 1.0)
    for (kind, weight), zone in product(_BY_KIND.items(), _COUNTED_ZONES)
} | {
    "phone_code": 4.0, "domain": 3.0, "area_code": 3.0, "year_system": 4.0, "dotted_dates": -2.0,
    "words": 0.8, "english_words": 0.8, "foreign_words": -0.6,
    "mark": 3.5, "more_marks": 0.4, "shared_mark": 2.0, "commonest_mark": 0.7, "more_shared_marks": 0.4, "pound": 2.7, "rare_pound": 0.5,
    "mark_at_total": 3.0, "shared_mark_at_total": 1.5, "other_mark_at_total": -2.5, "other_marks": -2.5,
    "whole_amounts": 2.0, "no_decimals": -2.0, "decimals": -3.0,
    "elsewhere": 2.0,
}  # fmt: skip
FEATURES = tuple(PRIOR)

# Shares of receipts that get a real name: a place of the country in its address; a chain in its header; a place or a chain of any country
# where it says nothing (the shop's name, an advertisement).
_OWN_PLACE, _OWN_CHAIN, _ANY_PLACE, _ANY_CHAIN = 0.4, 0.15, 0.15, 0.08
# Share of the receipts that lack one kind of clue, for each kind, and of those whose country is taken out of the candidates.
_DROPPED, _UNKNOWN = 0.25, 0.05
# Strength of the pull towards `PRIOR`: as much as this many receipts that show the clue.
_PULL = 4.0


@dataclass(frozen=True)
class Group:
    """The candidates of one receipt: a row of features for each country and one for all others, and which of them is right."""

    country: str
    matrix: np.ndarray
    right: int


def receipt_rows(country: str, seed: str) -> tuple[tuple[str, ...], str | None]:
    """The rows of a rendered receipt with real names added, and the currency mark at its total."""
    rng = Random(f"{seed}:names")
    rendered = training_receipt(TrainingSet.LOCALE, seed.removeprefix("locale-"), RenderOptions(country=country))
    rows = [line.text for line in rendered.transcript(OcrNoise(), seed=0).lines]
    if country == "CA":  # the tables invent area codes, which tell Canada from the United States
        rows = [_with_area_code(row, rng) for row in rows]
    own, other = countries().get(country), countries()[rng.choice(sorted(countries()))]
    zones = zones_of(rows)
    addresses = [index for index, zone in enumerate(zones) if zone is Zone.ADDRESS]
    if own and addresses and (place := _name(own.code, "places", rng)) and rng.random() < _OWN_PLACE:
        rows[addresses[-1]] += f", {place}"
    if own and (chain := _name(own.code, "brands", rng)) and rng.random() < _OWN_CHAIN:
        rows.insert(0, chain)
    if (place := _name(other.code, "places", rng)) and rng.random() < _ANY_PLACE:
        rows.insert(rng.choice((0, len(rows))), f"{place} {rng.choice(('Grill', 'Fashion', 'Coffee', 'Burger'))}")
    if (chain := _name(other.code, "brands", rng)) and rng.random() < _ANY_CHAIN:
        rows.append(f"{rng.choice(('Gift cards for', 'Now with', 'Next to'))} {chain}")
    sums = [row for row in rows if {Role.GRAND, Role.TOTAL} & roles_of(row)]
    marks = [mark.text for row in sums for mark in find_marks(row)]
    return tuple(rows), marks[0] if marks else None


def _with_area_code(row: str, rng: Random) -> str:
    opening = row.find("(")
    is_phone = opening >= 0 and row[opening + 1 : opening + 4].isdigit()
    return f"{row[: opening + 1]}{rng.choice(sorted(CANADIAN_AREA_CODES))}{row[opening + 4 :]}" if is_phone else row


def _name(country: str, kind: str, rng: Random) -> str | None:
    clue = countries()[country].clues.get(kind)
    return rng.choice(clue.literals)[0].title() if clue and clue.literals else None


def group_of(rows: Sequence[str], mark: str | None, country: str, rng: Random) -> Group:
    """The candidates of a receipt, with kinds of clues left out at random."""
    clues = find_clues(tuple(rows), zones_of(rows))[1]
    money = CurrencyMarks.of(rows, mark)
    found = {code: [*clues[code], *money.clues(countries()[code].currency)] for code in countries()}
    families = sorted({finding.family for findings in found.values() for finding in findings})
    kept = {family for family in families if rng.random() >= _DROPPED}
    codes = [code for code in countries() if code != country or rng.random() >= _UNKNOWN]
    matrix = np.array([*(_vector(finding for finding in found[code] if finding.family in kept) for code in codes), _elsewhere()])
    return Group(country, matrix, codes.index(country) if country in codes else len(codes))


def _vector(findings: Iterable[Finding]) -> np.ndarray:
    vector = np.zeros(len(FEATURES))
    for finding in findings:
        vector[FEATURES.index(finding.feature)] += finding.amount
    return vector


def _elsewhere() -> np.ndarray:
    vector = np.zeros(len(FEATURES))
    vector[FEATURES.index("elsewhere")] = 1.0
    return vector


def fit(groups: Sequence[Group], steps: int = 40) -> np.ndarray:
    """The weights that give the right countries the highest probabilities, drawn towards `PRIOR`; none changes its sign.

    Newton's method on the log-likelihood, which is concave, less the squared distance from the prior.
    """
    prior = np.array([PRIOR[name] for name in FEATURES])
    weights = prior.copy()
    for _ in range(steps):
        gradient = _PULL * (prior - weights)
        curvature = _PULL * np.eye(len(prior))
        for group in groups:
            shares = _shares(group.matrix @ weights)
            mean = shares @ group.matrix
            gradient += group.matrix[group.right] - mean
            curvature += (group.matrix * shares[:, None]).T @ group.matrix - np.outer(mean, mean)
        step = np.linalg.solve(curvature, gradient)
        weights = weights + step * min(1.0, 2.0 / max(1e-9, float(np.abs(step).max())))
        if np.abs(step).max() < 1e-4:
            break
    return np.where(weights * prior < 0, 0.0, weights)


def _shares(scores: np.ndarray) -> np.ndarray:
    odds = np.exp(scores - scores.max())
    shares: np.ndarray = odds / odds.sum()
    return shares


def judge(weights: np.ndarray, group: Group) -> tuple[float, bool]:
    """The probability of the likeliest currency, and whether it is right."""
    shares = _shares(group.matrix @ weights)
    by_currency: dict[str, float] = {}
    known = [country for country in countries().values() if len(shares) == len(countries()) + 1 or country.code != group.country]
    for country, share in zip(known, shares, strict=False):
        by_currency[country.currency] = by_currency.get(country.currency, 0.0) + float(share)
    best = max(by_currency, key=lambda currency: by_currency[currency])
    return by_currency[best], best == countries()[group.country].currency


def cross_validate(groups: Sequence[Group], seed: int) -> list[tuple[float, bool]]:
    """Probability and truth of every receipt's likeliest currency, each judged with weights fitted on other countries."""
    order = np.random.default_rng(seed).permutation(sorted({group.country for group in groups}))
    judged: list[tuple[float, bool]] = []
    for fold in range(FOLDS):
        held = set(order[fold::FOLDS].tolist())
        weights = fit([group for group in groups if group.country not in held])
        judged += [judge(weights, group) for group in groups if group.country in held]
    return judged


def save(weights: np.ndarray, calibration: np.ndarray, path: Path) -> LocaleWeights:
    """Write weights and calibration as JSON, and return them."""
    features = {name: round(float(weight), 3) for name, weight in zip(FEATURES, weights, strict=True)}
    elsewhere = features.pop("elsewhere")
    points = [(round(float(x), 4), round(float(y), 4)) for x, y in calibration]
    stored = {"features": features, "elsewhere": elsewhere, "calibration": points}
    path.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    return LocaleWeights(features, elsewhere, points)


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=40, help="receipts to render for each country")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    options = parser.parse_args(list(arguments) if arguments is not None else None)
    groups = []
    for country, number in product((code for code in COUNTRIES if code in countries()), range(options.each)):
        rows, mark = receipt_rows(country, f"locale-{options.seed}-{country}-{number}")
        groups.append(group_of(rows, mark, country, Random(f"{options.seed}:{country}:{number}:dropout")))
    print("with the prior's weights:", report([judge(np.array(list(PRIOR.values())), group) for group in groups]))
    judged = cross_validate(groups, options.seed)
    print("with fitted weights, on countries that they have not seen:", report(judged))
    save(fit(groups), calibrate(judged), options.weights)
    print(f"wrote {options.weights}")


if __name__ == "__main__":
    main()
