"""Lower scales of labels, by DVID's rule. Must not know the store.

A voxel of the lower scale is the most frequent label but 0 of its eight children, the smallest one
where several are; a block is made of the eight blocks that it covers. Only the octants of changed
blocks are made anew, with one exception that is DVID's own: where all changed blocks are solid with
one label, as which those not changed count as 0, the whole block becomes that label.

Source: `datatype/common/labels/compressed.go` (Downres, setBlank), `datatype/labelmap/downres.go`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from dvid_array.box import Triple, triple

Labels = np.ndarray[Any, np.dtype[np.uint64]]
Octants = list[Triple | None]
"""Which changed block each octant of a parent is made of."""


class NegativeOctantError(Exception):
    """DVID panics at odd negative blocks: it takes a remainder for the number of an octant."""


def halved(labels: Labels) -> Labels:
    """Labels (x, y, z), even along each axis, at half the resolution."""
    x, y, z = labels.shape
    children = labels.reshape(x // 2, 2, y // 2, 2, z // 2, 2).transpose(1, 3, 5, 0, 2, 4)
    votes: Labels = children.reshape(8, -1)
    out: Labels = votes[0].copy()
    mixed = np.flatnonzero((votes != votes[0]).any(axis=0))
    out[mixed] = _winners(votes[:, mixed])
    return out.reshape(x // 2, y // 2, z // 2)


def _winners(votes: Labels) -> Labels:
    ordered = np.sort(votes, axis=0)
    counts = (ordered[:, None] == ordered[None]).sum(axis=1)
    counts[ordered == 0] = 0
    # The first of the highest counts belongs to the smallest label.
    best = counts.argmax(axis=0)
    winners: Labels = np.take_along_axis(ordered, best[None], axis=0)[0]
    return winners


def parents(changed: Iterable[Triple]) -> dict[Triple, Octants]:
    """The blocks of the next scale that changed ones are part of, with their octants.

    Raises
    ------
    NegativeOctantError
        Where DVID would panic.
    """
    found: dict[Triple, Octants] = {}
    for block in changed:
        x, y, z = (int(math.fmod(value, 2)) for value in block)
        octant = 4 * z + 2 * y + x
        if octant < 0:
            raise NegativeOctantError(f"runtime error: index out of range [{octant}]")
        octants = found.setdefault(triple(value >> 1 for value in block), [None] * 8)
        octants[octant] = block
    return found


def next_scale(
    changed: Mapping[Triple, Labels], stored: Callable[[Triple], Labels]
) -> Iterator[tuple[Triple, Labels]]:
    """The changed blocks of the next scale.

    Parameters
    ----------
    changed : mapping
        Block coordinates -> labels (x, y, z) of the changed blocks; at most eight are held at a
        time.
    stored : callable
        What the next scale holds at a block, zeros where nothing.
    """
    for block, octants in parents(changed).items():
        parts = [None if octant is None else changed[octant] for octant in octants]
        yield block, _merged(parts, block, stored)


def _merged(
    octants: list[Labels | None], block: Triple, stored: Callable[[Triple], Labels]
) -> Labels:
    shape = next(octant.shape for octant in octants if octant is not None)
    solid = {_solid(octant) for octant in octants}
    if len(solid) == 1 and None not in solid:
        return np.full(shape, solid.pop(), np.uint64)
    out = stored(block).copy()
    for number, octant in enumerate(octants):
        if octant is not None:
            out[_half(number, shape)] = halved(octant)
    return out


def _half(number: int, shape: tuple[int, ...]) -> tuple[slice, ...]:
    halves = (number & 1, number >> 1 & 1, number >> 2)
    return tuple(
        slice(half * (extent // 2), (half + 1) * (extent // 2))
        for half, extent in zip(halves, shape, strict=True)
    )


def _solid(octant: Labels | None) -> int | None:
    if octant is None:
        return 0
    first = octant.flat[0]
    return int(first) if (octant == first).all() else None
