"""A faulty path to a server: a real TCP proxy that does to chosen requests what networks do.

Owns faults. Knows HTTP/1.1 as far as DVID speaks it; must not know DVID or the client.

    with FaultyProxy("http://127.0.0.1:8000") as path:
        path.add(Fault.status(503), when=lambda request: "/raw/" in request.path, times=3)
        array = dvid_array.open(f"{path.url}/{version}/{instance}")
"""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from io import BufferedIOBase
from types import TracebackType
from urllib.parse import urlsplit

from dvid_array.testing.faults import Fault, Request

HOP = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})
"""Headers that belong to one connection, not to the message."""
PIECE = 1 << 16
"""Bytes handed on at once where the rate is limited."""
FOR_EVER = 3600.0
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with which closing a socket sends a reset."""


When = Callable[[Request], bool]


@dataclass(slots=True)
class _Planned:
    fault: Fault
    when: When
    skip: int
    times: int

    def takes(self, request: Request) -> bool:
        if self.times == 0 or not self.when(request):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class FaultyProxy:
    """A TCP proxy in front of a server, on a port of the loopback device; a context manager.

    Parameters
    ----------
    server : str
        Address of the server, as ``http://host:port``.
    context : ssl.SSLContext, optional
        Speak TLS with clients, with the certificate of this context.
    """

    def __init__(self, server: str, *, context: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(server)
        self._upstream = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._context = context
        self._plan: list[_Planned] = []
        self._lock = threading.Lock()
        self._choosing = threading.Lock()
        self._stopped = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.requests: list[Request] = []
        """All requests that came, in order."""
        self.connections = 0
        """How many connections were accepted."""
        self._listen(0)

    @property
    def url(self) -> str:
        """Where clients reach the server through this proxy."""
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self._port}"

    def add(
        self, fault: Fault, *, when: When = lambda _: True, skip: int = 0, times: int = 1
    ) -> None:
        """Plan a fault; of several that fit a request, the one planned first happens.

        Parameters
        ----------
        fault : Fault
            What is to happen.
        when : callable
            To which requests: a function of `Request`, asked of one request at a time. It may plan
            and clear faults itself, but must not wait for another request through this proxy.
        skip : int
            How many of these are let through before.
        times : int
            To how many of these it happens; -1 for all.
        """
        with self._lock:
            self._plan.append(_Planned(fault, when, skip, times))

    def clear(self) -> None:
        """Forget all plans: requests pass unharmed."""
        with self._lock:
            self._plan.clear()

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse connections, and drop those there are, as a server that is down."""
        self.close()
        try:
            yield
        finally:
            self._listen(self._port)

    def close(self) -> None:
        """Close every socket and end every thread."""
        self._stopped.set()
        _shut(self._listener)  # wakes the thread that accepts
        self._acceptor.join()
        self._listener.close()
        with self._lock:
            sockets, threads = list(self._sockets), list(self._threads)
        for one in sockets:
            _shut(one)
        for thread in threads:
            thread.join()

    def __enter__(self) -> FaultyProxy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _listen(self, port: int) -> None:
        self._stopped.clear()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self._port = self._listener.getsockname()[1]
        self._acceptor = _thread(self._accept)

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._sockets.add(client)
                self.connections += 1
                self._threads = [one for one in self._threads if one.is_alive()]
                self._threads.append(_thread(self._serve, client))

    def _serve(self, client: socket.socket) -> None:
        """One connection, request after request."""
        plain, upstream = client, http.client.HTTPConnection(*self._upstream)
        try:
            if self._context is not None:
                client = self._context.wrap_socket(client, server_side=True)
                with self._lock:
                    self._sockets = self._sockets - {plain} | {client}
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with client.makefile("rb") as lines:
                while not self._stopped.is_set() and self._exchange(client, lines, upstream):
                    pass
        except (OSError, ValueError, http.client.HTTPException):
            pass  # either side is gone, which is what this is about
        finally:
            upstream.close()
            with self._lock:
                self._sockets.discard(client)
            client.close()

    def _exchange(
        self, client: socket.socket, lines: BufferedIOBase, upstream: http.client.HTTPConnection
    ) -> bool:
        """One request and its answer; whether the connection can serve another."""
        words = lines.readline().split()
        if len(words) != 3:
            return False
        method, target = words[0].decode(), words[1].decode()
        headers = http.client.parse_headers(lines)
        path, _, query = target.partition("?")
        with self._lock:
            request = Request(len(self.requests), method, path, query, headers)
            self.requests.append(request)
        fault = self._chosen(request)
        self._pause(client, fault.hold)
        length = int(headers.get("Content-Length", 0))
        body = lines.read(length)
        if len(body) < length:
            return False
        answer = MADE_UP
        if fault.forward:
            answer = _asked(upstream, method, target, headers, body)
        self._pause(client, fault.delay)
        return self._answer(client, fault, method, answer)

    def _chosen(self, request: Request) -> Fault:
        with self._choosing:
            with self._lock:
                plan = list(self._plan)
            return next((one.fault for one in plan if one.takes(request)), Fault())

    def _answer(self, client: socket.socket, fault: Fault, method: str, answer: _Answer) -> bool:
        if fault.begin:
            data = b"" if method == "HEAD" else answer.body[: fault.keep] + fault.tail
            clean = fault.end == "clean"
            length = len(data) if clean else max(len(data) + 1, len(answer.body))
            client.sendall(answer.head(fault, None if answer.chunked else length))
            for piece in _pieces(data, PIECE if fault.rate else len(data)):
                client.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if answer.chunked else piece)
                self._pause(client, len(piece) / fault.rate if fault.rate else 0)
            if answer.chunked and clean and method != "HEAD":
                client.sendall(b"0\r\n\r\n")
        if fault.end == "stall":
            self._pause(client, FOR_EVER)
        if fault.end == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        return fault.end == "clean"

    def _pause(self, client: socket.socket, seconds: float) -> None:
        """Wait; not longer than the client and the proxy are there."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._stopped.wait(min(left, 0.02)):
            readable, _, _ = select.select([client], [], [], 0)
            if readable and _gone(client):
                raise ConnectionAbortedError


@dataclass(frozen=True, slots=True)
class _Answer:
    code: int
    headers: list[tuple[str, str]]
    body: bytes
    chunked: bool

    def head(self, fault: Fault, length: int | None) -> bytes:
        code = fault.code or self.code
        headers = [(key, value) for key, value in self.headers if key.lower() not in HOP]
        if fault.media:
            headers = [pair for pair in headers if pair[0].lower() != "content-type"]
            headers.append(("Content-Type", fault.media))
        ending = ("Transfer-Encoding", "chunked")
        headers.append(ending if length is None else ("Content-Length", str(length)))
        lines = [f"HTTP/1.1 {code} {HTTPStatus(code).phrase}", *map(": ".join, headers), "", ""]
        return "\r\n".join(lines).encode("latin-1")


MADE_UP = _Answer(200, [], b"", chunked=True)


def _asked(
    upstream: http.client.HTTPConnection, method: str, target: str, headers: Message, body: bytes
) -> _Answer:
    """The server's own answer, whole."""
    upstream.putrequest(method, target, skip_accept_encoding=True)
    for key, value in headers.items():
        if key.lower() not in HOP:
            upstream.putheader(key, value)
    if body or method in ("POST", "PUT"):
        upstream.putheader("Content-Length", str(len(body)))
    upstream.endheaders(body)
    with upstream.getresponse() as response:
        chunked = response.chunked
        return _Answer(response.status, response.getheaders(), response.read(), bool(chunked))


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size or 1):
        yield data[start : start + size]


def _thread(work: Callable[..., None], *args: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=args, daemon=True, name="faulty proxy")
    thread.start()
    return thread


def _gone(client: socket.socket) -> bool:
    """Whether a readable client has closed its side; one that speaks TLS is asked below it."""
    try:
        return not socket.socket.recv(client, 1, socket.MSG_PEEK)
    except OSError:
        return True


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(one, socket.SHUT_RDWR)
