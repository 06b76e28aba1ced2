"""Reading: every transport against numpy, few requests, no block that is not needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

import dvid_array
from dvid_array.box import Box
from dvid_array.client import reading
from dvid_array.errors import DvidTypeError

s_ = np.s_
Filled = Callable[..., tuple[dvid_array.DvidArray, np.ndarray]]

KINDS = [
    ("uint8", 1, {}),
    ("uint8", 4, {}),
    ("uint16", 1, {}),
    ("uint32", 1, {"compression": "none"}),
    ("float32", 1, {"compression": "gzip"}),
    ("uint64", 1, {"kind": "uint64blk"}),
    ("uint64", 1, {"kind": "labelmap"}),
]


def voxel_requests(sent: list[Any]) -> list[Any]:
    return [
        one for one in sent if one.action in ("subvolblocks", "specificblocks", "blocks", "raw")
    ]


@pytest.mark.parametrize("transport", ["auto", "blocks", "raw"])
@pytest.mark.parametrize(("dtype", "channels", "options"), KINDS)
def test_every_type_by_every_transport(
    filled: Filled, transport: str, dtype: str, channels: int, options: dict[str, Any]
) -> None:
    array, truth = filled(dtype, (channels, 70, 60, 50), (32, 32, 32), **options)
    array = dvid_array.open(array.url, settings=dvid_array.Settings(transport=transport))
    assert np.array_equal(array[...], truth)
    assert np.array_equal(array[:, 33:65, 5, ::7], truth[:, 33:65, 5, ::7])
    assert not array.voxels[:, -40:0, 0:10, 0:10].any()


@pytest.mark.dev
@pytest.mark.parametrize("jpeg", [True, False])
def test_a_proxy_of_a_store(jpeg: bool) -> None:
    """Public gray volumes are such: `raw` is refused, and blocks are as the store keeps them."""
    x, y, z = np.ogrid[:150, :100, :70]
    truth = (127 + 60 * np.sin(x / 30) * np.cos(y / 25) + z // 8).astype(np.uint8)[None]
    with dvid_array.serve() as running:
        node = dvid_array.connect(running.url, admin_token=running.admin_token).create_repo("r")
        running.add_gridstore("far")
        places = {"BlockSize": "64,64,64", "MinPoint": "0,0,0", "MaxPoint": "150,100,70"}
        config = {"typename": "uint8blk", "dataname": "v", "GridStore": "far"} | places
        url = f"{running.url}/api/repo/{node.uuid}/instance"
        requests.post(url, json=config, timeout=10).raise_for_status()
        running.fill_gridstore("far", node.uuid, "v", truth[0], jpeg=jpeg)
        array = node["v"]
        assert array.shape == truth.shape
        for key in (s_[...], s_[0, 3, 4, 5], s_[:, 60:149:7, ::-3, 66], s_[0, [1, 149, 1], 3]):
            difference = np.abs(array[key].astype(int) - truth[key])
            assert difference.max() <= (16 if jpeg else 0)
        around = array.read((-70, -5, -5), (300, 200, 1))
        inside = around[:, 70:220, 5:105, 5:].copy()
        assert np.abs(inside.astype(int) - truth[..., :1]).max() <= (16 if jpeg else 0)
        around[:, 70:262, 5:133, 5:] = 0  # whole blocks of the store
        assert not around.any()
        assert np.array_equal(array.to_dask().compute(), array[...])
        asked = {
            request.path.split("/")[5] for request in running.requests if "/v/" in request.path
        }
        assert asked <= {"info", "subvolblocks", "specificblocks"}


def test_unequal_blocks(filled: Filled) -> None:
    array, truth = filled("uint16", (1, 130, 70, 40), (64, 32, 16))
    assert np.array_equal(array[...], truth)
    assert np.array_equal(array[:, 60:70, 31:33, 15:17], truth[:, 60:70, 31:33, 15:17])


def test_a_single_unwritten_block_of_labels_is_zero(node: dvid_array.Node) -> None:
    node.create("seg", "uint64", shape=(128, 128, 128))
    for transport in ("auto", "raw"):
        array = node["seg"]
        array = dvid_array.open(array.url, settings=dvid_array.Settings(transport=transport))
        assert not array[:, 0:64, 64:128, 0:64].any()
        assert not array.voxels[:, 640:704, 0:64, 0:64].any()


def test_strides_and_lists_skip_blocks(filled: Filled, sent: list[Any]) -> None:
    array, truth = filled(shape=(1, 256, 32, 32))
    sent.clear()
    assert np.array_equal(array[:, [3, 200]], truth[:, [3, 200]])
    assert [one.action for one in sent] == ["specificblocks"]
    assert sent[0].query["blocks"] == "0,0,0,6,0,0"
    assert array.plan(np.s_[:, ::64]).blocks == 4
    assert array.plan(np.s_[:, ::2]).blocks == 8


def test_a_plane_is_not_worth_whole_blocks(filled: Filled, sent: list[Any]) -> None:
    array, truth = filled(shape=(1, 128, 128, 32))
    sent.clear()
    assert np.array_equal(array[0, :, :, 5], truth[0, :, :, 5])
    assert [one.action for one in sent] == ["raw"]


def test_slabs_span_x_and_y(filled: Filled) -> None:
    array, _ = filled(block=(64, 64, 64), shape=(1, 65, 65, 65))
    _, requests = reading.plan(array._volume, [Box((0, 0, 0), (512, 512, 512))])
    assert {request.box.shape for request in requests} == {(512, 512, 64)}
    assert len(requests) == 8


def test_a_way_a_volume_does_not_have_is_refused(node: dvid_array.Node) -> None:
    array = node.create("jpeg", "uint8", compression="jpeg")
    array = dvid_array.open(array.url, settings=dvid_array.Settings(transport="blocks"))
    with pytest.raises(DvidTypeError, match="auto"):
        array.voxels[:, 0:4, 0:4, 0:4]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_coordinates_beyond_32_bits_are_refused(filled: Filled, sent: list[Any], axis: int) -> None:
    array, _ = filled(shape=(1, 8, 8, 8))
    sent.clear()
    key = [slice(0, 1)] * 4
    key[axis + 1] = slice(2**31, 2**31 + 1)
    with pytest.raises(IndexError, match="32-bit"):
        array.voxels[tuple(key)]
    assert sent == []


def test_any_box_equals_numpy(filled: Filled) -> None:
    shape = (1, 70, 60, 50)
    array, truth = filled("uint8", shape)
    around = np.pad(truth, ((0, 0), (40, 40), (40, 40), (40, 40)))
    corner = st.tuples(*(st.integers(-40, n + 40) for n in shape[1:]))

    @given(corner, corner)
    def check(a: tuple[int, int, int], b: tuple[int, int, int]) -> None:
        box = Box(tuple(map(min, a, b)), tuple(map(max, a, b)))  # type: ignore[arg-type]
        expected = around[(slice(None), *box.slices((-40, -40, -40)))]
        assert np.array_equal(array.read(box.start, box.stop), expected)
        out = np.full(expected.shape, 9, np.uint8)
        assert array.read(box.start, box.stop, out=out) is out
        assert np.array_equal(out, expected)

    check()
