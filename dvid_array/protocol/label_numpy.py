"""The inner loops of label blocks in numpy: what works everywhere. Only `label_blocks` uses this.

Owns the arithmetic of sub-blocks, a whole layer of them at a time. Must not know error classes:
a damaged block is answered by the number of its fault.

Source: `datatype/common/labels/compressed.go` (MakeLabelVolume, encodeBlock, getPackedValue).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Labels = NDArray[np.uint64]
Triple = tuple[int, int, int]

SIDE = 8
"""Voxels along each axis of a sub-block."""
VOXELS = SIDE**3
"""Voxels of a sub-block, and so the most labels that one can have."""
AT_ONCE = 64**3
"""Voxels handled at a time: large enough for numpy, small enough for a CPU's cache."""

SOUND, CUT, CROWDED, LENGTH, NO_LABEL, NO_ENTRY = range(6)
"""What `decode` answers: all is well, or what is wrong with the block."""

BITS = np.array([max(0, n - 1).bit_length() for n in range(VOXELS + 1)], np.uint8)
"""Bits of a voxel in a sub-block of n labels; 0 where a sub-block has no values."""


def decode(data: Bytes, number: int, grid: Triple, out: Labels) -> int:
    """Voxels of a block of several labels.

    Parameters
    ----------
    data : ndarray
        The whole block.
    number : int
        Labels of its list, as its header says.
    grid : tuple of int
        Sub-blocks along x, y, z, as its header says.
    out : ndarray
        Filled; (x, y, z) of the block's size, any strides.

    Returns
    -------
    int
        `SOUND`, or the fault; then `out` may be filled in part.
    """
    total = grid[0] * grid[1] * grid[2]
    counts_at = 16 + 8 * number
    indices_at = counts_at + 2 * total
    if indices_at > data.size:
        return CUT
    counts = data[counts_at:indices_at].view("<u2")
    if counts.max() > VOXELS:
        return CROWDED
    bits = BITS[counts]
    first, entries = _offsets(counts)
    at, length = _offsets(bits.astype(np.int64) * (VOXELS // 8))
    values_at = indices_at + 4 * entries
    if values_at + length != data.size:
        return LENGTH
    indices = data[indices_at:values_at].view("<u4")
    if entries and indices.max() >= number:
        return NO_LABEL
    table = data[16:counts_at].view("<u8")[indices]
    values = data[values_at:]
    step = layers(grid)
    for z in range(0, grid[2], step):
        part = slice(z * grid[0] * grid[1], (z + step) * grid[0] * grid[1])
        rows = _rows(values, table, counts[part], bits[part], first[part], at[part])
        if rows is None:
            return NO_ENTRY
        target = by_sub_block(out[:, :, z * SIDE : (z + step) * SIDE])
        np.copyto(target, rows.reshape(target.shape))
    return SOUND


def _offsets(sizes: NDArray[Any]) -> tuple[NDArray[np.int64], int]:
    """Where things of these sizes start when they follow one another, and where all end."""
    ends = np.cumsum(sizes, dtype=np.int64)
    return ends - sizes, int(ends[-1])


def layers(grid: Triple) -> int:
    """Layers of sub-blocks along z that are handled at a time."""
    return max(1, AT_ONCE // (grid[0] * grid[1] * VOXELS))


def by_sub_block(voxels: Labels) -> Labels:
    """A view (gz, gy, gx, 8, 8, 8) of voxels (x, y, z): sub-blocks and voxels in DVID's order."""
    nx, ny, nz = voxels.shape
    split = voxels.T.reshape(nz // SIDE, SIDE, ny // SIDE, SIDE, nx // SIDE, SIDE)
    return split.transpose(0, 2, 4, 1, 3, 5)


def _rows(
    values: Bytes,
    table: Labels,
    counts: NDArray[np.uint16],
    bits: Bytes,
    first: NDArray[np.int64],
    at: NDArray[np.int64],
) -> Labels | None:
    """Labels (sub-block, voxel); None where a voxel names none of its sub-block's labels."""
    rows = np.empty((counts.size, VOXELS), np.uint64)
    uniform = np.flatnonzero(bits == 0)
    known = uniform[counts[uniform] == 1]
    rows[uniform] = 0
    rows[known] = table[first[known], None]
    for width in range(1, 10):
        chosen = np.flatnonzero(bits == width)
        if not chosen.size:
            continue
        packed = values[at[chosen, None] + np.arange(width * (VOXELS // 8))]
        entry = _unpack(packed, width)
        if (entry.max(axis=1) >= counts[chosen]).any():
            return None
        rows[chosen] = table.take(entry + first[chosen, None])
    return rows


def _unpack(packed: Bytes, width: int) -> NDArray[Any]:
    """Numbers (sub-block, voxel) of `width` bits, most significant bit first.

    Eight numbers are `width` whole bytes, so that the n-th of each eight lies in the same bits
    of the same one or two bytes: eight short formulas, each for an eighth of all voxels.
    """
    rows = packed.reshape(-1, width)
    dtype: Any = np.uint8 if width <= 8 else np.uint16
    out = np.empty((len(rows), 8), dtype)
    for n in range(8):
        byte, skipped = divmod(n * width, 8)
        beyond = skipped + width - 8
        high = rows[:, byte].astype(dtype, copy=False) & dtype(0xFF >> skipped)
        if beyond <= 0:
            out[:, n] = high >> dtype(-beyond)
        else:
            out[:, n] = high << dtype(beyond) | rows[:, byte + 1] >> np.uint8(8 - beyond)
    return out.reshape(len(packed), VOXELS)


def scan(voxels: Labels) -> tuple[NDArray[np.uint16], Labels, Bytes]:
    """The distinct labels of each sub-block, and its voxels as packed numbers among them.

    Parameters
    ----------
    voxels : ndarray
        (x, y, z), multiples of 8.

    Returns
    -------
    counts, entries, values : ndarray
        How many labels each sub-block has; these labels, in the order in which they come first;
        the packed voxels of sub-blocks with two labels or more.
    """
    rows = by_sub_block(voxels).reshape(-1, VOXELS)
    mixed = (rows != rows[:, :1]).any(axis=1)
    counts = np.ones(len(rows), np.uint16)
    numbers, several, counts[mixed] = _distinct(rows[mixed])
    entries = np.empty(int(counts.sum(dtype=np.int64)), np.uint64)
    in_mixed = np.repeat(mixed, counts)
    entries[in_mixed] = several
    entries[~in_mixed] = rows[~mixed, 0]
    return counts, entries, _pack(numbers, BITS[counts[mixed]])


def _distinct(rows: Labels) -> tuple[NDArray[np.uint16], Labels, NDArray[np.int64]]:
    """Of each row: numbers instead of labels, the labels by first occurrence, how many."""
    order = np.argsort(rows, axis=1, kind="stable")
    ordered = np.take_along_axis(rows, order, axis=1)
    new = np.ones(rows.shape, bool)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=new[:, 1:])
    row = np.nonzero(new)[0]
    counts = np.bincount(row, minlength=len(rows))
    # a stable sort leaves the first of equal labels in front: its voxel decides their order
    by_voxel = np.argsort(row * VOXELS + order[new])
    rank = np.empty(len(row), np.uint16)
    rank[by_voxel] = np.arange(len(row)) - (np.cumsum(counts) - counts)[row]
    numbers = np.empty(rows.shape, np.uint16)
    group = np.cumsum(new.ravel()) - 1
    np.put_along_axis(numbers, order, rank[group].reshape(rows.shape), axis=1)
    return numbers, ordered[new][by_voxel], counts


def _pack(numbers: NDArray[np.uint16], bits: Bytes) -> Bytes:
    """The opposite of `_unpack`, rows of all widths in one string of bytes."""
    sizes = bits.astype(np.int64) * (VOXELS // 8)
    ends = np.cumsum(sizes)
    out = np.empty(int(sizes.sum()), np.uint8)
    for width in range(1, 10):
        chosen = np.flatnonzero(bits == width)
        if chosen.size:
            shifts = np.arange(width - 1, -1, -1, dtype=np.uint16)
            ones = (numbers[chosen, :, None] >> shifts).astype(np.uint8) & np.uint8(1)
            packed = np.packbits(ones.reshape(len(chosen), -1), axis=1)
            out[(ends - sizes)[chosen, None] + np.arange(packed.shape[1])] = packed
    return out


def number(entries: Labels) -> tuple[Labels, NDArray[np.uint32]]:
    """The distinct labels of all entries by first occurrence, and each entry's place among them."""
    labels, first, inverse = np.unique(entries, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(order), np.uint32)
    place[order] = np.arange(len(order), dtype=np.uint32)
    return labels[order], place[inverse]
