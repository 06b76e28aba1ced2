"""Decoded blocks of committed versions, kept within a number of bytes.

Each block is fetched by one thread, the others wait for it. Owns which block is kept, and who
fetches it. Must not know requests.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from dvid_array.protocol.voxels import Array

Key = Hashable


@dataclass
class Claim:
    """What a reader gets of the blocks it wants."""

    found: dict[Key, Array | None] = field(default_factory=dict)
    """Blocks that are kept; None for one the server does not have."""
    mine: dict[Key, threading.Event] = field(default_factory=dict)
    """Blocks that this reader must fetch now; others wait until it gives them back."""
    theirs: dict[Key, threading.Event] = field(default_factory=dict)
    """Blocks that another thread is fetching, and what tells when it has done so."""


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

    def claim(self, keys: Iterable[Key], claim: Claim, *, wait: bool = True) -> None:
        """Share out blocks between what is kept, this reader and others; nothing is others' where
        this reader does not wait.

        The claim is filled in, not returned: whenever an interrupt comes, it is known what must be
        given back.
        """
        with self._lock:
            for key in keys:
                if key in self._blocks:
                    self._blocks.move_to_end(key)
                    claim.found[key] = self._blocks[key]
                elif wait and key in self._pending:
                    claim.theirs[key] = self._pending[key]
                else:
                    claim.mine[key] = self._pending[key] = threading.Event()
            self._hits += len(claim.found)
            self._misses += len(claim.mine)

    def fill(self, key: Key, block: Array | None, limit: int) -> None:
        """Keep a block, and let go of others beyond `limit` bytes. One that is larger by itself is
        not kept."""
        with self._lock:
            self._forget(key)
            if _size(block) <= limit:
                self._blocks[key] = block
                self.bytes += _size(block)
            while self.bytes > limit:
                self._forget(next(iter(self._blocks)))
            if done := self._pending.pop(key, None):
                done.set()

    def give_back(self, claim: Claim) -> None:
        """The reader has done what it could: whoever waits looks again."""
        with self._lock:
            for key, done in claim.mine.items():
                if self._pending.get(key) is done:
                    del self._pending[key]
                done.set()

    def _forget(self, key: Key) -> None:
        if key in self._blocks:
            self.bytes -= _size(self._blocks.pop(key))


def _size(block: Array | None) -> int:
    """Bytes a block is counted with; one that the server does not have costs its entry."""
    return 200 if block is None else block.nbytes
