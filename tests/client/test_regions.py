"""Regions among voxels, against one look at each voxel."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvid_array.box import BlockGrid, Box, Triple
from dvid_array.client.picks import Grid
from dvid_array.client.regions import Inside, Region
from dvid_array.protocol import spans

edges = st.tuples(*[st.sampled_from([2, 3, 8])] * 3)
blocks = st.lists(st.tuples(*[st.integers(-3, 3)] * 3), max_size=12)
boxes = st.builds(
    Box.sized, st.tuples(*[st.integers(-14, 10)] * 3), st.tuples(*[st.integers(0, 9)] * 3)
)


def region(chosen: list[Triple], block: Triple, halvings: int = 0) -> Region:
    rows = np.array([(z, y, x, x) for x, y, z in chosen], np.int64).reshape(-1, 4)
    return Region("brain", block, spans.checked(rows), halvings)


def expected(chosen: list[Triple], block: Triple, box: Box, steps: int) -> np.ndarray:
    """Each voxel of a box, looked up by its first voxel of scale 0."""
    found = np.zeros(box.shape, bool)
    for place in np.ndindex(*box.shape):
        voxel = (np.array(place) + box.start) << steps
        found[place] = tuple((voxel // block).tolist()) in set(chosen)
    return found


@given(blocks, edges, boxes, st.integers(0, 2), st.integers(0, 2))
def test_masks_at_any_scale(
    chosen: list[Triple], block: Triple, box: Box, scale: int, halvings: int
) -> None:
    mask = region(chosen, block, halvings).mask(box, scale)
    np.testing.assert_array_equal(mask, expected(chosen, block, box, scale + halvings), strict=True)
    assert mask.flags.f_contiguous
    again = region(chosen, block).halved(halvings).mask(box, scale)
    np.testing.assert_array_equal(again, mask)


@given(blocks, edges, edges, st.lists(boxes, max_size=3), st.integers(0, 2))
def test_boxes_hold_what_is_wanted_of_it(
    chosen: list[Triple], block: Triple, stored: Triple, wanted: list[Box], scale: int
) -> None:
    """All of it, nothing else's blocks, nothing twice of one box."""
    seen, grid = region(chosen, block), BlockGrid(stored)
    for box in wanted:
        found = seen.boxes([box], grid, scale)
        counts = np.zeros(box.shape, int)
        for part in found:
            assert box.contains(part)
            counts[part.slices(box.start)] += 1
        assert (counts <= 1).all()
        assert (counts[seen.mask(box, scale)] == 1).all()
        for one in grid.each(box):
            whole = grid.block_box(one)
            part = counts[whole.intersect(box).slices(box.start)]
            assert part.all() or not part.any()
            fine = Box(*(tuple(n << scale for n in end) for end in (whole.start, whole.stop)))
            assert not part.any() or touches(chosen, block, fine)
    together = [part for box in wanted for part in seen.boxes([box], grid, scale)]
    at_once = seen.boxes(wanted, grid, scale)  # rows may be longer: more of the region is near
    assert all(any(row.contains(part) for row in at_once) for part in together)


def touches(chosen: list[Triple], block: Triple, box: Box) -> bool:
    grid = BlockGrid(block)
    return any(not grid.block_box(one).intersect(box).empty for one in chosen)


def test_the_box_around_it() -> None:
    chosen = [(-1, 0, 2), (3, 1, 2)]
    assert region(chosen, (8, 4, 2)).box == Box((-8, 0, 4), (32, 8, 6))
    assert region([], (8, 4, 2)).box.empty


def test_its_token_names_its_voxels() -> None:
    """And not its name: two that hold the same are the same."""
    here = region([(0, 0, 0)], (8, 4, 2))
    other_name = Region("other", here.block, here.spans)
    assert here.token == other_name.token == pickle.loads(pickle.dumps(here)).token
    others = [region([(0, 0, 1)], (8, 4, 2)), region([(0, 0, 0)], (8, 4, 4)), here.halved(1)]
    assert len({here.token, *(one.token for one in others)}) == 4


# As a target.


@pytest.fixture
def target() -> Any:
    box = Box((0, 0, 0), (8, 8, 8))
    array = np.full((2, 8, 8, 8), 9, np.uint8, order="F")
    return Grid((range(2), *(range(n) for n in box.shape)), array), box


def test_outside_is_zero(target: tuple[Grid, Box]) -> None:
    grid, box = target
    seen = region([(0, 0, 0), (1, 1, 1)], (4, 4, 4))
    inside = Inside(seen, 0, grid)
    given_ = np.arange(1024, dtype=np.uint16).reshape(2, 8, 8, 8) % 250 + 1
    voxels = np.asfortranarray(given_.astype(np.uint8))
    before = voxels.copy()
    inside.place(box, voxels)
    np.testing.assert_array_equal(grid.array, voxels * seen.mask(box))
    np.testing.assert_array_equal(voxels, before)
    inside.clear(Box((0, 0, 0), (4, 4, 4)))
    assert not grid.array[:, :4, :4, :4].any()
    assert grid.array[:, 4:, 4:, 4:].all()


def test_voxels_do_not_land_past_the_mask(target: tuple[Grid, Box]) -> None:
    grid, box = target
    assert grid.view(box) is not None
    assert Inside(region([(0, 0, 0)], (8, 8, 8)), 0, grid).view(box) is None
