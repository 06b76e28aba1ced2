"""The docs say what the code says: the error tree, the settings, the modules of the house."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

import dvid_array
from dvid_array import errors

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dvid_array"
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
ERRORS = (ROOT / "docs" / "errors.md").read_text("utf-8")
API = (ROOT / "docs" / "api.md").read_text("utf-8")


def test_the_tree_of_errors_is_that_of_the_code() -> None:
    assert errors.__doc__
    tree = re.findall(r"^ {4}(\S.*|[│├└].*)$", errors.__doc__, re.MULTILINE)
    assert "\n".join(tree) in ERRORS


def test_the_defaults_of_timeouts_are_those_of_the_code() -> None:
    defaults = {field.name: field.default for field in fields(dvid_array.Settings)}
    told = re.findall(r"^\| `(\w+)` \| ([\d.]+) s \|", ERRORS, re.MULTILINE)
    assert len(told) == 6
    assert {name: float(value) for name, value in told} == {
        name: defaults[name] for name, _ in told
    }


def test_the_api_page_has_every_public_name() -> None:
    shown = re.findall(r"^\.\. auto\w+:: (\w+)$", API, re.MULTILINE)
    assert sorted(shown) == dvid_array.__all__


@pytest.mark.parametrize(
    "module",
    [path for room in (".", "client") for path in sorted((PACKAGE / room).glob("[a-z]*.py"))],
    ids=lambda path: str(path.relative_to(PACKAGE).with_suffix("")),
)
def test_the_architecture_names_every_module_of_the_client(module: Path) -> None:
    name = ".".join(module.relative_to(PACKAGE).with_suffix("").parts)
    assert f"`{name}`" in ARCHITECTURE


def test_the_architecture_names_no_module_that_is_not() -> None:
    rooms = "|".join(path.name for path in PACKAGE.iterdir() if path.is_dir())
    for room, name in re.findall(rf"`({rooms})\.(\w+)`", ARCHITECTURE):
        place = PACKAGE / room / name
        assert place.with_suffix(".py").exists() or place.is_dir(), f"{room}.{name}"


def test_the_citation_is_of_this_version() -> None:
    told = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {dvid_array.__version__}\n" in told
