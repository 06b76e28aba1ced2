"""Labels of voxels, and the way back from labels to voxels."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import dvid_array
from dvid_array.adapters.xarray import labels
from tests.adapters.xarray.conftest import Volume


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
    assert [window[dim].values[0] for dim in labels.DIMS] == [0, 0, 0, 0]
    assert window.shape == (1, 3, 4, 5)


def test_physical_labels_are_where_voxels_start(negative: Volume) -> None:
    array, truth = negative
    gray = array.to_xarray(physical=True)
    np.testing.assert_array_equal(gray.x, 4.0 * np.arange(-40, 20))
    np.testing.assert_array_equal(gray.z, 40.0 * np.arange(5, 15))
    assert gray.x.attrs == {
        "units": "nm",
        "axis": "X",
        "long_name": "x",
        "dvid_step": 1,
        "dvid_spacing": 4.0,
    }
    assert gray.channel.dtype == np.int64
    np.testing.assert_array_equal(gray.sel(x=slice(-160, -152)), truth[:, :3])
    np.testing.assert_array_equal(gray.sel(z=239, method="pad"), truth[..., 0])
    opened = xr.open_dataset(array.url, engine="dvid", physical=True).gray
    xr.testing.assert_identical(opened, gray)


def axis(start: int, count: int, step: int, spacing: float | None) -> xr.DataArray:
    """A coordinate as `labels.coordinates` makes it."""
    index: Any = pd.RangeIndex(start * step, (start + count) * step, step, name="x")
    attrs: dict[str, Any] = {labels.STEP: step}
    if spacing is not None:
        index = pd.Index(index.to_numpy() * spacing, name="x")
        attrs[labels.SPACING] = spacing
    return xr.DataArray(np.zeros(count), coords={"x": ("x", index, attrs)})


AXES = st.builds(
    axis,
    st.integers(-(10**6), 10**6),
    st.integers(1, 50),
    st.sampled_from([1, 2, 16]),
    st.sampled_from([None, 8.0, 0.1, 4.123, 1e-3]),
)
PICKS = st.one_of(st.just(slice(None)), st.slices(40), st.just(slice(None, None, -1)))


@given(AXES, PICKS, st.integers(-100, 100), st.integers(0, 60))
def test_a_box_takes_the_voxels_that_hold_any_of_it(
    shown: xr.DataArray, pick: slice, offset: int, length: int
) -> None:
    by = labels.step(shown.x)
    first = int(labels.voxels(shown.x)[0])
    low, high = first + offset, first + offset + length
    shown = shown.isel(x=pick)
    found = shown.isel(labels.inside(shown.coords, (low, None, None), (high, None, None)))
    expected = [
        start
        for start in labels.voxels(shown.x).tolist()
        if set(range(start, start + by)) & set(range(low, high))
    ]
    assert labels.voxels(found.x).tolist() == expected


@given(AXES, st.floats(0, 0.999), st.data())
def test_a_point_is_found_in_its_voxel(
    shown: xr.DataArray, fraction: float, data: st.DataObject
) -> None:
    by = labels.step(shown.x)
    starts = labels.voxels(shown.x)
    place = data.draw(st.integers(0, len(starts) - 1))
    point = starts[place] + fraction * by
    assert labels.containing(shown.coords, {"x": point}) == {"x": place}
    assert labels.containing(shown.coords, {"x": [point, starts[0]]})["x"].tolist() == [place, 0]
    for outside in (starts[0] - 1, starts[-1] + by):
        with pytest.raises(KeyError, match="lies in no voxel"):
            labels.containing(shown.coords, {"x": [point, outside]})


def test_labels_in_files_are_found_again() -> None:
    """Files keep whole numbers and attributes, and nothing else."""
    shown = axis(-5, 10, 2, None)
    shown = shown.assign_coords(x=("x", np.asarray(shown.x), {labels.STEP: np.int64(2)}))
    assert labels.step(shown.x) == 2
    assert labels.containing(shown.coords, {"x": -3}) == {"x": 3}


def test_axes_that_were_reduced() -> None:
    shown = axis(0, 10, 2, None)
    coords = shown.expand_dims(y=[7]).isel(y=0).coords
    assert labels.inside(coords, (1, 7, None), (3, 8, None)) == {"x": slice(0, 2)}
    with pytest.raises(ValueError, match="this is the plane y=7, outside 8:9"):
        labels.inside(coords, (1, 8, None), (3, 9, None))
    with pytest.raises(ValueError, match=r"no labels of z, .* write None for z in both corners"):
        labels.inside(coords, (1, 7, 0), (3, 8, 1))
    for dim in ("y", "z"):
        with pytest.raises(KeyError, match=f"no axis {dim}"):
            labels.containing(coords, {dim: 7})


@pytest.mark.parametrize(
    ("start", "stop", "words"),
    [
        ((1, 0, 0), (0, 1, 1), "ends before it starts"),
        ((1, 0), (2, 1), r"start=\[1, 0\]: it takes three integers x, y, z"),
        ((0.5, 0, 0), (1, 1, 1), "start=.* three integers"),
        ((0, 0, 0), "123", "stop=.* three integers"),
        (5, (1, 1, 1), "start=.* three integers"),
        ((1, 0, 0, 0), (2, 1, 1, 1), "start=.* or 0, x, y, z"),
        ((0, 0, 0, 0), (2, 1, 1, 1), "stop=.* or 1, x, y, z"),
    ],
)
def test_boxes_that_are_none(start: Any, stop: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        labels.inside(axis(0, 3, 1, None).coords, start, stop)


def test_all_channels_may_be_named() -> None:
    coords = axis(0, 9, 1, None).coords
    for count in (1, 4):
        found = labels.inside(coords, (0, 2, None, None), (count, 5, None, None))
        assert found == {"x": slice(2, 5)}
        coords = axis(0, 9, 1, None).expand_dims(channel=np.arange(4)).coords


def test_names_of_variables() -> None:
    assert [labels.variable_name(name) for name in ("gray", "x")] == ["gray", "x_voxels"]


def test_a_window_is_labelled_by_its_place(node: dvid_array.Node) -> None:
    window = node.create("v", "uint8").window((-7, 0, 10**6), (-5, 1, 10**6 + 2)).to_xarray()
    assert window.x.values.tolist() == [-7, -6]
    assert window.z.values.tolist() == [10**6, 10**6 + 1]
