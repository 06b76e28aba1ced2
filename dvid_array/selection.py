"""A numpy key -> which coordinates of each axis, and how the picked grid becomes the result.

Owns numpy's, and zarr's, rules of indexing. Pure: must not know servers, blocks or arrays' data.

Every key that is not a list of points is an *outer* selection: each axis (c, x, y, z) contributes
some coordinates, the picked voxels form a grid, and the grid is finished (integers drop their
axis, `None` adds one, a list may move its axis) by views alone.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Indices = np.ndarray[Any, np.dtype[np.int64]]
Coordinates = range | Indices

NEW = "new"
"""Marks a `None` in the order of a result's axes."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The rules of one axis."""

    name: str
    """Letter of the axis: c, x, y or z."""
    start: int
    """First coordinate an omitted start means."""
    stop: int
    """Coordinate an omitted stop means."""
    literal: bool = False
    """Coordinates are signed and unbounded: nothing counts from the end, nothing is clipped."""
    grows: bool = False
    """Slices may reach beyond `stop`, as writes do."""


@dataclass(frozen=True)
class Selection:
    """What a key selects."""

    axes: tuple[Coordinates, ...]
    """Coordinates picked on each axis, in the order they were asked for."""
    order: tuple[int | str, ...]
    """Axes of the result: numbers of grid axes that are kept, and `NEW` for each new one."""

    @property
    def grid_shape(self) -> tuple[int, ...]:
        """Shape of the picked grid: one length for each of c, x, y, z."""
        return tuple(len(axis) for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        return tuple(1 if a == NEW else self.grid_shape[int(a)] for a in self.order)

    @property
    def _kept(self) -> tuple[int, ...]:
        return tuple(int(axis) for axis in self.order if axis != NEW)

    @property
    def _dropped(self) -> tuple[int, ...]:
        return tuple(axis for axis in range(len(self.axes)) if axis not in self._kept)

    @property
    def _new(self) -> tuple[int, ...]:
        return tuple(place for place, axis in enumerate(self.order) if axis == NEW)

    def finish(self, grid: Array) -> Array:
        """The result as a view of the picked grid."""
        view = grid.transpose(self._kept + self._dropped)
        last: Any = (..., *(0 for _ in self._dropped))
        return np.expand_dims(view[last], self._new)

    def result(self, key: Any, grid: Array) -> Any:
        """What numpy gives for the key: a scalar, where integers alone make it up."""
        finished = self.finish(grid)
        parts = key if isinstance(key, tuple) else (key,)
        dots = any(part is Ellipsis for part in parts)
        return finished if self.order or dots else finished[()]

    def spread(self, value: Array) -> Array:
        """A value broadcast over the result, as a view shaped like the picked grid.

        Raises
        ------
        ValueError
            Where numpy would not broadcast it.
        """
        surplus = value.ndim - len(self.shape)
        if surplus > 0 and value.shape[:surplus] == (1,) * surplus:
            value = value.reshape(value.shape[surplus:])
        try:
            view = np.broadcast_to(value, self.shape)
        except ValueError:
            raise ValueError(
                f"could not broadcast a value of shape {value.shape} into shape {self.shape}"
                + turned(value.shape, self.shape)
            ) from None
        view = view[tuple(0 if n in self._new else slice(None) for n in range(view.ndim))]
        view = view[(..., *(None for _ in self._dropped))]
        return view.transpose(np.argsort(self._kept + self._dropped))

    def shifted(self, origin: Sequence[int]) -> Selection:
        """The same selection, its coordinates moved by `origin`."""
        return Selection(
            tuple(_shift(axis, by) for axis, by in zip(self.axes, origin, strict=True)), self.order
        )


@dataclass(frozen=True)
class Points:
    """Single voxels."""

    coordinates: Indices
    """Shape (4, number of points): c, x, y, z."""
    shape: tuple[int, ...]
    """Shape of the result."""


def integer(value: Any) -> int:
    """A plain integer; `TypeError` for anything that is not one."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{value!r} is not an integer") from None


def integers(values: Array) -> Indices:
    """An array of integers as signed ones, where numpy would wrap those from 2^63 on around."""
    if values.size and values.max() > np.iinfo(np.int64).max:
        raise IndexError(f"{values.max()} is beyond DVID's coordinates, signed 32-bit integers")
    return values.astype(np.int64)


def turned(shape: Sequence[int], wanted: Sequence[int]) -> str:
    """The remedy where axes come in the other order; those of one voxel say nothing."""
    given, asked = ([n for n in one if n != 1] for one in (shape, wanted))
    back = given != asked == given[::-1]
    return ": axes are c, x, y, z; transpose values that are z, y, x, as by .T" if back else ""


def _shift(coordinates: Coordinates, by: int) -> Coordinates:
    if isinstance(coordinates, range):
        return range(coordinates.start + by, coordinates.stop + by, coordinates.step)
    return coordinates + by


def basic(key: Any, axes: Sequence[Axis]) -> Selection:
    """What `arr[key]` selects: integers, slices, `...`, `None` and at most one list.

    Raises
    ------
    IndexError, TypeError
        As numpy does, with the remedy where numpy would do something this package does not.
    """
    parts = expand(key, len(axes))
    lists = [part for part in parts if _is_list(part)]
    if len(lists) > 1:
        raise IndexError(
            "only one list, index array or mask in a key: use .oindex[...] for the outer product "
            "of several, .vindex[...] for points"
        )
    picked, order = _pick(parts, axes)
    if lists:
        order = _moved(parts, order)
    return Selection(picked, order)


def outer(key: Any, axes: Sequence[Axis]) -> Selection:
    """What `arr.oindex[key]` selects: lists on several axes mean their outer product."""
    parts = expand(key, len(axes))
    if any(part is None for part in parts):
        raise IndexError("None is not understood by .oindex: use it on the result")
    return Selection(*_pick(parts, axes))


def points(key: Any, axes: Sequence[Axis]) -> Points:
    """What `arr.vindex[key]` selects: one voxel for each set of broadcast coordinates, or for each
    True of a mask shaped like the array."""
    if isinstance(key, np.ndarray | list) and np.asarray(key).dtype == bool:
        mask = np.asarray(key)
        shape = tuple(axis.stop - axis.start for axis in axes)
        if mask.shape != shape:
            raise IndexError(f"the mask has shape {mask.shape}, the array {shape}")
        found = np.stack([index.astype(np.int64) for index in np.nonzero(mask)])
        return Points(found, found.shape[1:])
    parts = key if isinstance(key, tuple) else (key,)
    if len(parts) != len(axes):
        raise IndexError(
            f".vindex takes {len(axes)} integers or lists (c, x, y, z), got {len(parts)}"
        )
    lists = [_list(_integers(part, axis), axis) for part, axis in zip(parts, axes, strict=True)]
    try:
        spread = np.broadcast_arrays(*lists)
    except ValueError:
        shapes = [one.shape for one in lists]
        raise IndexError(f"the coordinates do not broadcast: their shapes are {shapes}") from None
    return Points(np.stack([one.reshape(-1) for one in spread]), spread[0].shape)


def _integers(part: Any, axis: Axis) -> Array:
    if isinstance(part, slice) or part is None or part is Ellipsis:
        raise IndexError(
            f".vindex takes integers or lists on axis {axis.name}; use .oindex for slices"
        )
    return _array(part)


def _array(part: Any) -> Array:
    """numpy takes an empty list for floats; as an index it holds integers."""
    array = np.asarray(part)
    return array.astype(np.int64) if not array.size and isinstance(part, Sequence) else array


def expand(key: Any, axes: int) -> list[Any]:
    """One part for each of so many axes, and the `None`s between them."""
    parts = [_part(part) for part in (key if isinstance(key, tuple) else (key,))]
    used = sum(part is not None and part is not Ellipsis for part in parts)
    if used > axes:
        raise IndexError(
            f"too many indices: the array has {axes} axes (c, x, y, z), but {used} were indexed"
        )
    dots = [place for place, part in enumerate(parts) if part is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    place = dots[0] if dots else len(parts)
    fill = [slice(None)] * (axes - used)
    return parts[:place] + fill + parts[place + len(dots) :]


def _part(part: Any) -> Any:
    """One part of a key: a slice, `None`, `...`, a Python integer or a one-dimensional array."""
    if part is None or part is Ellipsis or isinstance(part, slice):
        return part
    if isinstance(part, bool | np.bool):
        raise IndexError(
            "True and False are no index here: use None for a new axis, "
            "or a mask as long as its axis"
        )
    if isinstance(part, str):
        raise IndexError(f"{part!r} is no index: an array takes integers, slices, lists and masks")
    try:
        return operator.index(part)
    except TypeError:
        pass
    if isinstance(part, float | complex | np.inexact):
        raise IndexError(f"{part!r} is no index: voxels have integer coordinates")
    return _index_array(part)


def _index_array(part: Any) -> Array:
    if not isinstance(part, list | tuple | range | np.ndarray) and not hasattr(part, "__array__"):
        raise TypeError(f"an array cannot be indexed by {type(part).__name__}")
    array = _array(part)
    if array.ndim != 1:
        raise IndexError(
            f"a list in a key has one dimension, this one has {array.ndim}: "
            "use .vindex[...] for points and masks of the whole array"
        )
    return array


def _is_list(part: Any) -> bool:
    return isinstance(part, np.ndarray)


def _pick(
    parts: Sequence[Any], axes: Sequence[Axis]
) -> tuple[tuple[Coordinates, ...], tuple[int | str, ...]]:
    picked: list[Coordinates] = []
    order: list[int | str] = []
    for part in parts:
        if part is None:
            order.append(NEW)
            continue
        number = len(picked)
        axis = axes[number]
        if isinstance(part, slice):
            picked.append(_slice(part, axis))
        elif _is_list(part):
            picked.append(_list(part, axis))
        else:
            place = _place(part, axis)
            picked.append(range(place, place + 1))
            continue
        order.append(number)
    return tuple(picked), tuple(order)


def _moved(parts: Sequence[Any], order: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """numpy puts the axis of a list first where an integer stands apart from it."""
    advanced = [
        place for place, part in enumerate(parts) if _is_list(part) or isinstance(part, int)
    ]
    if advanced[-1] - advanced[0] + 1 == len(advanced):
        return order
    place = next(place for place, part in enumerate(parts) if _is_list(part))
    listed = sum(part is not None for part in parts[:place])
    return (listed, *(axis for axis in order if axis != listed))


def _place(index: int, axis: Axis) -> int:
    if axis.literal:
        return index
    if not -axis.stop <= index < axis.stop:
        raise IndexError(
            f"index {index} is out of bounds for axis {axis.name} with size {axis.stop}"
        )
    return index + axis.stop if index < 0 else index


def _list(part: Array, axis: Axis) -> Indices:
    size = axis.stop - axis.start
    if part.dtype == bool:
        if part.ndim != 1 or len(part) != size:
            raise IndexError(
                f"the mask has {part.size} entries, axis {axis.name} has {size} voxels"
            )
        return np.flatnonzero(part).astype(np.int64) + axis.start
    if part.dtype.kind not in "iu":
        raise IndexError(f"a list of {part.dtype} is no index: voxels have integer coordinates")
    if axis.literal:
        return integers(part)
    wrong = (part < -size) | (part >= size)
    if wrong.any():
        first = part[wrong].flat[0]
        raise IndexError(f"index {first} is out of bounds for axis {axis.name} with size {size}")
    indices = part.astype(np.int64)
    return np.where(indices < 0, indices + size, indices)


def _slice(part: slice, axis: Axis) -> range:
    start, stop, step = (
        None if value is None else integer(value) for value in (part.start, part.stop, part.step)
    )
    step = 1 if step is None else step
    if step == 0:
        raise ValueError("slice step cannot be zero")
    if axis.literal:
        if step < 0:
            raise IndexError(
                f"steps of literal coordinates go forward, this one is {step}: reverse the result"
            )
        if axis.grows and axis.start == axis.stop and None in (part.start, part.stop):
            raise _endless(axis)
        first = axis.start if start is None else start
        return range(first, max(first, axis.stop if stop is None else stop), step)
    if axis.grows:
        return _growing(start, stop, step, axis)
    return range(*slice(start, stop, step).indices(axis.stop))


def _growing(start: int | None, stop: int | None, step: int, axis: Axis) -> range:
    """A slice of a write: explicit ends may lie beyond the extent, open ends mean the extent, and
    what counts from the end counts from the extent."""
    size = axis.stop
    open_end = stop is None if step > 0 else start is None
    if size <= 0 and (open_end or any(end is not None and end < 0 for end in (start, stop))):
        raise _endless(axis)
    if open_end and step > 0:
        stop = size
    elif open_end:
        start = size - 1
    reach = max(size, (stop or 0) if step > 0 else (start or 0) + 1)
    first, last = (
        end + size - reach if end is not None and end < 0 else end for end in (start, stop)
    )
    return range(*slice(first, last, step).indices(reach))


def _endless(axis: Axis) -> IndexError:
    return IndexError(
        f"axis {axis.name} has no extent yet, so an open or negative end means nothing: "
        "name both ends, as in arr[:, 0:100, 0:100, 0:100] = ..."
    )
