"""What the client asked of a real DVID, and what that answered: taped once, then played back.

Where `exchange` holds the development server to a real DVID's answers, a tape holds the client to
them: every byte the client reads was sent by a real one.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.corpus.exchange import packed, unpacked

OURS = ("u", "app", "admintoken")
"""What the client tells of itself differs from machine to machine."""
KEPT = ("content-type", "content-encoding")
"""Headers that are played back."""
SETTLING = 0.5
"""Seconds after a post in which a real DVID is left alone while it is taped: its label index and
its lower scales follow behind its answer, and a walk must not meet them half done."""


@dataclass(frozen=True)
class Taped:
    """One answer."""

    status: int
    headers: dict[str, str]
    chunked: bool
    body: bytes

    def note(self) -> dict[str, Any]:
        """As written down."""
        return dict(vars(self)) | {"body": packed(self.body)}

    @classmethod
    def of(cls, note: dict[str, Any]) -> Taped:
        """The answer that was written down."""
        return cls(**note | {"body": unpacked(note["body"])})


class Tape:
    """Answers by request, those to one request in their order."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Taped]] = defaultdict(list)
        self.unknown: list[str] = []
        self._played: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()

    def add(self, request: str, answer: Taped) -> None:
        """Tape an answer."""
        with self._lock:
            self.answers[request].append(answer)

    def play(self, request: str) -> Taped | None:
        """The next answer to a request; None where a real DVID was never asked so."""
        with self._lock:
            known, turn = self.answers.get(request, []), self._played[request]
            if turn >= len(known):
                self.unknown.append(request)
                return None
            self._played[request] += 1
            return known[turn]

    @property
    def left(self) -> list[str]:
        """Requests that were taped and not made."""
        return [name for name, all_ in self.answers.items() if self._played[name] < len(all_)]

    def save(self, path: Path, head: dict[str, str]) -> None:
        """Write it down, a line for each request."""
        lines = [
            json.dumps({"request": request, "answers": [one.note() for one in answers]})
            for request, answers in sorted(self.answers.items())
        ]
        text = f'{{"taped": {json.dumps(head)}, "exchanges": [\n' + ",\n".join(lines) + "\n]}\n"
        path.write_text(text, "utf-8")

    @classmethod
    def load(cls, path: Path) -> Tape:
        """The tape that was written down."""
        tape = cls()
        for note in json.loads(path.read_text("utf-8"))["exchanges"]:
            tape.answers[note["request"]] = [Taped.of(one) for one in note["answers"]]
        return tape


def named(method: str, target: str, body: bytes = b"") -> str:
    """What a request is found by; a question in its body is a part of it."""
    parts = urlsplit(target)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = urlencode(sorted((key, value) for key, value in pairs if key not in OURS), safe=",:")
    asked = f" {sha256(body).hexdigest()[:16]}" if body and method == "GET" else ""
    return f"{method} {parts.path}" + (f"?{query}" if query else "") + asked


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one packet: a second one would wait for the client
    tape: Tape
    dvid: str | None

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = named(self.command, self.path, body)
        answer = self._asked(request, body) if self.dvid else self.tape.play(request)
        self._send(
            answer or Taped(501, {}, chunked=False, body=f"not on the tape: {request}".encode())
        )

    do_POST = do_GET

    def _asked(self, request: str, body: bytes) -> Taped:
        connection = http.client.HTTPConnection(urlsplit(self.dvid or "").netloc, timeout=120)
        try:
            connection.request(self.command, self.path, body or None)
            reply = connection.getresponse()
            headers = {name: reply.headers[name] for name in KEPT if name in reply.headers}
            chunked = reply.headers.get("transfer-encoding") == "chunked"
            answer = Taped(reply.status, headers, chunked, reply.read())
        finally:
            connection.close()
        self.tape.add(request, answer)
        if self.command == "POST":
            time.sleep(SETTLING)
        return answer

    def _send(self, answer: Taped) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            size = b"%x\r\n" % len(answer.body)
            self.wfile.write((size + answer.body + b"\r\n" if answer.body else b"") + b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what matters is on the tape."""


@contextmanager
def served(tape: Tape, dvid: str | None = None) -> Iterator[str]:
    """A server that plays a tape, or asks a real DVID and tapes what that answers; its URL."""
    handler = type("Handler", (_Handler,), {"tape": tape, "dvid": dvid})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
