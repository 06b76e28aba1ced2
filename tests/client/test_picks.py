"""Where voxels belong: placing, patching and clearing against numpy's own indexing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvid_array.box import BlockGrid, Box
from dvid_array.client.picks import Grid, Points

GRID = BlockGrid((8, 16, 5))
WORLD = Box((-16, -16, -15), (24, 16, 20))
NOISE = np.asfortranarray(
    np.random.default_rng(1).integers(1, 2**31, (4, *WORLD.shape), dtype=np.int64)
)


def axis(low: int, high: int) -> st.SearchStrategy[Any]:
    """Ranges in both directions, and lists with repeats and in any order."""
    place = st.integers(low, high - 1)
    ranges = st.builds(
        lambda a, b, step: range(a, b, step) if step > 0 else range(b, a, step),
        place,
        place,
        st.sampled_from([1, 1, 1, 2, 3, 7, -1, -2, -5]),
    )
    lists = st.lists(place, max_size=6).map(lambda values: np.array(values, np.int64))
    return st.one_of(ranges, ranges, lists)


axes = st.tuples(axis(0, 4), *(axis(a, b) for a, b in zip(WORLD.start, WORLD.stop, strict=True)))


def indices(picked: tuple[Any, ...]) -> Any:
    """The same voxels in `NOISE`."""
    starts = (0, *WORLD.start)
    return np.ix_(
        *(np.asarray(a, np.int64) - start for a, start in zip(picked, starts, strict=True))
    )


def part(box: Box, of: np.ndarray = NOISE) -> np.ndarray:
    return of[(slice(None), *box.slices(WORLD.start))]


def cut(grid: Grid | Points, whole_blocks: bool) -> list[Box]:
    """The boxes of a target, block by block or as they are."""
    boxes = grid.boxes(GRID)
    if not whole_blocks:
        return boxes
    return [GRID.block_box(block) for box in boxes for block in GRID.each(box)]


@given(axes, st.booleans(), st.sampled_from("CF"))
def test_placing_is_indexing(picked: Any, by_blocks: bool, order: Any) -> None:
    expected = NOISE[indices(picked)]
    grid = Grid(picked, np.full(expected.shape, -1, np.int64, order=order))
    for box in cut(grid, by_blocks):
        grid.place(box, part(box))
    np.testing.assert_array_equal(grid.array, expected)


@given(axes, st.booleans(), st.sampled_from("CF"))
def test_patching_is_assigning(picked: Any, by_blocks: bool, order: Any) -> None:
    expected = NOISE.copy(order="F")
    values = -np.arange(expected[indices(picked)].size).reshape(expected[indices(picked)].shape)
    expected[indices(picked)] = values
    world = NOISE.copy(order="F")
    grid = Grid(picked, np.asarray(values, order=order))
    for box in cut(grid, by_blocks):
        grid.patch(box, part(box, world))
    np.testing.assert_array_equal(world, expected)


@given(axes, st.booleans())
def test_clearing_is_zeroing(picked: Any, fresh: bool) -> None:
    expected = NOISE[indices(picked)]
    grid = Grid(picked, expected.copy(), fresh=fresh)
    boxes = cut(grid, whole_blocks=True)
    for box in boxes[::2]:
        grid.clear(box)
    holes = NOISE.copy()
    if not fresh:  # a fresh array holds zeros already and is left alone
        for box in boxes[::2]:
            part(box, holes)[...] = 0
    np.testing.assert_array_equal(grid.array, holes[indices(picked)])


@given(axes)
def test_boxes_hold_every_voxel_and_no_idle_block(picked: Any) -> None:
    grid = Grid(picked, np.empty([len(a) for a in picked], np.int64))
    if not grid.array.size:
        return
    blocks = [block for box in grid.boxes(GRID) for block in GRID.each(box)]
    wanted = [
        sorted({int(value) // n for value in along})
        for along, n in zip(picked[1:], GRID.block, strict=True)
    ]
    assert sorted(blocks) == [(x, y, z) for x in wanted[0] for y in wanted[1] for z in wanted[2]]


def test_views_are_memory_of_the_array() -> None:
    box = Box((-3, 2, 0), (9, 12, 7))
    spatial = [range(a, b) for a, b in zip(box.start, box.stop, strict=True)]
    grid = Grid((range(4), *spatial), np.zeros((4, *box.shape), np.int64, order="F"))
    inside = Box((-3, 2, 1), (9, 12, 3))
    view = grid.view(inside)
    assert grid.box == box
    assert view is not None
    view[...] = part(inside)
    np.testing.assert_array_equal(grid.array[..., 1:3], part(inside))
    assert grid.view(Box((-4, 2, 1), (9, 12, 3))) is None


@pytest.mark.parametrize(
    "picked",
    [
        (range(4), range(0, 9, 2), range(3), range(3)),
        (range(4), range(9, 0, -1), range(3), range(3)),
        (range(4), np.array([0, 1]), range(3), range(3)),
    ],
)
def test_only_boxes_have_views(picked: Any) -> None:
    grid = Grid(picked, np.zeros([len(a) for a in picked], np.int64))
    assert grid.box is None
    assert grid.view(Box((0, 0, 0), (1, 1, 1))) is None


points = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-16, 23), st.integers(-16, 15), st.integers(-15, 19)),
    max_size=40,
)


@given(points, st.booleans())
def test_points(places: list[tuple[int, ...]], holes: bool) -> None:
    coordinates = np.array(places, np.int64).reshape(-1, 4).T
    target = Points(coordinates, GRID, np.full(len(places), -1, np.int64))
    boxes = target.boxes(GRID)
    expected = NOISE[tuple(coordinates - np.array([0, *WORLD.start])[:, None])]
    for number, box in enumerate(boxes):
        if holes and number % 2:
            target.clear(box)
            inside = [box.contains(Box.sized(place[1:], (1, 1, 1))) for place in places]
            expected[inside] = 0
        else:
            target.place(box, part(box))
    np.testing.assert_array_equal(target.array, expected)
    assert target.view(WORLD) is None
