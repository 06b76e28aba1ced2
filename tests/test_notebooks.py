"""The notebooks run from top to bottom; the docs build runs them too, and shows what they print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.md"))
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_there_are_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["quickstart"]


@pytest.mark.dev
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(notebook: Path, tmp_path: Path) -> None:
    cells = CELL.findall(notebook.read_text("utf-8"))
    assert cells
    script = tmp_path / f"{notebook.stem}.py"
    script.write_text("\n".join(cells), "utf-8")
    ran = subprocess.run(
        [sys.executable, "-W", "error:::dvid_array", str(script)],
        capture_output=True,
        text=True,
        env={**os.environ, "MPLBACKEND": "Agg"},
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
