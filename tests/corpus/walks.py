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
from dvid_array import Box, DvidArray, Node
from tests.labels import HIGH, Labels, post
from tests.labels import voxels as bodies_voxels

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


def labelled(node: Node, start: tuple[int, int, int] = (0, 0, 0), **options: Any) -> Labels:
    """A labelmap with a few bodies."""
    array = node.create("seg", "uint64", block=(32, 32, 32), **options)
    truth = bodies_voxels()
    place = Box.sized(start, truth.shape)
    array.voxels[(slice(None), *place.slices())] = truth[None]
    return Labels(array, truth, start)


@walk
def labels(node: Node) -> None:
    """Labels as DVID's own blocks, as voxels in lz4, and by `raw`; some blocks, and some voxels."""
    made = labelled(node)
    for transport in ("auto", "lz4", "raw"):
        settings = dvid_array.Settings(transport=transport)
        array = dvid_array.open(made.array.url, settings=settings)
        assert np.array_equal(array[0], made.truth)
        assert np.array_equal(array[0, 10:105, 33, ::5], made.truth[10:105, 33, ::5])
        assert np.array_equal(array[0, [0, 98, 159], 40:], made.truth[[0, 98, 159], 40:])
        assert not array.voxels[0, -9:0, 90:99, 200:210].any()


@walk
def merges(node: Node) -> None:
    """Bodies merged by somebody else: both ways to see them, and what may be written."""
    made = labelled(node)
    array, truth = made.array, made.truth.copy()
    assert post(array, "merge", [5, 6, HIGH])["MutationID"]
    bodies = np.where((truth == 6) | (truth == HIGH), np.uint64(5), truth)
    assert np.array_equal(array.mapping([5, 6, 7, HIGH, 99]), np.array([5, 5, 7, 5, 0], np.uint64))
    assert array.bodies.supervoxels(5).tolist() == [5, 6, HIGH]
    assert np.array_equal(array[0], bodies)
    with pytest.raises(dvid_array.DvidTypeError, match="supervoxels"):
        array[:, 0:8, 0:8, 0:8] = 1
    supervoxels = dvid_array.open(array.url, supervoxels=True)
    assert np.array_equal(supervoxels[0], truth)
    supervoxels[:, 90:110, 35:45, 1:62] = 6
    truth[90:110, 35:45, 1:62] = 6
    bodies[90:110, 35:45, 1:62] = 5
    assert np.array_equal(supervoxels[0], truth)
    assert np.array_equal(array[0], bodies)
    assert array.bodies.size(5) == (bodies == 5).sum()
    assert supervoxels.bodies.size([5, 6]).tolist() == [(truth == n).sum() for n in (5, 6)]


@walk
def bodies(node: Node) -> None:
    """Sizes, boxes, masks and runs of bodies, as DVID's index and blocks tell them."""
    made = labelled(node)
    array = made.array
    ids = np.array([5, 6, 7, 8, HIGH, 99], np.uint64)
    assert array.bodies.size(ids).tolist() == [made.mask(int(one)).sum() for one in ids]
    assert array.bodies.exists(ids).tolist() == [True] * 5 + [False]
    for label in (5, 7, 8, HIGH):
        assert array.bodies.bbox(label) == made.box(label)
        mask = array.body(label)
        assert np.array_equal(mask[...], made.inside(label))
        assert mask.origin[1:] == made.box(label).start
        assert np.array_equal(array.sparse(label).to_dense(), made.inside(label)[0])
    blocks = made.mask(5).reshape(5, 32, 3, 32, 3, 32).any(axis=(1, 3, 5))
    assert array.bodies.coarse(5).size == blocks.sum()
    with pytest.raises(dvid_array.DvidNotFoundError, match="no body 99"):
        array.body(99)


@walk
def bodies_at_negative_coordinates(node: Node) -> None:
    """Boxes, masks and runs around 0, where DVID's own masks fail."""
    made = labelled(node, (-70, -33, -40))
    for label in (5, 7, HIGH):
        assert made.array.bodies.bbox(label) == made.box(label)
        assert np.array_equal(made.array.body(label)[...], made.inside(label))
        assert made.array.sparse(label).bbox == made.box(label)


@walk
def points(node: Node) -> None:
    """Single voxels of labels: few in a block are asked for, many are taken from blocks."""
    made = labelled(node)
    rng = np.random.default_rng(5)
    for high, count in (((160, 96, 96), 200), ((32, 32, 32), 500)):
        xyz = rng.integers(0, high, (count, 3))
        assert np.array_equal(made.array.at_points(xyz), made.truth[tuple(xyz.T)])
    beyond = [(-1, 5, 5), (10, 20, 30), (500, 500, 500)]
    assert made.array.at_points(beyond).tolist() == [0, 5, 0]


@walk
def scales(node: Node) -> None:
    """Labels at the scales that DVID makes, and an image's scales, which are instances."""
    array = node.create("seg", "uint64", block=(32, 32, 32), max_scale=2)
    truth = voxels((1, 32, 32, 48), np.uint64).repeat(4, 1).repeat(4, 2).repeat(4, 3)
    array[:, 0:128, 0:128, 0:192] = truth
    assert array.scales == (0, 1, 2)
    for level in array.pyramid():
        step = 1 << level.scale
        assert np.array_equal(level[...], truth[:, ::step, ::step, ::step])
    for name, step in (("gray", 1), ("gray_1", 2)):
        small = truth[:, : 64 : step * 2, : 64 : step * 2, : 64 : step * 2].astype(np.uint8)
        image = node.create(name, "uint8", block=(16, 16, 16))
        image[tuple(slice(0, n) for n in small.shape)] = small
    fine, coarse = node["gray"].pyramid()
    assert (fine.instance, coarse.instance) == ("gray", "gray_1")
    assert np.array_equal(coarse[...], fine[:, ::2, ::2, ::2])


@walk
def ingests(node: Node) -> None:
    """A labelmap's blocks posted as they are kept, with a lower scale, of which no index knows."""
    array = node.create("seg", "uint64", block=(32, 32, 32), max_scale=1)
    truth = voxels((1, 48, 32, 32), np.uint64).repeat(2, 1).repeat(2, 2).repeat(2, 3)
    dvid_array.store(truth, array, ingest=True)
    assert np.array_equal(array[...], truth)
    assert np.array_equal(array.at_scale(1)[...], truth[:, ::2, ::2, ::2])
    assert array.bodies.size(int(truth.max())) == 0


@walk
def stores(node: Node) -> None:
    """A source in memory, in several parts: aligned, and across the borders of what is there."""
    array = node.create("gray", "uint16", block=(16, 16, 16))
    array = dvid_array.open(array.url, settings=dvid_array.Settings(request_bytes=40_000))
    truth = np.zeros((1, 70, 80, 90), np.uint16)
    first, second = Box((0, 0, 0), (48, 64, 64)), Box((21, 5, 37), (70, 80, 90))
    for number, box in enumerate((first, second), 1):
        source = voxels((1, *box.shape), np.uint16, 60000) + np.uint16(number)
        truth[(slice(None), *box.slices())] = source
        dvid_array.store(source, array, box, verify=number == 2)
        assert array.shape[1:] == box.stop
    assert np.array_equal(array[...], truth)


@walk
def rois(node: Node) -> None:
    """Regions of interest: made of a mask, read again, and arrays seen through them."""
    image, truth = written(node, "uint8blk")
    mask = truth[0, :32, :32, :48].reshape(2, 16, 2, 16, 3, 16)[:, 0, :, 0, :, 0] > 30
    mask = mask.repeat(16, 0).repeat(16, 1).repeat(16, 2)
    roi = node.create_roi("area", (16, 16, 16))
    assert roi.size == 0
    roi.post(mask)
    again = node.roi("area")
    assert again.size == mask.sum() > 0
    assert np.array_equal(again.mask((0, 0, 0), mask.shape), mask)
    inside = np.zeros(truth.shape[1:], bool)
    inside[:32, :32, :48] = mask
    assert np.array_equal(image.where(again)[...], truth * inside)
    roi.post_spans([(-2, -1, -3, 4), (0, 0, 0, 0)])
    assert again.refresh().box == Box((-48, -16, -32), (80, 16, 16))
    assert again.contains([(-48, -16, -32), (15, 15, 15), (16, 0, 0)]).tolist() == [
        True,
        True,
        False,
    ]
