"""A development server, and plain HTTP to it: not the client of this package, which is tested
elsewhere."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from dvid_array.devserver import DevServer

BLOCK = (16, 16, 16)
GRAY = np.dtype("u1")


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    """By names in lower case."""
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """The body as a document."""
        return json.loads(self.body)


class Asker:
    """Plain HTTP to one server, with a repo and instances made on demand."""

    def __init__(self, url: str, admin_token: str) -> None:
        parts = urlsplit(url)
        self.address = (str(parts.hostname), int(parts.port or 80))
        self.token = admin_token

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        data = json.dumps(body) if isinstance(body, dict) else body
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.headers.items()}
            return Reply(answer.status, named, answer.read())
        finally:
            connection.close()

    def get(self, path: str) -> Reply:
        """A GET below /api/."""
        return self.ask("GET", f"/api/{path}")

    def post(self, path: str, body: Any = b"") -> Reply:
        """A POST below /api/."""
        return self.ask("POST", f"/api/{path}", body)

    def raw(self, sent: bytes, *, seconds: float = 10, half_close: bool = False) -> bytes:
        """Bytes on a socket, and whatever comes back until the server closes or falls silent."""
        with socket.create_connection(self.address, timeout=seconds) as line:
            came = b""
            try:
                line.sendall(sent)
                if half_close:
                    line.shutdown(socket.SHUT_WR)
                while piece := line.recv(65536):
                    came += piece
            except (TimeoutError, ConnectionError):
                pass
        return came

    def repo(self) -> str:
        """A new repo."""
        made = self.post(f"repos?admintoken={self.token}", {"alias": "test"})
        return str(made.json()["root"])

    def instance(self, uuid: str, name: str = "gray", kind: str = "uint8blk", **more: str) -> str:
        """A new instance of 16-voxel blocks; its path below /api/."""
        settings = {"typename": kind, "dataname": name, "BlockSize": "16,16,16"} | more
        made = self.post(f"repo/{uuid}/instance", settings)
        assert made.status == 200, made.text
        return f"node/{uuid}/{name}"

    def commit(self, uuid: str) -> str:
        """Commit a version; its new child."""
        assert self.post(f"node/{uuid}/commit", {}).status == 200
        return str(self.post(f"node/{uuid}/newversion", {}).json()["child"])


def noise(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray[Any, Any]:
    """Voxels (z, y, x) that do not compress."""
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.fixture
def dev() -> Iterator[DevServer]:
    """A server of one's own."""
    with DevServer() as server:
        yield server


@pytest.fixture
def asker(dev: DevServer) -> Asker:
    """Plain HTTP to it."""
    return Asker(dev.url, dev.admin_token)
