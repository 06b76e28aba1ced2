"""Reading through the block cache: kept blocks are placed, the others fetched once a process.

Owns what may be kept: blocks of committed versions, where the settings give bytes for them; of open
ones only where the settings say so, and only as long as nobody writes to the repo. Must not know
requests; `reading` makes them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence

import numpy as np

from dvid_array.box import Box, Triple
from dvid_array.client import registry
from dvid_array.client.cache import CacheInfo, Claim, Key
from dvid_array.client.picks import Target
from dvid_array.client.volume import Volume
from dvid_array.protocol.voxels import Array

Fetch = Callable[[Sequence[Box], Target], None]


SETTLED_SECONDS = 5.0
"""So long must a repo's mutation count stay the same before blocks are kept under it: DVID counts a
write when it begins, and until it ends, blocks may still be the old ones."""
FOREVER = "committed"


def keeps(volume: Volume) -> bool:
    """Whether blocks of this volume may be kept: nobody can change them any more, or they are
    looked after; and no mask hides some."""
    settings = volume.settings
    wanted = volume.locked or settings.cache_open
    return wanted and settings.cache_bytes > 0 and volume.masked_by is None


def state_of(volume: Volume) -> Hashable | None:
    """What blocks can be kept under now: equal as long as they are. None where they cannot.

    On an open version this asks for the repo's mutation count, one request.
    """
    if not keeps(volume):
        return None
    if volume.locked:
        return FOREVER
    changes = volume.catalog.repo(volume.uuid).mutation_id
    key = (volume.transport.origin, volume.uuid, changes)
    first_seen = registry.state().changes.get(key, time.monotonic)
    return changes if time.monotonic() - first_seen >= SETTLED_SECONDS else None


def info(volume: Volume) -> CacheInfo:
    """What this process keeps."""
    cache = registry.state().cache
    return cache.info(kept=keeps(volume), limit=volume.settings.cache_bytes)


def read(
    volume: Volume, state: Hashable, boxes: Sequence[Box], target: Target, fetch: Fetch
) -> None:
    """Fill a target from the cache; `fetch` gets the blocks that are not there.

    Blocks that another thread is fetching are waited for, not asked for twice. Where it has failed,
    those who waited fetch them side by side, each for itself: one after the other, they would take
    so many deadlines. `state` is that of `state_of`.
    """
    cache = registry.state().cache
    keys = {_key(volume, state, block): block for box in boxes for block in volume.grid.each(box)}
    for wait in (True, False):
        claim = Claim()
        try:
            cache.claim(keys, claim, wait=wait)
            for key, block in claim.found.items():
                _put(volume, target, keys[key], block)
            if claim.mine:
                wanted = [volume.grid.block_box(keys[key]) for key in claim.mine]
                fetch(merged(wanted), _Filling(volume, state, target))
        finally:
            cache.give_back(claim)
        for pending in claim.theirs.values():
            pending.wait()
        keys = {key: keys[key] for key in claim.theirs}
        if not keys:
            return


def _key(volume: Volume, state: Hashable, block: Triple) -> Key:
    """Of one server, since copies of a repo can go apart."""
    origin = volume.transport.origin
    return (origin, *volume.key, volume.scale, volume.supervoxels, state, block)


def _put(volume: Volume, target: Target, block: Triple, array: Array | None) -> None:
    box = volume.grid.block_box(block)
    if array is None:
        target.clear(box)
    else:
        target.place(box, array)


class _Filling:
    """A target that keeps each block, and hands it on."""

    def __init__(self, volume: Volume, state: Hashable, target: Target) -> None:
        self._volume = volume
        self._state = state
        self._target = target

    def place(self, box: Box, voxels: Array) -> None:
        for block in self._volume.grid.each(box):
            inside = self._volume.grid.block_box(block)
            part = voxels[(slice(None), *inside.slices(box.start))]
            self._keep(block, np.array(part, order="F"))

    def clear(self, box: Box) -> None:
        for block in self._volume.grid.each(box):
            self._keep(block, None)

    def view(self, box: Box) -> Array | None:
        return None

    def _keep(self, block: Triple, array: Array | None) -> None:
        limit = self._volume.settings.cache_bytes
        key = _key(self._volume, self._state, block)
        registry.state().cache.fill(key, array, limit)
        _put(self._volume, self._target, block, array)


def merged(boxes: Sequence[Box]) -> list[Box]:
    """Boxes joined where they continue one another, along x, then y, then z."""
    joined = list(boxes)
    for axis in range(3):
        joined.sort(key=lambda box: (*_across(box, axis), box.start[axis]))
        rows: list[Box] = []
        for box in joined:
            last = rows[-1] if rows else None
            if (
                last
                and _across(last, axis) == _across(box, axis)
                and last.stop[axis] == box.start[axis]
            ):
                rows[-1] = last.hull(box)
            else:
                rows.append(box)
        joined = rows
    return joined


def _across(box: Box, axis: int) -> tuple[tuple[int, int], ...]:
    return tuple((box.start[other], box.stop[other]) for other in range(3) if other != axis)
