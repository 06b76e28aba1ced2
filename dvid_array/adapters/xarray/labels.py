"""The coordinates of voxels: labels for xarray, and the way back from labels to voxels.

Owns dims, indexes and the attributes of coordinates. Must not know values or servers.

A label is where a voxel starts, in voxels of scale 0, or in units of length. What is needed to
come back from it stands in the coordinate's own attributes, which survive arithmetic and files.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from xarray.indexes import PandasIndex

from dvid_array.array import DvidArray

DIMS = ("channel", "x", "y", "z")
STEP = "dvid_step"
"""Attribute: length of a voxel along this axis, in voxels of scale 0."""
SPACING = "dvid_spacing"
"""Attribute of labels in units: size of a voxel of scale 0."""

Indices = np.ndarray[Any, np.dtype[np.int64]]


def variable_name(instance: str) -> str:
    """The instance's name, unless it is that of a dimension."""
    return instance + "_voxels" if instance in DIMS else instance


def name_of(array: DvidArray) -> str:
    """What an array is called: by its instance, a mask also by its body."""
    if array.label is not None:
        return f"{array.instance}_body_{array.label}"
    return variable_name(array.instance)


def coordinates(array: DvidArray, step: int, *, physical: bool) -> xr.Coordinates:
    """The labels of every position of an array with an origin.

    Parameters
    ----------
    array : DvidArray
        What is labelled.
    step : int
        Length of its voxels, in voxels of scale 0.
    physical : bool
        Whether labels are lengths in the units of the volume, rather than voxels.
    """
    made = xr.Coordinates()
    for dim, start, extent in zip(DIMS, array.origin, array.shape, strict=True):
        by = 1 if dim == "channel" else step
        index: Any = pd.RangeIndex(start * by, (start + extent) * by, by, name=dim)
        told = {} if dim == "channel" else _told(dim, by)
        if physical and dim != "channel":
            axis = DIMS.index(dim) - 1
            told |= {"units": array.units[axis], SPACING: array.resolution[axis] / by}
            index = pd.Index(index.to_numpy() * told[SPACING], name=dim)
        made = made.merge(xr.Coordinates.from_xindex(PandasIndex(index, dim))).coords
        made[dim].attrs.update(told)
    return made


def _told(dim: str, step: int) -> dict[str, Any]:
    """What a spatial coordinate says of itself, by CF where CF has a word for it."""
    return {
        "units": "voxel",
        "axis": dim.upper(),
        "long_name": dim,
        STEP: step,
    }


def step(coordinate: xr.DataArray) -> int:
    """Length of a coordinate's voxels, in voxels of scale 0."""
    return int(coordinate.attrs.get(STEP, 1))


def voxels(coordinate: xr.DataArray) -> Indices:
    """Where each label's voxel starts, in voxels of scale 0."""
    labels = np.atleast_1d(coordinate.values)
    if labels.dtype.kind in "iu":
        return labels.astype(np.int64)
    spacing = coordinate.attrs.get(SPACING, 1.0)
    found: Indices = np.floor(labels / spacing + 1e-6).astype(np.int64)
    return found


def corner(numbers: Sequence[int]) -> tuple[int, int, int]:
    """x, y, z of a corner; one with a leading channel is understood."""
    if len(numbers) not in (3, 4):
        raise ValueError(f"a corner is x, y, z, not {tuple(numbers)}")
    x, y, z = (operator.index(number) for number in numbers[-3:])
    return x, y, z


def inside(coords: Mapping[Any, xr.DataArray], start: Any, stop: Any) -> dict[str, Any]:
    """Positions, for `isel`, of the voxels that hold any of a half-open box in voxels of scale 0.

    Raises
    ------
    ValueError
        Where an axis was reduced to one position, which lies outside the box.
    """
    picked: dict[str, Any] = {}
    for dim, low, high in zip(DIMS[1:], corner(start), corner(stop), strict=True):
        if high < low:
            raise ValueError(f"the box ends before it starts: {tuple(start)} to {tuple(stop)}")
        if dim not in coords:
            continue
        found = voxels(coords[dim])
        held = (found + step(coords[dim]) > low) & (found < high) & (low < high)
        places = np.flatnonzero(held)
        if coords[dim].ndim:
            picked[dim] = _sliced(places)
        elif not len(places):
            raise ValueError(f"this is the plane {dim}={found[0]}, outside {low}:{high}")
    return picked


def _sliced(places: Indices) -> slice | Indices:
    """The positions as a slice, where nothing is left out between them."""
    if not len(places):
        return slice(0, 0)
    first, last = int(places[0]), int(places[-1])
    return slice(first, last + 1) if last - first + 1 == len(places) else places


def containing(coords: Mapping[Any, xr.DataArray], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Positions, for `isel`, of the voxels that contain points given in voxels of scale 0.

    Raises
    ------
    KeyError
        Where a point lies in no voxel that is shown.
    """
    picked: dict[str, Any] = {}
    for dim, points in wanted.items():
        if points is None:
            continue
        if dim not in coords or not coords[dim].ndim:
            raise KeyError(f"there is no axis {dim} to take a point from")
        by = step(coords[dim])
        sought = np.floor(np.asarray(points) / by).astype(np.int64) * by
        index = pd.Index(voxels(coords[dim]))
        places = index.get_indexer(pd.Index(sought.reshape(-1))).reshape(sought.shape)
        if (places < 0).any():
            lost = np.asarray(points)[places < 0].flat[0]
            raise KeyError(f"{dim}={lost} lies in no voxel of this array")
        picked[dim] = _like(points, places)
    return picked


def _like(points: Any, places: Indices) -> Any:
    """Places in the form in which points came: labelled ones are taken one by one together."""
    if isinstance(points, xr.DataArray):
        return xr.DataArray(places, dims=points.dims, coords=points.coords)
    return int(places) if places.ndim == 0 else places
