"""The README is the manual: everything a user can type, set, read or meet stands in it."""

import re
import tomllib
from pathlib import Path

import pytest
import typer.main

from extractor import errors
from extractor.cli.main import app
from extractor.cli.records import StatusFilter
from extractor.cli.service_commands import app as service
from extractor.config.settings import SettingDoc, describe_settings
from extractor.jobs import JobState
from extractor.schemas.receipt import Item, Payment, TaxLine
from extractor.schemas.record import Attempt, Check, Record, RecordStatus, ReviewReason
from extractor.schemas.values import FieldEvidence

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GROUP = typer.main.get_group(app)
SERVICE = {f"service {name}": command for name, command in typer.main.get_group(service).commands.items()}
COMMANDS = {**GROUP.commands, **SERVICE}
OWN_ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ExtractorError)]
CODES = sorted({kind.exit_code for kind in OWN_ERRORS})


def _section(title: str) -> str:
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented_with_its_options(name: str) -> None:
    """What `--help` offers is in the table of commands."""
    group, _, order = name.partition(" ")
    rows = [
        line for line in _section("Commands").splitlines() if line.startswith(f"| `receipts {group}") and re.search(rf"\b{order}\b", line)
    ]
    assert rows
    told = "\n".join(rows) + ("\n" + _section("Commands").split("\nWHICH is ")[1] if "[WHICH]" in rows[0] else "")
    for parameter in COMMANDS[name].params:
        if parameter.name != "help" and parameter.opts[0].startswith("--"):
            assert parameter.opts[0] in told


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    """`receipts COMMAND --help` says what the command does, and what each option is for."""
    assert COMMANDS[name].help
    assert all(getattr(parameter, "help", "") for parameter in COMMANDS[name].params)


@pytest.mark.parametrize("doc", describe_settings(), ids=lambda doc: doc.name)
def test_every_setting_is_documented(doc: SettingDoc) -> None:
    """The table of settings has each with its default and meaning, as the code has them."""
    default = f"`{doc.default}`" if doc.default else "not set"
    assert f"| `{doc.name}` | {default} | {doc.description} |" in _section("Settings")


@pytest.mark.parametrize("code", [0, 1, *CODES, 130])
def test_every_exit_code_is_documented(code: int) -> None:
    """A script can rely on what the manual says of a code."""
    assert f"\n| {code} |" in _section("Errors and exit codes")


@pytest.mark.parametrize(
    "kind", [kind.__name__ for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ExtractorError)]
)
def test_every_error_is_documented(kind: str) -> None:
    """The class that `read_receipts` raises is in the manual."""
    assert f"`{kind}`" in README


def test_every_view_is_documented() -> None:
    """Every view can be found, and none is promised that is not there."""
    views = set(re.findall(r"CREATE VIEW (\w+)", (ROOT / "extractor" / "storage" / "database" / "views.sql").read_text(encoding="utf-8")))

    assert set(re.findall(r"^\| `(v_\w+)` \|", _section("SQL"), re.MULTILINE)) == views


@pytest.mark.parametrize("model", [Record, Item, TaxLine, Payment, ReviewReason, Check, Attempt, FieldEvidence])
def test_every_field_is_documented(model: type[Record]) -> None:
    """The table of output fields is complete."""
    section = _section("Output fields")
    assert [name for name in model.model_fields if not re.search(rf"\b{name}\b", section)] == []


def test_every_state_is_documented() -> None:
    """States of files and of records are all explained."""
    section = _section("Where files go")
    assert [state for state in (*JobState, *RecordStatus) if f"`{state.value}`" not in section] == []


def test_states_of_the_command_line_are_those_of_the_record() -> None:
    """The copy that keeps `--help` quick cannot fall behind."""
    assert [status.value for status in StatusFilter] == [status.value for status in RecordStatus]


def test_the_map_has_every_room() -> None:
    """A newcomer finds every package and loose module of `extractor/` on the map, with what it is for."""
    shown = _section("Map")
    there = [path.name for path in (ROOT / "extractor").iterdir() if path.suffix == ".py" or path.is_dir()]
    assert [name for name in there if not name.startswith("__") and not re.search(rf"\b{re.escape(name)}", shown)] == []


def test_every_dependency_states_what_it_replaces() -> None:
    """Each package that is installed for users is in the table of dependencies, and no other."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[^\w-]", requirement)[0] for requirement in project["dependencies"]}
    assert (
        set(
            re.findall(
                r"`([a-z0-9-]+)`", " ".join(re.findall(r"^\| (`.+?) \|", _section("Dependencies").partition("\nExtras,")[0], re.MULTILINE))
            )
        )
        == wanted
    )
