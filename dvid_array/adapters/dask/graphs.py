"""Graphs: a lazy dask array whose chunks are whole blocks.

Owns graphs, and the warnings about chunks that cost more than they need. Must not know requests: a
task slices the array, in whichever process it runs.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any, Literal

import dask.array
import numpy as np
from dask.base import tokenize

from dvid_array import chunking
from dvid_array.array import DvidArray
from dvid_array.protocol.voxels import Array, copy_tiled

MANY_CHUNKS = 1_000_000
"""Beyond this a computation's graph takes minutes to build and gigabytes to hold."""
WASTE = 1.5
"""Blocks read more often than this, on average, are worth a warning."""
LARGER = ("64 MiB", "256 MiB", "1 GiB")
"""Sizes of chunks that are proposed where there are too many."""

Order = Literal["C", "F"]


def to_dask(
    array: DvidArray, chunks: Any = "auto", *, order: Order = "F", leases: int | None = None
) -> dask.array.Array:
    """A dask array of a DVID array; see `DvidArray.to_dask`."""
    if order not in ("C", "F"):
        raise ValueError(f"order={order!r}: chunks are in C or in F order")
    array.warn_of_negative(stacklevel=4)
    cut = chunking.chunks(chunks, array.blocked_axes)
    _warn(cut, array)
    source = array if leases is None else array.with_settings(leases=leases)
    token = tokenize(array, cut, order, leases)
    return _graph(COrdered(source) if order == "C" else source, array.instance, cut, token)


def in_chunks(
    array: DvidArray, cut: tuple[chunking.Lengths, ...], *data: object
) -> dask.array.Array:
    """An array in chunks that were chosen, named after what is said of its data: no request."""
    _warn(cut, array)
    return _graph(array, array.instance, cut, tokenize(cut, *data))


def _graph(
    source: Any, name: str, cut: tuple[chunking.Lengths, ...], token: str
) -> dask.array.Array:
    made: dask.array.Array = dask.array.from_array(  # type: ignore[no-untyped-call]
        source,
        chunks=cut,
        name=f"dvid-{name}-{token}",
        meta=np.empty((0,) * source.ndim, source.dtype),
    )
    return made


def source_of(lazy: dask.array.Array, wanted: Callable[[DvidArray], bool]) -> DvidArray | None:
    """The array that a graph reads, where it still names it: the first that is wanted."""
    for name, layer in lazy.dask.layers.items():
        if name.startswith("original-"):
            found = _inside(layer[name])
            if found is not None and wanted(found):
                return found
    return None


def _inside(source: Any) -> DvidArray | None:
    """The array in a graph's source, or in what others, xarray too, put around it."""
    while source is not None and not isinstance(source, DvidArray):
        source = getattr(source, "_array", getattr(source, "array", None))
    return source


class COrdered:
    """An array whose voxels come in C order, in which dask puts chunks together: each task turns
    its own, in tiles. dask slices it as it slices the array itself."""

    def __init__(self, array: DvidArray) -> None:
        self._array = array
        self.shape = array.shape
        self.dtype = array.dtype
        self.ndim = array.ndim

    def __getitem__(self, key: Any) -> Any:
        found = self._array[key]
        if not isinstance(found, np.ndarray) or found.flags.c_contiguous:
            return found
        turned: Array = np.empty(found.shape, found.dtype)
        copy_tiled(found, turned)
        return turned

    def __dask_tokenize__(self) -> Any:
        return "C", self._array.__dask_tokenize__()


def _warn(cut: tuple[chunking.Lengths, ...], array: DvidArray) -> None:
    number = chunking.count(cut)
    if number > MANY_CHUNKS:
        warnings.warn(
            f"{number:,} chunks: dask needs about 0.1 ms and 1 kB for each in every step of a "
            f"computation; {_larger(array)}",
            stacklevel=_outside(),
        )
    times = chunking.over_read(cut, array.blocked_axes)
    if times > WASTE:
        warnings.warn(
            f"these chunks read each block {times:.1f} times: make them multiples of the blocks "
            f"{array.block_shape[1:]}, cut where blocks begin, as "
            f"chunks={chunking.whole_blocks(cut, array.blocked_axes)} is",
            stacklevel=_outside(),
        )


def _outside() -> int:
    """How far up the line lies that called this library, by whichever door."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("dvid_array."):
        frame, level = frame.f_back, level + 1
    return level


def _larger(array: DvidArray) -> str:
    """The smallest proposal that makes few enough chunks."""
    for size in LARGER:
        number = chunking.count(chunking.chunks(size, array.blocked_axes))
        if number <= MANY_CHUNKS:
            return f"chunks={size!r} makes {number:,}"
    return "compute on windows of the array, one after the other"
