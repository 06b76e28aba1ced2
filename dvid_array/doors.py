"""The one way from the public objects up to the adapters: `door(name)`, inside the call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


def door(name: str) -> Any:
    """The adapter of a library, imported now.

    Raises
    ------
    ImportError
        Where the library is not installed, with the command that installs it.
    """
    with needing(name.split(".")[0]):
        return import_module(f"dvid_array.adapters.{name}")


@contextmanager
def needing(extra: str) -> Iterator[None]:
    """Imports of libraries that come with an extra; one that is missing is told with the command.

    Raises
    ------
    ImportError
        As above.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        raise ImportError(
            f"this needs {missing.name}: pip install 'dvid_array[{extra}]'", name=missing.name
        ) from missing
