"""Blocks -> chunks for computing: whole blocks, of a size that a task is worth.

Owns the choice of chunks. Pure; must not know dask, xarray or servers.

A chunk that cuts blocks makes the server read and send them again for each neighbour, so sizes are
rounded up to whole blocks, and cuts fall on the absolute grid: for a window that begins inside a
block the first chunk is short.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from dvid_array.selection import integer

AUTO_BYTES = 16 << 20
"""Chunks grow until they hold this: 256³ of uint8, 128³ of uint64."""
LARGEST_AUTO_BYTES = 64 << 20
"""What they may hold where the volume is so large that there would be many of them."""
MANY = 100_000
"""More chunks than this are many: dask takes 10 s for each step of a computation on them."""
AXES = "cxyz"

SIZE = re.compile(r"(\d+\.?\d*(?:e\d{1,2})?|\.\d+)\s*(?:([kmgtp])(i?))?b?")
"""64 MiB and its like, in small letters."""

Lengths = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BlockedAxes:
    """What chunks are cut from: an array's place on the grid of blocks."""

    start: tuple[int, ...]
    """Coordinates c, x, y, z of position 0."""
    shape: tuple[int, ...]
    """Length of each axis."""
    block: tuple[int, ...]
    """Block of each axis; all channels are one."""
    itemsize: int
    """Bytes of an element."""


def chunks(wish: Any, grid: BlockedAxes) -> tuple[Lengths, ...]:
    """Chunk lengths of every axis.

    Parameters
    ----------
    wish : "auto", int, bytes as "64 MiB", sequence or mapping
        For all axes, one for each of c, x, y, z, or by axis name (or number). Of one axis: "auto",
        a number of voxels (rounded up to blocks), -1 or None for all of it, or a tuple of lengths,
        which is taken as it is.
    grid : BlockedAxes
        What is cut.
    """
    wishes = _by_axis(wish, grid)
    sizes = {_bytes(one) for one in wishes if isinstance(one, str) and one != "auto"}
    if len(sizes) > 1:
        raise ValueError(f"chunks={wish!r}: a chunk has one size in bytes")
    given = next(iter(sizes), None)
    target = AUTO_BYTES if given is None else given
    cut = _chunks(wishes, grid, target)
    while given is None and target < LARGEST_AUTO_BYTES and count(cut) > MANY:
        target *= 2
        cut = _chunks(wishes, grid, target)
    return cut


def _chunks(wishes: Sequence[Any], grid: BlockedAxes, target: int) -> tuple[Lengths, ...]:
    sizes = _grown(wishes, grid, target)
    return tuple(
        _explicit(one, axis, grid)
        if isinstance(one, tuple | list)
        else _cut(axis, sizes[axis], grid)
        for axis, one in enumerate(wishes)
    )


def _by_axis(wish: Any, grid: BlockedAxes) -> list[Any]:
    if isinstance(wish, Mapping):
        if unknown := set(wish) - {*AXES, *range(4)}:
            raise ValueError(f"chunks of {unknown}: the axes are c, x, y, z, or 0 to 3")
        return [wish.get(name, wish.get(axis, "auto")) for axis, name in enumerate(AXES)]
    if isinstance(wish, Sequence) and not isinstance(wish, str):
        if len(wish) != 4:
            raise ValueError(f"chunks={wish!r}: one for each of the axes c, x, y, z")
        return list(wish)
    return [wish] * 4


def _bytes(text: str) -> int:
    """64 MiB and its like, in bytes."""
    found = SIZE.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"chunks={text!r}: write a size as '64 MiB', or 'auto'")
    number, prefix, binary = found.groups()
    power = " kmgtp".index(prefix or " ")
    return max(1, int(float(number) * (1024 if binary else 1000) ** power))


def _grown(wishes: Sequence[Any], grid: BlockedAxes, target: int) -> list[int]:
    """Chunk sizes: what was asked for, in whole blocks; free axes grow evenly to the target."""
    sizes = [
        block if isinstance(one, str) else _snapped(one, extent, block)
        for one, extent, block in zip(wishes, grid.shape, grid.block, strict=True)
    ]
    free = [axis for axis in (1, 2, 3) if isinstance(wishes[axis], str)]
    while free and 2 * math.prod(sizes) * grid.itemsize <= target:
        growing = [axis for axis in free if sizes[axis] < grid.shape[axis]]
        if not growing:
            break
        sizes[min(growing, key=lambda axis: sizes[axis])] *= 2
    return sizes


def _snapped(one: Any, extent: int, block: int) -> int:
    if isinstance(one, tuple | list):
        return max(1, *map(integer, one))
    if one is None or integer(one) == -1:
        return max(1, extent)
    if integer(one) < 1:
        raise ValueError(f"chunks={one!r}: a chunk has at least one voxel")
    return -(-integer(one) // block) * block


def _cut(axis: int, size: int, grid: BlockedAxes) -> Lengths:
    """Lengths of `size` that end on the absolute grid of blocks."""
    start, extent, block = grid.start[axis], grid.shape[axis], grid.block[axis]
    if size >= extent:
        return (extent,)
    first = size - start % block
    edges = [0, *range(first, extent, size), extent]
    return tuple(b - a for a, b in pairwise(edges))


def _explicit(lengths: Sequence[int], axis: int, grid: BlockedAxes) -> Lengths:
    made = tuple(integer(length) for length in lengths)
    if sum(made) != grid.shape[axis] or min(made, default=0) < 0:
        raise ValueError(
            f"chunks {made} of axis {AXES[axis]} do not make up its {grid.shape[axis]} voxels"
        )
    return made


def count(cut: Sequence[Lengths]) -> int:
    """How many chunks there are."""
    return math.prod(len(lengths) for lengths in cut)


def whole_blocks(cut: Sequence[Lengths], grid: BlockedAxes) -> Lengths:
    """The chunk of each axis that is as long as the longest of some chunks, in whole blocks."""
    return tuple(
        -(-max(lengths, default=1) // block) * block
        for lengths, block in zip(cut, grid.block, strict=True)
    )


def over_read(cut: Sequence[Lengths], grid: BlockedAxes) -> float:
    """How often each block is read, on average, when every chunk is read once."""
    times = 1.0
    for axis, lengths in enumerate(cut):
        edges = [grid.start[axis]]
        for length in lengths:
            edges.append(edges[-1] + length)
        block = grid.block[axis]
        touched = sum(-(-b // block) - a // block for a, b in pairwise(edges) if b > a)
        whole = -(-edges[-1] // block) - edges[0] // block
        times *= touched / whole if whole else 1.0
    return times
