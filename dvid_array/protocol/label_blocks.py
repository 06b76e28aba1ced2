"""DVID's compressed label block: uint64 voxels as 8x8x8 sub-blocks with few labels each.

Owns the format, both ways, and the choice of an engine: numpy always, numba where it is
installed. Must not know gzip or frames, nor where a block lies.

All integers are little-endian; "ZYX" means x fastest.

    gx, gy, gz   3 uint32         sub-blocks along x, y, z
    N            uint32           labels of the block, at least one
    labels       N uint64         in any order; duplicates and unused ones are allowed
    -- a block of one label ends here --
    counts       gx*gy*gz uint16  labels of each sub-block, sub-blocks in ZYX order
    indices      uint32           for each sub-block its labels, as places in the block's list
    values       bytes            for each sub-block of n > 1 labels 512 numbers of
                                  ceil(log2(n)) bits, voxels in ZYX order, most significant first

Source: `datatype/common/labels/compressed.go`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache
from math import prod
from typing import Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from dvid_array.box import Triple, triple
from dvid_array.errors import DvidAlignmentError, DvidProtocolError, DvidTypeError
from dvid_array.protocol import label_numpy, voxels
from dvid_array.protocol.label_numpy import AT_ONCE, SIDE, SOUND, Bytes, Labels

Engine = Literal["auto", "numpy", "numba"]
Data = bytes | bytearray | memoryview

HEADER = struct.Struct("<IIII")
SOLID_BYTES = HEADER.size + 8
MAX_SIDE = 1024
"""Voxels along an axis that DVID allows."""
WORTH_COMPILING = 160**3
"""Voxels from which on it pays to load numba, which takes half a second: 16 blocks of 64³."""
MAX_UNASKED = 256**3
"""Voxels of a block that is decoded without a word on its size: 24 bytes may claim 8 GiB."""

FAULTS = (
    "",
    "it ends within its labels or counts",
    "a sub-block counts more than 512 labels",
    "its length does not fit the counts of its sub-blocks",
    "a sub-block names a label beyond the block's list",
    "a voxel names a label beyond its sub-block's list",
)
"""In words what the engines answer by number; see `label_numpy`."""


class _Engine(Protocol):
    """What the numpy path and the numba path both are."""

    def decode(self, data: Bytes, number: int, grid: Triple, out: Labels, /) -> int: ...

    def scan(self, voxels: Labels, /) -> tuple[NDArray[np.uint16], Labels, Bytes]: ...

    def number(self, entries: Labels, /) -> tuple[Labels, NDArray[np.uint32]]: ...


@cache
def _numba() -> _Engine | ImportError:
    """The compiled engine, or why there is none: importing a module that is missing is slow, so
    it is tried once. The import lock makes threads wait for one compilation."""
    try:
        from dvid_array.protocol import label_kernels
    except Exception as missing:  # a numba that does not fit its numpy or LLVM fails in many ways
        reason = ImportError(f"numba cannot be used: {missing}")
        reason.__cause__ = missing
        return reason
    return cast(_Engine, label_kernels)


def _engine(name: Engine) -> _Engine:
    if name == "numpy":
        return cast(_Engine, label_numpy)
    found = _numba()
    if not isinstance(found, ImportError):
        return found
    if name == "numba":
        raise found
    return cast(_Engine, label_numpy)


def engine_for(voxels: int) -> Engine:
    """The engine for so many voxels: numba, if it is loaded already or worth being loaded."""
    return "auto" if voxels >= WORTH_COMPILING or _numba.cache_info().currsize else "numpy"


def most_bytes(size: Triple) -> int:
    """Bytes that a block of so many voxels can have: 14 a voxel where each has its own label, and
    something for unused ones."""
    return 16 * prod(size) + 4096


def decode(
    data: Data,
    out: Labels | None = None,
    *,
    shape: Sequence[int] | None = None,
    where: str = "",
    engine: Engine = "auto",
) -> Labels:
    """The voxels of a block.

    Parameters
    ----------
    data : bytes-like
        One block, not gzipped.
    out : ndarray of uint64, optional
        Filled and returned: (x, y, z) of the block's size, any strides; fast where x is
        contiguous, as in a slice of a larger Fortran-ordered array. Its content is undefined
        after an error.
    shape : sequence of int, optional
        The size x, y, z that the block must have; `out` says it already.
    where : str, optional
        Which block this is, for messages.
    engine : {"auto", "numpy", "numba"}
        What computes; the voxels are the same. "auto" takes numba where it is installed.

    Returns
    -------
    ndarray of uint64
        (x, y, z), Fortran-ordered; sub-blocks without labels are 0.

    Raises
    ------
    DvidProtocolError
        For a block that is malformed in any way, or of another size than was asked for. Nothing
        is allocated before the header is checked.
    DvidTypeError
        Where `out` is not a writeable array of uint64.
    """
    array = np.frombuffer(data, np.uint8)
    expected = out.shape if out is not None else shape
    size, number = _header(array, None if expected is None else triple(expected), where)
    if out is None:
        out = np.empty(size, np.uint64, order="F")
    elif out.dtype != np.uint64 or not out.flags.writeable:
        raise DvidTypeError("label blocks are decoded into writeable arrays of uint64")
    if number == 1:
        if array.size != SOLID_BYTES:
            raise _malformed(where, f"{array.size} bytes of one label where 24 were expected")
        out[...] = array[HEADER.size :].view("<u8")[0]
        return out
    target = out if _runs_along_x(out) else np.empty(size, np.uint64, order="F")
    fault = _engine(engine).decode(array, number, _grid(size), target)
    if fault != SOUND:
        raise _malformed(where, FAULTS[fault])
    if target is not out:
        voxels.copy_tiled(target[None], out[None])
    return out


def _header(data: Bytes, expected: Triple | None, where: str) -> tuple[Triple, int]:
    """Size in voxels and number of labels, as far as a header can be checked."""
    if data.size < SOLID_BYTES:
        raise _malformed(where, f"it has {data.size} bytes, fewer than any block")
    gx, gy, gz, number = HEADER.unpack_from(data.data)
    size = (gx * SIDE, gy * SIDE, gz * SIDE)
    if not all(0 < n <= MAX_SIDE for n in size):
        raise _malformed(where, f"its size of {size} voxels is impossible")
    if expected is not None and size != expected:
        raise _malformed(where, f"it has {size} voxels where {expected} were expected")
    if expected is None and prod(size) > MAX_UNASKED:
        raise _malformed(
            where, f"it claims {size} voxels; pass shape= or out= if that is what it should have"
        )
    if number == 0:
        raise _malformed(where, "it has no labels")
    return size, number


def _malformed(where: str, why: str) -> DvidProtocolError:
    return DvidProtocolError(f"label block{' ' + where if where else ''} is malformed: {why}")


def _grid(size: Triple) -> Triple:
    return size[0] // SIDE, size[1] // SIDE, size[2] // SIDE


def _runs_along_x(array: Labels) -> bool:
    """Whether rows along x are contiguous and follow one another upwards in memory."""
    x, y, z = array.strides
    item = array.itemsize
    rising = x == item and y > 0 and z > 0 and y % item == 0 and z % item == 0
    return rising and array.flags.aligned


def encode(labels: Labels, *, engine: Engine = "auto") -> bytes:
    """A block of these voxels.

    Labels stand in the order in which a walk through the sub-blocks (ZYX) and the voxels of each
    (ZYX) meets them first, in the sub-blocks' lists and in the block's: equal voxels give equal
    bytes, whatever computes them. DVID's own list of a block is in random order.

    Parameters
    ----------
    labels : ndarray of uint64
        (x, y, z), multiples of 8 up to 1024, in any memory order.
    engine : {"auto", "numpy", "numba"}
        What computes; the bytes are the same.

    Returns
    -------
    bytes
        Not gzipped; 24 bytes where all voxels have one label.

    Raises
    ------
    DvidAlignmentError
        For a size that is no multiple of 8, or of an odd number of sub-blocks with several
        labels, which DVID cannot read.
    DvidTypeError
        For another dtype.
    """
    if labels.dtype != np.uint64 or labels.ndim != 3:
        raise DvidTypeError(
            f"label blocks hold three axes of uint64, not {labels.ndim} of {labels.dtype}"
        )
    size = triple(labels.shape)
    if not all(0 < n <= MAX_SIDE and n % SIDE == 0 for n in size):
        raise DvidAlignmentError(
            f"label blocks have multiples of 8 up to 1024 voxels along each axis, not {size}"
        )
    worker = _engine(engine)
    counts, entries, values = _scan(labels, worker)
    names, indices = worker.number(entries)
    grid = _grid(size)
    header = HEADER.pack(*grid, len(names))
    parts: list[bytes | memoryview] = [header, names.astype("<u8", copy=False).data]
    if len(names) > 1:
        if prod(grid) % 2:  # the uint32 behind an odd number of uint16 would not be aligned
            raise DvidAlignmentError(
                f"DVID reads no label block of {size} voxels: the number of its 8x8x8 sub-blocks "
                "is odd"
            )
        arrays = (counts.astype("<u2", copy=False), indices.astype("<u4", copy=False), values)
        parts += [array.data for array in arrays]
    return b"".join(parts)


def _scan(labels: Labels, engine: _Engine) -> tuple[NDArray[np.uint16], Labels, Bytes]:
    """`scan`, a few layers of sub-blocks at a time, so that working memory stays small."""
    nx, ny, nz = labels.shape
    step = SIDE * max(1, AT_ONCE // (nx * ny * SIDE))
    found = [engine.scan(_along_x(labels[:, :, z : z + step])) for z in range(0, nz, step)]
    if len(found) == 1:
        return found[0]
    counts, entries, values = zip(*found, strict=True)
    return np.concatenate(counts), np.concatenate(entries), np.concatenate(values)


def _along_x(labels: Labels) -> Labels:
    """The same voxels with rows along x contiguous, which the engines walk."""
    if _runs_along_x(labels):
        return labels
    copy = np.empty(labels.shape, np.uint64, order="F")
    voxels.copy_tiled(labels[None], copy[None])
    return copy
