"""Scales: the same volume at half its resolution, a quarter of it, and so on.

Owns how scales follow from one another: names, extents, numbers. Pure; must not know servers.

A labelmap keeps its scales inside one instance. Of an image each scale is an instance of its own,
named after the first: ``gray``, ``gray_1``, ``gray_2``. That is how Neuroglancer finds them
(its `src/datasource/dvid/frontend.ts`).
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from itertools import count, takewhile

from dvid_array.box import Box, Triple, triple

SMALL = 256
"""Longest edge in voxels of a volume that needs no coarser scale: a viewer fetches it whole."""


def level_name(name: str, scale: int) -> str:
    """Name of the instance that holds a scale of an image."""
    return f"{name}_{scale}" if scale else name


def level_names(name: str, listed: Container[str]) -> list[str]:
    """The instances of an image pyramid that are listed: they end at the first that is not."""
    coarser = takewhile(listed.__contains__, (level_name(name, scale) for scale in count(1)))
    return [name, *coarser]


def without_levels(images: Iterable[str]) -> list[str]:
    """The names without those that are coarser scales of another one."""
    names = list(images)
    coarser = {level for name in names for level in level_names(name, names)[1:]}
    return [name for name in names if name not in coarser]


def enough(shape: Triple) -> int:
    """How many halvings make a volume small; one at least, without which Neuroglancer shows no
    labelmap (it reads `MaxDownresLevel` as a positive number)."""
    return max(1, ((max(shape) - 1) // SMALL).bit_length())


def rescaled(box: Box, steps: int) -> Box:
    """The box of coarser voxels that hold any of a box (`steps` halvings), or of the finer voxels
    in it (negative `steps`)."""
    if steps < 0:
        by = 1 << -steps
        return Box(triple(a * by for a in box.start), triple(b * by for b in box.stop))
    by = 1 << steps
    return Box(triple(a // by for a in box.start), triple(-(-b // by) for b in box.stop))
