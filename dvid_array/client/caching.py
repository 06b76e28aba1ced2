"""Reading through the block cache: kept blocks are placed, the others fetched once a process.

Owns what may be kept: blocks of committed versions, where the settings give bytes for them. Must
not know requests; `reading` makes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dvid_array.box import Box, Triple
from dvid_array.client import registry
from dvid_array.client.cache import Key
from dvid_array.client.picks import Target
from dvid_array.client.volume import Volume
from dvid_array.protocol.voxels import Array

Fetch = Callable[[Sequence[Box], Target], None]


def keeps(volume: Volume) -> bool:
    """Whether blocks of this volume may be kept: nobody can change them any
    more, and no mask hides some."""
    return volume.locked and volume.settings.cache_bytes > 0 and volume.masked_by is None


def read(volume: Volume, boxes: Sequence[Box], target: Target, fetch: Fetch) -> None:
    """Fill a target from the cache; `fetch` gets the blocks that are not there.

    Blocks that another thread is fetching are waited for, not asked for twice.
    """
    cache = registry.state().cache
    keys = {_key(volume, block): block for box in boxes for block in volume.grid.each(box)}
    while keys:
        claim = cache.claim(keys)
        for key, block in claim.found.items():
            _put(volume, target, keys[key], block)
        try:
            if claim.mine:
                wanted = [volume.grid.block_box(keys[key]) for key in claim.mine]
                fetch(merged(wanted), _Filling(volume, target))
        finally:
            cache.give_back(claim.mine)
        for pending in claim.theirs.values():
            pending.wait()
        keys = {key: keys[key] for key in claim.theirs}


def _key(volume: Volume, block: Triple) -> Key:
    return (*volume.key, volume.scale, volume.supervoxels, block)


def _put(volume: Volume, target: Target, block: Triple, array: Array | None) -> None:
    box = volume.grid.block_box(block)
    if array is None:
        target.clear(box)
    else:
        target.place(box, array)


class _Filling:
    """A target that keeps each block, and hands it on."""

    def __init__(self, volume: Volume, target: Target) -> None:
        self._volume = volume
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
        registry.state().cache.fill(_key(self._volume, block), array, limit)
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
