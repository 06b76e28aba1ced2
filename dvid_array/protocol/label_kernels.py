"""The inner loops of label blocks, compiled by numba. Only `label_blocks` imports this, lazily.

Owns speed. Must not know error classes, and must answer what `label_numpy` answers, byte for byte.

Importing compiles the kernels or loads them from numba's cache: their signatures are written out,
so that nothing is compiled later, and the import lock serves for threads. Positions are unsigned,
since numba counts a negative index from the end and that test would keep LLVM from joining byte
loads into words.

Eight voxels of a row are `bits` whole bytes: one load of a big-endian word and eight shifts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import int64, njit, types, void
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from dvid_array.protocol.label_numpy import (
    CROWDED,
    CUT,
    LENGTH,
    NO_ENTRY,
    NO_LABEL,
    SIDE,
    SOUND,
    VOXELS,
    Bytes,
    Labels,
    Triple,
)

F = TypeVar("F", bound=Callable[..., Any])

U1, U2, U4, U8 = (
    types.Array(item, 1, "C") for item in (types.uint8, types.uint16, types.uint32, types.uint64)
)
I4 = types.Array(types.int32, 1, "C")
READ_U1 = types.Array(types.uint8, 1, "C", readonly=True)
READ_U8 = types.Array(types.uint64, 1, "C", readonly=True)

SLOTS = 1024
"""Hash slots for the labels of one sub-block: at most half are taken."""
GOLDEN = 0x9E3779B97F4A7C15
"""2**64 over the golden ratio: multiplied with it, near labels come to lie far apart."""


def compiled(signature: Any) -> Callable[[F], F]:
    """`njit` that keeps its result on disk, or in memory where no folder can be written or what
    was kept is damaged."""

    def wrap(function: F) -> F:
        try:
            return njit(signature, nogil=True, cache=True)(function)  # type: ignore[no-any-return]
        except Exception:
            return njit(signature, nogil=True)(function)  # type: ignore[no-any-return]

    return wrap


def inlined(function: F) -> F:
    """`njit` of a helper that is copied into its callers."""
    return njit(inline="always")(function)  # type: ignore[return-value]


def _flat(array: Labels) -> tuple[Labels, int, int]:
    """The memory an x-contiguous array spans as one axis, and the items from row to row and from
    plane to plane in it."""
    (nx, ny, nz), (_, y, z) = array.shape, (stride // 8 for stride in array.strides)
    span = nx + (ny - 1) * y + (nz - 1) * z
    return as_strided(array, (span,), (8,)), y, z


def decode(data: Bytes, number: int, grid: Triple, out: Labels) -> int:
    """As `label_numpy.decode`; `out` has contiguous rows along x."""
    flat, sy, sz = _flat(out)
    return int(_decode(data, number, *grid, flat, sy, sz))


def scan(voxels: Labels) -> tuple[NDArray[np.uint16], Labels, Bytes]:
    """As `label_numpy.scan`; `voxels` have contiguous rows along x."""
    flat, sy, sz = _flat(voxels)
    gx, gy, gz = (n // SIDE for n in voxels.shape)
    total = gx * gy * gz
    counts = np.empty(total, np.uint16)
    entries = np.empty(total * VOXELS, np.uint64)
    values = np.empty(total * 9 * (VOXELS // 8) + 8, np.uint8)  # words are stored whole
    ends = np.empty(2, np.uint64)
    _scan(flat, sy, sz, gx, gy, gz, counts, entries, values, ends)
    return counts, entries[: int(ends[0])], values[: int(ends[1])]


def number(entries: Labels) -> tuple[Labels, NDArray[np.uint32]]:
    """As `label_numpy.number`."""
    indices = np.empty(len(entries), np.uint32)
    labels = np.empty(len(entries), np.uint64)
    slots = np.full(1 << (2 * len(entries)).bit_length(), -1, np.int32)
    found = int(_number(entries, indices, slots, labels))
    return labels[:found], indices


@inlined
def _little(data: Bytes, at: int, size: int) -> Any:
    word = np.uint64(0)
    for k in range(size):
        word |= np.uint64(data[np.uint64(at + k)]) << np.uint64(8 * k)
    return word


@inlined
def _big(data: Bytes, at: Any) -> Any:
    return (
        np.uint64(data[at + np.uint64(7)])
        | np.uint64(data[at + np.uint64(6)]) << np.uint64(8)
        | np.uint64(data[at + np.uint64(5)]) << np.uint64(16)
        | np.uint64(data[at + np.uint64(4)]) << np.uint64(24)
        | np.uint64(data[at + np.uint64(3)]) << np.uint64(32)
        | np.uint64(data[at + np.uint64(2)]) << np.uint64(40)
        | np.uint64(data[at + np.uint64(1)]) << np.uint64(48)
        | np.uint64(data[at]) << np.uint64(56)
    )


@inlined
def _big_at_end(data: Bytes, at: int) -> Any:
    """`_big` where fewer than eight bytes are left."""
    word = np.uint64(0)
    for k in range(data.shape[0] - at):
        word |= np.uint64(data[np.uint64(at + k)]) << np.uint64(56 - 8 * k)
    return word


@inlined
def _bits(n: int) -> int:
    bits = 0
    while (1 << bits) < n:
        bits += 1
    return bits


@compiled(void(U8, types.uint64, int64, int64, types.uint64))
def _fill(out: Labels, base: Any, sy: int, sz: int, label: Any) -> None:
    for r in range(64):
        row = base + np.uint64((r >> 3) * sz + (r & 7) * sy)
        for x in range(8):
            out[row + np.uint64(x)] = label


@compiled(types.boolean(READ_U1, int64, int64, U8, U8, types.uint64, int64, int64))
def _unpack(
    data: Bytes, at: int, n: int, table: Labels, out: Labels, base: Any, sy: int, sz: int
) -> bool:
    """Voxels of one sub-block of `n` labels; False where one is beyond them."""
    bits = _bits(n)
    width = np.uint64(bits)
    mask = np.uint64((1 << bits) - 1)
    last = np.uint64(n - 1)
    borrow = np.uint64(0)
    for r in range(64):
        row = base + np.uint64((r >> 3) * sz + (r & 7) * sy)
        word = _big(data, np.uint64(at)) if at + 8 <= data.shape[0] else _big_at_end(data, at)
        shift = np.uint64(64)
        for x in range(7):
            shift -= width
            entry = (word >> shift) & mask
            borrow |= last - entry  # the highest bit is set where entry > last
            out[row + np.uint64(x)] = table[entry]
        if bits < 9:
            entry = (word >> (shift - width)) & mask
        else:  # 72 bits: the last eight are in the ninth byte
            entry = (word & np.uint64(1)) << np.uint64(8) | np.uint64(data[np.uint64(at + 8)])
        borrow |= last - entry
        out[row + np.uint64(7)] = table[entry]
        at += bits
    return bool(borrow >> np.uint64(63) == np.uint64(0))


@compiled(int64(READ_U1, int64, int64, int64, int64, U8, int64, int64))
def _decode(
    data: Bytes, number: int, gx: int, gy: int, gz: int, out: Labels, sy: int, sz: int
) -> int:
    size = data.shape[0]
    total = gx * gy * gz
    counts_at = 16 + 8 * number
    indices_at = counts_at + 2 * total
    if indices_at > size:
        return CUT
    entries = 0
    length = 0
    for i in range(total):
        n = int64(_little(data, counts_at + 2 * i, 2))
        if n > VOXELS:
            return CROWDED
        entries += n
        length += 64 * _bits(n)
    at = indices_at + 4 * entries
    if at + length != size:
        return LENGTH
    table = np.zeros(VOXELS, np.uint64)
    sound = True
    for i in range(total):
        n = int64(_little(data, counts_at + 2 * i, 2))
        table[0] = 0
        for k in range(n):
            index = int64(_little(data, indices_at, 4))
            if index >= number:
                return NO_LABEL
            table[k] = _little(data, 16 + 8 * index, 8)
            indices_at += 4
        x, y, z = i % gx, i // gx % gy, i // (gx * gy)
        base = np.uint64(8 * (z * sz + y * sy + x))
        if n < 2:
            _fill(out, base, sy, sz, table[0])
        else:
            sound &= _unpack(data, at, n, table, out, base, sy, sz)
            at += 64 * _bits(n)
    return SOUND if sound else NO_ENTRY


@compiled(types.uint64(READ_U8, types.uint64, int64, int64, types.uint32, U4, U8, types.uint64, U2))
def _collect(
    voxels: Labels,
    base: Any,
    sy: int,
    sz: int,
    turn: Any,
    slots: NDArray[np.uint32],
    entries: Labels,
    found: Any,
    numbers: NDArray[np.uint16],
) -> Any:
    """The labels of one sub-block behind the `found` ones in `entries`, its voxels as `numbers`
    among them; how many. A slot holds a label's number and the `turn` it was taken in, so that
    slots need no clearing between sub-blocks."""
    n = np.uint64(0)
    current = np.uint64(0)
    label = ~voxels[base]
    for r in range(64):
        row = base + np.uint64((r >> 3) * sz + (r & 7) * sy)
        to = np.uint64(8 * r)
        change = np.uint64(0)
        for x in range(8):
            change |= voxels[row + np.uint64(x)] ^ label
        if change == np.uint64(0):  # most rows go on with the label before them
            for x in range(8):
                numbers[to + np.uint64(x)] = current
            continue
        for x in range(8):
            here = voxels[row + np.uint64(x)]
            if here != label:
                label = here
                slot = (label * np.uint64(GOLDEN)) >> np.uint64(54)
                while True:
                    held = slots[slot]
                    if held >> np.uint32(10) != turn:
                        slots[slot] = turn << np.uint32(10) | np.uint32(n)
                        entries[found + n] = label
                        current = n
                        n += np.uint64(1)
                        break
                    current = np.uint64(held & np.uint32(1023))
                    if entries[found + current] == label:
                        break
                    slot = (slot + np.uint64(1)) & np.uint64(SLOTS - 1)
            numbers[to + np.uint64(x)] = current
    return n


@compiled(void(U2, types.uint64, U1, types.uint64))
def _pack(numbers: NDArray[np.uint16], width: Any, values: Bytes, at: Any) -> None:
    for r in range(64):
        row = np.uint64(8 * r)
        word = np.uint64(0)
        for x in range(7):
            word = word << width | np.uint64(numbers[row + np.uint64(x)])
        last = np.uint64(numbers[row + np.uint64(7)])
        if width < np.uint64(9):
            word = (word << width | last) << (np.uint64(64) - np.uint64(8) * width)
        else:
            word = word << np.uint64(1) | last >> np.uint64(8)
        for k in range(8):  # what is too much, the next row overwrites
            values[at + np.uint64(k)] = (word >> np.uint64(56 - 8 * k)) & np.uint64(255)
        if width == np.uint64(9):
            values[at + np.uint64(8)] = last & np.uint64(255)
        at += width


@compiled(void(READ_U8, int64, int64, int64, int64, int64, U2, U8, U1, U8))
def _scan(
    voxels: Labels,
    sy: int,
    sz: int,
    gx: int,
    gy: int,
    gz: int,
    counts: NDArray[np.uint16],
    entries: Labels,
    values: Bytes,
    ends: Labels,
) -> None:
    slots = np.zeros(SLOTS, np.uint32)
    numbers = np.empty(VOXELS, np.uint16)
    found = np.uint64(0)
    at = np.uint64(0)
    for i in range(gx * gy * gz):
        x, y, z = i % gx, i // gx % gy, i // (gx * gy)
        base = np.uint64(8 * (z * sz + y * sy + x))
        n = _collect(voxels, base, sy, sz, np.uint32(i + 1), slots, entries, found, numbers)
        counts[i] = n
        found += n
        if n > np.uint64(1):
            width = np.uint64(_bits(int64(n)))
            _pack(numbers, width, values, at)
            at += np.uint64(64) * width
    ends[0] = found
    ends[1] = at


@compiled(int64(READ_U8, U4, I4, U8))
def _number(
    entries: Labels, indices: NDArray[np.uint32], slots: NDArray[np.int32], labels: Labels
) -> int:
    """`slots` holds -1, and is a power of two larger than twice the entries."""
    mask = np.uint64(slots.shape[0] - 1)
    found = 0
    for i in range(entries.shape[0]):
        label = entries[i]
        mixed = label * np.uint64(GOLDEN)
        slot = (mixed ^ mixed >> np.uint64(32)) & mask
        while True:
            held = slots[slot]
            if held < 0:
                slots[slot] = found
                labels[found] = label
                indices[i] = found
                found += 1
                break
            if labels[held] == label:
                indices[i] = held
                break
            slot = (slot + np.uint64(1)) & mask
    return found
