"""DVID's compressed label block, written down plainly: what posts carry and answers are read with.

Independent of the package's own codec, which is held to the same recordings.
"""

from __future__ import annotations

import gzip
from itertools import product
from typing import Any

import numpy as np

Labels = np.ndarray[Any, np.dtype[np.uint64]]


def sub_blocks(shape: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """The 8-voxel cubes of a block (x, y, z), x fastest."""
    corners = product(*(range(0, extent, 8) for extent in reversed(shape)))
    return [tuple(slice(a, a + 8) for a in reversed(corner)) for corner in corners]


def encode(labels: Labels) -> bytes:
    """A gzipped block of labels (x, y, z)."""
    known = np.unique(labels)
    head = np.array([n // 8 for n in labels.shape] + [len(known)], "<u4").tobytes()
    head += known.astype("<u8").tobytes()
    counts, indices, values = [], [], []
    for part in sub_blocks(labels.shape):
        mine, places = np.unique(labels[part], return_inverse=True)
        counts.append(len(mine))
        indices.append(np.searchsorted(known, mine))
        bits = int(len(mine) - 1).bit_length()
        order = places.reshape(8, 8, 8).flatten(order="F")
        planes = (order[:, None] >> np.arange(bits)[::-1] & 1).astype(np.uint8)
        values.append(np.packbits(planes).tobytes() if bits else b"")
    if len(known) > 1:
        head += np.array(counts, "<u2").tobytes()
        head += np.concatenate(indices).astype("<u4").tobytes() + b"".join(values)
    return gzip.compress(head, mtime=0)


def decode(data: bytes) -> Labels:
    """The labels (x, y, z) of a gzipped block."""
    data = gzip.decompress(data)
    gx, gy, gz, count = (int(value) for value in np.frombuffer(data[:16], "<u4"))
    known = np.frombuffer(data, "<u8", count, 16)
    out = np.full((8 * gx, 8 * gy, 8 * gz), known[0], np.uint64)
    if count == 1:
        return out
    parts = sub_blocks(out.shape)
    at = 16 + 8 * count
    counts = np.frombuffer(data, "<u2", len(parts), at)
    at += 2 * len(parts)
    indices = np.frombuffer(data, "<u4", int(counts.sum()), at)
    at += 4 * len(indices)
    for part, own in zip(parts, counts, strict=True):
        mine, indices = known[indices[:own]], indices[own:]
        bits = int(own - 1).bit_length()
        packed = np.frombuffer(data, np.uint8, 64 * bits, at)
        at += 64 * bits
        planes = np.unpackbits(packed).reshape(512, bits)
        places = planes.astype(np.int64) @ (1 << np.arange(bits)[::-1])
        out[part] = mine[places].reshape((8, 8, 8), order="F")
    return out


def frame(block: tuple[int, int, int], payload: bytes) -> bytes:
    """One frame of a block stream."""
    return np.array([*block, len(payload)], "<i4").tobytes() + payload


def frames_of(labels: Labels, block: tuple[int, ...], first: tuple[int, ...] = (0, 0, 0)) -> bytes:
    """The frames of a box of whole blocks that begins at block `first`."""
    out = []
    counts = (range(extent // edge) for extent, edge in zip(labels.shape, block, strict=True))
    for place in product(*counts):
        inside = tuple(slice(k * n, (k + 1) * n) for k, n in zip(place, block, strict=True))
        where = tuple(k + a for k, a in zip(place, first, strict=True))
        out.append(frame(where, encode(labels[inside])))  # type: ignore[arg-type]
    return b"".join(out)
