"""The part of a body that a call asks for. Must not know bodies.

Source: `dvid/volumes.go` (OptionalBounds), `datatype/common/labels/compressed.go` (writeRLEs).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvid_array.box import Triple
from dvid_array.devserver import geometry
from dvid_array.devserver.answers import InstanceCall, Refusal
from dvid_array.devserver.label_index import Blocks
from dvid_array.devserver.label_storage import Labels
from dvid_array.protocol.runs import SUB, Mask

Limits = tuple[int | None, int | None]


def _divided(value: int | None, edge: int) -> int | None:
    # DVID divides towards zero.
    return None if value is None else (abs(value) // edge) * (1 if value >= 0 else -1)


@dataclass(frozen=True, slots=True)
class Bounds:
    """First and last voxel along x, y, z, each of which may be open."""

    voxels: tuple[Limits, Limits, Limits]
    exact: bool = True
    """Whether voxels are cut, and not whole blocks."""

    @property
    def given(self) -> bool:
        """Whether there are any."""
        return any(limit is not None for limits in self.voxels for limit in limits)

    @property
    def cutting(self) -> bool:
        """Whether blocks are cut."""
        return self.given and self.exact

    def blocks_within(self, blocks: Blocks, edge: Triple) -> Blocks:
        """Those of some blocks that are within."""
        within = np.ones(len(blocks), bool)
        for axis, (low, high) in enumerate(self.voxels):
            first, last = _divided(low, edge[axis]), _divided(high, edge[axis])
            within &= first is None or blocks[:, axis] >= first
            within &= last is None or blocks[:, axis] <= last
        return blocks[within]

    def cut(self, mask: Mask, corner: Triple, labels: Labels) -> Mask:
        """A mask (x, y, z) of a block without what is outside.

        Along x DVID goes on to the end of a sub-block whose voxels all have one label, unless the
        whole block has one.
        """
        inside = mask.copy(order="F")
        for axis, (low, high) in enumerate(self.voxels):
            place = np.arange(mask.shape[axis]) + corner[axis]
            outside = np.zeros(len(place), bool)
            outside |= low is not None and place < low
            outside |= high is not None and place > high
            inside[(slice(None),) * axis + (outside,)] = False
        last = self.voxels[0][1]
        if last is not None and corner[0] <= last < corner[0] + mask.shape[0] - 1:
            self._overshoot(inside, mask, corner, labels)
        return inside

    def _overshoot(self, inside: Mask, mask: Mask, corner: Triple, labels: Labels) -> None:
        last = int(self.voxels[0][1] or 0) - corner[0]
        start = last // SUB * SUB
        if (labels == labels[0, 0, 0]).all():
            return
        slab = labels[start : start + SUB]
        parts = slab.reshape(SUB, slab.shape[1] // SUB, SUB, slab.shape[2] // SUB, SUB)
        uniform = (parts == parts[:1, :, :1, :, :1]).all(axis=(0, 2, 4))
        wide = uniform.repeat(SUB, 0).repeat(SUB, 1) & inside[last]
        inside[last + 1 : start + SUB] = wide & mask[last + 1 : start + SUB]


def read(call: InstanceCall, complaint: str) -> Bounds:
    """The bounds of a call's query; `complaint` is what DVID says of a wrong one, with a place for
    what is wrong."""
    found = []
    for axis in "xyz":
        texts = (call.query.get(f"min{axis}", ""), call.query.get(f"max{axis}", ""))
        try:
            low, high = (geometry.whole(text) if text else None for text in texts)
        except Refusal as bad:
            raise Refusal(400, complaint.format(bad.text)) from bad
        found.append((low, high))
    return Bounds((found[0], found[1], found[2]), call.query.get("exact") != "false")
