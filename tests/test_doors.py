"""The way up to the adapters: imported when it is used, and named where it is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dvid_array.doors import door


def test_an_adapter_is_imported_by_its_name() -> None:
    assert door("dask").__name__ == "dvid_array.adapters.dask"


def test_a_missing_library_is_named_with_its_command() -> None:
    """In a process that has no dask."""
    code = (
        "import sys; sys.modules['dask'] = None\n"
        "from dvid_array.doors import door\n"
        "try: door('dask')\n"
        "except ImportError as missing: print(missing)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'dvid_array[dask]'" in run.stdout


@pytest.mark.parametrize(
    ("extra", "library", "use"),
    [
        ("server", "starlette", "dvid_array.serve()"),
        ("progress", "tqdm", "progress.told(True, 9, 'bytes').__enter__()"),
    ],
)
def test_other_extras_are_named_too(extra: str, library: str, use: str) -> None:
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "import dvid_array\n"
        "from dvid_array import progress\n"
        f"try: {use}\n"
        "except ImportError as missing: print(missing)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"pip install 'dvid_array[{extra}]'" in run.stdout


def test_a_door_that_is_not_there() -> None:
    with pytest.raises(ImportError):
        door("nonsense")
