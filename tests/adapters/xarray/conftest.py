"""Volumes to label."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import xarray as xr

import dvid_array
from dvid_array import DvidArray

Volume = tuple[DvidArray, np.ndarray]


@pytest.fixture(autouse=True)
def attributes_stay() -> Iterator[None]:
    """In arithmetic too, which older releases of xarray have to be told."""
    with xr.set_options(keep_attrs=True):
        yield


@pytest.fixture
def negative(node: dvid_array.Node) -> Volume:
    """Voxels x -40..20, y -3..7, z 5..15."""
    array = node.create("gray", "uint16", block=(16, 16, 16), resolution=(4, 4, 40), units="nm")
    truth = np.arange(6000, dtype=np.uint16).reshape(1, 60, 10, 10)
    array.voxels[:, -40:20, -3:7, 5:15] = truth
    return array, truth


@pytest.fixture
def tissue(node: dvid_array.Node) -> tuple[DvidArray, DvidArray, np.ndarray, np.ndarray]:
    """Gray values of x 0..48, y 0..40, z 0..32, and labels of x 6..48 with three scales, both with
    voxels of 4 x 4 x 8; and their voxels."""
    rng = np.random.default_rng(3)
    values = rng.integers(1, 255, (1, 48, 40, 32), np.uint8)
    x, y, z = np.ogrid[0:48, 0:40, 0:32]
    ids = (2**40 + x // 4 + 100 * (y // 4) + 10_000 * (z // 4)).astype(np.uint64)[None]
    ids[:, :6] = 0
    size = {"block": (16, 16, 16), "resolution": (4, 4, 8)}
    gray = node.create("gray", "uint8", max_scale=1, **size)
    gray[:, :48, :40, :32] = values
    gray.at_scale(1)[:, :24, :20, :16] = values[:, ::2, ::2, ::2]
    labels = node.create("labels", "uint64", max_scale=2, **size)
    labels[:, 6:48, :40, :32] = ids[:, 6:]
    return gray, labels, values, ids
