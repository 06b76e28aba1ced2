"""The coordinates of voxels: labels for xarray, and the way back from labels to voxels.

Owns indexes, and selections by voxels. Must not know values or servers; what a label means,
`coordinates` knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from xarray.indexes import PandasIndex

from dvid_array import coordinates as meaning
from dvid_array import corners
from dvid_array.array import DvidArray
from dvid_array.coordinates import DIMS, SPACING, STEP, Indices


def variable_name(instance: str) -> str:
    """The instance's name, unless it is that of a dimension."""
    return instance + "_voxels" if instance in DIMS else instance


def name_of(array: DvidArray) -> str:
    """What an array is called: by its instance, a mask also by its body."""
    if array.label is not None:
        return f"{array.instance}_body_{array.label}"
    return variable_name(array.instance)


def coordinates(
    array: DvidArray, step: int, *, physical: bool, finest: DvidArray | None = None
) -> xr.Coordinates:
    """The labels of every position of an array with an origin.

    Parameters
    ----------
    array : DvidArray
        What is labelled.
    step : int
        Length of its voxels, in voxels of scale 0.
    physical : bool
        Whether labels are lengths in the units of the volume, rather than voxels.
    finest : DvidArray, optional
        The scale that says how long voxels are, where the array is one of several: what each says
        of itself need not agree.
    """
    base = array if finest is None else finest
    made = xr.Coordinates()
    for dim, start, extent in zip(DIMS, array.origin, array.shape, strict=True):
        by = 1 if dim == "channel" else step
        index: Any = pd.RangeIndex(start * by, (start + extent) * by, by, name=dim)
        told = {} if dim == "channel" else _told(dim, by)
        if physical and dim != "channel":
            axis = DIMS.index(dim) - 1
            told |= {"units": base.units[axis], SPACING: base.resolution[axis] / (1 << base.scale)}
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
    return meaning.step(coordinate.attrs)


def voxels(coordinate: xr.DataArray) -> Indices:
    """Where each label's voxel starts, in voxels of scale 0."""
    return meaning.voxels(coordinate.name, coordinate.values, coordinate.attrs)


def corner(name: str, values: Any, channel: int) -> tuple[int | None, ...]:
    """x, y, z of a corner, each an integer or None; all channels may be named as well."""
    given = list(values) if isinstance(values, Iterable) else []
    numbers = corners.corner(name, [0 if one is None else one for one in given], channel)
    open_ = (one is None for one in given[-3:])
    return tuple(None if free else n for n, free in zip(numbers, open_, strict=True))


def inside(coords: Mapping[Any, xr.DataArray], start: Any, stop: Any) -> dict[Any, Any]:
    """Positions, for `isel`, of the voxels that hold any of a half-open box in voxels of scale 0.

    A corner that is None lets an axis be. Labels may stand along a dim of another name, or several
    of them along one, as those of points do.

    Raises
    ------
    ValueError
        Where labels of an axis are gone, where it was reduced to one position, which lies outside
        the box, and for boxes that are none.
    """
    held: dict[Any, Any] = {}
    channels = coords["channel"].size if "channel" in coords else 1
    ends = corner("start", start, 0), corner("stop", stop, channels)
    corners.in_order(*ends)
    for axis, low, high in zip(DIMS[1:], *ends, strict=True):
        if low is None and high is None:
            continue
        found = _labelled(coords, axis)
        within = _held(found, low, high)
        if not found.ndim and not within.all():
            raise ValueError(f"this is the plane {axis}={voxels(found)[0]}, outside {low}:{high}")
        for dim in found.dims:
            held[dim] = held.get(dim, True) & within
    return {dim: _sliced(np.flatnonzero(within)) for dim, within in held.items()}


def _labelled(coords: Mapping[Any, xr.DataArray], axis: str) -> xr.DataArray:
    """The labels of an axis, in a row or a single one."""
    if axis not in coords:
        raise ValueError(
            f"there are no labels of {axis}, so that nobody knows which voxels these are: write "
            f"None for {axis} in both corners to take what there is"
        )
    if coords[axis].ndim > 1:
        raise ValueError(f"labels of {axis} stand along {coords[axis].dims}: stack() them first")
    return coords[axis]


def _held(labels: xr.DataArray, low: int | None, high: int | None) -> Any:
    """Which voxels hold any of what lies from `low` to `high`."""
    starts = voxels(labels)
    held = np.full(starts.shape, low is None or low != high)
    if low is not None:
        held &= starts + step(labels) > low
    if high is not None:
        held &= starts < high
    return held


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
        Where a point lies in no voxel that is shown, or the axis is none any more.
    ValueError, TypeError
        Where labels are no voxels, or repeat, and for points that are no numbers.
    """
    picked: dict[str, Any] = {}
    for dim, points in wanted.items():
        if points is None:
            continue
        if dim not in coords or coords[dim].dims != (dim,):
            raise KeyError(f"there is no axis {dim} to take a point from")
        if np.asarray(points).dtype.kind not in "iuf":
            raise TypeError(f"{dim}={points!r}: points are numbers of voxels")
        by = step(coords[dim])
        sought = np.floor(np.asarray(points) / by).astype(np.int64) * by
        index = pd.Index(voxels(coords[dim]))
        if not index.is_unique:
            raise ValueError(f"labels of {dim} repeat, so that a point has several places")
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
