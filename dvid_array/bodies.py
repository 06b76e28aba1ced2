"""Bodies of a label volume: `arr.bodies`, `arr.body`, `arr.sparse`, `arr.mapping`.

Owns what is asked of ids. Must not know requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dvid_array import casting, selection, units
from dvid_array.box import Box
from dvid_array.client import bodies as index
from dvid_array.client.bodies import Ids
from dvid_array.client.volume import Volume
from dvid_array.sparse_volume import SparseVolume

if TYPE_CHECKING:
    from dvid_array.array import DvidArray

BACKGROUND = "0 is the background, which is no body"


class Labelled:
    """What an array of labels tells of its bodies."""

    _volume: Volume
    _view: Callable[[Volume, Box], DvidArray]

    @property
    def bodies(self) -> Bodies:
        """Sizes, boxes, supervoxels of its bodies, as the server's index has them."""
        return Bodies(self._volume)

    def mapping(self, supervoxels: Any) -> Any:
        """The body that each supervoxel belongs to now; one request for 10,000.

        Parameters
        ----------
        supervoxels : int or array_like of int
            Ids, as in blocks read with ``supervoxels=True``.

        Returns
        -------
        int or ndarray of uint64
            Of the same shape; 0 for the background, and for ids this version does not have.

        Raises
        ------
        DvidTypeError
            Where the volume has no index of bodies.
        """
        return _each(supervoxels, lambda ids: index.mapping(self._volume, ids))

    def body(self, label: int) -> DvidArray:
        """The mask of one body: a lazy boolean array over the smallest box around it.

        It is a `DvidWindow`, with axes channel, x, y, z like the array itself, and lines up with
        ``arr.window(mask.origin[1:], ...)``. It is read as any array (slices, dask, xarray), and
        fetches only blocks that the body touches. It cannot be written.

        Finding the box takes two requests or more: the list of the body's blocks, and the
        outermost of them. Both are as they were then: after a merge, ask for the body again.
        Inside a region (`where`) it is the body's part there.

        Parameters
        ----------
        label : int
            The id of a body; of a supervoxel, where the array shows these.

        Raises
        ------
        DvidNotFoundError
            Where this version has no such body.
        ValueError
            For 0, the background.
        DvidTypeError
            Where the volume has no index of bodies.
        """
        volume = replace(self._volume, body=None)
        found = index.find(volume, _label(label))
        return self._view(replace(volume, body=found), index.bounds(volume, found))

    def sparse(self, label: int) -> SparseVolume:
        """The voxels of one body as runs in memory, with axes x, y, z.

        Parameters and errors are those of `body`. One request for the list of the body's blocks,
        and those that fetch them; at the array's scale. Inside a region (`where`), its part there.
        """
        found = index.sparse(replace(self._volume, body=None), _label(label))
        return SparseVolume(found, *_voxel(self._volume, self._volume.scale))


@dataclass(frozen=True, slots=True, repr=False)
class Bodies:
    """What the server's index of labels tells, without a voxel; made by ``arr.bodies``.

    It always speaks of the whole volume, of a window or inside a region too. Ids are those of
    bodies, or of supervoxels where the array shows these. The server brings its index up to date a
    moment after it has answered a write; merges and cleaves count at once.
    """

    _volume: Volume

    def size(self, labels: Any) -> Any:
        """Number of voxels of each body; one request for 10,000.

        Parameters
        ----------
        labels : int or array_like of int
            Ids, not 0.

        Returns
        -------
        int or ndarray of int64
            Of the same shape; 0 for ids this version does not have.

        Raises
        ------
        ValueError
            For the background, and on arrays of a scale other than 0, whose voxels the index does
            not count.
        DvidTypeError
            Where the volume has no index of bodies.
        """
        if self._volume.scale:
            raise ValueError(
                f"sizes are voxels of scale 0, and this array has scale {self._volume.scale}: use "
                "arr.node[arr.instance].bodies.size, or volume_nm3, or arr.sparse(label).size"
            )
        return self._sizes(labels)

    def volume_nm3(self, labels: Any) -> Any:
        """Volume of each body in nm³, as `size` times the volume of a voxel of scale 0."""
        return self._sizes(labels) * units.cubic_nanometers(*_voxel(self._volume, 0))

    def volume_um3(self, labels: Any) -> Any:
        """Volume of each body in µm³."""
        return self.volume_nm3(labels) / 1e9

    def exists(self, labels: Any) -> Any:
        """Whether this version has each body; False for 0. One request for 10,000."""
        return _each(labels, lambda ids: index.sizes(self._volume, ids) > 0)

    def supervoxels(self, label: int) -> Ids:
        """The supervoxels that make up a body, in order.

        Raises
        ------
        DvidNotFoundError, ValueError, DvidTypeError
            As `DvidArray.body`.
        ValueError
            Also where the array shows supervoxels, whose ids are no bodies'.
        """
        if self._volume.supervoxels:
            raise ValueError(
                "this array shows supervoxels, and these have none: open the volume without "
                "supervoxels=True"
            )
        return index.supervoxels(self._volume, _label(label))

    def bbox(self, label: int) -> Box:
        """The smallest box around a body, in voxels x, y, z of the array's scale.

        It is exact: the index knows blocks only, so the outermost of these are looked at. Empty
        where a body is too thin to show at this scale. Errors are those of `DvidArray.body`.
        """
        volume = replace(self._volume, body=None, regions=())
        return index.bounds(volume, index.find(volume, _label(label)))

    def coarse(self, label: int) -> SparseVolume:
        """The blocks that a body touches, as a `SparseVolume` whose voxels are blocks. One request.

        Errors are those of `DvidArray.body`.
        """
        found = index.coarse(self._volume, _label(label))
        resolution, names = _voxel(self._volume, self._volume.scale)
        x, y, z = (r * n for r, n in zip(resolution, self._volume.instance.block, strict=True))
        return SparseVolume(found, (x, y, z), names)

    def __repr__(self) -> str:
        what = "supervoxels" if self._volume.supervoxels else "bodies"
        return f"<Bodies: {what} of {self._volume.instance.name!r} at {self._volume.uuid}>"

    def _sizes(self, labels: Any) -> Any:
        def sizes(ids: Ids) -> NDArray[np.int64]:
            if not ids.all():
                raise ValueError(f"{BACKGROUND}: leave it out, as in ids[ids != 0]")
            return index.sizes(self._volume, ids).astype(np.int64)

        return _each(labels, sizes)


def _each(labels: Any, ask: Callable[[Ids], NDArray[Any]]) -> Any:
    """An answer for each id: a plain number for one, an array of their shape for many."""
    ids = _ids(labels)
    answer = ask(ids)
    return answer.item() if not ids.ndim else answer


def _ids(labels: Any) -> Ids:
    try:
        return casting.fitting(labels, np.dtype(np.uint64)).astype(np.uint64)
    except (TypeError, ValueError) as unfit:
        raise type(unfit)(
            f"ids are integers from 0 to 2^64 - 1, one or an array of them, not {labels!r:.80}"
        ) from None


def _label(value: Any) -> int:
    """One id of a body."""
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{value} is no id of a body")
    label = selection.integer(value)
    if not 0 < label < 1 << 64:
        why = BACKGROUND if not label else "ids of bodies are positive and have 64 bits"
        raise ValueError(f"there is no body {label}: {why}")
    return label


def _voxel(volume: Volume, scale: int) -> tuple[tuple[float, float, float], tuple[str, str, str]]:
    """Size and units of a voxel of some scale."""
    x, y, z = (length * (1 << scale) for length in volume.instance.resolution)
    return (x, y, z), volume.instance.units
