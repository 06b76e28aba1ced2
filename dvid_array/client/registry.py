"""The only process state: sessions, credentials, locks, extents, cache; keyed, bounded, reset by
a fork.

Must not know voxels or HTTP. Everything here can be lost at any time without harm but speed, save
the locks, which their holders keep alive.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Generic, TypeVar

from dvid_array.box import Box
from dvid_array.client.cache import BlockCache

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Table(Generic[K, V]):
    """A bounded mapping that many threads may use; the entry unused longest goes first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The entry of `key`, made now where there is none.

        Making may take long, and may need the table again: others do not wait for it. Where two
        make one, the first is everybody's.
        """
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        made = make()
        with self._lock:
            entry = self._entries.setdefault(key, made)
            while len(self._entries) > self._limit:
                self._entries.popitem(last=False)
            return entry


class BlockLocks:
    """Blocks that a writer of this process holds; a set of blocks is taken whole or not at all."""

    def __init__(self) -> None:
        self._held: set[Hashable] = set()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def hold(self, keys: Iterable[Hashable]) -> Iterator[None]:
        """Wait until nobody holds any of `keys`, and hold them all."""
        wanted = set(keys)
        with self._changed:
            self._changed.wait_for(lambda: self._held.isdisjoint(wanted))
            self._held |= wanted
        try:
            yield
        finally:
            with self._changed:
                self._held -= wanted
                self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one origin may be told; never shown."""

    token: str | None = field(default=None, repr=False)
    admin_token: str | None = field(default=None, repr=False)
    user: str | None = None
    app: str | None = None


@dataclass(slots=True)
class Extents:
    """What the writers of this process know of one instance's extents at one version."""

    box: Box | None
    """Without the rounding of writes in flight."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held by the one who sets them on the server."""
    pending: dict[object, Box] = field(default_factory=dict)
    """Blocks of the writes in flight."""


@dataclass(slots=True)
class Origin:
    """What this process knows of one server."""

    credentials: Credentials = field(default_factory=Credentials)
    session: Any = None
    """The caller's own session, where one was given."""
    answered: bool = False
    """Whether it ever answered; until then, a refused connection is a wrong address."""


@dataclass
class State:
    """All of it; one instance a process."""

    origins: Table[str, Origin] = field(default_factory=lambda: Table(256))
    sessions: Table[Hashable, Any] = field(default_factory=lambda: Table(64))
    extents: Table[tuple[str, str], Extents] = field(default_factory=lambda: Table(4096))
    blocks: BlockLocks = field(default_factory=BlockLocks)
    cache: BlockCache = field(default_factory=BlockCache)
    changes: Table[tuple[str, str, int], float] = field(default_factory=lambda: Table(256))
    """When a mutation count of a server's repo, of an open version, was seen first."""
    hooks: Table[str, Any] = field(default_factory=lambda: Table(256))
    """Observers and limiters by name."""
    limits: Table[Hashable, Any] = field(default_factory=lambda: Table(256))
    """What limiters count with."""
    forked: bool = False
    """Whether this process was forked: of what its parent ran, only one thread runs here."""


_state = State()


def state() -> State:
    """The state of this process."""
    return _state


def reset() -> None:
    """Forget everything, as a forked child must: its parent's sockets are not its own.

    Credentials stay: the child speaks for the same person.
    """
    global _state
    before, _state = _state, State(forked=True)
    # the parent's locks may be held by threads that the child does not have
    for url, known in list(before.origins._entries.items()):
        kept = Origin(known.credentials, answered=known.answered)
        _state.origins.get(url, lambda kept=kept: kept)  # type: ignore[misc]


def _await_imports() -> None:
    """A child forked while another thread imports something would wait for that import for ever:
    numba takes a second, and more where it compiles."""
    for name in (*LATE, *(name for name in tuple(sys.modules) if name.startswith("dvid_array."))):
        if name in sys.modules:
            with contextlib.suppress(Exception):  # it tells the thread that it failed
                import_module(name)


LATE = ("isal.isal_zlib", "jsonschema", "lz4.block", "PIL.Image")
"""What modules of this package import with their first use, each for itself."""
os.register_at_fork(before=_await_imports, after_in_child=reset)
