"""Synthetic tissue: the same voxel in every box, ids in range, boxes within the shape."""

from __future__ import annotations

import numpy as np
import pytest

from dvid_array.testing.synthetic import Tissue

TISSUE = Tissue((100, 90, 80))


def test_every_box_agrees_with_the_whole() -> None:
    gray, bodies = TISSUE.voxels((0, 0, 0), TISSUE.shape)
    for start, stop in (((0, 0, 0), (1, 1, 1)), ((31, 7, 40), (70, 66, 77)), ((99, 89, 79),) * 2):
        part = (slice(None), *(slice(a, b) for a, b in zip(start, stop, strict=True)))
        again = TISSUE.voxels(start, stop)
        assert (again[0] == gray[part]).all()
        assert (again[1] == bodies[part]).all()


def test_it_looks_like_tissue() -> None:
    gray, bodies = TISSUE.voxels((0, 0, 0), TISSUE.shape)
    assert gray.shape == bodies.shape == (1, *TISSUE.shape)
    assert (gray.dtype, bodies.dtype) == (np.uint8, np.uint64)
    assert gray.flags.f_contiguous
    assert 1 <= bodies.min() <= bodies.max() <= TISSUE.most_bodies
    assert len(np.unique(bodies)) > 10
    # membranes: where the body changes, the gray value is lower than inside
    border = (bodies[:, 1:] != bodies[:, :-1])[0]
    assert gray[0, 1:][border].mean() < gray.mean() - 40


def test_seeds_make_different_tissue() -> None:
    box = ((0, 0, 0), (40, 40, 40))
    other = Tissue(TISSUE.shape, seed=1)
    assert (other.voxels(*box)[1] != TISSUE.voxels(*box)[1]).any()


def test_a_box_outside_is_refused() -> None:
    with pytest.raises(ValueError, match="not inside"):
        TISSUE.voxels((0, 0, 0), (101, 1, 1))
