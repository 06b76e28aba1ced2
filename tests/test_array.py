"""`DvidArray` against numpy: the index table, writes, windows, guards, conversions, reprs."""

from __future__ import annotations

import math
import pickle
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import dvid_array
from dvid_array import DvidArray, Settings
from tests.conftest import Dvid, Sent

s_ = np.s_
SHAPE = (1, 64, 96, 128)
BLOCK = 32
MASK = np.arange(64) % 9 == 0
TYPES = [
    ("uint8", 1, None),
    ("uint16", 1, None),
    ("uint32", 1, None),
    ("uint64", 1, "uint64blk"),
    ("uint64", 1, "labelmap"),
    ("float32", 1, None),
    ("uint8", 4, None),
]
Volume = tuple[DvidArray, np.ndarray]


@pytest.fixture(scope="module")
def volume(dvid: Dvid) -> Volume:
    """A volume that no test changes, and its voxels."""
    server = dvid_array.connect(dvid.url, admin_token=dvid.admin_token)
    array = server.create_repo("index table").create("volume", "uint8", block=(BLOCK,) * 3)
    rng = np.random.default_rng(3)
    truth = rng.integers(1, 255, SHAPE, dtype=np.uint8)
    array[:, :64, :96, :128] = truth
    return array, truth


@pytest.fixture
def x(volume: Volume) -> DvidArray:
    return volume[0]


@pytest.fixture
def truth(volume: Volume) -> np.ndarray:
    return volume[1]


def block_ids(shape: tuple[int, ...] = SHAPE, block: int = BLOCK) -> np.ndarray:
    """For each voxel the number of the block that holds it."""
    x, y, z = (np.arange(extent) // block for extent in shape[1:])
    ids = x[:, None, None] + 1000 * y[None, :, None] + 1000_000 * z[None, None, :]
    return np.broadcast_to(ids, shape)


def asked(sent: list[Sent]) -> list[int]:
    """Numbers of the blocks that reads asked the server for, as often as they did."""
    found: list[int] = []
    for one in sent:
        if one.action == "specificblocks":
            numbers = np.fromstring(one.query["blocks"], int, sep=",").reshape(-1, 3)
            found += [int(n @ (1, 1000, 1000_000)) for n in numbers]
            continue
        assert one.action in ("subvolblocks", "raw", "blocks"), one
        size, start = (list(map(int, part.split("_"))) for part in one.path.split("/")[-2:])
        box = tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))
        found += [int(n) for n in np.unique(block_ids()[(0, *box)])]
    return found


# The index table.

EMPTY = [s_[:, 0:0], s_[:, 5:5], s_[:, :, :, 128:], s_[:, 20:10], s_[:, []], s_[0:0], s_[:, 70:90]]
VALUES = [
    s_[0, 3, 4, 5],
    s_[0, -1, -1, -1],
    (0, np.int64(3), np.uint8(4), 5),
    s_[0, 3, 4, 5, ...],
    s_[0:1, 0:4, 0:1, 0:1],
    s_[0, 0:4, 0, 0],
    s_[-1, 63, 95, 127],
]
BOXES = [
    s_[...],
    s_[()],
    s_[:],
    s_[..., 3],
    s_[0, ..., 5],
    s_[0],
    s_[:, 10:20, 40:50, 0:5],
    s_[:, 60:500],
    s_[:, -5:],
    s_[:, :, 31:33],
    s_[None],
    s_[:, None],
    s_[..., None],
    s_[None, 0, None, 5, ..., None],
]
SPARSE = [
    s_[:, ::2],
    s_[:, ::-1],
    s_[:, 40:3:-7],
    s_[:, ::40],
    s_[:, 63::-40, ::-50, 3::64],
    s_[::-1, 5:9],
    s_[:, [1, 5, 3]],
    s_[:, [3, 3]],
    s_[:, [-1, 0]],
    s_[:, :, :, [127, 0, 64, 0]],
    s_[[0, 0], 5],
    s_[:, np.array([60, 2], np.uint8), 5:7],
    s_[:, (1, 2), 0],
    s_[0, :, [3, 90], 5],
    s_[0, [1, 2], :, 5],
    s_[:, MASK],
    s_[:, MASK.tolist()],
    s_[0, 3, :, np.arange(128) % 50 == 0],
]


@pytest.mark.parametrize("key", EMPTY)
def test_empty_results_cost_nothing(
    x: DvidArray, truth: np.ndarray, sent: list[Sent], key: Any
) -> None:
    np.testing.assert_array_equal(x[key], truth[key], strict=True)
    assert x.plan(key).requests == 0
    assert not sent


@pytest.mark.parametrize("key", VALUES)
def test_small_results_are_one_request(
    x: DvidArray, truth: np.ndarray, sent: list[Sent], key: Any
) -> None:
    result = x[key]
    np.testing.assert_array_equal(result, truth[key], strict=True)
    assert type(result) is type(truth[key])
    assert len(sent) == 1


@pytest.mark.parametrize("key", BOXES + SPARSE)
def test_each_block_touched_is_asked_for_once(
    x: DvidArray, truth: np.ndarray, sent: list[Sent], key: Any
) -> None:
    plan = x.plan(key)
    assert not sent
    np.testing.assert_array_equal(x[key], truth[key], strict=True)
    touched = [int(n) for n in np.unique(block_ids()[key])]
    assert sorted(asked(sent)) == touched
    assert (plan.requests, plan.blocks) == (len(sent), len(touched))


@given(hnp.basic_indices(SHAPE, allow_newaxis=True, max_dims=6))
def test_any_basic_key(volume: Volume, key: Any) -> None:
    array, truth = volume
    result = array[key]
    np.testing.assert_array_equal(result, truth[key], strict=True)
    assert type(result) is type(truth[key])


OUTER = [
    s_[:, [1, 40], :, [5, 90, 5]],
    s_[0, [63, 0], 5:70:60, MASK[:64].tolist() + [True] + [False] * 63],
    s_[[0], [1], [2], [3]],
    s_[..., [0, 127]],
    s_[0, 5, 5, 5],
    s_[:, 3:9, ::-31],
    s_[:, [], [1]],
]


@pytest.mark.parametrize("key", OUTER)
def test_outer_index(x: DvidArray, truth: np.ndarray, sent: list[Sent], key: Any) -> None:
    """zarr's meaning: every list is of its axis alone."""

    def pick(array: np.ndarray) -> np.ndarray:
        parts = [part for part in key if part is not Ellipsis]
        place = next((n for n, part in enumerate(key) if part is Ellipsis), len(key))
        parts[place:place] = [slice(None)] * (4 - len(parts))
        for axis, part in reversed(list(enumerate(parts))):
            index = np.array(part, int) if isinstance(part, list) and not part else part
            array = array[(*[slice(None)] * axis, index)]
        return array

    np.testing.assert_array_equal(x.oindex[key], pick(truth), strict=True)
    assert sorted(asked(sent)) == [int(n) for n in np.unique(pick(block_ids()))]


POINTS = [
    (0, [1, 2, 60], [3, 3, 90], [5, 5, 127]),
    (0, [[1], [-1]], [[3, 90]], 7),
    (0, 1, 2, 3),
    (0, [], [], []),
    ([0] * 5, [5] * 5, [6] * 5, [-1, 0, 1, 0, 64]),
]


@pytest.mark.parametrize("key", POINTS)
def test_points(x: DvidArray, truth: np.ndarray, sent: list[Sent], key: Any) -> None:
    at = tuple(np.asarray(part, int) for part in key)
    np.testing.assert_array_equal(x.vindex[key], truth[at], strict=True)
    assert sorted(asked(sent)) == [int(n) for n in np.unique(block_ids()[at])]
    assert len(sent) <= 1


def test_points_of_a_mask(x: DvidArray, truth: np.ndarray) -> None:
    mask = np.zeros(SHAPE, bool)
    mask[0, 3:60:20, 5, ::40] = True
    np.testing.assert_array_equal(x.vindex[mask], truth[mask], strict=True)


@pytest.mark.parametrize(
    ("key", "error", "words"),
    [
        (s_[:, 64], IndexError, "axis x with size 64"),
        (s_[:, -65], IndexError, "axis x with size 64"),
        (s_[1], IndexError, "axis c with size 1"),
        (s_[0, 0, 0, 0, 0], IndexError, "too many"),
        (1.5, IndexError, "integer coordinates"),
        ("a", IndexError, "integers, slices, lists and masks"),
        (s_[..., ...], IndexError, "single ellipsis"),
        (True, IndexError, "None for a new axis"),
        (s_[:, MASK[1:]], IndexError, "63 entries, axis x has 64"),
        (s_[:, [64]], IndexError, "axis x with size 64"),
        (s_[:, [1], [2]], IndexError, "oindex"),
        ({}, TypeError, "dict"),
        (s_[:, ::0], ValueError, "zero"),
    ],
)
def test_wrong_keys_cost_nothing(
    x: DvidArray, sent: list[Sent], key: Any, error: type[Exception], words: str
) -> None:
    for use in (x.__getitem__, x.plan, lambda wrong: x.__setitem__(wrong, 1)):
        with pytest.raises(error, match=words):
            use(key)
    assert not sent


@pytest.mark.parametrize(
    "key",
    [
        s_[:, -50:-40],
        s_[0, -1, 0, 0],
        s_[:, -3:3, 0:4, 120:140],
        s_[0, 63, 95, 100:170:30],
        s_[..., [150, 3, -2]],
        s_[...],
        s_[:, 62:, :2, 3:],
        s_[:, 5:5],
    ],
)
def test_literal_coordinates(x: DvidArray, truth: np.ndarray, sent: list[Sent], key: Any) -> None:
    """Nothing counts from the end; what was never written is 0."""
    margin = 60
    padded = np.pad(truth, [(0, 0), *[(margin, margin)] * 3])

    def moved(part: Any, extent: int) -> Any:
        if isinstance(part, slice):
            start = 0 if part.start is None else part.start
            stop = extent if part.stop is None else part.stop
            return slice(start + margin, stop + margin, part.step)
        return np.asarray(part) + margin if part is not Ellipsis else part

    parts = list(key) if isinstance(key, tuple) else [key]
    if parts[0] is Ellipsis:
        parts = [slice(None)] * (5 - len(parts)) + parts[1:]
    parts += [slice(None)] * (4 - len(parts))
    there = tuple(moved(part, extent) for part, extent in zip(parts[1:], SHAPE[1:], strict=True))
    result = x.voxels[key]
    np.testing.assert_array_equal(result, padded[(parts[0], *there)], strict=True)
    # the list's places are far apart
    expected = 0 if not np.size(result) else 2 if isinstance(parts[-1], list) else 1
    assert len(sent) == expected


def test_four_integers_are_a_scalar_and_with_dots_an_array_without_axes(x: DvidArray) -> None:
    for index in (x, x.voxels, x.oindex):
        assert type(index[0, 3, 4, 5]) is np.uint8
        with_dots = index[0, 3, 4, 5, ...]
        assert (type(with_dots), with_dots.shape) == (np.ndarray, ())


def test_channels_are_not_signed(x: DvidArray) -> None:
    for channel in (1, -1, slice(0, 2)):
        with pytest.raises(IndexError, match=r"1 channel\(s\)"):
            x.voxels[channel, 0, 0, 0]


def test_one_request_for_eight_threads(
    node: dvid_array.Node, filled: Callable[..., Volume], sent: list[Sent]
) -> None:
    """With a cache, on a committed version."""
    array, truth = filled()
    node.commit()
    cached = dvid_array.open(array.url, settings=Settings(cache_bytes=1 << 24))
    sent.clear()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: cached[:, :32, :32, :32], range(8)))
    for result in results:
        np.testing.assert_array_equal(result, truth[:, :32, :32, :32])
    assert len(sent) == 1


@pytest.mark.parametrize(("dtype", "channels", "kind"), TYPES)
def test_every_element_type(
    filled: Callable[..., Volume], dtype: str, channels: int, kind: str | None
) -> None:
    """Also on blocks of unequal edges, with borders inside blocks."""
    array, truth = filled(dtype, (channels, 50, 40, 30), (32, 16, 64), kind=kind)
    for key in (s_[...], s_[-1, 3, 4, 5], s_[:, 10:40, ::3, 29:2:-5], s_[..., [7, 0]]):
        np.testing.assert_array_equal(array[key], truth[key], strict=True)
    piece = truth[..., ::-1][:, :20]
    array[:, 25:45, :, :] = truth[:, 25:45] = piece
    array[-1, ::7, 3] = truth[-1, ::7, 3] = 9
    np.testing.assert_array_equal(array[...], truth, strict=True)
    assert array[...].flags.f_contiguous
    assert array[...].T.flags.c_contiguous


# Writes.


@pytest.mark.parametrize(
    "key",
    [
        s_[...],
        s_[:, 0:4],
        s_[0, 3, 4, 5],
        s_[:, 3:40, 5, ::2],
        s_[:, ::-3],
        s_[..., [7, 3, 3]],
        s_[0, MASK],
        s_[None, :, 5:8],
        s_[:, 5:5],
        s_[:, 32:64, 0:32, 0:32],
    ],
)
def test_writes_as_numpy_assigns(filled: Callable[..., Volume], key: Any) -> None:
    array, truth = filled(shape=(1, 64, 40, 33))
    rng = np.random.default_rng(1)
    for value in (5, True, rng.integers(0, 255, truth[key].shape, np.uint16)):
        truth[key] = value
        array[key] = value
        np.testing.assert_array_equal(array[...], truth, strict=True)
    assert array.shape == truth.shape


@given(hnp.basic_indices((4, 20, 17, 19), allow_newaxis=True, max_dims=5), st.integers(0, 255))
def test_any_basic_write(scratch: Volume, key: Any, value: int) -> None:
    array, truth = scratch
    truth[key] = np.arange(truth[key].size).reshape(truth[key].shape) + value & 255
    array[key] = truth[key]
    np.testing.assert_array_equal(array[...], truth, strict=True)


@pytest.fixture(scope="module")
def scratch(dvid: Dvid) -> Volume:
    """A volume that one property test goes on changing."""
    server = dvid_array.connect(dvid.url, admin_token=dvid.admin_token)
    array = server.create_repo("scratch").create("v", "uint8", channels=4, block=(16, 16, 16))
    array[:, :20, :17, :19] = 0
    return array, np.zeros((4, 20, 17, 19), np.uint8)


def test_outer_writes(filled: Callable[..., Volume]) -> None:
    array, truth = filled(shape=(1, 64, 40, 33))
    array.oindex[0, [1, 40], :, [5, 3]] = value = np.arange(160).reshape(2, 40, 2)
    truth[0][np.ix_([1, 40], range(40), [5, 3])] = value
    np.testing.assert_array_equal(array[...], truth)


def test_an_aligned_write_inside_the_extents_is_posts_only(
    filled: Callable[..., Volume], sent: list[Sent]
) -> None:
    array, truth = filled()
    sent.clear()
    array[:, 32:64, :, 64:] = truth[:, 32:64, :, 64:]
    assert {(one.method, one.action) for one in sent} == {("POST", "raw")}


@pytest.mark.parametrize(
    ("key", "value", "error", "words"),
    [
        (s_[:, 0:4], np.zeros((1, 5, 96, 128)), TypeError, "astype"),
        (s_[:, 0:4], np.zeros((5, 96, 128), np.uint8), ValueError, "broadcast"),
        (s_[:, 0:4], 256, ValueError, "256 does not fit a uint8"),
        (s_[:, 0:4], -1, ValueError, "-1 does not fit"),
        (s_[:, 0:4], 1.0, TypeError, "astype"),
        (s_[:, 0:4], "a", TypeError, "numbers are wanted"),
        (s_[:, 0:4], None, TypeError, "numbers are wanted"),
        (s_[:, 0:0], np.zeros(3, np.uint8), ValueError, "broadcast"),
        (s_[1:2], np.zeros(3, np.uint8), ValueError, "broadcast"),
    ],
)
def test_refused_values_cost_nothing(
    x: DvidArray, sent: list[Sent], key: Any, value: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        x[key] = value
    assert not sent


def test_a_committed_version_is_not_written(
    node: dvid_array.Node, filled: Callable[..., Volume], sent: list[Sent]
) -> None:
    stale, _ = filled()
    node.commit()
    array = node["volume"]
    sent.clear()
    for write in (
        lambda: array.__setitem__(0, 1),
        lambda: array.oindex.__setitem__(0, 1),
        lambda: array.voxels.__setitem__(0, 1),
    ):
        with pytest.raises(dvid_array.DvidLockedError, match=r"node\.new_version\(\)"):
            write()
    assert not [one for one in sent if one.method == "POST"]
    with pytest.raises(dvid_array.DvidLockedError, match=r"node\.new_version\(\)"):
        stale[0, 0] = 1


# Growth, windows, negative coordinates.


def test_an_array_grows_by_writes(node: dvid_array.Node) -> None:
    array = node.create("v", "uint16", block=(16, 16, 16))
    assert array.shape == (1, 0, 0, 0)
    assert len(array[...]) == 1
    for open_end in (s_[...], s_[:, :], s_[:, 0:5, 0:5], s_[:, 0:5, 0:5, -1:]):
        with pytest.raises(IndexError, match=r"axis . has no extent yet"):
            array[open_end] = 1
        with pytest.raises(IndexError, match=r"axis . has no extent yet"):
            array.voxels[open_end] = 1
    array[:, 3:20, 0:5, 0:30] = 7
    assert (array.shape, array.minindex) == ((1, 20, 5, 30), (0, 3, 0, 0))
    array[:, 10:25, :, 29] = 8
    assert array.shape == (1, 25, 5, 30)
    with pytest.raises(IndexError, match="axis x with size 25"):
        array[:, 25] = 1
    truth = np.zeros((1, 25, 5, 30), np.uint16)
    truth[:, 3:20] = 7
    truth[:, 10:25, :, 29] = 8
    np.testing.assert_array_equal(array[...], truth)
    np.testing.assert_array_equal(array.stored[...], truth[:, 3:])


def test_a_shape_given_at_creation(node: dvid_array.Node) -> None:
    array = node.create("v", "uint8", shape=(50, 40, 30))
    assert (array.shape, array.minindex) == ((1, 50, 40, 30), (0, 0, 0, 0))
    assert not array[...].any()
    array[...] = 3
    assert array.shape == (1, 50, 40, 30)
    assert (array[...] == 3).all()


@pytest.fixture
def negative(node: dvid_array.Node) -> DvidArray:
    """Voxels x -40..20, y -3..7, z 0..10; each holds a value of its own."""
    array = node.create("v", "uint32", block=(16, 16, 16))
    array.voxels[:, -40:20, -3:7, 0:10] = np.arange(6000).reshape(1, 60, 10, 10)
    return array


NEGATIVE = np.arange(6000, dtype=np.uint32).reshape(1, 60, 10, 10)


def test_negative_coordinates(negative: DvidArray) -> None:
    assert (negative.shape, negative.minindex) == ((1, 20, 7, 10), (0, -40, -3, 0))
    assert "data begins at (-40, -3, 0): see .stored" in repr(negative)
    with pytest.warns(UserWarning, match=r"from \(-40, -3, 0\).*\.stored") as told:
        np.testing.assert_array_equal(negative[...], NEGATIVE[:, 40:, 3:])
    assert told[0].filename == __file__
    np.testing.assert_array_equal(negative.voxels[...], NEGATIVE)
    np.testing.assert_array_equal(negative.stored[...], NEGATIVE)
    np.testing.assert_array_equal(negative.get_ndarray((0, -41, -3, 0), (1, -39, -2, 1)).flat, 0, 1)


@pytest.mark.parametrize(
    "whole",
    [lambda a: a[...], np.asarray, lambda a: a.to_dask(), lambda a: a[:, ::-1]],
    ids=["all", "asarray", "dask", "reversed"],
)
def test_leaving_negative_voxels_out_warns_once(
    negative: DvidArray, whole: Callable[[DvidArray], Any]
) -> None:
    negative[:, 0:5]
    with pytest.warns(UserWarning, match="negative coordinates") as told:
        whole(negative)
    assert [one.filename for one in told] == [__file__]
    with warnings.catch_warnings(action="error"):
        negative[...]
        np.asarray(negative)
        np.asarray(negative.stored)
        negative.stored.to_dask()


def test_windows_have_an_origin_and_stay(negative: DvidArray) -> None:
    window = negative.window((-40, 0, 2), (-10, 5, 4))
    stored = negative.stored
    assert (window.origin, window.shape) == ((0, -40, 0, 2), (1, 30, 5, 2))
    assert (stored.origin, stored.shape) == ((0, -40, -3, 0), (1, 60, 10, 10))
    inside = NEGATIVE[:, :30, 3:8, 2:4]
    for key in (s_[...], s_[0, -1, 2, 1], s_[:, ::-7], s_[:, [29, 0]], s_[:, 25:99]):
        np.testing.assert_array_equal(window[key], inside[key], strict=True)
    np.testing.assert_array_equal(window.oindex[0, [1, 2], [0, 4]], inside[0, 1:3, ::4])
    np.testing.assert_array_equal(window.vindex[0, [1, 2], [0, 4], 0], inside[0, [1, 2], [0, 4], 0])
    np.testing.assert_array_equal(np.asarray(window), inside)
    window[:, 0, :, -1] = 1
    assert (negative.voxels[0, -40, 0:5, 3] == 1).all()
    assert negative.voxels[0, -40, -1, 3] != 1
    negative.voxels[:, -50:30, 0:1, 0:1] = 2
    assert (negative.stored.shape, negative.minindex) == ((1, 80, 10, 10), (0, -50, -3, 0))
    assert (window.shape, stored.shape) == ((1, 30, 5, 2), (1, 60, 10, 10))
    assert window.stored is window
    assert "origin   x y z (-40, 0, 2)" in repr(window)


def test_windows_do_not_grow(negative: DvidArray, sent: list[Sent]) -> None:
    window = negative.window((0, 0, 0, 0), (1, 5, 5, 5))
    sent.clear()
    for grow in (
        lambda: window.__setitem__(s_[:, 0:6], 1),
        lambda: window.oindex.__setitem__(s_[:, 0:6], 1),
    ):
        with pytest.raises(IndexError, match="axis x of this window has 5 voxels"):
            grow()
    assert not sent


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ((0, 0, 0), (1, 32, 32, 32)),
        ((-64, 32, 0), (1, 32, 32, 32)),
        ((5, 0, 0), ((1,), (27, 32, 11), (32, 32, 6), (32, 32, 6))),
        ((0, -1, 0), ((1,), (32, 32, 6), (1, 32, 32, 5), (32, 32, 6))),
    ],
)
def test_chunks_are_blocks(x: DvidArray, start: tuple[int, ...], expected: Any) -> None:
    assert x.window(start, [a + 70 for a in start]).chunks == expected


@pytest.mark.parametrize(
    ("start", "stop", "words"),
    [
        ((0, 0), (1, 1), "three integers x, y, z, or 0, x, y, z"),
        ((1, 0, 0, 0), (1, 1, 1, 1), "three integers x, y, z, or 0, x, y, z"),
        ((0, 0, 0), (1, 1, 1.5), "stop=.*: it takes three integers"),
        ((5, 0, 0), (4, 1, 1), "ends before it starts"),
    ],
)
def test_wrong_corners(x: DvidArray, start: Any, stop: Any, words: str) -> None:
    for use in (x.window, x.read):
        with pytest.raises(ValueError, match=words):
            use(start, stop)


@pytest.mark.parametrize("order", ["F", "C", "view"])
def test_read_into_an_array(x: DvidArray, truth: np.ndarray, order: str) -> None:
    """Also voxels never written are filled in."""
    shape = (1, 70, 30, 40)
    out = np.full((1, 140, 30, 40), 9, np.uint8)[:, ::2]
    if order != "view":
        out = np.full(shape, 9, np.uint8, order=order)  # type: ignore[call-overload]
    assert x.read((20, 10, 100), (90, 40, 140), out=out) is out
    expected = np.zeros(shape, np.uint8)
    expected[:, :44, :, :28] = truth[:, 20:, 10:40, 100:]
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(x.read((0, 20, 10, 100), (1, 90, 40, 140)), expected)


def test_read_into_a_wrong_array(x: DvidArray, sent: list[Sent]) -> None:
    fixed = np.zeros((1, 2, 2, 2), np.uint8)
    fixed.flags.writeable = False
    for out in (np.zeros((1, 2, 2, 3), np.uint8), np.zeros((1, 2, 2, 2), np.int8), fixed):
        with pytest.raises(ValueError, match="out must be a writeable array of shape"):
            x.read((0, 0, 0), (2, 2, 2), out=out)
    assert not sent


def test_posting_and_getting_corners(node: dvid_array.Node) -> None:
    array = node.create("v", "uint8", channels=4, block=(32, 32, 32))
    data = np.arange(4 * 5 * 6 * 7, dtype=np.uint16).reshape(4, 5, 6, 7) % 251
    array.post_ndarray((0, -2, 3, 0), (4, 3, 9, 7), data)
    np.testing.assert_array_equal(array.get_ndarray((0, -2, 3, 0), (4, 3, 9, 7)), data)
    np.testing.assert_array_equal(
        array.get_ndarray((1, -2, 3, 0), (3, 0, 5, 2)), data[1:3, :2, :2, :2]
    )
    array.post_ndarray((2, 0, 3, 0), (3, 1, 4, 1), [[[[255]]]])
    assert array[:, 0, 3, 0].tolist() == [data[0, 2, 0, 0], data[1, 2, 0, 0], 255, data[3, 2, 0, 0]]
    with pytest.raises(ValueError, match=r"the box has shape \(1, 2, 3, 4\), the data \(1, 2, 3\)"):
        array.post_ndarray((0, 0, 0, 0), (1, 2, 3, 4), np.zeros((1, 2, 3), np.uint8))
    with pytest.raises(ValueError, match="four integers c, x, y, z"):
        array.get_ndarray((0, 0, 0), (1, 1, 1))
    with pytest.raises(ValueError, match="ends before it starts"):
        array.get_ndarray((0, 5, 0, 0), (1, 1, 1, 1))


def test_coordinates_beyond_dvids(x: DvidArray, sent: list[Sent]) -> None:
    far = 2**31
    for use in (
        lambda: x.voxels[0, far, 0, 0],
        lambda: x.voxels[0, 0, -far - 1, 0],
        lambda: x.read((far - 2, 0, 0), (far + 1, 1, 1)),
        lambda: x.voxels.__setitem__((0, far, 0, 0), 1),
    ):
        with pytest.raises(IndexError, match="signed 32-bit"):
            use()
    assert not sent
    assert x.voxels[0, far - 1, -far, 0] == 0


# Guards, conversions, refusals.


def limited(array: DvidArray, **settings: Any) -> DvidArray:
    return dvid_array.open(array.url, settings=Settings(**settings))


def test_large_reads_and_writes_are_refused(x: DvidArray, sent: list[Sent]) -> None:
    small = limited(x, max_bytes=100_000)
    sent.clear()
    for use in (
        lambda: small[...],
        lambda: small.voxels[:, 0:1000, 0:1000],
        lambda: small.oindex[0],
        lambda: small.vindex[
            0, np.arange(64)[:, None], np.arange(96) % 64, np.zeros((30, 1, 1), int)
        ],
        lambda: small.at_points(np.zeros((200_000, 3), int)),
        lambda: small.read((0, 0, 0), (64, 64, 64)),
        lambda: np.asarray(small),
        lambda: list(small),
        lambda: small.__setitem__(..., 1),
        lambda: x.voxels[:, : 10**6, : 10**6, : 10**6],
    ):
        with pytest.raises(dvid_array.DvidTooLargeError) as refused:
            use()
        remedy = "dvid_array.store" if "writing" in str(refused.value) else ".to_dask()"
        for part in ("iB at once", "requests", "Settings.max_bytes", remedy):
            assert part in str(refused.value)
    assert not sent
    assert small[:, :32, :32, :32].size == 32**3


def test_implicit_downloads_have_a_limit_of_their_own(x: DvidArray, sent: list[Sent]) -> None:
    small = limited(x, max_implicit_bytes=100_000)
    sent.clear()
    for use in (np.asarray, np.mean, lambda a: np.stack([a])):
        with pytest.raises(
            dvid_array.DvidTooLargeError, match=r"max_implicit_bytes.*\.to_dask\(\)"
        ):
            use(small)
    assert not sent
    assert small[...].shape == SHAPE


def test_numpy_conversions(x: DvidArray, truth: np.ndarray) -> None:
    for made, dtype in (
        (np.asarray(x), np.uint8),
        (np.array(x), np.uint8),
        (np.asarray(x, dtype=float), float),
        (np.array(x, dtype=np.uint16, copy=True), np.uint16),
        (x.__array__(), np.uint8),
    ):
        assert made.dtype == dtype
        np.testing.assert_array_equal(made, truth)
    with pytest.raises(ValueError, match="always a copy"):
        np.array(x, copy=False)
    assert np.size(x) == truth.size
    assert np.shape(x) == truth.shape
    assert np.ndim(x) == 4


@pytest.mark.parametrize(
    "use",
    [
        lambda x: x + 1,
        lambda x: 1 + x,
        lambda x: x * x,
        lambda x: -x,
        lambda x: np.add(x, 1),
        lambda x: np.add.reduce(x),
        lambda x: np.zeros(3) + x,
        lambda x: x > 3,
        lambda x: x == 3,
        lambda x: x != 3,
        lambda x: x == np.zeros(3),
        lambda x: x == (1, 2),
        lambda x: x != [1, 2],
        lambda x: np.zeros(3) == x,
        lambda x: 5 in x,
        lambda x: x.to_dask() + x,
        lambda x: x + x.to_dask(),
        lambda x: x.to_dask() == x,
        lambda x: x == x.to_dask(),
        lambda x: x.__iadd__(1),
    ],
    ids=map(str, count()),
)
def test_arithmetic_is_refused_with_the_remedy(
    x: DvidArray, sent: list[Sent], use: Callable[[DvidArray], Any]
) -> None:
    with pytest.raises(TypeError, match="to_dask"):
        use(x)
    assert not [one for one in sent if one.action not in ("info",)]


def test_identity_truth_and_iteration(x: DvidArray, truth: np.ndarray) -> None:
    other = x.node["volume"]
    assert x == x
    assert x != other
    assert not x == other  # noqa: SIM201
    assert x in [other, x]
    assert len({x, other, x}) == 2
    assert x != "a"
    assert x is not None
    with pytest.raises(ValueError, match="neither true nor false"):
        bool(x)
    for ours, theirs in zip(x, truth, strict=True):
        np.testing.assert_array_equal(ours, theirs, strict=True)
    for missing in ("copy", "__array_function__", "__array_namespace__", "__array_interface__"):
        assert not hasattr(x, missing)


# Facts.

FACTS = (
    "axiskeys block_shape chunks dtype instance itemsize kind locked minindex nbytes ndim node "
    "origin resolution scale settings shape size stored supervoxels units url uuid voxels oindex "
    "vindex"
)


def test_attributes_make_no_request(x: DvidArray, sent: list[Sent]) -> None:
    for array in (x, x.window((0, 1, 2), (3, 4, 5))):
        for name in FACTS.split():
            getattr(array, name)
        assert (len(array), array.ndim, array.axiskeys) == (1, 4, "cxyz")
        assert str(array) == repr(array)
        assert array._repr_html_().startswith("<table>")
        hash(array)
        pickle.loads(pickle.dumps(array))
        array.plan(s_[:, ::3])
    assert not sent


def test_attributes(node: dvid_array.Node) -> None:
    array = node.create(
        "a volume",
        "uint8",
        channels=4,
        shape=(50, 60, 70),
        block=(32, 16, 64),
        resolution=(4, 4, 40.5),
        units=("nanometers", "nanometers", "microns"),
    )
    assert (array.shape, array.minindex, array.origin) == ((4, 50, 60, 70), (0,) * 4, (0,) * 4)
    assert (array.size, array.nbytes, array.itemsize) == (840_000, 840_000, 1)
    assert array.chunks == array.block_shape == (4, 32, 16, 64)
    assert array.resolution == (4.0, 4.0, 40.5)
    assert array.units == ("nanometers", "nanometers", "microns")
    assert (array.dtype, array.kind) == (np.uint8, "rgba8blk")
    assert (array.uuid, array.instance, array.scale) == (node.uuid, "a volume", 0)
    assert array.node == node
    assert dvid_array.open(array.url).shape == array.shape


def test_scales_of_labels(node: dvid_array.Node) -> None:
    full = node.create("v", "uint64", block=(16, 16, 16), max_scale=2, resolution=8)
    full[:, 3:100, :33, :64] = 5
    half = node.open("v", scale=1)
    assert half.shape == (1, 50, 17, 32)
    assert half.minindex == (0, 1, 0, 0)
    assert half.resolution == (16.0, 16.0, 16.0)
    assert half.block_shape == (1, 16, 16, 16)
    assert half.url == full.url + "?scale=1"
    assert dvid_array.open(half.url).scale == 1
    assert half.at(node.uuid).scale == 1
    with pytest.raises(dvid_array.DvidTypeError, match="write at scale 0"):
        half[0, 0] = 1


def test_at_another_version(node: dvid_array.Node, filled: Callable[..., Volume]) -> None:
    array, truth = filled("uint8", (1, 40, 40, 40))
    node.commit("first")
    child = node.new_version()
    newer = array.at(child.uuid)
    newer[:, :5] = 0
    assert newer.node == child
    np.testing.assert_array_equal(array[...], truth)
    assert not newer[:, :5].any()
    np.testing.assert_array_equal(newer.at(node.uuid[:12])[...], truth)
    assert array.at(node.uuid + ":master").uuid == child.uuid
    window = array.window((1, 2, 3), (4, 5, 6)).at(child.uuid)
    assert (window.origin, window.shape, window.uuid) == ((0, 1, 2, 3), (1, 3, 3, 3), child.uuid)


def test_relatives_keep_the_settings(node: dvid_array.Node) -> None:
    labels = node.create("seg", "uint64", block=(32, 32, 32), max_scale=1)
    image = node.create("gray", "uint8", block=(32, 32, 32), max_scale=1)
    for array in (labels, image):
        changed = array.with_settings(threads=2)
        window = changed.window((0, 0, 0), (5, 5, 5))
        relatives = [changed.at(node.uuid), window.at(node.uuid), changed.at_scale(1), window]
        relatives += [*changed.pyramid(), changed.stored, pickle.loads(pickle.dumps(changed))]
        assert [one.settings.threads for one in relatives] == [2] * len(relatives)
        assert array.settings.threads == Settings().threads


def test_refresh_sees_what_others_did(
    node: dvid_array.Node, filled: Callable[..., Volume], sent: list[Sent]
) -> None:
    array, _ = filled("uint8", (1, 40, 40, 40))
    other = dvid_array.open(array.url)
    other[:, 0:50, 0:40, 0:40] = 1
    node.commit()
    assert (array.shape, array.locked) == ((1, 40, 40, 40), False)
    sent.clear()
    assert array.refresh() is array
    assert (array.shape, array.locked) == ((1, 50, 40, 40), True)
    assert len(sent) <= 2


def test_pickles_are_small_and_hold_no_secret(volume: Volume, dvid: Dvid) -> None:
    array, truth = volume
    known = dvid_array.open(array.url, token="a-secret-token")
    for one in (array, known, array.window((0, 0, 0), (5, 5, 5)), array.stored):
        data = pickle.dumps(one)
        assert len(data) < 2048
        assert b"a-secret-token" not in data
        assert not dvid.admin_token or dvid.admin_token.encode() not in data
        again = pickle.loads(data)
        assert (type(again), again.shape, again.origin) == (type(one), one.shape, one.origin)
        np.testing.assert_array_equal(again[:, :3, :3, :3], truth[:, :3, :3, :3])


def test_reprs(x: DvidArray) -> None:
    for told in (repr(x), x._repr_html_()):
        for fact in ("volume", "(64, 96, 128)", "uint8blk", "768 KiB", x.uuid, x.url, "open"):
            assert fact in told
        assert "<Dvid" not in told or told.startswith("<DvidArray 'volume'>")


def test_a_plan_is_readable(x: DvidArray) -> None:
    plan = x.plan(s_[:, 10:20])
    assert plan.bytes >= 10 * 96 * 128
    assert f"{plan.requests} request(s) by {plan.transport}: 12 block(s)" in str(plan)
    assert math.prod(x.shape) == x.plan(...).bytes


@pytest.fixture(autouse=True)
def _no_stray_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield
