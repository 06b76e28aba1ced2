"""Posts of labels: what both ways leave on the server, and what it then says of its labels."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import pytest
import requests

import dvid_array
from dvid_array import DvidArray, Node
from dvid_array.box import BlockGrid, Box
from dvid_array.client import posting, writing
from dvid_array.client.picks import Grid
from dvid_array.errors import DvidTypeError, DvidWriteError
from dvid_array.testing import Fault, FaultyProxy
from tests.client.conftest import through, volume_of
from tests.conftest import Sent

Filled = Callable[..., tuple[DvidArray, np.ndarray]]
IDS = np.array([0, 1, 2, 7, 2**40 + 3, 2**62 - 1], np.uint64)
INDEX_DEADLINE = 15.0
"""Seconds in which the server's index must have followed a write."""


def some(shape: tuple[int, int, int], seed: int = 1, cell: int = 4) -> np.ndarray:
    """Cubes of a few labels; (c, x, y, z)."""
    rng = np.random.default_rng(seed)
    small = rng.choice(IDS, [-(-n // cell) for n in shape])
    large = small.repeat(cell, 0).repeat(cell, 1).repeat(cell, 2)
    return np.asfortranarray(large[: shape[0], : shape[1], : shape[2]])[None]


def ingest(array: DvidArray, start: tuple[int, int, int], data: np.ndarray) -> None:
    """Write a box without the index."""
    dvid_array.store(data, array, Box.sized(start, data.shape[1:]), ingest=True)


def asked(array: DvidArray, action: str, body: Any) -> Any:
    """What the server itself says, asked without the library."""
    url = f"{array.server_url}/api/node/{array.uuid}/{array.instance}/{action}"
    answer = requests.get(url, data=json.dumps(body), timeout=30)
    answer.raise_for_status()
    return answer.json()


def merge(array: DvidArray, *bodies: int) -> None:
    """Merge bodies into the first."""
    url = f"{array.server_url}/api/node/{array.uuid}/{array.instance}/merge"
    requests.post(url, data=json.dumps(bodies), timeout=30).raise_for_status()


def settled(array: DvidArray, truth: np.ndarray, ids: np.ndarray = IDS[1:]) -> None:
    """Wait until the server counts the voxels of each label as numpy does."""
    expected = [int((truth == one).sum()) for one in ids]
    end = time.monotonic() + INDEX_DEADLINE
    while (found := asked(array, "sizes", ids.tolist())) != expected and time.monotonic() < end:
        time.sleep(0.05)
    assert found == expected
    time.sleep(0.1)
    assert asked(array, "sizes", ids.tolist()) == expected


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("start", [(0, 0, 0), (5, 40, 3), (32, 32, 64)])
def test_an_ingest_is_read_back(node: Node, start: tuple[int, int, int], order: Any) -> None:
    array, size = node.create("seg", "uint64", block=(32, 32, 32), max_scale=0), (70, 64, 33)
    before = some((128, 128, 128), seed=2)
    array[:, :128, :128, :128] = before
    data = np.array(some(size), order=order)
    ingest(array, start, data)
    box = Box.sized(start, size)
    before[(slice(None), *box.slices((0, 0, 0)))] = data
    assert np.array_equal(array.read((0, 0, 0), (128, 128, 128)), before)


def test_an_ingest_grows_the_extents_exactly(node: Node, sent: list[Sent]) -> None:
    array = node.create("seg", "uint64", block=(32, 32, 32), max_scale=0)
    ingest(array, (3, -5, 2), some((40, 60, 62)))
    again = node.refresh()["seg"]
    assert (again.minindex, again.shape) == ((0, 3, -5, 2), (1, 43, 55, 64))
    posts = [one for one in sent if one.method == "POST" and one.action == "blocks"]
    assert posts
    assert all(one.query["noindexing"] == "true" and "downres" not in one.query for one in posts)


def test_lower_scales_follow_an_ingest(node: Node) -> None:
    """As they follow an indexed write."""
    data = some((160, 64, 96), cell=6)
    arrays = [node.create(name, "uint64", block=(16, 16, 16), max_scale=2) for name in "ab"]
    arrays[0][:, :160, :64, :96] = data
    ingest(arrays[1], (0, 0, 0), data)
    for scale in range(3):
        stop = tuple(n >> scale for n in (160, 64, 96))
        found = [
            dvid_array.open(f"{array.url}?scale={scale}").read((0, 0, 0), stop) for array in arrays
        ]
        assert found[0].any()
        assert np.array_equal(*found)


def test_families_of_blocks_travel_together(node: Node) -> None:
    """Half of a family is zeros: posted alone, DVID would make zeros of what they share below."""
    array = node.create("seg", "uint64", block=(16, 16, 16), max_scale=2)
    data = np.zeros((1, 64, 64, 64), np.uint64, order="F")
    data[:, :, :, :16] = 9
    ingest(array, (0, 0, 0), data)
    for scale, edge in ((1, 8), (2, 4)):
        stop = (64 >> scale,) * 3
        found = dvid_array.open(f"{array.url}?scale={scale}").read((0, 0, 0), stop)
        assert (found[..., :edge] == 9).all()
        assert not found[..., edge:].any()
    axes = (range(1), range(16, 96), range(64), range(64))
    pieces = writing._pieces(volume_of(array), Grid(axes, data), posting.INGEST)
    families = [family for piece in pieces for family in BlockGrid((64, 64, 64)).each(piece.box)]
    assert len(families) == len(set(families)) == 2


def test_the_index_does_not_follow_an_ingest(node: Node) -> None:
    array, data = node.create("seg", "uint64", block=(32, 32, 32)), some((64, 64, 32))
    array[:, :64, :64, :32] = data
    settled(array, data)
    ingest(array, (0, 0, 0), np.full_like(data, 5))
    assert (array.read((0, 0, 0), (64, 64, 32)) == 5).all()
    settled(array, data)
    assert asked(array, "sizes", [5]) == [0]


@pytest.mark.parametrize(
    ("dtype", "options", "words"),
    [
        ("uint8", {}, "only labelmaps"),
        ("uint64", {"kind": "uint64blk"}, "only labelmaps"),
        ("uint64", {"compression": "lz4"}, "stored as gzip"),
        ("uint64", {}, "merged bodies"),
    ],
)
def test_what_takes_no_ingest_is_refused(
    filled: Filled, sent: list[Sent], dtype: str, options: dict[str, Any], words: str
) -> None:
    array, truth = filled(dtype, (1, 32, 32, 32), **options)
    if words == "merged bodies":
        settled(array, truth, np.array([1, 2], np.uint64))
        merge(array, 1, 2)
    sent.clear()
    with pytest.raises(DvidTypeError, match=words):
        ingest(array, (0, 0, 0), truth)
    assert [one for one in sent if one.method == "POST"] == []


def test_a_mask_is_refused(filled: Filled, sent: list[Sent]) -> None:
    array, truth = filled("uint64", (1, 32, 32, 32))
    array = array.with_settings(query=(("roi", "some"),))
    sent.clear()
    with pytest.raises(DvidTypeError, match="masked"):
        ingest(array, (0, 0, 0), truth)
    assert [one for one in sent if one.method == "POST"] == []


def test_an_ingest_is_not_repeated(node: Node, path: FaultyProxy) -> None:
    """Nobody knows whether it landed."""
    array = through(path, node.create("seg", "uint64", block=(32, 32, 32), max_scale=0))
    for fault in (Fault.lost(forward=True), Fault.lost(forward=False), Fault.status(502)):
        path.clear()
        path.requests.clear()
        path.add(fault, when=lambda request: request.method == "POST", times=1)
        with pytest.raises(DvidWriteError, match="counts them again") as error:
            ingest(array, (0, 0, 0), some((32, 32, 32)))
        assert error.value.unknown == (Box((0, 0, 0), (32, 32, 32)),)
        assert [one.method for one in path.requests].count("POST") == 1


def test_an_ingest_waits_for_a_busy_server(node: Node, path: FaultyProxy) -> None:
    array, data = node.create("seg", "uint64", block=(32, 32, 32), max_scale=0), some((32, 32, 32))
    path.add(Fault.status(503), when=lambda request: request.method == "POST", times=2)
    ingest(through(path, array), (0, 0, 0), data)
    assert np.array_equal(array.read((0, 0, 0), (32, 32, 32)), data)


def test_repeating_an_ingest_by_hand_changes_no_voxel(node: Node) -> None:
    array, data = node.create("seg", "uint64", block=(16, 16, 16), max_scale=1), some((64, 32, 32))
    below = dvid_array.open(f"{array.url}?scale=1")
    ingest(array, (0, 0, 0), data)
    first = below.read((0, 0, 0), (32, 16, 16))
    ingest(array, (0, 0, 0), data)
    assert np.array_equal(array.read((0, 0, 0), (64, 32, 32)), data)
    assert np.array_equal(below.read((0, 0, 0), (32, 16, 16)), first)


@pytest.mark.parametrize("how", [posting.INDEXED, posting.INGEST])
def test_ways_of_posting_travel_to_workers(how: posting.Posting) -> None:
    assert pickle.loads(pickle.dumps(how)) == how


FAULTS = {
    "none": None,
    "the answer is lost": Fault.lost(forward=True),
    "the post is lost": Fault.lost(forward=False),
    "a gateway fails": Fault.status(502),
    "busy": Fault.status(503),
    "the answer is cut": Fault.broken(),
}


WRITTEN = [
    Box((0, 0, 0), (96, 64, 64)),
    Box((0, 32, 0), (64, 96, 64)),
    Box((7, 5, 3), (67, 66, 53)),
]


@pytest.mark.parametrize("how", FAULTS)
def test_sizes_agree_after_writes(node: Node, path: FaultyProxy, how: str) -> None:
    """New voxels, overwrites and border blocks; every second post fails once and is repeated."""
    array = node.create("seg", "uint64", block=(32, 32, 32), max_scale=1)
    truth = np.zeros((1, 96, 96, 64), np.uint64, order="F")
    if fault := FAULTS[how]:
        posts = (request for request in range(10**6))
        path.add(
            fault,
            when=lambda request: request.method == "POST" and next(posts) % 2 == 0,
            times=10,
        )
    broken = through(path, array)
    for start, size in (
        ((0, 0, 0), (96, 64, 64)),
        ((0, 32, 0), (64, 64, 64)),
        ((7, 5, 3), (60, 61, 50)),
    ):
        data = some(size, seed=size[0])
        box = Box.sized(start, size)
        truth[(slice(None), *box.slices((0, 0, 0)))] = data
        broken.voxels[(slice(None), *box.slices((0, 0, 0)))] = data
    assert np.array_equal(array.read((0, 0, 0), (96, 96, 64)), truth)
    settled(array, truth)


def test_sizes_and_bodies_agree_with_merges_in_force(node: Node) -> None:
    array, data = node.create("seg", "uint64", block=(32, 32, 32)), some((64, 64, 64))
    array[:, :64, :64, :64] = data
    settled(array, data)
    merge(array, 1, 2, 7)
    before = dvid_array.open(array.url, supervoxels=True)
    patch = some((50, 40, 30), seed=3)
    before[:, 5:55, 20:60, 30:60] = patch
    data[:, 5:55, 20:60, 30:60] = patch
    assert np.array_equal(before.read((0, 0, 0), (64, 64, 64)), data)
    bodies = np.where(np.isin(data, (2, 7)), np.uint64(1), data)
    assert np.array_equal(array.read((0, 0, 0), (64, 64, 64)), bodies)
    settled(array, bodies)
    assert coarse(array, 1) == blocks_of(bodies == 1)


def coarse(array: DvidArray, body: int) -> set[tuple[int, int, int]]:
    """Blocks that the server says a body is in."""
    url = f"{array.server_url}/api/node/{array.uuid}/{array.instance}/sparsevol-coarse/{body}"
    data = requests.get(url, timeout=30).content
    runs = np.frombuffer(data, "<i4", offset=12).reshape(-1, 4)
    return {(int(x) + n, int(y), int(z)) for x, y, z, count in runs for n in range(count)}


def blocks_of(mask: np.ndarray) -> set[tuple[int, int, int]]:
    """Blocks of 32³ with a voxel of a mask."""
    return {tuple(place) for place in (np.argwhere(mask[0]) // 32).tolist()}  # type: ignore[misc]


@pytest.mark.parametrize("chunks", [None, (1, 40, 40, 40), (1, 100, 16, 33)])
def test_store_ingests(node: Node, sent: list[Sent], chunks: Any) -> None:
    """From memory and by dask, cut where families of blocks begin."""
    array = node.create("seg", "uint64", block=(16, 16, 16), max_scale=1)
    data = some((100, 64, 70), cell=9)
    source = data if chunks is None else da.from_array(data, chunks=chunks)
    dvid_array.store(source, array, Box((3, 0, 0), (103, 64, 70)), ingest=True)
    posts = [one for one in sent if one.method == "POST" and one.action in ("raw", "blocks")]
    assert {one.action for one in posts} == {"blocks"}
    assert array.shape == (1, 103, 64, 70)
    assert np.array_equal(array.stored[...], data)
    like = node.create("like", "uint64", block=(16, 16, 16), max_scale=1)
    like[:, 3:103, :64, :70] = data
    below = [dvid_array.open(f"{one.url}?scale=1") for one in (array, like)]
    assert np.array_equal(*(one.read((0, 0, 0), (51, 32, 35)) for one in below))


def test_store_refuses_to_ingest_images(node: Node, sent: list[Sent]) -> None:
    array = node.create("gray", "uint8")
    with pytest.raises(DvidTypeError, match="only labelmaps"):
        dvid_array.store(np.ones((1, 8, 8, 8), np.uint8), array, ingest=True)
    assert [one for one in sent if one.action in ("raw", "blocks")] == []
