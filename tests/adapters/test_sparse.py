"""Bodies as pydata/sparse arrays."""

from __future__ import annotations

import numpy as np

from dvid_array import Box, SparseVolume

SPACE = Box((-7, -3, 100), (4, 3, 104))


def test_the_same_voxels() -> None:
    mask = np.random.default_rng(3).random(SPACE.shape) < 0.6
    volume = SparseVolume.from_mask(mask, SPACE.start)
    for box in (SPACE, volume.bbox, Box((-2, -9, 101), (30, 0, 102)), Box((9, 9, 9), (9, 10, 11))):
        made = volume.to_sparse(box)
        assert (made.dtype, made.fill_value) == (bool, False)
        assert np.array_equal(made.todense(), volume.mask(box))


def test_a_far_flung_body_costs_its_voxels() -> None:
    far = SparseVolume(np.array([[0, 0, 0, 1], [0, 0, 2**20, 1], [0, 2**20, 0, 2]]))
    made = far.to_sparse()
    assert made.shape == (2, 2**20 + 1, 2**20 + 1)
    assert (made.nnz, made.sum()) == (4, 4)


def test_nothing_has_no_extent() -> None:
    assert SparseVolume(np.empty((0, 4), int)).to_sparse().shape == (0, 0, 0)
