"""Boxes -> the few large requests that fetch them. Pure; must not know sockets.

DVID answers fastest when a request is a slab of whole blocks, as wide as the volume in x and y and
one block thick; beyond 256³ voxels it answers one request at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from dvid_array.box import BlockGrid, Box, Triple, triple
from dvid_array.facts import PARALLEL_VOXELS
from dvid_array.selection import Coordinates

SMALL_VOXELS = 128**3
"""Pieces are not made smaller than this for the sake of keeping all threads busy."""
SCATTERED_BLOCKS = 2000
"""Block coordinates in one request: far below DVID's longest URL."""
DENSE_BLOCKS = 8
"""Boxes with fewer blocks than this, on average, are asked for block by block in one request."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request for voxels: of a box, or of single blocks."""

    box: Box
    """Voxels wanted; for single blocks the hull of them."""
    blocks: tuple[Triple, ...] = ()
    """Block coordinates, where they lie scattered."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the requests of one read may be."""

    voxels: int
    """Largest request."""
    pieces: int
    """As many are made, if they do not become too small, so that they can run at once."""
    scatter: bool
    """Whether the server takes lists of blocks."""


def slabs(box: Box, grid: BlockGrid, *, voxels: int, pieces: int = 1) -> Iterator[Box]:
    """Cut a box on the block grid into slabs of at most `voxels`, but at least one block.

    Parameters
    ----------
    box : Box
        Any box; the pieces are cut where the grid cuts, and fill it exactly.
    grid : BlockGrid
        Where blocks begin.
    voxels : int
        Largest piece.
    pieces : int
        As many pieces are made, if they do not become too small, so that they can run at once.
    """
    if box.empty:
        return
    blocks, step = grid.blocks(box), _step(box, grid, voxels, pieces)
    starts = (range(a, b, n) for a, b, n in zip(blocks.start, blocks.stop, step, strict=True))
    for z, y, x in product(*reversed(list(starts))):
        piece = Box.sized((x, y, z), step).intersect(blocks)
        yield grid.voxels(piece).intersect(box)


def _step(box: Box, grid: BlockGrid, voxels: int, pieces: int) -> Triple:
    """Blocks a slab spans: all of x before y before z."""
    shape, each = grid.blocks(box).shape, math.prod(grid.block)
    wish = max(-(-math.prod(shape) // pieces), -(-SMALL_VOXELS // each))
    room = max(1, min(min(voxels, PARALLEL_VOXELS) // each, wish))
    x = min(shape[0], room)
    y = min(shape[1], room // x) if x == shape[0] else 1
    z = min(shape[2], room // (x * y)) if y == shape[1] else 1
    return x, max(1, y), max(1, z)


def runs(coordinates: Coordinates, block: int) -> list[tuple[int, int]]:
    """Hulls (start, stop) of the coordinates that lie in blocks next to one another."""
    if len(coordinates) == 0:
        return []
    if isinstance(coordinates, range) and abs(coordinates.step) <= block:
        ends = coordinates[0], coordinates[-1]
        return [(min(ends), max(ends) + 1)]
    values = np.unique(np.asarray(coordinates, dtype=np.int64))
    cuts = np.flatnonzero(np.diff(values // block) > 1) + 1
    return [(int(part[0]), int(part[-1]) + 1) for part in np.split(values, cuts)]


def boxes(spatial: Sequence[Coordinates], grid: BlockGrid) -> list[Box]:
    """The boxes that hold all picked voxels, and touch no block without one."""
    along = [runs(axis, n) for axis, n in zip(spatial, grid.block, strict=True)]
    return [
        Box(triple(a for a, _ in corner), triple(b for _, b in corner))
        for corner in product(*along)
    ]


def requests(wanted: Sequence[Box], grid: BlockGrid, terms: Terms) -> list[Request]:
    """The requests that fetch some boxes, which share no block."""
    if terms.scatter and _lie_scattered(wanted, grid):
        blocks = [block for box in wanted for block in grid.each(box)]
        return scattered(blocks, grid, voxels=terms.voxels)
    pieces = _share(terms.pieces, wanted)
    return [
        Request(piece)
        for box in wanted
        for piece in slabs(box, grid, voxels=terms.voxels, pieces=pieces)
    ]


def number(wanted: Sequence[Box], grid: BlockGrid, terms: Terms) -> int:
    """How many requests `requests` makes, which may be more than fit the memory."""
    if terms.scatter and _lie_scattered(wanted, grid):
        return -(-_count(wanted, grid) // _most_scattered(grid, terms.voxels))
    pieces = _share(terms.pieces, wanted)
    found = 0
    for box in wanted:
        if not box.empty:
            shape, step = grid.blocks(box).shape, _step(box, grid, terms.voxels, pieces)
            found += math.prod(-(-n // by) for n, by in zip(shape, step, strict=True))
    return found


def _lie_scattered(wanted: Sequence[Box], grid: BlockGrid) -> bool:
    return len(wanted) > 1 and _count(wanted, grid) < DENSE_BLOCKS * len(wanted)


def _count(wanted: Sequence[Box], grid: BlockGrid) -> int:
    return sum(grid.count(box) for box in wanted)


def _share(pieces: int, wanted: Sequence[Box]) -> int:
    """Pieces that each of some boxes is cut into."""
    return -(-pieces // max(1, len(wanted)))


def _most_scattered(grid: BlockGrid, voxels: int) -> int:
    """Single blocks in one request."""
    return max(1, min(SCATTERED_BLOCKS, min(voxels, PARALLEL_VOXELS) // math.prod(grid.block)))


def scattered(blocks: Sequence[Triple], grid: BlockGrid, *, voxels: int) -> list[Request]:
    """Requests for single blocks."""
    most = _most_scattered(grid, voxels)
    return [
        Request(_hull(part, grid), tuple(part))
        for part in (blocks[n : n + most] for n in range(0, len(blocks), most))
    ]


def _hull(blocks: Sequence[Triple], grid: BlockGrid) -> Box:
    corners = np.asarray(blocks)
    return grid.voxels(Box(triple(corners.min(axis=0)), triple(corners.max(axis=0) + 1)))
