"""The server under test, as code written for pydvid sees it."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from tests.conftest import Dvid


@pytest.fixture
def connection(dvid: Dvid) -> Iterator[HTTPConnection]:
    """A connection that is never used: the package makes its own."""
    made = HTTPConnection(urlsplit(dvid.url).netloc, timeout=5.0)
    yield made
    assert made.sock is None
