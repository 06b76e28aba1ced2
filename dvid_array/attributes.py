"""What an array is, told without a request: attributes and reprs.

Owns the facts an array shows. Must not know keys or requests.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dvid_array import display
from dvid_array.addresses import DataAddress
from dvid_array.box import EMPTY, Box
from dvid_array.chunking import BlockedAxes
from dvid_array.client.volume import Volume
from dvid_array.settings import Settings


class Attributes:
    """Facts of a volume at a version, as they were when it was opened, written or refreshed."""

    _volume: Volume

    axiskeys = "cxyz"
    ndim = 4

    @property
    def uuid(self) -> str:
        """Full id of the version."""
        return self._volume.uuid

    @property
    def instance(self) -> str:
        """Name of the data instance."""
        return self._volume.instance.name

    @property
    def kind(self) -> str:
        """DVID's type name."""
        return self._volume.instance.kind.name

    @property
    def scale(self) -> int:
        """Scale of a multi-scale label volume; its voxels are 2^scale as long."""
        return self._volume.scale

    @property
    def supervoxels(self) -> bool:
        """Whether labels are those before merges."""
        return self._volume.supervoxels

    @property
    def locked(self) -> bool:
        """Whether the version was committed when it was opened or refreshed."""
        return self._volume.locked

    @property
    def server_url(self) -> str:
        """Address of the server."""
        return self._volume.transport.origin

    @property
    def url(self) -> str:
        """An address that `dvid_array.open` takes."""
        volume = self._volume
        return DataAddress(
            volume.transport.origin, volume.uuid, self.instance, volume.scale, volume.supervoxels
        ).url

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the regions of interest it is seen through: see `DvidArray.where`."""
        return tuple(region.name for region in self._volume.regions)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type."""
        return self._volume.dtype

    @property
    def label(self) -> int | None:
        """The body whose mask this is; None for the voxels themselves."""
        return self._volume.body.label if self._volume.body else None

    @property
    def origin(self) -> tuple[int, int, int, int]:
        """DVID's coordinates (c, x, y, z) of position 0: zeros for an array, fixed for a window."""
        return (0, 0, 0, 0)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Channels, and the upper corner x, y, z (exclusive) of what is stored, or zeros."""
        x, y, z = (max(0, end) for end in self._extents.stop)
        return (self._volume.instance.kind.channels, x, y, z)

    @property
    def minindex(self) -> tuple[int, int, int, int]:
        """Lower corner of what is stored, channel first."""
        return (0, *self._extents.start)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=object))

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.itemsize

    @property
    def block_shape(self) -> tuple[int, int, int, int]:
        """What the server stores together: channels and voxels along x, y, z."""
        return (self._volume.instance.kind.channels, *self._volume.instance.block)

    @property
    def chunks(self) -> tuple[int, ...] | tuple[tuple[int, ...], ...]:
        """The block of each axis."""
        return self.block_shape

    @property
    def blocked_axes(self) -> BlockedAxes:
        """Its place on the grid of blocks, for whoever cuts chunks."""
        return BlockedAxes(self.origin, self.shape, self.block_shape, self.itemsize)

    @property
    def resolution(self) -> tuple[float, float, float]:
        """Size of a voxel along x, y, z, in `units`."""
        x, y, z = (value * (1 << self.scale) for value in self._volume.instance.resolution)
        return x, y, z

    @property
    def units(self) -> tuple[str, str, str]:
        """Unit of `resolution` along x, y, z."""
        return self._volume.instance.units

    @property
    def settings(self) -> Settings:
        """The `Settings` its requests follow."""
        return self._volume.settings

    @property
    def _extents(self) -> Box:
        return self._volume.extents or EMPTY

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return display.text(self)

    def _repr_html_(self) -> str:
        return display.html(self)
