"""Blocks that share a block of a coarser scale: how a post of labels leaves that scale right.

Owns where a piece is cut for it. Pure; must not know requests.

DVID computes a block of a coarser scale from those of its eight blocks that a post carries. Where
all that it carries of them is zero, it takes the others for zero too, whatever they hold. So
nothing that is all zero goes in a post of its own, unless it is a whole family or must erase.

Source: `setBlank` in `datatype/common/labels/compressed.go`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dvid_array.box import BlockGrid, Box
from dvid_array.protocol.voxels import Array

Filled = NDArray[np.bool_]
"""Which blocks of a piece hold anything, by their place x, y, z in it."""


def parts(array: Array, box: Box, grid: BlockGrid, scales: int) -> list[tuple[Box, bool]]:
    """Cut a piece of whole blocks into what is posted by itself.

    Parameters
    ----------
    array : array
        Its voxels (c, x, y, z).
    box : Box
        Where it lies.
    grid : BlockGrid
        Where blocks begin.
    scales : int
        How many coarser scales there are.

    Returns
    -------
    list of (Box, bool)
        Parts, and whether each holds anything; those that hold nothing come first, since what is
        posted later is right in the coarser scales.
    """
    if not scales:
        return [(box, True)]
    blocks = grid.blocks(box)
    filled = np.zeros(blocks.shape, bool)
    for place in np.ndindex(filled.shape):
        block = grid.block_box(tuple(np.add(place, blocks.start).tolist()))
        filled[place] = _holds(array[(slice(None), *block.slices(box.start))])
    found = [
        (grid.voxels(part), bool(_of(filled, part, blocks).any()))
        for part in _cut(filled, blocks, blocks, scales)
    ]
    return sorted(found, key=lambda part: part[1])


def _holds(voxels: Array) -> bool:
    """Whether any voxel is not zero; where many are not, a few of them tell."""
    return bool(voxels[:, ::8, ::8, ::8].any() or voxels.any())


def _cut(filled: Filled, whole: Box, part: Box, scale: int) -> Iterator[Box]:
    """Families of ever finer scales, until none is posted in part as nothing but zeros."""
    here = _of(filled, part, whole)
    if scale == 0 or not here.any() or not _loses(here, part, scale):
        yield part
        return
    for family in _meeting(part, scale):
        yield from _cut(filled, whole, part.intersect(family), scale - 1)


def _loses(here: Filled, part: Box, scale: int) -> bool:
    """Whether a family of any scale lies in a part with zeros only, and not as a whole."""
    return not here.all() and any(
        not part.contains(family) and not _of(here, part.intersect(family), part).any()
        for finer in range(1, scale + 1)
        for family in _meeting(part, finer)
    )


def _meeting(part: Box, scale: int) -> Iterator[Box]:
    """The families of a scale, as boxes of blocks, that share blocks with a part."""
    families = BlockGrid((1 << scale,) * 3)
    for family in families.each(part):
        yield families.block_box(family)


def _of(filled: Filled, part: Box, whole: Box) -> Filled:
    return filled[part.slices(whole.start)]
