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
    blocks = grid.blocks(box)
    each = math.prod(grid.block)
    wish = max(-(-blocks.size // pieces), -(-SMALL_VOXELS // each))
    step = _step(blocks.shape, min(voxels, PARALLEL_VOXELS) // each, wish)
    starts = (range(a, b, n) for a, b, n in zip(blocks.start, blocks.stop, step, strict=True))
    for z, y, x in product(*reversed(list(starts))):
        piece = Box.sized((x, y, z), step).intersect(blocks)
        yield grid.voxels(piece).intersect(box)


def _step(shape: Triple, most: int, wish: int) -> Triple:
    """Blocks a slab spans: all of x before y before z, within `most` and `wish`."""
    room = max(1, min(most, wish))
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


def requests(
    wanted: Sequence[Box], grid: BlockGrid, *, voxels: int, pieces: int, scatter: bool
) -> list[Request]:
    """The requests that fetch some boxes.

    Parameters
    ----------
    wanted : sequence of Box
        Boxes that share no block.
    grid : BlockGrid
        Where blocks begin.
    voxels, pieces : int
        As in `slabs`.
    scatter : bool
        Whether the server takes lists of blocks.
    """
    count = sum(grid.count(box) for box in wanted)
    if scatter and len(wanted) > 1 and count < DENSE_BLOCKS * len(wanted):
        return scattered([block for box in wanted for block in grid.each(box)], grid, voxels=voxels)
    share = -(-pieces // max(1, len(wanted)))
    return [
        Request(piece) for box in wanted for piece in slabs(box, grid, voxels=voxels, pieces=share)
    ]


def scattered(blocks: Sequence[Triple], grid: BlockGrid, *, voxels: int) -> list[Request]:
    """Requests for single blocks."""
    most = max(1, min(SCATTERED_BLOCKS, min(voxels, PARALLEL_VOXELS) // math.prod(grid.block)))
    return [
        Request(_hull(part, grid), tuple(part))
        for part in (blocks[n : n + most] for n in range(0, len(blocks), most))
    ]


def _hull(blocks: Sequence[Triple], grid: BlockGrid) -> Box:
    corners = np.asarray(blocks)
    return grid.voxels(Box(triple(corners.min(axis=0)), triple(corners.max(axis=0) + 1)))
