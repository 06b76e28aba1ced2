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
from dvid_array.protocol.voxels import Array

Part = np.ndarray[Any, np.dtype[Any]]


class LazyVoxels(BackendArray):
    """Voxels of an array, fetched when xarray asks for values. It has no `__setitem__`, so that
    assigning to a DataArray changes memory and never the server."""

    def __init__(self, array: DvidArray) -> None:
        self.array = array
        self.shape = array.shape
        self.dtype = array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        if isinstance(key, indexing.VectorizedIndexer):
            return self._vectorized([_lean(part) for part in _points(key.tuple, self.shape)])
        # the adapter of `indexing` makes steps positive, which is not needed here, and fails for
        # empty slices that go backwards
        return np.asarray(self.array.oindex[key.tuple])

    async def async_getitem(self, key: indexing.ExplicitIndexer) -> Any:
        """The same in a thread, for `load_async`."""
        return await asyncio.to_thread(self.__getitem__, key)

    def _vectorized(self, parts: list[tuple[Part, tuple[int, ...]]]) -> Array:
        """Points; or a product of axes in another order, which is what xarray makes of a
        transposed array, and which as points would take 30 times its memory."""
        shape = np.broadcast_shapes(*(shape for _, shape in parts))
        lean = [part for part, _ in parts]
        along = [_axis(part) for part in lean]
        owned = [axis for axis in along if axis is not None]
        if any(sum(n > 1 for n in part.shape) > 1 for part in lean) or len(owned) > len({*owned}):
            return np.asarray(self.array.vindex[tuple(np.broadcast_to(one, shape) for one in lean)])
        found = self.array.oindex[tuple(_steps(part.reshape(-1)) for part in lean)]
        turned = found.transpose(np.argsort([-1 if axis is None else axis for axis in along]))
        product = turned.reshape(np.broadcast_shapes(*(part.shape for part in lean)))
        return product if product.shape == shape else np.broadcast_to(product, shape).copy()


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


def _lean(part: Part) -> tuple[Part, tuple[int, ...]]:
    """A list of points without the axes along which it says the same again; and its shape."""
    lean = part
    for axis, stride in enumerate(part.strides):
        first = lean[(slice(None),) * axis + (slice(1),)]
        if stride == 0 or (lean == first).all():
            lean = first
    return lean, part.shape


def _axis(part: Part) -> int | None:
    """The one axis along which a list goes."""
    return next((axis for axis, n in enumerate(part.shape) if n > 1), None)


def _steps(places: Part) -> Any:
    """Places as a slice, where they are one: then whole boxes are read."""
    steps = np.diff(places)
    if not steps.size or not steps[0] or (steps != steps[0]).any():
        return places
    first, step, last = int(places[0]), int(steps[0]), int(places[-1])
    stop = last + (1 if step > 0 else -1)
    return slice(first, None if stop < 0 else stop, step)
