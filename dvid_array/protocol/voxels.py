"""Voxel bytes <-> arrays: DVID's raw layout, tiled gathers, and stored-block compressions.

Owns the meaning of bodies. Must not know which box of which server they belong to.

DVID writes voxels x fastest, then y, then z, with the values of one voxel interleaved and
little-endian: as an array with axes channel, x, y, z that is Fortran order.

Source: `datatype/imageblk/imageblk.go`, `dvid/serialize.go`, `datatype/labelmap/blocks.go`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from dvid_array.box import Triple
from dvid_array.errors import DvidProtocolError, DvidTypeError

Array = np.ndarray[Any, np.dtype[Any]]
Payload = bytes | bytearray | memoryview

TILE = 32
"""Edge of the tiles in which C order becomes Fortran order: two of them fit a CPU's cache."""
LONG_TILE = (128, 16, 16)
"""The same for Fortran order that becomes C order. Rows of 256 voxels, and of other powers of two,
share few lines of a cache; cubes are half as fast there as elsewhere, these tiles are not."""
ROW_BYTES = 32
MANY_BYTES = 1 << 15
"""Shorter rows and smaller arrays are not worth a second look at how they lie in memory."""


def from_bytes(data: Payload, size: Triple, dtype: np.dtype[Any], channels: int) -> Array:
    """View raw bytes as an array (channel, x, y, z), Fortran-ordered, without a copy."""
    shape = (channels, *size)
    expected = dtype.itemsize * channels * size[0] * size[1] * size[2]
    if len(data) != expected:
        raise DvidProtocolError(
            f"{len(data)} bytes of voxels came where {expected} were expected for {size}"
        )
    return np.frombuffer(data, dtype=dtype).reshape(shape, order="F")


def to_bytes(voxels: Array, dtype: np.dtype[Any]) -> memoryview:
    """The raw bytes of an array (channel, x, y, z): its own memory where that is in DVID's layout
    already, else a tiled copy."""
    if voxels.dtype == dtype and voxels.flags.f_contiguous:
        flat = voxels
    else:
        flat = np.empty(voxels.shape, dtype=dtype, order="F")
        copy_tiled(voxels, flat)
    return flat.reshape(-1, order="F").view(np.uint8).data


def copy_tiled(source: Array, target: Array) -> None:
    """`target[...] = source`, tile by tile where their memory orders differ.

    A plain copy between C and Fortran order walks one of them against its memory and is about
    ten times slower than a copy in tiles that fit the cache.
    """
    if _same_order(source, target) or source.size <= TILE**3:
        copy_rows(source, target)
        return
    edges = LONG_TILE if abs(source.strides[1]) < abs(source.strides[3]) else (TILE, TILE, TILE)
    steps = (range(0, extent, n) for extent, n in zip(source.shape[1:], edges, strict=True))
    for x, y, z in product(*steps):
        tile = (slice(None), *(slice(a, a + n) for a, n in zip((x, y, z), edges, strict=True)))
        np.copyto(target[tile], source[tile], casting="unsafe")


def copy_rows(source: Array, target: Array) -> None:
    """`target[...] = source` for arrays (channel, x, y, z) of one shape.

    Where both hold long rows along x in one piece, each row is copied as a single item: numpy
    spends about as much on every short run of voxels as on copying it.
    """
    if source.dtype == target.dtype and source.nbytes >= MANY_BYTES:
        rows_there, rows_here = _rows(source), _rows(target)
        if rows_there is not None and rows_here is not None:
            source, target = rows_there, rows_here
    np.copyto(target, source, casting="unsafe")


def _rows(array: Array) -> Array | None:
    """A view (z, y, 1) whose items are whole rows along x; None where they are short or lie in
    pieces."""
    channels, x, y, z = array.shape
    size = channels * x * array.itemsize
    whole = array.strides[1] == channels * array.itemsize
    if not whole or (channels > 1 and array.strides[0] != array.itemsize) or size < ROW_BYTES:
        return None
    return array.T.reshape(z, y, x * channels).view(f"V{size}")


def _same_order(a: Array, b: Array) -> bool:
    def rising(array: Array) -> list[int]:
        axes = [axis for axis in range(array.ndim) if array.shape[axis] > 1]
        return sorted(axes, key=lambda axis: abs(array.strides[axis]))

    return rising(a) == rising(b)


def _lz4(data: Payload, size: int) -> bytes:
    from lz4 import block

    return bytes(block.decompress(data, uncompressed_size=size))


def _lz4_sized(data: Payload, size: int) -> bytes:
    announced = int.from_bytes(data[:4], "little")
    if announced != size:
        raise ValueError(f"a block of {size} bytes announces {announced}")
    return _lz4(memoryview(data)[4:], size)


def _gzip(data: Payload, size: int) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    out = stream.decompress(data, size + 1)
    if not stream.eof or stream.unused_data:
        raise ValueError("gzip data ends early or holds more than one block")
    return out


def _jpeg(data: Payload, size: int) -> bytes:
    from io import BytesIO

    try:
        from PIL import Image
    except ImportError as missing:
        raise DvidTypeError(
            "this volume stores JPEG blocks: install Pillow (pip install 'dvid_array[fast]')"
        ) from missing
    with Image.open(BytesIO(data), formats=("JPEG",)) as picture:
        if picture.width * picture.height != size:
            raise ValueError(f"a picture of {picture.size} where {size} voxels were expected")
        return picture.convert("L").tobytes()


def _plain(data: Payload, size: int) -> bytes:
    return bytes(data)


def _jpeg_or_plain(data: Payload, size: int) -> bytes:
    """Plain voxels may begin as a JPEG does, but then they fill the block."""
    framed = bytes(data[:3]) == b"\xff\xd8\xff" and bytes(data[-2:]) == b"\xff\xd9"
    return _jpeg(data, size) if framed or len(data) != size else _plain(data, size)


DECODERS: dict[str, Callable[[Payload, int], bytes]] = {
    "none": _plain,
    "gzip": _gzip,
    "lz4": _lz4_sized,
    "lz4 bare": _lz4,
    "proxied": _jpeg_or_plain,
}
"""How stored blocks are decoded: image blocks announce their size before lz4 data, label bodies
do not ("bare"); a GridStore proxy hands on the JPEG or plain bytes of its own store."""


def decode(codec: str, data: Payload, size: int) -> bytes:
    """`size` bytes of voxels out of a compressed body.

    Raises
    ------
    DvidProtocolError
        Where the data is damaged or holds another number of bytes. No more than `size` bytes
        are ever allocated.
    """
    try:
        out = DECODERS[codec](data, size)
    except DvidTypeError:
        raise
    except Exception as damage:  # every codec has errors of its own
        raise DvidProtocolError(f"a block of {codec} data is damaged: {damage}") from damage
    if len(out) != size:
        raise DvidProtocolError(f"a block of {codec} data holds {len(out)} bytes, not {size}")
    return out


def encode_lz4(data: Payload, *, sized: bool) -> bytes:
    """LZ4 of a body; `sized` puts the number of bytes in front, as stored image blocks have it."""
    from lz4 import block

    return bytes(block.compress(data, store_size=sized))
