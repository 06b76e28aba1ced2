"""Label blocks the slow and plain way: what both engines are held to.

Written from the format alone, one sub-block after the other and with numpy's own unpacking of bits;
shares no code with the package.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import ceil, log2

import numpy as np

VECTOR = bytes.fromhex(
    "02000000 02000000 02000000 03000000 0000000000000000 0500000000000000 0900000000000000"
    "0300 0100 0100 0100 0100 0100 0100 0100 00000000 01000000 02000000"
    + "00000000" * 6
    + "02000000 18"
    + "00" * 126
    + "01"
)
"""A block that a DVID has read: 16³ voxels."""


def vector_voxels() -> np.ndarray:
    """The voxels of `VECTOR`."""
    voxels = np.zeros((16, 16, 16), np.uint64, order="F")
    voxels[1, 0, 0] = voxels[7, 7, 7] = 5
    voxels[2, 0, 0] = 9
    voxels[8:, 8:, 8:] = 9
    return voxels


class BadBlock(Exception):
    """What the oracle says to a malformed block."""


def build(
    grid: tuple[int, int, int],
    labels: Sequence[int],
    lists: Sequence[Sequence[int]],
    numbers: Sequence[np.ndarray],
) -> bytes:
    """A block, out of its parts: the places in `labels` of each sub-block's labels, and each of
    its 512 voxels as a number among them."""
    parts = [struct.pack("<IIII", *grid, len(labels)), np.array(labels, "<u8").tobytes()]
    parts.append(np.array([len(one) for one in lists], "<u2").tobytes())
    parts += [np.array(one, "<u4").tobytes() for one in lists]
    for one, number in zip(lists, numbers, strict=True):
        if len(one) > 1:
            bits = ceil(log2(len(one)))
            digits = (number[:, None] >> np.arange(bits)[::-1]) & 1
            parts.append(np.packbits(digits.astype(np.uint8)).tobytes())
    return b"".join(parts)


def read(data: bytes) -> np.ndarray:
    """The voxels of a block, or `BadBlock`."""
    try:
        return _read(data)
    except (struct.error, IndexError, ValueError) as error:
        raise BadBlock(str(error)) from error


def _read(data: bytes) -> np.ndarray:
    gx, gy, gz, number = struct.unpack_from("<IIII", data)
    if number == 0 or not all(0 < n <= 128 for n in (gx, gy, gz)) or gx * gy * gz > 32**3:
        raise BadBlock("header")
    labels = np.frombuffer(data, "<u8", number, 16)
    at = 16 + 8 * number
    voxels = np.zeros((8 * gx, 8 * gy, 8 * gz), np.uint64)
    if number == 1:
        if len(data) != at:
            raise BadBlock("more than a label")
        voxels[...] = labels[0]
        return voxels
    total = gx * gy * gz
    counts = np.frombuffer(data, "<u2", total, at)
    lists, at = [], at + 2 * total
    for n in counts:
        lists.append(labels[np.frombuffer(data, "<u4", n, at)] if n else np.zeros(1, np.uint64))
        at += 4 * int(n)
    for i, one in enumerate(lists):
        if len(one) > 512:
            raise BadBlock("crowded")
        bits = ceil(log2(len(one)))
        packed = np.frombuffer(data, np.uint8, 64 * bits, at)
        at += 64 * bits
        digits = np.unpackbits(packed).reshape(512, bits).astype(int)
        number_of = digits @ (1 << np.arange(bits)[::-1])
        x, y, z = i % gx, i // gx % gy, i // gx // gy
        box = np.s_[8 * x : 8 * x + 8, 8 * y : 8 * y + 8, 8 * z : 8 * z + 8]
        voxels[box] = one[number_of].reshape((8, 8, 8), order="F")
    if at != len(data):
        raise BadBlock("length")
    return voxels
