"""`.dvid` of DataArrays: boxes and points in DVID's voxels, the way back, other versions.

Owns what xarray's own selection does not say well: half-open boxes, the voxel that holds a point,
other versions; `trees` has the same for Datasets and trees. Must not know requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import xarray as xr

from dvid_array.adapters.xarray import origins
from dvid_array.adapters.xarray.engine import to_xarray
from dvid_array.adapters.xarray.labels import containing, inside, step, voxels
from dvid_array.array import DvidArray
from dvid_array.box import Box, triple
from dvid_array.coordinates import DIMS
from dvid_array.once import once
from dvid_array.rois import Roi
from dvid_array.settings import Settings
from dvid_array.storing import store

Shown = TypeVar("Shown", xr.DataArray, xr.Dataset)


class Places(Generic[Shown]):
    """What DataArrays and Datasets have in common."""

    def __init__(self, shown: Shown) -> None:
        self._shown: Shown = shown

    def box(self, start: Sequence[int | None], stop: Sequence[int | None]) -> Shown:
        """The half-open box from `start` to `stop` (x, y, z), lazily.

        Corners are DVID's voxels at scale 0, whatever the labels are; None is no bound. A coarser
        voxel is taken where any of it lies in the box. Slices of `.sel`, in contrast, include their
        end. Of points those are taken that lie in the box.

        Raises
        ------
        ValueError
            For a box that ends before it starts, or misses the one plane that is left of an axis;
            and where labels of an axis are gone, or no voxel starts at them, as `coarsen` and
            `interp` leave them.
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
        ValueError
            Where labels repeat, or no voxel starts at them.
        """
        wanted = {"x": x, "y": y, "z": z}
        picked: Shown = self._shown.isel(containing(self._shown.coords, wanted))
        return picked


@xr.register_dataarray_accessor("dvid")  # type: ignore[no-untyped-call]
class DataArrayAccessor(Places[xr.DataArray]):
    """``da.dvid``: boxes and points in DVID's voxels, and the way back to the server."""

    @once
    def array(self) -> DvidArray:
        """The volume this came from, opened anew: two requests, the first time. The same as
        `reopen()`."""
        return self.reopen()

    def reopen(
        self, *, settings: Settings | None = None, regions: Iterable[Roi] | None = None
    ) -> DvidArray:
        """The volume this came from, opened anew by its attributes: two requests, and those that
        find a body.

        Attributes say which volume, at which version and scale, which body of it, and which region
        DVID masks it with; they say so in files too. Settings and regions are none of them: they
        are remembered from the opening, through selections, copies, loading and pickles, and by
        dask arrays through arithmetic also. Files forget them, and arithmetic on values in memory.

        Parameters
        ----------
        settings : Settings, optional
            Left out, those that this was opened with, or where they are forgotten the default.
        regions : iterable of Roi, optional
            What it is seen through, as by `DvidArray.where`, or ``()`` for all of the volume. Left
            out, what it was seen through.

        Raises
        ------
        ValueError
            Where the attributes are gone, as arithmetic may drop them; and where this was seen
            through regions that are forgotten: name them.
        """
        return origins.reopened(self._shown, settings, regions)

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

    def version(self, version: str, **how: Any) -> xr.DataArray:
        """The same voxels at another version, lazily: an id, a prefix, or a branch expression.

        Voxels that the other version does not have are 0. Chunks are those of this array. What is
        shown are voxels as they are stored: nothing is computed again.

        Parameters
        ----------
        version : str
            As `DvidArray.at` takes it.
        **how
            As in `reopen`: settings, regions.

        Raises
        ------
        ValueError
            Where it is not known which voxels these are: an axis has no labels left, or labels at
            which no voxel starts, or there are dims of something else; and as `reopen`.
        """
        origins.address(self._shown.attrs)
        coords, chunked = self._shown.coords, self._shown.chunks is not None
        positions = self._positions()
        hull = _hull(positions[1:])
        other = (self.reopen(**how) if how else self.array).at(version)
        whole = to_xarray(other.window(hull.start, hull.stop), {} if chunked else None)
        places = zip(DIMS, positions, (0, *hull.start), strict=True)
        picked = {dim: _place(coords[dim], found - first) for dim, found, first in places}
        made = whole.isel(picked).transpose(*self._shown.dims)
        # of an image pyramid each scale is an instance with labels of its own
        made = made.reset_coords(drop=True).assign_coords(coords).rename(self._shown.name)
        return made.chunk(self._shown.chunksizes) if chunked else made

    def _positions(self) -> list[Any]:
        """Which voxels of their own scale these are, along channel, x, y, z."""
        coords = self._shown.coords
        if lost := [dim for dim in DIMS if dim not in coords]:
            raise ValueError(f"there are no labels of {', '.join(lost)}: which voxels are these?")
        known = {along for dim in DIMS for along in coords[dim].dims}
        if others := [str(dim) for dim in self._shown.dims if dim not in known]:
            raise ValueError(
                f"{', '.join(others)} is no axis of a volume: take one of it by isel(), and ask "
                "for the version of that"
            )
        return [voxels(coords[dim]) // step(coords[dim]) for dim in DIMS]


def _hull(positions: Sequence[Any]) -> Box:
    """The box from the first to the last voxel of each axis."""
    ends = [
        (int(found.min()), int(found.max()) + 1) if found.size else (0, 0) for found in positions
    ]
    return Box(triple(start for start, _ in ends), triple(stop for _, stop in ends))


def _place(coordinate: xr.DataArray, places: Any) -> Any:
    """Positions as `isel` takes them: an axis that was reduced to one position stays so, and labels
    along another dim are those of points."""
    if not coordinate.ndim:
        return int(places[0])
    if coordinate.dims != (coordinate.name,):
        return xr.DataArray(places, dims=coordinate.dims)
    if len(places) and (np.diff(places) == 1).all():
        return slice(int(places[0]), int(places[-1]) + 1)
    return places
