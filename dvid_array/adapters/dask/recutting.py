"""A dask array cut anew, in the order in which voxels are posted.

Owns the graph between a source's chunks and the parts of a store. Must not know servers.

dask's own `rechunk` copies into C order what is in Fortran order, voxel by voxel, and what is to be
posted has to be turned back; it also sends cut pieces between workers in that way. Here all copies
are made in Fortran order.

A part that has most of a chunk takes it from the chunk itself, beside which a cluster computes it;
the rest of that chunk is cut off by one task for all the parts around. On a cluster a task costs
about a millisecond, as much as copying a few megabytes: a task for each piece would cost more than
the pieces. Where no part has most of a chunk, its pieces are large, or go to many parts, and each
is cut by a task of its own, so that no worker is sent what it does not need.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
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
Place = tuple[int, ...]
"""Which chunk or part, by axis."""
Key = tuple[Any, ...]
"""Which task."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """What a chunk and a part have in common."""

    part: Place
    taken: Slices
    """Positions in the chunk."""
    put: Slices
    """Positions in the part."""

    @property
    def size(self) -> int:
        """Voxels."""
        return math.prod(one.stop - one.start for one in self.taken)


def recut(source: da.Array, chunks: Sequence[Lengths]) -> da.Array:
    """The same voxels in other chunks, each in Fortran order."""
    cut = tuple(tuple(int(n) for n in lengths) for lengths in chunks)
    if cut == source.chunks:
        return source
    name = f"dvid-recut-{tokenize(source.name, cut)}"
    layer: dict[Key, Any] = {}
    pieces: dict[Place, list[tuple[Key, Piece]]] = defaultdict(list)
    for chunk, shape, overlaps in _chunks(source, cut):
        near, cut_off = _divided(overlaps, math.prod(shape))
        for one in near:
            pieces[one.part].append((chunk, Piece(one.put, Taken(shape, one.taken))))
        for number, group in enumerate(cut_off):
            key = (f"{name}-pieces", *chunk[1:], number)
            layer[key] = (Cutting(tuple(Taken(shape, one.taken) for one in group)), chunk)
            for which, one in enumerate(group):
                pieces[one.part].append((key, Piece(one.put, which)))
    for part, some in pieces.items():
        shape = tuple(lengths[n] for lengths, n in zip(cut, part, strict=True))
        keys, placed = zip(*some, strict=True)
        layer[name, *part] = (Gathering(shape, placed), list(keys))
    graph = HighLevelGraph.from_collections(name, layer, dependencies=[source])  # type: ignore[arg-type,list-item]
    return da.Array(graph, name, cut, meta=source._meta)  # type: ignore[no-untyped-call]


def _chunks(
    source: da.Array, cut: Sequence[Lengths]
) -> Iterator[tuple[Key, Lengths, list[Overlap]]]:
    """Key and shape of each chunk that has voxels, and what parts take from it."""
    axes = [_along(old, new) for old, new in zip(source.chunks, cut, strict=True)]
    for place in np.ndindex(source.numblocks):
        along = product(*(axis[n] for axis, n in zip(axes, place, strict=True)))
        shape = tuple(int(n[at]) for n, at in zip(source.chunks, place, strict=True))
        if overlaps := [Overlap(*zip(*some, strict=True)) for some in along]:
            yield (source.name, *place), shape, overlaps


def _along(old: Lengths, new: Lengths) -> list[list[tuple[int, slice, slice]]]:
    """For each chunk along one axis: which parts take from it, what, and where they put it."""
    chunks, parts = (list(accumulate(lengths, initial=0)) for lengths in (old, new))
    found: list[list[tuple[int, slice, slice]]] = [[] for _ in old]
    for start, stop in pairwise(sorted({*chunks, *parts})):
        chunk, part = (bisect_right(edges, start) - 1 for edges in (chunks, parts))
        taken, put = (slice(start - a, stop - a) for a in (chunks[chunk], parts[part]))
        found[chunk].append((part, taken, put))
    return found


def _divided(overlaps: list[Overlap], size: int) -> tuple[list[Overlap], list[list[Overlap]]]:
    """What is taken from a chunk of some size itself, and what is cut off it, by one task each."""
    near = [one for one in overlaps if 2 * one.size > size]
    rest = [one for one in overlaps if 2 * one.size <= size]
    return near, [rest] if near and rest else [[one] for one in rest]


@dataclass(frozen=True, slots=True)
class Taken:
    """Voxels of a chunk."""

    shape: Lengths
    """What the chunk's shape must be."""
    positions: Slices

    def of(self, chunk: Any) -> Array:
        """A view of them."""
        there = np.asarray(chunk)
        if there.shape != self.shape:  # else voxels would be missing, or others'
            raise ValueError(
                f"a chunk of the source has shape {there.shape} where its array says {self.shape}"
            )
        return there[self.positions]


@dataclass(frozen=True, slots=True)
class Cutting:
    """The task of the pieces that are cut off a chunk: copies, since views would keep the whole
    chunk in memory."""

    pieces: tuple[Taken, ...]

    def __call__(self, chunk: Any) -> list[Array]:
        """Cut them off."""
        return [_copy(piece.of(chunk)) for piece in self.pieces]


def _copy(voxels: Array) -> Array:
    made: Array = np.empty(voxels.shape, voxels.dtype, order="F")
    copy_tiled(voxels, made)
    return made


@dataclass(frozen=True, slots=True)
class Piece:
    """Voxels of a part."""

    put: Slices
    """Positions in the part."""
    found: Taken | int
    """Where they are in a chunk, or which they are of the pieces that were cut off one."""

    def of(self, value: Any) -> Array:
        """The voxels."""
        made: Array = value[self.found] if isinstance(self.found, int) else self.found.of(value)
        return made


@dataclass(frozen=True, slots=True)
class Gathering:
    """The task that puts the pieces of a part together."""

    shape: Lengths
    pieces: tuple[Piece, ...]

    def __call__(self, values: Sequence[Any]) -> Array:
        """Put each in its place."""
        found = [piece.of(value) for piece, value in zip(self.pieces, values, strict=True)]
        made: Array = np.empty(self.shape, _dtype(found), order="F")
        for piece, voxels in zip(self.pieces, found, strict=True):
            copy_tiled(voxels, made[piece.put])
        return made


def _dtype(pieces: Sequence[Array]) -> np.dtype[Any]:
    """The pieces' own type: chunks may be of another than their array claims, and a cast would lose
    what is in them. `result_type` turns the bytes round, which nobody has asked for."""
    first, *others = {piece.dtype for piece in pieces}
    return first if not others else np.result_type(first, *others)
