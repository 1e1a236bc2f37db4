"""Settings come from one file and the environment; an error names the setting and what was expected."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from extractor.config.settings import Settings, describe_settings, load_settings, settings_template
from extractor.errors import ConfigError


def _write(folder: Path, text: str, name: str = "receipts.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_are_enough(tmp_path: Path) -> None:
    """Nothing needs to be set: the three places lie in the working directory."""
    settings = load_settings(environ={}, folder=tmp_path)

    assert (settings.inbox_dir, settings.outbox_dir, settings.database) == (
        tmp_path / "inbox",
        tmp_path / "outbox",
        tmp_path / "receipts.db",
    )


def test_environment_goes_before_file_before_default(tmp_path: Path) -> None:
    """The nearest source wins, key by key."""
    _write(tmp_path, "[inbox]\nsettle_seconds = 3\npoll = true\n")

    settings = load_settings(environ={"RECEIPTS_INBOX__SETTLE_SECONDS": "1"}, folder=tmp_path)

    assert (settings.inbox.settle_seconds, settings.inbox.poll, settings.inbox.poll_seconds) == (1.0, True, 2.0)


def test_file_is_searched_in_order(tmp_path: Path) -> None:
    """`--config` goes before RECEIPTS_CONFIG, and that before the working directory."""
    _write(tmp_path, "[work]\nbatch_size = 1\n")
    named = _write(tmp_path, "[work]\nbatch_size = 2\n", "named.toml")
    given = _write(tmp_path, "[work]\nbatch_size = 3\n", "given.toml")
    environ = {"RECEIPTS_CONFIG": str(named)}

    sizes = [
        load_settings(environ={}, folder=tmp_path).work.batch_size,
        load_settings(environ=environ, folder=tmp_path).work.batch_size,
        load_settings(given, environ=environ, folder=tmp_path).work.batch_size,
    ]

    assert sizes == [1, 2, 3]


def test_relative_paths_start_where_they_were_written(tmp_path: Path) -> None:
    """A path in the file is relative to the file, one in the environment to the working directory."""
    (tmp_path / "etc").mkdir()
    path = _write(tmp_path / "etc", 'inbox_dir = "drop"\n')

    settings = load_settings(path, environ={"RECEIPTS_OUTBOX_DIR": "results"}, folder=tmp_path)

    assert settings.inbox_dir == tmp_path / "etc" / "drop"
    assert settings.outbox_dir == tmp_path / "results"
    assert settings.database == tmp_path / "etc" / "receipts.db"


def test_lists_are_separated_by_commas_in_the_environment(tmp_path: Path) -> None:
    """A list needs no JSON in a shell."""
    settings = load_settings(environ={"RECEIPTS_INBOX__IGNORE": "*.bak, draft-*"}, folder=tmp_path)

    assert settings.inbox.ignore == ("*.bak", "draft-*")


def test_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    """`RECEIPTS_LOCALE__COUNTRY= receipts watch` is no error."""
    assert load_settings(environ={"RECEIPTS_LOCALE__COUNTRY": ""}, folder=tmp_path).locale.country is None


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("[inbox]\nsetle_seconds = 1\n", "inbox.settle_seconds"),
        ("settle_seconds = 1\n", "inbox.settle_seconds"),
        ('in_box_dir = "x"\n', "inbox_dir"),
        ("[worker]\nbatch_size = 1\n", "work.batch_size"),
    ],
)
def test_unknown_key_in_file_names_the_nearest(tmp_path: Path, text: str, nearest: str) -> None:
    """A misspelt setting is an error that names the file and the one that was meant."""
    path = _write(tmp_path, text)

    with pytest.raises(ConfigError) as error:
        load_settings(environ={}, folder=tmp_path)

    assert str(path) in str(error.value)
    assert f"The nearest one is {nearest}." in str(error.value)


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("RECEIPTS_INBOX", "RECEIPTS_INBOX_DIR"),
        ("RECEIPTS_INBOX_SETTLE_SECONDS", "RECEIPTS_INBOX__SETTLE_SECONDS"),
        ("RECEIPTS_DATABSE", "RECEIPTS_DATABASE"),
    ],
)
def test_unknown_variable_names_the_nearest(tmp_path: Path, variable: str, nearest: str) -> None:
    """A misspelt variable is an error that names the one that was meant."""
    with pytest.raises(ConfigError, match=f"has {variable}, .* is {nearest}"):
        load_settings(environ={variable: "1"}, folder=tmp_path)


def test_wrong_value_names_key_value_and_expectation(tmp_path: Path) -> None:
    """Whoever reads the message knows what to write instead."""
    path = _write(tmp_path, '[reader]\nocr_engine = "tesseract"\n')

    with pytest.raises(ConfigError) as in_file:
        load_settings(environ={}, folder=tmp_path)
    with pytest.raises(ConfigError) as in_environment:
        load_settings(environ={"RECEIPTS_WORK__BATCH_SIZE": "0", "RECEIPTS_CONFIG": ""}, folder=tmp_path / "empty")

    assert str(in_file.value) == f"reader.ocr_engine in {path} is 'tesseract'. Expected: 'auto', 'faster-paddle' or 'rapidocr'."
    assert str(in_environment.value) == "RECEIPTS_WORK__BATCH_SIZE is '0'. Expected: greater than 0."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('locale.country = "Germany"', "the two capital letters of a country, such as DE"),
        ('locale.currency = "euro"', "the three capital letters of a currency, such as EUR"),
        ('service.memory_max = "4 GB"', "a number of bytes, perhaps with K, M, G, T or % after it, such as 3G"),
        ('inbox.poll = "maybe"', "true or false"),
        ("inbox.settle_seconds = []", "a number"),
        ("inbox.settle_seconds = nan", "a number"),
        ("work.batch_size = 1.5", "a whole number"),
        ("reader.name = 3", "text"),
        ('inbox.ignore = "*.bak"', "a list"),
        ("inbox_dir = 3", "a path"),
        ("limits = 3", "a section with settings of its own"),
        ('metrics.host = ""', "some text"),
        ("limits.max_pages = 0", "greater than 0"),
    ],
)
def test_what_is_expected_is_said_in_plain_words(tmp_path: Path, text: str, expected: str) -> None:
    """No pattern and no name of a Python type reaches people."""
    _write(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load_settings(environ={}, folder=tmp_path)
    assert str(raised.value).endswith(f". Expected: {expected}.")


def test_missing_and_broken_files_are_refused(tmp_path: Path) -> None:
    """A named file that is not there is never replaced by defaults, and a broken one never half read."""
    with pytest.raises(ConfigError, match=r"nowhere\.toml does not exist"):
        load_settings(tmp_path / "nowhere.toml", environ={}, folder=tmp_path)
    _write(tmp_path, "[inbox\n")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_settings(environ={}, folder=tmp_path)
    (tmp_path / "receipts.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_settings(environ={}, folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "inner", "outer"),
    [
        ('inbox_dir = "outbox/in"', "inbox_dir", "outbox_dir"),
        ('outbox_dir = "inbox/out"', "outbox_dir", "inbox_dir"),
        ('outbox_dir = "inbox"', "outbox_dir", "inbox_dir"),
        ('database = "inbox/receipts.db"', "database", "inbox_dir"),
        ('inbox_dir = "."', "outbox_dir", "inbox_dir"),
    ],
)
def test_places_within_one_another_are_refused(tmp_path: Path, text: str, inner: str, outer: str) -> None:
    """No setting can make the service read its own results."""
    _write(tmp_path, text)

    with pytest.raises(ConfigError, match=f"{inner}|{outer}"):
        load_settings(environ={}, folder=tmp_path)


def test_a_link_does_not_hide_that_places_are_the_same(tmp_path: Path) -> None:
    """An inbox that is a link to the outbox is refused too."""
    (tmp_path / "outbox").mkdir()
    (tmp_path / "inbox").symlink_to(tmp_path / "outbox")

    with pytest.raises(ConfigError, match="is inside"):
        load_settings(environ={}, folder=tmp_path)


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    """What was read at the start holds until the end."""
    settings = load_settings(environ={}, folder=tmp_path)

    with pytest.raises(ValidationError):
        settings.inbox.poll = True  # type: ignore[misc]  # the point of this test


def test_template_lists_every_setting_and_its_lines_work(tmp_path: Path) -> None:
    """The file that `receipts init` writes changes nothing as it is, and is right once its marks are removed."""
    template = settings_template()
    uncommented = "\n".join(
        line.removeprefix("# ") for line in template.splitlines() if line.startswith("[") or (line.startswith("# ") and " = " in line)
    )
    _write(tmp_path, template)
    plain = load_settings(environ={}, folder=tmp_path)
    _write(tmp_path, uncommented)
    full = load_settings(environ={}, folder=tmp_path)

    assert plain == Settings.model_validate(
        {"inbox_dir": tmp_path / "inbox", "outbox_dir": tmp_path / "outbox", "database": tmp_path / "receipts.db"}
    )
    not_set = {"locale": plain.locale, "metrics": plain.metrics, "service": plain.service}
    assert full.model_copy(update=not_set | {"reader": full.reader.model_copy(update={"max_rungs": None})}) == plain
    assert full.locale.country == "DE"
    assert len(tomllib.loads(uncommented)["inbox"]) == 7


def test_every_setting_has_a_description() -> None:
    """`receipts.toml` and the manual can explain each setting."""
    assert all(doc.description.endswith(".") for doc in describe_settings())


@given(st.text(min_size=1, max_size=30).filter(lambda text: "\x00" not in text and "=" not in text))
def test_any_unknown_variable_is_a_config_error(name: str) -> None:
    """Whatever stands behind RECEIPTS_, the answer is settings or a ConfigError, never a crash."""
    known = {doc.variable for doc in describe_settings()} | {"RECEIPTS_CONFIG"}
    if f"RECEIPTS_{name}".upper() in known:
        return
    with pytest.raises(ConfigError, match="The nearest one is RECEIPTS_"):
        load_settings(environ={f"RECEIPTS_{name}": "1"}, folder=Path("/nonexistent"))
