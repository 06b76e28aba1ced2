"""Running commands as a shell does, in this process and in one of their own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner, Result

from dvid_array.cli.group import commands

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line; its output and exit status."""
    monkeypatch.delenv("DVID_ADMIN_TOKEN", raising=False)

    def invoke(*words: str, **options: object) -> Result:
        return CliRunner().invoke(commands, [str(word) for word in words], **options)

    return invoke


@pytest.fixture
def closed_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


class _Homepage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html><body>Welcome to the coffee machine</body></html>")

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def homepage() -> Iterator[str]:
    """A web server that is no DVID: every path answers with the same page."""
    server = HTTPServer(("127.0.0.1", 0), _Homepage)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
