"""The files in `deploy/` fit the package that they install; building the image needs a registry and is not tried here."""

import json
import re
import tomllib
from pathlib import Path

from extractor.config.settings import describe_settings
from extractor.service.supervisor import STOP_SECONDS

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_variable_is_a_setting() -> None:
    """A misspelt variable would keep the service from starting."""
    known = {doc.variable for doc in describe_settings()}
    assert set(re.findall(r"RECEIPTS_[A-Z_]+", DOCKERFILE + COMPOSE)) <= known


def test_all_that_the_package_is_built_from_is_copied() -> None:
    """What pyproject.toml names and the lock file are in the image's build stage, and are not ignored on the way."""
    built = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    needed = {
        "pyproject.toml",
        "uv.lock",
        PROJECT["project"]["readme"],
        *PROJECT["project"]["license-files"],
        *built,
        "schemas",
    }  # which extractor/schemas is a link to
    copied = {word for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()}
    ignored = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text(encoding="utf-8")
    assert copied == needed
    assert set(re.findall(r"^!(.+)$", ignored, re.MULTILINE)) == needed


def test_the_base_is_pinned_and_new_enough() -> None:
    """One version of Python, which the package allows; the image is named after the package's version."""
    [major, minor] = re.findall(r"^ARG PYTHON=(\d+)\.(\d+)\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)[0]
    assert (int(major), int(minor)) >= (3, 11)
    assert f"image: receipt-extractor:{PROJECT['project']['version']}" in COMPOSE


def test_both_ask_the_same_for_health() -> None:
    """Image and compose file run one command, at the port that the image sets."""
    [image] = re.findall(r"^\s+CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)
    [compose] = re.findall(r'test: \["CMD", (.+)\]$', COMPOSE, re.MULTILINE)
    assert json.loads(image) == json.loads(f"[{compose}]")
    [port] = re.findall(r"RECEIPTS_METRICS__PORT=(\d+)", DOCKERFILE)
    assert f"127.0.0.1:{port}/healthz" in image


def test_it_runs_without_rights_and_has_time_to_stop() -> None:
    """No root, and longer than a clean stop takes."""
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["10001"]
    [seconds] = re.findall(r"stop_grace_period: (\d+)s", COMPOSE)
    assert int(seconds) > STOP_SECONDS + 1


def test_the_image_is_built_from_the_lock() -> None:
    """The image has the versions that the tests ran with, installed by the same version of uv as in the Makefile."""
    [version] = re.findall(r"uv==(\S+)", DOCKERFILE)
    assert f"UV_VERSION := {version}\n" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [line for line in re.findall(r"uv sync .+", DOCKERFILE) if "--frozen" not in line] == []
    assert "pip install" not in DOCKERFILE.replace("pip install --no-cache-dir uv==", "")
