"""Single voxels against numpy: `at_points` and `vindex`, by stored blocks and by asked labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dvid_array
from dvid_array import DvidArray, DvidProtocolError, Node
from dvid_array.client import points as point_reads
from dvid_array.testing import Fault, FaultyProxy
from tests.conftest import Dvid, Sent

LOW = (-40, -33, -7)
N = 96
Labels = tuple[DvidArray, np.ndarray]


@pytest.fixture(scope="module")
def labels(dvid: Dvid) -> Labels:
    """Labels around 0, and the same from (-100, -100, -100) on with zeros around."""
    server = dvid_array.connect(dvid.url, admin_token=dvid.admin_token)
    array = server.create_repo("points").create("seg", "uint64", block=(32, 32, 32))
    rng = np.random.default_rng(8)
    ids = rng.integers(1, 1 << 63, 99, np.uint64)
    made = ids[rng.integers(0, 99, (1, N // 4, N // 4, N // 4))]
    made = made.repeat(4, axis=1).repeat(4, axis=2).repeat(4, axis=3)
    place = tuple(slice(a, a + N) for a in LOW)
    array.voxels[(slice(None), *place)] = made
    around = np.zeros((300, 300, 300), np.uint64)
    around[tuple(slice(p.start + 100, p.stop + 100) for p in place)] = made[0]
    return array, around


def some(low: int, high: int, count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(low, high, (count, 3))


def at(around: np.ndarray, xyz: np.ndarray) -> np.ndarray:
    return around[tuple(np.asarray(xyz).T + 100)]


@pytest.mark.parametrize("count", [1, 2, 50, 700, 20_000])
def test_anywhere(labels: Labels, count: int) -> None:
    array, around = labels
    xyz = some(-99, 120, count)
    found = array.at_points(xyz)
    assert (found.shape, found.dtype) == ((count,), np.uint64)
    np.testing.assert_array_equal(found, at(around, xyz))
    rows = np.hstack([np.zeros((count, 1), int), xyz])
    np.testing.assert_array_equal(array.at_points(rows), found)
    np.testing.assert_array_equal(array.voxels[0, -40:56, -33, 5], around[60:156, 67, 105])


def test_one_point_and_none(labels: Labels, sent: list[Sent]) -> None:
    array, around = labels
    assert array.at_points((3, 4, 5)) == around[103, 104, 105]
    assert array.at_points([-3, 4, 5]) == around[97, 104, 105]
    sent.clear()
    assert array.at_points(np.empty((0, 3))).shape == (0,)
    assert array.at_points([[0] * 4] * 0 or np.empty((0, 4), int)).shape == (0,)
    assert sent == []


def test_where_labels_are_asked_for(labels: Labels, sent: list[Sent]) -> None:
    """In blocks with few points; where many are, and wherever something is negative, blocks are
    fetched, each once."""
    array, around = labels
    sent.clear()
    few = some(0, 56, 100)
    np.testing.assert_array_equal(array.at_points(few), at(around, few))
    assert {one.action for one in sent} == {"labels"}
    assert len(sent) == 1
    sent.clear()
    many = some(0, 32, 1000)
    np.testing.assert_array_equal(array.at_points(many), at(around, many))
    assert {one.action for one in sent} <= {"blocks", "specificblocks"}
    sent.clear()
    negative = some(-40, 0, 20) * (1, -1, 1)
    negative[:, 1] //= 2
    np.testing.assert_array_equal(array.at_points(negative), at(around, negative))
    assert {one.action for one in sent} <= {"blocks", "specificblocks"}
    sent.clear()
    mixed = np.concatenate([few, many, negative])
    np.testing.assert_array_equal(array.at_points(mixed), at(around, mixed))
    assert {one.action for one in sent} > {"specificblocks"} or len(sent) >= 2


def test_the_same_either_way(labels: Labels, monkeypatch: pytest.MonkeyPatch) -> None:
    array, around = labels
    xyz = some(0, 60, 3000)
    for few, batch in ((0, 2000), (10**6, 2000), (10**6, 7 * 13), (111, 500)):
        monkeypatch.setattr(point_reads, "FEW", few)
        monkeypatch.setattr(point_reads, "BATCH", batch)
        np.testing.assert_array_equal(array.at_points(xyz), at(around, xyz))


def test_vindex(labels: Labels) -> None:
    array, around = labels
    x, y, z = some(0, 55, 300).T.reshape(3, 20, 15)
    np.testing.assert_array_equal(array.vindex[0, x, y, z], around[x + 100, y + 100, z + 100])
    stored = array.stored
    np.testing.assert_array_equal(stored.vindex[0, x, y, z], around[x + 60, y + 67, z + 93])
    np.testing.assert_array_equal(
        stored.at_points(some(-40, 55, 50)), at(around, some(-40, 55, 50))
    )
    assert array.vindex[0, 1, 2, 3] == around[101, 102, 103]


@pytest.mark.parametrize("setting", [{"transport": "blocks"}, {"transport": "raw"}])
def test_a_way_that_was_chosen_is_taken(
    labels: Labels, sent: list[Sent], setting: dict[str, Any]
) -> None:
    array, around = labels
    xyz = some(0, 40, 30)
    sent.clear()
    np.testing.assert_array_equal(array.with_settings(**setting).at_points(xyz), at(around, xyz))
    assert "labels" not in {one.action for one in sent}


def test_scales_and_supervoxels(node: Node, sent: list[Sent]) -> None:
    array = node.create("seg", "uint64", block=(32, 32, 32), max_scale=2)
    made = np.random.default_rng(1).integers(1, 9, (1, 4, 4, 4), np.uint64)
    array[:, 0:128, 0:128, 0:128] = made.repeat(32, 1).repeat(32, 2).repeat(32, 3)
    xyz = some(0, 32, 40)
    for scale in (0, 1, 2):
        whole = array.at_scale(scale)[...]
        sent.clear()
        found = array.at_scale(scale).at_points(xyz)
        np.testing.assert_array_equal(found, whole[(0, *xyz.T)])
        assert {one.query.get("scale") for one in sent} == {str(scale) if scale else None}
    raw = node.open("seg", supervoxels=True)
    sent.clear()
    np.testing.assert_array_equal(raw.at_points(xyz), raw[...][(0, *xyz.T)])
    assert sent[0].action == "labels"
    assert sent[0].query["supervoxels"] == "true"


@pytest.mark.parametrize("channels", [1, 4])
def test_images(node: Node, channels: int) -> None:
    array = node.create("image", "uint8", channels=channels, block=(16, 16, 16))
    made = np.random.default_rng(1).integers(1, 255, (channels, 40, 40, 40), dtype=np.uint8)
    array.voxels[:, -20:20, -20:20, -20:20] = made
    xyz = some(-20, 20, 50)
    values = made[:, *(xyz.T + 20)]
    np.testing.assert_array_equal(
        array.at_points(xyz), values if channels > 1 else values[0], strict=True
    )
    np.testing.assert_array_equal(
        array.at_points(xyz[0]), values[:, 0] if channels > 1 else values[0, 0]
    )
    rows = np.hstack([np.arange(50)[:, None] % channels, xyz])
    np.testing.assert_array_equal(array.at_points(rows), values[rows[:, 0], np.arange(50)])
    assert array.at_points(np.empty((0, 3), int)).shape == ((channels, 0) if channels > 1 else (0,))


def test_through_a_region(labels: Labels, node: Node, sent: list[Sent]) -> None:
    array, around = labels
    roi = node.create_roi("half", block=(8, 8, 8)).post(np.ones((24, 56, 56), bool))
    xyz = some(-5, 55, 200)
    sent.clear()
    found = array.where(roi).at_points(xyz)
    np.testing.assert_array_equal(found, np.where(roi.contains(xyz), at(around, xyz), 0))
    assert "labels" not in {one.action for one in sent}


def test_a_body(labels: Labels, sent: list[Sent]) -> None:
    array, around = labels
    xyz = some(-9, 50, 200)
    values = at(around, xyz)
    body = array.body(int(values[0]))
    sent.clear()
    np.testing.assert_array_equal(body.at_points(xyz), values == values[0], strict=True)
    assert "labels" not in {one.action for one in sent}


def test_kept_blocks_are_not_asked_about(node: Node, sent: list[Sent]) -> None:
    array = node.create("seg", "uint64", block=(32, 32, 32))
    array[:, 0:32, 0:32, 0:32] = 7
    node.commit()
    cached = array.refresh().with_settings(cache_bytes=1 << 22)
    xyz = some(0, 32, 5)
    assert (cached.at_points(xyz) == 7).all()
    sent.clear()
    assert (cached.at_points(xyz) == 7).all()
    assert sent == []


@pytest.mark.parametrize(
    ("xyz", "error"),
    [
        ([1, 2], ValueError),
        ([[1, 2, 3, 4, 5]], ValueError),
        ([[1.0, 2, 3]], ValueError),
        ([[[1, 2, 3]]], ValueError),
        ("abc", ValueError),
        ([[1, 0, 0, 0]], IndexError),
        ([[-1, 0, 0, 0]], IndexError),
        ([[0, 0, 1 << 40]], IndexError),
        ([[0, 0, -(1 << 40)]], IndexError),
        (np.array([[2**64 - 3, 0, 0]], np.uint64), IndexError),
        (np.array([[2**64 - 1, 0, 0, 0]], np.uint64), IndexError),
    ],
)
def test_bad_points(labels: Labels, sent: list[Sent], xyz: Any, error: type[Exception]) -> None:
    array, _ = labels
    sent.clear()
    with pytest.raises(error):
        array.at_points(xyz)
    assert sent == []


@pytest.mark.parametrize(
    "answer",
    [b"[1]", b"[1, 2, 3]", b'[1, "2"]', b"[1, -2]", b"[1, 2.5]", b"[true, 2]", b"{}", b"["],
)
def test_answers_that_are_no_labels(dvid: Dvid, labels: Labels, answer: bytes) -> None:
    array, _ = labels
    with FaultyProxy(dvid.url) as path:
        path.add(
            Fault(keep=0, tail=answer),
            when=lambda request: request.path.endswith("/labels"),
            times=99,
        )
        there = dvid_array.open(f"{path.url}/{array.uuid}/seg")
        with pytest.raises(DvidProtocolError):
            there.at_points([[1, 2, 3], [4, 5, 6]])


def test_a_busy_server_is_asked_again(dvid: Dvid, labels: Labels) -> None:
    array, around = labels
    xyz = some(0, 50, 20)
    with FaultyProxy(dvid.url) as path:
        asks = lambda request: request.path.endswith("/labels")  # noqa: E731
        path.add(Fault.status(503), when=asks, times=2)
        path.add(Fault.lost(forward=True), when=asks)
        there = dvid_array.open(f"{path.url}/{array.uuid}/seg")
        np.testing.assert_array_equal(there.at_points(xyz), at(around, xyz))
