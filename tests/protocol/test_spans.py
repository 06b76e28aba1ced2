"""Spans against numpy: every operation is that of the mask of the same blocks."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dvid_array.box import EMPTY, Box
from dvid_array.errors import DvidProtocolError
from dvid_array.protocol import spans

LOW = -4
"""First block of the masks here, along each axis."""
N = 9
ALL = Box((LOW,) * 3, (LOW + N,) * 3)

block = st.integers(LOW, LOW + N - 1)
row = st.tuples(block, block, block, block).map(lambda r: (r[0], r[1], min(r[2:]), max(r[2:])))
rows = st.lists(row, max_size=12).map(lambda found: np.array(found, np.int64).reshape(-1, 4))
boxes = st.tuples(*[st.tuples(st.integers(-7, 8), st.integers(0, 9))] * 3).map(
    lambda ends: Box.sized([a for a, _ in ends], [n for _, n in ends])
)


def truth(given_rows: np.ndarray) -> np.ndarray:
    """The mask (x, y, z) of blocks from LOW on."""
    made = np.zeros((N, N, N), bool)
    for z, y, first, last in given_rows - LOW:
        made[first : last + 1, y, z] = True
    return made


@given(rows)
def test_they_are_put_in_order_and_joined(found: np.ndarray) -> None:
    ordered = spans.checked(found)
    np.testing.assert_array_equal(truth(ordered), truth(found))
    np.testing.assert_array_equal(ordered, spans.of_mask(truth(found), (LOW,) * 3))
    assert spans.count(ordered) == truth(found).sum()
    assert sorted(ordered.tolist()) == ordered.tolist()
    np.testing.assert_array_equal(spans.parse(spans.body(ordered)), ordered)
    np.testing.assert_array_equal(spans.parse(json.dumps(found.tolist()).encode()), ordered)


@example(np.array([[0, 0, -1, 0]]), Box((0, 0, 0), (0, 1, 1)))
@given(rows, boxes)
def test_masks_of_any_box(found: np.ndarray, box: Box) -> None:
    around = np.zeros((40, 40, 40), bool)
    around[tuple(slice(20 + LOW, 20 + LOW + N) for _ in range(3))] = truth(found)
    wanted = around[box.slices((-20, -20, -20))]
    ordered = spans.checked(found)
    np.testing.assert_array_equal(spans.mask(ordered, box), wanted)
    clipped = spans.clip(ordered, box)
    np.testing.assert_array_equal(clipped, spans.of_mask(wanted, box.start))


@given(rows)
def test_the_hull(found: np.ndarray) -> None:
    ordered, where = spans.checked(found), np.argwhere(truth(found))
    if not len(where):
        assert spans.hull(ordered) == EMPTY
        return
    low, high = where.min(axis=0) + LOW, where.max(axis=0) + LOW + 1
    assert spans.hull(ordered) == Box(tuple(low.tolist()), tuple(high.tolist()))


@given(rows, st.lists(st.tuples(*[st.integers(-7, 8)] * 3), max_size=20))
def test_which_blocks_are_inside(found: np.ndarray, asked: list[tuple[int, int, int]]) -> None:
    blocks = np.array(asked, np.int64).reshape(-1, 3)
    inside = set(map(tuple, (np.argwhere(truth(found)) + LOW).tolist()))
    expected = [one in inside for one in asked]
    assert spans.contains(spans.checked(found), blocks).tolist() == expected


def test_blocks_at_the_ends_of_what_dvid_can_name() -> None:
    far = 2**31 - 1
    found = spans.checked(np.array([[-far, -far, -far, -far], [far, far, 0, far], [0, 0, 5, 9]]))
    asked = [(-far, -far, -far), (far, far, far), (5, 0, 0), (4, 0, 0), (0, 0, 1 << 40)]
    assert spans.contains(found, np.array(asked)).tolist() == [True, True, True, False, False]
    assert spans.contains(found, np.array([(2**62, 2**62, 2**62)])).tolist() == [False]


sizes = st.tuples(*[st.sampled_from([1, 2, 3, 4, 6])] * 3)


@given(rows, sizes, sizes)
def test_another_grid(
    found: np.ndarray, mine: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    ordered = spans.checked(found)
    voxels = truth(found)
    for axis, length in enumerate(mine):
        voxels = voxels.repeat(length, axis=axis)
    corners = np.argwhere(voxels) + np.array(mine) * LOW
    touched = {tuple(one) for one in (corners // np.array(other)).tolist()}
    moved = spans.regrid(ordered, mine, other)
    listed = [(x, y, z) for z, y, a, b in moved.tolist() for x in range(a, b + 1)]
    assert set(listed) == touched
    assert len(listed) == len(touched)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "no list",
        "{}",
        "[1, 2, 3, 4]",
        "[[1, 2, 3]]",
        "[[1, 2, 3, 4], [5]]",
        "[[1, 2, 3, 4.5]]",
        '[["1", "2", "3", "4"]]',
        "[[1, 2, 4, 3]]",
        "[[1, 2, 3, 2147483648]]",
        "[[1, 2, 3, 99999999999999999999999]]",
    ],
)
def test_what_is_no_region(answer: str) -> None:
    with pytest.raises(DvidProtocolError):
        spans.parse(answer.encode())


@pytest.mark.parametrize("answer", ["[]", "null", "[]\n"])
def test_an_empty_region(answer: str) -> None:
    assert spans.parse(answer.encode()).shape == (0, 4)


def test_what_is_no_span_is_named() -> None:
    with pytest.raises(ValueError, match=r"\[3, 2, 9, 1\] ends before it begins"):
        spans.checked(np.array([[3, 2, 1, 9], [3, 2, 9, 1]]))


@pytest.mark.parametrize("block", [(0, 32, 32), (32, -1, 32)])
def test_blocks_have_voxels(block: Any) -> None:
    with pytest.raises(ValueError, match="positive"):
        spans.config("brain", block)
