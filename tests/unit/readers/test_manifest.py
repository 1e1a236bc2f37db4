"""The weights fit the features and word lists that they were trained with."""

import json
from importlib import resources

import pytest

from extractor.readers.rules import manifest
from extractor.readers.rules.address import address_feature_names, step_feature_names
from extractor.readers.rules.header_features import feature_names
from extractor.readers.rules.merchant import merchant_feature_names
from extractor.readers.rules.models import network, trees, weights
from extractor.readers.rules.transaction_datetime import read_datetime
from tests.transcripts import transcript


def test_weights_features_and_lists_are_those_of_the_manifest() -> None:
    """Features and word lists change only together with the weights, or where the change was measured and accepted."""
    assert manifest.drift() == ()


@pytest.mark.parametrize(("kind", "part"), [("features", "merchant"), ("lists", "names.nobody"), ("lists", "rows.legal")])
def test_a_changed_feature_or_list_is_drift(kind: str, part: str) -> None:
    """Another name, order or content of what a model was trained with is reported with what to do."""
    entry = dict(manifest.current()["header.json"])
    changed = {**entry, kind: {**entry[kind], part: manifest.digest(["something", "else"])}}
    [message] = manifest.differences("header.json", entry, changed)
    assert part in message
    assert "python -m training" in message


def test_a_removed_list_and_other_weights_are_drift() -> None:
    """A list that is gone and a file of weights that was replaced by hand are reported."""
    entry = dict(manifest.current()["header.json"])
    lists = {name: value for name, value in entry["lists"].items() if name != "places"}
    assert len(list(manifest.differences("header.json", entry, {**entry, "lists": lists, "sha256": "0"}))) == 2


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("address", feature_names()),
        ("address_start", address_feature_names()),
        ("address_next", step_feature_names()),
        ("merchant", merchant_feature_names()),
    ],
)
def test_every_feature_has_a_name_of_its_own(model: str, names: tuple[str, ...]) -> None:
    """Names are unique, and no tree compares a feature that has none."""
    assert len(set(names)) == len(names)
    assert trees("header.json", model).features.max() < len(names)


def test_every_input_of_the_total_network_has_a_name() -> None:
    """The network has one weight for each named feature of a candidate."""
    names = manifest._total_features()
    assert len(set(names)) == len(names) == len(network("total.json").mean)


def test_coefficients_are_of_the_facts_that_date_and_time_have() -> None:
    """Every fact of a date has a coefficient, and no coefficient is of another one."""
    assert "transaction_date" in read_datetime([transcript("01.02.2023 10:15")]).values
    for name, coefficients in weights("when.json").items():
        assert manifest.digest([fact for fact in coefficients if fact != "constant"]) == manifest.stored()["when.json"]["features"][name]


def test_the_version_changes_with_the_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of other weights or word lists have another version."""
    before = manifest.version()
    monkeypatch.setattr(manifest, "stored", lambda: {"header.json": {}})
    manifest.version.cache_clear()
    try:
        assert manifest.version() != before
    finally:
        manifest.version.cache_clear()


def test_the_manifest_names_the_training_of_every_file() -> None:
    """Every file of weights has an entry with a command and, where the training draws numbers, a seed."""
    files = {path.name for path in resources.files("extractor.readers.rules").joinpath("weights").iterdir()}
    entries = json.loads(resources.files("extractor.readers.rules").joinpath("weights", manifest.FILE).read_text(encoding="utf-8"))
    assert files == {*entries, manifest.FILE}
    assert all(entry["command"].startswith("python -m training.") and "seed" in entry for entry in entries.values())
