"""The ways of labels: each with each engine and type against numpy, damage named, memory bounded.

Those of images are tested with `reading`.
"""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dvid_array
from dvid_array.box import Box
from dvid_array.client import reading, ways
from dvid_array.client.picks import Grid
from dvid_array.client.planning import Request
from dvid_array.client.transport import Call
from dvid_array.errors import DvidProtocolError, DvidTypeError
from dvid_array.protocol import frames, label_blocks, paths
from tests.conftest import Dvid, Sent
from tests.labels import Labels, settle

Filled = Callable[..., tuple[dvid_array.DvidArray, np.ndarray]]
SHAPE = (1, 70, 60, 50)


@pytest.fixture(params=["numba", "numpy"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(label_blocks, "engine_for", lambda voxels: request.param)
    return str(request.param)


@pytest.fixture
def labels(filled: Filled) -> tuple[dvid_array.DvidArray, np.ndarray]:
    return filled("uint64", SHAPE, (32, 32, 32), name="seg")


def by(array: dvid_array.DvidArray, transport: str, **changes: Any) -> dvid_array.DvidArray:
    """The same array, read in a certain way."""
    return dvid_array.open(
        array.url, settings=replace(array.settings, transport=transport, **changes)
    )


def kind(dvid: Dvid, name: str) -> str:
    """A type of labels, where the server has it."""
    if name != "labelmap" and not dvid.real:
        pytest.skip("the development server has no such type")
    return name


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("transport", ["auto", "blocks", "lz4", "raw"])
def test_labels_by_every_way(
    labels: tuple[dvid_array.DvidArray, np.ndarray], transport: str
) -> None:
    array, truth = by(labels[0], transport), labels[1]
    assert np.array_equal(array[...], truth)
    for key in (np.s_[:, 33:65, 5, ::7], np.s_[0, [1, 69, 3]], np.s_[:, ::-40, 32:, ::-1]):
        assert np.array_equal(array[key], truth[key])
    points = np.array([0, 69, 31, 32]), np.array([0, 59, 31, 32]), np.array([0, 49, 31, 32])
    assert np.array_equal(array.vindex[0, *points], truth[0][points])
    assert not array.voxels[:, -40:0, 0:10, 0:10].any()
    assert not array.voxels[:, 128:230, -32:64, 0:64].any()


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("name", "ways_of_it"), [("labelarray", ["blocks", "lz4", "raw"]), ("labelblk", ["lz4", "raw"])]
)
def test_older_types(dvid: Dvid, filled: Filled, name: str, ways_of_it: list[str]) -> None:
    array, truth = filled("uint64", SHAPE, (32, 32, 32), kind=kind(dvid, name))
    assert array.plan(np.s_[:]).transport == ways_of_it[0]
    for transport in ("auto", *ways_of_it):
        array = by(array, transport)
        assert np.array_equal(array.read((0, 0, 0), SHAPE[1:]), truth)
        # these types have no exact extents: they keep those of whole blocks
        assert np.array_equal(array[0, [1, 69], 5:40, :50], truth[0, [1, 69], 5:40, :50])
        assert not array.voxels[:, -40:0, 0:10, 0:10].any()


@pytest.mark.usefixtures("engine")
def test_any_box_into_any_array(labels: tuple[dvid_array.DvidArray, np.ndarray]) -> None:
    array, truth = labels
    around = np.pad(truth, ((0, 0), (40, 40), (40, 40), (40, 40)))
    corner = st.tuples(*(st.integers(-40, n + 40) for n in SHAPE[1:]))

    @given(corner, corner, st.sampled_from("CF"))
    def check(a: tuple[int, ...], b: tuple[int, ...], order: Any) -> None:
        box = Box(tuple(map(min, a, b)), tuple(map(max, a, b)))  # type: ignore[arg-type]
        expected = around[(slice(None), *box.slices((-40, -40, -40)))]
        out = np.full(expected.shape, 9, np.uint64, order=order)
        assert array.read(box.start, box.stop, out=out) is out
        assert np.array_equal(out, expected)

    check()


def test_a_window_of_a_larger_array_is_filled_and_nothing_else(
    labels: tuple[dvid_array.DvidArray, np.ndarray],
) -> None:
    array, truth = labels
    big = np.full((1, 80, 70, 60), 9, np.uint64, order="F")
    array.read((0, 0, 0), SHAPE[1:], out=big[:, 5:75, 5:65, 5:55])
    assert np.array_equal(big[:, 5:75, 5:65, 5:55], truth)
    big[:, 5:75, 5:65, 5:55] = 9
    assert (big == 9).all()


def test_stored_blocks_are_asked_for(
    labels: tuple[dvid_array.DvidArray, np.ndarray], sent: list[Sent]
) -> None:
    array, _ = labels
    sent.clear()
    array[:, 5, 5, 5]
    array[:, [0, 69], :4, :4]
    asked = [(one.action, one.query["compression"]) for one in sent]
    assert asked == [("blocks", "blocks"), ("specificblocks", "blocks")]


def test_lower_scales(node: dvid_array.Node) -> None:
    array = node.create("seg", "uint64", block=(32, 32, 32), max_scale=1)
    octants = np.arange(8).reshape(2, 2, 2)
    array[:, :64, :64, :64] = octants.repeat(32, 0).repeat(32, 1).repeat(32, 2)
    small = dvid_array.open(array.url + "?scale=1")
    for transport in ("blocks", "lz4", "raw"):
        found = by(small, transport).read((0, 0, 0), (32, 32, 32))
        assert np.array_equal(found[0], octants.repeat(16, 0).repeat(16, 1).repeat(16, 2))


def test_labels_stored_otherwise_are_read_raw(filled: Filled) -> None:
    array, truth = filled("uint64", SHAPE, (32, 32, 32), compression="lz4")
    assert array.plan(np.s_[:]).transport == "raw"
    assert np.array_equal(array[...], truth)
    for transport in ("blocks", "lz4"):
        with pytest.raises(DvidTypeError, match="auto"):
            by(array, transport)[...]


@pytest.mark.usefixtures("engine")
def test_merged_and_unmerged(filled: Filled) -> None:
    """After a merge blocks come relabelled, with a body in their lists more than once."""
    array, truth = filled("uint64", SHAPE, (32, 32, 32))
    settle(Labels(array, truth[0], (0, 0, 0)))
    merge = paths.path(paths.instance(array.node.uuid, "volume", "merge"))
    body = json.dumps([10, 11, 12, 150]).encode()
    array._volume.transport.document(Call("POST", merge, {}, body, repeatable=False))
    merged = np.where(np.isin(truth, (11, 12, 150)), np.uint64(10), truth)
    for transport in ("blocks", "lz4", "raw"):
        assert np.array_equal(by(array, transport)[...], merged)
        whole = dvid_array.open(array.url, supervoxels=True)
        assert np.array_equal(by(whole, transport)[...], truth)


def test_kept_blocks_are_not_the_buffer_they_came_in(filled: Filled, sent: list[Sent]) -> None:
    array, truth = filled("uint64", SHAPE, (32, 32, 32))
    array.node.commit()
    array = by(array, "blocks", cache_bytes=1 << 26)
    key = np.s_[:, 3:69, 5:59, 7:49]
    sent.clear()
    for _ in range(2):
        assert np.array_equal(array[key], truth[key])
        assert np.array_equal(array[0, :, 9, ::3], truth[0, :, 9, ::3])
    assert [one.action for one in sent] == ["blocks"]


@pytest.mark.usefixtures("engine")
def test_memory_beyond_the_result_is_small(node: dvid_array.Node) -> None:
    array = node.create("seg", "uint64")
    truth = np.arange(8, dtype=np.uint64).reshape(2, 2, 2)
    truth = np.asfortranarray(truth.repeat(100, 0).repeat(100, 1).repeat(100, 2)[None])
    array[:, :200, :200, :200] = truth
    out = np.empty((1, 200, 200, 200), np.uint64, order="F")
    array.read((0, 0, 0), (200, 200, 200), out=out)
    tracemalloc.start()
    try:
        array.read((0, 0, 0), (200, 200, 200), out=out)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.array_equal(out, truth)
    assert peak < array.settings.threads * 6 * 64**3 * 8


class Answer(BytesIO):
    """A body that was sent by nobody."""

    take = BytesIO.read

    def read_into(self, view: memoryview) -> None:
        self.readinto(view)


GOOD = gzip.compress(label_blocks.encode(np.full((32, 32, 32), 7, np.uint64)))
OTHER = gzip.compress(label_blocks.encode(np.full((32, 32, 16), 7, np.uint64)))
DAMAGED = {
    "no gzip": (b"something else", "damaged: gzip"),
    "cut gzip": (GOOD[:-1], "damaged: gzip"),
    "a bomb": (gzip.compress(bytes(1 << 25)), "damaged: gzip"),
    "no block": (gzip.compress(b"something else"), "malformed"),
    "another size": (OTHER, "expected"),
    "nothing": (b"", "damaged: gzip"),
}


@pytest.mark.parametrize("how", DAMAGED)
@pytest.mark.parametrize("start", [(0, 0, 0), (5, 5, 5)])
def test_damaged_blocks_are_named(
    labels: tuple[dvid_array.DvidArray, np.ndarray], how: str, start: tuple[int, int, int]
) -> None:
    payload, why = DAMAGED[how]
    volume = labels[0]._volume
    box = Box(start, (32, 32, 64))
    axes = (range(a, b) for a, b in zip(box.start, box.stop, strict=True))
    target = Grid((range(1), *axes), np.zeros((1, *box.shape), np.uint64, order="F"))
    way = reading.transport(volume, [box])
    body: Any = Answer(frames.pack((0, 0, 1), GOOD) + frames.pack((0, 0, 0), payload))
    with pytest.raises(DvidProtocolError, match=why) as error:
        way.receive(volume, Request(box), target, body)
    assert "(0, 0, 0) of 'seg'" in str(error.value)


def test_every_way_is_a_setting() -> None:
    assert {way.name for way in ways.WAYS} == set(dvid_array.settings.TRANSPORTS) - {"auto"}


def test_numba_is_loaded_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unloaded:
        currsize = 0

    assert label_blocks._engine("auto") is not None
    assert label_blocks.engine_for(64**3) == "auto"
    monkeypatch.setattr(label_blocks._numba, "cache_info", Unloaded, raising=False)
    assert label_blocks.engine_for(64**3) == "numpy"
    assert label_blocks.engine_for(256 * 256 * 64) == "auto"
