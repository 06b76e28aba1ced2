"""Where a DataArray goes: by its labels, which are voxels.

Owns what dims and labels mean for a store. Must not know the target; imports nothing of xarray,
since whoever has a DataArray has it already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dvid_array.coordinates import DIMS, SPACING, voxels

if TYPE_CHECKING:
    import xarray as xr

VOXELS = ("", "1", "voxel", "voxels")
"""Units that labels of voxels may have."""


def placed(source: xr.DataArray) -> tuple[Any, tuple[int | None, ...]]:
    """The values with axes c, x, y, z, lazily, and where they begin along x, y, z; None where
    there are no labels.

    Raises
    ------
    ValueError
        For other dims, and for labels that are not successive voxels.
    """
    if unknown := [dim for dim in source.dims if dim not in DIMS]:
        raise ValueError(
            f"the source has dims {source.dims}; rename {unknown} to some of {', '.join(DIMS)}"
        )
    if source.attrs.get("dvid_scale"):
        raise ValueError(
            f"the source is of scale {source.attrs['dvid_scale']}: a store writes scale 0, and the "
            "server computes the others. Drop attrs['dvid_scale'] if it is not so"
        )
    starts = tuple(_start(source, dim) for dim in DIMS)
    if starts[0]:
        raise ValueError(f"the source begins at channel {starts[0]}: store writes all channels")
    missing = [dim for dim in DIMS if dim not in source.dims]
    if lost := [dim for dim in missing if dim != "channel" and dim not in source.coords]:
        raise ValueError(
            f"the source has no dim {lost[0]}: expand_dims({lost[0]}=[...]) says where"
        )
    whole = source.expand_dims(missing).transpose(*DIMS)
    return _values(whole), starts[1:]


def _values(source: xr.DataArray) -> Any:
    """A dask or numpy array; what xarray would load from elsewhere stays lazy."""
    if source.chunks is None and not source.variable._in_memory:
        source = source.chunk("auto")
    return source.data


def _start(source: xr.DataArray, dim: str) -> int | None:
    """The first label, where labels count voxels; a single label may be of a dim that was
    dropped."""
    if dim not in source.coords:
        return None
    labels, told = source.coords[dim].values, source.coords[dim].attrs
    units = str(told.get("units", ""))
    if units not in VOXELS and SPACING not in told:
        raise ValueError(f"labels of {dim} are in {units}: divide them by the size of a voxel")
    starts = voxels(dim, labels, told)
    steps = np.unique(np.diff(starts))
    if any(steps != 1):
        raise ValueError(
            f"labels of {dim} have steps of {', '.join(map(str, steps[:3]))}, not of 1 voxel: "
            + ("sortby() turns them round" if all(steps == -1) else "is it another scale?")
        )
    return int(starts[0]) if len(starts) else None
