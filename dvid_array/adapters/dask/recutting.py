"""A dask array cut anew, in the order in which voxels are posted.

Owns the graph between a source's chunks and the parts of a store. Must not know servers.

dask's own `rechunk` copies into C order what is in Fortran order, voxel by voxel, and what is to be
posted has to be turned back; it also sends cut pieces between workers in that way. Here a piece is
copied once where its chunk is, and once into its part, both in Fortran order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, product
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from dvid_array.protocol.voxels import Array, copy_tiled

Lengths = tuple[int, ...]
Slices = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class Overlap:
    """What an old and a new chunk have in common along one axis."""

    old: int
    """Which of the old chunks."""
    taken: slice
    """Positions in it."""
    put: slice
    """Positions in the new one."""
    whole: bool
    """Whether it is all of the old one."""


def recut(source: da.Array, chunks: Sequence[Lengths]) -> da.Array:
    """The same voxels in other chunks, each in Fortran order."""
    cut = tuple(tuple(int(n) for n in lengths) for lengths in chunks)
    if cut == source.chunks:
        return source
    name = f"dvid-recut-{tokenize(source.name, cut)}"
    layer: dict[Any, Any] = {}
    axes = [_overlaps(old, new) for old, new in zip(source.chunks, cut, strict=True)]
    for place in np.ndindex(*map(len, cut)):
        along = [axis[n] for axis, n in zip(axes, place, strict=True)]
        shape = tuple(lengths[n] for lengths, n in zip(cut, place, strict=True))
        layer |= _part((name, *place), source.name, shape, along)
    graph = HighLevelGraph.from_collections(name, layer, dependencies=[source])  # type: ignore[list-item]
    return da.Array(graph, name, cut, meta=source._meta)  # type: ignore[no-untyped-call]


def _part(
    key: tuple[Any, ...], source: str, shape: Lengths, along: Sequence[Sequence[Overlap]]
) -> dict[Any, Any]:
    """The tasks of one new chunk: its pieces, and their gathering."""
    layer: dict[Any, Any] = {}
    pieces, places = [], []
    for number, overlaps in enumerate(product(*along)):
        piece = (source, *(one.old for one in overlaps))
        if not all(one.whole for one in overlaps):
            whole, piece = piece, (f"{key[0]}-piece", *key[1:], number)
            layer[piece] = (Cutting(tuple(one.taken for one in overlaps)), whole)
        pieces.append(piece)
        places.append(tuple(one.put for one in overlaps))
    layer[key] = (Gathering(shape, tuple(places)), pieces)
    return layer


def _overlaps(old: Lengths, new: Lengths) -> list[list[Overlap]]:
    """For each new chunk along one axis, the old ones that it takes from."""
    there = list(pairwise(accumulate(old, initial=0)))
    return [list(_of(there, a, b)) for a, b in pairwise(accumulate(new, initial=0))]


def _of(there: Sequence[tuple[int, int]], start: int, stop: int) -> Iterator[Overlap]:
    for number, (a, b) in enumerate(there):
        first, last = max(a, start), min(b, stop)
        if first < last:
            taken, put = slice(first - a, last - a), slice(first - start, last - start)
            yield Overlap(number, taken, put, (first, last) == (a, b))


@dataclass(frozen=True, slots=True)
class Cutting:
    """The task of a piece: a copy, since a view would keep its whole chunk in memory."""

    taken: Slices

    def __call__(self, chunk: Any) -> Array:
        """Cut it out."""
        piece = np.asarray(chunk)[self.taken]
        made: Array = np.empty(piece.shape, piece.dtype, order="F")
        copy_tiled(piece, made)
        return made


@dataclass(frozen=True, slots=True)
class Gathering:
    """The task that puts pieces together."""

    shape: Lengths
    places: tuple[Slices, ...]

    def __call__(self, pieces: Sequence[Any]) -> Array:
        """Put each in its place."""
        found = [np.asarray(piece) for piece in pieces]
        made: Array = np.empty(self.shape, _dtype(found), order="F")
        for place, piece in zip(self.places, found, strict=True):
            if piece.shape != made[place].shape:  # else one voxel would fill all of its place
                raise ValueError(
                    f"a chunk of the source has shape {piece.shape} where its array says "
                    f"{made[place].shape}"
                )
            copy_tiled(piece, made[place])
        return made


def _dtype(pieces: Sequence[Array]) -> np.dtype[Any]:
    """The pieces' own type: chunks may be of another than their array claims, and a cast would lose
    what is in them. `result_type` turns the bytes round, which nobody has asked for."""
    first, *others = {piece.dtype for piece in pieces}
    return first if not others else np.result_type(first, *others)
