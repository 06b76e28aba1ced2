"""Arrays as lazy Datasets, one or several on one grid, and scales of them as groups.

Owns variables and their attributes. Must not know addresses or requests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr
from xarray.core import indexing

from dvid_array import chunking, units
from dvid_array.adapters.xarray.labels import coordinates, name_of
from dvid_array.adapters.xarray.values import LazyVoxels
from dvid_array.array import DvidArray
from dvid_array.box import Box
from dvid_array.coordinates import DIMS
from dvid_array.doors import door

ARRAY = "dvid_array"
"""Encoding of a variable: the array it shows, with its settings and regions. Unlike attributes,
encodings never get into files, and what is loaded keeps them."""


def dataset(
    arrays: Sequence[DvidArray],
    *,
    step: int | None = None,
    physical: bool = False,
    finest: DvidArray | None = None,
) -> xr.Dataset:
    """The lazy Dataset of arrays on one grid.

    A single array shows what is stored, a window itself. Several show the hull of that: voxels
    that one of them does not have are 0, as everywhere in DVID.

    Parameters
    ----------
    arrays : sequence of DvidArray
        What becomes variables.
    step : int, optional
        Length of their voxels in voxels of scale 0; what their own scale says when left out.
    physical : bool
        Labels in units rather than voxels.
    finest : DvidArray, optional
        The scale 0 of one of several scales, which says how long voxels are.
    """
    if not arrays:
        return xr.Dataset()
    windows = framed(arrays)
    first = windows[0]
    by = 1 << first.scale if step is None else step
    chunks = dict(zip(DIMS, chunking.chunks("auto", common(windows)), strict=True))
    variables = {
        name: xr.Variable(
            DIMS,
            indexing.LazilyIndexedArray(LazyVoxels(window)),
            attributes(window),
            {"preferred_chunks": chunks, ARRAY: window},
        )
        for name, window in _named(windows).items()
    }
    made = xr.Dataset(variables, coordinates(first, by, physical=physical, finest=finest))
    made.encoding["source"] = source(arrays)
    return made


def chunked(shown: xr.Dataset, wish: Any, data: object) -> xr.Dataset:
    """A Dataset's volumes as dask arrays, all in the same chunks.

    Parameters
    ----------
    shown : Dataset
        As `dataset` makes it.
    wish : optional
        As in `DvidArray.to_dask`, with dims by name; ``{}`` is "auto".
    data : object
        What names the data of all of it, for dask.
    """
    arrays: dict[Any, DvidArray] = {
        name: one.encoding[ARRAY] for name, one in shown.data_vars.items()
    }
    if not arrays:
        return shown
    cut = chunking.chunks(_wishes(wish), common(list(arrays.values())))
    in_chunks = door("dask.graphs").in_chunks
    lazy = {
        name: shown[name].variable.copy(
            data=in_chunks(array, cut, data, array._volume.identity, array.origin)
        )
        for name, array in arrays.items()
    }
    return shown.assign(lazy)


def _wishes(wish: Any) -> Any:
    """Chunks by the names of dims, as `chunking` names axes."""
    if not isinstance(wish, Mapping):
        return wish
    if unknown := [dim for dim in wish if dim not in DIMS]:
        raise ValueError(f"chunks of {unknown}: the dims are {', '.join(DIMS)}")
    return {dim[0]: one for dim, one in wish.items()}


def source(arrays: Sequence[DvidArray]) -> str:
    """Where a Dataset came from: the address of its volume, or of the version of several."""
    first = arrays[0]
    return first.url if len(arrays) == 1 else f"{first.server_url}/{first.uuid}"


def _named(windows: Sequence[DvidArray]) -> dict[str, DvidArray]:
    """Windows by the name of their variable."""
    names = [name_of(window) for window in windows]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(
            f"several arrays are called {', '.join(twice)}, and a Dataset takes one of each name: "
            "put versions of a volume together by xr.concat"
        )
    return dict(zip(names, windows, strict=True))


def framed(arrays: Sequence[DvidArray]) -> list[DvidArray]:
    """The arrays as windows of one box.

    Raises
    ------
    ValueError
        Where their voxels are not those of one grid.
    """
    grids: dict[Any, list[DvidArray]] = {}
    for array in arrays:
        grids.setdefault(_grid(array), []).append(array)
    if len(grids) > 1:
        told = "; ".join(_words(alike) for alike in grids.values())
        raise ValueError(
            f"these volumes have no grid in common ({told}): name some with instance=[...], leave "
            "others out with drop_variables=, or take open_datatree"
        )
    stored = [array.stored for array in arrays]
    boxes = [box for window in stored if not (box := _box(window)).empty]
    if len(stored) == 1 or not boxes:
        return stored
    hull = boxes[0]
    for box in boxes[1:]:
        hull = hull.hull(box)
    return [array.window(hull.start, hull.stop) for array in arrays]


def _grid(array: DvidArray) -> tuple[Any, ...]:
    """What volumes of one grid have in common; a unit has several names."""
    try:
        size: Any = units.nanometers(array.resolution, array.units)
    except ValueError:
        size = array.resolution, array.units
    return array.shape[0], array.scale, size


def _words(alike: Sequence[DvidArray]) -> str:
    first = alike[0]
    lengths = zip(first.resolution, first.units, strict=True)
    size = " x ".join(f"{length:g} {unit}" for length, unit in lengths)
    names = ", ".join(array.instance for array in alike)
    return f"{names}: {first.shape[0]} channel(s), scale {first.scale}, voxels of {size}"


def _box(window: DvidArray) -> Box:
    start = window.origin[1:]
    x, y, z = (a + n for a, n in zip(start, window.shape[1:], strict=True))
    return Box(start, (x, y, z))


def common(windows: Sequence[DvidArray]) -> chunking.BlockedAxes:
    """Axes on which a chunk of whole blocks is one for all variables, so that they can be computed
    with one another."""
    axes = [window.blocked_axes for window in windows]
    block = (math.lcm(*lengths) for lengths in zip(*(one.block for one in axes), strict=True))
    itemsize = max(one.itemsize for one in axes)
    first = axes[0]
    return chunking.BlockedAxes(first.start, first.shape, tuple(block), itemsize)


def attributes(array: DvidArray) -> dict[str, Any]:
    """Identity and voxel size, for people and for files; no credentials."""
    told = {
        "long_name": array.instance,
        "dvid_server": array.server_url,
        "dvid_uuid": array.uuid,
        "dvid_instance": array.instance,
        "dvid_scale": array.scale,
        "voxel_size": list(array.resolution),
        "voxel_units": list(array.units),
    }
    if array.supervoxels:
        told["dvid_supervoxels"] = 1
    if array.regions:
        told["dvid_regions"] = list(array.regions)
    if (masked_by := array._volume.masked_by) is not None:
        told["dvid_roi"] = masked_by
    return told if array.label is None else told | {"dvid_body": array.label}


def groups(pyramid: Sequence[DvidArray], *, physical: bool = False) -> dict[str, xr.Dataset]:
    """A group for each scale, s0 and so on: siblings, whose labels are voxels of scale 0. The
    variable has one name in all of them, also where each scale is an instance of its own.

    Children of a common parent with coordinates would have to align with it, and cannot.
    """
    name = name_of(pyramid[0])
    made = {}
    for scale, array in enumerate(pyramid):
        found = dataset([array], step=1 << scale, physical=physical, finest=pyramid[0])
        made[f"s{scale}"] = found.rename_vars({name_of(array): name})
    return made
