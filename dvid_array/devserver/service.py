"""The running server's own state: store, token, throttle, limits. Must not know requests."""

from __future__ import annotations

import hmac
import threading
import time
from dataclasses import dataclass, field

from dvid_array.devserver.answers import Refusal
from dvid_array.devserver.store import Store
from dvid_array.protocol import sentences

MAX_BODY_BYTES = 2 << 30
PIECE_BYTES = 1 << 20
"""Answers leave in pieces of about this size: fewer are slow, larger ones cost memory."""


class Throttle:
    """DVID's voluntary throttle: so many operations at once, and no more.

    Parameters
    ----------
    limit : int
        How many.
    """

    def __init__(self, limit: int = 1) -> None:
        self._limit = limit
        self._running = 0
        self._lock = threading.Lock()

    def enter(self) -> None:
        """Count an operation.

        Raises
        ------
        Refusal
            Where the limit is reached: 503 at once.
        """
        with self._lock:
            if self._running < self._limit:
                self._running += 1
                return
            told = sentences.compose("throttled", running=self._running, limit=self._limit)
        raise Refusal(told[0], told[1] + "\n", bare=True)

    def leave(self) -> None:
        """The operation is over."""
        with self._lock:
            self._running -= 1


@dataclass
class Service:
    """What every handler is given."""

    store: Store
    """Where everything is kept."""
    admin_token: str
    """What grants admin rights."""
    authority: str = ""
    """Host and port, as DVID shows them."""
    read_only: bool = False
    """Whether only GET and HEAD are answered, but for who has admin rights."""
    max_body: int = MAX_BODY_BYTES
    """Longest request body."""
    gridstores: set[str] = field(default_factory=set)
    """Names of the read-only stores that new instances may proxy."""
    throttle: Throttle = field(default_factory=Throttle)
    """Shared by all throttled operations."""
    large: threading.Lock = field(default_factory=threading.Lock)
    """Held while an answer of more than 256^3 voxels is made in one piece."""
    label_lock: threading.Lock = field(default_factory=threading.Lock)
    """Posts of labels run one after another, as in DVID."""
    started: float = field(default_factory=time.time)
    """When it began."""

    def is_admin(self, token: str | None) -> bool:
        """Whether a token grants admin rights."""
        return bool(token) and hmac.compare_digest(
            str(token).encode("utf-8", "replace"), self.admin_token.encode()
        )
