"""Voxels that xarray holds without having them.

Owns the translation of xarray's keys. Must not know coordinates or servers.
"""

from __future__ import annotations

import asyncio
import math
from itertools import pairwise
from typing import Any

import numpy as np
from xarray.backends import BackendArray
from xarray.core import indexing

from dvid_array.array import DvidArray
from dvid_array.protocol.voxels import Array

Part = np.ndarray[Any, np.dtype[Any]]
POINTS_AT_ONCE = 1 << 18
"""Points that are looked up at once: each takes four coordinates of 8 bytes, and what finds them
as much again."""


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
            return self._pointwise(lean, shape)
        found = self.array.oindex[tuple(_steps(part.reshape(-1)) for part in lean)]
        turned = found.transpose(np.argsort([-1 if axis is None else axis for axis in along]))
        product = turned.reshape(np.broadcast_shapes(*(part.shape for part in lean)))
        return product if product.shape == shape else np.broadcast_to(product, shape).copy()

    def _pointwise(self, parts: list[Part], shape: tuple[int, ...]) -> Array:
        """Points, or profiles at points: these piece by piece, along the longest."""
        self.array._guard("reading", shape)
        out: Array = np.empty(shape, self.dtype)
        axis, cuts = self._pieces(parts, shape)
        for a, b in pairwise(cuts):
            there = (*(slice(None),) * axis, slice(a, b))
            some = [one[there] if one.shape[axis] > 1 else one for one in parts]
            spread = tuple(np.broadcast_to(one, out[there].shape) for one in some)
            out[there] = self.array.vindex[spread]
        return out

    def _pieces(self, parts: list[Part], shape: tuple[int, ...]) -> tuple[int, list[int]]:
        """Axis and edges of pieces. They end where blocks begin, so that none is read twice; what
        is no profile, or goes to and fro, stays whole."""
        profiles = [
            (shape[axis], axis, dim)
            for axis in range(len(shape))
            for dim in [_only(parts, axis)]
            if dim is not None
        ]
        if math.prod(shape) <= POINTS_AT_ONCE or not profiles:
            return 0, [0, shape[0]]
        length, axis, dim = max(profiles)
        blocks = (parts[dim].reshape(-1) + self.array.origin[dim]) // self.array.block_shape[dim]
        steps = np.diff(blocks)
        if (steps < 0).any() and (steps > 0).any():
            return 0, [0, shape[0]]
        begin = np.flatnonzero(steps) + 1
        most = max(1, POINTS_AT_ONCE * length // math.prod(shape))
        cuts = [0]
        while cuts[-1] + most < length:
            near = begin[begin > cuts[-1]]
            inside = near[near <= cuts[-1] + most]
            cuts.append(int(inside[-1] if inside.size else near[0] if near.size else length))
        return axis, [*cuts, length] if cuts[-1] < length else cuts


def held(data: Any) -> DvidArray | None:
    """The array that lazy data of xarray's will be read from."""
    while data is not None and not isinstance(data, LazyVoxels):
        data = getattr(data, "array", None)
    return data.array if data is not None else None


def _only(parts: list[Part], axis: int) -> int | None:
    """Which of some lists goes along an axis, where only one does, and along no other."""
    found = [dim for dim, part in enumerate(parts) if part.shape[axis] > 1]
    lone = len(found) == 1 and parts[found[0]].size == parts[found[0]].shape[axis]
    return found[0] if lone else None


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
