"""pydvid's `VoxelsAccessor`: one volume by literal signed coordinates.

Owns pydvid's meaning of indices and arguments. Must not know requests: `DvidArray` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dvid_array import selection
from dvid_array.errors import DvidBusyError
from dvid_array.protocol.voxels import Array
from dvid_array.pydvid.connection import Connection, server
from dvid_array.pydvid.metadata import Corner, VoxelsMetadata
from dvid_array.settings import Settings

SWITCH = {"on": True, "true": True, "off": False, "false": False}
"""How DVID's query arguments say yes and no."""


class VoxelsAccessor:
    """A volume at a version, read and written by slicing.

    Spatial indices are literal, signed coordinates of DVID: nothing counts from the end, and
    nothing is clipped. ``:`` is 0..shape. The channel axis comes first, and is indexed as numpy
    does. Results are Fortran-ordered.

    Parameters
    ----------
    connection : http.client.HTTPConnection or str
        The server; a URL or ``host:port`` will do. The timeout of an object bounds connecting.
    uuid : str
        The version: an id, the beginning of one, or a branch expression.
    data_name : str
        The data instance.
    query_args : mapping, optional
        Further query arguments of every request for voxels: ``{"roi": name}`` masks them.
    throttle : bool, optional
        Ask the server to count the requests against its throttle.
    retry_timeout : float
        Seconds in which a request is repeated after it failed first; 0 repeats none.
    retry_interval : float
        Seconds before the first repetition; then they grow.
    warning_interval : float
        Seconds between warnings, in the log, while a busy server is waited for.

    Raises
    ------
    ValueError
        For arguments that contradict one another, or query arguments the client says itself.
    DvidNotFoundError, DvidTypeError, DvidConnectionError
        Where there is no such volume, it holds no voxels, or nobody answers.
    """

    ThrottleTimeoutException = DvidBusyError
    """The server stayed busy for `retry_timeout`."""

    def __init__(
        self,
        connection: Connection,
        uuid: str,
        data_name: str,
        query_args: Mapping[str, Any] | None = None,
        throttle: bool | None = None,
        retry_timeout: float = 60.0,
        retry_interval: float = 1.0,
        warning_interval: float = 30.0,
    ) -> None:
        query = {str(name): str(value) for name, value in (query_args or {}).items()}
        throttled = _switched(query, "throttle")
        if None not in (throttle, throttled) and throttle != throttled:
            raise ValueError(f"throttle={throttle} contradicts query_args {dict(query_args or {})}")
        scale = int(query.pop("scale", 0))
        supervoxels = bool(_switched(query, "supervoxels"))
        settings = Settings(
            server_throttle=bool(throttle or throttled),
            retry_deadline=retry_timeout,
            retry_interval=retry_interval,
            warning_interval=warning_interval,
            query=tuple(query.items()),
        )
        node = server(connection, settings)[uuid]
        self._array = node.open(data_name, scale=scale, supervoxels=supervoxels)

    @property
    def uuid(self) -> str:
        """Full id of the version."""
        return self._array.uuid

    @property
    def data_name(self) -> str:
        """Name of the data instance."""
        return self._array.instance

    @property
    def voxels_metadata(self) -> VoxelsMetadata:
        """The metadata of the volume, as it is after the latest write."""
        return VoxelsMetadata.of(self._array)

    @property
    def axiskeys(self) -> str:
        """The axes in the order of an index: "cxyz"."""
        return self._array.axiskeys

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type."""
        return self._array.dtype

    @property
    def minindex(self) -> tuple[int, ...]:
        """Lower corner of what is stored, channel first."""
        return self.voxels_metadata.minindex

    @property
    def shape(self) -> Corner:
        """Channels, and the upper corner of what is stored; None where nothing was written."""
        return self.voxels_metadata.shape

    def get_ndarray(self, start: Sequence[int], stop: Sequence[int]) -> Array:
        """Read the box from corner to corner: c, x, y, z, signed, half-open."""
        return self._array.get_ndarray(start, _known(stop))

    def post_ndarray(self, start: Sequence[int], stop: Sequence[int], new_data: Array) -> None:
        """Write the box from corner to corner; the data have its shape."""
        self._array.post_ndarray(start, _known(stop), new_data)

    def __getitem__(self, slicing: Any) -> Any:
        """Read what literal coordinates select: integers, slices with steps, one list or mask."""
        return self._array.voxels[self._literal(slicing)]

    def __setitem__(self, slicing: Any, array_data: Any) -> None:
        """Write what literal coordinates select, with numpy's broadcasting; the volume grows."""
        self._array.voxels[self._literal(slicing)] = array_data

    def _literal(self, key: Any) -> tuple[Any, ...]:
        """The key of `DvidArray.voxels` with the same meaning."""
        parts = selection.expand(key, self._array.ndim)
        axis = 0
        for place, part in enumerate(parts):
            if part is not None:
                parts[place] = _from_zero(part) if axis else _channels(part, self._array.shape[0])
                axis += 1
        return tuple(parts)

    def __repr__(self) -> str:
        return f"<VoxelsAccessor of {self._array.url}>"


def _switched(query: dict[str, str], name: str) -> bool | None:
    """A yes or no taken out of query arguments; None where they do not say."""
    said = query.pop(name, None)
    if said is not None and said.lower() not in SWITCH:
        raise ValueError(f"query argument {name}={said!r}: choose one of {', '.join(SWITCH)}")
    return None if said is None else SWITCH[said.lower()]


def _from_zero(part: Any) -> Any:
    if isinstance(part, slice) and part.start is None:
        return slice(0, part.stop, part.step)
    return part


def _channels(part: Any, count: int) -> Any:
    """Channels as numpy counts them, also from the end."""
    if isinstance(part, slice):
        backward = part.step is not None and part.step < 0
        return part if backward else slice(*part.indices(count))
    if isinstance(part, int):
        return part + count if part < 0 else part
    if isinstance(part, np.ndarray) and part.dtype.kind == "i":
        return np.where(part < 0, part + count, part)
    return part


def _known(corner: Sequence[int | None]) -> list[int]:
    """A corner without the None that `shape` has on an axis without extent."""
    if None in tuple(corner):
        raise ValueError(f"nothing is stored yet, so {tuple(corner)} is no corner: name all of it")
    return [end for end in corner if end is not None]
