"""DataArrays find their place by their labels; what is no place is refused with a remedy."""

from __future__ import annotations

import dask.array as da
import dask_array
import numpy as np
import pytest
import xarray as xr

import dvid_array
from dvid_array import Box, Node, store
from tests.adapters.test_dask import bulk
from tests.conftest import Sent

BLOCK = (16, 16, 16)
START, STOP = (-20, 3, 7), (10, 33, 37)
SHAPE = (1, 30, 30, 30)
DIMS = ("channel", "x", "y", "z")


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(2).integers(1, 200, SHAPE, np.uint8)


@pytest.fixture
def labelled(values: np.ndarray) -> xr.DataArray:
    coords = {dim: np.arange(a, b) for dim, a, b in zip("xyz", START, STOP, strict=True)}
    return xr.DataArray(values, dims=DIMS, coords=coords)


@pytest.fixture
def target(node: Node) -> dvid_array.DvidArray:
    return node.create("v", "uint8", block=BLOCK)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        lambda one: one,
        lambda one: one.transpose("z", "channel", "y", "x"),
        lambda one: one.isel(channel=0, drop=True),
        lambda one: one.assign_coords(channel=[0]).isel(channel=0),
        lambda one: one.assign_coords(x=one.x.astype(float)),
        lambda one: one.isel(x=slice(None, None, -1)).sortby("x"),
    ],
    ids=["plain", "transposed", "channel dropped", "channel chosen", "floats", "turned twice"],
)
def test_labels_say_where(
    target: dvid_array.DvidArray, labelled: xr.DataArray, values: np.ndarray, change, chunked: bool
) -> None:
    source = change(labelled)
    store(source.chunk(13) if chunked else source, target)
    assert (target.minindex[1:], target.shape[1:]) == (START, STOP)
    np.testing.assert_array_equal(target.stored[...], values)


@pytest.mark.parametrize(
    "wrap",
    [lambda one: one, lambda one: one.transpose("z", "x", "y")],
    ids=["plain", "transposed"],
)
@pytest.mark.parametrize("compute", [True, False])
def test_chunks_of_dask_array(
    target: dvid_array.DvidArray, labelled: xr.DataArray, values: np.ndarray, wrap, compute: bool
) -> None:
    """The package that dask may become hands out arrays of its own, by xarray's `chunk` too."""
    other = dask_array.from_array(values, chunks=13)
    made = store(other, target, Box(START, STOP), compute=compute)
    source = wrap(xr.DataArray(other[0] + 1, dims=DIMS[1:], coords=labelled.coords))
    if not compute:
        made.compute()
    np.testing.assert_array_equal(target.refresh().stored[...], values)
    made = store(source, target, compute=compute)
    if not compute:
        made.compute()
    np.testing.assert_array_equal(target.stored[...], values + 1)


def test_a_plane_keeps_its_place(
    target: dvid_array.DvidArray, labelled: xr.DataArray, values: np.ndarray
) -> None:
    store(labelled.sel(y=20), target)
    np.testing.assert_array_equal(target.stored[0, :, 0], values[0, :, 17])
    assert target.minindex == (0, -20, 20, 7)


def test_what_was_opened_goes_back_to_its_place(
    target: dvid_array.DvidArray, labelled: xr.DataArray, values: np.ndarray, sent: list[Sent]
) -> None:
    """Lazily, in parts, with and without dask."""
    store(labelled, target)
    for name, chunks in (("chunked", {}), ("plain", None)):
        other = target.node.create(name, "uint8", block=BLOCK)
        sent.clear()
        source = target.to_xarray(chunks=chunks).transpose("y", "x", "channel", "z")
        assert not bulk(sent)
        store(source, other)
        assert other.minindex == target.minindex
        np.testing.assert_array_equal(other.stored[...], values)


@pytest.mark.parametrize("chunks", [None, {}])
def test_labels_in_units_are_voxels_too(
    node: Node, labelled: xr.DataArray, values: np.ndarray, chunks: dict[str, int] | None
) -> None:
    """Where they tell how far voxels are apart, as `physical=True` makes them."""
    size = {"block": BLOCK, "resolution": (8, 8, 40), "units": "nm"}
    target, other = (node.create(name, "uint8", **size) for name in ("v", "w"))
    store(labelled, target)
    source = target.to_xarray(chunks, physical=True)
    assert source.z[0] == 7 * 40
    store(source, other)
    assert (other.minindex[1:], other.shape[1:]) == (START, STOP)
    np.testing.assert_array_equal(other.stored[...], values)
    with xr.set_options(keep_attrs=True):
        shrunk = source.assign_coords(x=source.x / 1000)
    with pytest.raises(
        ValueError, match=r"labels of x are no whole numbers of voxels: -0\.16 where"
    ):
        store(shrunk, other)


def test_the_values_stay_lazy(target: dvid_array.DvidArray) -> None:
    coords = {dim: np.arange(a, b) for dim, a, b in zip("xyz", START, STOP, strict=True)}
    lazy = da.ones(SHAPE, chunks=11, dtype=np.uint8)
    source = xr.DataArray(lazy, dims=DIMS, coords=coords).transpose("z", "y", "x", "channel")
    store(source, target, compute=False).compute()
    assert (target.refresh().stored[...] == 1).all()
    assert (target.minindex[1:], target.shape[1:]) == (START, STOP)


def test_a_region_and_labels_must_agree(
    target: dvid_array.DvidArray, labelled: xr.DataArray, values: np.ndarray
) -> None:
    store(labelled, target, Box(START, STOP))
    with pytest.raises(ValueError, match="labels along x begin at -20, the region at 0: leave out"):
        store(labelled, target, Box.sized((0, 3, 7), SHAPE[1:]))
    bare = xr.DataArray(values, dims=DIMS)
    with pytest.raises(ValueError, match="no labels along x: name its place by region="):
        store(bare, target)
    store(bare, target, Box.sized((50, 3, 7), SHAPE[1:]))
    np.testing.assert_array_equal(target.read((50, 3, 7), (80, 33, 37)), values)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda one: one.assign_coords(x=one.x * 2), r"steps of 2, not of 1 voxel: is it another"),
        (lambda one: one.isel(y=slice(None, None, 3)), "labels of y have steps of 3"),
        (lambda one: one.isel(z=slice(None, None, -1)), r"steps of -1.* sortby\(\)"),
        (lambda one: one.assign_coords(z=one.z + 0.5), "labels of z are no whole numbers"),
        (lambda one: one.assign_coords(z=list(map(str, range(30)))), "no whole numbers"),
        (lambda one: one.assign_coords(x=one.x.assign_attrs(units="nm")), "are in nm: divide"),
        (lambda one: one.assign_attrs(dvid_scale=2), "is of scale 2"),
        (lambda one: one.rename(x="X"), r"rename \['X'\] to some of channel, x, y, z"),
        (lambda one: one.isel(x=0, drop=True), r"no dim x: expand_dims\(x="),
        (lambda one: one.assign_coords(channel=[1]), "begins at channel 1"),
        (lambda one: one.expand_dims("time"), "rename"),
        (lambda one: one.isel(channel=[0, 0]), "all channels"),
    ],
)
def test_what_is_no_place(
    target: dvid_array.DvidArray, labelled: xr.DataArray, change, match: str, sent: list[Sent]
) -> None:
    sent.clear()
    with pytest.raises(ValueError, match=match):
        store(change(labelled), target)
    assert not sent
