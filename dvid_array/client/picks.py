"""Between picked voxels and the boxes that hold them: where each voxel of a box belongs.

Owns the placing of voxels. Must not know requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from dvid_array.box import BlockGrid, Box, Triple, triple
from dvid_array.client import planning
from dvid_array.protocol.voxels import Array, copy_rows, copy_tiled
from dvid_array.selection import Coordinates, Indices

Index = slice | Indices


class Target(Protocol):
    """Where fetched voxels go."""

    def place(self, box: Box, voxels: Array) -> None:
        """Take what is picked from `box`, all of whose values (c, x, y, z) are given, for as long
        as this call takes: they lie in memory that is used again."""

    def clear(self, box: Box) -> None:
        """What is picked from `box`, which the server does not have, is zero."""

    def view(self, box: Box) -> Array | None:
        """Memory that is `box`, voxel for voxel, to be filled directly; None where none is."""


class Grid:
    """The outer product of coordinates on each axis, and an array of just those voxels.

    Parameters
    ----------
    coordinates : sequence of range or int array
        Picked coordinates on c, x, y, z.
    array : ndarray
        The picked voxels: one length an axis.
    fresh : bool
        Whether the array holds zeros already.
    """

    def __init__(
        self, coordinates: Sequence[Coordinates], array: Array, *, fresh: bool = False
    ) -> None:
        self.coordinates = tuple(coordinates)
        self.array = array
        self._fresh = fresh

    @property
    def box(self) -> Box | None:
        """The box, where every voxel of one is picked in order."""
        if all(isinstance(axis, range) and axis.step == 1 for axis in self.coordinates):
            spatial = self.coordinates[1:]
            return Box(triple(a.start for a in spatial), triple(a.stop for a in spatial))  # type: ignore[union-attr]
        return None

    def boxes(self, grid: BlockGrid) -> list[Box]:
        """The boxes that hold all picked voxels, and touch no block without one."""
        return planning.boxes(self.coordinates[1:], grid)

    def place(self, box: Box, voxels: Array) -> None:
        """Put the picked voxels of `box` (all of its values, c x y z) into the array."""
        ours, theirs = self._indices(box)
        if _plain(ours):
            copy_rows(voxels[theirs], self.array[ours])
        else:
            self.array[np.ix_(*_arrays(ours, self.array))] = voxels[_outer(theirs, voxels)]

    def patch(self, box: Box, voxels: Array) -> None:
        """Put the array's values into the voxels of `box`."""
        ours, theirs = self._indices(box)
        if _plain(ours + theirs):
            copy_tiled(self.array[ours], voxels[theirs])
        else:
            voxels[_outer(theirs, voxels)] = self.array[_outer(ours, self.array)]

    def clear(self, box: Box) -> None:
        """Set the picked voxels of `box`, which the server does not have, to zero."""
        if self._fresh:
            return
        ours, _ = self._indices(box)
        self.array[ours if _plain(ours) else _outer(ours, self.array)] = 0

    def view(self, box: Box) -> Array | None:
        """The part of the array that is `box`, voxel for voxel; None where there is none."""
        whole = self.box
        if whole is None or not whole.contains(box):
            return None
        return self.array[(slice(None), *box.slices(whole.start))]

    def _indices(self, box: Box) -> tuple[tuple[Index, ...], tuple[Index, ...]]:
        channels = self.coordinates[0]
        pairs: list[tuple[Index, Index]] = [(slice(None), _channels(channels))]
        pairs += [
            _within(axis, a, b)
            for axis, a, b in zip(self.coordinates[1:], box.start, box.stop, strict=True)
        ]
        return tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)


def _channels(picked: Coordinates) -> Index:
    if isinstance(picked, range):
        return _span(picked.start, picked.step, len(picked))
    return picked


def _span(start: int, step: int, count: int) -> slice:
    """The slice of `count` places from `start` on; downward ones must not end at -1."""
    stop = start + step * count
    return slice(start, None if stop < 0 else stop, step)


def _within(picked: Coordinates, start: int, stop: int) -> tuple[Index, Index]:
    """Places of the picked coordinates in [start, stop), and where they lie in it."""
    if not isinstance(picked, range):
        places = np.flatnonzero((picked >= start) & (picked < stop))
        return places, picked[places] - start
    upward = picked if picked.step > 0 else picked[::-1]
    first = max(0, -((upward.start - start) // upward.step))
    last = min(len(upward), -((upward.start - stop) // upward.step))
    count = max(0, last - first)
    inside = upward[first : first + count]
    offset = inside.start - start if count else 0
    if picked.step > 0:
        return slice(first, first + count), _span(offset, picked.step, count)
    place = len(picked) - first - count
    final = offset + upward.step * (count - 1) if count else 0
    return slice(place, place + count), _span(final, picked.step, count)


def _plain(indices: tuple[Index, ...]) -> bool:
    return all(isinstance(index, slice) for index in indices)


def _arrays(indices: tuple[Index, ...], array: Array) -> list[Indices]:
    return [
        np.arange(extent)[index] if isinstance(index, slice) else index
        for index, extent in zip(indices, array.shape, strict=True)
    ]


def _outer(indices: tuple[Index, ...], array: Array) -> Any:
    return np.ix_(*_arrays(indices, array))


class Points:
    """Single voxels, grouped by the block that holds them.

    Parameters
    ----------
    coordinates : int array
        Shape (4, n): c, x, y, z of each point.
    grid : BlockGrid
        Where blocks begin.
    array : ndarray
        n values, to be filled.
    """

    def __init__(self, coordinates: Indices, grid: BlockGrid, array: Array) -> None:
        self._coordinates = coordinates
        self._grid = grid
        self.array = array
        block = coordinates[1:] // np.asarray(grid.block)[:, None]
        order = np.lexsort(block)
        found = block[:, order]
        starts = np.flatnonzero((found[:, 1:] != found[:, :-1]).any(axis=0)) + 1
        groups = np.split(order, starts) if order.size else []
        self.blocks: dict[Triple, Indices] = {triple(block[:, group[0]]): group for group in groups}

    def boxes(self, grid: BlockGrid) -> list[Box]:
        """The blocks that hold a point."""
        return [grid.block_box(block) for block in self.blocks]

    def place(self, box: Box, voxels: Array) -> None:
        """Pick the points that lie in `box`."""
        for block in self._grid.each(box):
            group = self.blocks.get(block)
            if group is not None:
                c, *xyz = self._coordinates[:, group]
                x, y, z = (axis - start for axis, start in zip(xyz, box.start, strict=True))
                self.array[group] = voxels[c, x, y, z]

    def clear(self, box: Box) -> None:
        """Points of `box`, which the server does not have, are zero."""
        for block in self._grid.each(box):
            if block in self.blocks:
                self.array[self.blocks[block]] = 0

    def view(self, box: Box) -> Array | None:
        """Points have no box of their own."""
        return None
