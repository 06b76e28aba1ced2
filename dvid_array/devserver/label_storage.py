"""Label blocks as they are stored: DVID's own compressed blocks, gzipped. Must not know where they
are kept.

A block holds supervoxels. To show bodies, its list of labels is replaced before it is decoded, as
in DVID: the voxels need not be looked at.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dvid_array.devserver.encoding import gzipped
from dvid_array.devserver.instances import Instance
from dvid_array.errors import DvidProtocolError
from dvid_array.protocol import label_blocks
from dvid_array.protocol.voxels import Array, Payload, encode_lz4, to_bytes

Labels = np.ndarray[Any, np.dtype[np.uint64]]
Relabel = Callable[[Labels], Labels]

LEVEL = 1
"""Of gzip: higher levels cost more than they save."""
LIST = struct.Struct("<12xI")
"""Where a block says how many labels its list has."""
BYTES_A_VOXEL = 16
"""A block with a label of its own for each voxel has fewer."""


@dataclass(frozen=True, slots=True)
class LabelCodec:
    """How the label blocks of one instance are stored, and shown."""

    instance: Instance
    """Whose blocks."""
    relabel: Relabel | None = None
    """Supervoxels -> what is shown instead; None shows them as they are."""

    def stored(self, voxels: Array) -> bytes:
        """What is stored of a block's voxels (1, x, y, z)."""
        return gzipped(label_blocks.encode(voxels[0]), LEVEL)

    def voxels(self, stored: Payload) -> Array:
        """The labels (1, x, y, z) of a stored block."""
        return self.labels(stored)[None]

    def labels(self, stored: Payload) -> Labels:
        """The labels (x, y, z) of a stored block.

        Raises
        ------
        DvidProtocolError
            Where the block is damaged.
        """
        return label_blocks.decode(self._shown(stored), shape=self.instance.block)

    def _shown(self, stored: Payload) -> bytes | bytearray:
        block = unpacked(stored, self.instance)
        if self.relabel is None:
            return block
        shown = bytearray(block)
        (count,) = LIST.unpack_from(shown)
        if LIST.size + 8 * count > len(shown):
            raise DvidProtocolError("a label block ends within its labels")
        names = np.frombuffer(shown, "<u8", count, LIST.size)
        names[:] = self.relabel(names)
        return shown

    def block(self, stored: bytes) -> bytes:
        """A stored block as `compression=blocks` has it."""
        return stored if self.relabel is None else gzipped(self._shown(stored), LEVEL)

    def lz4(self, stored: bytes) -> bytes:
        """The voxels of a stored block, packed without their size."""
        return encode_lz4(self.plain(stored), sized=False)

    def gzip(self, stored: bytes) -> bytes:
        """The voxels of a stored block, gzipped."""
        return gzipped(self.plain(stored), LEVEL)

    def plain(self, stored: bytes) -> memoryview:
        """The voxels of a stored block."""
        return to_bytes(self.voxels(stored), self.instance.kind.dtype)


def unpacked(stored: Payload, instance: Instance) -> bytes:
    """A gzipped block; no more is unpacked than a block can have.

    Raises
    ------
    DvidProtocolError
        Where it is damaged, or too long.
    """
    x, y, z = instance.block
    limit = BYTES_A_VOXEL * x * y * z + 4096
    stream = zlib.decompressobj(wbits=31)
    try:
        block = stream.decompress(stored, limit)
    except zlib.error as bad:
        raise DvidProtocolError(f"gzip data is damaged: {bad}") from bad
    if stream.unused_data:
        raise DvidProtocolError("gzip: invalid header")
    if not stream.eof:
        raise DvidProtocolError("unexpected EOF" if not stream.unconsumed_tail else "too long")
    return block
