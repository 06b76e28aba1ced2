"""A region of interest over an array: the blocks it touches, and its voxels among others.

Owns the way from blocks of a region to voxels of any scale. Must not know requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dvid_array.box import EMPTY, BlockGrid, Box, Triple, triple
from dvid_array.client.picks import Target
from dvid_array.protocol import spans
from dvid_array.protocol.spans import Mask, Spans
from dvid_array.protocol.voxels import Array


@dataclass(frozen=True, eq=False)
class Region:
    """Blocks at a version, on a grid of their own. Picklable, and the same in every process."""

    name: str
    """The instance."""
    block: Triple
    """Voxels of one of its blocks along x, y, z, at scale 0."""
    spans: Spans
    """Its blocks."""
    halvings: int = 0
    """How often the voxels of scale 0 it is laid over are halved: those of an image's coarser
    instance are longer, and call themselves scale 0 too."""

    @property
    def token(self) -> tuple[object, ...]:
        """What names its voxels."""
        return "region", self.block, self.halvings, self.spans.tobytes()

    def halved(self, steps: int) -> Region:
        """The same region over voxels that are 2^steps as long."""
        return replace(self, halvings=self.halvings + steps)

    @property
    def box(self) -> Box:
        """The smallest box of voxels around it."""
        return BlockGrid(self.block).voxels(spans.hull(self.spans))

    def boxes(self, wanted: Sequence[Box], grid: BlockGrid, scale: int = 0) -> list[Box]:
        """What some boxes share with the blocks of an array that the region touches: boxes one
        block wide in y and z.

        Parameters
        ----------
        wanted : sequence of Box
            In voxels of the array's scale.
        grid : BlockGrid
            The array's blocks.
        scale : int
            The array's scale.
        """
        block = triple(n << scale + self.halvings for n in grid.block)
        touched = spans.regrid(self._near(wanted, scale), self.block, block)
        found: list[Box] = []
        for box in wanted:
            for z, y, first, last in spans.clip(touched, grid.blocks(box)).tolist():
                row = grid.voxels(Box((first, y, z), (last + 1, y + 1, z + 1)))
                found.append(row.intersect(box))
        return found

    def _near(self, wanted: Sequence[Box], scale: int) -> Spans:
        """Its blocks around some boxes: a read of a small part need not move all of them to
        another grid."""
        around = EMPTY
        for box in wanted:
            around = around.hull(box)
        corners = ((n << scale + self.halvings for n in end) for end in (around.start, around.stop))
        near = Box(*(triple(corner) for corner in corners))
        return spans.clip(self.spans, BlockGrid(self.block).blocks(near))

    def mask(self, box: Box, scale: int = 0) -> Mask:
        """A boolean array (x, y, z) of a box of voxels, Fortran-ordered. A voxel of a coarser scale
        is in the region when its first voxel is."""
        places = [
            (np.arange(a, b, dtype=np.int64) << scale + self.halvings) // n
            for a, b, n in zip(box.start, box.stop, self.block, strict=True)
        ]
        if box.empty:
            return np.zeros(box.shape, bool)
        blocks = Box(
            triple(place[0] for place in places), triple(place[-1] + 1 for place in places)
        )
        found = spans.mask(self.spans, blocks).T
        # z last: by then whole planes are copied
        for axis, place in zip((2, 1, 0), places, strict=True):
            found = found.take(place - place[0], axis=axis)
        return found.T


@dataclass(frozen=True)
class Inside:
    """A target that gets the voxels of a region, and zeros elsewhere."""

    region: Region
    scale: int
    target: Target

    def place(self, box: Box, voxels: Array) -> None:
        """Hand on what is inside."""
        inside = self.region.mask(box, self.scale)
        if not inside.all():
            shown = np.zeros_like(voxels)
            np.copyto(shown, voxels, where=inside)
            voxels = shown
        self.target.place(box, voxels)

    def clear(self, box: Box) -> None:
        """What the server does not have is zero inside too."""
        self.target.clear(box)

    def view(self, box: Box) -> Array | None:
        """Voxels must not land past the mask."""
        return None
