"""Integer boxes and the block grid, in x, y, z: half-open and signed.

Owns the geometry every other module speaks. Must not know arrays or DVID.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

Triple = tuple[int, int, int]


def triple(values: Iterable[int]) -> Triple:
    """Three plain integers out of anything that holds three."""
    x, y, z = (int(value) for value in values)
    return x, y, z


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """A half-open box of voxels; a box with `stop <= start` on an axis is empty."""

    start: Triple
    """Lower corner x, y, z."""
    stop: Triple
    """Upper corner x, y, z, exclusive."""

    def __str__(self) -> str:
        return " ".join(
            f"{axis} {a}..{b}" for axis, a, b in zip("xyz", self.start, self.stop, strict=True)
        )

    @classmethod
    def sized(cls, start: Iterable[int], size: Iterable[int]) -> Box:
        """The box of `size` voxels at `start`."""
        corner = triple(start)
        return cls(corner, triple(a + n for a, n in zip(corner, size, strict=True)))

    @property
    def shape(self) -> Triple:
        """Voxels along x, y, z; never negative."""
        return triple(max(0, b - a) for a, b in zip(self.start, self.stop, strict=True))

    @property
    def size(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

    @property
    def empty(self) -> bool:
        """Whether the box holds no voxel."""
        return self.size == 0

    def intersect(self, other: Box) -> Box:
        """The voxels in both; empty where they do not meet."""
        return Box(
            triple(map(max, self.start, other.start)), triple(map(min, self.stop, other.stop))
        )

    def hull(self, other: Box) -> Box:
        """The smallest box around both; an empty box adds nothing."""
        if self.empty or other.empty:
            return other if self.empty else self
        return Box(
            triple(map(min, self.start, other.start)), triple(map(max, self.stop, other.stop))
        )

    def contains(self, other: Box) -> bool:
        """Whether every voxel of `other` is in this box."""
        return other.empty or self.intersect(other) == other

    def shifted(self, offset: Iterable[int]) -> Box:
        """The same box moved by `offset`."""
        return Box.sized((a + d for a, d in zip(self.start, offset, strict=True)), self.shape)

    def slices(self, origin: Triple = (0, 0, 0)) -> tuple[slice, slice, slice]:
        """Slices of this box in an array whose first voxel is `origin`."""
        x, y, z = (
            slice(a - o, b - o) for a, b, o in zip(self.start, self.stop, origin, strict=True)
        )
        return x, y, z

    def without(self, inner: Box) -> list[Box]:
        """What is left when `inner` (inside this box) is cut out: at most six slabs."""
        if inner.empty:
            return [] if self.empty else [self]
        slabs: list[Box] = []
        start, stop = list(self.start), list(self.stop)
        for axis in (2, 1, 0):
            for low, high in ((start[axis], inner.start[axis]), (inner.stop[axis], stop[axis])):
                if low < high:
                    a, b = list(start), list(stop)
                    a[axis], b[axis] = low, high
                    slabs.append(Box(triple(a), triple(b)))
            start[axis], stop[axis] = inner.start[axis], inner.stop[axis]
        return slabs


EMPTY = Box((0, 0, 0), (0, 0, 0))


@dataclass(frozen=True, slots=True)
class BlockGrid:
    """The absolute grid of stored blocks: block (i, j, k) starts at voxel (i, j, k) * block."""

    block: Triple
    """Voxels of one block along x, y, z."""

    def blocks(self, box: Box) -> Box:
        """The block coordinates that `box` touches, as a box of blocks."""
        if box.empty:
            return EMPTY
        return Box(
            triple(a // n for a, n in zip(box.start, self.block, strict=True)),
            triple(-(-b // n) for b, n in zip(box.stop, self.block, strict=True)),
        )

    def voxels(self, blocks: Box) -> Box:
        """The voxels of a box of blocks."""
        return Box(
            triple(a * n for a, n in zip(blocks.start, self.block, strict=True)),
            triple(b * n for b, n in zip(blocks.stop, self.block, strict=True)),
        )

    def cover(self, box: Box) -> Box:
        """The voxels of every block that `box` touches."""
        return self.voxels(self.blocks(box))

    def inner(self, box: Box) -> Box:
        """The voxels of every block that lies whole inside `box`; `EMPTY` where none does."""
        inner = self.voxels(
            Box(
                triple(-(-a // n) for a, n in zip(box.start, self.block, strict=True)),
                triple(b // n for b, n in zip(box.stop, self.block, strict=True)),
            )
        )
        return EMPTY if inner.empty else inner

    def aligned(self, box: Box) -> bool:
        """Whether both corners lie on the grid."""
        return self.cover(box) == box

    def block_box(self, block: Triple) -> Box:
        """The voxels of one block."""
        return Box.sized((i * n for i, n in zip(block, self.block, strict=True)), self.block)

    def each(self, box: Box) -> Iterator[Triple]:
        """Block coordinates that `box` touches, x fastest."""
        touched = self.blocks(box)
        ranges = [range(a, b) for a, b in zip(touched.start, touched.stop, strict=True)]
        for z, y, x in product(*reversed(ranges)):
            yield x, y, z

    def count(self, box: Box) -> int:
        """How many blocks `box` touches."""
        return self.blocks(box).size
