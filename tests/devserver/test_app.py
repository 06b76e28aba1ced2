"""Requests that no client of good will sends, and limits."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from dvid_array.devserver import DevServer
from dvid_array.devserver.journal import Request
from tests.devserver.conftest import Asker, noise

pytestmark = pytest.mark.dev


# --- hosts, sizes, throttle ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1:1", "[::1]:8000", "[::1]"]
)
def test_loopback_names_are_answered(asker: Asker, host: str) -> None:
    assert asker.ask("GET", "/api/heartbeat", Host=host).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:80", "", "localhost.", "::"]
)
def test_other_names_are_not(asker: Asker, host: str) -> None:
    """A page may point its own name at this machine, and so reach us from a browser."""
    answer = asker.ask("GET", "/api/heartbeat", Host=host)
    assert answer.status == 400
    assert "answers to 127.0.0.1, ::1, localhost only" in answer.text


def test_a_request_without_a_host(asker: Asker) -> None:
    assert asker.raw(b"GET /api/heartbeat HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_no_page_may_read_from_another(asker: Asker) -> None:
    headers = asker.ask("GET", "/api/server/info", Origin="http://evil.example").headers
    assert not [name for name in headers if name.startswith("access-control")]


def test_urls_of_a_megabyte(asker: Asker) -> None:
    where = asker.instance(asker.repo())
    assert asker.post(f"{where}/raw/0_1_2/16_16_16/0_0_0", b"\1" * 4096).status == 200
    blocks = ",".join(["0,0,0"] + ["7,7,7"] * 174_000)
    assert 1_040_000 < len(blocks) < 1_048_576
    found = asker.get(f"{where}/specificblocks?blocks={blocks}&compression=uncompressed")
    assert (found.status, len(found.body)) == (200, 16 + 4096)
    longer = asker.raw(b"GET /api/x?" + b"y" * 1_100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert longer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert longer.endswith(b"\r\n\r\n431 Request Header Fields Too Large")


def test_bodies_are_limited() -> None:
    with DevServer(max_body=100_000) as server:
        asker = Asker(server.url, server.admin_token)
        where = asker.instance(asker.repo())
        box = f"/api/{where}/raw/0_1_2/64_64_64/0_0_0"
        announced = asker.ask("POST", box, noise((64, 64, 64)).tobytes())
        assert announced.status == 413
        assert "limited to 100000 bytes" in announced.text
        chunked = asker.ask("POST", box, iter([bytes(50_000)] * 5))
        assert chunked.status == 413
        assert (
            asker.ask("POST", f"/api/{where}/raw/0_1_2/16_16_16/0_0_0", bytes(4096)).status == 200
        )


def test_a_read_only_server(tmp_path: Path) -> None:
    with DevServer(tmp_path / "store.sqlite") as server:
        asker = Asker(server.url, server.admin_token)
        uuid = asker.repo()
        where = asker.instance(uuid)
    with DevServer(tmp_path / "store.sqlite", read_only=True) as server:
        asker = Asker(server.url, server.admin_token)
        assert asker.get("server/info").json()["Mode"] == "read only"
        assert asker.get(f"{where}/info").status == 200
        told = "Server in read-only mode and will only accept GET and HEAD requestcs"
        for path in (
            f"{where}/raw/0_1_2/16_16_16/0_0_0",
            f"node/{uuid}/commit",
            f"repo/{uuid}/log",
        ):
            assert asker.post(path, b"{}").text.startswith(told)
        assert "admin privileges" in asker.post(f"repos?admintoken={asker.token}", {}).text
        posted = asker.post(f"node/{uuid}/note?admintoken={asker.token}", {"note": "by the admin"})
        assert posted.status == 200


def test_a_chunked_body(asker: Asker) -> None:
    where = asker.instance(asker.repo())
    body = noise((32, 32, 32)).tobytes()
    parts = (body[start : start + 1000] for start in range(0, len(body), 1000))
    box = f"/api/{where}/raw/0_1_2/32_32_32/0_0_0"
    assert asker.ask("POST", box, parts).status == 200
    assert asker.ask("GET", box).body == body


def test_surplus_bytes_cost_no_memory(asker: Asker) -> None:
    where = asker.instance(asker.repo())
    process = psutil.Process()
    before = process.memory_info().rss
    surplus = (bytes(1 << 20) for _ in range(300))
    answer = asker.ask("POST", f"/api/{where}/raw/0_1_2/16_16_16/0_0_0", surplus)
    assert answer.text.startswith(f"voxels data was {300 << 20} bytes, expected 4096 bytes")
    assert process.memory_info().rss - before < 100 << 20


@contextmanager
def unread(asker: Asker, path: str) -> Iterator[socket.socket]:
    """A request whose answer is too long to be sent before it is read."""
    with socket.create_connection(asker.address) as line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert line.recv(1)
        yield line


def test_the_throttle(dev: DevServer, asker: Asker) -> None:
    where = asker.instance(asker.repo())
    slow = f"/api/{where}/raw/0_1_2/512_512_512/0_0_0?throttle=on"
    quick = f"{where}/raw/0_1_2/4_4_4/0_0_0?throttle="
    with unread(asker, slow):
        for word in ("on", "true"):
            refused = asker.get(quick + word)
            assert refused.status == 503
            told = "Server already running 1 throttled operations (max = 1)\n\n"
            assert refused.text == told
            assert refused.headers["content-length"] == "57"
            assert "retry-after" not in refused.headers
        assert asker.get(quick + "off").status == 200
    # The slot is free again once the client is gone.
    for _ in range(100):
        if asker.get(quick + "on").status == 200:
            break
        time.sleep(0.05)
    else:
        pytest.fail("the slot was never given back")
    # One after another they never meet, refused ones neither.
    for _ in range(50):
        assert asker.get(f"{where}/subvolblocks/15_16_16/0_0_0?throttle=on").status == 400
        assert asker.get(quick + "on").status == 200
        assert asker.get(f"{where}/raw/0_1_2/64_64_64/0_0_0?throttle=on").status == 200


def test_clients_that_leave(dev: DevServer, asker: Asker) -> None:
    """What nobody reads any more is not made to its end."""
    where = asker.instance(asker.repo())
    for _ in range(5):
        with unread(asker, f"/api/{where}/raw/0_1_2/1024_1024_2048/0_0_0"):
            pass
    for _ in range(100):
        left = [request for request in dev.requests if request.status == 499]
        if len(left) == 5:
            break
        time.sleep(0.05)
    assert len(left) == 5
    assert max(request.bytes_out for request in left) < 1 << 30
    assert asker.get("heartbeat").status == 200


def test_memory_of_long_answers(asker: Asker) -> None:
    """A box is sent layer by layer."""
    where = asker.instance(asker.repo())
    process = psutil.Process()
    before, peak = process.memory_info().rss, 0
    with socket.create_connection(asker.address) as line:
        path = f"/api/{where}/raw/0_1_2/512_512_2048/0_0_0"
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        received = 0
        while received < 512 * 512 * 2048:
            received += len(line.recv(1 << 20))
            peak = max(peak, process.memory_info().rss)
    assert peak - before < 64 << 20


def test_ranges_and_encodings_are_ignored(asker: Asker) -> None:
    where = asker.instance(asker.repo())
    path = f"/api/{where}/raw/0_1_2/16_16_16/0_0_0"
    headers = {"Range": "bytes=0-9", "Accept-Encoding": "gzip", "If-None-Match": "*"}
    answer = asker.ask("GET", path, **headers)
    assert (answer.status, len(answer.body)) == (200, 4096)
    assert not {"content-encoding", "content-length", "etag", "server"} & {*answer.headers}
    assert answer.headers["transfer-encoding"] == "chunked"
    # What a request says about its body's encoding is ignored as well.
    body = noise((16, 16, 16)).tobytes()
    assert asker.ask("POST", path, body, **{"Content-Encoding": "gzip"}).status == 200
    assert asker.ask("GET", path).body == body


def test_expect_continue(asker: Asker) -> None:
    where = asker.instance(asker.repo())
    head = (
        f"POST /api/{where}/raw/0_1_2/16_16_16/0_0_0 HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Length: 4096\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(asker.address, timeout=10) as line:
        line.sendall(head.encode())
        assert line.recv(1000).startswith(b"HTTP/1.1 100 ")
        line.sendall(bytes(4096))
        assert b"HTTP/1.1 200 OK" in line.recv(1000)


def test_a_refusal_before_the_body_keeps_the_connection(asker: Asker) -> None:
    """A post to a committed version is refused unread; the same connection then goes on."""
    uuid = asker.repo()
    where = asker.instance(uuid)
    asker.commit(uuid)
    size = 4 << 20
    post = (
        f"POST /api/{where}/raw/0_1_2/16_16_16/0_0_0 HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Length: {size}\r\n\r\n"
    )
    with socket.create_connection(asker.address, timeout=10) as line:
        line.sendall(post.encode() + bytes(size))
        assert b"of locked node" in line.recv(65536)
        line.sendall(b"GET /api/heartbeat HTTP/1.1\r\nHost: localhost\r\n\r\n")
        came = b""
        while not came.endswith(b"OK"):
            came += line.recv(65536)


# --- garbage -------------------------------------------------------------------------------------

GARBAGE = {
    "nothing": b"",
    "newlines": b"\r\n" * 50,
    "noise": bytes(range(256)) * 20,
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "no version": b"GET /api/heartbeat\r\n\r\n",
    "http 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "bad method": b"G\x00T /api/heartbeat HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "long method": b"G" * 100_000 + b" / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "spaces in the path": b"GET /api/heart beat HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "header without a colon": b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
    "folded header": b"GET / HTTP/1.1\r\nHost: localhost\r\n  more\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "many headers": b"GET /api/heartbeat HTTP/1.1\r\nHost: localhost\r\n"
    + b"".join(b"X-%d: y\r\n" % number for number in range(20_000))
    + b"\r\n",
    "endless header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 1_200_000,
    "two lengths": b"POST /api/repos HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "negative length": b"POST /api/repos HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    "length is no number": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
    "huge length": b"POST /api/repos?admintoken=%s HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Length: 99999999999999\r\n\r\n{}",
    "bad chunk": b"POST /api/repos?admintoken=%s HTTP/1.1\r\nHost: localhost\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\nfoo\r\n",
    "cut chunk": b"POST /api/repos?admintoken=%s HTTP/1.1\r\nHost: localhost\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nff\r\nfoo",
    "short body": b"POST /api/repos?admintoken=%s HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Length: 100\r\n\r\n{}",
    "smuggled": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/load HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_harms_nobody(dev: DevServer, asker: Asker, name: str) -> None:
    sent = GARBAGE[name].replace(b"%s", dev.admin_token.encode())
    came = asker.raw(sent, seconds=3, half_close=True)
    assert not came or came.startswith(b"HTTP/1.1 ")
    assert b"Traceback" not in came
    assert asker.get("heartbeat").body == b"OK"
    assert all(request.status < 500 for request in dev.requests)


PATHS = (
    "/",
    "//",
    "/.",
    "/..",
    "/../../etc/passwd",
    "/api/../../etc/passwd",
    "/api/%2e%2e/%2e%2e/etc/passwd",
    "/api/node/%00/x/info",
    "/api/node/%ff%fe/x/info",
    "/api/node/" + "a" * 50_000 + "/x/info",
    "/api/node/'%20OR%201=1--/gray/info",
    "/api/repo/%27;DROP%20TABLE%20repos;/info",
    "/api/node/*/gray/info",
    "/api/node/%25/gray/info",
    "/api/node/:master/gray/info",
    "/api/node/:/note",
    "/api/node/::/note",
    "/api/node/~1/note",
    "/api/node/{uuid}/%27%22/info",
    "/api/node/{uuid}/gray/raw/0_1_2/9e9_1_1/0_0_0",
    "/api/node/{uuid}/gray/raw/0_1_2/1_1_1/" + "9" * 10_000 + "_0_0",
    "/api/node/{uuid}/gray/raw/0_1_2/٣_1_1/0_0_0",
    "/api/node/{uuid}/gray/subvolblocks/2147483632_2147483632_2147483632/-2147483648_0_0",
    "/api/node/{uuid}/gray/blocks/2147483647_0_0/2",
    "/api/node/{uuid}/gray/specificblocks?blocks=" + "-9223372036854775808," * 2 + "1",
    "/api/node/{uuid}/gray/specificblocks?blocks=1,2,3&blocks=x",
    "/api/node/{uuid}/gray/raw/0_1_2/1_1_1/0_0_0?%zz=%&&&=;;=",
    "/api/node/{uuid}/gray/raw/xy/1_1/0_0_0/png:99999999999999999999",
    "/api/node/{uuid}/gray/raw/xy/1_1/0_0_0/jpg:-5",
    "/api/node/{uuid}/gray/raw/xy/-3_-3/0_0_0",
    "/api/node/{uuid}/gray/isotropic/xy/1_1/0_0_0",
    "/api/node/{uuid}/seg/raw/xy/-3_-3/0_0_0",
    "/api/node/{uuid}/seg/raw/0_1_2/-4_-4_4/0_0_0?compression=lz4",
    "/api/node/{uuid}/seg/raw/0_1_2/2_2_2/0_0_0?scale=-1",
    "/api/node/{uuid}/seg/blocks/16_16_16/0_0_0?scale=99999999999999999999",
    "/api/repo/{uuid}/branch-versions/%00",
)


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
def test_path_tricks(dev: DevServer, asker: Asker, path: str) -> None:
    uuid = asker.repo()
    asker.instance(uuid)
    asker.instance(uuid, "seg", "labelmap")
    target = path.replace("{uuid}", uuid).encode()
    for method in (b"GET", b"HEAD", b"POST", b"DELETE"):
        line = method + b" " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        came = asker.raw(line)
        status = int(came[9:12])
        assert status < 500 or b"DVID" not in came
        assert status in (200, 307, 400, 404, 500)
        assert b"root:" not in came
    assert asker.get(f"repo/{uuid}/info").status == 200


def test_random_requests(dev: DevServer, asker: Asker) -> None:
    """Words of the API in any order: no fault of ours comes out, only refusals and answers."""
    uuid = asker.repo()
    asker.instance(uuid)
    asker.instance(uuid, "seg", "labelmap", MaxDownresLevel="1")
    rng = random.Random(11)
    words = (
        *("api", "node", "repo", "repos", uuid, uuid[:3], "gray", "seg", "raw", "isotropic"),
        *("0_1_2", "xy", "16_16_16", "0_0_0", "-16_0_16", "4_4", "blocks", "specificblocks"),
        *("subvolblocks", "info", "extents", "resolution", "instance", "commit", "branch", "x", ""),
    )
    bodies = (b"", b"{}", b"[]", b"null", b"5", b'"x"', bytes(4096), bytes(32768), b"\xff\xfe{")
    queries = (
        "",
        "?compression=lz4",
        "?compression=gzip",
        "?scale=1",
        "?blocks=0,0,0",
        "?throttle=on",
    )
    for _ in range(400):
        known = ["", "api", rng.choice(("node", "repo")), uuid]
        path = "/".join(known + [rng.choice(words) for _ in range(rng.randint(0, 6))])
        method = rng.choice(("GET", "POST", "POST", "HEAD", "PUT"))
        answer = asker.ask(method, path + rng.choice(queries), rng.choice(bodies))
        if answer.status == 500:
            assert "Panic detected on request" in answer.text, (method, path, answer.text)
            assert "Error" not in answer.text.replace("runtime error", ""), answer.text
    assert asker.get("heartbeat").status == 200


def test_slow_clients_do_not_stop_others(asker: Asker) -> None:
    """More clients that stall in the middle of a body than there are worker threads."""
    where = asker.instance(asker.repo())
    head = (
        f"POST /api/{where}/raw/0_1_2/16_16_16/0_0_0 HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Length: 4096\r\n\r\nx"
    )
    lines = [socket.create_connection(asker.address) for _ in range(150)]
    try:
        for line in lines:
            line.sendall(head.encode())
        begun = time.monotonic()
        assert asker.get(f"{where}/info").status == 200
        assert time.monotonic() - begun < 5
    finally:
        for line in lines:
            line.close()


def test_readers_that_stall_do_not_stop_others(asker: Asker) -> None:
    where = asker.instance(asker.repo())
    path = f"/api/{where}/raw/0_1_2/512_512_64/0_0_0"
    lines = [socket.create_connection(asker.address) for _ in range(80)]
    try:
        for line in lines:
            line.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        begun = time.monotonic()
        assert asker.get(f"{where}/info").status == 200
        assert asker.post(f"{where}/raw/0_1_2/16_16_16/0_0_0", bytes(4096)).status == 200
        assert time.monotonic() - begun < 20
    finally:
        for line in lines:
            line.close()


def test_the_order_of_answers_is_the_order_of_the_log(dev: DevServer, asker: Asker) -> None:
    threads = [
        threading.Thread(target=asker.get, args=(f"node/{number}/x/info",)) for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {request.path for request in dev.requests if isinstance(request, Request)}
    assert found == {f"/api/node/{number}/x/info" for number in range(20)}
