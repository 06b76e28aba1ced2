"""The README keeps its word: its Python runs, its commands stand on one line, its links lead on."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [code for language, code in FENCE.findall(README) if language == "python"]
COMMANDS = [code for language, code in FENCE.findall(README) if language == "sh"]


@pytest.mark.dev
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_its_python_runs(number: int) -> None:
    command = [sys.executable, "-W", "error:::dvid_array", "-c", BLOCKS[number]]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr


def test_ten_lines_are_ten_lines() -> None:
    (block,) = BLOCKS
    assert len([line for line in block.splitlines() if line]) <= 10


def test_two_commands_of_one_line_each() -> None:
    assert len(COMMANDS) == 2
    for command in COMMANDS:
        assert command.count("\n") == 1
        assert command.startswith("python3 -m venv .venv/")
    assert COMMANDS[0].rstrip().endswith("dvid-array demo")
    assert COMMANDS[1].rstrip().endswith("-m pytest")


def test_ci_runs_the_line_of_the_readme() -> None:
    marker = "Run the tests:\n\n```sh\n"
    assert README.count(marker) == 1
    assert README.split(marker)[1].startswith(COMMANDS[1])
    assert "/^Run the tests:/" in (ROOT / ".ci" / "run").read_text("utf-8")


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md"])
def test_links_lead_somewhere(document: str) -> None:
    for path in ROOT.glob(document):
        text = FENCE.sub("", path.read_text("utf-8"))
        targets = re.findall(r"\]\(([^)#\s]+)[^)\s]*\)", text)
        for target in (target for target in targets if "://" not in target):
            assert _found(path.parent, target), f"{path.name} -> {target}"


def _found(folder: Path, target: str) -> bool:
    """Notebooks are copied below `docs/generated` when the docs are built."""
    if target.startswith("generated/"):
        return (ROOT / "notebooks" / Path(target).name).exists() or "api" in target
    return (folder / target).exists()
