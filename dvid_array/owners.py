"""Chunks of a source -> owners of blocks: cuts on the target's grid, so that every block has one
owner.

Owns where a box is cut. Pure; must not know dask, arrays or servers.

Two writers of one block lose voxels, since each of them reads it, patches it and posts all of it.
So a source is cut where the target's blocks begin, on the absolute grid, and whoever gets a part
is the only one who writes its blocks. Only the faces of the whole box may lie inside blocks.

Chunks are often no size for a post: planes of an image stack become slabs of a block's thickness,
too large for a worker, and chunks of a few blocks would be posted one by one. So parts of chunks
that are cut anew anyway have a size of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, product

from dvid_array.box import Box, Triple, triple
from dvid_array.errors import DvidAlignmentError

Cuts = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Owners:
    """A box cut into the boxes of owners."""

    edges: tuple[Cuts, Cuts, Cuts]
    """Where parts begin along x, y, z, and where the last one ends."""

    @property
    def counts(self) -> Triple:
        """Parts along x, y, z."""
        return triple(len(cuts) - 1 for cuts in self.edges)

    @property
    def lengths(self) -> tuple[Cuts, ...]:
        """Lengths of the parts along x, y, z, as dask writes chunks."""
        return tuple(tuple(b - a for a, b in pairwise(cuts)) for cuts in self.edges)

    def box(self, place: Sequence[int]) -> Box:
        """The box of the part at a place, counted from 0 along x, y, z."""
        along = [cuts[n : n + 2] for cuts, n in zip(self.edges, place, strict=True)]
        return Box(triple(a for a, _ in along), triple(b for _, b in along))

    def each(self) -> Iterator[tuple[Triple, Box]]:
        """Every part, x fastest."""
        for z, y, x in product(*(range(n) for n in reversed(self.counts))):
            yield (x, y, z), self.box((x, y, z))

    def __len__(self) -> int:
        return math.prod(self.counts)


def owners(start: Triple, chunks: Sequence[Sequence[int]], block: Triple, how: str) -> Owners:
    """Cut a source, placed somewhere, into parts that share no block.

    Parameters
    ----------
    start : three integers
        Coordinates x, y, z of the source's first voxel.
    chunks : three sequences of int
        Lengths of the source's chunks along x, y, z.
    block : three integers
        Voxels of a block.
    how : str
        A key of `HOW`.
    """
    x, y, z = (
        HOW[how](list(accumulate(lengths, initial=a)), n, axis)
        for axis, a, lengths, n in zip("xyz", start, chunks, block, strict=True)
    )
    return Owners((x, y, z))


def resized(parts: Owners, block: Triple, least: int, most: int) -> Owners:
    """Parts that are neither too small for a post nor too large for a worker's memory.

    Parameters
    ----------
    parts : Owners
        What is cut where blocks begin.
    block : three integers
        Voxels of a block.
    least, most : int
        Voxels: parts are joined in pairs while that makes none larger than `least`, and halved
        while one is larger than `most`, down to a block.
    """
    edges = [list(cuts) for cuts in parts.edges]
    while 2 * _largest(edges) <= least and max(map(len, edges)) > 2:
        several = [axis for axis in range(3) if len(edges[axis]) > 2]
        axis = min(several, key=lambda axis: _longest(edges[axis]))
        edges[axis] = [*edges[axis][:-1:2], edges[axis][-1]]
    while _largest(edges) > most:
        halved = [_halved(cuts, n) for cuts, n in zip(edges, block, strict=True)]
        several = [axis for axis in range(3) if halved[axis] != edges[axis]]
        if not several:
            break
        axis = max(several, key=lambda axis: _longest(edges[axis]) / block[axis])
        edges[axis] = halved[axis]
    x, y, z = map(tuple, edges)
    return Owners((x, y, z))


def _longest(cuts: Sequence[int]) -> int:
    return max(b - a for a, b in pairwise(cuts))


def _largest(edges: Sequence[Sequence[int]]) -> int:
    """Voxels of the largest part."""
    return math.prod(map(_longest, edges))


def _halved(cuts: list[int], block: int) -> list[int]:
    """The longest parts of an axis in two, where a block begins in them."""
    longest = _longest(cuts)
    middles = {_middle(a, b, block) for a, b in pairwise(cuts) if b - a == longest}
    return sorted({*cuts, *middles})


def _middle(start: int, stop: int, block: int) -> int:
    """Where a block begins about half way; `start` or `stop` where none does between them."""
    middle = (start + stop) // 2 // block * block
    return middle if middle > start else min(middle + block, stop)


def _rechunk(edges: list[int], block: int, axis: str) -> Cuts:
    """Each cut moves to the nearest beginning of a block, so parts stay about as large as the
    chunks, and at least a block."""
    return _within(edges, ((2 * edge + block) // (2 * block) * block for edge in edges[1:-1]))


def _merge(edges: list[int], block: int, axis: str) -> Cuts:
    """Chunks keep what is whole in them; a row of blocks that a cut divides is a part of its
    own."""
    around = ((edge - edge % block, edge + -edge % block) for edge in edges[1:-1])
    return _within(edges, (edge for pair in around for edge in pair))


def _error(edges: list[int], block: int, axis: str) -> Cuts:
    """Cuts must lie where blocks begin."""
    inside = [edge for edge in edges if edge % block and edges[0] < edge < edges[-1]]
    if inside:
        raise DvidAlignmentError(
            f"a chunk of axis {axis} ends at {inside[0]}, inside a block (of {block} voxels), so "
            "two writers would share it: rechunk the source, or leave on_unaligned='rechunk'"
        )
    return _within(edges, edges)


def _within(edges: list[int], wanted: Iterator[int] | list[int]) -> Cuts:
    start, stop = edges[0], edges[-1]
    return (start, *sorted({edge for edge in wanted if start < edge < stop}), stop)


HOW: dict[str, Callable[[list[int], int, str], Cuts]] = {
    "rechunk": _rechunk,
    "merge": _merge,
    "error": _error,
}
"""What `on_unaligned` may be."""
