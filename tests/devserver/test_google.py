"""Neuroglancer's compressed segmentation, read back by the published layout."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from dvid_array.devserver import google
from dvid_array.devserver.google import Labels

pytestmark = pytest.mark.dev


def read(data: bytes, shape: tuple[int, int, int]) -> Labels:
    """Labels (z, y, x): a table and packed places for each cube of 8 voxels."""
    words = np.frombuffer(data, "<u4")[1:]
    out = np.empty(shape, np.uint64)
    corners = product(*(range(0, extent, 8) for extent in shape))
    for number, (z, y, x) in enumerate(corners):
        head, place = words[2 * number : 2 * number + 2].tolist()
        bits, table = head >> 24, head & 0xFFFFFF
        flat = np.zeros(512, np.int64)
        if bits:
            stream = np.unpackbits(words[place:].view(np.uint8)[: 64 * bits], bitorder="little")
            flat = stream.reshape(512, bits).astype(np.int64) @ (1 << np.arange(bits))
        names = words[table : table + 2 * (int(flat.max()) + 1)].copy().view("<u8")
        out[z : z + 8, y : y + 8, x : x + 8] = names[flat].reshape(8, 8, 8)
    return out


@pytest.mark.parametrize("labels", [1, 2, 3, 4, 5, 16, 17, 200, 256, 257, 512, 4000])
def test_round_trip(labels: int) -> None:
    rng = np.random.default_rng(labels)
    voxels = rng.integers(0, 2**64, labels, np.uint64)[rng.integers(0, labels, (16, 8, 24))]
    data = google.encode(voxels)
    assert np.array_equal(read(data, voxels.shape), voxels)


def test_tables_stand_in_the_order_voxels_come() -> None:
    voxels = np.zeros((8, 8, 8), np.uint64)
    voxels[0, 0, :3] = 9, 5, 7
    data = google.encode(voxels)
    assert np.frombuffer(data[-32:], "<u8").tolist() == [9, 5, 7, 0]
