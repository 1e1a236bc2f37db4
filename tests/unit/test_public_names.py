"""What `extractor` exports is complete, documented by its names, and costs nothing until it is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import extractor
from extractor import errors
from extractor.errors import ExtractorError

SOURCE = Path(extractor.__file__).read_text(encoding="utf-8")


def test_every_error_is_exported() -> None:
    """Whoever reads receipts can catch each error without knowing where it is defined."""
    own = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, ExtractorError)}
    assert own - set(extractor.__all__) == set()


@pytest.mark.parametrize("name", extractor.__all__)
def test_every_exported_name_is_there(name: str) -> None:
    """`from extractor import NAME` works for each name in `__all__`, and `dir()` lists it."""
    assert getattr(extractor, name) is not None
    assert name in dir(extractor)


def test_type_checkers_see_the_same_names() -> None:
    """Names that are imported on first use are imported for type checkers, too, and no others."""
    [block] = [node for node in ast.parse(SOURCE).body if isinstance(node, ast.If)]
    seen = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(extractor.__all__)


def test_other_names_are_attribute_errors() -> None:
    """A misspelt name is an AttributeError that names it, as in any module."""
    with pytest.raises(AttributeError, match="read_receipt"):
        _ = extractor.read_receipt


def test_import_loads_nothing_else() -> None:
    """`import extractor` loads no other module of the package and no library."""
    code = "import sys; before = set(sys.modules); import extractor; print(*(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in loaded if name.startswith("extractor.") or name in {"pydantic", "numpy", "PIL", "sqlalchemy"}] == []


def test_the_package_is_typed() -> None:
    """Type checkers use the annotations of the installed package (PEP 561)."""
    assert (Path(extractor.__file__).parent / "py.typed").is_file()
