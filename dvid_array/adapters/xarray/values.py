"""Voxels that xarray holds without having them.

Owns the translation of xarray's keys. Must not know coordinates or servers.
"""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from xarray.backends import BackendArray
from xarray.core import indexing

from dvid_array.array import DvidArray


class LazyVoxels(BackendArray):
    """Voxels of an array, fetched when xarray asks for values. It has no `__setitem__`, so that
    assigning to a DataArray changes memory and never the server."""

    def __init__(self, array: DvidArray) -> None:
        self.array = array
        self.shape = array.shape
        self.dtype = array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        if isinstance(key, indexing.VectorizedIndexer):
            return self.array.vindex[_points(key.tuple, self.shape)]
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._outer
        )

    async def async_getitem(self, key: indexing.ExplicitIndexer) -> Any:
        """The same in a thread, for `load_async`."""
        return await asyncio.to_thread(self.__getitem__, key)

    def _outer(self, key: tuple[Any, ...]) -> Any:
        return self.array.oindex[key]


def _points(key: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[Any, ...]:
    """A vectorized key as lists of points: the dimensions of its arrays first, then one for each
    slice, as xarray wants them."""
    slices = [axis for axis, part in enumerate(key) if isinstance(part, slice)]
    arrays = [np.asarray(part) for part in key if not isinstance(part, slice)]
    leading = np.broadcast_shapes(*(array.shape for array in arrays))
    made: list[Any] = []
    for axis, part in enumerate(key):
        if isinstance(part, slice):
            trailing = [1] * len(slices)
            trailing[slices.index(axis)] = -1
            along = np.arange(shape[axis])[part]
            made.append(along.reshape([1] * len(leading) + trailing))
        else:
            spread = np.broadcast_to(part, leading)
            made.append(spread.reshape(leading + (1,) * len(slices)))
    return tuple(made)
