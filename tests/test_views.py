"""`.voxels`, `.oindex`, `.vindex` and plans at their edges: windows, writes, grown volumes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvid_array import DvidArray, Node
from dvid_array.box import Box
from dvid_array.views import Plan
from tests import offline
from tests.conftest import Sent

s_ = np.s_
ORIGIN = (-20, 5, 0)
SHAPE = (2, 40, 30, 25)


@pytest.fixture
def signed(node: Node) -> tuple[DvidArray, np.ndarray]:
    """Voxels from x -20, y 5, z 0 on, and the numpy array of them."""
    array = node.create("v", "uint8", channels=4, block=(16, 16, 16))
    truth = np.random.default_rng(5).integers(1, 255, (4, *SHAPE[1:]), np.uint8)
    array.post_ndarray((0, *ORIGIN), (4, 20, 35, 25), truth)
    return array, truth


# Plans.


def test_a_plan_as_text() -> None:
    assert str(Plan("raw", 2, 12, 1234567)) == (
        "2 request(s) by raw: 12 block(s), 1,234,567 bytes of voxels before compression"
    )


@pytest.mark.parametrize(
    ("key", "blocks", "voxels"),
    [
        (s_[...], 4 * 7 * 10, 100 * 200 * 300),
        (s_[:, 0:1, 0:1, 0:1], 1, 1),
        (s_[:, 31:33, 31:33, 31:33], 8, 8),
        (s_[:, ::64, 0:1, 0:1], 2, 2),
        (s_[:, 5:5], 0, 0),
    ],
)
def test_what_a_plan_counts(key: Any, blocks: int, voxels: int) -> None:
    """Stored blocks come whole; raw voxels as boxes are asked for."""
    whole, raw = (
        offline.array().with_settings(transport=way).plan(key) for way in ("blocks", "raw")
    )
    assert (whole.blocks, whole.bytes) == (blocks, blocks * 32**3)
    assert (raw.blocks, raw.bytes) == (blocks, voxels)
    ways = {(plan.transport, plan.requests > 0) for plan in (whole, raw)}
    assert ways == ({("blocks", True), ("raw", True)} if blocks else {("none", False)})


def test_a_plan_of_a_petabyte_takes_no_memory() -> None:
    huge = offline.array(extents=Box((0, 0, 0), (10**5,) * 3))
    plan = huge.plan(s_[...])
    assert plan.blocks == 3125**3
    assert plan.bytes == 10**15
    assert plan.requests > 10**7


def test_a_plan_is_of_the_element_type() -> None:
    wide = offline.array(kind="float32blk").with_settings(transport="raw")
    assert wide.plan(s_[:, 0:5, 0:7, 0:9]).bytes == 4 * 5 * 7 * 9


# Literal coordinates.


def test_literal_lists_and_masks(signed: tuple[DvidArray, np.ndarray], sent: list[Sent]) -> None:
    """A list is literal; a mask is of the stored extent."""
    array, truth = signed
    sent.clear()
    np.testing.assert_array_equal(array.voxels[:, [-1, -20, 19]], truth[:, [19, 0, 39]])
    mask = np.arange(40) % 13 == 0
    np.testing.assert_array_equal(array.voxels[:, mask], truth[:, mask])
    assert len(sent) == 3  # x -1 and -20, x 19, and the mask
    with pytest.raises(IndexError, match="the mask has 20 entries, axis x has 40"):
        array.voxels[:, np.ones(20, bool)]
    assert not array.voxels[:, [-1000, 1000]].any()


def test_literal_ends_left_out(signed: tuple[DvidArray, np.ndarray]) -> None:
    array, truth = signed
    np.testing.assert_array_equal(array.voxels[2, ::3, 10:, :5], truth[2, ::3, 5:, :5])
    assert array.voxels[0, 10:-10].shape == (0, 30, 25)
    assert array.voxels[3, -20, 5, 0] == truth[3, 0, 0, 0]
    assert type(array.voxels[3, -20, 5, 0]) is np.uint8


def test_literal_steps_go_forward(signed: tuple[DvidArray, np.ndarray], sent: list[Sent]) -> None:
    array, _ = signed
    sent.clear()
    for use in (array.voxels.__getitem__, lambda key: array.voxels.__setitem__(key, 1)):
        with pytest.raises(IndexError, match="go forward, this one is -1"):
            use(s_[:, ::-1])
        with pytest.raises(IndexError, match=r"4 channel\(s\)"):
            use(s_[4, 0, 5, 0])
        with pytest.raises(IndexError, match=r"4 channel\(s\)"):
            use(s_[[0, -1], 0, 5, 0])
    assert not sent


def test_literal_writes_land_where_they_say(signed: tuple[DvidArray, np.ndarray]) -> None:
    array, truth = signed
    array.voxels[1, -1, 6, 2] = 7
    array.voxels[:, -20:20:7, [9, 5], 3] = 8
    truth[1, 19, 1, 2] = 7
    truth[:, ::7, [4, 0], 3] = 8
    np.testing.assert_array_equal(array.stored[...], truth)
    array.voxels[0, 25, 40, -3] = 9
    assert array.minindex == (0, -20, 5, -3)
    assert array.shape == (4, 26, 41, 25)
    assert array.voxels[0, 25, 40, -3] == 9
    np.testing.assert_array_equal(array.voxels[:, -20:20, 5:35, 0:25], truth)


# Outer indexing.


def test_outer_index_of_a_window(signed: tuple[DvidArray, np.ndarray], sent: list[Sent]) -> None:
    array, truth = signed
    window = array.window((-10, 10, 3), (10, 30, 20))
    inside = truth[:, 10:30, 5:25, 3:20]
    pick = np.ix_([3, 0], [0, 19, 5], [1, 1], [-1, 2])
    sent.clear()
    np.testing.assert_array_equal(window.oindex[[3, 0], [0, -1, 5], [1, 1], [-1, 2]], inside[pick])
    assert len(sent) == 1
    mask = np.arange(20) % 6 == 1
    window.oindex[0, mask, :, [2, 4]] = 200
    inside[0][np.ix_(mask, range(20), [2, 4])] = 200
    np.testing.assert_array_equal(array.stored[...], truth)  # inside is a view of it
    value = window.oindex[0, 1, 2, 3]
    assert value == inside[0, 1, 2, 3]
    assert type(value) is np.uint8
    for use in (
        lambda: window.oindex[:, [20]],
        lambda: window.oindex.__setitem__(s_[:, [0, 20]], 1),
        lambda: window.oindex.__setitem__(s_[:, 0:21], 1),
    ):
        with pytest.raises(IndexError, match="axis x"):
            use()
    np.testing.assert_array_equal(array.stored[...], truth)


def test_outer_writes_grow_an_array_by_slices(signed: tuple[DvidArray, np.ndarray]) -> None:
    array, _ = signed
    array.oindex[[0, 2], 18:23, 7, [0, 24]] = np.arange(20).reshape(2, 5, 2)
    assert array.shape == (4, 23, 35, 25)
    np.testing.assert_array_equal(
        array.voxels[[0, 2], 18:23, 7, ::24], np.arange(20).reshape(2, 5, 2)
    )
    assert not array.voxels[1::2, 20:23].any()


# Points.


def test_points_of_a_window(signed: tuple[DvidArray, np.ndarray]) -> None:
    """Negative positions count from the window's end."""
    array, truth = signed
    window = array.window((-10, 10, 3), (10, 30, 20))
    inside = truth[:, 10:30, 5:25, 3:20]
    at = np.array([[3], [0]]), [0, -1, 5], 4, np.array([[-17, 16, 0]])
    np.testing.assert_array_equal(window.vindex[at], inside[at], strict=True)
    mask = inside > 250
    np.testing.assert_array_equal(window.vindex[mask], inside[mask], strict=True)
    value = window.vindex[0, 1, 2, 3]
    assert value == inside[0, 1, 2, 3]
    assert type(value) is np.uint8


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (s_[0, 1, 2], IndexError),
        (s_[0, :, 2, 3], IndexError),
        (s_[..., 1], IndexError),
        (s_[0, [1, 2], [1, 2, 3], 0], IndexError),
        (s_[0, 100, 0, 0], IndexError),
        (s_[0, -101, 0, 0], IndexError),
        (s_[1, 0, 0, 0], IndexError),
        (s_[0, 1.5, 0, 0], IndexError),
        (np.ones((1, 100, 200, 299), bool), IndexError),
    ],
    ids=str,
)
def test_what_is_no_point(sent: list[Sent], key: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        offline.array().vindex[key]
    assert not sent


def test_points_are_not_assigned() -> None:
    with pytest.raises(TypeError, match="does not support item assignment"):
        offline.array().vindex[0, 1, 2, 3] = 1  # type: ignore[index]


places = st.lists(st.tuples(*[st.integers(-25, 45)] * 3), max_size=6)


@given(places)
def test_at_points_looks_anywhere(scratch: tuple[DvidArray, np.ndarray], xyz: list[Any]) -> None:
    array, padded = scratch
    rows = np.array(xyz, int).reshape(-1, 3)
    x, y, z = rows.T + 25
    np.testing.assert_array_equal(array.at_points(rows), padded[:, x, y, z], strict=True)
    for channel in (0, 3):
        named = np.insert(rows, 0, channel, axis=1)
        np.testing.assert_array_equal(array.at_points(named), padded[channel, x, y, z])
    for row in rows[:1]:
        np.testing.assert_array_equal(array.at_points(row), padded[:, x[0], y[0], z[0]])


@pytest.fixture
def scratch(signed: tuple[DvidArray, np.ndarray]) -> tuple[DvidArray, np.ndarray]:
    """All voxels from -25 to 45 on each axis."""
    array, truth = signed
    padded = np.zeros((4, 71, 71, 71), np.uint8)
    padded[:, 5:45, 30:60, 25:50] = truth
    return array, padded


@pytest.mark.parametrize("view", ["voxels", "oindex", "vindex"])
def test_views_are_of_one_handle(view: str, filled: Callable[..., Any]) -> None:
    """They follow what it knows, and are no volumes themselves."""
    array, _ = filled("uint8", (1, 20, 20, 20))
    index = getattr(array, view)
    array[:, 0:25, 0:20, 0:20] = 3
    assert index[0, 24, 0, 0] == 3
    assert not hasattr(index, "shape")
