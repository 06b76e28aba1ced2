"""What passes for a connection, and what its timeout means."""

from __future__ import annotations

import socket
import time
from http.client import HTTPConnection, HTTPSConnection
from types import SimpleNamespace
from typing import Any

import pytest

from dvid_array import DvidConnectionError, DvidTimeoutError, Settings
from dvid_array.pydvid import general
from dvid_array.pydvid.connection import server
from tests.conftest import Dvid


@pytest.mark.parametrize(
    ("connection", "url"),
    [
        (HTTPConnection("localhost:8000", timeout=5.0), "http://localhost:8000"),
        (HTTPConnection("localhost", 8000), "http://localhost:8000"),
        (HTTPConnection("example.org"), "http://example.org:80"),
        (HTTPConnection("[::1]:8000"), "http://[::1]:8000"),
        (HTTPSConnection("example.org"), "https://example.org:443"),
        (HTTPSConnection("example.org:8443", timeout=3), "https://example.org:8443"),
        (SimpleNamespace(host="emdata1", port=7000), "http://emdata1:7000"),
        ("localhost:8000", "http://localhost:8000"),
        ("https://example.org", "https://example.org"),
    ],
)
def test_where_it_leads(connection: Any, url: str) -> None:
    assert server(connection).url == url


@pytest.mark.parametrize(
    ("connection", "seconds"),
    [
        (HTTPConnection("localhost:8000"), Settings().connect_timeout),
        (HTTPConnection("localhost:8000", timeout=None), Settings().connect_timeout),
        (HTTPConnection("localhost:8000", timeout=0.5), 0.5),
        (HTTPSConnection("localhost:8000", timeout=7), 7.0),
    ],
)
def test_its_timeout_bounds_connecting_only(connection: HTTPConnection, seconds: float) -> None:
    settings = server(connection)._transport.settings
    assert settings.connect_timeout == seconds
    assert settings.read_timeout == Settings().read_timeout


@pytest.mark.parametrize("nonsense", [None, 8000, object(), SimpleNamespace(host="x", port="y")])
def test_what_is_no_connection(nonsense: Any) -> None:
    with pytest.raises(TypeError, match="HTTPConnection, a URL or 'host:port'"):
        server(nonsense)


def test_an_address_is_a_connection_too(dvid: Dvid) -> None:
    assert general.get_server_info(dvid.url)["DVID Version"]


def test_a_server_that_takes_no_connection_is_given_up_in_time() -> None:
    """A full backlog: the handshake never ends."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        try:
            for one in waiting:
                one.settimeout(0)
                one.connect_ex(address)
            start = time.monotonic()
            with pytest.raises((DvidTimeoutError, DvidConnectionError)):
                general.get_server_info(HTTPConnection(*address, timeout=0.3))
            assert time.monotonic() - start < 15
        finally:
            for one in waiting:
                one.close()
