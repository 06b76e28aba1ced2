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
    assert [path.stem for path in NOTEBOOKS] == [
        "dask_distributed",
        "labels",
        "quickstart",
        "xarray_analysis",
    ]


@pytest.mark.dev
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(notebook: Path) -> None:
    cells = CELL.findall(notebook.read_text("utf-8"))
    assert cells
    ran = subprocess.run(
        # not a file: as in a notebook, worker processes have no main module to run again
        [sys.executable, "-W", "error:::dvid_array", "-c", "\n".join(cells)],
        capture_output=True,
        text=True,
        env={**os.environ, "MPLBACKEND": "Agg"},
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
