"""Decoded blocks of committed versions, kept within a number of bytes.

Each block is fetched by one thread, the others wait for it. Owns which block is kept, and who
fetches it. Must not know requests.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from dvid_array.protocol.voxels import Array

Key = Hashable


@dataclass
class Claim:
    """What a reader gets of the blocks it wants."""

    found: dict[Key, Array | None] = field(default_factory=dict)
    """Blocks that are kept; None for one the server does not have."""
    mine: list[Key] = field(default_factory=list)
    """Blocks that this reader must fetch now, or give back."""
    theirs: dict[Key, threading.Event] = field(default_factory=dict)
    """Blocks that another thread is fetching."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheInfo:
    """The block cache of this process, which all arrays share."""

    kept: bool
    """Whether blocks of the array that was asked are kept at all."""
    hits: int
    """Blocks that were there, or that another thread was fetching."""
    misses: int
    """Blocks that were fetched for the cache."""
    blocks: int
    """How many it holds."""
    nbytes: int
    """Bytes of their voxels."""
    limit: int
    """`Settings.cache_bytes` of the array that was asked."""


class BlockCache:
    """Blocks by key; the one unused longest goes first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks: OrderedDict[Key, Array | None] = OrderedDict()
        self._pending: dict[Key, threading.Event] = {}
        self._hits = self._misses = 0
        self.bytes = 0

    def info(self, *, kept: bool, limit: int) -> CacheInfo:
        """What it holds, for an array with this limit."""
        with self._lock:
            return CacheInfo(
                kept=kept,
                hits=self._hits,
                misses=self._misses,
                blocks=len(self._blocks),
                nbytes=self.bytes,
                limit=limit,
            )

    def claim(self, keys: Iterable[Key]) -> Claim:
        """Share out blocks between what is kept, this reader and others."""
        claim = Claim()
        with self._lock:
            for key in keys:
                if key in self._blocks:
                    self._blocks.move_to_end(key)
                    claim.found[key] = self._blocks[key]
                elif key in self._pending:
                    claim.theirs[key] = self._pending[key]
                else:
                    self._pending[key] = threading.Event()
                    claim.mine.append(key)
            self._hits += len(claim.found)
            self._misses += len(claim.mine)
        return claim

    def fill(self, key: Key, block: Array | None, limit: int) -> None:
        """Keep a block that was claimed, and let go of others beyond `limit` bytes."""
        with self._lock:
            self._forget(key)
            self._blocks[key] = block
            self.bytes += _size(block)
            while self.bytes > limit and self._blocks:
                self._forget(next(iter(self._blocks)))
            self._release([key])

    def give_back(self, keys: Sequence[Key]) -> None:
        """Claimed blocks that did not come: whoever waits fetches them."""
        with self._lock:
            self._release(keys)

    def _forget(self, key: Key) -> None:
        if key in self._blocks:
            self.bytes -= _size(self._blocks.pop(key))

    def _release(self, keys: Sequence[Key]) -> None:
        for key in keys:
            if waiting := self._pending.pop(key, None):
                waiting.set()


def _size(block: Array | None) -> int:
    """Bytes a block is counted with; one that the server does not have costs its entry."""
    return 200 if block is None else block.nbytes
