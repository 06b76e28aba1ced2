"""Labels for tests: a few bodies, their truth, and merges that somebody else makes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import requests

from dvid_array import Box, DvidArray, Node

HIGH = 2**63 + 9
IDS = (5, 6, 7, 8, HIGH)
SHAPE = (160, 96, 96)


def voxels() -> np.ndarray:
    """Bodies of several kinds in blocks of 32³."""
    labels = np.zeros(SHAPE, np.uint64, order="F")
    labels[10:100, 20:50, 30:70] = 5
    labels[95:150, 40:44, 60:64] = 5  # a branch
    labels[20:40, 30:70, 40:90] = 6
    labels[100:120, :, 0:20] = HIGH
    labels[64:96, 32:64, 64:96] = 8  # one whole block
    labels[0, 0, 0] = labels[159, 95, 95] = 7  # two voxels, far apart
    return labels


@dataclass(frozen=True)
class Labels:
    """A label volume on a server, and the same voxels in memory."""

    array: DvidArray
    truth: np.ndarray
    """Shape x, y, z."""
    start: tuple[int, int, int]
    """Coordinates of its first voxel."""

    @property
    def whole(self) -> Box:
        """Where `truth` lies."""
        return Box.sized(self.start, self.truth.shape)

    def mask(self, label: int) -> np.ndarray:
        """Where a body is."""
        return self.truth == np.uint64(label)

    def box(self, label: int) -> Box:
        """The smallest box around a body."""
        places = np.argwhere(self.mask(label))
        if not len(places):
            return Box((0, 0, 0), (0, 0, 0))
        sizes = np.ptp(places, axis=0) + 1
        return Box.sized(places.min(axis=0) + self.start, sizes)

    def inside(self, label: int) -> np.ndarray:
        """A body in the smallest box around it, with a channel."""
        return self.mask(label)[self.box(label).slices(self.start)][None]


def write(node: Node, start: tuple[int, int, int], max_scale: int = 0, **options: Any) -> Labels:
    """A new labelmap that holds `voxels()` from `start` on, its index up to date."""
    array = node.create("seg", "uint64", block=(32, 32, 32), max_scale=max_scale, **options)
    truth = voxels()
    stop = tuple(a + n for a, n in zip(start, SHAPE, strict=True))
    array.voxels[:, *map(slice, start, stop)] = truth[None]
    made = Labels(array, truth, start)
    settle(made)
    return made


def settle(labels: Labels) -> None:
    """Wait until the server's index has what was written: it lags behind the answer of a post."""
    ids, counts = np.unique(labels.truth[labels.truth > 0], return_counts=True)
    end = time.monotonic() + 10
    while not np.array_equal(labels.array.bodies.size(ids), counts):
        assert time.monotonic() < end, "the index does not settle"
        time.sleep(0.02)


def post(array: DvidArray, action: str, body: list[int]) -> dict[str, int]:
    """A mutation of bodies, as some other program makes it."""
    path = f"{array.server_url}/api/node/{array.uuid}/{array.instance}/{action}"
    answer = requests.post(path, json=body, timeout=60)
    answer.raise_for_status()
    found: dict[str, int] = answer.json()
    return found
