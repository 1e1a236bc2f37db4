"""What the package declares is what its code needs, and the lock file pins it."""

import re
import tomllib
from pathlib import Path

import pytest

from training.render.fonts import FONTS

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))

EXTRAS = PROJECT["optional-dependencies"]
REQUIREMENTS = sorted({*PROJECT["dependencies"], *(each for extra in EXTRAS.values() for each in extra)})
INDEX = "https://pypi.org/simple"
FILES = "https://files.pythonhosted.org/"


def _name(requirement: str) -> str:
    """The normalised name of the package that a requirement asks for. Source: PEP 503."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()


def test_the_samples_extra_brings_every_font() -> None:
    """Whoever installs the extra can render every sample."""
    brought = {_name(requirement) for requirement in EXTRAS["samples"]}
    assert {font.package.replace("_", "-") for font in FONTS.values()} == {name for name in brought if name.startswith("fontpkg-")}


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_every_requirement_has_a_lower_bound(requirement: str) -> None:
    """The package installs beside other packages: each requirement says from which version on it works, and pins none."""
    assert re.search(r">=\d", requirement)
    assert "==" not in requirement.partition(";")[0]


def test_the_lock_pins_every_requirement() -> None:
    """Development, continuous integration and the image get one version of each package, known by its hash."""
    locked = {package["name"]: package for package in LOCK["package"]}
    assert {_name(requirement) for requirement in REQUIREMENTS} - set(locked) == set()
    for package in LOCK["package"]:
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
        assert package["name"] == PROJECT["name"] or (files and all(file["hash"].startswith("sha256:") for file in files))


def test_the_lock_names_public_indexes_alone() -> None:
    """The lock works on every machine: no mirror and no local path has got into it."""
    for package in LOCK["package"]:
        assert package["source"] == ({"editable": "."} if package["name"] == PROJECT["name"] else {"registry": INDEX})
        urls = [file["url"] for file in (*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ()))]
        assert [url for url in urls if not url.startswith(FILES)] == []


def test_the_lock_fits_the_requirements() -> None:
    """A changed requirement is locked again before it is committed."""
    [own] = [package for package in LOCK["package"] if package["name"] == PROJECT["name"]]
    locked = {
        (each["name"], each.get("specifier", ""), re.sub(r".*extra == '([\w-]+)'$", r"\1", each.get("marker", "")))
        for each in own["metadata"]["requires-dist"]
    }
    wanted = {(_name(each), extra) for extra, requirements in EXTRAS.items() for each in requirements}
    assert {(name, extra) for name, _, extra in locked if extra in EXTRAS} == wanted
    bounds = {name: specifier for name, specifier, _ in locked}
    for requirement in PROJECT["dependencies"]:
        specifier = re.sub(r"^[\w.-]+(\[\w+\])?", "", requirement).partition(";")[0].strip()
        assert set(bounds[_name(requirement)].split(",")) == set(specifier.split(","))


def test_no_text_names_a_package_that_no_index_has() -> None:
    """Advice to install an extra works: the package is installed from its source code, not from an index."""
    sources = {path: path.read_text(encoding="utf-8") for path in (ROOT / "extractor").rglob("*.py")}
    assert [path.name for path, text in sources.items() if re.search(r"receipt-extractor\[", text)] == []
