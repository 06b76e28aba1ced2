"""What an array tells of itself, without a server."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from dvid_array import Settings, addresses
from dvid_array.box import Box
from dvid_array.client.masks import Body
from dvid_array.client.regions import Region
from dvid_array.protocol import spans
from tests import offline

CORNERS: list[tuple[Box | None, tuple[int, ...], tuple[int, ...]]] = [
    (None, (1, 0, 0, 0), (0, 0, 0, 0)),
    (Box((0, 0, 0), (5, 6, 7)), (1, 5, 6, 7), (0, 0, 0, 0)),
    (Box((2, 3, 4), (5, 6, 7)), (1, 5, 6, 7), (0, 2, 3, 4)),
    (Box((-9, 0, -1), (5, 6, 0)), (1, 5, 6, 0), (0, -9, 0, -1)),
    (Box((-9, -9, -9), (-5, 6, 7)), (1, 0, 6, 7), (0, -9, -9, -9)),
]


@pytest.mark.parametrize(("extents", "shape", "minindex"), CORNERS)
def test_corners(extents: Box | None, shape: tuple[int, ...], minindex: tuple[int, ...]) -> None:
    array = offline.array(extents=extents)
    assert (array.shape, array.minindex, array.origin) == (shape, minindex, (0, 0, 0, 0))
    assert (array.size, array.nbytes) == (math.prod(shape), math.prod(shape))
    assert (len(array), array.ndim, array.axiskeys) == (1, 4, "cxyz")
    if extents is not None:
        assert array.stored.origin == minindex
        assert array.stored.shape == (1, *extents.shape)


def test_sizes_are_whole_numbers_however_large() -> None:
    """Beyond what numpy's integers hold."""
    array = offline.array(kind="float32blk", extents=Box((0, 0, 0), (2**31 - 1,) * 3))
    assert array.size == (2**31 - 1) ** 3
    assert array.nbytes == 4 * (2**31 - 1) ** 3
    assert type(array.size) is int


@pytest.mark.parametrize(
    ("kind", "dtype", "channels"),
    [
        ("uint8blk", "uint8", 1),
        ("uint16blk", "uint16", 1),
        ("float32blk", "float32", 1),
        ("rgba8blk", "uint8", 4),
        ("labelmap", "uint64", 1),
    ],
)
def test_types(kind: str, dtype: str, channels: int) -> None:
    array = offline.array(kind=kind, block=(32, 16, 64))
    assert (array.kind, array.dtype) == (kind, np.dtype(dtype))
    assert array.itemsize == array.dtype.itemsize
    assert array.nbytes == array.size * array.itemsize
    assert array.block_shape == array.chunks == (channels, 32, 16, 64)
    assert (len(array), array.shape[0]) == (channels, channels)


@pytest.mark.parametrize("scale", [0, 1, 3])
def test_scales(scale: int) -> None:
    """Voxels are longer, blocks hold as many of them."""
    array = offline.array(
        kind="labelmap", scale=scale, max_scale=3, extents=Box((8, 0, 16), (100, 201, 300))
    )
    step = 2**scale
    assert array.scale == scale
    assert array.resolution == (4.0 * step, 4.0 * step, 40.0 * step)
    assert array.shape == (1, *(math.ceil(n / step) for n in (100, 201, 300)))
    assert array.minindex == (0, 8 // step, 0, 16 // step)
    assert array.block_shape == (1, 32, 32, 32)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"name": "a b/c?d#e%f&g\u00e9"},
        {"kind": "labelmap", "scale": 2, "max_scale": 3},
        {"kind": "labelmap", "supervoxels": True, "scale": 1, "max_scale": 1},
    ],
)
def test_its_url_is_an_address_of_it(facts: dict[str, Any]) -> None:
    array = offline.array(**facts)
    read = addresses.parse(array.url)
    assert (read.server, read.version) == (offline.NOWHERE, offline.VERSION)
    assert (read.server, read.version) == (array.server_url, array.uuid)
    assert (read.instance, read.scale) == (array.instance, array.scale)
    assert read.supervoxels is array.supervoxels


def test_a_mask_of_a_body_holds_truths() -> None:
    array = offline.array(kind="labelmap", body=Body(7, np.zeros((1, 3), np.int64)))
    assert (array.label, array.dtype, array.itemsize) == (7, np.bool_, 1)
    assert array.nbytes == array.size
    assert offline.array().label is None


def test_the_regions_it_is_seen_through() -> None:
    none = spans.checked(np.empty((0, 4), np.int64))
    regions = tuple(Region(name, (32, 32, 32), none) for name in ("brain", "left"))
    assert offline.array(regions=regions).regions == ("brain", "left")
    assert offline.array().regions == ()


def test_facts_of_the_handle() -> None:
    settings = Settings(threads=3)
    for locked in (False, True):
        array = offline.array(locked=locked, settings=settings)
        assert (array.locked, array.settings) == (locked, settings)
        assert array.units == ("nanometers",) * 3
        assert array.uuid == array.node.uuid == offline.VERSION


def test_the_place_on_the_grid_of_blocks() -> None:
    window = offline.array(kind="uint16blk").window((-5, 3, 40), (60, 70, 80))
    place = window.blocked_axes
    assert (place.start, place.shape) == ((0, -5, 3, 40), (1, 65, 67, 40))
    assert (place.block, place.itemsize) == ((1, 32, 32, 32), 2)
