"""Regions of interest: `Roi`, a set of blocks at a version, and arrays seen through one.

Owns the public face of regions. Must not know requests. DVID's own masks are wrong at negative
coordinates; here they are computed from the spans.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dvid_array import corners, display
from dvid_array.box import BlockGrid, Box, Triple, triple
from dvid_array.client.catalog import Catalog
from dvid_array.client.regions import Region
from dvid_array.client.volume import Volume
from dvid_array.doors import door
from dvid_array.errors import DvidTooLargeError
from dvid_array.protocol import spans
from dvid_array.protocol.spans import Mask, Spans
from dvid_array.selection import integers

if TYPE_CHECKING:
    import dask.array

    from dvid_array.array import DvidArray


class Roi:
    """A region of interest at a version: a set of blocks. Made by ``node.roi(name)``.

    Its blocks have a size of their own, `block_shape`. They are fetched once, when something of
    them is first asked for, and again after `refresh`. Axes are x, y, z: a region has no channel.
    """

    def __init__(self, node: Any, catalog: Catalog, name: str, block: Triple) -> None:
        self._node = node
        self._catalog = catalog
        self._name = name
        self._block = block
        self._spans: Spans | None = None

    # What it is.

    @property
    def node(self) -> Any:
        """The version it belongs to."""
        return self._node

    @property
    def uuid(self) -> str:
        """Full id of the version."""
        return str(self._node.uuid)

    @property
    def name(self) -> str:
        """Name of the data instance."""
        return self._name

    @property
    def block_shape(self) -> Triple:
        """Voxels of one of its blocks along x, y, z."""
        return self._block

    @property
    def spans(self) -> Spans:
        """Its blocks as n rows of z, y, x0 and x1 (included), in blocks: in order, and rows that
        touch joined."""
        if self._spans is None:
            self._spans = self._catalog.roi_spans(self.uuid, self._name)
        return self._spans

    @property
    def box(self) -> Box:
        """The smallest box of voxels around it; empty where it has no block."""
        return self.region.box

    @property
    def size(self) -> int:
        """Number of voxels."""
        return spans.count(self.spans) * int(np.prod(self._block, dtype=object))

    @property
    def region(self) -> Region:
        """Its blocks as they are now, for whoever masks voxels."""
        return Region(self._name, self._block, self.spans)

    def refresh(self) -> Roi:
        """Read its blocks again when they are next asked for."""
        self._spans = None
        return self

    def __repr__(self) -> str:
        return f"<Roi {self._name!r} in blocks of {self._block} at version {self.uuid}>"

    # Its voxels.

    def mask(self, start: Sequence[int], stop: Sequence[int]) -> Mask:
        """Which voxels of a box are inside.

        Parameters
        ----------
        start, stop : three integers
            DVID's signed coordinates x, y, z, half-open; anywhere.

        Returns
        -------
        ndarray of bool
            Shape (x, y, z), Fortran-ordered; ``mask[None]`` lines up with an array's voxels.

        Raises
        ------
        DvidTooLargeError
            Where it would take more than the memory allowed (`Settings.max_bytes`).
        """
        box = corners.box(start, stop)
        limit = self._catalog.transport.settings.read_limit
        if box.size > limit:
            raise DvidTooLargeError(
                f"a mask of {box.shape} voxels takes {display.size(box.size)}, more than the "
                f"{display.size(limit)} allowed (Settings.max_bytes): use .to_dask()"
            )
        return self.region.mask(box)

    def to_dask(
        self,
        start: Sequence[int] | None = None,
        stop: Sequence[int] | None = None,
        *,
        chunks: Any = "auto",
    ) -> dask.array.Array:
        """The same as a dask array (x, y, z); left out, the corners are those of `box`.

        Parameters
        ----------
        start, stop : three integers, optional
            DVID's signed coordinates x, y, z, half-open.
        chunks : optional
            As in `dask.array.from_array`; ``arr.to_dask().chunks[1:]`` lines up with an array.
        """
        box = self.box
        box = corners.box(box.start if start is None else start, box.stop if stop is None else stop)
        made: dask.array.Array = door("dask").roi_to_dask(self.region, box, chunks)
        return made

    def contains(self, xyz: ArrayLike) -> Any:
        """Whether voxels are inside.

        Parameters
        ----------
        xyz : integers
            One voxel x, y, z, or many of them: shape (n, 3).

        Returns
        -------
        bool or ndarray of bool
            One for each voxel.
        """
        points = np.asarray(xyz)
        if points.ndim not in (1, 2) or points.shape[-1] != 3 or points.dtype.kind not in "iu":
            raise ValueError(
                f"voxels are integers x, y, z: shape (3,) or (n, 3), not {points.dtype} of shape "
                f"{points.shape}"
            )
        blocks = integers(np.atleast_2d(points)) // np.array(self._block)
        inside = spans.contains(self.spans, blocks)
        return inside if points.ndim == 2 else bool(inside[0])

    # Writing.

    def post(self, mask: Any, start: Sequence[int] = (0, 0, 0), *, widen: bool = False) -> Roi:
        """Put the True voxels of a mask in place of what the region was at this version.

        A region is made of whole blocks. A block of which only some voxels are True is an error,
        unless `widen` says that it shall be in the region whole. Voxels beyond the mask are False.

        Parameters
        ----------
        mask : array_like of bool
            Shape (x, y, z), or (1, x, y, z) as comparing an array's voxels makes them.
        start : three integers
            DVID's signed coordinates x, y, z of its first voxel.
        widen : bool
            Whether blocks that are partly True are taken whole.

        Raises
        ------
        ValueError
            Names a block that is partly True.
        DvidLockedError
            Where the version is committed.
        """
        voxels = _as_mask(mask)
        grid = BlockGrid(self._block)
        box = Box.sized(corners.corner("start", start), voxels.shape)
        covered = grid.blocks(box)
        some, every = _by_block(voxels, box, grid)
        partly = some & ~every
        if partly.any() and not widen:
            first = np.add(np.argwhere(partly)[0], covered.start)
            raise ValueError(
                f"{partly.sum()} blocks of {self._block} are only partly True, the first from "
                f"voxel {grid.block_box(triple(first)).start} on: post(..., widen=True) takes "
                "them whole, or make the region with smaller blocks"
            )
        return self.post_spans(spans.of_mask(some, covered.start))

    def post_spans(self, rows: ArrayLike) -> Roi:
        """Put rows of blocks in place of what the region was at this version; see `spans`.

        Parameters
        ----------
        rows : integers
            Shape (n, 4): z, y, x0, x1 in blocks, x1 included. No rows make an empty region.
        """
        given = np.asarray(rows)
        if given.size == 0:
            given = np.empty((0, 4), np.int64)
        if given.ndim != 2 or given.shape[1] != 4 or given.dtype.kind not in "iu":
            raise ValueError(
                f"rows are integers z, y, x0, x1: shape (n, 4), not {given.dtype} of shape "
                f"{given.shape}"
            )
        found = spans.checked(integers(given))
        self._catalog.post_roi(self.uuid, self._name, found)
        self._spans = found
        return self


class HasRois:
    """The regions of interest of a version."""

    def roi(self: Any, name: str) -> Roi:
        """The region of interest of that name. One request, and one more when its blocks are
        asked for.

        Raises
        ------
        DvidNotFoundError, DvidTypeError
            Where there is none, or it is something else.
        """
        catalog = self._server._catalog
        return Roi(self, catalog, name, catalog.roi_block(self._uuid, name))

    def create_roi(self: Any, name: str, block: Sequence[int] = (32, 32, 32)) -> Roi:
        """Make a region of interest, without any block yet.

        Parameters
        ----------
        name : str
            Unique in the whole repo.
        block : three integers
            Voxels of one of its blocks along x, y, z.

        Raises
        ------
        ValueError
            For blocks that DVID would not understand.
        DvidExistsError
            Where the name is taken.
        """
        self._create([spans.config(name, corners.corner("block", block))])
        made: Roi = self.roi(name)
        return made


class SeenThrough:
    """Arrays seen through a region of interest."""

    _volume: Volume

    def where(self: Any, roi: Roi) -> DvidArray:
        """The same array inside a region of interest, 0 outside.

        It is lazy, and everything an array is but writeable: slices, windows, `to_dask` and
        `to_xarray` work, and line up with this array's. Blocks that the region does not touch are
        never fetched. The region stays as it is now; of several regions, what all of them share is
        seen. At coarser scales a voxel is inside when its first voxel of scale 0 is.

        Parameters
        ----------
        roi : Roi
            Of any version and block size.

        Raises
        ------
        TypeError
            For anything else, as a mask or the name of a region.
        """
        if not isinstance(roi, Roi):
            raise TypeError(
                f"a {type(roi).__name__} is no region of interest: take one by arr.node.roi(name), "
                "or make one out of a mask by node.create_roi(name).post(mask)"
            )
        found: DvidArray = self._through(roi.region)
        return found

    def _through(self: Any, *regions: Region) -> DvidArray:
        """The same view, seen through further regions."""
        view: DvidArray = copy.copy(self)
        view._volume = replace(self._volume, regions=(*self._volume.regions, *regions))
        return view


def _as_mask(given: Any) -> Mask:
    mask = np.asarray(given)
    if mask.dtype != bool:
        raise TypeError(f"a mask is boolean, this is {mask.dtype}: compare first, as in voxels > 0")
    if mask.ndim == 4 and mask.shape[0] == 1:
        mask = mask[0]
    if mask.ndim != 3:
        raise ValueError(f"a mask is x, y, z; this one has shape {mask.shape}")
    return mask


def _by_block(voxels: Mask, box: Box, grid: BlockGrid) -> tuple[Mask, Mask]:
    """Of each block that a box touches, whether some, and whether all of its voxels are True."""
    blocks = grid.blocks(box)
    if box.empty:
        return np.zeros(blocks.shape, bool), np.zeros(blocks.shape, bool)
    some = every = voxels
    # z first in memory of C order, x last in that of DVID
    for axis in sorted(range(3), key=lambda axis: abs(voxels.strides[axis])):
        cuts = _cuts(box.start[axis], blocks.start[axis], blocks.stop[axis], grid.block[axis])
        some = np.logical_or.reduceat(some, cuts, axis=axis)
        every = np.logical_and.reduceat(every, cuts, axis=axis)
    inner = grid.blocks(grid.inner(box))
    whole = np.zeros(blocks.shape, bool)
    whole[inner.slices(blocks.start)] = True
    return some, every & whole


def _cuts(start: int, first: int, last: int, length: int) -> NDArray[np.int64]:
    """Where blocks begin in an axis that begins at `start`."""
    return np.maximum(np.arange(first, last, dtype=np.int64) * length - start, 0)
