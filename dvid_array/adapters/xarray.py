"""The door to xarray: the engine "dvid", and lazy DataArrays with signed voxel coordinates.

Owns dims, coordinates and attributes. Must not know requests: values come by slicing the array.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, ClassVar

import pandas as pd
import xarray as xr
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing
from xarray.indexes import PandasIndex

from dvid_array import chunking
from dvid_array.array import DvidArray
from dvid_array.opening import open as open_array
from dvid_array.settings import Settings

DIMS = ("channel", "x", "y", "z")


class LazyVoxels(BackendArray):
    """Voxels of an array, fetched when xarray asks for values. It has no `__setitem__`, so that
    assigning to a DataArray changes memory and never the server."""

    def __init__(self, array: DvidArray) -> None:
        self._array = array
        self.shape = array.shape
        self.dtype = array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._outer
        )

    async def async_getitem(self, key: indexing.ExplicitIndexer) -> Any:
        """The same in a thread, for `load_async`."""
        return await asyncio.to_thread(self.__getitem__, key)

    def _outer(self, key: tuple[Any, ...]) -> Any:
        return self._array.oindex[key]


class DvidBackend(BackendEntrypoint):
    """``xr.open_dataset("dvid://host:port/<version>/<instance>", engine="dvid")``."""

    description: ClassVar[str] = "DVID volumes, lazily, by address or DvidArray"
    url: ClassVar[str] = "https://github.com/janelia-flyem/dvid"
    open_dataset_parameters: ClassVar[tuple[str, ...] | None] = (
        "filename_or_obj",
        "drop_variables",
        "version",
        "instance",
        "scale",
        "supervoxels",
        "token",
        "settings",
    )

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Arrays, and addresses that begin with ``dvid://``."""
        if isinstance(filename_or_obj, DvidArray):
            return True
        return isinstance(filename_or_obj, str) and filename_or_obj.startswith("dvid://")

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        version: str | None = None,
        instance: str | None = None,
        scale: int = 0,
        supervoxels: bool = False,
        token: str | None = None,
        settings: Settings | None = None,
    ) -> xr.Dataset:
        """A Dataset with one variable, named after the instance.

        Parameters
        ----------
        filename_or_obj : str or DvidArray
            An address that `dvid_array.open` takes, or an array, whose stored window is shown.
        drop_variables : str or iterable of str, optional
            Names to leave out.
        version, instance, scale, supervoxels, token, settings
            As in `dvid_array.open`.
        """
        array = filename_or_obj
        if not isinstance(array, DvidArray):
            array = open_array(
                array,
                version=version,
                instance=instance,
                scale=scale,
                supervoxels=supervoxels,
                token=token,
                settings=settings,
            )
        dropped = {drop_variables} if isinstance(drop_variables, str) else set(drop_variables or ())
        made = dataset(array.stored)
        return made.drop_vars([name for name in made.data_vars if name in dropped])


def to_xarray(array: DvidArray, chunks: Any = None) -> xr.DataArray:
    """A DataArray of what is stored; see `DvidArray.to_xarray`."""
    return xr.open_dataset(array, engine=DvidBackend, chunks=chunks)[variable_name(array)]  # type: ignore[arg-type]


def variable_name(array: DvidArray) -> str:
    """The instance's name, unless it is that of a dimension; of a mask with its body."""
    if array.label is not None:
        return f"{array.instance}_body_{array.label}"
    return array.instance + "_voxels" if array.instance in DIMS else array.instance


def dataset(array: DvidArray) -> xr.Dataset:
    """The lazy Dataset of an array with a fixed origin."""
    values = indexing.LazilyIndexedArray(LazyVoxels(array))
    variable = xr.Variable(DIMS, values, attributes(array), {"preferred_chunks": preferred(array)})
    coordinates = xr.Coordinates()
    for dim, index in zip(DIMS, labels(array), strict=True):
        coordinates = coordinates.merge(xr.Coordinates.from_xindex(PandasIndex(index, dim))).coords
    made = xr.Dataset({variable_name(array): variable}, coords=coordinates)
    for dim in DIMS[1:]:
        made[dim].attrs["units"] = "voxel"
    made.encoding["source"] = array.url
    return made


def labels(array: DvidArray) -> list[pd.RangeIndex]:
    """The coordinate of each position, in voxels of scale 0."""
    step = 1 << array.scale
    steps = (1, step, step, step)
    return [
        pd.RangeIndex(start * by, (start + extent) * by, by, name=dim)
        for dim, start, extent, by in zip(DIMS, array.origin, array.shape, steps, strict=True)
    ]


def preferred(array: DvidArray) -> dict[str, int | tuple[int, ...]]:
    """Chunks of whole blocks, as `to_dask` makes them."""
    cut = chunking.chunks("auto", array.blocked_axes)
    return dict(zip(DIMS, cut, strict=True))


def attributes(array: DvidArray) -> dict[str, Any]:
    """Identity and voxel size, for people and for files; no credentials."""
    body = {} if array.label is None else {"dvid_body": array.label}
    return body | {
        "long_name": array.instance,
        "dvid_server": array.server_url,
        "dvid_uuid": array.uuid,
        "dvid_instance": array.instance,
        "dvid_scale": array.scale,
        "voxel_size": list(array.resolution),
        "voxel_units": list(array.units),
    }
