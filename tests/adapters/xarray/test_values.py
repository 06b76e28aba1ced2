"""Voxels that xarray holds without having them: keys, requests, assignments."""

from __future__ import annotations

import asyncio
import itertools
import math
import re
import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import dvid_array
from dvid_array.adapters.xarray import values
from dvid_array.adapters.xarray.values import _points
from tests.adapters.test_dask import bulk
from tests.adapters.xarray.conftest import Volume
from tests.client import watchers
from tests.conftest import Sent


def test_only_touched_blocks_are_fetched(filled: Callable[..., Volume], sent: list[Sent]) -> None:
    array, truth = filled()
    gray = array.to_xarray()
    sent.clear()
    np.testing.assert_array_equal(
        gray.isel(x=[1, 63], z=[127, 0]), truth[:, [1, 63]][..., [127, 0]]
    )
    (request,) = bulk(sent)
    assert request.query["blocks"].count(",") == 3 * 2 * 3 * 2 - 1  # 2 x 3 x 2 blocks
    sent.clear()
    assert gray.isel(x=slice(5, 5)).values.shape == (1, 0, 96, 128)
    assert not sent


def test_points(negative: Volume) -> None:
    array, truth = negative
    x = xr.DataArray([0, 59, 7], dims="point")
    y = xr.DataArray([9, 0, 5], dims="point")
    found = array.to_xarray().isel(x=x, y=y)
    np.testing.assert_array_equal(found.transpose("channel", "point", "z"), truth[:, x, y])


def test_assigning_changes_memory_only(negative: Volume, sent: list[Sent]) -> None:
    array, truth = negative
    gray = array.to_xarray()
    sent.clear()
    gray[{"x": 1}] = 5
    gray.loc[{"x": -40}] = 6
    assert {one.method for one in sent} == {"GET"}
    assert (gray[:, 1] == 5).all()
    np.testing.assert_array_equal(array.stored[...], truth)


def test_loading_asynchronously(negative: Volume) -> None:
    array, truth = negative
    found = xr.open_dataset(array, engine="dvid")
    asyncio.run(found.load_async())
    np.testing.assert_array_equal(found.gray.values, truth)


def test_points_fetch_only_their_blocks(filled: Callable[..., Volume], sent: list[Sent]) -> None:
    array, truth = filled()
    gray = array.to_xarray()
    place = {
        dim: xr.DataArray(values, dims="point")
        for dim, values in {"x": [1, 63, 2], "y": [0, 95, 3], "z": [127, 5, 126]}.items()
    }
    sent.clear()
    found = gray.isel(place)
    assert not sent
    np.testing.assert_array_equal(found, truth[:, [1, 63, 2], [0, 95, 3], [127, 5, 126]])
    (request,) = bulk(sent)
    assert request.query["blocks"].count(",") == 3 * 2 - 1  # two blocks, not the 24 of their hull


SHAPE = (2, 6, 5, 7)


@st.composite
def keys(draw: st.DrawFn) -> tuple[Any, ...]:
    """Arrays that broadcast together, of one or two dimensions, and slices between them."""
    shape = draw(st.sampled_from([(3,), (2, 2), (1,)]))
    parts: list[Any] = []
    for extent in SHAPE:
        if draw(st.booleans()):
            parts.append(slice(*draw(st.slices(extent)).indices(extent)[:2]))
        else:
            numbers = st.lists(
                st.integers(0, extent - 1), min_size=math.prod(shape), max_size=math.prod(shape)
            )
            parts.append(np.array(draw(numbers)).reshape(shape))
    if all(isinstance(part, slice) for part in parts):
        parts[0] = np.zeros(shape, int)
    return tuple(parts)


@given(keys())
def test_a_vectorized_key_means_what_xarray_means(key: tuple[Any, ...]) -> None:
    """The oracle is xarray's own vectorized indexing of an array in memory."""
    truth = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    expected = xr.core.indexing.NumpyIndexingAdapter(truth).vindex[
        xr.core.indexing.VectorizedIndexer(key)
    ]
    np.testing.assert_array_equal(truth[_points(key, SHAPE)], expected)


@pytest.mark.parametrize("transposed", [False, True])
def test_every_kind_of_selection(filled: Callable[..., Volume], transposed: bool) -> None:
    """As a table; the oracle is the same selection of a DataArray in memory."""
    array, truth = filled("uint8", (1, 20, 30, 40), (16, 16, 16))
    lazy = array.to_xarray()
    memory = lazy.copy(data=truth)
    if transposed:
        lazy, memory = lazy.transpose("z", "x", "channel", "y"), memory.T
        memory = memory.transpose(*lazy.dims)
    point = xr.DataArray([3, 19, 0, 3], dims="p")
    plane = xr.DataArray([[1, 2], [3, 29]], dims=("a", "b"))
    for key in (
        {"x": 5},
        {"x": -1, "z": slice(None, None, -3)},
        {"x": slice(18, 2, -5), "y": [29, 0, 0]},
        {"x": [4, 2], "y": [1], "z": slice(0, 9, 4), "channel": 0},
        {"x": np.arange(20) % 3 == 0},
        {"x": point, "y": slice(2, 4)},
        {"x": point, "y": plane, "z": [0, 39]},
        {"y": plane, "channel": 0},
        {"y": plane, "x": plane % 7, "z": plane},
    ):
        xr.testing.assert_identical(lazy.isel(key).load(), memory.isel(key))
        once = lazy.isel(x=slice(1, 20, 2)).isel(y=[1, 5, 3]).isel(x=point // 4)
        xr.testing.assert_identical(
            once.load(), memory.isel(x=slice(1, 20, 2)).isel(y=[1, 5, 3]).isel(x=point // 4)
        )


def test_values_loaded_asynchronously_go_side_by_side(
    filled: Callable[..., Volume], sent: list[Sent]
) -> None:
    array, truth = filled()
    watched = array.with_settings(observers=("tests.client.watchers.watch",)).to_xarray()
    parts = [watched.isel(z=slice(a, a + 32)) for a in (0, 32, 64, 96)]
    sent.clear()

    async def load() -> list[xr.DataArray]:
        return await asyncio.gather(*(part.load_async() for part in parts))

    watchers.told.clear()
    loaded = asyncio.run(load())
    assert len(bulk(sent)) == 4
    assert threading.current_thread() not in {thread for thread, _ in watchers.told}
    np.testing.assert_array_equal(xr.concat(loaded, "z"), truth)


def test_an_assignment_never_reaches_the_server(
    filled: Callable[..., Volume], sent: list[Sent]
) -> None:
    array, truth = filled("uint8", (1, 20, 20, 20), (16, 16, 16))
    found = xr.open_dataset(array, engine="dvid")
    sent.clear()
    found.volume[...] = 1
    found["volume"].loc[{"x": slice(0, 3)}] = 2
    found.volume.values[0, 0, 0, 0] = 3
    found.volume.data = np.zeros_like(truth)
    found["other"] = found.volume + 1
    found.volume.variable[0] = 9
    for chunks in (None, {}):
        lazy = array.to_xarray(chunks=chunks)
        lazy[{"x": 0}] = 4
        lazy.loc[{"y": slice(3, 5)}] = lazy.sel(y=0) + 1
        lazy = lazy.where(lazy > 4, 0).fillna(3)
        lazy += 1
        whole = lazy.to_dataset(name="volume")
        whole.update({"volume": lazy * 2})
        whole["volume"][..., 5] = 7
        whole.volume.data[0, 0, 0, 0] = 8
        assert whole.compute().volume[0, 0, 0, 0] == 8
        tree = dvid_array.open_datatree(array, chunks=chunks)
        tree["s0/volume"][{"x": 3}] = 5
        assert (tree["s0/volume"][:, 3] == 5).all()
        tree["s0"] = whole
    assert "POST" not in {one.method for one in sent}
    np.testing.assert_array_equal(dvid_array.open(array.url)[...], truth)


SIZES = {"channel": 1, "x": 40, "y": 24, "z": 33}


@st.composite
def selections(draw: st.DrawFn, sizes: dict[str, int]) -> dict[str, Any]:
    """What `isel` takes: numbers, slices, lists, masks of some axes, and points along others."""
    made: dict[str, Any] = {}
    points = st.sampled_from([(3,), (2, 2), ()])
    shape = draw(points)
    for dim, size in sizes.items():
        inside = st.integers(0, size - 1)
        kinds = [
            st.just(slice(None)),
            st.slices(size),
            st.slices(size),
            *([inside, inside.map(lambda n, size=size: n - size)] if size else []),
            *([st.lists(inside, max_size=4)] if size else []),
            st.lists(st.booleans(), min_size=size, max_size=size),
        ]
        if shape and size and dim not in ("a", "b") and draw(st.booleans()):
            many = st.lists(inside, min_size=math.prod(shape), max_size=math.prod(shape))
            dims = ("a", "b")[: len(shape)]
            made[dim] = xr.DataArray(np.array(draw(many)).reshape(shape), dims=dims)
        elif draw(st.booleans()):
            made[dim] = draw(st.one_of(kinds))
    return made


@st.composite
def chains(draw: st.DrawFn) -> list[Callable[[xr.DataArray], xr.DataArray]]:
    """Selections and transpositions, one after the other."""
    shape = xr.DataArray(np.empty(tuple(SIZES.values()), np.uint8), dims=tuple(SIZES))
    steps: list[Callable[[xr.DataArray], xr.DataArray]] = []
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            dims = draw(st.permutations(shape.dims))
            steps.append(lambda one, dims=dims: one.transpose(*dims))
        else:
            free = {dim: n for dim, n in shape.sizes.items() if dim not in ("a", "b")}
            pick = draw(selections(free)) if "a" not in shape.dims else {}
            steps.append(lambda one, pick=pick: one.isel(pick))
        shape = steps[-1](shape)
    return steps


def blocks_of(request: Sent, edge: int) -> list[tuple[int, ...]]:
    """The blocks that a request asks for, in blocks."""
    if request.action == "specificblocks":
        numbers = np.array(request.query["blocks"].split(","), int).reshape(-1, 3)
        return [tuple(row) for row in numbers.tolist()]
    corners = re.findall(r"-?\d+_-?\d+_-?\d+", request.path)[-2:]
    sizes, starts = (np.array(corner.split("_"), int) for corner in corners)
    ends = -(-(starts + sizes) // edge)
    return list(itertools.product(*map(range, (starts // edge).tolist(), ends.tolist())))


@pytest.mark.parametrize("at_once", [8, values.POINTS_AT_ONCE])
def test_whatever_is_picked_is_numpys_and_costs_its_blocks(
    filled: Callable[..., Volume],
    sent: list[Sent],
    at_once: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Chains of selections of every kind against the same ones in memory; each block that holds
    something of it is fetched once, and no other, also where points are looked up in pieces."""
    monkeypatch.setattr(values, "POINTS_AT_ONCE", at_once)
    array, truth = filled("uint16", tuple(SIZES.values()), (16, 16, 16))
    blocks = np.indices(truth.shape)[1:] // 16
    number = (blocks * [[[[[1]]]], [[[[10]]]], [[[[100]]]]]).sum(0)

    @given(chains())
    @settings(max_examples=100)
    def check(steps: list[Callable[[xr.DataArray], xr.DataArray]]) -> None:
        lazy = array.to_xarray()
        memory, touched = lazy.copy(data=truth), lazy.copy(data=number)
        for step in steps:
            lazy, memory, touched = step(lazy), step(memory), step(touched)
        sent.clear()
        xr.testing.assert_identical(lazy.load(), memory)
        assert lazy.values.flags.writeable
        fetched = [x + 10 * y + 100 * z for one in bulk(sent) for x, y, z in blocks_of(one, 16)]
        assert sorted(fetched) == np.unique(touched).tolist()
        assert all(one.method == "GET" for one in sent)

    check()


def test_transposed_values_take_no_more_than_their_memory(filled: Callable[..., Volume]) -> None:
    """xarray makes points of them, of which four coordinates would be remembered for each voxel."""
    array, truth = filled("uint8", (1, 128, 128, 128), (32, 32, 32))
    lazy = array.to_xarray().transpose("z", "y", "x", "channel")
    tracemalloc.start()
    found = lazy.values
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * truth.nbytes
    np.testing.assert_array_equal(found, truth.T)
    assert found.flags.c_contiguous


def test_profiles_take_no_more_than_their_memory(
    filled: Callable[..., Volume], sent: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Points are looked up in pieces, along the axis that they share."""
    monkeypatch.setattr(values, "POINTS_AT_ONCE", 1 << 15)
    array, truth = filled("uint64", (1, 32, 32, 512), (16, 16, 16))
    places = np.random.default_rng(5).integers(0, 32, (2, 1000))
    x, y = (xr.DataArray(place, dims="point") for place in places)
    window = array.window((0, 0, 5), (32, 32, 512))  # begins inside a block
    lazy = window.to_xarray().isel(x=x, y=y)
    sent.clear()
    tracemalloc.start()
    found = lazy.values
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * found.nbytes
    np.testing.assert_array_equal(found, truth[:, places[0], places[1], 5:])
    fetched = [block for one in bulk(sent) for block in blocks_of(one, 16)]
    assert len(fetched) == len({*fetched}) == 2 * 2 * 32


def test_the_limit_of_memory_holds_for_all_pieces_together(
    filled: Callable[..., Volume], sent: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "POINTS_AT_ONCE", 100)
    array, _ = filled("uint8", (1, 32, 32, 64), (16, 16, 16))
    x = xr.DataArray(np.arange(8), dims="point")
    lazy = array.with_settings(max_bytes=400).to_xarray().isel(x=x, y=x)
    sent.clear()
    with pytest.raises(dvid_array.DvidTooLargeError, match="512"):
        lazy.load()
    assert not sent
