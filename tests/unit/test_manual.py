"""README.md and docs/ are the manual: everything a user can type, set, read or meet stands in it, and nothing else.

Blocks between `<!-- help: NAME -->` or `<!-- settings -->` and `<!-- end -->` are generated. After a change of a help text or a setting,
write them again with `pytest tests/unit/test_manual.py --update-golden`.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import typer.main

from extractor import errors
from extractor.cli.main import app
from extractor.cli.records import StatusFilter
from extractor.cli.service_commands import app as service
from extractor.config.settings import SettingDoc, describe_settings
from extractor.jobs import JobState
from extractor.runtime.telemetry import REVIEW_KINDS, Telemetry
from extractor.schemas.receipt import Item, Payment, TaxLine
from extractor.schemas.record import Attempt, Check, Record, RecordStatus, Region, ReviewReason
from extractor.schemas.values import FieldEvidence
from extractor.service.metrics import Snapshot, render
from extractor.service.status import Numbers
from extractor.storage.verify import What

ROOT = Path(__file__).parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "bench" / "RESULTS.md")
}
GUIDES = {name: text for name, text in PAGES.items() if name not in {"CHANGELOG.md", "bench/RESULTS.md"}}
SERVICE = {f"service {name}": command for name, command in typer.main.get_group(service).commands.items()}
COMMANDS = {**typer.main.get_group(app).commands, **SERVICE}
GLOBAL_OPTIONS = {"--config", "--debug", "--version", "--help"}
OWN_ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ExtractorError)]
CODES = sorted({kind.exit_code for kind in OWN_ERRORS})
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def _page(name: str) -> str:
    return PAGES[f"docs/{name}.md"]


def _section(page: str, title: str) -> str:
    return _page(page).split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


@pytest.fixture
def generated(request: pytest.FixtureRequest) -> Callable[[str, str, str], None]:
    """Compares a generated block of a page with what the code says: `generated("commands", "help: init", text)`."""

    def compare(page: str, mark: str, text: str) -> None:
        path = ROOT / "docs" / f"{page}.md"
        block = re.compile(rf"(<!-- {re.escape(mark)} -->\n).*?(<!-- end -->)", re.DOTALL)
        if request.config.getoption("--update-golden"):
            path.write_text(block.sub(lambda found: found[1] + text + found[2], path.read_text(encoding="utf-8")), encoding="utf-8")
        found = block.search(path.read_text(encoding="utf-8"))
        assert found, f"{path.name} has no block <!-- {mark} -->"
        assert found.group() == f"<!-- {mark} -->\n{text}<!-- end -->"

    return compare


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _rows(command: Any) -> Iterator[str]:
    """One row of a Markdown table for each argument and option."""
    for parameter in command.params:
        if parameter.name == "help":
            continue
        if not parameter.opts[0].startswith("-"):
            names, values = str(parameter.metavar), ""
        else:
            kind = parameter.type_descriptor.annotation
            is_choice = isinstance(kind, type) and issubclass(kind, Enum)
            words = "\\|".join(choice.value for choice in kind) if is_choice else parameter.metavar or parameter.name.upper()
            names, values = ", ".join(parameter.opts), "" if parameter.is_flag else f" {words}"
        default = getattr(parameter.default, "value", parameter.default)
        default = f" Default: `{default}`." if default not in (None, False, ()) else ""
        yield f"| `{names}{values}` | {_cell(parameter.help)}{default} |"


def _help_block(command: Any) -> str:
    """A command's help as Markdown: what it does, then its arguments and options."""
    rows = list(_rows(command))
    table = ["", "| argument or option | meaning |", "|---|---|", *rows] if rows else []
    return "\n".join([_cell(command.help or ""), *table]) + "\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented_with_its_options(name: str, generated: Callable[[str, str, str], None]) -> None:
    """The page of commands says of each what `--help` says."""
    assert f"\n### `receipts {name}" in _page("commands")
    generated("commands", f"help: {name}", _help_block(COMMANDS[name]))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    """`receipts COMMAND --help` says what the command does, and what each option is for."""
    assert COMMANDS[name].help
    assert all(getattr(parameter, "help", "") for parameter in COMMANDS[name].params)


def test_every_setting_is_documented(generated: Callable[[str, str, str], None]) -> None:
    """The table of settings has each with its default and meaning, as the code has them, and no other."""

    def row(doc: SettingDoc) -> str:
        default = f"`{doc.default}`" if doc.default else "not set"
        return f"| `{doc.name}` | {default} | {_cell(doc.description)} |"

    lines = ["| setting | default | meaning |", "|---|---|---|", *map(row, describe_settings())]
    generated("settings", "settings", "\n".join(lines) + "\n")


@pytest.mark.parametrize("code", [0, 1, *CODES, 130])
def test_every_exit_code_is_documented(code: int) -> None:
    """A script can rely on what the manual says of a code."""
    assert f"\n| {code} |" in _section("errors", "Exit codes")


@pytest.mark.parametrize("kind", [kind.__name__ for kind in OWN_ERRORS])
def test_every_error_is_documented(kind: str) -> None:
    """The class that `read_receipts` raises is in the manual."""
    assert f"`{kind}`" in _page("errors")


def test_quoted_messages_exist() -> None:
    """Whoever searches the manual for a message finds the words that the program prints."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "extractor").rglob("*.py"))
    rows = re.findall(r"^\| (`.+?) \|", _section("errors", "Common messages"), re.MULTILINE)
    assert rows
    assert [text for row in rows for text in re.findall(r"`(?:is an? )?([^`]+)`", row) if text not in code] == []


def test_every_view_is_documented() -> None:
    """Every view can be found, and none is promised that is not there."""
    sql = (ROOT / "extractor" / "storage" / "database" / "views.sql").read_text(encoding="utf-8")
    views = set(re.findall(r"CREATE VIEW (\w+)", sql))

    assert set(re.findall(r"^\| `(v_\w+)` \|", _page("sql"), re.MULTILINE)) == views


@pytest.mark.parametrize("model", [Record, Item, TaxLine, Payment, ReviewReason, Check, Attempt, FieldEvidence, Region])
def test_every_field_is_documented(model: type[Record]) -> None:
    """The tables of fields are complete."""
    assert [name for name in model.model_fields if not re.search(rf"`{name}\b", _page("record"))] == []


def test_every_kind_of_review_reason_is_documented() -> None:
    """Whoever sorts records by `kind` knows all of them."""
    assert [kind for kind in sorted(REVIEW_KINDS) if f"\n| `{kind}` |" not in _page("record")] == []


def test_every_state_is_documented() -> None:
    """States of files and statuses of records are all explained."""
    assert [state for state in JobState if f"\n| `{state.value}` |" not in _page("operations")] == []
    assert [status for status in RecordStatus if f"\n| `{status.value}` |" not in _page("record")] == []


def test_everything_that_verify_finds_is_documented() -> None:
    """Each kind of discrepancy has its meaning in the manual."""
    assert [what for what in What if f"`{what.value}`" not in _section("operations", "Verify")] == []


def test_every_metric_is_documented() -> None:
    """Whoever sets up monitoring finds each name that `/metrics` serves, and none that it does not."""
    numbers = Numbers(files={}, waiting={}, oldest_seconds=None, records={}, last=None)
    snapshot = Snapshot("1", "ocr", "", True, numbers, {}, Telemetry().counts(), {})
    served = set(re.findall(r"# TYPE (receipts_\w+)", render(snapshot)[0].decode())) | {"receipts_last_filed_timestamp_seconds"}

    assert set(re.findall(r"`(receipts_\w+)(?:\{[a-z,]+\})?`", _section("operations", "Monitoring"))) == served


def test_states_of_the_command_line_are_those_of_the_record() -> None:
    """The copy that keeps `--help` quick cannot fall behind."""
    assert [status.value for status in StatusFilter] == [status.value for status in RecordStatus]


def test_the_map_has_every_room() -> None:
    """A newcomer finds every package and loose module of `extractor/` on the map, with what it is for."""
    shown = _section("architecture", "Map")
    there = [path.name for path in (ROOT / "extractor").iterdir() if path.suffix == ".py" or path.is_dir()]
    assert [name for name in there if not name.startswith("__") and not re.search(rf"\b{re.escape(name)}", shown)] == []


def test_every_dependency_states_what_it_replaces() -> None:
    """Each package that is installed for users is in the table of dependencies, and no other."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[^A-Za-z0-9-]", requirement)[0] for requirement in project["dependencies"]}
    cells = re.findall(r"^\| (`.+?) \|", _section("privacy", "Dependencies"), re.MULTILINE)
    assert set(re.findall(r"`([a-z0-9-]+)`", " ".join(cells))) == wanted


def test_every_extra_is_documented() -> None:
    """The manual says what each extra brings."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert [name for name in project["optional-dependencies"] if f"\n| `{name}` |" not in _section("privacy", "Extras")] == []


def _anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    titles = re.findall(r"^#{1,6} (.+)$", CODE_BLOCK.sub("", text), re.MULTILINE)
    slugs = [re.sub(r"[^\w\- ]", "", LINK.sub("", title).lower()).replace(" ", "-") for title in titles]
    seen: Counter[str] = Counter()
    anchors = set()
    for slug in slugs:
        anchors.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return anchors


@pytest.mark.parametrize("name", PAGES)
def test_every_internal_link_leads_somewhere(name: str) -> None:
    """No page sends its reader to a file or a heading that is not there."""
    broken = []
    for target in LINK.findall(CODE_BLOCK.sub("", PAGES[name])):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (ROOT / name).parent / file if file else ROOT / name
        if not path.exists() or (anchor and anchor not in _anchors(path.read_text(encoding="utf-8"))):
            broken.append(target)
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    """The index of docs/ leads to each of its pages."""
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages - set(LINK.findall(_page("README"))) == set()


@pytest.mark.parametrize("name", GUIDES)
def test_command_lines_in_the_manual_exist(name: str) -> None:
    """Each `receipts ...` that a page shows, in a console block or between backticks, names a command and options that there are."""
    text = GUIDES[name]
    lines = re.findall(r"^\$ (?:\S*/)?receipts (.+?)(?:\s+#.*)?$", text, re.MULTILINE) + re.findall(r"`receipts ([^`]+)`", text)
    unknown = []
    for line in lines:
        words = [word for word in re.split(r"[\s\[\]|=]+", line) if word]
        if words[0] not in COMMANDS and not words[0].startswith("-"):
            if words[0].islower():
                unknown.append(line)
            continue
        names = [words[0], *(f"service {word}" for word in words[1:] if f"service {word}" in COMMANDS)]
        known = {option for each in names if each in COMMANDS for parameter in COMMANDS[each].params for option in parameter.opts}
        unknown += [f"{line}: {word}" for word in words if word.startswith("-") and word not in known | GLOBAL_OPTIONS]
    assert unknown == []


@pytest.mark.parametrize("name", GUIDES)
def test_paths_in_the_manual_exist(name: str) -> None:
    """Each file or folder of this repository that a page names is there."""
    paths = re.findall(r"`((?:extractor|schemas|tests|training|bench|deploy|docs)/[\w./-]*)`", GUIDES[name])
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md"])
def test_names_in_the_manual_exist(name: str) -> None:
    """Each class, function and constant that a page for developers names is in the code."""
    files = [path for folder in ("extractor", "schemas", "training", "tests") for path in (ROOT / folder).rglob("*.py")]
    words = set(re.findall(r"\w+", "\n".join(path.read_text(encoding="utf-8") for path in (*files, ROOT / "Makefile"))))
    shown = re.findall(r"`(?:[A-Z]\w+\.)?([A-Z][A-Za-z_]{3,}|[a-z]+(?:_[a-z]+)+)`", PAGES[name])
    assert [word for word in shown if word not in words] == []


@pytest.mark.parametrize("name", GUIDES)
def test_make_targets_in_the_manual_exist(name: str) -> None:
    """Each `make TARGET` that a page names is in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    shown = re.findall(r"(?:`|^\$ )make ([a-z-]+)", GUIDES[name], re.MULTILINE)
    assert [target for target in shown if target not in targets] == []


def test_the_readme_stays_short() -> None:
    """The first page can be read in five minutes; details go into docs/."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


def test_the_picture_is_small() -> None:
    """The picture of a result costs the repository little."""
    assert (ROOT / "docs" / "images" / "show.png").stat().st_size < 300_000
