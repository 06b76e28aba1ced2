"""A body as a mask: the blocks it touches, and its voxels among labels.

Owns the way from labels to a mask. Must not know requests.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dvid_array.box import EMPTY, BlockGrid, Box, triple
from dvid_array.client.picks import Target
from dvid_array.protocol import runs
from dvid_array.protocol.runs import Runs
from dvid_array.protocol.voxels import Array

Blocks = NDArray[np.int64]
"""Block coordinates x, y, z: shape (n, 3)."""


@dataclass(frozen=True, eq=False)
class Body:
    """Which body, and where its voxels are."""

    label: int
    """Its id; a supervoxel's, where labels are read before merges."""
    blocks: Blocks
    """The blocks it touches, as the server's index had them."""

    def rescaled(self, steps: int) -> Body:
        """The same body on the grid of coarser voxels (`steps` halvings), or of finer ones: there
        its blocks are all that may hold some of it."""
        if steps >= 0:
            return Body(self.label, np.unique(self.blocks >> steps, axis=0))
        size = 1 << -steps
        parts = np.indices((size, size, size)).reshape(3, -1).T
        return Body(self.label, (self.blocks[:, None] * size + parts).reshape(-1, 3))

    def boxes(self, wanted: Sequence[Box], grid: BlockGrid) -> list[Box]:
        """What some boxes share with these blocks, block by block."""
        found: list[Box] = []
        for box in wanted:
            touched = grid.blocks(box)
            inside = (self.blocks >= touched.start) & (self.blocks < touched.stop)
            own = self.blocks[inside.all(axis=1)]
            found += [grid.block_box(triple(block)).intersect(box) for block in own]
        return found


@dataclass(frozen=True)
class Matching:
    """A target that gets, in place of labels, whether they are one body's."""

    label: int
    target: Target

    def place(self, box: Box, voxels: Array) -> None:
        """Compare, and hand on."""
        self.target.place(box, voxels == np.uint64(self.label))

    def clear(self, box: Box) -> None:
        """What the server does not have is no body's."""
        self.target.clear(box)

    def view(self, box: Box) -> Array | None:
        """Labels must not land in a mask."""
        return None


@dataclass(frozen=True)
class Pieces:
    """A target that keeps one body's voxels as runs, cut at blocks. Those of a request that was
    tried again may come twice."""

    label: int
    runs: list[Runs] = field(default_factory=list)

    def place(self, box: Box, voxels: Array) -> None:
        """Keep the body's runs in `box`."""
        self.runs.append(runs.of_mask(voxels[0] == np.uint64(self.label), box.start))

    def clear(self, box: Box) -> None:
        """Nothing is there."""

    def view(self, box: Box) -> Array | None:
        """There is no memory to fill."""
        return None


@dataclass
class Hull:
    """A target that keeps nothing but the smallest box around one body's voxels."""

    label: int
    box: Box = EMPTY
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def place(self, box: Box, voxels: Array) -> None:
        """Widen the hull by the body's voxels in `box`."""
        found = voxels[0] == np.uint64(self.label)
        sides = [np.flatnonzero(found.any(axis=other)) for other in ((1, 2), (0, 2), (0, 1))]
        if not len(sides[0]):
            return
        first = Box(triple(s[0] for s in sides), triple(s[-1] + 1 for s in sides))
        with self._lock:
            self.box = self.box.hull(first.shifted(box.start))

    def clear(self, box: Box) -> None:
        """Nothing is there."""

    def view(self, box: Box) -> Array | None:
        """There is no memory to fill."""
        return None
