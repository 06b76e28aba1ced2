"""The door to dask: a lazy dask array whose chunks are whole blocks.

Owns graphs. Must not know requests: a task slices the array, in whichever process it runs.
"""

from __future__ import annotations

import warnings
from typing import Any

import dask.array
import numpy as np
from dask.base import tokenize

from dvid_array import chunking
from dvid_array.array import DvidArray

MANY_CHUNKS = 1_000_000
"""Beyond this a graph takes minutes to build and gigabytes to hold."""
WASTE = 1.5
"""Blocks read more often than this, on average, are worth a warning."""


def to_dask(array: DvidArray, chunks: Any = "auto") -> dask.array.Array:
    """A dask array of a DVID array; see `DvidArray.to_dask`."""
    array.warn_of_negative(stacklevel=4)
    cut = chunking.chunks(chunks, array.blocked_axes)
    _warn(cut, array)
    made: dask.array.Array = dask.array.from_array(  # type: ignore[no-untyped-call]
        array,
        chunks=cut,
        name=f"dvid-{array.instance}-{tokenize(array, cut)}",
        meta=np.empty((0,) * array.ndim, array.dtype),
    )
    return made


def _warn(cut: tuple[chunking.Lengths, ...], array: DvidArray) -> None:
    number = chunking.count(cut)
    if number > MANY_CHUNKS:
        warnings.warn(
            f"{number:,} chunks make a graph of gigabytes: take larger chunks, or a window of "
            "the array",
            stacklevel=4,
        )
    times = chunking.over_read(cut, array.blocked_axes)
    if times > WASTE:
        warnings.warn(
            f"these chunks read each block {times:.1f} times: make them multiples of the blocks "
            f"{array.block_shape[1:]}, cut where blocks begin",
            stacklevel=4,
        )
