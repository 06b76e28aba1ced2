"""`DvidArray`: a data instance at one version and scale, as a numpy array.

Owns numpy's face: keys, values, guards, conversions. Must not know requests or paths, and imports
neither the repository nor an adapter: whoever opens an array hands it its node and its volume.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from dvid_array import casting, corners, display, selection
from dvid_array.bodies import Labelled
from dvid_array.box import Box
from dvid_array.client import caching, reading, writing
from dvid_array.client.cache import CacheInfo
from dvid_array.client.picks import Grid, Points
from dvid_array.client.volume import Volume
from dvid_array.doors import door
from dvid_array.errors import DvidTooLargeError
from dvid_array.facts import PARALLEL_VOXELS
from dvid_array.progress import told
from dvid_array.protocol.voxels import Array
from dvid_array.pyramids import Scaled
from dvid_array.refusals import Refusals
from dvid_array.rois import SeenThrough
from dvid_array.scales import rescaled
from dvid_array.selection import Axis, Selection
from dvid_array.views import OuterIndex, Plan, Pointed, PointIndex, VoxelIndex

if TYPE_CHECKING:
    import dask.array
    import xarray

UNCHECKED_BYTES = 1 << 26
"""Results up to this size are not held against the memory available, which takes a look."""

LARGER = {
    "reading": "compute on arr.to_dask()",
    "writing": "write by dvid_array.store(source, arr)",
}
"""What else to do with what is too large to be in memory."""


class NodeLike(Protocol):
    """What an array needs of the node that opened it."""

    @property
    def uuid(self) -> str:
        """Full id of the version."""

    @property
    def instances(self) -> Mapping[str, Any]:
        """The data instances of its repo, by name."""

    def sibling(self, version: str) -> NodeLike:
        """Another version on the same server."""

    def open(self, name: str, *, scale: int = 0, supervoxels: bool = False) -> DvidArray:
        """An instance at this version."""

    def open_many(self, names: Iterable[str]) -> list[DvidArray]:
        """Several instances at this version."""


class DvidArray(Scaled, SeenThrough, Labelled, Pointed, Refusals):
    """A DVID volume as an array with axes channel, x, y, z.

    Slicing fetches voxels, assigning writes them; nothing else makes a request, unless its
    description says so. Index 0 is DVID's coordinate 0. Arrays returned are Fortran-ordered,
    DVID's own layout: ``arr[...].T`` is (z, y, x, c) in C order, without a copy.

    Made by `dvid_array.open`, ``node[name]`` or ``node.create``.
    """

    def __init__(self, node: NodeLike, volume: Volume) -> None:
        self._node = node
        self._volume = volume
        self._warned = False

    @property
    def node(self) -> Any:
        """The version it belongs to."""
        return self._node

    # Reading.

    def __getitem__(self, key: Any) -> Any:
        """Fetch what numpy's rules select; see `oindex`, `vindex` and `voxels` for more."""
        picked = selection.basic(key, self._axes())
        if picked.grid_shape[1:] == self.shape[1:]:
            self.warn_of_negative(stacklevel=3)
        return picked.result(key, self._fetch(picked.shifted(self.origin)))

    @property
    def voxels(self) -> VoxelIndex:
        """The same array by DVID's signed coordinates: ``arr.voxels[:, -50:-40, 0:10, 0:10]``."""
        return VoxelIndex(self)

    @property
    def oindex(self) -> OuterIndex:
        """Outer indexing: ``arr.oindex[:, [1, 5], 0:9, [2, 3]]`` is the product of its lists."""
        return OuterIndex(self)

    @property
    def vindex(self) -> PointIndex:
        """Points: ``arr.vindex[0, xs, ys, zs]`` is one value for each set of coordinates."""
        return PointIndex(self)

    def read(
        self,
        start: Sequence[int],
        stop: Sequence[int],
        out: Array | None = None,
        progress: Any = None,
    ) -> Array:
        """Read a box with all of its channels.

        Parameters
        ----------
        start, stop : three or four integers
            DVID's signed coordinates x, y, z, half-open; a leading channel is understood.
        out : ndarray, optional
            Filled and returned: any writeable array of shape (channels, x, y, z) and this dtype.
            Fortran order is free of copies.
        progress : True, class of bars, or callable, optional
            True shows a bar of tqdm; tqdm's or rich's own classes and objects are taken too, and
            functions of (done_bytes, total_bytes).

        Returns
        -------
        ndarray
            Shape (channels, x, y, z), Fortran-ordered.
        """
        box = corners.box(start, stop, self.shape[0])
        whole = Selection(self._whole(box), (0, 1, 2, 3))
        target = self._empty(whole) if out is None else Grid(whole.axes, self._fitting(out, whole))
        voxel = self.itemsize * self.shape[0]
        with told(progress, target.array.nbytes, f"reading {self.instance}") as tell:
            self._fill(target, lambda come: tell(come.intersect(box).size * voxel))
        return target.array

    def _fitting(self, out: Array, whole: Selection) -> Array:
        if out.shape != whole.shape or out.dtype != self.dtype or not out.flags.writeable:
            raise ValueError(
                f"out must be a writeable array of shape {whole.shape} and {self.dtype}, "
                f"not of shape {out.shape} and {out.dtype}"
            )
        return out

    def get_ndarray(self, start: Sequence[int], stop: Sequence[int]) -> Array:
        """Read the box from corner to corner (c, x, y, z, signed, half-open)."""
        return np.asarray(self.voxels[corners.slices(start, stop)])

    def plan(self, key: Any) -> Plan:
        """What reading ``arr[key]`` would cost. No request."""
        picked = selection.basic(key, self._axes()).shifted(self.origin)
        return self._planned(picked)

    def _planned(self, picked: Selection) -> Plan:
        if 0 in picked.grid_shape:
            return Plan("none", 0, 0, 0)
        stand_in = np.broadcast_to(np.zeros((), self.dtype), picked.grid_shape)
        return Plan.of(self._volume, Grid(picked.axes, stand_in))

    def _axes(self, *, grows: bool = False) -> list[Axis]:
        return [
            Axis(name, 0, extent, grows=grows and name != "c")
            for name, extent in zip(self.axiskeys, self.shape, strict=True)
        ]

    def _fetch(self, picked: Selection) -> Array:
        """The picked voxels (absolute coordinates) as an array of the grid's shape."""
        target = self._empty(picked)
        self._fill(target)
        return target.array

    def _empty(self, picked: Selection) -> Grid:
        self._guard("reading", picked.grid_shape)
        out = np.zeros(picked.grid_shape, self.dtype, order="F")
        return Grid(picked.axes, out, fresh=True)

    def _fill(self, target: Grid | Points, come: reading.Come | None = None) -> None:
        if target.array.size:
            reading.read(self._volume, target, target.boxes(self._volume.grid), come)

    def _guard(self, doing: str, shape: Sequence[int]) -> None:
        size = math.prod(shape) * self.itemsize
        if size <= UNCHECKED_BYTES and self.settings.max_bytes is None:
            return
        limit = self.settings.read_limit
        if size <= limit:
            return
        requests = -(-math.prod(shape) // (self.shape[0] * PARALLEL_VOXELS))
        raise DvidTooLargeError(
            f"{doing} {display.size(size)} at once takes {requests:,} requests at least, "
            f"and more than the {display.size(limit)} allowed (Settings.max_bytes): "
            f"{LARGER[doing]}, or take smaller pieces"
        )

    def _inside(self, picked: Selection) -> None:
        """An array grows wherever it is written; a window does not."""

    def warn_of_negative(self, *, stacklevel: int) -> None:
        """Say once that data at negative coordinates is left out, where there is some."""
        if min(self._extents.start) >= 0 or self._warned:
            return
        self._warned = True
        warnings.warn(
            f"{self.instance!r} has data at negative coordinates (from {self.minindex[1:]}), which "
            "this leaves out: use arr.stored for all of it",
            stacklevel=stacklevel,
        )

    def __iter__(self) -> Iterator[Any]:
        for channel in range(len(self)):
            yield self[channel]

    # Writing.

    def __setitem__(self, key: Any, value: Any) -> None:
        """Write where numpy's rules select; slices may reach beyond the shape, which grows."""
        picked = selection.basic(key, self._axes(grows=True))
        self._inside(picked)
        self._write(picked.shifted(self.origin), value)

    def post_ndarray(self, start: Sequence[int], stop: Sequence[int], data: Any) -> None:
        """Write the box from corner to corner (c, x, y, z, signed, half-open)."""
        key = corners.slices(start, stop)
        shape = tuple(part.stop - part.start for part in key)
        if np.shape(data) != shape:
            raise ValueError(f"the box has shape {shape}, the data {np.shape(data)}")
        self.voxels[key] = data

    def _write(self, picked: Selection, value: Any) -> None:
        """Write values to picked voxels (absolute coordinates)."""
        self._guard("writing", picked.grid_shape)
        values = picked.spread(casting.fitting(value, self.dtype))
        self._volume = writing.write(self._volume, Grid(*_upward(picked.axes, values)))

    # Views and relatives.

    def window(self, start: Sequence[int], stop: Sequence[int]) -> DvidArray:
        """A view of a box, whose position 0 is the box's start. No request.

        Parameters
        ----------
        start, stop : three or four integers
            DVID's signed coordinates x, y, z, half-open.
        """
        return self._view(self._volume, corners.box(start, stop, self.shape[0]))

    def _view(self, volume: Volume, box: Box) -> DvidArray:
        return DvidWindow(self._node, volume, box)

    @property
    def stored(self) -> DvidArray:
        """The window of everything the server reports as stored, from `minindex` to `shape`."""
        return self._view(self._volume, self._extents)

    def at(self, version: str) -> DvidArray:
        """The same instance at another version: an id, a prefix, or a branch expression."""
        node = self._node.sibling(version)
        there = node.open(self.instance, scale=self.scale, supervoxels=self.supervoxels)
        ours = self._volume
        return there._with(replace(there._volume, transport=ours.transport, regions=ours.regions))

    def _with(self, volume: Volume) -> DvidArray:
        return DvidArray(self._node, volume)

    def refresh(self) -> DvidArray:
        """Read extents and lock state again, in place; returns the array. Two requests at most."""
        self._volume = self._volume.refreshed()
        return self

    def cache_info(self) -> CacheInfo:
        """What this process keeps of blocks read before; see `Settings.cache_bytes`. No request."""
        return caching.info(self._volume)

    def with_settings(self, **changes: Any) -> DvidArray:
        """The same view with some `Settings` changed, by name. No request."""
        view = copy.copy(self)
        view._volume = self._volume.with_settings(replace(self.settings, **changes))
        return view

    def to_dask(
        self,
        chunks: Any = "auto",
        *,
        order: Literal["C", "F"] = "F",
        leases: int | None = None,
    ) -> dask.array.Array:
        """A dask array of 0..shape, in chunks of whole blocks (of a window: of the window).

        For statistics use ``arr.stored.to_dask()``: voxels between 0 and the first stored one
        are zeros that nobody wrote.

        Parameters
        ----------
        chunks : "auto", int, bytes as "64 MiB", sequence or mapping
            For all axes, one for each of c, x, y, z, or by axis name. Of one axis: "auto", a
            number of voxels (rounded up to whole blocks), -1 for all of it, or a tuple of lengths,
            taken as it is. "auto" makes chunks of about 16 MiB, in very large volumes of 64.
        order : "C" or "F"
            Memory order of each chunk. dask puts chunks together in C order, so that "C" makes
            ``.compute()`` of large results faster; reductions do not care.
        leases : int, optional
            Requests in flight in the whole dask cluster, as `Settings.leases`.

        Warns
        -----
        UserWarning
            Where chunks cut blocks, so that the server reads these several times, and where there
            are more than a million chunks; with the number and what to do.
        """
        made: dask.array.Array = door("dask").to_dask(self, chunks, order=order, leases=leases)
        return made

    def to_dask_array(self) -> dask.array.Array:
        """The same as `to_dask()`: what ``dask.array.asarray`` calls."""
        made: dask.array.Array = door("dask").to_dask(self)
        return made

    def to_xarray(self, chunks: Any = None, *, physical: bool = False) -> xarray.DataArray:
        """A lazy DataArray of what is stored (of a window: of the window), with labels on channel,
        x, y, z: signed voxels, or where voxels start in `units` (`physical`); `chunks` as in
        `to_dask`, with dims by name, make it of dask."""
        made: xarray.DataArray = door("xarray").to_xarray(self, chunks, physical=physical)
        return made

    def __dask_tokenize__(self) -> Any:
        """Equal for equal data: one request on a version that is still open."""
        return self._volume.token(self.origin, self.shape)

    def _whole(self, box: Box) -> tuple[range, ...]:
        spatial = (range(a, b) for a, b in zip(box.start, box.stop, strict=True))
        return (range(self.shape[0]), *spatial)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("a DvidArray lives on a server: an array of it is always a copy")
        limit = self._volume.settings.max_implicit_bytes
        if self.nbytes > limit:
            raise DvidTooLargeError(
                f"this would download {display.size(self.nbytes)} without being asked plainly; the "
                f"limit is {display.size(limit)} (Settings.max_implicit_bytes): compute on "
                "arr.to_dask(), or write arr[...] for an array in memory"
            )
        self.warn_of_negative(stacklevel=3)
        whole: Array = self[...]
        return whole if dtype is None else whole.astype(dtype, copy=False)


class DvidWindow(DvidArray):
    """A view of a box with an origin of its own: fixed, whatever is written."""

    def __init__(self, node: NodeLike, volume: Volume, box: Box) -> None:
        super().__init__(node, volume)
        self._fixed = box

    @property
    def origin(self) -> tuple[int, int, int, int]:
        """DVID's coordinates (c, x, y, z) of position 0."""
        return (0, *self._fixed.start)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Channels, and voxels along x, y, z."""
        return (self._volume.instance.kind.channels, *self._fixed.shape)

    @property
    def chunks(self) -> tuple[int, ...] | tuple[tuple[int, ...], ...]:
        """The block of each axis; where blocks do not begin at the window's start, all lengths."""
        block = self._volume.instance.block
        if all(start % n == 0 for start, n in zip(self._fixed.start, block, strict=True)):
            return self.block_shape
        cut = [
            _cuts(a, b, n)
            for a, b, n in zip(self._fixed.start, self._fixed.stop, block, strict=True)
        ]
        return ((self.shape[0],), *cut)

    @property
    def stored(self) -> DvidArray:
        """The window itself."""
        return self

    def at(self, version: str) -> DvidArray:
        """The same window at another version."""
        there = super().at(version)
        if self.label is not None:
            there = there.body(self.label)
        return there.window(self._fixed.start, self._fixed.stop)

    def _same_place(self, other: DvidArray, steps: int) -> DvidArray:
        box = rescaled(self._fixed, steps)
        return other.window(box.start, box.stop)

    def _inside(self, picked: Selection) -> None:
        for name, axis, extent in zip(self.axiskeys, picked.axes, self.shape, strict=True):
            if len(axis) and max(axis) >= extent:
                raise IndexError(
                    f"axis {name} of this window has {extent} voxels, and a window does not grow: "
                    "write to arr or arr.voxels"
                )

    def warn_of_negative(self, *, stacklevel: int) -> None:
        """A window shows all that it names."""


def _cuts(start: int, stop: int, block: int) -> tuple[int, ...]:
    edges = [start, *range(start - start % block + block, stop, block), stop]
    return tuple(b - a for a, b in pairwise(edges))


def _upward(
    axes: tuple[selection.Coordinates, ...], values: Array
) -> tuple[tuple[selection.Coordinates, ...], Array]:
    """Ranges that count down turned around, so that blocks they fill are posted without a read."""
    down = [isinstance(axis, range) and axis.step < 0 for axis in axes]
    turned = tuple(axis[::-1] if flip else axis for axis, flip in zip(axes, down, strict=True))
    return turned, values[tuple(slice(None, None, -1 if flip else 1) for flip in down)]
