"""Observers and limiters: who is told of requests, and who says when one may be sent.

Owns when they are called. Must not know any of them: `Settings` names them by dotted path, and a
process imports them with its first request. So they reach every worker that an array travels to.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from dvid_array.client import flights
from dvid_array.client.registry import state
from dvid_array.settings import Settings

log = logging.getLogger(__name__)

PATIENCE = 1.0
"""Seconds that a limiter is asked to wait at once: so long may Ctrl-C take."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, and what came of it."""

    method: str
    url: str
    """Without credentials."""
    began: float
    """Seconds of `time.perf_counter` when it was about to be sent."""
    ended: float
    """The same, when its body had been placed, or it had failed."""
    sent: int
    """Bytes of its body."""
    received: int
    """Bytes of the answer's body."""
    failed: bool
    """Whether it raised; then another attempt may follow."""


Observer = Callable[[Sequence[Exchange]], object]
"""Is told of the exchanges of one call, in the thread that made the call, when it ends."""


class Limit(Protocol):
    """Lets some requests through at once, as `threading.Semaphore` does."""

    def acquire(self, *, timeout: float) -> bool:
        """Whether a request may be sent now, or after some seconds at most."""

    def release(self) -> object:
        """One has ended."""


Limiter = Callable[[str, int], Limit]
"""Takes a server's address and `Settings.leases`; called before each request, in the context of
the call that makes it."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Some observers."""

    names: tuple[str, ...]

    def __call__(self, exchanges: Sequence[Exchange]) -> None:
        """Tell them; one that fails does no harm to the call."""
        for name in self.names:
            try:
                named(name)(exchanges)
            except Exception:
                log.exception("the observer %s failed", name)


def tell(names: tuple[str, ...], exchange: Exchange) -> None:
    """Tell observers of an exchange: in this thread, unless it works for another one."""
    if names:
        flights.tell(Audience(names), [exchange])


@contextmanager
def admitted(origin: str, settings: Settings) -> Iterator[None]:
    """Wait until the limiter lets a request through."""
    if not settings.leases:
        yield
        return
    limit: Limit = named(settings.limiter)(origin, settings.leases)
    while not limit.acquire(timeout=PATIENCE):
        if not flights.pause(0):
            raise flights.Cancelled
    try:
        yield
    finally:
        limit.release()


def named(path: str) -> Any:
    """What a dotted path names, imported once.

    Raises
    ------
    ImportError
        Where it names nothing here: workers need the module too.
    """
    return state().hooks.get(path, lambda: _imported(path))


def _imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as missing:
        raise ImportError(
            f"Settings name {path!r}, which cannot be imported in this process: {missing}"
        ) from missing
