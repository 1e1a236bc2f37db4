"""What the package declares is what its code needs."""

import tomllib
from pathlib import Path

from training.render.fonts import FONTS

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_samples_extra_brings_every_font() -> None:
    """Whoever installs the extra can render every sample."""
    brought = {requirement.split("==")[0].replace("-", "_") for requirement in PROJECT["optional-dependencies"]["samples"]}
    assert {font.package for font in FONTS.values()} <= brought


def test_every_requirement_is_pinned() -> None:
    """The same versions are installed on every machine and every day."""
    requirements = [*PROJECT["dependencies"], *(each for extra in PROJECT["optional-dependencies"].values() for each in extra)]
    assert [each for each in requirements if "==" not in each] == []


def test_every_extra_is_documented() -> None:
    """The manual says what each extra brings."""
    assert [name for name in PROJECT["optional-dependencies"] if f"\n| `{name}` |" not in README] == []
