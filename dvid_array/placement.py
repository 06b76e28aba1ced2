"""Where a source goes: its axes brought into order, and the box that it fills.

Owns what `source` and `region` of a `store` may be. Must not know how voxels are written.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from dvid_array import selection
from dvid_array.array import DvidArray, DvidWindow
from dvid_array.box import Box, triple
from dvid_array.doors import door

Region = Box | tuple[slice, ...]
Starts = tuple[int | None, int | None, int | None]
UNKNOWN: Starts = (None, None, None)
FRONT = ": np.moveaxis(source, -1, 0) brings channels to the front"


def placed(source: Any, target: DvidArray, region: Region | None) -> tuple[Any, Box]:
    """The source with axes c, x, y, z, and its box."""
    if labelled := _is_xarray(source):
        values, starts = door("placing").placed(source)
    else:
        values, starts = source, UNKNOWN
    array = _four(_array(values), target)
    if labelled and region is None:
        region = Box.sized(_known(starts), array.shape[1:])
    elif region is None:
        region = _natural(source, array, target)
    box = _region(region, array.shape, target)
    _agree(box, starts)
    if isinstance(target, DvidWindow) and not target._fixed.contains(box):
        raise IndexError(f"{box} is not in the window {target._fixed}, which does not grow")
    return array, box


def _is_xarray(source: Any) -> bool:
    """Whether it is a DataArray; nobody can have one without having imported xarray."""
    xarray = sys.modules.get("xarray")
    return xarray is not None and isinstance(source, xarray.DataArray)


def _array(source: Any) -> Any:
    """A numpy or dask array of it."""
    if isinstance(source, np.ndarray):
        return source
    if isinstance(source, DvidArray):
        return source.to_dask()
    if _sliced(source):
        return door("dask.storing").lazy(source)  # dask, zarr, h5py and their like
    if isinstance(source, list | tuple) or hasattr(source, "__array__"):
        return np.asarray(source)
    raise TypeError(
        f"a source of type {type(source).__name__} is no array: give one of numpy, dask, xarray, "
        "zarr or h5py, or a DvidArray"
    )


def _sliced(source: Any) -> bool:
    """Whether it is read by slicing, and of elements that numpy knows."""
    try:
        np.dtype(source.dtype)
    except (AttributeError, TypeError):
        return False
    return isinstance(getattr(source, "shape", None), tuple)


def _four(array: Any, target: DvidArray) -> Any:
    channels = target.shape[0]
    if any(n != n for n in array.shape):
        raise ValueError("the source's shape is unknown: call its compute_chunk_sizes() first")
    if array.ndim == 3 and channels == 1:
        array = array[None]
    if array.ndim != 4 or array.shape[0] != channels:
        raise ValueError(
            f"the source has shape {array.shape}, and a store takes all channels: axes c, x, y, z "
            f"with {channels} channel(s)"
            + (", or x, y, z" if channels == 1 else "")
            + (FRONT if array.shape[-1:] == (channels,) else "")
        )
    return array


def _natural(source: Any, array: Any, target: DvidArray) -> Box:
    """Where a source goes that nobody placed: a volume to where it lies, all others to position 0;
    a window is filled."""
    if isinstance(target, DvidWindow):
        return target._fixed
    start = source.origin[1:] if isinstance(source, DvidArray) else (0, 0, 0)
    return Box.sized(start, array.shape[1:])


def _region(region: Region, shape: tuple[int, ...], target: DvidArray) -> Box:
    box = region if isinstance(region, Box) else _named(region, target)
    if box.shape != tuple(shape[1:]):
        raise ValueError(
            f"the region {box} has shape {box.shape}, the source {shape[1:]}"
            + selection.turned(shape[1:], box.shape)
        )
    return box


def _named(region: Any, target: DvidArray) -> Box:
    """Slices as a box; they count from the target's position 0, as in an assignment."""
    ranges = _ranges(region, target)
    if len(ranges) != 4 or ranges[0] != range(target.shape[0]):
        raise ValueError(
            f"region={region!r}: slices of c, x, y, z without steps, with all channels; or a Box"
        )
    return Box(triple(axis.start for axis in ranges[1:]), triple(axis.stop for axis in ranges[1:]))


def _ranges(region: Any, target: DvidArray) -> list[range]:
    """What slices select of each axis, one voxel after the other; nothing of another key."""
    parts = region if isinstance(region, tuple) else (region,)
    if not all(isinstance(part, slice | int) or part is Ellipsis for part in parts):
        return []
    picked = selection.basic(region, target._axes(grows=True)).shifted(target.origin)
    return [axis for axis in picked.axes if isinstance(axis, range) and axis.step == 1]


def _known(starts: Starts) -> tuple[int, int, int]:
    for axis, start in zip("xyz", starts, strict=True):
        if start is None:
            raise ValueError(
                f"the source has no labels along {axis}: name its place by region=, or "
                f"assign_coords({axis}=...) in voxels"
            )
    return triple(start for start in starts if start is not None)


def _agree(box: Box, starts: Starts) -> None:
    for axis, start, said in zip("xyz", starts, box.start, strict=True):
        if start not in (None, said):
            raise ValueError(
                f"the source's labels along {axis} begin at {start}, the region at {said}: leave "
                "out one of them"
            )
