"""The distributions that users install hold all that the package needs, and put no other name beside it."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

APPLICATION = """

import schemas
from extractor import Receipt, Settings
from extractor.storage.archive import open_archive
import extractor

settings = Settings(inbox_dir="inbox", outbox_dir="outbox", database="receipts.db")
open_archive(settings).close()  # needs the migrations and the views
print(schemas.INVOICE, Receipt.__module__, extractor.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that is built from the source distribution, as package indexes and distributors build it."""
    folder = tmp_path_factory.mktemp("dist")
    _build("sdist", ROOT, folder)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    _build("wheel", next(path for path in folder.iterdir() if path.is_dir()), folder)
    return next(folder.glob("*.whl"))


def _build(kind: str, source: Path, target: Path) -> None:
    subprocess.run([sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", target], check=True, cwd=source)


def test_the_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    """Code, models, tables, views and migrations are all there; only `extractor` and the metadata go into site-packages."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    # Python before 3.13 follows no links in rglob: schemas are listed where they lie.
    places = {path: path.relative_to(ROOT) for path in (ROOT / "extractor").rglob("*")}
    places |= {path: Path("extractor") / path.relative_to(ROOT) for path in (ROOT / "schemas").rglob("*")}
    wanted = {place.as_posix() for path, place in places.items() if path.is_file() and "__pycache__" not in place.parts}

    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"extractor"}
    assert {name for name in names if ".dist-info/" not in name} == wanted


def test_an_application_keeps_its_own_schemas(wheel: Path, tmp_path: Path) -> None:
    """The installed wheel works in an application that has a package `schemas`, and each finds its own."""
    site, application = tmp_path / "site-packages", tmp_path / "application"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel)]
    subprocess.run(install, check=True, timeout=120)
    (application / "schemas").mkdir(parents=True)
    (application / "schemas" / "__init__.py").write_text("INVOICE = 'mine'\n")
    (application / "main.py").write_text(APPLICATION)

    environment = {name: value for name, value in os.environ.items() if not name.startswith("RECEIPTS_")} | {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "main.py"], cwd=application, env=environment, check=True, capture_output=True, text=True, timeout=120
    )

    assert done.stdout.split() == ["mine", "extractor.schemas.receipt", str(site / "extractor" / "__init__.py")]
