"""The latest requests, for tests and the curious. Must not know what they mean."""

from __future__ import annotations

import re
import threading
from collections import deque
from dataclasses import dataclass

KEPT = 10_000
_SECRET = re.compile(r"(?<![^&;])(admintoken=)[^&;]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Request:
    """One request that was answered."""

    method: str
    """HTTP method."""
    path: str
    """URL path, decoded."""
    query: str
    """Query string as it came, but for the admin token."""
    status: int
    """HTTP status of the answer."""
    bytes_in: int
    """Bytes of the request's body that were read."""
    bytes_out: int
    """Bytes of the answer's body."""


def redacted(query: str) -> str:
    """A query string without the admin token."""
    return _SECRET.sub(r"\1***", query)


class Journal:
    """The latest requests in the order of their answers; safe to use from many threads."""

    def __init__(self, kept: int = KEPT) -> None:
        self._lock = threading.Lock()
        self._requests: deque[Request] = deque(maxlen=kept)

    def add(self, request: Request) -> None:
        """Append one."""
        with self._lock:
            self._requests.append(request)

    def latest(self) -> tuple[Request, ...]:
        """All that are kept, the oldest first."""
        with self._lock:
            return tuple(self._requests)

    def clear(self) -> None:
        """Forget them."""
        with self._lock:
            self._requests.clear()
