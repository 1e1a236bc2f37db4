"""The manifest of the trained weights: the features and word lists that each file was trained with, and the command that trained it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

from extractor.ocr.transcript import Box, Fragment, Line, Transcript
from extractor.parsing.locale.countries import countries
from extractor.parsing.vocabulary import top_level_domains
from extractor.readers.rules import address, header_features, merchant, totals, transaction_datetime
from extractor.readers.rules.amount_rows import read_rows
from extractor.readers.rules.segments import lists, words
from extractor.readers.rules.sums import Sums

FILE: Final = "manifest.json"
_ADVICE: Final = "Train it again (python -m training.{module}), or measure the change and accept it (python -m training.manifest)."


def drift() -> tuple[str, ...]:
    """Return what differs from the manifest, one message each; empty where the weights fit the features and lists of this version.

    Only names of features and contents of lists count: moving and rewording code is no drift.
    """
    recorded = stored()
    found = [f"{name} is not in the manifest" for name in current() if name not in recorded]
    for name, entry in recorded.items():
        found += differences(name, entry, current().get(name, {}))
    return tuple(found)


def differences(name: str, recorded: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield a message for each part of a manifest entry that is not as recorded.

    Args:
        name: File of `weights/`.
        recorded: Its entry in the manifest.
        now: Its entry as `current` describes it.
    """
    advice = _ADVICE.format(module=recorded.get("module", "header"))
    if recorded.get("sha256") != now.get("sha256"):
        yield f"{name} is not the file that the manifest was written for. {advice}"
    for kind, noun in (("features", "features of the model"), ("lists", "word list")):
        before, after = recorded.get(kind, {}), now.get(kind, {})
        for part in sorted({*before, *after}):
            if before.get(part) != after.get(part):
                yield f"{name}: the {noun} {part!r} changed since it was trained. {advice}"


@cache
def version() -> str:
    """Return a short hash that changes with the weights and with every word list that the rules read."""
    tables = sorted((file.name, file.read_text(encoding="utf-8")) for file in _files("extractor.parsing", "data"))
    own = _root().joinpath("header_words.toml").read_text(encoding="utf-8")
    return digest([stored(), tables, own])[:8]


def stored() -> Mapping[str, Any]:
    """Return the manifest as written by the last training, by file of `weights/`."""
    entries: Mapping[str, Any] = json.loads(_root().joinpath("weights", FILE).read_text(encoding="utf-8"))
    return entries


@cache
def current() -> Mapping[str, Any]:
    """Return what the manifest would hold for the weights, features and lists of this version, by file of `weights/`."""
    described: dict[str, Any] = {
        "header.json": {"features": _header_features(), "lists": _header_lists()},
        "total.json": {"features": {"total": digest(_total_features())}},
        "when.json": {"features": {name: digest(list(facts)) for name, facts in _datetime_facts().items()}, "lists": _datetime_lists()},
    }
    return {name: {"sha256": _sha256(name), **entry} for name, entry in described.items()}


def digest(content: Any) -> str:
    """Return a hash of JSON content: 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()[:16]


def _sha256(name: str) -> str:
    return hashlib.sha256(_root().joinpath("weights", name).read_bytes()).hexdigest()


def _header_features() -> dict[str, str]:
    names = {
        "address": header_features.feature_names(),
        "address_start": address.address_feature_names(),
        "address_next": address.step_feature_names(),
        "merchant": merchant.merchant_feature_names(),
    }
    return {model: digest(list(features)) for model, features in names.items()}


def _header_lists() -> dict[str, str]:
    known = countries().values()
    contents = {f"rows.{name}": patterns for name, patterns in lists("rows").items()} | {
        "names.nobody": words("names", "nobody"),
        "names.after_article": words("names", "after_article"),
        "places": [word for country in known if "places" in country.clues for word, _ in country.clues["places"].literals],
        "regions": [region for country in known for region in country.regions],
        "top_level_domains": top_level_domains(),
    }
    return {name: digest(sorted(set(content))) for name, content in contents.items()}


def _datetime_lists() -> dict[str, str]:
    return {f"when.{name}": digest(sorted(patterns)) for name, patterns in lists("when").items()}


def _total_features() -> list[str]:
    rows = read_rows([_example("TOTAL 1.00")])
    return list(totals.feature_names(rows, Sums(rows), totals.find_candidates(rows)))


def _datetime_facts() -> dict[str, tuple[str, ...]]:
    return {name: tuple(found.facts) for name, found in transaction_datetime.find_datetime([_example("01.02.2023 10:15")]).items()}


def _example(text: str) -> Transcript:
    """Return a transcript of one row; the names of features are the same for all."""
    return Transcript((Line((Fragment(text, Box(0, 0, 10 * len(text), 20), 1.0),)),), 10 * len(text), 20, "none")


def _root() -> Traversable:
    return resources.files("extractor.readers.rules")


def _files(package: str, folder: str) -> Iterator[Traversable]:
    return (file for file in resources.files(package).joinpath(folder).iterdir() if file.is_file())
