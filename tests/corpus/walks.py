"""What a user does with the client, each walk about one thing; all results compared with numpy.

Walks are deterministic: they make the same requests every time, in whatever order threads make
them. `record_client` walks through a real DVID, `test_tape` through what that answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dvid_array
from dvid_array import DvidArray, Node

Walk = Callable[[Node], None]
WALKS: dict[str, Walk] = {}
KINDS = {
    "uint8blk": ("uint8", 1),
    "uint16blk": ("uint16", 1),
    "uint32blk": ("uint32", 1),
    "uint64blk": ("uint64", 1),
    "float32blk": ("float32", 1),
    "rgba8blk": ("uint8", 4),
    "labelmap": ("uint64", 1),
}
BOX = (slice(5, 40), slice(3, 37), slice(10, 50))
"""Unaligned on every face, over several blocks of 16."""


def walk(steps: Walk) -> Walk:
    """Enter a walk in the table."""
    WALKS[steps.__name__] = steps
    return steps


def voxels(shape: tuple[int, ...], dtype: Any, high: int = 200) -> np.ndarray:
    """Values by a formula, in cells as labels have them."""
    c, x, y, z = np.ogrid[tuple(slice(0, n) for n in shape)]
    return ((3 * (x // 4) + 5 * (y // 4) + 7 * (z // 3) + 11 * c) % high).astype(dtype)


def written(node: Node, kind: str, **options: Any) -> tuple[DvidArray, np.ndarray]:
    """A volume with a box in it, and the numpy array of the same voxels."""
    dtype, channels = KINDS[kind]
    array = node.create(kind, dtype, channels=channels, kind=kind, block=(16, 16, 16), **options)
    truth = np.zeros((channels, 40, 37, 50), dtype)
    truth[(slice(None), *BOX)] = voxels((channels, 35, 34, 40), dtype)
    array[(slice(None), *BOX)] = truth[(slice(None), *BOX)]
    return array, truth


def images(node: Node, **settings: Any) -> None:
    """Every voxel type: an unaligned write, and reads of many shapes."""
    for kind in KINDS:
        array, truth = written(node, kind)
        array = dvid_array.open(array.url, settings=dvid_array.Settings(**settings))
        assert array.shape == truth.shape
        assert array.minindex == (0, 5, 3, 10)
        assert np.array_equal(array[...], truth)
        for key in (np.s_[:, 7:33, 20, ::3], np.s_[:, [1, 30, 8], 4:9], np.s_[0, -1, -1, -1]):
            assert np.array_equal(array[key], truth[key])
        assert np.array_equal(
            array.vindex[0, [6, 39], [3, 36], [49, 10]], truth[0, [6, 39], [3, 36], [49, 10]]
        )
        assert not array.voxels[:, -20:-4, 0:16, 60:70].any()


@walk
def by_blocks(node: Node) -> None:
    """Voxels by the blocks as they are stored."""
    images(node, transport="auto")


@walk
def by_raw(node: Node) -> None:
    """Voxels by `raw`."""
    images(node, transport="raw")


@walk
def compressions(node: Node) -> None:
    """Images as the server may store them."""
    for compression in ("none", "lz4", "gzip"):
        array = node.create(compression, "uint16", block=(16, 32, 16), compression=compression)
        truth = voxels((1, 48, 64, 32), np.uint16, 60000)
        array[:, 0:48, 0:64, 0:32] = truth
        assert np.array_equal(array[...], truth)


@walk
def signed(node: Node) -> None:
    """Negative coordinates."""
    array = node.create("gray", "uint8", block=(16, 16, 16))
    truth = voxels((1, 30, 20, 25), np.uint8)
    array.voxels[:, -17:13, -20:0, 5:30] = truth
    assert array.refresh().minindex == (0, -17, -20, 5)
    assert array.shape == (1, 13, 0, 30)
    assert np.array_equal(array.stored[...], truth)
    assert np.array_equal(array.get_ndarray((0, -17, -20, 5), (1, 13, 0, 30)), truth)


@walk
def versions(node: Node) -> None:
    """Commit, new version, branch: each version keeps its own voxels."""
    array = node.create("gray", "uint8", block=(16, 16, 16))
    array[:, 0:16, 0:16, 0:16] = 1
    node.commit("first")
    with pytest.raises(dvid_array.DvidLockedError):
        dvid_array.open(array.url)[:, 0:16, 0:16, 0:16] = 2
    child = node.new_version("second")
    child["gray"][:, 4:8, 0:16, 0:16] = 2
    branch = node.new_branch("side", "third")
    branch["gray"][:, 0:2, 0:2, 0:2] = 3
    assert [int(n["gray"][...].sum()) for n in (node, child, branch)] == [4096, 5120, 4112]
    repo = child.repo.refresh()
    assert list(repo.branches) == ["master", "side"]
    assert repo.branches["master"].uuid == child.uuid


@walk
def refusals(node: Node) -> None:
    """What a real DVID refuses, in its own words."""
    node.create("gray", "uint8")
    with pytest.raises(dvid_array.DvidExistsError, match="already exists"):
        node.create("gray", "uint8")
    with pytest.raises(dvid_array.DvidNotFoundError, match="invalid data instance name"):
        node["nothing"]
    with pytest.raises(dvid_array.DvidNotFoundError, match="could not find UUID"):
        node.server["0123456789abcdef0123456789abcdef"]["gray"]
    with pytest.raises(dvid_array.DvidRequestError, match="unlocked node"):
        node.new_version()
