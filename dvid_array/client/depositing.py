"""One owner's work in a store: cast a part, write its blocks, read it back where that is wanted.

Owns what happens to one part, in whichever process or thread that is. Must not know who hands out
parts: nobody else may have blocks of this one.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dvid_array import casting
from dvid_array.box import BlockGrid, Box, Triple
from dvid_array.client import reading, writing
from dvid_array.client.picks import Grid
from dvid_array.client.posting import Posting
from dvid_array.client.volume import Volume
from dvid_array.errors import DvidWriteError
from dvid_array.owners import Owners, owners, resized
from dvid_array.protocol import voxels
from dvid_array.protocol.voxels import Array

MOST_BYTES = 64 << 20
"""Parts larger than this are divided, where chunks are not as large themselves: each thread of a
worker holds one, and the pieces that it is made of."""


@dataclass(frozen=True)
class Deposit:
    """How every part of a store is written. Picklable, as volumes are."""

    volume: Volume
    how: Posting
    """How blocks are posted."""
    sums: bool
    """Whether the checksum of each part is wanted."""
    verify: bool
    """Whether each part is read back and its checksum compared."""

    @property
    def cells(self) -> BlockGrid:
        """Where parts may be cut: into blocks, and of an ingest into families of them."""
        return self.how.cells(self.volume)

    def owners(self, start: Triple, chunks: Sequence[Sequence[int]], unaligned: str) -> Owners:
        """Who writes what of a source whose first voxel is at `start`, by its chunks along x, y, z.

        `unaligned` is what becomes of chunks that end inside blocks, a key of `owners.HOW`. Parts
        of "rechunk" hold what one post does, where chunks are smaller.
        """
        parts = owners(start, chunks, self.cells.block, unaligned)
        if unaligned != "rechunk":
            return parts
        most = max(math.prod(map(max, chunks)), MOST_BYTES // self.volume.voxel_bytes)
        return resized(parts, self.cells.block, min(most, self.how.most(self.volume)), most)

    def __call__(self, box: Box, values: Any) -> int:
        """Write a part; returns its checksum, or 0 where none is wanted.

        Raises
        ------
        DvidWriteError
            Whatever the fault was; it is in `.first`, and the part in `.part`.
        """
        try:
            return self._deposit(box, self._fitting(box, values))
        except DvidWriteError as error:
            error.part = box
            raise
        except Exception as error:
            told = writing.half_way(error, {box: writing.Fate.FAILED}, self.how)
            told.part = box
            raise told from error

    def _fitting(self, box: Box, values: Any) -> Array:
        kind = self.volume.instance.kind
        if np.shape(values) != (kind.channels, *box.shape):  # else one voxel could fill a block
            raise ValueError(
                f"a chunk of the source has shape {np.shape(values)} where its array says "
                f"{(kind.channels, *box.shape)}"
            )
        return casting.fitting(values, kind.dtype)

    def _deposit(self, box: Box, values: Array) -> int:
        kind = self.volume.instance.kind
        volume = _alone(self.volume)
        if not (self.sums or self.verify):
            writing.deposit(volume, _grid(box, values), self.how)
            return 0
        data = voxels.to_bytes(values, kind.dtype)
        ordered = voxels.from_bytes(data, box.shape, kind.dtype, kind.channels)
        writing.deposit(volume, _grid(box, ordered), self.how)
        checksum = zlib.crc32(data)
        if self.verify and checksum_of(volume, box) != checksum:
            raise DvidWriteError(
                f"what is read back of {box} is not what was stored: somebody else wrote there "
                "meanwhile, or it was damaged on its way. Store it again",
                failed=[box],
            )
        return checksum


def checksum_of(volume: Volume, box: Box) -> int:
    """The checksum of what the server has in a box."""
    kind = volume.instance.kind
    found = np.zeros((kind.channels, *box.shape), kind.dtype, order="F")
    reading.read_here(writing.as_stored(volume), box, found)
    return zlib.crc32(voxels.to_bytes(found, kind.dtype))


def _alone(volume: Volume) -> Volume:
    """The volume with one request in flight: it is the owners that run side by side."""
    settings = replace(volume.settings, threads=1)
    return replace(volume, transport=replace(volume.transport, settings=settings))


def _grid(box: Box, values: Array) -> Grid:
    spatial = (range(a, b) for a, b in zip(box.start, box.stop, strict=True))
    return Grid((range(values.shape[0]), *spatial), values)
