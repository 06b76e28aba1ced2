"""`.dvid` of DataArrays, Datasets and DataTrees: boxes and points in DVID's voxels, other versions.

Owns what xarray's own selection does not say well: half-open boxes, the voxel that holds a point,
other versions. Must not know requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
import xarray as xr

from dvid_array import opening
from dvid_array.adapters.xarray.engine import to_xarray
from dvid_array.adapters.xarray.labels import DIMS, SPACING, containing, inside, step, voxels
from dvid_array.array import DvidArray
from dvid_array.box import Box, triple
from dvid_array.storing import store

Shown = TypeVar("Shown", xr.DataArray, xr.Dataset)


class Places(Generic[Shown]):
    """What DataArrays and Datasets have in common."""

    def __init__(self, shown: Shown) -> None:
        self._shown: Shown = shown

    def box(self, start: Sequence[int], stop: Sequence[int]) -> Shown:
        """The half-open box from `start` to `stop` (x, y, z), lazily.

        Corners are DVID's voxels at scale 0, whatever the labels are. A coarser voxel is taken
        where any of it lies in the box. Slices of `.sel`, in contrast, include their end.

        Raises
        ------
        ValueError
            For a box that ends before it starts, or misses the one plane that is left of an axis.
        """
        picked: Shown = self._shown.isel(inside(self._shown.coords, start, stop))
        return picked

    def at(self, *, x: Any = None, y: Any = None, z: Any = None) -> Shown:
        """The voxels that hold a point, or points, along some axes, lazily.

        Positions are DVID's voxels at scale 0, and may have fractions. Lists on several axes mean
        their product; DataArrays of one dim in common are points, taken one by one.

        Raises
        ------
        KeyError
            For a point that no voxel shown holds.
        """
        wanted = {"x": x, "y": y, "z": z}
        picked: Shown = self._shown.isel(containing(self._shown.coords, wanted))
        return picked


@xr.register_dataset_accessor("dvid")  # type: ignore[no-untyped-call]
class DatasetAccessor(Places[xr.Dataset]):
    """``ds.dvid``: boxes and points in DVID's voxels."""


@xr.register_datatree_accessor("dvid")  # type: ignore[no-untyped-call]
class DataTreeAccessor:
    """``tree.dvid``: the same place at every scale."""

    def __init__(self, tree: xr.DataTree) -> None:
        self._tree = tree

    def box(self, start: Sequence[int], stop: Sequence[int]) -> xr.DataTree:
        """The half-open box from `start` to `stop` (x, y, z, voxels of scale 0) at every scale: of
        coarser voxels those that hold any of it."""
        return self._each(lambda shown: shown.dvid.box(start, stop))

    def at(self, *, x: Any = None, y: Any = None, z: Any = None) -> xr.DataTree:
        """The voxels of every scale that hold a point, or points, given in voxels of scale 0."""
        return self._each(lambda shown: shown.dvid.at(x=x, y=y, z=z))

    def _each(self, pick: Callable[[xr.Dataset], xr.Dataset]) -> xr.DataTree:
        return self._tree.map_over_datasets(lambda shown: pick(shown) if shown.data_vars else shown)


@xr.register_dataarray_accessor("dvid")  # type: ignore[no-untyped-call]
class DataArrayAccessor(Places[xr.DataArray]):
    """``da.dvid``: boxes and points in DVID's voxels, and the way back to the server."""

    @cached_property
    def array(self) -> DvidArray:
        """The volume this came from, opened anew by its attributes: two requests, the first time.

        Raises
        ------
        ValueError
            Where the attributes are gone, as arithmetic may drop them.
        """
        attrs = self._shown.attrs
        needed = ("dvid_server", "dvid_uuid", "dvid_instance", "dvid_scale")
        if lost := [name for name in needed if name not in attrs]:
            raise ValueError(
                f"the attributes {', '.join(lost)} are gone, which say where this came from: "
                "xr.set_options(keep_attrs=True) keeps attributes in arithmetic"
            )
        server, version, instance, scale = (attrs[name] for name in needed)
        supervoxels = bool(attrs.get("dvid_supervoxels", 0))
        array = opening.open(
            server, version=version, instance=instance, scale=int(scale), supervoxels=supervoxels
        )
        return array.body(int(attrs["dvid_body"])) if "dvid_body" in attrs else array

    def store(self, target: DvidArray, **options: Any) -> Any:
        """Write this to a volume, where its labels say: `dvid_array.store`, whose options it takes.

        Parameters
        ----------
        target : DvidArray
            An open version. Labels are its signed coordinates.
        **options
            As in `dvid_array.store`: compute, resume, verify, progress and so on.
        """
        return store(self._shown, target, **options)

    def version(self, version: str) -> xr.DataArray:
        """The same voxels at another version, lazily: an id, a prefix, or a branch expression.

        Voxels that the other version does not have are 0. Chunks are those of this array.

        Raises
        ------
        ValueError
            Where an axis has no labels left, so that it is not known which voxels these are.
        """
        other = self.array.at(version)
        coords = self._shown.coords
        if lost := [dim for dim in DIMS if dim not in coords]:
            raise ValueError(f"there are no labels of {', '.join(lost)}: which voxels are these?")
        positions = [_positions(coords[dim]) for dim in DIMS]
        hull = _hull(positions[1:])
        chunked = self._shown.chunks is not None
        physical = any(SPACING in coords[dim].attrs for dim in DIMS)
        window = other.window(hull.start, hull.stop)
        whole = to_xarray(window, {} if chunked else None, physical=physical)
        places = zip(DIMS, positions, (0, *hull.start), strict=True)
        picked = {dim: _place(coords[dim], found - first) for dim, found, first in places}
        made = whole.isel(picked).transpose(*self._shown.dims)
        # of an image pyramid each scale is an instance with labels of its own
        made = made.assign_coords(coords).rename(self._shown.name)
        return made.chunk(self._shown.chunksizes) if chunked else made


def _positions(coordinate: xr.DataArray) -> Any:
    """Voxels of the coordinate's own scale."""
    return voxels(coordinate) // step(coordinate)


def _hull(positions: Sequence[Any]) -> Box:
    """The box from the first to the last voxel of each axis."""
    ends = [
        (int(found.min()), int(found.max()) + 1) if len(found) else (0, 0) for found in positions
    ]
    return Box(triple(start for start, _ in ends), triple(stop for _, stop in ends))


def _place(coordinate: xr.DataArray, places: Any) -> Any:
    """Positions as `isel` takes them: an axis that was reduced to one position stays so."""
    if not coordinate.ndim:
        return int(places[0])
    if len(places) and (np.diff(places) == 1).all():
        return slice(int(places[0]), int(places[-1]) + 1)
    return places
