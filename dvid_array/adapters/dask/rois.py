"""Regions of interest as lazy dask arrays: each task computes its part of the mask. No request.

Owns their graphs. Must not know servers.
"""

from __future__ import annotations

from typing import Any

import dask.array
import numpy as np
from dask.base import tokenize

from dvid_array.box import Box, triple
from dvid_array.client.regions import Region


class _Mask:
    """The mask of a box as dask slices it: integers, and slices that go forward."""

    dtype = np.dtype(bool)
    ndim = 3

    def __init__(self, region: Region, box: Box) -> None:
        self._region = region
        self._box = box
        self.shape = box.shape
        self.chunks = region.block

    def __getitem__(self, key: tuple[Any, ...]) -> Any:
        axes = [
            range(a, b)[part]
            for a, b, part in zip(self._box.start, self._box.stop, key, strict=True)
        ]
        ends = [(n, n + 1, 1) if isinstance(n, int) else (n.start, n.stop, n.step) for n in axes]
        box = Box(triple(start for start, _, _ in ends), triple(stop for _, stop, _ in ends))
        steps = (0 if isinstance(n, int) else slice(None, None, n.step) for n in axes)
        return self._region.mask(box)[tuple(steps)]


def roi_to_dask(region: Region, box: Box, chunks: Any) -> dask.array.Array:
    """The mask of a box of voxels; see `Roi.to_dask`."""
    made: dask.array.Array = dask.array.from_array(  # type: ignore[no-untyped-call]
        _Mask(region, box),
        chunks=chunks,
        name=f"roi-{region.name}-{tokenize(region.token, box, chunks)}",
        meta=np.empty((0, 0, 0), bool),
    )
    return made
