"""Faults as values: what each of the usual ones is, seen by a client that knows nothing of ours."""

from __future__ import annotations

import dataclasses
import http.client
import time
from collections.abc import Iterator

import pytest

from dvid_array.testing import Fault, FaultyProxy
from tests.conftest import Dvid

TYPES = "/api/server/compiled-types"
"""Always the same answer."""


@pytest.fixture
def path(dvid: Dvid) -> Iterator[FaultyProxy]:
    with FaultyProxy(dvid.url) as path:
        yield path


def seen(
    path: FaultyProxy, fault: Fault | None = None, timeout: float = 10.0
) -> tuple[int, str | None, bytes] | str:
    """Status, type and body of an answer that ends as it should; else what became of it."""
    if fault is not None:
        path.add(fault)
    port = int(path.url.rsplit(":", 1)[1])
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        line.request("GET", TYPES)
        with line.getresponse() as answer:
            return answer.status, answer.getheader("Content-Type"), answer.read()
    except ConnectionResetError:
        return "reset"
    except TimeoutError:
        return "silence"
    except http.client.IncompleteRead as short:
        return f"short after {len(short.partial)}"
    finally:
        line.close()


def test_no_fault_is_the_servers_own_answer(path: FaultyProxy) -> None:
    plain = seen(path)
    assert plain[0] == 200
    assert seen(path, Fault()) == plain


@pytest.mark.parametrize(
    ("fault", "status", "media", "body"),
    [
        (Fault.status(503), 503, "text/plain", b"503 Service Unavailable\n"),
        (Fault.status(418, "a teapot"), 418, "text/plain", b"a teapot"),
        (Fault.status(502, "inner", forward=True), 502, "text/plain", b"inner"),
        (Fault.page(), 200, "text/html", None),
        (Fault.page(404), 404, "text/html", None),
        (Fault.garbage(), 200, "application/json", b'{"Base": {"TypeName": nul'),
    ],
)
def test_made_up_answers(
    path: FaultyProxy, fault: Fault, status: int, media: str, body: bytes | None
) -> None:
    found = seen(path, fault)
    assert found[:2] == (status, media)
    assert found[2] == body if body is not None else b"<html>" in found[2]  # type: ignore[operator]
    assert seen(path)[:1] == (200,)


def test_changed_bodies(path: FaultyProxy) -> None:
    status, media, whole = seen(path)
    assert isinstance(whole, bytes)
    assert seen(path, Fault.cut(7, clean=True)) == (status, media, whole[:7])
    assert seen(path, Fault.cut(-7, clean=True)) == (status, media, whole[:-7])
    assert seen(path, Fault.appended("ERROR: gone")) == (status, media, whole + b"ERROR: gone")
    assert seen(path, Fault.appended("ERROR", keep=5)) == (status, media, whole[:5] + b"ERROR")
    assert seen(path, Fault(rate=1e7)) == (status, media, whole)


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        (Fault.cut(7, clean=False), "short after 7"),
        (Fault.lost(forward=True), "reset"),
        (Fault.lost(forward=False), "reset"),
        (Fault.broken(), "reset"),
        (Fault.broken(7), "reset"),
        (Fault.stall(), "silence"),
        (Fault.stall(forward=False), "silence"),
        (Fault.stall(keep=7), "silence"),
        (Fault.latency(30), "silence"),
        (Fault(hold=30), "silence"),
    ],
)
def test_what_becomes_of_a_line(path: FaultyProxy, fault: Fault, what: str) -> None:
    assert seen(path, fault, timeout=0.2 if what == "silence" else 10.0) == what
    assert seen(path)[0] == 200


def test_latency(path: FaultyProxy) -> None:
    plain = seen(path)
    began = time.perf_counter()
    assert seen(path, Fault.latency(0.1)) == plain
    assert time.perf_counter() - began >= 0.1


@pytest.mark.parametrize(
    ("fault", "arrives"),
    [
        (Fault.lost(forward=True), True),
        (Fault.lost(forward=False), False),
        (Fault.stall(), True),
        (Fault.stall(forward=False), False),
        (Fault.status(503), False),
        (Fault.status(503, forward=True), True),
        (Fault.page(), False),
        (Fault.garbage(), False),
    ],
)
def test_whether_the_server_gets_the_request(
    dvid: Dvid, path: FaultyProxy, fault: Fault, arrives: bool
) -> None:
    with FaultyProxy(path.url) as before:
        before.add(fault)
        seen(before, timeout=1.0 if fault.end == "stall" else 10.0)
    assert len(path.requests) == arrives


def test_faults_are_values() -> None:
    assert Fault.status(503) == Fault.status(503)
    assert len({Fault(), Fault.latency(0), Fault.stall()}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        Fault().hold = 1.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        Fault(5.0)  # type: ignore[misc]
    with pytest.raises(ValueError, match="999"):
        Fault.status(999)
