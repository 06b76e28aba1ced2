"""The one way from the public objects up to the adapters: `door(name)`, inside the call."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def door(name: str) -> Any:
    """The adapter of a library, imported now.

    Raises
    ------
    ImportError
        Where the library is not installed, with the command that installs it.
    """
    try:
        return import_module(f"dvid_array.adapters.{name}")
    except ModuleNotFoundError as missing:
        raise ImportError(
            f"this needs {missing.name}: pip install 'dvid_array[{name.split('.')[0]}]'",
            name=missing.name,
        ) from missing
