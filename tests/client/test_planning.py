"""Boxes -> requests, as a table; and that nothing is asked for twice or left out."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvid_array.box import BlockGrid, Box
from dvid_array.client import planning
from dvid_array.client.planning import Terms
from dvid_array.facts import MAX_ANSWER_BYTES, MAX_URL_BYTES, PARALLEL_VOXELS

GRID = BlockGrid((64, 64, 64))
SMALL = BlockGrid((16, 32, 48))
MANY = 256**3


def sized(*shape: int, at: tuple[int, int, int] = (0, 0, 0)) -> Box:
    return Box.sized(at, shape)


SLABS: list[tuple[Box, BlockGrid, int, int, set[tuple[int, int, int]], int]] = [
    # box, grid, voxels, pieces -> shapes of the slabs, and how many
    (sized(512, 512, 512), GRID, MANY, 1, {(512, 512, 64)}, 8),
    (sized(512, 512, 512), GRID, MANY, 4, {(512, 512, 64)}, 8),
    (sized(256, 256, 256), GRID, MANY, 1, {(256, 256, 256)}, 1),
    (sized(256, 256, 256), GRID, MANY, 4, {(256, 256, 64)}, 4),
    (sized(64, 64, 64), GRID, MANY, 8, {(64, 64, 64)}, 1),
    (sized(128, 128, 128), GRID, MANY, 8, {(128, 128, 128)}, 1),
    (sized(4096, 4096, 64), GRID, MANY, 1, {(4096, 64, 64)}, 64),
    (sized(8192, 64, 64), GRID, 64**3 * 50, 1, {(3200, 64, 64), (1792, 64, 64)}, 3),
    (sized(10, 10, 10, at=(60, 60, 60)), GRID, 1, 1, {*product((4, 6), repeat=3)}, 8),
    (sized(0, 10, 10), GRID, MANY, 4, set(), 0),
    (sized(64, 64, 64), GRID, 1, 1, {(64, 64, 64)}, 1),  # never less than a block
]


@pytest.mark.parametrize(("box", "grid", "voxels", "pieces", "shapes", "count"), SLABS)
def test_slabs(
    box: Box, grid: BlockGrid, voxels: int, pieces: int, shapes: set[Any], count: int
) -> None:
    made = list(planning.slabs(box, grid, voxels=voxels, pieces=pieces))
    assert len(made) == count
    assert {piece.shape for piece in made} == shapes
    assert sum(piece.size for piece in made) == box.size


places = st.tuples(*[st.integers(-300, 300)] * 3)
sizes = st.tuples(*[st.integers(0, 300)] * 3)


@given(
    places,
    sizes,
    st.sampled_from([GRID, SMALL]),
    st.integers(1, MANY),
    st.integers(1, 9),
)
def test_slabs_fill_their_box_once(
    start: Any, size: Any, grid: BlockGrid, voxels: int, pieces: int
) -> None:
    box = Box.sized(start, size)
    made = list(planning.slabs(box, grid, voxels=voxels, pieces=pieces))
    blocks = [block for piece in made for block in grid.each(piece)]
    assert len(blocks) == len(set(blocks)) == grid.count(box)
    assert all(box.contains(piece) and not piece.empty for piece in made)
    assert sum(piece.size for piece in made) == box.size
    most = max(min(voxels, PARALLEL_VOXELS), math.prod(grid.block))
    assert all(grid.cover(piece).size <= most for piece in made)


RUNS: list[tuple[Any, int, list[tuple[int, int]]]] = [
    (range(0), 10, []),
    (range(3, 8), 10, [(3, 8)]),
    (range(0, 100, 10), 10, [(0, 91)]),
    (range(90, -1, -10), 10, [(0, 91)]),
    (range(0, 100, 25), 10, [(0, 1), (25, 26), (50, 51), (75, 76)]),
    (range(-15, 10, 20), 10, [(-15, -14), (5, 6)]),
    (range(-5, 5, 11), 10, [(-5, -4)]),
    (np.array([5, 95, 7, 5]), 10, [(5, 8), (95, 96)]),
    (np.array([9, 10]), 10, [(9, 11)]),
    (np.array([9, 20]), 10, [(9, 10), (20, 21)]),
    (np.array([-1, 0]), 10, [(-1, 1)]),
]


@pytest.mark.parametrize(("coordinates", "block", "expected"), RUNS)
def test_runs(coordinates: Any, block: int, expected: list[tuple[int, int]]) -> None:
    assert planning.runs(coordinates, block) == expected


@given(st.lists(st.integers(-500, 500), min_size=1, max_size=30), st.sampled_from([16, 50, 64]))
def test_runs_hold_all_and_touch_nothing_else(values: list[int], block: int) -> None:
    made = planning.runs(np.array(values), block)
    assert all(sum(a <= value < b for a, b in made) == 1 for value in values)
    touched = [n for a, b in made for n in range(a // block, (b - 1) // block + 1)]
    assert sorted(touched) == sorted({value // block for value in values})


def test_few_blocks_apart_are_one_request() -> None:
    boxes = planning.boxes((range(0, 640, 200), range(5), range(5)), GRID)
    made = planning.requests(boxes, GRID, Terms(MANY, 4, scatter=True))
    assert [one.blocks for one in made] == [((0, 0, 0), (3, 0, 0), (6, 0, 0), (9, 0, 0))]
    apart = planning.requests(boxes, GRID, Terms(MANY, 4, scatter=False))
    assert [one.box for one in apart] == boxes
    assert not any(one.blocks for one in apart)


def test_dense_boxes_are_asked_for_as_boxes() -> None:
    boxes = planning.boxes((range(0, 640, 200), range(256), range(256)), GRID)
    made = planning.requests(boxes, GRID, Terms(MANY, 4, scatter=True))
    assert not any(one.blocks for one in made)
    assert sum(one.box.size for one in made) == 4 * 256 * 256


def test_scattered_blocks_fit_a_request() -> None:
    blocks = [(-(10**6) - n, 10**6 + n, -n) for n in range(5001)]
    made = planning.scattered(blocks, BlockGrid((16, 16, 16)), voxels=MANY)
    assert [block for one in made for block in one.blocks] == blocks
    for one in made:
        assert len(one.blocks) * 16**3 <= PARALLEL_VOXELS
        assert len(",".join(str(n) for block in one.blocks for n in block)) < MAX_URL_BYTES // 4
        assert one.box.contains(BlockGrid((16, 16, 16)).block_box(one.blocks[-1]))


def test_more_than_one_answer_can_hold_is_split() -> None:
    """Even with unbounded settings no answer comes near DVID's 3 GiB."""
    box = sized(5000, 3000, 2000, at=(-100, 7, 0))
    made = list(planning.slabs(box, GRID, voxels=10**18))
    assert sum(piece.size for piece in made) == box.size > MAX_ANSWER_BYTES
    assert max(piece.size for piece in made) * 8 < MAX_ANSWER_BYTES


coordinates = st.one_of(
    st.builds(range, st.integers(-200, 200), st.integers(-200, 900), st.integers(1, 300)),
    st.lists(st.integers(-500, 500), max_size=6).map(np.array),
)


@given(
    st.tuples(coordinates, coordinates, coordinates),
    st.sampled_from([GRID, SMALL]),
    st.builds(Terms, st.integers(1, MANY), st.integers(1, 9), st.booleans()),
)
def test_the_number_of_requests_is_known_without_them(
    spatial: Any, grid: BlockGrid, terms: Terms
) -> None:
    boxes = planning.boxes(spatial, grid)
    assert planning.number(boxes, grid, terms) == len(planning.requests(boxes, grid, terms))


def test_a_petabyte_is_counted_at_once() -> None:
    whole = [sized(10**6, 10**6, 10**6)]
    assert planning.number(whole, GRID, Terms(MANY, 4, scatter=True)) == 15625 * 15625 * 245
