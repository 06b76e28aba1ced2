"""Synthetic volumes that look like electron microscopy, and their exact segmentation.

Owns the picture. Must not know servers: a box goes in, voxels come out.

Every voxel is a function of its coordinates and the seed alone, so that any box can be made on its
own, in any order, by any process, and neighbouring boxes fit together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvid_array.box import Box, Triple, triple

TILE = 32
"""Voxels worked on at once along each axis: what the processor's cache holds."""
REACH = 2
"""Cells may reach so many lattice places from their own."""
FAR = np.float32(1e9)
MEMBRANE = 1.6
"""Half the thickness of a membrane in voxels."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tissue:
    """A piece of tissue: cells with dark membranes, and which body each voxel belongs to.

    Bodies are Voronoi cells of scattered points with weights, in space that is bent a little.

    Examples
    --------
    >>> gray, bodies = Tissue((256, 256, 256)).voxels((0, 0, 0), (64, 64, 64))
    >>> gray.shape, gray.dtype, bodies.dtype
    ((1, 64, 64, 64), dtype('uint8'), dtype('uint64'))
    """

    shape: Triple
    """Voxels along x, y, z for which body ids are unique; ids count from 1."""
    seed: int = 0
    """Other seeds make other tissue."""
    cell: int = 44
    """Usual diameter of a body in voxels."""

    @property
    def lattice(self) -> Triple:
        """Places where bodies begin, along x, y, z."""
        return triple(-(-n // self.cell) + 2 * REACH + 1 for n in self.shape)

    @property
    def most_bodies(self) -> int:
        """No body has a higher id."""
        x, y, z = self.lattice
        return x * y * z

    def voxels(
        self, start: Sequence[int], stop: Sequence[int]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
        """Gray values and body ids of a box.

        Parameters
        ----------
        start, stop : three integers
            Corners x, y, z, half-open, within the shape.

        Returns
        -------
        gray, bodies : ndarray
            Shape (1, x, y, z), Fortran-ordered.
        """
        box = Box(triple(start), triple(stop))
        if not Box((0, 0, 0), self.shape).contains(box):
            raise ValueError(f"{box} is not inside the tissue, which has {self.shape} voxels")
        gray = np.empty(box.shape, np.uint8, order="F")
        bodies = np.empty(box.shape, np.uint64, order="F")
        for tile in _tiles(box):
            place = tile.slices(box.start)
            gray[place], bodies[place] = self._tile(tile)
        return gray[np.newaxis], bodies[np.newaxis]

    def _tile(self, tile: Box) -> tuple[Floats, NDArray[np.int64]]:
        """Gray values and ids of a small box, from its nearest and second nearest body."""
        points = self._bent(tile)
        places, weights, ids = self._cells(tile)
        nearest = np.full(tile.shape, FAR, np.float32)
        second = nearest.copy()
        owner = np.zeros(tile.shape, np.int32)
        for number, (place, weight) in enumerate(zip(places, weights, strict=True)):
            far = sum(((axis - a) ** 2 for axis, a in zip(points, place, strict=True)), -weight)
            np.minimum(second, np.maximum(far, nearest), out=second)
            owner[far < nearest] = number
            np.minimum(nearest, far, out=nearest)
        # half the difference of squares over the distance of the centres: voxels to the membrane
        depth = (second - nearest) / np.float32(2 * self.cell)
        return self._shaded(tile, depth, ids[owner]), ids[owner]

    def _shaded(self, tile: Box, depth: Floats, ids: NDArray[np.int64]) -> Floats:
        """Membranes dark, each body with a shade of its own, and the grain of a microscope."""
        body = 150 + 30 * _hash(ids, self.seed + 11)
        membrane = 110 * np.exp(-((depth / MEMBRANE) ** 2))
        grain = _hash(_serial(tile), self.seed + 5) + _hash(_serial(tile), self.seed + 7) - 1
        shaded: Floats = np.clip(body - membrane + 26 * grain, 0, 255)
        return shaded

    def _bent(self, tile: Box) -> list[Floats]:
        """Coordinates x, y, z of a tile's voxels, bent by long waves."""
        x, y, z = _open_grid(tile)
        turn = np.float32(2 * np.pi / (2.7 * self.cell))
        swing = np.float32(self.cell / 7)
        return [
            x + swing * (np.sin(turn * y) + np.sin(turn * z)),
            y + swing * (np.sin(turn * z + 1) + np.sin(turn * x + 2)),
            z + swing * (np.sin(turn * x + 3) + np.sin(turn * y + 4)),
        ]

    def _cells(self, tile: Box) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """Centres, weights and ids of the bodies that can reach a tile."""
        ranges = [
            np.arange(a // self.cell - REACH, (b - 1) // self.cell + REACH + 1)
            for a, b in zip(tile.start, tile.stop, strict=True)
        ]
        corners = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3)
        rows = tuple((corners + REACH).T)
        ids = 1 + np.asarray(np.ravel_multi_index(rows, self.lattice))
        jitter = np.stack([_hash(ids, self.seed + axis) for axis in range(3)], axis=-1)
        places = (corners + jitter).astype(np.float32) * np.float32(self.cell)
        weights = (_hash(ids, self.seed + 3) ** 3 * self.cell**2).astype(np.float32)
        near = self._near(tile, places, weights)
        return places[near], weights[near], ids[near]

    def _near(self, tile: Box, places: Floats, weights: Floats) -> NDArray[np.bool_]:
        """Which bodies can be nearest or second nearest to some voxel of a tile."""
        swing = 2 * self.cell / 7
        low = np.array(tile.start) - swing
        high = np.array(tile.stop) + swing
        outside = np.maximum(0, np.maximum(low - places, places - high))
        farthest = np.maximum(abs(places - low), abs(places - high))
        least = (outside**2).sum(axis=1) - weights
        most = (farthest**2).sum(axis=1) - weights
        near: NDArray[np.bool_] = least <= np.partition(most, 1)[1]
        return near


def _tiles(box: Box) -> Iterator[Box]:
    ranges = [range(a, b, TILE) for a, b in zip(box.start, box.stop, strict=True)]
    for corner in product(*ranges):
        yield Box.sized(corner, (TILE, TILE, TILE)).intersect(box)


def _open_grid(tile: Box) -> list[Any]:
    axes = [np.arange(a, b, dtype=np.float32) for a, b in zip(tile.start, tile.stop, strict=True)]
    return list(np.ix_(*axes))


def _serial(tile: Box) -> NDArray[np.uint32]:
    """A number of its own for each voxel, whatever box it is made in."""
    axes = [np.arange(a, b, dtype=np.uint32) for a, b in zip(tile.start, tile.stop, strict=True)]
    x, y, z = np.ix_(*axes)
    serial: NDArray[np.uint32] = x + y * np.uint32(7919) + z * np.uint32(15485863)
    return serial


def _hash(values: NDArray[Any], seed: int) -> Floats:
    """Pseudo-random numbers from 0 to 1, one for each integer (a finaliser of MurmurHash3)."""
    mixed = values.astype(np.uint32) * np.uint32(2654435769) + np.uint32(seed * 40503 % 2**32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        mixed ^= mixed >> np.uint32(shift)
        mixed *= np.uint32(factor)
    scaled: Floats = mixed.astype(np.float32) * np.float32(2.0**-32)
    return scaled
