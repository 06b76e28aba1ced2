"""Bodies against numpy: sizes, boxes, masks and runs, at negative coordinates, at every scale, and
while others merge and cleave."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import dask
import numpy as np
import pytest
import requests
from dask.base import tokenize
from hypothesis import given
from hypothesis import strategies as st

import dvid_array
from dvid_array import Box, DvidArray, DvidNotFoundError, DvidTypeError, Node, SparseVolume
from dvid_array.client import registry
from tests.conftest import Dvid, Sent
from tests.labels import HIGH, IDS, Labels, post, settle, write

s_ = np.s_
LOW = (-70, -33, -50)


@pytest.fixture(scope="module")
def places(dvid: Dvid) -> dict[str, Labels]:
    """Volumes that no test changes: bodies on both sides of 0, and the same at several scales."""
    server = dvid_array.connect(dvid.url, admin_token=dvid.admin_token)
    low = write(server.create_repo("bodies below zero"), LOW)
    high = write(server.create_repo("bodies of scales"), (0, 0, 0), max_scale=2)
    made = {"negative": low, "scale 0": high}
    for scale in (1, 2):
        array = high.array.node.open("seg", scale=scale)
        made[f"scale {scale}"] = Labels(array, array[0], (0, 0, 0))
    return made


@pytest.fixture(params=["negative", "scale 0", "scale 1", "scale 2"])
def labels(request: pytest.FixtureRequest, places: dict[str, Labels]) -> Labels:
    found: Labels = places[request.param]
    return found


@pytest.fixture
def low(places: dict[str, Labels]) -> Labels:
    return places["negative"]


@pytest.fixture
def mine(node: Node) -> Labels:
    """A volume that the test may change."""
    return write(node, LOW)


# Facts.


def test_sizes(low: Labels) -> None:
    bodies = low.array.bodies
    counts = [int(low.mask(label).sum()) for label in IDS]
    assert bodies.size(IDS).tolist() == counts
    assert bodies.size(IDS).dtype == np.int64
    assert bodies.size(np.uint64(HIGH)) == counts[-1]
    assert type(bodies.size(5)) is int
    assert bodies.size([[5, 77], [6, 5]]).tolist() == [[counts[0], 0], [counts[1], counts[0]]]
    assert bodies.size([]).shape == (0,)
    assert bodies.exists([0, 5, 77, HIGH]).tolist() == [False, True, False, True]
    assert bodies.exists(6) is True


def test_volumes_of_space(node: Node) -> None:
    small = write(node, (0, 0, 0), max_scale=1, resolution=(8, 8, 40))
    size = int(small.mask(5).sum())
    for scale in (0, 1):
        bodies = node.open("seg", scale=scale).bodies
        assert bodies.volume_nm3(5) == size * 2560
        assert bodies.volume_um3([5, 77]) == pytest.approx([size * 2560e-9, 0])
    assert small.array.sparse(5).volume_nm3 == size * 2560


def test_boxes_are_exact(labels: Labels) -> None:
    for label in IDS:
        assert labels.array.bodies.bbox(label) == labels.box(label) or (
            labels.box(label).empty and labels.array.bodies.bbox(label).empty
        )


def test_blocks(labels: Labels) -> None:
    """Of scale 0 exactly those with voxels; of others those above them."""
    scale = labels.array.scale
    for label in IDS:
        coarse = labels.array.bodies.coarse(label)
        touched = (np.argwhere(labels.mask(label)) + labels.start) // 32
        told = {tuple(block) for block in coarse.voxels().tolist()}
        assert told >= {tuple(block) for block in touched.tolist()}
        assert coarse.size == len(told)
        if not scale:
            assert len(told) == len(np.unique(touched, axis=0))
        assert coarse.resolution == tuple(32 * step for step in labels.array.resolution)


def test_runs(labels: Labels) -> None:
    for label in IDS:
        found = labels.array.sparse(label)
        truth = SparseVolume.from_mask(labels.mask(label), labels.start)
        assert np.array_equal(found.runs, truth.runs)
        assert (found.resolution, found.units) == (labels.array.resolution, labels.array.units)


@pytest.mark.parametrize("start", [(0, 0, 0), (-19, -40, 7)])
def test_noise(node: Node, start: tuple[int, int, int]) -> None:
    """Bodies whose every voxel has other neighbours, and that fill no block."""
    array = node.create("seg", "uint64", block=(16, 32, 16), max_scale=0)
    shape = (40, 37, 33)
    truth = np.random.default_rng(5).choice(np.array([0, 3, 2**40, HIGH], np.uint64), shape)
    truth[:20] *= truth[:20] != 3
    stop = np.add(start, shape)
    array.voxels[:, *map(slice, start, stop)] = truth[None]
    noise = Labels(array, truth, start)
    settle(noise)
    for label in (3, 2**40, HIGH):
        assert array.sparse(label) == SparseVolume.from_mask(noise.mask(label), start)
        body = array.body(label)
        assert np.array_equal(body[...], noise.inside(label))
        assert body.origin[1:] == noise.box(label).start


def test_supervoxels_of_a_body_that_is_one(low: Labels) -> None:
    found = low.array.bodies.supervoxels(HIGH)
    assert (found.tolist(), found.dtype) == ([HIGH], np.uint64)


# Masks.


def test_masks(labels: Labels) -> None:
    for label in IDS:
        body = labels.array.body(label)
        box = labels.box(label)
        assert (body.shape, body.dtype, body.ndim) == ((1, *box.shape), bool, 4)
        assert body.label == label
        if box.empty:
            assert body[...].size == 0
            continue
        assert body.origin == (0, *box.start)
        assert np.array_equal(body[...], labels.inside(label))
        assert np.array_equal(np.asarray(body), labels.inside(label))
        assert body[...].flags.f_contiguous


KEYS = [
    s_[0],
    s_[..., 3],
    s_[:, 5:40:3, ::-1, 2],
    s_[:, [1, 50, 20], 4:9],
    s_[0, -3:, :, None, 0],
    s_[:, 7:7],
    s_[0, 3, 4, 5],
    s_[:, np.arange(140) % 3 == 0],
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_keys_are_those_of_numpy(low: Labels, key: Any) -> None:
    body, truth = low.array.body(5), low.inside(5)
    assert truth.shape[1] == 140
    assert np.array_equal(body[key], truth[key])
    assert body[key].dtype == bool


@given(data=st.data())
def test_boxes_of_a_mask(low: Labels, data: st.DataObject) -> None:
    body, truth = low.array.body(7), low.inside(7)
    key = tuple(data.draw(st.slices(n)) for n in truth.shape)
    assert np.array_equal(body[key], truth[key])


def test_points_and_outer_lists_of_a_mask(low: Labels) -> None:
    body, truth = low.array.body(5), low.inside(5)
    x, y, z = np.random.default_rng(1).integers(0, truth.shape[1:], (200, 3)).T
    assert np.array_equal(body.vindex[0, x, y, z], truth[0, x, y, z])
    outer = body.oindex[:, [3, 100], 2:5, [1, 30, 2]]
    assert np.array_equal(outer, truth[:, [3, 100], 2:5][..., [1, 30, 2]])


def test_a_mask_goes_on_beyond_its_box(low: Labels) -> None:
    body = low.array.body(6)
    whole = low.whole
    key = (slice(None), *map(slice, whole.start, whole.stop))
    assert np.array_equal(body.voxels[key][0], low.mask(6))
    window = body.window(whole.start, whole.stop)
    assert (window.dtype, window.shape) == (bool, (1, *whole.shape))
    assert np.array_equal(window[...][0], low.mask(6))


def test_a_mask_lines_up_with_the_voxels(low: Labels) -> None:
    body = low.array.body(5)
    stop = [a + n for a, n in zip(body.origin[1:], body.shape[1:], strict=True)]
    around = low.array.window(body.origin[1:], stop)
    assert np.array_equal(np.where(body[...], around[...], 0) > 0, low.inside(5))
    both = around.to_dask() * body.to_dask()
    assert both.sum().compute() == 5 * low.inside(5).sum()


def test_memory_that_is_there_is_filled_whole(low: Labels) -> None:
    body = low.array.body(7)
    stop = [a + n for a, n in zip(body.origin[1:], body.shape[1:], strict=True)]
    out = np.ones(body.shape, bool, order="F")
    told: list[tuple[int, int]] = []
    body.read(body.origin[1:], stop, out=out, progress=lambda *seen: told.append(seen))
    assert np.array_equal(out, low.inside(7))
    assert told[-1] == (body.size, body.size)


def test_a_mask_at_other_scales(places: dict[str, Labels], sent: list[Sent]) -> None:
    """Finer or coarser, it holds all that its window does."""
    fine, coarse = places["scale 0"], places["scale 1"]
    sent.clear()
    down, same = fine.array.body(5).at_scale(1), coarse.array.body(5)
    up = same.at_scale(0)
    assert [one.action for one in sent].count("sparsevol-coarse") == 2
    for body, labels in ((down, coarse), (up, fine)):
        start, stop = body.origin[1:], tuple(np.add(body.origin, body.shape)[1:])
        assert np.array_equal(body[...][0], labels.mask(5)[Box(start, stop).slices()])
    assert down[...].sum() == same[...].sum()


def test_dask(low: Labels) -> None:
    body = low.array.body(5)
    lazy = body.to_dask(chunks=(1, 32, 64, 32))
    assert (lazy.dtype, lazy.shape) == (bool, body.shape)
    assert np.array_equal(lazy.compute(), low.inside(5))


def test_xarray(low: Labels, sent: list[Sent]) -> None:
    body = low.array.body(5)
    sent.clear()
    labelled = body.to_xarray()
    assert labelled.name == "seg_body_5"
    assert labelled.attrs["dvid_body"] == 5
    assert [int(labelled[axis][0]) for axis in "xyz"] == list(low.box(5).start)
    assert not sent
    plane = labelled.sel(z=0, channel=0)
    z = -low.box(5).start[2]
    assert np.array_equal(plane.values, low.inside(5)[0, :, :, z])
    assert np.array_equal(labelled.chunk(x=32).values, low.inside(5))


def test_a_mask_is_not_written(low: Labels, sent: list[Sent]) -> None:
    body = low.array.body(5)
    sent.clear()
    for value in (True, 1, np.ones(5, np.uint64)):
        with pytest.raises(DvidTypeError, match="write labels to the array itself"):
            body[:, 0:5, 0:5, 0:5] = value
    assert not [one for one in sent if one.method == "POST"]


def test_what_a_mask_says(low: Labels) -> None:
    text = repr(low.array.body(HIGH))
    assert f"body     {HIGH}" in text
    assert "bool" in text
    assert low.array.label is None
    assert repr(low.array.bodies) == f"<Bodies: bodies of 'seg' at {low.array.uuid}>"


# Requests: in proportion to blocks.


def blocks_of(sent: list[Sent]) -> list[str]:
    """The single blocks that were asked for; anything else is none of these."""
    assert {one.action for one in sent} <= {"specificblocks"}
    listed = [one.query["blocks"].split(",") for one in sent]
    return [",".join(part[n : n + 3]) for part in listed for n in range(0, len(part), 3)]


def test_only_blocks_of_the_body_are_fetched(low: Labels, sent: list[Sent]) -> None:
    body = low.array.body(7)
    assert body.size > 10**6
    sent.clear()
    assert body[...].sum() == 2
    assert sorted(blocks_of(sent)) == ["-3,-2,-2", "2,1,1"]
    sent.clear()
    assert not body[:, 10:130].any()
    assert not sent
    assert body.plan(s_[:, 10:130]).requests == 0
    assert body.plan(s_[...]).blocks == 2


def test_a_body_is_found_by_its_outermost_blocks(low: Labels, sent: list[Sent]) -> None:
    sent.clear()
    low.array.body(7)
    assert sent.pop(0).action == "sparsevol-coarse"
    assert sorted(blocks_of(sent)) == ["-3,-2,-2", "2,1,1"]


def test_each_fact_is_one_request(low: Labels, sent: list[Sent]) -> None:
    array = low.array
    sent.clear()
    array.bodies.size(IDS)
    array.bodies.exists(IDS)
    array.mapping(IDS)
    array.bodies.supervoxels(5)
    array.bodies.coarse(5)
    actions = ["sizes", "sizes", "mapping", "supervoxels", "sparsevol-coarse"]
    assert [one.action for one in sent] == actions
    sent.clear()
    array.sparse(5)
    assert [one.action for one in sent] == ["sparsevol-coarse", "specificblocks"]
    sent.clear()
    assert array.bodies.size([]).size == array.mapping([]).size == 0
    assert not sent


def test_blocks_of_a_committed_version_are_fetched_once(mine: Labels, sent: list[Sent]) -> None:
    mine.array.node.commit()
    array = dvid_array.open(
        mine.array.url, settings=replace(mine.array.settings, cache_bytes=1 << 28)
    )
    try:
        body = array.body(5)
        first = body[...]
        sent.clear()
        assert np.array_equal(array.body(5)[...], first)
        assert [one.action for one in sent] == ["sparsevol-coarse"]
        other = array.body(6)[...]
        assert np.array_equal(other, mine.inside(6))
    finally:
        registry.reset()


def test_bodies_inside_a_region(mine: Labels) -> None:
    """The region's part of a mask, whichever of the two is asked for first."""
    array, within = mine.array, np.zeros(mine.truth.shape, bool)
    roi = array.node.create_roi("half", block=(16, 16, 16))
    roi.post_spans([(z, y, -4, 1) for z in range(-1, 1) for y in range(-2, 1)])
    region = Box((-64, -32, -16), (32, 16, 16)).intersect(mine.whole)
    within[region.slices(mine.start)] = True
    part = Labels(array, np.where(within, mine.truth, np.uint64(0)), mine.start)
    seen = array.where(roi)
    assert seen.bodies.bbox(5) == mine.box(5)
    for label in (5, 6, HIGH):
        assert seen.sparse(label) == SparseVolume.from_mask(part.mask(label), mine.start)
        assert seen.body(label).shape == (1, *part.box(label).shape)
        assert np.array_equal(seen.body(label)[...], part.inside(label))
        whole = array.body(label)
        cut = part.mask(label)[mine.box(label).slices(mine.start)]
        assert np.array_equal(whole.where(roi)[...][0], cut)


# What others do meanwhile.


def test_merges_and_cleaves_are_seen_on_the_next_call(mine: Labels) -> None:
    array, split = mine.array, mine.array.node.open("seg", supervoxels=True)
    token = tokenize(array.body(5))
    post(array, "merge", [5, 6])
    merged = Labels(array, np.where(mine.mask(6), np.uint64(5), mine.truth), mine.start)
    assert array.mapping([5, 6, 0, 77, HIGH]).tolist() == [5, 5, 0, 0, HIGH]
    assert array.mapping(6) == 5
    assert array.bodies.size([5, 6]).tolist() == [merged.mask(5).sum(), 0]
    assert array.bodies.exists([5, 6]).tolist() == [True, False]
    assert array.bodies.supervoxels(5).tolist() == [5, 6]
    assert array.bodies.bbox(5) == merged.box(5)
    assert np.array_equal(array.body(5)[...], merged.inside(5))
    assert array.sparse(5).size == merged.mask(5).sum()
    assert tokenize(array.body(5)) != token
    with pytest.raises(DvidNotFoundError, match=r"no body 6 .* arr\.mapping"):
        array.body(6)
    # supervoxels stay what they are
    assert split.bodies.size([5, 6]).tolist() == [mine.mask(5).sum(), mine.mask(6).sum()]
    assert split.bodies.bbox(6) == mine.box(6)
    assert np.array_equal(split.body(6)[...], mine.inside(6))
    assert split.sparse(5) == SparseVolume.from_mask(mine.mask(5), mine.start)

    new = post(array, "cleave/5", [6])["CleavedLabel"]
    assert array.mapping([5, 6]).tolist() == [5, new]
    assert array.bodies.size([5, new]).tolist() == [mine.mask(5).sum(), mine.mask(6).sum()]
    assert np.array_equal(array.body(new)[...], mine.inside(6))
    assert array.sparse(5) == SparseVolume.from_mask(mine.mask(5), mine.start)


def test_a_mask_sees_what_was_cleaved_from_it(mine: Labels) -> None:
    post(mine.array, "merge", [5, 6])
    body = mine.array.body(5)
    both = body[...]
    post(mine.array, "cleave/5", [6])
    assert both.sum() == mine.mask(5).sum() + mine.mask(6).sum()
    assert body[...].sum() == mine.mask(5).sum()


def test_versions_have_bodies_of_their_own(mine: Labels) -> None:
    mine.array.node.commit()
    newer = mine.array.at(mine.array.node.new_version().uuid)
    before = mine.array.body(6)
    post(newer, "merge", [6, 5])
    assert mine.array.bodies.size([5, 6]).tolist() == [mine.mask(5).sum(), mine.mask(6).sum()]
    assert newer.bodies.size([5, 6]).tolist() == [0, mine.mask(5).sum() + mine.mask(6).sum()]
    there = before.at(newer.uuid)
    assert (there.origin, there.shape, there.label) == (before.origin, before.shape, 6)
    window = mine.truth[mine.box(6).slices(mine.start)]
    assert np.array_equal(there[...][0], np.isin(window, (5, 6)))


def test_tokens_and_pickles(mine: Labels) -> None:
    mine.array.node.commit()
    array = dvid_array.open(mine.array.url)
    with dask.config.set({"tokenize.ensure-deterministic": True}):
        tokens = {tokenize(array.body(label)) for label in (5, 5, 6)}
        tokens.add(tokenize(pickle.loads(pickle.dumps(array.body(6)))))
        assert len(tokens) == 2
        assert tokenize(array) not in tokens
    copy = pickle.loads(pickle.dumps(array.body(6)))
    assert np.array_equal(copy[...], mine.inside(6))


# Refusals.

ASKS: dict[str, Callable[[DvidArray, int], Any]] = {
    "size": lambda array, label: array.bodies.size(label),
    "volume_nm3": lambda array, label: array.bodies.volume_nm3(label),
    "supervoxels": lambda array, label: array.bodies.supervoxels(label),
    "bbox": lambda array, label: array.bodies.bbox(label),
    "coarse": lambda array, label: array.bodies.coarse(label),
    "body": lambda array, label: array.body(label),
    "sparse": lambda array, label: array.sparse(label),
}
OTHERS: dict[str, Callable[[DvidArray, int], Any]] = {
    "exists": lambda array, label: array.bodies.exists(label),
    "mapping": lambda array, label: array.mapping(label),
}


@pytest.mark.parametrize("name", ASKS)
def test_the_background_is_no_body(low: Labels, sent: list[Sent], name: str) -> None:
    sent.clear()
    with pytest.raises(ValueError, match="0 is the background"):
        ASKS[name](low.array, 0)
    assert not sent
    assert (low.array.bodies.exists(0), low.array.mapping(0)) == (False, 0)


@pytest.mark.parametrize("name", ["supervoxels", "bbox", "coarse", "body", "sparse"])
def test_a_body_that_is_not_there(low: Labels, name: str) -> None:
    with pytest.raises(KeyError, match=r"'seg' has no body 77 at version .*: see arr\.mapping"):
        ASKS[name](low.array, 77)
    if name != "supervoxels":
        split = low.array.node.open("seg", supervoxels=True)
        with pytest.raises(DvidNotFoundError, match="no supervoxel 77"):
            ASKS[name](split, 77)


@pytest.mark.parametrize("name", ["bbox", "coarse", "body", "sparse", "supervoxels"])
@pytest.mark.parametrize(
    ("label", "error"), [(-1, ValueError), (2**64, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_what_is_no_id(low: Labels, name: str, label: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        ASKS[name](low.array, label)


@pytest.mark.parametrize("ids", [[1.5], [-1], [2**64], ["5"]], ids=str)
def test_what_is_no_list_of_ids(low: Labels, ids: Any) -> None:
    for ask in (low.array.bodies.size, low.array.bodies.exists, low.array.mapping):
        with pytest.raises((TypeError, ValueError), match=r"^ids are integers from 0 to") as told:
            ask(ids)
        assert str(ids) in str(told.value)


@pytest.mark.parametrize("name", [*ASKS, *OTHERS])
@pytest.mark.parametrize("kind", ["gray", "labelblk", "unindexed"])
def test_volumes_without_an_index(node: Node, sent: list[Sent], kind: str, name: str) -> None:
    if kind == "unindexed":
        config = {"typename": "labelmap", "dataname": kind, "IndexedLabels": "false"}
        path = f"{node.server.url}/api/repo/{node.uuid}/instance"
        requests.post(path, json=config, timeout=60).raise_for_status()
        array, told = node[kind], r"without an index .*\.to_dask\(\) == label"
    elif kind == "gray":
        array, told = node.create(kind, "uint8"), r"is a uint8blk, .*\.to_dask\(\) == label"
    else:
        array, told = node.create(kind, "uint64", kind="uint64blk"), "is a uint64blk"
    sent.clear()
    with pytest.raises(DvidTypeError, match=told):
        (ASKS | OTHERS)[name](array, 5)
    assert not sent


def test_sizes_are_those_of_scale_0(places: dict[str, Labels], sent: list[Sent]) -> None:
    coarse, fine = places["scale 1"].array, places["scale 0"].array
    sent.clear()
    with pytest.raises(ValueError, match="sizes are voxels of scale 0, and this array has scale 1"):
        coarse.bodies.size(5)
    assert not sent
    assert coarse.bodies.volume_nm3(IDS).tolist() == fine.bodies.volume_nm3(IDS).tolist()
    assert coarse.bodies.exists(IDS).all()


def test_supervoxels_have_none(low: Labels) -> None:
    split = low.array.node.open("seg", supervoxels=True)
    with pytest.raises(ValueError, match="without supervoxels=True"):
        split.bodies.supervoxels(5)
    assert "supervoxels of 'seg'" in repr(split.bodies)


def test_bodies_of_a_window_are_those_of_the_volume(low: Labels) -> None:
    window = low.array.window((0, 0, 0), (10, 10, 10))
    assert window.bodies.bbox(5) == window.body(6).bodies.bbox(5) == low.box(5)
    assert window.body(5).shape == low.array.body(5).shape
    assert isinstance(window.body(5).body(6)[...], np.ndarray)
    assert window.sparse(6).bbox == low.box(6)
