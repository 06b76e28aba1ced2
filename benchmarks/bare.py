"""The limit to measure against: bare sockets that read the same bodies and do nothing with them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from urllib.parse import urlsplit

PIECE = 1 << 20


def drain(origin: str, paths: Sequence[str], threads: int) -> int:
    """GET every path over `threads` kept-open connections; the bytes of all bodies, as framed."""
    parts = urlsplit(origin)
    queue = iter(paths)
    lock = threading.Lock()
    totals: list[int] = []

    def work() -> None:
        total = 0
        with socket.create_connection((parts.hostname or "", parts.port or 80)) as line:
            buffer = bytearray(PIECE)
            while True:
                with lock:
                    path = next(queue, None)
                if path is None:
                    break
                head = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n"
                line.sendall(head.encode())
                total += _answer(line, buffer)
        totals.append(total)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if len(totals) != threads:
        raise RuntimeError("a bare reader failed")
    return sum(totals)


def _answer(line: socket.socket, buffer: bytearray) -> int:
    """Read one answer to its end; chunk framing is recognised by its last five bytes."""
    view = memoryview(buffer)
    data = b""
    while b"\r\n\r\n" not in data:
        data += line.recv(65536)
    head, _, rest = data.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise RuntimeError(head.decode("latin-1"))
    lengths = [row for row in head.lower().split(b"\r\n") if row.startswith(b"content-length:")]
    if lengths:
        missing = int(lengths[0].split(b":")[1]) - len(rest)
        total = len(rest)
        while missing > 0:
            count = line.recv_into(view[: min(PIECE, missing)])
            missing -= count
            total += count
        return total
    total, tail = len(rest), rest[-5:]
    while tail != b"0\r\n\r\n":
        count = line.recv_into(view)
        if not count:
            raise RuntimeError("the connection closed in mid-body")
        total += count
        tail = (tail + bytes(view[max(0, count - 5) : count]))[-5:]
    return total
