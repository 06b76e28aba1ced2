"""Sparse volumes <-> arrays of runs: DVID's three formats of a body's voxels, both ways.

Owns the bytes of sparse volumes. Must not know which body they are of, or who asks.

Runs are an integer array of shape (n, 4): x, y, z of the first voxel, and the number of voxels
along x. DVID writes them unsorted and cuts them where it likes; `joined` puts them in order.

* ``rles``: 12 bytes of header with the number of runs, then int32 x, y, z, length each. A body
  without a run is an empty answer.
* ``srles``: the runs alone.
* ``blocks``: a header of the block's size and the label; of each block its first voxel and a flag,
  0 none, 1 all, 2 some of its voxels; for 2 a flag for each sub-block of 8 x 8 x 8, each 2 with a
  mask of 64 bytes: a byte is a row of 8 voxels along x, the first in the lowest bit.

Everything is little-endian, and blocks and sub-blocks run x fastest.

Source: `datatype/labelmap/labelidx.go` (writeLegacyRLE), `datatype/common/labels/compressed.go`
(WriteRLEs, WriteBinaryBlock).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from dvid_array.box import Triple
from dvid_array.errors import DvidProtocolError
from dvid_array.facts import COORDINATE_LIMIT

Runs = NDArray[np.int64]
Mask = NDArray[np.bool_]

RLES_HEADER = struct.Struct("<4sII")
RLES_KIND = b"\x00\x03\x00\x00"
"""No payload, three dimensions, runs along the first of them."""
RUN_BYTES = 16
BLOCKS_HEADER = struct.Struct("<IIIQ")
BLOCK_HEADER = struct.Struct("<iiiB")
SUB = 8
"""Voxels along each edge of a sub-block."""
MASK_BYTES = SUB**3 // 8
LATE_ERROR = re.compile(rb"[\s!-~]{8,}\Z")
"""The text of an error that came when the answer had begun."""
NONE, ALL, SOME = range(3)


def none() -> Runs:
    """No runs."""
    return np.empty((0, 4), np.int64)


# --- arrays --------------------------------------------------------------------------------------


def joined(runs: Runs) -> Runs:
    """The same voxels in order of z, y, x, and in as few runs as can be."""
    if not len(runs):
        return none()
    columns = np.ascontiguousarray(runs.T)
    x, y, z, length = columns[:, np.lexsort(columns[:3])]
    row = np.zeros(len(runs), np.int64)
    np.cumsum((y[1:] != y[:-1]) | (z[1:] != z[:-1]), out=row[1:])
    # rows moved apart, so that one running maximum serves them all
    apart = row * (np.ptp(x) + length.max() + 1)
    start = apart + x
    reach = np.maximum.accumulate(start + length)
    first = np.flatnonzero(np.concatenate(([True], start[1:] > reach[:-1])))
    stop = np.append(reach[first[1:] - 1], reach[-1]) - apart[first]
    return np.stack([x[first], y[first], z[first], stop - x[first]], axis=1)


def voxels(runs: Runs) -> Runs:
    """Coordinates x, y, z of each voxel, shape (n, 3)."""
    length = runs[:, 3]
    every = np.repeat(runs[:, :3], length, axis=0)
    first = np.repeat(np.cumsum(length) - length, length)
    every[:, 0] += np.arange(len(every)) - first
    return every


def of_mask(mask: Mask, start: Triple = (0, 0, 0)) -> Runs:
    """The runs of a mask (x, y, z) whose first voxel is `start`, in order of z, y, x. A mask in
    Fortran order is read as it lies."""
    rows = mask.T.reshape(-1, mask.shape[0]).view(np.uint8)
    row, x, length = _edges(rows)
    z, y = np.divmod(row, max(1, mask.shape[1]))
    found: Runs = np.stack([x, y, z, length], axis=1) + np.array((*start, 0))
    return found


def _edges(rows: NDArray[np.uint8]) -> tuple[NDArray[np.int64], ...]:
    """Row, first place and length of each run of ones in rows of zeros and ones."""
    count, width = rows.shape
    # a zero before each row and after the last: each run has two edges within the flat array
    flat = np.zeros(count * (width + 1) + 1, np.uint8)
    flat[:-1].reshape(count, width + 1)[:, 1:] = rows
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    row, first = np.divmod(edges[0::2], width + 1)
    return row, first, edges[1::2] - edges[0::2]


# --- rles, srles ---------------------------------------------------------------------------------


def decode_rles(data: bytes) -> Runs:
    """Runs of a body in format ``rles``, and of coarse ones.

    Raises
    ------
    DvidProtocolError
        Where the bytes are none.
    """
    if not data:
        return none()
    if len(data) < RLES_HEADER.size or data[:4] != RLES_KIND:
        raise _damaged(data, "does not begin with a header of runs")
    _, _, count = RLES_HEADER.unpack_from(data)
    if len(data) != RLES_HEADER.size + RUN_BYTES * count:
        raise _damaged(data, f"announces {count} runs and has {len(data)} bytes")
    return decode_srles(data[RLES_HEADER.size :])


def encode_rles(runs: Runs) -> bytes:
    """The bytes of `decode_rles`, with a header also where there is no run."""
    return RLES_HEADER.pack(RLES_KIND, 0, len(runs)) + encode_srles(runs)


def decode_srles(data: bytes) -> Runs:
    """Runs of a body in format ``srles``.

    Raises
    ------
    DvidProtocolError
        Where the bytes are none.
    """
    if len(data) % RUN_BYTES:
        raise _damaged(data, "ends within a run")
    runs: Runs = np.frombuffer(data, "<i4").reshape(-1, 4).astype(np.int64)
    wrong = (runs[:, 3] < 1) | (runs[:, 0] + runs[:, 3] - 1 > COORDINATE_LIMIT)
    if wrong.any():
        raise _damaged(data, f"holds the impossible run {tuple(runs[np.argmax(wrong)].tolist())}")
    return runs


def encode_srles(runs: Runs) -> bytes:
    """The bytes of `decode_srles`."""
    return runs.astype("<i4").tobytes()


# --- blocks --------------------------------------------------------------------------------------


def decode_blocks(data: bytes, label: int, block: Triple) -> Runs:
    """Runs of a body in format ``blocks``; none goes beyond its block.

    Parameters
    ----------
    data : bytes
        The whole answer.
    label : int
        The body it must be of.
    block : three integers
        Voxels of a block.

    Raises
    ------
    DvidProtocolError
        Where the bytes are none, or of other blocks.
    """
    if not data:
        return none()
    sizes = tuple(n // SUB for n in block)
    if data[: BLOCKS_HEADER.size] != BLOCKS_HEADER.pack(*sizes, label):
        raise _damaged(data, f"does not begin with blocks {block} of body {label}")
    found = [none()]
    solid: list[Triple] = []
    seen: set[Triple] = set()
    for corner, mask in _blocks(data, block):
        if corner in seen or any(a % n for a, n in zip(corner, block, strict=True)):
            raise _damaged(data, f"holds an impossible block at {corner}")
        seen.add(corner)
        if mask is None:
            solid.append(corner)
        else:
            found.append(of_mask(mask, corner))
    found.append(_solid(solid, block))
    return np.concatenate(found)


def _solid(corners: list[Triple], block: Triple) -> Runs:
    """Runs of whole blocks."""
    one = of_mask(np.ones(block, bool, order="F"))
    offsets = np.array(corners, np.int64).reshape(-1, 1, 3)
    moved = np.zeros((len(corners), len(one), 4), np.int64)
    moved[..., :3] = offsets
    return (moved + one).reshape(-1, 4)


def _blocks(data: bytes, block: Triple) -> Iterator[tuple[Triple, Mask | None]]:
    """First voxel and mask of each block that has voxels of the body; no mask where it has all."""
    place = BLOCKS_HEADER.size
    while place < len(data):
        if place + BLOCK_HEADER.size > len(data):
            raise _damaged(data[place:], "ends within a block's header")
        x, y, z, flag = BLOCK_HEADER.unpack_from(data, place)
        place += BLOCK_HEADER.size
        if flag > SOME:
            raise _damaged(data[place:], f"flags a block with {flag}")
        if flag == SOME:
            mask, place = _mask(data, place, block)
            yield (x, y, z), mask
        elif flag == ALL:
            yield (x, y, z), None


def _mask(data: bytes, place: int, block: Triple) -> tuple[Mask, int]:
    """The mask of a block whose sub-blocks begin at `place`, and where they end."""
    gx, gy, gz = (n // SUB for n in block)
    mixed, end = [], place + gx * gy * gz
    at = place
    # each mask moves the flags behind it, so only the masks are stepped over one by one
    while (at := data.find(SOME, at, end)) >= 0:
        mixed.append(at - place)
        at, end = at + 1 + MASK_BYTES, end + MASK_BYTES
    if end > len(data):
        raise _damaged(data[place:], "ends within a block")
    part = np.frombuffer(data, np.uint8, end - place, place)
    masks = np.array(mixed, np.intp)[:, None] + np.arange(1, MASK_BYTES + 1)
    flags = np.delete(part, masks.reshape(-1))
    if (flags > SOME).any():
        raise _damaged(data[place:], f"flags a sub-block with {flags.max()}")
    packed = np.zeros((len(flags), MASK_BYTES), np.uint8)
    packed[flags == ALL] = 255
    packed[flags == SOME] = part[masks]
    rows = packed.reshape(gz, gy, gx, SUB, SUB).transpose(0, 3, 1, 4, 2)
    rows = rows.reshape(gz * SUB, gy * SUB, gx)
    return np.unpackbits(rows, axis=-1, bitorder="little").view(np.bool_).T, end


def encode_blocks(
    label: int, block: Triple, masks: Iterable[tuple[Triple, Mask]]
) -> Iterator[bytes]:
    """The bytes of `decode_blocks` in pieces, one a block.

    Parameters
    ----------
    label : int
        The body.
    block : three integers
        Voxels of a block, multiples of 8.
    masks : iterable
        First voxel x, y, z and mask (x, y, z) of each block.
    """
    start = BLOCKS_HEADER.pack(*(n // SUB for n in block), label)
    for corner, mask in masks:
        whole = ALL if mask.all() else SOME if mask.any() else NONE
        header = start + BLOCK_HEADER.pack(*corner, whole)
        yield header + (_packed(mask) if whole == SOME else b"")
        start = b""


def _packed(mask: Mask) -> bytes:
    """Flags of a block's sub-blocks, each mixed one with its mask."""
    gx, gy, gz = (n // SUB for n in mask.shape)
    rows = np.packbits(mask.T, axis=-1, bitorder="little").reshape(gz, SUB, gy, SUB, gx)
    sub = rows.transpose(0, 2, 4, 1, 3).reshape(-1, MASK_BYTES)
    mixed = (sub != 255).any(axis=1) & (sub != 0).any(axis=1)
    flags = np.where(mixed, SOME, sub[:, 0] & 1)
    at = np.arange(len(flags)) + MASK_BYTES * (np.cumsum(mixed) - mixed)
    out: NDArray[np.uint8] = np.zeros(len(flags) + MASK_BYTES * int(mixed.sum()), np.uint8)
    out[at] = flags
    out[at[mixed][:, None] + np.arange(1, MASK_BYTES + 1)] = sub[mixed]
    return out.tobytes()


def _damaged(data: bytes, why: str) -> DvidProtocolError:
    late = LATE_ERROR.search(data[-500:])
    text = late[0].decode("ascii").strip() if late else ""
    told = f"; it ends with: {text!r}" if text else ""
    return DvidProtocolError(f"the server's sparse volume {why}{told}", sentence=text)
