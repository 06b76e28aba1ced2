"""What people do with labelled volumes: files, statistics of bodies, filters; nothing is changed on
the way, and nothing is held whole."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import flox.xarray
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from dask_image import ndfilters
from scipy import ndimage

import dvid_array
from dvid_array import DvidArray
from tests.adapters.test_dask import bulk
from tests.conftest import Sent

mpl.use("Agg")
Tissue = tuple[DvidArray, DvidArray, np.ndarray, np.ndarray]


@pytest.mark.parametrize("chunks", [None, {}])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr_keeps_every_label(
    tissue: Tissue, tmp_path: Path, zarr_format: int, chunks: dict[str, int] | None
) -> None:
    gray, labels, _, ids = tissue
    found = dvid_array.open_dataset([gray, labels], chunks=chunks)
    found.to_zarr(tmp_path / "both.zarr", zarr_format=zarr_format, consolidated=False)
    again = xr.open_zarr(tmp_path / "both.zarr", consolidated=False)
    assert again.labels.dtype == np.uint64
    np.testing.assert_array_equal(again.labels, ids)
    xr.testing.assert_identical(again.load(), found.load())
    assert again.labels.dvid.box((9, 0, 0), (11, 1, 1)).shape == (1, 2, 1, 1)
    assert again.labels.dvid.array.url == labels.url


@pytest.mark.parametrize("scale", [0, 1])
def test_netcdf_keeps_every_label(tissue: Tissue, tmp_path: Path, scale: int) -> None:
    _, labels, *_ = tissue
    found = dvid_array.open_datatree(labels)[f"s{scale}"].to_dataset()
    found.to_netcdf(tmp_path / "labels.nc")
    with xr.open_dataset(tmp_path / "labels.nc") as again:
        assert again.labels.dtype == np.uint64
        assert again.labels.max() > 2**40
        xr.testing.assert_equal(again.load(), found.load())
        assert again.x.attrs["dvid_step"] == 1 << scale
        assert again.labels.attrs["voxel_units"] == ["nanometers"] * 3
        assert again.labels.dvid.array.url == labels.at_scale(scale).url
        where = again.labels.dvid.at(x=11, y=3, z=5)
        assert (where.x, where.y, where.z) == tuple(n >> scale << scale for n in (11, 3, 5))


def test_the_highest_labels(node: dvid_array.Node, tmp_path: Path) -> None:
    """Floats hold none of them, and a fill value would be one of them."""
    array = node.create("v", "uint64", block=(16, 16, 16))
    ids = 2**64 - 1 - np.arange(32 * 16 * 16, dtype=np.uint64).reshape(1, 32, 16, 16)
    array[:, :32, :16, :16] = ids
    for chunks in (None, {"x": 16}):
        shown = array.to_xarray(chunks=chunks)
        shown.to_netcdf(tmp_path / "v.nc", encoding={"v": {"zlib": True}})
        shown.to_zarr(tmp_path / "v.zarr", mode="w", consolidated=False)
        for again in (
            xr.open_dataarray(tmp_path / "v.nc"),
            xr.open_dataset(tmp_path / "v.nc", chunks={}).v,
            xr.open_dataarray(tmp_path / "v.zarr", engine="zarr", consolidated=False),
        ):
            assert again.dtype == np.uint64
            np.testing.assert_array_equal(again.load(), ids)
            assert again.encoding.get("_FillValue") is None
            again.close()


def test_trees_go_into_files(tissue: Tissue, tmp_path: Path) -> None:
    """And find their way back to the server, and to places."""
    gray, labels, values, ids = tissue
    tree = dvid_array.open_datatree([gray, labels], chunks={})
    tree.to_netcdf(tmp_path / "tree.nc", engine="netcdf4")
    tree.to_zarr(tmp_path / "tree.zarr", consolidated=False)
    for name, options in {"tree.nc": {}, "tree.zarr": {"consolidated": False}}.items():
        engine = "zarr" if options else "netcdf4"
        with xr.open_datatree(tmp_path / name, engine=engine, **options) as again:
            box = again.dvid.box((8, 4, 4), (12, 8, 8))
            np.testing.assert_array_equal(box["labels/s0/labels"], ids[:, 8:12, 4:8, 4:8])
            np.testing.assert_array_equal(box["gray/s1/gray"], values[:, 8:12:2, 4:8:2, 4:8:2])
            half = again["gray/s1/gray"].load()
            assert half.dvid.array.url == gray.at_scale(1).url
            xr.testing.assert_equal(half.dvid.version(gray.uuid), half)


def test_unaligned_windows_go_to_zarr(node: dvid_array.Node, tmp_path: Path) -> None:
    """Chunks of a window that begins inside a block are short at first, which zarr cannot store:
    rechunk."""
    array = node.create("v", "uint8", block=(32, 32, 32))
    array[:, 10:110, :64, :64] = 7
    found = array.to_xarray(chunks={}).chunk(x=32, y=32, z=32)
    found.to_zarr(tmp_path / "v.zarr", consolidated=False)
    assert (xr.open_zarr(tmp_path / "v.zarr", consolidated=False).v == 7).all()


def test_statistics_of_bodies(tissue: Tissue) -> None:
    gray, labels, values, ids = tissue
    found = dvid_array.open_dataset([gray, labels], chunks={}).chunk(x=32, y=32, z=32)
    bodies = np.unique(ids)[1:50]
    with dask.config.set(scheduler="threads"):
        means = flox.xarray.xarray_reduce(
            found.gray, found.labels, func="mean", expected_groups=(bodies,), fill_value=np.nan
        )
        assert isinstance(means.data, da.Array)
        marked = found.set_coords("labels").gray
        grouped = marked.groupby(labels=xr.groupers.UniqueGrouper(labels=bodies)).max()
        means, grouped = dask.compute(means, grouped)
    assert means.labels.dtype == np.uint64
    np.testing.assert_array_equal(means.labels, bodies)
    expected = [values[ids == body].mean() for body in bodies]
    np.testing.assert_allclose(means, expected)
    np.testing.assert_array_equal(grouped, [values[ids == body].max() for body in bodies])


def test_statistics_of_bodies_larger_than_a_voxel_can_count(node: dvid_array.Node) -> None:
    """The engine that flox prefers where it is installed counts uint8 values in a uint8; the page
    and the notebook name another."""
    gray = node.create("gray", "uint8", block=(32, 32, 32))
    labels = node.create("labels", "uint64", block=(32, 32, 32))
    values = np.random.default_rng(3).integers(0, 256, (1, 64, 32, 32), dtype=np.uint8)
    ids = np.ones(values.shape, np.uint64)
    ids[:, 20:50] = 2**63 + 1
    gray[:, :64, :32, :32], labels[:, :64, :32, :32] = values, ids
    found = dvid_array.open_dataset([gray, labels], chunks={}).chunk(x=32)
    bodies = np.unique(ids)
    counts, means = (
        flox.xarray.xarray_reduce(
            found.gray, found.labels, func=func, expected_groups=(bodies,), engine="flox"
        ).values
        for func in ("count", "mean")
    )
    grouper = xr.groupers.UniqueGrouper(labels=bodies)
    grouped = found.set_coords("labels").gray.groupby(labels=grouper).mean(engine="flox")
    np.testing.assert_array_equal(counts, [np.sum(ids == body) for body in bodies])
    expected = [values[ids == body].mean() for body in bodies]
    np.testing.assert_allclose(means, expected)
    np.testing.assert_allclose(grouped, expected)


def test_statistics_read_each_block_once(tissue: Tissue, sent: list[Sent]) -> None:
    gray, labels, _, ids = tissue
    found = dvid_array.open_dataset([gray, labels], chunks={})
    sent.clear()
    flox.xarray.xarray_reduce(
        found.gray, found.labels, func="sum", expected_groups=(np.unique(ids),)
    ).compute()
    assert sorted(one.path.split("/")[4] for one in bulk(sent)) == ["gray", "labels"]


OUT_OF_CORE = """
import resource, sys
import dask, dvid_array, flox.xarray, numpy as np
import dvid_array.adapters.xarray, dvid_array.adapters.dask
node, limit = sys.argv[1], int(sys.argv[2])
bodies = np.array(sys.argv[3:], np.uint64)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
found = dvid_array.open_dataset(node, chunks={})
assert found.gray.nbytes + found.labels.nbytes > 4 * limit
with dask.config.set(scheduler="threads", num_workers=2):
    for function in "count", "sum":
        made = flox.xarray.xarray_reduce(
            found.gray, found.labels, func=function, expected_groups=(bodies,), engine="flox"
        )
        print(*made.values.astype(int))
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="memory limits differ")
def test_statistics_of_bodies_out_of_core(node: dvid_array.Node) -> None:
    """2.25 GiB of voxels in a process that may hold half a GiB, libraries included; exact."""
    gray = node.create("gray", "uint8", shape=(1024, 512, 512))
    labels = node.create("labels", "uint64", shape=(1024, 512, 512), max_scale=0)
    rng = np.random.default_rng(4)
    bodies = [2**63 + 5, 2**53 + 1, 7]
    counts, sums = [], []
    for body, x in zip(bodies, (10, 500, 900), strict=True):
        values = rng.integers(1, 255, (1, 100, 90, 80), np.uint8)
        inside = rng.random(values.shape) < 0.7
        gray[:, x : x + 100, 100:190, 300:380] = values
        labels[:, x : x + 100, 100:190, 300:380] = np.where(inside, np.uint64(body), np.uint64(0))
        counts.append(inside.sum())
        sums.append(values[inside].sum(dtype=int))
    address = f"{gray.server_url}/{gray.uuid}"
    run = subprocess.run(
        [sys.executable, "-c", OUT_OF_CORE, address, str(512 << 20), *map(str, sorted(bodies))],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    found = [[int(number) for number in line.split()] for line in run.stdout.splitlines()]
    assert found == [counts[::-1], sums[::-1]]


def test_apply_ufunc(tissue: Tissue) -> None:
    gray, labels, values, ids = tissue
    found = dvid_array.open_dataset([gray, labels], chunks={}).chunk(x=32)

    def masked(gray: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return np.where(labels > 0, gray, 0)

    made = xr.apply_ufunc(
        masked, found.gray, found.labels, dask="parallelized", output_dtypes=[np.uint8]
    )
    assert made.chunks == found.gray.chunks
    np.testing.assert_array_equal(made, np.where(ids > 0, values, 0))
    np.testing.assert_array_equal(made.x, found.x)


OPERATIONS: dict[str, Callable[[xr.DataArray], Any]] = {
    "rolling": lambda one: one.rolling(x=5, z=3, center=True).mean(),
    "interpolated": lambda one: one.interp(x=[0.5, 17.25], y=3, z=[31, 0]),
    "coarsened": lambda one: one.coarsen(x=2, y=2, z=2).max(),
    "binned": lambda one: one.groupby_bins("x", [0, 10, 20, 48]).mean(),
    "differences": lambda one: one.astype(int).diff("z"),
    "summed up": lambda one: one.cumsum("y"),
    "quantiles": lambda one: (
        one.chunk(x=-1).quantile([0.1, 0.5], "x") if one.chunks else (one.quantile([0.1, 0.5], "x"))
    ),
    "weighted": lambda one: one.weighted(one.z.astype(float)).mean(),
    "turned": lambda one: one.T.isel(y=slice(None, None, -2)),
    "moved": lambda one: one.shift(x=3, fill_value=0) - one.roll(z=-1, roll_coords=False),
    "padded": lambda one: one.pad(x=2, constant_values=0),
    "apart": lambda one: xr.concat([one.isel(x=slice(0, 9)), one.isel(x=slice(9, None))], "x"),
    "a frame": lambda one: one.isel(z=0).to_dataframe().gray,
    "its highest": lambda one: one.argmax("y"),
    "per plane": lambda one: one.groupby("z").map(lambda plane: plane - plane.min()),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("chunks", [None, {"x": 16, "y": 16, "z": 16}])
def test_xarrays_own_operations(
    tissue: Tissue, name: str, chunks: dict[str, int] | None, sent: list[Sent]
) -> None:
    """Against the same voxels in memory."""
    gray, _, values, _ = tissue
    lazy = gray.to_xarray(chunks=chunks)
    memory = lazy.copy(data=values)
    found, expected = OPERATIONS[name](lazy), OPERATIONS[name](memory)
    if isinstance(found, xr.DataArray):
        xr.testing.assert_allclose(found.compute(), expected)
        assert found.attrs == expected.attrs
    else:
        assert (found == expected).all()
    assert {one.method for one in sent[-3:]} == {"GET"}


@pytest.mark.parametrize("physical", [False, True])
def test_plots(tissue: Tissue, physical: bool, sent: list[Sent]) -> None:
    """Of one plane only its blocks are fetched; axes say what they count."""
    gray, _, values, _ = tissue
    shown = gray.to_xarray(physical=physical)
    sent.clear()
    drawn = shown.isel(channel=0, z=5).T.plot()
    (request,) = bulk(sent)
    assert request.path.endswith("48_40_1/0_0_5")
    np.testing.assert_array_equal(drawn.get_array().reshape(40, 48), values[0, ..., 5].T)
    unit = "nanometers" if physical else "voxel"
    assert (drawn.axes.get_xlabel(), drawn.axes.get_ylabel()) == (f"x [{unit}]", f"y [{unit}]")
    assert drawn.colorbar.ax.get_ylabel() == "gray"
    plt.close(drawn.figure)


def test_versions_put_together(tissue: Tissue, sent: list[Sent]) -> None:
    """By concat, and as files are opened; a plane of both is read of both."""
    gray, _, values, _ = tissue
    gray.node.commit()
    child = gray.node.new_version()
    newer = gray.at(child.uuid)
    newer[:, 8:20] = 1
    truth = np.stack([values, newer[...]])
    both = [one.to_xarray(chunks={}) for one in (gray, newer)]
    stacked = xr.concat(both, pd.Index([gray.uuid, child.uuid], name="version"))
    opened = xr.open_mfdataset(
        [gray.url, newer.url], engine="dvid", combine="nested", concat_dim="version"
    )
    for shown in (stacked, opened.gray):
        sent.clear()
        np.testing.assert_array_equal(shown.isel(z=3), truth[..., 3])
        assert len(bulk(sent)) == 2
    changed = (stacked[0] != stacked[1]).sum(["channel", "y", "z"]) > 0
    np.testing.assert_array_equal(changed, (truth[0] != truth[1]).any((0, 2, 3)))
    np.testing.assert_array_equal(stacked.isel(version=1).dvid.version(gray.uuid), values)


def test_filters_look_over_the_edges_of_chunks(tissue: Tissue) -> None:
    gray, _, values, _ = tissue
    plane = gray.to_xarray(chunks={}).chunk(x=16, y=16, z=16).sel(channel=0).astype(np.float32)
    smooth = plane.copy(data=ndfilters.gaussian_filter(plane.data, 1.5))
    expected = ndimage.gaussian_filter(values[0].astype(np.float32), 1.5)
    np.testing.assert_allclose(smooth, expected, rtol=1e-5)
    assert smooth.dvid.box((0, 0, 0), (5, 6, 7)).shape == (5, 6, 7)
