"""xarray on a DVID array: the engine, lazy values, signed labels, no request without need."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

import dvid_array
from dvid_array import DvidArray, Settings
from dvid_array.adapters.xarray import DvidBackend
from tests.adapters.test_dask import bulk
from tests.conftest import Sent

Volume = tuple[DvidArray, np.ndarray]
DIMS = ("channel", "x", "y", "z")


@pytest.fixture
def negative(node: dvid_array.Node) -> Volume:
    """Voxels x -40..20, y -3..7, z 5..15."""
    array = node.create("gray", "uint16", block=(16, 16, 16), resolution=(4, 4, 40), units="nm")
    truth = np.arange(6000, dtype=np.uint16).reshape(1, 60, 10, 10)
    array.voxels[:, -40:20, -3:7, 5:15] = truth
    return array, truth


def test_the_engine_is_listed() -> None:
    assert "dvid" in xr.backends.list_engines()


@pytest.mark.parametrize(
    ("thing", "claimed"),
    [
        ("dvid://host:8000/abc/gray", True),
        ("dvid://nonsense", True),
        ("http://host/abc/gray", False),
        ("/data/file.nc", False),
        (b"dvid://", False),
        (None, False),
        (object(), False),
    ],
)
def test_guessing_never_raises(thing: object, claimed: bool) -> None:
    assert DvidBackend().guess_can_open(thing) is claimed


def test_opening_costs_three_requests_and_no_voxel(negative: Volume, sent: list[Sent]) -> None:
    array, truth = negative
    prefix = array.url.replace(array.uuid, array.uuid[:12]).replace("http://", "dvid://")
    sent.clear()
    found = xr.open_dataset(prefix, engine="dvid")
    assert len(sent) <= 3
    assert not bulk(sent)
    assert list(found) == ["gray"]
    assert (found.gray.dims, found.gray.shape, found.gray.dtype) == (DIMS, truth.shape, truth.dtype)
    np.testing.assert_array_equal(found.gray.values, truth)
    assert xr.open_dataset(array, engine="dvid").identical(found)
    assert xr.open_dataset(array).identical(found)
    assert "gray" not in xr.open_dataset(array, engine="dvid", drop_variables="gray")


def test_labels_are_signed_voxels(negative: Volume) -> None:
    array, truth = negative
    gray = array.to_xarray()
    assert gray.name == "gray"
    np.testing.assert_array_equal(gray.x, np.arange(-40, 20))
    np.testing.assert_array_equal(gray.sel(x=-5, y=-3), truth[:, 35, 0])
    np.testing.assert_array_equal(gray.sel(x=slice(-40, -38)), truth[:, :3])
    np.testing.assert_array_equal(gray.sel(z=[14, 5]), truth[..., [9, 0]])
    assert len(pickle.dumps(gray.indexes["x"])) < 1000
    with pytest.raises(KeyError):
        gray.sel(x=-41)
    window = array.window((0, 0, 0), (3, 4, 5)).to_xarray()
    assert [window[dim].values[0] for dim in DIMS] == [0, 0, 0, 0]
    assert window.shape == (1, 3, 4, 5)


def test_nothing_but_values_makes_requests(negative: Volume, sent: list[Sent]) -> None:
    array, truth = negative
    sent.clear()
    found = xr.open_dataset(array, engine="dvid")
    gray = found.gray
    for use in (repr, DvidArray.__repr__, copy.deepcopy, copy.copy, pickle.dumps):
        use(array if use is DvidArray.__repr__ else found)
    repr(gray)
    gray._repr_html_()
    found._repr_html_()
    part = gray.isel(x=slice(0, 50, 7)).sel(y=slice(-1, 3)).transpose("z", "x", "y", "channel")
    part = copy.deepcopy(part).isel(z=[8, 3], channel=0)
    assert not sent
    expected = truth[0, 0:50:7, 2:7][..., [8, 3]].transpose(2, 0, 1)
    np.testing.assert_array_equal(part.values, expected)
    assert sent


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


def test_identity_without_credentials(negative: Volume) -> None:
    array, _ = negative
    found = xr.open_dataset(array.url, engine="dvid", token="a-secret")
    attrs = found.gray.attrs
    assert attrs == {
        "long_name": "gray",
        "dvid_server": array.server_url,
        "dvid_uuid": array.uuid,
        "dvid_instance": "gray",
        "dvid_scale": 0,
        "voxel_size": [4.0, 4.0, 40.0],
        "voxel_units": ["nm", "nm", "nm"],
    }
    assert json.loads(json.dumps(attrs)) == attrs
    assert found.x.attrs == {"units": "voxel"}
    assert found.encoding["source"] == array.url
    everything = pickle.dumps(found) + repr((found, found.encoding, found.gray.encoding)).encode()
    assert b"a-secret" not in everything


def test_scales_share_the_labels_of_scale_0(node: dvid_array.Node) -> None:
    full = node.create("seg", "uint64", block=(16, 16, 16), max_scale=1)
    full[:, 8:40, 0:32, 0:32] = truth = np.arange(4**3).repeat(512).reshape(1, 32, 32, 32)
    found = xr.open_dataset(full.url, engine="dvid", scale=1).seg
    assert found.dtype == np.uint64
    np.testing.assert_array_equal(found.x, np.arange(8, 40, 2))
    assert found.attrs["dvid_scale"] == 1
    assert found.attrs["voxel_size"] == [2.0, 2.0, 2.0]
    np.testing.assert_array_equal(found.sel(x=10), node.open("seg", scale=1)[:, 5])
    assert found.sel(x=slice(8, 23)).shape == (1, 8, 16, 16)
    with pytest.raises(KeyError):
        found.sel(x=11)
    np.testing.assert_array_equal(full.to_xarray(), truth)


def test_chunks(filled: Callable[..., Volume], sent: list[Sent]) -> None:
    array, truth = filled()
    sent.clear()
    lazy = array.to_xarray(chunks={})
    assert lazy.chunks == ((1,), (64,), (96,), (128,))
    large = array.window((0, 0, 0), (600, 600, 600))
    assert large.to_xarray(chunks={}).chunksizes["x"] == (256, 256, 88)
    assert large.to_xarray(chunks={"x": 512}).chunksizes["x"] == (512, 88)
    assert not bulk(sent)
    np.testing.assert_array_equal(lazy.mean("y"), truth.mean(axis=2))


def test_chunks_of_an_array_follow_its_data(negative: Volume) -> None:
    """An engine cannot change the names xarray makes of an address; of an array they are ours."""
    array, _ = negative
    names = [array.to_xarray(chunks={}).data.name for _ in range(2)]
    array.voxels[:, 0:16, 0:16, 0:16] = 1
    assert len({*names, array.to_xarray(chunks={}).data.name}) == 2


def test_loading_asynchronously(negative: Volume) -> None:
    array, truth = negative
    found = xr.open_dataset(array, engine="dvid")
    asyncio.run(found.load_async())
    np.testing.assert_array_equal(found.gray.values, truth)


def test_guards_hold(negative: Volume) -> None:
    array, _ = negative
    small = dvid_array.open(array.url, settings=Settings(max_bytes=1000))
    with pytest.raises(dvid_array.DvidTooLargeError):
        small.to_xarray().load()
    with pytest.raises(dvid_array.DvidTooLargeError):
        xr.DataArray(dvid_array.open(array.url, settings=Settings(max_implicit_bytes=1000)))


def test_an_instance_named_as_an_axis(node: dvid_array.Node) -> None:
    array = node.create("x", "uint8", block=(16, 16, 16))
    array[:, :16, :16, :16] = 7
    assert array.to_xarray().name == "x_voxels"
    assert (array.to_xarray() == 7).all()


def test_an_empty_volume(node: dvid_array.Node, sent: list[Sent]) -> None:
    found = node.create("v", "uint8").to_xarray()
    assert found.values.shape == (1, 0, 0, 0)
    assert not bulk(sent)


WITHOUT_DASK = """
import sys
sys.modules["dask"] = sys.modules["dask.array"] = sys.modules["distributed"] = None
import xarray, dvid_array
found = xarray.open_dataset(sys.argv[1], engine="dvid")
print(found.gray.isel(x=slice(0, 9, 4)).sum().item(), dvid_array.open(sys.argv[1])[...].sum())
try:
    dvid_array.open(sys.argv[1]).to_dask()
except ImportError as error:
    print(error)
"""


def test_without_dask(negative: Volume) -> None:
    array, truth = negative
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT_DASK, array.url],
        capture_output=True,
        text=True,
        check=True,
    )
    sums, refused = run.stdout.splitlines()
    assert sums.split() == [str(truth[:, 0:9:4].sum()), str(truth[:, 40:, 3:].sum())]
    assert refused.endswith("pip install 'dvid_array[dask]'")
