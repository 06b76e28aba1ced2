"""A volume full of noise, the numpy array of the same voxels, and the server's own word on both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import requests

from dvid_array import DvidArray, Node
from dvid_array.box import Box

BOUNDS = Box((-32, -32, -48), (64, 64, 48))
"""More than every block that tests write to."""


def on_server(array: DvidArray, box: Box, **query: str) -> np.ndarray:
    """What the server itself says it holds, asked without the library."""
    size, offset = ("_".join(map(str, corner)) for corner in (box.shape, box.start))
    url = f"{array.server_url}/api/node/{array.uuid}/{array.instance}/raw/0_1_2/{size}/{offset}"
    answer = requests.get(url, params=query, timeout=60)
    answer.raise_for_status()
    voxels = np.frombuffer(answer.content, array.dtype)
    return voxels.reshape((array.shape[0], *box.shape), order="F")


@dataclass
class World:
    """Whatever a test writes stays in both, the server and the oracle."""

    array: DvidArray
    truth: np.ndarray = field(init=False)
    """Its voxels in `BOUNDS`."""
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(3))

    def __post_init__(self) -> None:
        channels = self.array.shape[0]
        self.truth = self.noise((channels, *BOUNDS.shape))
        self.array.post_ndarray((0, *BOUNDS.start), (channels, *BOUNDS.stop), self.truth)

    @classmethod
    def made(cls, node: Node, name: str, dtype: str, channels: int = 1, **options: Any) -> World:
        """A world of its own."""
        return cls(node.create(name, dtype, channels=channels, **options))

    def noise(self, shape: tuple[int, ...]) -> np.ndarray:
        """Values that use nearly every bit of the element type."""
        dtype = self.array.dtype
        if dtype.kind == "f":
            return self.rng.normal(size=shape).astype(dtype)
        if self.array.kind == "labelmap":  # the server keeps an index of every label
            return self.rng.choice(np.array([1, 2, 2**32 + 1, 2**48], dtype), shape)
        return self.rng.integers(1, 2 ** min(8 * dtype.itemsize, 48), shape, dtype)

    def place(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        """A key in DVID's coordinates as one of the oracle."""
        spatial = (
            slice(part.start - start, part.stop - start, part.step)
            if isinstance(part, slice)
            else np.asarray(part) - start
            for part, start in zip(key[1:], BOUNDS.start, strict=True)
        )
        return (key[0], *spatial)

    def write(self, key: tuple[Any, ...], values: Any) -> None:
        """The same voxels in both; the key has DVID's coordinates."""
        self.truth[self.place(key)] = values
        self.array.voxels[key] = values

    def check(self) -> None:
        """Every voxel, the written ones and their neighbours."""
        np.testing.assert_array_equal(on_server(self.array, BOUNDS), self.truth)


def key_of(box: Box) -> tuple[slice, ...]:
    """The key of a box, with all of its channels."""
    return (slice(None), *box.slices())
