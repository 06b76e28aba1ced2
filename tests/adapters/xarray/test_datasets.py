"""Several volumes on one grid, and scales as groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

import dvid_array
from dvid_array import DvidArray
from dvid_array.adapters.xarray.datasets import dataset, framed, groups
from tests.adapters.test_dask import bulk
from tests.conftest import Sent

Tissue = tuple[DvidArray, DvidArray, np.ndarray, np.ndarray]


def test_volumes_of_one_grid_are_one_dataset(tissue: Tissue, sent: list[Sent]) -> None:
    gray, labels, values, ids = tissue
    sent.clear()
    found = dataset([gray, labels])
    assert not sent
    assert found.sizes == {"channel": 1, "x": 48, "y": 40, "z": 32}
    assert {name: str(one.dtype) for name, one in found.items()} == {
        "gray": "uint8",
        "labels": "uint64",
    }
    np.testing.assert_array_equal(found.gray, values)
    np.testing.assert_array_equal(found.labels, ids)  # 0 where the labels do not reach
    part = found.isel(x=slice(0, 12), z=3).load()
    np.testing.assert_array_equal(part.labels, ids[:, :12, :, 3])


def test_their_chunks_are_the_same(tissue: Tissue) -> None:
    gray, labels, values, ids = tissue
    found = xr.open_dataset([gray, labels], engine="dvid", chunks={})
    assert found.chunks
    large = [array.window((0, 0, 0), (600, 600, 600)) for array in (gray, labels)]
    cut = xr.open_dataset(large, engine="dvid", chunks={}).chunksizes
    assert cut["x"] == (128, 128, 128, 128, 88)
    body = found.gray.where(found.labels == ids[0, 20, 20, 20], 0).sum().compute()
    assert body == values[ids == ids[0, 20, 20, 20]].sum()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"resolution": (4, 4, 4)}, "voxels of 4 nanometers x 4 nanometers x 4 nanometers"),
        ({"resolution": (4, 4, 8), "units": "um"}, "other: 1 channel"),
        ({"resolution": (4, 4, 8), "channels": 4}, "other: 4 channel"),
    ],
)
def test_other_grids_are_named(
    node: dvid_array.Node, tissue: Tissue, options: dict[str, object], words: str
) -> None:
    gray, labels, *_ = tissue
    other = node.create("other", "uint8", **options)
    with pytest.raises(ValueError, match=words) as told:
        dataset([gray, labels, other])
    assert "gray, labels: 1 channel(s), scale 0" in str(told.value)
    assert "drop_variables" in str(told.value)


def test_units_have_several_names(node: dvid_array.Node) -> None:
    """Those of the first are told; a unit that nobody knows is its own."""
    made = [
        node.create(name, "uint8", resolution=size, units=unit, shape=(64, 64, 64))
        for name, size, unit in (
            ("a", (4, 4, 8), "nm"),
            ("b", (4, 4, 8), "nanometers"),
            ("c", (0.004, 0.004, 0.008), "um"),
            ("d", (4, 4, 8), "pixels"),
            ("e", (4, 4, 8), "pixels"),
        )
    ]
    found = dataset(made[:3], physical=True)
    assert [found.z.attrs[name] for name in ("units", "dvid_spacing")] == ["nm", 8]
    assert found["c"].attrs["voxel_units"] == ["um"] * 3
    assert set(dataset(made[3:])) == {"d", "e"}
    with pytest.raises(ValueError, match=r"a, b: .* of 4 nm x .*; d: .* of 4 pixels x"):
        dataset([made[0], made[1], made[3]])


def test_scales_do_not_mix(tissue: Tissue) -> None:
    gray, labels, *_ = tissue
    with pytest.raises(ValueError, match="no grid in common"):
        dataset([gray, labels.at_scale(1)])


def test_frames(tissue: Tissue, node: dvid_array.Node) -> None:
    gray, labels, *_ = tissue
    nothing = node.create("nothing", "uint8", resolution=(4, 4, 8))
    assert {one.shape for one in framed([nothing, labels])} == {(1, 42, 40, 32)}
    assert {one.origin for one in framed([nothing, labels])} == {(0, 6, 0, 0)}
    windows = [gray.window((1, 2, 3), (4, 5, 6)), labels.window((2, 2, 2), (5, 4, 4))]
    assert {(one.origin, one.shape) for one in framed(windows)} == {((0, 1, 2, 2), (1, 4, 3, 4))}
    assert framed([nothing])[0].shape == (1, 0, 0, 0)
    assert dataset([]).sizes == {}


def test_two_of_one_name_are_none(tissue: Tissue) -> None:
    """One of them would get lost without a word."""
    gray, labels, *_ = tissue
    window = gray.window((0, 0, 0), (8, 8, 8))
    with pytest.raises(ValueError, match="several arrays are called gray"):
        dataset([gray, labels, window])


# Chunks.


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("chunks", "cut"),
    [
        ({}, ((1,), (80,), (64,), (48,))),
        ("auto", ((1,), (80,), (64,), (48,))),
        (16, ((1,), (10, 16, 16, 16, 16, 6), (16,) * 4, (16,) * 3)),
        ({"x": 32}, ((1,), (26, 32, 22), (64,), (48,))),
        ({"x": 33, "y": -1}, ((1,), (42, 38), (64,), (48,))),
        ({"channel": 1, "z": "auto", "y": 48}, ((1,), (80,), (48, 16), (48,))),
        ("8 KiB", ((1,), (26, 32, 22), (16,) * 4, (16,) * 3)),
        ((1, (10, 70), 16, -1), ((1,), (10, 70), (16,) * 4, (48,))),
    ],
)
def test_chunks_are_whole_blocks(
    filled: Callable[..., tuple[DvidArray, np.ndarray]], chunks: Any, cut: Any, sent: list[Sent]
) -> None:
    """As `to_dask` makes them, by every door of ours; and none of them is warned of."""
    array, truth = filled("uint8", (1, 86, 64, 48), (16, 16, 16))
    window = array.window((6, 0, 0), (86, 64, 48))
    wish = {dim[0]: n for dim, n in chunks.items()} if isinstance(chunks, dict) else chunks
    assert window.to_dask(wish or "auto").chunks == cut
    for shown in (
        window.to_xarray(chunks=chunks),
        dvid_array.open_dataset(window, chunks=chunks).volume,
        dvid_array.open_dataset([window], chunks=chunks).volume,
        dvid_array.open_datatree(window, chunks=chunks)["s0/volume"],
    ):
        assert shown.chunks == cut
        sent.clear()
        np.testing.assert_array_equal(shown[0, :20, 3].compute(), truth[0, 6:26, 3])
        assert all(_one_block_along(one, "y") for one in bulk(sent))
        np.testing.assert_array_equal(shown, truth[:, 6:])
        assert shown.attrs == window.to_xarray().attrs


def _one_block_along(request: Sent, axis: str) -> bool:
    """Whether a request is for one row of blocks of 16."""
    sizes, starts = (part.split("_") for part in request.path.split("/")[-2:])
    at = "xyz".index(axis)
    return int(starts[at]) // 16 == (int(starts[at]) + int(sizes[at]) - 1) // 16


def test_chunks_that_cut_blocks_are_warned_of(tissue: Tissue) -> None:
    """With the number and the remedy, at the line that asked."""
    gray, labels, values, _ = tissue
    doors: list[Callable[[Any], Any]] = [
        lambda chunks: gray.to_xarray(chunks=chunks),
        lambda chunks: dvid_array.open_dataset([gray, labels], chunks=chunks).gray,
    ]
    remedy = r"read each block 4\.0 times.*\(1, 16, 48, 32\)"
    for opened in doors:
        with pytest.warns(UserWarning, match=remedy) as told:
            shown = opened({"x": (4,) * 12, "y": -1, "z": -1})
        assert {one.filename for one in told} == {__file__}
        np.testing.assert_array_equal(shown, values)
        with pytest.raises(ValueError, match=r"chunks of \['t'\]: the dims are channel, x, y, z"):
            opened({"t": 5})
    with pytest.raises(ValueError, match="do not make up its 24 voxels"):
        dvid_array.open_datatree(gray, chunks={"x": (16, 16, 16)})


def test_what_lies_in_one_place_has_names_of_its_own(node: dvid_array.Node) -> None:
    """Bodies of a volume, and scales of one so small that they are as large as one another."""
    array = node.create("v", "uint64", block=(16, 16, 16), max_scale=2)
    array[:, :16, :16, :16] = np.arange(1, 17, dtype=np.uint64)
    small = [array.at_scale(scale).window((0, 0, 0), (1, 1, 1)) for scale in range(3)]
    tree = dvid_array.open_datatree(small[0], chunks={})
    bodies = dvid_array.open_dataset([array.body(n) for n in (3, 4)], chunks={})
    for found in ([one["v"] for one in tree.children.values()], list(bodies.values())):
        assert len({one.data.name for one in found}) == len(found) > 1
    total = sum(one.sum() * n for n, one in zip((3, 4), bodies.values(), strict=True))
    assert total == (3 + 4) * 16 * 16


def test_volumes_whose_blocks_differ_share_chunks(node: dvid_array.Node) -> None:
    made = [
        node.create(f"v{edge}", "uint8", block=(edge,) * 3, shape=(192, 96, 96))
        for edge in (16, 32, 48)
    ]
    found = dvid_array.open_dataset(made, chunks={"x": 1, "y": 1, "z": -1})
    assert found.chunks["x"] == found.chunks["y"] * 2 == (96, 96)


@pytest.mark.parametrize("which", ["gray", "labels"])
def test_scales_are_siblings_with_labels_of_scale_0(
    tissue: Tissue, which: str, sent: list[Sent]
) -> None:
    gray, labels, values, ids = tissue
    array, truth = (gray, values) if which == "gray" else (labels, ids[:, 6:])
    low = 0 if which == "gray" else 6
    found = groups(array.pyramid())
    assert not bulk(sent[-10:])
    assert list(found) == ["s0", "s1"] + ["s2"] * (which == "labels")
    for scale, one in enumerate(found.values()):
        by = 1 << scale
        assert list(one) == [which]
        np.testing.assert_array_equal(one.x, np.arange(low // by * by, 48, by))
        np.testing.assert_array_equal(one.z, np.arange(0, 32, by))
        assert one[which].attrs["voxel_size"] == [4 * by, 4 * by, 8 * by]
        assert one.x.attrs["dvid_step"] == by
        assert one[which].dtype == truth.dtype
    np.testing.assert_array_equal(found["s0"][which], truth)
    half = truth[:, ::2, ::2, ::2]
    np.testing.assert_array_equal(found["s1"][which], half)
    np.testing.assert_array_equal(
        found["s1"][which].sel(x=slice(20, 27)), half[:, (20 - low) // 2 : (28 - low) // 2]
    )


def test_labels_of_all_scales_in_units(tissue: Tissue) -> None:
    gray, labels, *_ = tissue
    for array in (gray, labels):
        low = array.minindex[1]
        found = groups(array.pyramid(), physical=True)["s1"]
        np.testing.assert_array_equal(found.x, 4.0 * np.arange(low, 48, 2))
        np.testing.assert_array_equal(found.z, 8.0 * np.arange(0, 32, 2))
        assert found.x.attrs["dvid_spacing"] == 4.0
    alone = dataset([labels.at_scale(1)], physical=True)
    xr.testing.assert_identical(alone.coords.to_dataset(), found.coords.to_dataset())


def test_one_place_has_one_length_at_all_scales(node: dvid_array.Node) -> None:
    """Though the instances of an image do not agree on how long their voxels are: what wrote the
    coarser ones may have left the sizes as they were."""
    options = {"block": (16, 16, 16), "resolution": (4, 4, 40), "shape": (32, 32, 32)}
    for name in ("gray", "gray_1", "gray_2"):
        node.create(name, "uint8", **options | {"units": "nm" if name == "gray" else "um"})
    found = dvid_array.open_datatree(node.refresh()["gray"], physical=True)
    for scale in range(3):
        one = found[f"s{scale}"]
        np.testing.assert_array_equal(one.x, 4.0 * np.arange(32) * 2**scale)
        np.testing.assert_array_equal(one.z, 40.0 * np.arange(32) * 2**scale)
        assert (one.z.attrs["units"], one.z.attrs["dvid_spacing"]) == ("nm", 40.0)
    alone = node["gray_1"].to_xarray(physical=True)
    np.testing.assert_array_equal(alone.z, 40.0 * np.arange(32))
    assert alone.z.attrs["units"] == "um"


def test_signed_scales(node: dvid_array.Node) -> None:
    """Boxes and points below 0 take the coarser voxels that hold them."""
    gray = node.create("gray", "uint8", block=(16, 16, 16), max_scale=2, resolution=(4, 4, 40))
    rng = np.random.default_rng(1)
    for scale in range(3):
        by = 1 << scale
        whole = rng.integers(1, 255, (1, 40 // by, 24 // by, 16 // by), np.uint8)
        x, y, z = (slice(a // by, b // by) for a, b in ((-20, 20), (-4, 20), (-8, 8)))
        gray.at_scale(scale).voxels[:, x, y, z] = whole
    gray.refresh()
    for physical in (False, True):
        tree = dvid_array.open_datatree(gray, physical=physical)
        box, point = tree.dvid.box((-5, -1, -3), (2, 3, 2)), tree.dvid.at(x=-5, y=-1, z=-7.5)
        for scale, by in enumerate((1, 2, 4)):
            shown = tree[f"s{scale}/gray"]
            first = np.array([-5, -1, -3]) // by
            last = -(-np.array([2, 3, 2]) // by)
            expected = gray.at_scale(scale).read(first, last)
            np.testing.assert_array_equal(box[f"s{scale}/gray"], expected)
            expected = gray.at_scale(scale).at_points([-5 // by, -1 // by, -8 // by])
            assert point[f"s{scale}/gray"] == expected
            xr.testing.assert_identical(shown.dvid.version(gray.uuid), shown)
