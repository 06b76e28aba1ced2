"""How scales follow from one another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvid_array import scales
from dvid_array.box import Box

CORNER = st.tuples(*[st.integers(-1000, 1000)] * 3)


@pytest.mark.parametrize(
    ("shape", "halvings"),
    [
        ((1, 1, 1), 1),  # Neuroglancer takes no labelmap without a coarser scale
        ((256, 256, 256), 1),
        ((512, 10, 10), 1),
        ((513, 10, 10), 2),
        ((10, 10, 1024), 2),
        ((34427, 39725, 41394), 8),
    ],
)
def test_enough_halvings_make_a_volume_small(shape: tuple[int, int, int], halvings: int) -> None:
    assert scales.enough(shape) == halvings
    assert max(-(-n // 2**halvings) for n in shape) <= scales.SMALL


def test_names_are_those_that_neuroglancer_looks_for() -> None:
    assert [scales.level_name("gray", scale) for scale in range(3)] == ["gray", "gray_1", "gray_2"]
    assert scales.level_names("gray", {"gray", "gray_1", "gray_2", "gray_4", "gray_1_1"}) == [
        "gray",
        "gray_1",
        "gray_2",
    ]
    assert scales.level_names("gray", set()) == ["gray"]


def test_coarser_scales_are_told_from_volumes() -> None:
    assert scales.without_levels(["gray_1", "gray", "gray_2", "gray_7", "other", "x_1"]) == [
        "gray",
        "gray_7",
        "other",
        "x_1",
    ]


@given(CORNER, st.tuples(*[st.integers(0, 100)] * 3), st.integers(0, 6))
def test_coarser_voxels_are_those_that_hold_any_of_a_box(
    start: tuple[int, int, int], shape: tuple[int, int, int], steps: int
) -> None:
    box = Box(start, tuple(a + n for a, n in zip(start, shape, strict=True)))
    found = scales.rescaled(box, steps)
    for a, b, low, high in zip(box.start, box.stop, found.start, found.stop, strict=True):
        if b > a:
            assert set(range(low, high)) == {voxel >> steps for voxel in range(a, b)}
    finer = scales.rescaled(found, -steps)
    assert finer.contains(box)
    assert scales.rescaled(finer, steps) == found
