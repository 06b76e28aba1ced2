"""Regions of interest against numpy: masks at any coordinates, points, posts, arrays seen through
them."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

import dvid_array
from dvid_array import (
    Box,
    DvidArray,
    DvidExistsError,
    DvidLockedError,
    DvidNotFoundError,
    DvidTooLargeError,
    DvidTypeError,
    Node,
    Roi,
)
from tests.conftest import Dvid, Sent

ROWS = [[-2, -1, -3, -2], [-1, 0, -1, 1], [0, 0, 0, 2], [0, 1, 1, 1], [1, -1, 2, 3], [2, 2, -3, 3]]
"""A region around 0, in blocks of BLOCK."""
BLOCK = (8, 16, 32)
ORIGIN = -200
"""Coordinate of the first voxel of the masks here."""
SPAN = 400
corner = st.tuples(*[st.integers(-120, 120)] * 3)
size = st.tuples(*[st.integers(0, 60)] * 3)


def truth(rows: Any, block: tuple[int, int, int]) -> np.ndarray:
    """The mask (x, y, z) of voxels from ORIGIN on."""
    made = np.zeros((SPAN,) * 3, bool)
    bx, by, bz = block
    for z, y, first, last in rows:
        place = ((first * bx, (last + 1) * bx), (y * by, (y + 1) * by), (z * bz, (z + 1) * bz))
        made[tuple(slice(a - ORIGIN, b - ORIGIN) for a, b in place)] = True
    return made


def cut(mask: np.ndarray, start: Any, stop: Any) -> np.ndarray:
    return mask[tuple(slice(a - ORIGIN, b - ORIGIN) for a, b in zip(start, stop, strict=True))]


@pytest.fixture(scope="module")
def region(dvid: Dvid) -> tuple[Roi, np.ndarray]:
    """A region that no test changes, and its mask from ORIGIN on."""
    server = dvid_array.connect(dvid.url, admin_token=dvid.admin_token)
    roi = server.create_repo("regions").create_roi("brain", block=BLOCK).post_spans(ROWS)
    return roi, truth(ROWS, BLOCK)


# What it is.


def test_what_it_tells(region: tuple[Roi, np.ndarray], sent: list[Sent]) -> None:
    roi, mask = region
    again = roi.node.roi("brain")
    assert [one.action for one in sent] == ["info"]
    assert (again.name, again.uuid, again.block_shape) == ("brain", roi.uuid, BLOCK)
    assert again.spans.tolist() == ROWS
    assert again.size == mask.sum()
    where = np.argwhere(mask)
    low, high = where.min(axis=0) + ORIGIN, where.max(axis=0) + ORIGIN + 1
    assert again.box == Box(tuple(low.tolist()), tuple(high.tolist()))
    assert [one.action for one in sent] == ["info", "roi"]
    assert "'brain'" in repr(again)


def test_a_new_region_is_empty(node: Node) -> None:
    roi = node.create_roi("brain")
    assert roi.block_shape == (32, 32, 32)
    assert roi.spans.shape == (0, 4)
    assert (roi.size, roi.box.empty) == (0, True)
    assert not roi.mask((-9, -9, -9), (9, 9, 9)).any()
    assert not roi.contains((0, 0, 0))
    assert "brain" in node


def test_doors(node: Node) -> None:
    node.create("gray", "uint8")
    node.create_roi("brain")
    with pytest.raises(DvidTypeError, match=r"node\.roi\(name\)"):
        node["brain"]
    with pytest.raises(DvidTypeError, match=r"'gray' is a uint8blk, .* open volumes with node"):
        node.roi("gray")
    with pytest.raises(DvidNotFoundError):
        node.roi("never")
    with pytest.raises(DvidExistsError):
        node.create_roi("brain")
    with pytest.raises(ValueError, match="positive"):
        node.create_roi("other", block=(32, 32, 0))


def test_the_server_agrees(region: tuple[Roi, np.ndarray]) -> None:
    """DVID's own answers about points are right everywhere, its masks where nothing is negative."""
    roi, _ = region
    url = f"{roi.node.server.url}/api/node/{roi.uuid}/brain"
    points = np.random.default_rng(1).integers((-24, -16, -64), (32, 48, 96), (500, 3))
    said = requests.post(f"{url}/ptquery", json=points.tolist(), timeout=10).json()
    assert roi.contains(points).tolist() == said
    assert 20 < sum(said) < 480
    raw = requests.get(f"{url}/mask/0_1_2/40_70_90/3_5_7", timeout=10).content
    theirs = np.frombuffer(raw, np.uint8).reshape(90, 70, 40).T
    np.testing.assert_array_equal(roi.mask((3, 5, 7), (43, 75, 97)), theirs)


@given(corner, size)
def test_masks_of_any_box(region: tuple[Roi, np.ndarray], start: Any, shape: Any) -> None:
    roi, mask = region
    stop = tuple(np.add(start, shape).tolist())
    found = roi.mask(start, stop)
    assert (found.shape, found.dtype) == (tuple(shape), bool)
    assert found.flags.f_contiguous
    np.testing.assert_array_equal(found, cut(mask, start, stop))


def test_points(region: tuple[Roi, np.ndarray]) -> None:
    roi, mask = region
    points = np.random.default_rng(1).integers(-190, 190, (2000, 3))
    found = roi.contains(points)
    np.testing.assert_array_equal(found, mask[tuple((points - ORIGIN).T)])
    assert roi.contains((0, 0, 0)) is True
    assert roi.contains([1 << 40, 0, 0]) is False
    assert roi.contains(np.empty((0, 3), np.int64)).shape == (0,)


@pytest.mark.parametrize("points", [[1, 2], [[1, 2, 3, 4]], [1.5, 2, 3], [[[1, 2, 3]]], "abc"])
def test_what_is_no_point(region: tuple[Roi, np.ndarray], points: Any) -> None:
    with pytest.raises(ValueError, match="x, y, z"):
        region[0].contains(points)


def test_unsigned_points_are_not_wrapped_around(region: tuple[Roi, np.ndarray]) -> None:
    far = np.array([[2**64 - 3, 0, 0]], np.uint64)
    with pytest.raises(IndexError, match="beyond DVID's coordinates"):
        region[0].contains(far)
    with pytest.raises(IndexError, match="beyond DVID's coordinates"):
        region[0].post_spans(np.insert(far, 3, 0, axis=1))


@pytest.mark.parametrize(
    ("start", "stop", "error"),
    [
        ((0, 0), (1, 1), ValueError),
        ((0, 0, 0, 0), (1, 1, 1, 1), ValueError),
        ((0, 0, 5), (1, 1, 4), ValueError),
        ((0, 0, 0.5), (1, 1, 4), ValueError),
        ((0, 0, 0), (1 << 20, 1 << 20, 1 << 20), DvidTooLargeError),
    ],
)
def test_bad_boxes(
    region: tuple[Roi, np.ndarray], start: Any, stop: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        region[0].mask(start, stop)


def test_dask(region: tuple[Roi, np.ndarray], sent: list[Sent]) -> None:
    roi, mask = region
    box = roi.box
    lazy = roi.to_dask(chunks=(20, 30, 50))
    np.testing.assert_array_equal(lazy.compute(), cut(mask, box.start, box.stop))
    assert lazy.sum().compute() == roi.size
    part = roi.to_dask((-50, -50, -50), (50, 60, 70))
    whole = cut(mask, (-50, -50, -50), (50, 60, 70))
    np.testing.assert_array_equal(part[3::7, 5, ::-2].compute(), whole[3::7, 5, ::-2])
    assert part.name == roi.to_dask((-50, -50, -50), (50, 60, 70)).name != lazy.name
    assert sent == []
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(part)).compute(), whole)


# Posts.


def test_a_mask_is_posted(node: Node) -> None:
    roi = node.create_roi("brain", block=BLOCK)
    mask = truth(ROWS, BLOCK)
    start = (-40, -48, -64)
    assert roi.post(cut(mask, start, (72, 80, 160)), start=start) is roi
    assert roi.spans.tolist() == ROWS
    assert node.roi("brain").spans.tolist() == ROWS
    c_ordered = np.ascontiguousarray(mask[None])
    assert roi.post(c_ordered, start=(ORIGIN,) * 3).refresh().spans.tolist() == ROWS


@pytest.mark.parametrize("order", ["C", "F"])
def test_blocks_that_are_partly_true(node: Node, sent: list[Sent], order: Any) -> None:
    roi = node.create_roi("brain", block=(4, 8, 16))
    rng = np.random.default_rng(2)
    mask = np.asarray(rng.random((37, 41, 53)) > 0.996, order=order)
    mask[11:15, 5:13, 3:19] = True
    sent.clear()
    with pytest.raises(ValueError, match=r"only partly True, the first from voxel .* widen=True"):
        roi.post(mask, start=(-11, -5, -3))
    assert sent == []
    roi.post(mask, start=(-11, -5, -3), widen=True)
    voxels = np.add(np.argwhere(mask), (-11, -5, -3))
    expected = {tuple(one) for one in (voxels // (4, 8, 16)).tolist()}
    rows = roi.refresh().spans.tolist()
    assert {(x, y, z) for z, y, a, b in rows for x in range(a, b + 1)} == expected


def test_the_edge_of_a_mask_cuts_blocks(node: Node) -> None:
    """What lies beyond the mask is not known to be True."""
    roi = node.create_roi("brain", block=(8, 8, 8))
    roi.post(np.ones((16, 8, 8), bool), start=(-8, 0, 0))
    assert roi.spans.tolist() == [[0, 0, -1, 0]]
    with pytest.raises(ValueError, match=r"1 blocks .* voxel \(8, 0, 0\)"):
        roi.post(np.ones((17, 8, 8), bool), start=(-8, 0, 0))
    assert roi.refresh().spans.tolist() == [[0, 0, -1, 0]]


def test_posts_replace(node: Node) -> None:
    roi = node.create_roi("brain", block=(8, 8, 8))
    roi.post(np.ones((16, 8, 8), bool))
    roi.post(np.ones((8, 8, 8), bool), start=(0, 8, 0))
    assert roi.refresh().spans.tolist() == [[0, 1, 0, 0]]
    roi.post(np.zeros((8, 8, 8), bool))
    assert roi.refresh().spans.tolist() == []
    roi.post_spans(ROWS).post_spans([])
    assert roi.refresh().spans.tolist() == []
    roi.post(np.zeros((0, 8, 8), bool))
    assert roi.refresh().spans.tolist() == []


def test_versions(node: Node) -> None:
    """A version has its parent's region until it has its own; a committed one keeps it."""
    roi = node.create_roi("brain", block=BLOCK).post_spans(ROWS)
    node.commit()
    with pytest.raises(DvidLockedError, match=r"new_version"):
        roi.post_spans([[0, 0, 0, 0]])
    assert roi.spans.tolist() == ROWS
    child = node.new_version().roi("brain")
    assert child.spans.tolist() == ROWS
    child.post_spans([[0, 0, 0, 0]])
    assert child.refresh().spans.tolist() == [[0, 0, 0, 0]]
    assert roi.refresh().spans.tolist() == ROWS


@pytest.mark.parametrize(
    ("mask", "error"),
    [
        (np.ones((4, 4, 4), np.uint8), TypeError),
        (np.ones((4, 4), bool), ValueError),
        (np.ones((2, 4, 4, 4), bool), ValueError),
        ([[[True, 2]]], TypeError),
    ],
)
def test_what_is_no_mask(
    region: tuple[Roi, np.ndarray], sent: list[Sent], mask: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match="mask is"):
        region[0].post(mask)
    assert sent == []


@pytest.mark.parametrize(
    "rows", [[[0, 0, 3, 2]], [[0, 0, 0]], [0, 0, 0, 0], [[0.5, 0, 0, 0]], [[0, 0, 0, 1 << 31]]]
)
def test_what_are_no_rows(region: tuple[Roi, np.ndarray], sent: list[Sent], rows: Any) -> None:
    with pytest.raises(ValueError, match=r"rows are|ends before|32-bit"):
        region[0].post_spans(rows)
    assert sent == []


# Arrays seen through a region.

SHAPE = (1, 100, 90, 80)
LOW = (-30, -20, -10)
ROI_ROWS = [[-1, -1, -2, 0], [0, 0, -1, -1], [0, 1, 0, 2], [1, 2, 4, 5], [3, 3, -2, 5]]


@pytest.fixture(scope="module")
def seen(dvid: Dvid) -> tuple[DvidArray, Roi, np.ndarray]:
    """A volume of random voxels at LOW, a region in blocks of another size, and the voxels inside
    of it from ORIGIN on."""
    server = dvid_array.connect(dvid.url, admin_token=dvid.admin_token)
    node = server.create_repo("seen through")
    array = node.create("gray", "uint8", block=(32, 32, 32))
    voxels = np.random.default_rng(4).integers(1, 255, SHAPE, dtype=np.uint8)
    place = tuple(slice(a, a + n) for a, n in zip(LOW, SHAPE[1:], strict=True))
    array.voxels[(slice(None), *place)] = voxels
    block = (16, 24, 20)
    roi = node.create_roi("brain", block=block).post_spans(ROI_ROWS)
    around = np.zeros((1, SPAN, SPAN, SPAN), np.uint8)
    around[(0, *(slice(p.start - ORIGIN, p.stop - ORIGIN) for p in place))] = voxels[0]
    return array, roi, around * truth(ROI_ROWS, block)


def whole(around: np.ndarray, array: DvidArray) -> np.ndarray:
    """What 0..shape shows."""
    return around[(slice(None), *(slice(-ORIGIN, n - ORIGIN) for n in array.shape[1:]))]


s_ = np.s_


@pytest.mark.parametrize(
    "key",
    [
        s_[...],
        s_[:, 10:20, 30:60, 5:70],
        s_[0, 33],
        s_[0, 20, 30, 15],
        s_[:, ::-3, 5::7],
        s_[:, [60, 5, 33]],
        s_[:, 0:3, 0:3, 60:64],
        s_[:, 5:5],
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:.*negative coordinates")
def test_inside_as_the_array_outside_zero(
    seen: tuple[DvidArray, Roi, np.ndarray], key: Any
) -> None:
    array, roi, around = seen
    masked = array.where(roi)
    np.testing.assert_array_equal(masked[key], whole(around, array)[key])


def test_every_view_is_seen_through_it(seen: tuple[DvidArray, Roi, np.ndarray]) -> None:
    array, roi, around = seen
    masked = array.where(roi)
    place = (
        slice(None),
        *(slice(a - ORIGIN, b - ORIGIN) for a, b in ((-30, 70), (-20, 70), (-10, 70))),
    )
    inside = around[place]
    np.testing.assert_array_equal(masked.stored[...], inside)
    np.testing.assert_array_equal(array.stored.where(roi)[...], inside)
    window = masked.window((-25, -15, -10), (40, 60, 70))
    np.testing.assert_array_equal(window[...], inside[:, 5:70, 5:80])
    np.testing.assert_array_equal(masked.voxels[:, -25:40, -15:60, -10:70], inside[:, 5:70, 5:80])
    np.testing.assert_array_equal(masked.stored.at(array.uuid)[...], inside)
    np.testing.assert_array_equal(masked.stored.with_settings(threads=1)[...], inside)
    np.testing.assert_array_equal(masked.stored.to_dask(chunks=32).compute(), inside)
    np.testing.assert_array_equal(masked.to_xarray().values, inside)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(masked)).stored[...], inside)
    out = np.full(SHAPE, 9, np.uint8)
    masked.read(LOW, (70, 70, 70), out=out)
    np.testing.assert_array_equal(out, inside)
    points = np.random.default_rng(5).integers(0, (70, 70, 70), (300, 3)).T
    np.testing.assert_array_equal(masked.vindex[0, *points], around[(0, *(points - ORIGIN))])
    np.testing.assert_array_equal(
        masked.stored.oindex[:, [3, 99, 40], :, [5, 70]], inside[:, [3, 99, 40]][..., [5, 70]]
    )


@pytest.mark.filterwarnings("ignore:.*negative coordinates")
def test_it_lines_up_with_the_array(seen: tuple[DvidArray, Roi, np.ndarray]) -> None:
    array, roi, _ = seen
    masked = array.where(roi)
    assert (masked.shape, masked.minindex, masked.dtype) == (array.shape, array.minindex, "uint8")
    assert masked.regions == ("brain",)
    assert array.regions == ()
    assert "brain" in repr(masked)
    stored = array.stored
    corners = stored.origin[1:], tuple(np.add(stored.origin, stored.shape)[1:].tolist())
    lazy = stored.to_dask() * roi.to_dask(*corners)[None]
    np.testing.assert_array_equal(lazy.compute(), masked.stored[...])


def test_blocks_it_does_not_touch_are_not_fetched(
    seen: tuple[DvidArray, Roi, np.ndarray], sent: list[Sent]
) -> None:
    array, roi, _ = seen
    masked = array.where(roi)
    sent.clear()
    assert not masked[:, 48:64, 32:40, 0:10].any()
    assert sent == []
    masked.stored[...]
    touched = set()
    for z, y, first, last in ROI_ROWS:
        for x in range(first, last + 1):
            voxels = np.multiply((x, y, z), (16, 24, 20)) + np.argwhere(np.ones((16, 24, 20)))
            inside = voxels[((voxels >= LOW) & (voxels < 70)).all(axis=1)]
            touched |= {tuple(one) for one in np.unique(inside // 32, axis=0).tolist()}
    assert asked_blocks(sent) == sorted(touched)
    plan = masked.stored.plan(...)
    assert (plan.blocks, plan.requests) == (len(touched), len(sent))


def asked_blocks(sent: list[Sent]) -> list[tuple[int, ...]]:
    """Blocks of 32³ that were asked for, as often as they were."""
    found: list[tuple[int, ...]] = []
    for one in sent:
        if one.action == "specificblocks":
            numbers = list(map(int, one.query["blocks"].split(",")))
            found += [tuple(numbers[n : n + 3]) for n in range(0, len(numbers), 3)]
            continue
        assert one.action == "subvolblocks", one
        shape, start = (list(map(int, part.split("_"))) for part in one.path.split("/")[-2:])
        blocks = Box.sized([a // 32 for a in start], [n // 32 for n in shape])
        found += [tuple(np.add(n, blocks.start).tolist()) for n in np.ndindex(*blocks.shape)]
    return sorted(found)


@given(corner, size)
def test_any_box_of_it(seen: tuple[DvidArray, Roi, np.ndarray], start: Any, shape: Any) -> None:
    array, roi, around = seen
    stop = tuple(np.add(start, shape).tolist())
    np.testing.assert_array_equal(
        array.where(roi).read(start, stop)[0], cut(around[0], start, stop)
    )


def test_two_regions_show_what_both_have(
    seen: tuple[DvidArray, Roi, np.ndarray], node: Node
) -> None:
    array, roi, around = seen
    other = node.create_roi("left", block=(8, 8, 8)).post(np.ones((32, 80, 80), bool))
    both = array.where(roi).where(other)
    assert both.regions == ("brain", "left")
    expected = around.copy()
    expected[:, :-ORIGIN] = 0
    expected[:, 32 - ORIGIN :] = 0
    start, stop = (0, 0, 0), (70, 70, 70)
    np.testing.assert_array_equal(both.read(start, stop)[0], cut(expected[0], start, stop))


def test_it_is_not_written(seen: tuple[DvidArray, Roi, np.ndarray], sent: list[Sent]) -> None:
    array, roi, _ = seen
    masked = array.where(roi)
    sent.clear()
    for write in (
        lambda: masked.__setitem__(s_[:, 0:3, 0:3, 0:3], 1),
        lambda: masked.window((0, 0, 0), (9, 9, 9)).__setitem__(s_[...], 1),
        lambda: masked.post_ndarray((0, 0, 0, 0), (1, 1, 1, 1), np.ones((1, 1, 1, 1), np.uint8)),
    ):
        with pytest.raises(DvidTypeError, match="write to the array itself"):
            write()
    assert sent == []


@pytest.mark.parametrize("wrong", ["brain", np.ones((2, 2, 2), bool), None], ids=type)
def test_what_is_no_region(seen: tuple[DvidArray, Roi, np.ndarray], wrong: Any) -> None:
    with pytest.raises(TypeError, match=f"a {type(wrong).__name__} is no region.*create_roi"):
        seen[0].where(wrong)


def test_the_region_stays_as_it_was(node: Node) -> None:
    array = node.create("gray", "uint8", block=(16, 16, 16))
    array[:, 0:32, 0:16, 0:16] = 7
    roi = node.create_roi("brain", block=(16, 16, 16)).post_spans([[0, 0, 0, 0]])
    masked = array.where(roi)
    token = masked.__dask_tokenize__()
    roi.post_spans([[0, 0, 1, 1]])
    assert masked[0, :, 3, 3].tolist() == [7] * 16 + [0] * 16
    assert array.where(roi)[0, :, 3, 3].tolist() == [0] * 16 + [7] * 16
    node.commit()
    tokens = [one.refresh().__dask_tokenize__() for one in (masked, array.where(roi), array)]
    assert len({str(one) for one in [*tokens, token]}) == 4
    assert array.where(node.roi("brain")).__dask_tokenize__() == tokens[1]


@pytest.mark.parametrize("kind", ["labelmap", "labelarray", "labelblk"])
def test_labels(dvid: Dvid, node: Node, kind: str) -> None:
    if kind != "labelmap" and not dvid.real:
        with pytest.raises(DvidTypeError):
            node.create("seg", "uint64", kind=kind)
        return
    array = node.create("seg", "uint64", kind=kind, block=(32, 32, 32))
    labels = np.random.default_rng(6).integers(1, 1 << 40, (1, 64, 64, 64), np.uint64)
    array[:, 0:64, 0:64, 0:64] = labels
    roi = node.create_roi("brain", block=(16, 32, 64)).post_spans([[0, 0, 1, 2], [0, 1, 3, 3]])
    expected = labels * roi.mask((0, 0, 0), (64, 64, 64))[None]
    np.testing.assert_array_equal(array.where(roi).read((0, 0, 0), (64, 64, 64)), expected)


def test_floats_outside_are_zero_whatever_they_are(node: Node) -> None:
    array = node.create("map", "float32", block=(16, 16, 16))
    array[:, 0:32, 0:16, 0:16] = np.full((1, 32, 16, 16), np.nan, np.float32)
    roi = node.create_roi("brain", block=(8, 8, 8)).post_spans([[0, 0, 1, 1]])
    found = array.where(roi)[...]
    assert np.isnan(found[:, 8:16, :8, :8]).all()
    assert np.count_nonzero(found) == 512


def test_channels(node: Node) -> None:
    array = node.create("rgba", "uint8", channels=4, block=(16, 16, 16))
    voxels = np.random.default_rng(1).integers(1, 255, (4, 32, 16, 16), dtype=np.uint8)
    array[:, 0:32, 0:16, 0:16] = voxels
    roi = node.create_roi("brain", block=(8, 8, 8)).post_spans([[0, 0, 1, 2]])
    expected = voxels * roi.mask((0, 0, 0), (32, 16, 16))[None]
    np.testing.assert_array_equal(array.where(roi)[...], expected)
    np.testing.assert_array_equal(array.where(roi)[2], expected[2])


def test_scales_of_labels(node: Node) -> None:
    """A coarser voxel is inside when its first one is."""
    array = node.create("seg", "uint64", block=(32, 32, 32), max_scale=2)
    array[:, 0:128, 0:128, 0:128] = 5
    roi = node.create_roi("brain", block=(16, 32, 2))
    roi.post_spans([[4, 1, 2, 3], [5, 1, 2, 3], [7, 0, 1, 1]])
    fine = roi.mask((0, 0, 0), (128, 128, 128))
    for scale in (1, 2):
        coarse = array.at_scale(scale)
        step = 1 << scale
        expected = np.where(fine[::step, ::step, ::step], coarse[0], 0)
        np.testing.assert_array_equal(coarse.where(roi)[0], expected)
        np.testing.assert_array_equal(array.where(roi).at_scale(scale)[0], expected)
        assert expected.any()


def test_scales_of_images(node: Node) -> None:
    array = node.create("gray", "uint8", block=(16, 16, 16), max_scale=1)
    array[:, 0:64, 0:64, 0:64] = 7
    level = array.at_scale(1)
    level[:, 0:32, 0:32, 0:32] = 7
    roi = node.create_roi("brain", block=(16, 16, 16)).post_spans([[1, 1, 1, 2]])
    fine = roi.mask((0, 0, 0), (64, 64, 64))
    expected = fine[::2, ::2, ::2] * np.uint8(7)
    np.testing.assert_array_equal(array.where(roi).at_scale(1)[0], expected)
    first, second = array.where(roi).pyramid()
    np.testing.assert_array_equal(first[0], fine * np.uint8(7))
    np.testing.assert_array_equal(second[0], expected)


def test_the_cache_keeps_what_the_region_hides(node: Node, sent: list[Sent]) -> None:
    array = node.create("gray", "uint8", block=(16, 16, 16))
    voxels = np.random.default_rng(1).integers(1, 255, (1, 32, 16, 16), dtype=np.uint8)
    array[:, 0:32, 0:16, 0:16] = voxels
    roi = node.create_roi("brain", block=(8, 8, 8)).post_spans([[0, 0, 1, 1]])
    node.commit()
    cached = array.refresh().with_settings(cache_bytes=1 << 20)
    masked = cached.where(roi)
    expected = voxels * roi.mask((0, 0, 0), (32, 16, 16))[None]
    np.testing.assert_array_equal(masked[...], expected)
    np.testing.assert_array_equal(cached[...], voxels)
    sent.clear()
    np.testing.assert_array_equal(masked[...], expected)
    assert sent == []
