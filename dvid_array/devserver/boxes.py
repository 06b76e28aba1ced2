"""Boxes of voxels out of stored blocks, and blocks out of boxes. Must not know HTTP, nor which type
the voxels are.

A box is assembled one layer of blocks at a time, since raw voxels lie layer by layer: so the memory
of an answer is one layer, however large the box.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from dvid_array.box import BlockGrid, Box, Triple
from dvid_array.devserver.answers import Piece
from dvid_array.devserver.blocks import Volume
from dvid_array.devserver.encoding import array
from dvid_array.devserver.instances import Instance
from dvid_array.devserver.store import Db, Store
from dvid_array.errors import DvidProtocolError
from dvid_array.protocol.voxels import Array, Payload, to_bytes


class Codec(Protocol):
    """How the blocks of an instance are stored."""

    @property
    def instance(self) -> Instance:
        """Whose blocks."""

    def stored(self, voxels: Array, /) -> bytes:
        """What is stored of a block's voxels (channel, x, y, z)."""

    def voxels(self, stored: Payload, /) -> Array:
        """The voxels (channel, x, y, z) of a stored block."""


class Region(Protocol):
    """What voxels are masked by."""

    def holds(self, block: Triple, /) -> bool:
        """Whether a block is inside."""


def assemble(db: Db, volume: Volume, codec: Codec, box: Box, region: Region | None = None) -> Array:
    """The voxels of a box as an array (channel, x, y, z), Fortran-ordered; 0 where none are, and
    the background of one-byte voxels in stored blocks outside of a region."""
    kind = codec.instance.kind
    out: np.ndarray[Any, np.dtype[Any]] = np.zeros(
        (kind.channels, *box.shape), dtype=kind.dtype, order="F"
    )
    grid = BlockGrid(codec.instance.block)
    for block, stored in volume.box(db, grid.blocks(box)):
        whole = grid.block_box(block)
        part = whole.intersect(box)
        target = (slice(None), *part.slices(box.start))
        if region is not None and not region.holds(block):
            out[target] = codec.instance.facts["background"] if kind.dtype.itemsize == 1 else 0
            continue
        try:
            voxels = codec.voxels(stored)
        except DvidProtocolError:
            # A damaged block reads as zeros, as in DVID.
            continue
        np.copyto(out[target], voxels[(slice(None), *part.slices(whole.start))])
    return out


def raw(
    store: Store, volume: Volume, codec: Codec, box: Box, region: Region | None = None
) -> Iterator[Piece]:
    """The raw bytes of a box, one layer of blocks after another."""
    depth = codec.instance.block[2]
    (x, y, z), (x1, y1, stop) = box.start, box.stop
    with store.reading() as db:
        while z < stop:
            end = min((z // depth + 1) * depth, stop)
            layer = assemble(db, volume, codec, Box((x, y, z), (x1, y1, end)), region)
            yield to_bytes(layer, layer.dtype)
            z = end


def cut(instance: Instance, data: Payload, box: Box) -> Iterator[tuple[Triple, Array]]:
    """The blocks of an aligned box's raw bytes."""
    if box.empty:
        # DVID takes sizes with two negative numbers, and stores nothing.
        return
    voxels = array(instance, data, box.shape)
    grid = BlockGrid(instance.block)
    for block in grid.each(box):
        inside = grid.block_box(block).slices(box.start)
        yield block, voxels[(slice(None), *inside)]


def stored(
    codec: Codec, data: Payload, box: Box, region: Region | None = None
) -> list[tuple[Triple, bytes]]:
    """The blocks of an aligned box's raw bytes as they are stored, those of a region only."""
    return [
        (block, codec.stored(voxels))
        for block, voxels in cut(codec.instance, data, box)
        if region is None or region.holds(block)
    ]
