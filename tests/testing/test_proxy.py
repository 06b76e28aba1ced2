"""The faulty path: what it does to a connection, seen by a client that knows nothing of ours."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from dvid_array.testing import Fault, FaultyProxy
from tests.conftest import Dvid

INFO = "/api/server/info"


@pytest.fixture
def path(dvid: Dvid) -> Iterator[FaultyProxy]:
    with FaultyProxy(dvid.url) as proxy:
        yield proxy


def port(proxy: FaultyProxy) -> int:
    return int(proxy.url.rsplit(":", 1)[1])


def asked(proxy: FaultyProxy, method: str = "GET", **options: Any) -> tuple[int, str | None, bytes]:
    """Status, content type and body."""
    line = http.client.HTTPConnection("127.0.0.1", port(proxy), timeout=5)
    try:
        line.request(method, INFO, **options)
        with line.getresponse() as answer:
            return answer.status, answer.getheader("Content-Type"), answer.read()
    finally:
        line.close()


def test_without_a_plan_everything_passes(path: FaultyProxy, dvid: Dvid) -> None:
    status, _, body = asked(path)
    assert (status, b"DVID Version" in body) == (200, True)
    assert [(one.number, one.method, one.path) for one in path.requests] == [(0, "GET", INFO)]
    assert path.connections == 1


def test_a_connection_serves_many_requests(path: FaultyProxy) -> None:
    line = http.client.HTTPConnection("127.0.0.1", port(path), timeout=5)
    for _ in range(5):
        line.request("GET", INFO)
        assert b"DVID Version" in line.getresponse().read()
    line.close()
    assert (len(path.requests), path.connections) == (5, 1)


def test_faults_happen_to_the_requests_they_are_planned_for(path: FaultyProxy) -> None:
    path.add(Fault.status(503), when=lambda request: request.method == "GET", skip=1, times=2)
    path.add(Fault.status(504), skip=2)
    assert [asked(path)[0] for _ in range(6)] == [200, 503, 503, 200, 504, 200]
    path.add(Fault.status(502), times=-1)
    assert asked(path)[0] == 502
    path.clear()
    assert asked(path)[0] == 200


def test_who_decides_may_change_the_plan(path: FaultyProxy) -> None:
    def decide(_: Any) -> bool:
        path.clear()
        path.add(Fault.status(418), when=lambda one: one.number == 2)
        return True

    path.add(Fault.status(503), when=decide, times=-1)
    assert [asked(path)[0] for _ in range(4)] == [503, 200, 418, 200]


def test_latency(path: FaultyProxy) -> None:
    path.add(Fault.latency(0.3))
    start = time.monotonic()
    assert asked(path)[0] == 200
    assert time.monotonic() - start >= 0.3


def test_a_slow_line(path: FaultyProxy) -> None:
    path.add(Fault(keep=0, tail=bytes(200_000), rate=500_000))
    start = time.monotonic()
    assert len(asked(path)[2]) == 200_000
    assert time.monotonic() - start >= 0.3


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.lost(forward=True), ConnectionResetError),
        (Fault.lost(forward=False), ConnectionResetError),
        (Fault.broken(), ConnectionResetError),
        (Fault.cut(10, clean=False), http.client.IncompleteRead),
    ],
    ids=["lost", "unsent", "broken", "cut"],
)
def test_lines_that_break(path: FaultyProxy, fault: Fault, error: type[Exception]) -> None:
    path.add(fault)
    with pytest.raises(error):
        asked(path)
    assert asked(path)[0] == 200


def test_a_clean_cut_looks_whole(path: FaultyProxy) -> None:
    whole = asked(path)[2]
    path.add(Fault.cut(10, clean=True))
    path.add(Fault.appended(" and more"))
    assert asked(path)[2] == whole[:10]
    assert asked(path)[2].endswith(b" and more")


def test_made_up_answers(path: FaultyProxy) -> None:
    path.add(Fault.page())
    path.add(Fault.garbage())
    path.add(Fault.status(429, "go away"))
    assert asked(path)[:2] == (200, "text/html")
    assert asked(path)[2].startswith(b'{"Base"')
    assert asked(path) == (429, "text/plain", b"go away")


def test_a_stall_lasts_as_long_as_the_client(path: FaultyProxy) -> None:
    path.add(Fault.stall(), times=2)
    line = socket.create_connection(("127.0.0.1", port(path)))
    line.sendall(b"GET / HTTP/1.1\r\n\r\n")
    line.settimeout(0.2)
    with pytest.raises(TimeoutError):
        line.recv(1)
    line.close()
    end = time.monotonic() + 2
    while time.monotonic() < end and serving():
        time.sleep(0.01)
    assert not serving()


def serving() -> int:
    """Threads of proxies, without those that accept."""
    return sum(thread.name == "faulty proxy" for thread in threading.enumerate()) - 1


def test_refusing(path: FaultyProxy) -> None:
    line = http.client.HTTPConnection("127.0.0.1", port(path), timeout=5)
    line.request("GET", INFO)
    line.getresponse().read()
    with path.refusing():
        with pytest.raises(ConnectionRefusedError):
            asked(path)
        assert line.sock is not None
        assert line.sock.recv(1) == b""
    line.close()
    assert asked(path)[0] == 200


def open_sockets(process: psutil.Process) -> list[Any]:
    return [one for one in process.net_connections() if one.status != psutil.CONN_TIME_WAIT]


def test_nothing_is_left_over(dvid: Dvid) -> None:
    process = psutil.Process()
    threads, sockets = threading.active_count(), len(process.net_connections())
    with FaultyProxy(dvid.url) as proxy:
        proxy.add(Fault.stall(), skip=3)
        for _ in range(3):
            asked(proxy)
        line = http.client.HTTPConnection("127.0.0.1", port(proxy), timeout=5)
        line.request("GET", INFO)  # stalls
        while len(proxy.requests) < 4:
            time.sleep(0.01)
    line.close()
    assert threading.active_count() <= threads
    end = time.monotonic() + 5  # the server behind it closes its own a little later
    while len(open_sockets(process)) > sockets and time.monotonic() < end:
        time.sleep(0.02)
    assert len(open_sockets(process)) <= sockets
