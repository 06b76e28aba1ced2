"""Corners of boxes, as people write them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dvid_array import corners
from dvid_array.box import Box


@pytest.mark.parametrize(
    ("values", "channel"),
    [
        ((1, -2, 3), None),
        ([1, -2, 3], 0),
        (np.array([1, -2, 3]), None),
        ((np.uint8(1), -2, True + 2), None),
        ((0, 1, -2, 3), 0),
        ((4, 1, -2, 3), 4),
    ],
    ids=str,
)
def test_corners(values: Any, channel: int | None) -> None:
    found = corners.corner("start", values, channel)
    assert found == (1, -2, 3)
    assert [type(value) for value in found] == [int] * 3


@pytest.mark.parametrize(
    ("values", "channel"),
    [
        ((1, 2), None),
        ((1, 2, 3, 4), None),
        ((1, 2, 3, 4), 0),
        ((1.0, 2, 3), None),
        ("123", None),
        (64, None),
        (None, 0),
        ((0, 0, 1, 2, 3), 0),
    ],
    ids=str,
)
def test_what_is_no_corner(values: Any, channel: int | None) -> None:
    with pytest.raises(ValueError, match=r"^block=.*: it takes three integers x, y, z") as told:
        corners.corner("block", values, channel)
    assert str(values) in str(told.value)


def test_boxes() -> None:
    box = Box((-1, 0, 2), (3, 4, 2))
    assert corners.box((-1, 0, 2), (3, 4, 2)) == box
    assert corners.box((0, -1, 0, 2), (4, 3, 4, 2), 4) == box
    with pytest.raises(ValueError, match=r"stop=\(3, 3, 4, 2\).*, or 4, x, y, z$"):
        corners.box((0, -1, 0, 2), (3, 3, 4, 2), 4)
    with pytest.raises(ValueError, match=r"ends before it starts: \(0, 5, 0\) to \(1, 4, 1\)"):
        corners.box((0, 5, 0), (1, 4, 1))


def test_slices() -> None:
    assert corners.slices((1, -2, 0, 3), (4, 3, 0, 5)) == np.s_[1:4, -2:3, 0:0, 3:5]
    for start, stop in (((0, 0, 0), (1, 1, 1, 1)), ((0, 0, 0, 0), (1, 1, 1))):
        with pytest.raises(ValueError, match="are four integers c, x, y, z, not"):
            corners.slices(start, stop)
    with pytest.raises(ValueError, match="ends before it starts"):
        corners.slices((0, 5, 0, 0), (1, 1, 1, 1))
