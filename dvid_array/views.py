"""Other ways to index an array (`.voxels`, `.oindex`, `.vindex`), and what a read would cost.

Owns the small views of `DvidArray`. Must not know requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dvid_array import selection
from dvid_array.client import points, reading
from dvid_array.client.picks import Grid
from dvid_array.client.volume import Volume
from dvid_array.selection import Axis, Selection

if TYPE_CHECKING:
    from dvid_array.array import DvidArray


class Pointed:
    """Arrays that tell the values of single voxels."""

    def at_points(self: Any, xyz: ArrayLike) -> Any:
        """The values of single voxels, anywhere; each stored block is looked into once.

        Parameters
        ----------
        xyz : integers
            Shape (n, 3): DVID's signed coordinates x, y, z. Shape (n, 4): the channel before them.
            One point of shape (3,) or (4,) is taken too. Voxels never written are 0.

        Returns
        -------
        ndarray
            n values. Without a channel, an array that has several gives shape (channels, n). One
            point gives what it would give in the n axis.

        Raises
        ------
        ValueError, IndexError
            For points of another form, and channels that are not there.
        """
        given = _point_rows(xyz)
        rows, channels = np.atleast_2d(given), self.shape[0]
        count = len(rows)
        if given.shape[-1] == 3:
            each = np.repeat(np.arange(channels), count)[:, None]
            rows = np.hstack([each, np.tile(rows, (channels, 1))])
        if count and not 0 <= rows[:, 0].min() <= rows[:, 0].max() < channels:
            raise IndexError(f"the volume has {channels} channel(s), counted from 0")
        self._guard("reading", (len(rows),))
        found = points.read(self._volume, rows.T)
        if given.shape[-1] == 3 and channels > 1:
            found = found.reshape(channels, count)
        return found if given.ndim == 2 else found[..., 0]


def _point_rows(xyz: ArrayLike) -> NDArray[np.int64]:
    given = np.asarray(xyz)
    fits = given.ndim in (1, 2) and given.shape[-1] in (3, 4)
    if not fits or (given.size and given.dtype.kind not in "iu"):
        raise ValueError(
            f"points are integers x, y, z, or c, x, y, z: shape (n, 3) or (n, 4), not "
            f"{given.dtype} of shape {given.shape}"
        )
    return selection.integers(given)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a read would cost."""

    transport: str
    """How voxels would be fetched."""
    requests: int
    """HTTP requests."""
    blocks: int
    """Stored blocks the server would look up."""
    bytes: int
    """Bytes of voxels in what is asked for, before compression."""

    def __str__(self) -> str:
        return (
            f"{self.requests:,} request(s) by {self.transport}: {self.blocks:,} block(s), "
            f"{self.bytes:,} bytes of voxels before compression"
        )

    @classmethod
    def of(cls, volume: Volume, target: Grid) -> Plan:
        """The plan of filling a target."""
        grid = volume.grid
        way, boxes, requests = reading.cost(volume, target.boxes(grid))
        blocks = sum(grid.count(box) for box in boxes)
        voxels = sum(grid.cover(box).size if way.streams else box.size for box in boxes)
        return cls(way.name, requests, blocks, voxels * volume.voxel_bytes)


@dataclass(frozen=True, slots=True, eq=False)
class VoxelIndex:
    """DVID's signed coordinates c, x, y, z, taken literally: nothing counts from the end, and every
    place can be read and written. An omitted end means the stored extent."""

    _array: DvidArray

    def __getitem__(self, key: Any) -> Any:
        picked = self._picked(key)
        return picked.result(key, self._array._fetch(picked))

    def __setitem__(self, key: Any, value: Any) -> None:
        self._array._write(self._picked(key, grows=True), value)

    def _picked(self, key: Any, *, grows: bool = False) -> Selection:
        extents = self._array._extents
        channels = self._array.shape[0]
        ends = zip("xyz", extents.start, extents.stop, strict=True)
        axes = [
            Axis("c", 0, channels, literal=True),
            *(Axis(*end, literal=True, grows=grows) for end in ends),
        ]
        picked = selection.basic(key, axes)
        first = picked.axes[0]
        if len(first) and not 0 <= min(first) <= max(first) < channels:
            raise IndexError(f"the volume has {channels} channel(s), counted from 0")
        return picked


@dataclass(frozen=True, slots=True, eq=False)
class OuterIndex:
    """Outer indexing, as zarr's `oindex`: lists on several axes mean their product."""

    _array: DvidArray

    def __getitem__(self, key: Any) -> Any:
        picked = selection.outer(key, self._array._axes())
        return picked.result(key, self._array._fetch(picked.shifted(self._array.origin)))

    def __setitem__(self, key: Any, value: Any) -> None:
        picked = selection.outer(key, self._array._axes(grows=True))
        self._array._inside(picked)
        self._array._write(picked.shifted(self._array.origin), value)


@dataclass(frozen=True, slots=True, eq=False)
class PointIndex:
    """Points, as zarr's `vindex`: one value for each set of broadcast coordinates."""

    _array: DvidArray

    def __getitem__(self, key: Any) -> Any:
        array = self._array
        picked = selection.points(key, array._axes())
        array._guard("reading", picked.shape)
        coordinates = picked.coordinates + np.asarray(array.origin)[:, None]
        out = points.read(array._volume, coordinates)
        return out.reshape(picked.shape)[()] if not picked.shape else out.reshape(picked.shape)
