"""Scales of label volumes, and pyramids of images: shapes, coordinates, values, requests."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest

import dvid_array
from dvid_array import DvidArray, Node
from tests.conftest import Sent

BLOCK = (16, 16, 16)


@pytest.fixture
def labels(node: Node) -> tuple[DvidArray, list[np.ndarray]]:
    """Labels of x 8..50, y 0..32, z 5..37 at three scales, and the voxels of each scale.

    Labels fill cubes of 4 voxels, so that no coarse voxel has to choose.
    """
    array = node.create("seg", "uint64", block=BLOCK, max_scale=2, resolution=(4, 4, 8))
    x, y, z = np.ogrid[0:64, 0:32, 0:48]
    whole = (1 + x // 4 + 100 * (y // 4) + 10_000 * (z // 4)).astype(np.uint64)
    whole[:8] = whole[50:] = whole[:, :, :5] = whole[:, :, 37:] = 0
    array[0, 8:50, 0:32, 5:37] = whole[8:50, :, 5:37]
    return array, [whole, *(coarse(whole, scale) for scale in (1, 2))]


def coarse(whole: np.ndarray, scale: int) -> np.ndarray:
    """The largest label of each cube: the only one, beside 0, which never wins."""
    by = 1 << scale
    x, y, z = (n // by for n in whole.shape)
    return whole.reshape(x, by, y, by, z, by).max(axis=(1, 3, 5))


def test_each_scale_has_its_own_facts(labels: tuple[DvidArray, list[np.ndarray]]) -> None:
    array, truth = labels
    assert array.scales == (0, 1, 2)
    for scale, whole in enumerate(truth):
        seen = array.node.open("seg", scale=scale)
        by = 1 << scale
        assert (seen.scale, seen.scales) == (scale, (0, 1, 2))
        assert seen.resolution == (4 * by, 4 * by, 8 * by)
        assert seen.minindex == (0, 8 // by, 0, 5 // by)
        assert seen.shape == (1, -(-50 // by), 32 // by, -(-37 // by))
        assert seen.block_shape == (1, *BLOCK)
        assert seen.url.endswith("seg" + f"?scale={scale}" * bool(scale))
        np.testing.assert_array_equal(seen[0], whole[tuple(map(slice, seen.shape[1:]))])
        assert seen.stored.shape == tuple(np.subtract(seen.shape, seen.minindex))
        assert dvid_array.open(seen.url).shape == seen.shape


def test_another_scale_costs_no_request(
    labels: tuple[DvidArray, list[np.ndarray]], sent: list[Sent]
) -> None:
    array, _ = labels
    sent.clear()
    levels = array.pyramid()
    assert [level.scale for level in levels] == [0, 1, 2]
    assert [level.shape for level in levels] == [array.at_scale(s).shape for s in array.scales]
    assert levels[2].at_scale(0).shape == array.shape
    for scale in (3, -1):
        with pytest.raises(ValueError, match=r"'seg' has the scales \(0, 1, 2\)"):
            array.at_scale(scale)
    assert pickle.loads(pickle.dumps(levels[1])).scale == 1
    assert not sent


def test_a_window_keeps_its_place(labels: tuple[DvidArray, list[np.ndarray]]) -> None:
    array, truth = labels
    window = array.window((9, 3, 5), (30, 17, 21))
    for scale, seen in enumerate(window.pyramid()):
        start = [n >> scale for n in (9, 3, 5)]
        stop = [-(-n // (1 << scale)) for n in (30, 17, 21)]
        assert seen.origin == (0, *start)
        box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        np.testing.assert_array_equal(seen[0], truth[scale][box])
    assert window.at_scale(2).at_scale(0).origin == (0, 8, 0, 4)


def test_a_scale_that_is_not_there(labels: tuple[DvidArray, list[np.ndarray]]) -> None:
    array, _ = labels
    with pytest.raises(ValueError, match="'seg' has scales 0 to 2, not 3"):
        array.node.open("seg", scale=3)
    with pytest.raises(ValueError, match="not 256"):  # which DVID would take for 0
        dvid_array.open(array.url, scale=256)


def test_coarser_scales_are_read_only(
    labels: tuple[DvidArray, list[np.ndarray]], sent: list[Sent]
) -> None:
    array, _ = labels
    sent.clear()
    with pytest.raises(dvid_array.DvidTypeError, match="scale 1"):
        array.at_scale(1)[:, :16, :16, :16] = 1
    assert not sent


def test_an_image_pyramid_is_made_as_neuroglancer_wants_it(node: Node, sent: list[Sent]) -> None:
    gray = node.create(
        "gray", "uint8", shape=(101, 64, 30), block=BLOCK, resolution=(4, 4, 8), max_scale=2
    )
    assert set(node.instances) == {"gray", "gray_1", "gray_2"}
    assert gray.scales == (0,)
    levels = gray.pyramid()
    assert [level.instance for level in levels] == ["gray", "gray_1", "gray_2"]
    assert [level.shape for level in levels] == [(1, 101, 64, 30), (1, 51, 32, 15), (1, 26, 16, 8)]
    assert [level.resolution for level in levels] == [(4, 4, 8), (8, 8, 16), (16, 16, 32)]
    assert {level.block_shape for level in levels} == {(1, *BLOCK)}
    sent.clear()
    assert gray.at_scale(2).instance == "gray_2"
    assert [one.action for one in sent] == ["status", "info"]
    assert gray.at_scale(0).instance == "gray"
    with pytest.raises(dvid_array.DvidNotFoundError, match="gray_3"):
        gray.at_scale(3)
    with pytest.raises(ValueError, match="open 'gray_1' for that"):
        node.open("gray", scale=1)


def test_windows_of_an_image_pyramid(node: Node) -> None:
    gray = node.create("gray", "uint8", block=BLOCK, max_scale=1)
    gray[:, :32, :32, :32] = 8
    gray.at_scale(1)[:, :16, :16, :16] = 4
    fine, half = gray.window((3, 5, 8), (12, 20, 31)).pyramid()
    assert (fine.origin, fine.shape) == ((0, 3, 5, 8), (1, 9, 15, 23))
    assert (half.origin, half.shape) == ((0, 1, 2, 4), (1, 5, 8, 12))
    assert (fine[...] == 8).all()
    assert (half[...] == 4).all()


def test_a_pyramid_is_made_whole_or_not_at_all(node: Node) -> None:
    node.create("gray_2", "uint8")
    with pytest.raises(dvid_array.DvidExistsError, match="gray_2 already: nothing was made"):
        node.create("gray", "uint8", max_scale=2)
    assert set(node.refresh().instances) == {"gray_2"}


@pytest.mark.parametrize("dtype", ["uint8", "uint64"])
def test_defaults_keep_negative_coordinates_where_nothing_says_otherwise(
    node: Node, dtype: str
) -> None:
    array = node.create("v", dtype, block=BLOCK)
    assert array.scales == (0,)
    array.voxels[:, -16:0, 0:16, 0:16] = 3
    assert (array.stored[...] == 3).all()


def test_a_labelmap_of_known_shape_can_be_shown(node: Node, sent: list[Sent]) -> None:
    array = node.create("v", "uint64", shape=(600, 20, 20), block=(64, 64, 64))
    assert array.scales == (0, 1, 2)
    array[...] = 7
    seen = array.pyramid()
    for finer, coarser in pairwise(seen):
        assert coarser.shape == (1, *(-(-n // 2) for n in finer.shape[1:]))
    assert (seen[2][...] == 7).all()
    sent.clear()
    with pytest.raises(dvid_array.DvidTypeError, match="max_scale=0"):
        array.voxels[:, -16:0, 0:16, 0:16] = 3
    assert "POST" not in {one.method for one in sent}
    flat = node.create("flat", "uint64", shape=(600, 20, 20), block=BLOCK, max_scale=0)
    flat.voxels[:, -16:0, 0:16, 0:16] = 3
    assert flat.scales == (0,)
