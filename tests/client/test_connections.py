"""Sessions: a caller's own, ours, and what the environment may say about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

import dvid_array
from dvid_array import Settings
from dvid_array.client import connections, registry
from dvid_array.client.registry import Credentials
from dvid_array.testing import Fault, FaultyProxy
from tests.conftest import Dvid, Sent

FAR = "http://dvid.example:8000"
"""A server on no machine: only what is not sent there can be seen."""
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")

pytestmark = pytest.mark.usefixtures("_fresh_process_state")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, *map(str.lower, VARIABLES), *connections.CA_VARIABLES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def path(dvid: Dvid) -> Iterator[FaultyProxy]:
    with FaultyProxy(dvid.url) as path:
        yield path


@pytest.fixture
def proxy(dvid: Dvid) -> Iterator[FaultyProxy]:
    """Takes what is sent by way of it, and hands on nothing."""
    with FaultyProxy(dvid.url) as proxy:
        answer = b'{"DVID Version": "far away"}'
        proxy.add(Fault(forward=False, media="application/json", tail=answer), times=-1)
        yield proxy


# A caller's own session.


def test_a_session_of_the_callers_own_is_used_as_it_is(path: FaultyProxy, sent: list[Sent]) -> None:
    own = requests.Session()
    own.headers["X-Mine"] = "yes"
    own.auth = ("me", "my password")
    own.params = {"mine": "1"}
    before = {name: repr(getattr(own, name)) for name in requests.Session.__attrs__}
    adapters = dict(own.adapters)
    server = dvid_array.connect(path.url, session=own)
    assert server.info()["DVID Version"]
    assert server.types()
    for request in path.requests:
        assert request.headers["X-Mine"] == "yes"
        assert request.headers["Authorization"].startswith("Basic ")
        assert "mine=1" in request.query
    assert path.connections == 1
    assert not sent  # its connections are its own too
    assert dict(own.adapters) == adapters
    assert {name: repr(getattr(own, name)) for name in requests.Session.__attrs__} == before


def test_a_session_is_of_one_origin_and_of_all_settings(dvid: Dvid) -> None:
    own = requests.Session()
    dvid_array.connect(FAR, session=own)
    for settings in (Settings(), Settings(threads=3, tls_verify=False)):
        assert connections.session(FAR, settings) is own
        assert connections.session(dvid.url, settings) is not own


def test_introducing_again_forgets_nothing() -> None:
    own = requests.Session()
    connections.introduce(FAR, own, Credentials("token", "admin", "me", "mine"))
    connections.introduce(FAR, None, Credentials(user="you"))
    known = registry.state().origins.get(FAR, registry.Origin)
    assert known.session is own
    assert known.credentials == Credentials("token", "admin", "you", "mine")


# Ours.


def test_a_session_is_shared_by_those_who_need_the_same() -> None:
    plain = Settings()
    made = connections.session(FAR, plain)
    same = replace(plain, read_timeout=1.0, retry_deadline=0.0, cache_bytes=9, max_bytes=9)
    assert connections.session(FAR, same) is made
    for change in (
        {"threads": plain.threads + 1},
        {"tls_verify": False},
        {"ca_bundle": "mine.pem"},
        {"post_timeout": 1.0},
    ):
        assert connections.session(FAR, replace(plain, **change)) is not made
    assert connections.session(FAR + "1", plain) is not made


@pytest.mark.parametrize("threads", [1, 8, 100])
def test_each_thread_has_room_in_the_pool(threads: int) -> None:
    session = connections.session(FAR, Settings(threads=threads))
    for scheme in ("http", "https"):
        adapter: Any = session.get_adapter(f"{scheme}://dvid.example")
        assert adapter._pool_maxsize >= threads
        assert adapter.max_retries.total == 0  # tries are counted elsewhere


def test_netrc_is_ignored(
    path: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By ours; a session of the caller's own does as requests does."""
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login me password secret\n", "utf-8")
    monkeypatch.setenv("NETRC", str(file))
    dvid_array.connect(path.url).info()
    assert "Authorization" not in path.requests[-1].headers
    dvid_array.connect(path.url, token="mine").types()
    assert path.requests[-1].headers["Authorization"] == "Bearer mine"
    dvid_array.connect(path.url, session=requests.Session()).info()
    assert path.requests[-1].headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_proxies_are_used(
    proxy: FaultyProxy, sent: list[Sent], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """With connections of our own, which can be cut."""
    monkeypatch.setenv(name, proxy.url)
    assert dvid_array.connect(FAR).info() == {"DVID Version": "far away"}
    assert [one.path for one in proxy.requests] == [f"{FAR}/api/server/info"]
    assert len(sent) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_proxy_stands_before_this_machine(
    dvid: Dvid, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    server = dvid_array.connect(dvid.url.replace("127.0.0.1", host))
    assert server.info()["DVID Version"] != "far away"
    assert not proxy.requests


def test_some_hosts_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "other.example,dvid.example")
    assert not connections.session(FAR, Settings()).proxies
    assert connections.session("http://third.example", Settings()).proxies


@pytest.mark.parametrize(
    ("said", "settings", "verify"),
    [
        ({}, {}, True),
        ({"REQUESTS_CA_BUNDLE": "r.pem", "CURL_CA_BUNDLE": "c.pem"}, {}, "r.pem"),
        ({"CURL_CA_BUNDLE": "c.pem"}, {}, "c.pem"),
        ({"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "c.pem"}, {}, "c.pem"),
        ({"REQUESTS_CA_BUNDLE": "r.pem"}, {"ca_bundle": "mine.pem"}, "mine.pem"),
        ({"REQUESTS_CA_BUNDLE": "r.pem"}, {"tls_verify": False}, False),
        ({}, {"tls_verify": False, "ca_bundle": "mine.pem"}, False),
    ],
)
def test_certificates_to_trust(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str], settings: dict[str, Any], verify: Any
) -> None:
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert connections.session("https://dvid.example", Settings(**settings)).verify == verify
