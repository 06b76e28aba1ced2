"""One development server for all replays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dvid_array.devserver import DevServer


@pytest.fixture(scope="session")
def replay_server() -> Iterator[DevServer]:
    """A development server."""
    with DevServer() as server:
        yield server
