"""Stored bytes of blocks: how they are made when written, and read back. Must not know where they
are kept.

Blocks are stored as DVID stores them, so that they can be sent as they are. Those of labels have a
codec of their own, in `label_storage`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from dvid_array.box import Triple
from dvid_array.devserver.instances import Instance
from dvid_array.protocol import voxels
from dvid_array.protocol.voxels import Array, Payload


def gzipped(data: Payload, level: int = -1) -> bytes:
    """A gzip member."""
    stream = zlib.compressobj(level, zlib.DEFLATED, 31)
    return stream.compress(data) + stream.flush()


def _jpeg(data: Payload, width: int) -> bytes:
    from PIL import Image

    picture = Image.frombytes("L", (width, len(data) // width), bytes(data))
    out = BytesIO()
    picture.save(out, "JPEG", quality=80)
    return out.getvalue()


_ENCODERS: dict[str, Callable[[Payload, int], bytes]] = {
    "none": lambda data, level: bytes(data),
    "lz4": lambda data, level: voxels.encode_lz4(data, sized=True),
    "gzip": gzipped,
    "jpeg": _jpeg,
}
_DECODER = {"jpeg": "proxied"}
"""Where the dialect calls a codec otherwise: JPEG blocks are also what a proxied store hands on."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How the blocks of one instance are stored."""

    instance: Instance
    """Whose blocks."""

    @property
    def name(self) -> str:
        """The codec's name among the dialect's."""
        stored: str = self.instance.facts["compression"]
        return "jpeg" if self.instance.facts["gridstore"] else stored

    @property
    def block_bytes(self) -> int:
        """Bytes of one block of voxels."""
        x, y, z = self.instance.block
        kind = self.instance.kind
        return x * y * z * kind.dtype.itemsize * kind.channels

    def encode(self, block: Payload) -> bytes:
        """What is stored of a block's voxels."""
        return _ENCODERS[self.name](block, self.instance.facts["level"])

    def decode(self, stored: Payload) -> bytes:
        """The voxels of a stored block."""
        return voxels.decode(_DECODER.get(self.name, self.name), stored, self.block_bytes)

    def stored(self, block: Array) -> bytes:
        """What is stored of a block's voxels (channel, x, y, z)."""
        return self.encode(voxels.to_bytes(block, self.instance.kind.dtype))

    def voxels(self, stored: Payload) -> Array:
        """The voxels (channel, x, y, z) of a stored block."""
        return array(self.instance, self.decode(stored), self.instance.block)


def array(instance: Instance, data: Payload, size: Triple) -> Array:
    """Raw voxels as an array (channel, x, y, z)."""
    return voxels.from_bytes(data, size, instance.kind.dtype, instance.kind.channels)
