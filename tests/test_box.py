"""Boxes and the block grid, against sets of voxels."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvid_array.box import EMPTY, BlockGrid, Box, triple

coordinate = st.integers(-6, 6)
corner = st.tuples(coordinate, coordinate, coordinate)
boxes = st.builds(Box, corner, corner)
"""Empty and inverted ones too."""
grids = st.builds(BlockGrid, st.tuples(*(st.integers(1, 4) for _ in range(3))))


def voxels(box: Box) -> set[tuple[int, ...]]:
    return set(product(*(range(a, b) for a, b in zip(box.start, box.stop, strict=True))))


@given(boxes, boxes)
def test_intersect_contains_and_hull(one: Box, other: Box) -> None:
    both = voxels(one) & voxels(other)
    assert voxels(one.intersect(other)) == both
    assert one.contains(other) == (voxels(other) <= voxels(one))
    hull = one.hull(other)
    assert voxels(hull) >= voxels(one) | voxels(other)
    for axis in range(3):
        across = {voxel[axis] for voxel in voxels(one) | voxels(other)}
        assert {voxel[axis] for voxel in voxels(hull)} >= across
        if across:
            assert (hull.start[axis], hull.stop[axis]) == (min(across), max(across) + 1)


@given(boxes)
def test_size_shape_and_empty(box: Box) -> None:
    assert box.size == len(voxels(box))
    assert box.empty == (not voxels(box))
    assert min(box.shape) >= 0


@given(boxes, corner)
def test_shifted_and_sized(box: Box, by: tuple[int, int, int]) -> None:
    moved = {tuple(a + d for a, d in zip(voxel, by, strict=True)) for voxel in voxels(box)}
    assert voxels(box.shifted(by)) == moved
    assert Box.sized(box.start, box.shape).size == box.size


@given(boxes, boxes)
def test_without_cuts_out(one: Box, other: Box) -> None:
    inner = one.intersect(other)
    slabs = one.without(inner)
    assert len(slabs) <= 6
    assert sum(slab.size for slab in slabs) == one.size - inner.size
    assert set().union(*map(voxels, slabs)) == voxels(one) - voxels(inner)


def test_slices() -> None:
    box = Box((-1, 5, 7), (2, 6, 9))
    assert box.slices() == (slice(-1, 2), slice(5, 6), slice(7, 9))
    assert box.slices((-1, 0, 5)) == (slice(0, 3), slice(5, 6), slice(2, 4))
    assert str(box) == "x -1..2 y 5..6 z 7..9"


@given(grids, boxes)
def test_the_grid_covers_and_fills(grid: BlockGrid, box: Box) -> None:
    touched = {
        tuple(a // n for a, n in zip(voxel, grid.block, strict=True)) for voxel in voxels(box)
    }
    assert set(grid.each(box)) == touched
    assert grid.count(box) == len(touched)
    cover = set().union(*(voxels(grid.block_box(block)) for block in touched))
    assert voxels(grid.cover(box)) == cover
    inner = (voxels(grid.block_box(block)) for block in touched)
    assert voxels(grid.inner(box)) == set().union(*(b for b in inner if b <= voxels(box)))
    assert grid.inner(box) == EMPTY or not grid.inner(box).empty
    if touched:
        assert grid.aligned(box) == (cover == voxels(box))


def test_blocks_come_x_fastest() -> None:
    grid = BlockGrid((2, 2, 2))
    found = list(grid.each(Box((-1, 0, 0), (3, 3, 3))))
    assert found[:4] == [(-1, 0, 0), (0, 0, 0), (1, 0, 0), (-1, 1, 0)]


@pytest.mark.parametrize("values", [(1, 2), (1, 2, 3, 4), ()])
def test_a_triple_has_three(values: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="unpack"):
        triple(values)
