"""What people do with labelled volumes: files, statistics of bodies, filters; nothing is changed on
the way, and nothing is held whole."""

from __future__ import annotations

from pathlib import Path

import dask
import dask.array as da
import flox.xarray
import numpy as np
import pytest
import xarray as xr
from dask_image import ndfilters
from scipy import ndimage

import dvid_array
from dvid_array import DvidArray
from tests.adapters.test_dask import bulk
from tests.conftest import Sent

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


def test_filters_look_over_the_edges_of_chunks(tissue: Tissue) -> None:
    gray, _, values, _ = tissue
    plane = gray.to_xarray(chunks={}).chunk(x=16, y=16, z=16).sel(channel=0).astype(np.float32)
    smooth = plane.copy(data=ndfilters.gaussian_filter(plane.data, 1.5))
    expected = ndimage.gaussian_filter(values[0].astype(np.float32), 1.5)
    np.testing.assert_allclose(smooth, expected, rtol=1e-5)
    assert smooth.dvid.box((0, 0, 0), (5, 6, 7)).shape == (5, 6, 7)
