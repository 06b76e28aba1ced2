"""Neuroglancer's compressed segmentation, as DVID writes it. Must not know who asks.

One channel of 64-bit labels in cubes of 8 voxels along each edge; all offsets count four bytes from
the second word on. Of each cube first its voxels are written, as places in its table, then the
table, whose labels stand in the order in which a walk through the cube meets them.

Source: `datatype/labelmap/compression.go` (compressGoogle).
"""

from __future__ import annotations

import struct
from itertools import product
from typing import Any

import numpy as np

Labels = np.ndarray[Any, np.dtype[np.uint64]]

EDGE = 8
BITS = np.array([0, 0, *(1 << (int(n - 1).bit_length() - 1).bit_length() for n in range(2, 513))])
"""Labels of a cube -> bits of a voxel: 0, 1, 2, 4, 8 or 16."""
HEADER = struct.Struct("<II")
TABLE_MASK = (1 << 24) - 1
"""Offsets of tables have 24 bits, and wrap around silently."""


def encode(labels: Labels) -> bytes:
    """The bytes of labels (z, y, x), whose shape is a multiple of 8."""
    corners = list(product(*(range(0, extent, EDGE) for extent in labels.shape)))
    headers, parts = [], []
    place = 2 * len(corners)
    for z, y, x in corners:
        cube = labels[z : z + EDGE, y : y + EDGE, x : x + EDGE].reshape(-1)
        voxels, table, bits = _cube(cube)
        after = place + len(voxels) // 4
        headers.append(HEADER.pack(after & TABLE_MASK | bits << 24, place))
        parts += [voxels, table]
        place = after + len(table) // 4
    return b"".join([b"\x01\0\0\0", *headers, *parts])


def _cube(cube: Labels) -> tuple[bytes, bytes, int]:
    """Voxels, table and bits of a voxel."""
    names, first, places = np.unique(cube, return_index=True, return_inverse=True)
    met = np.argsort(first)
    rank = np.empty(len(met), np.uint16)
    rank[met] = np.arange(len(met))
    bits = int(BITS[len(names)])
    planes = rank[places][:, None] >> np.arange(bits, dtype=np.uint16) & 1
    voxels = np.packbits(planes.astype(np.uint8), bitorder="little")
    return voxels.tobytes(), names[met].astype("<u8").tobytes(), bits
