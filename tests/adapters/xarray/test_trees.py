"""`.dvid` of Datasets and trees: other versions, and the way back to the server."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import dvid_array
from dvid_array import DvidArray, Settings
from tests.adapters.test_dask import bulk
from tests.conftest import Sent

Tissue = tuple[DvidArray, DvidArray, np.ndarray, np.ndarray]


@pytest.fixture
def versions(tissue: Tissue) -> tuple[Tissue, str]:
    """The tissue, committed, and a child in which all of it is other at x 8..20."""
    gray, labels, values, ids = tissue
    gray.node.commit()
    child = gray.node.new_version().uuid
    gray.at(child)[:, 8:20] = 255 - values[:, 8:20]
    gray.at_scale(1).at(child)[:, 4:10] = 255 - values[:, 8:20:2, ::2, ::2]
    labels.at(child)[:, 8:20, :40, :32] = ids[:, 8:20] + 1
    return tissue, child


@pytest.mark.parametrize("chunks", [None, {}])
def test_a_dataset_at_another_version(
    versions: tuple[Tissue, str], chunks: dict[str, int] | None, sent: list[Sent]
) -> None:
    (gray, labels, values, ids), child = versions
    found = dvid_array.open_dataset([gray, labels], chunks=chunks).dvid.box((5, 0, 0), (30, 9, 9))
    sent.clear()
    newer = found.dvid.version(f"{gray.uuid}:master")
    assert not bulk(sent)
    # the branch may move on, and each volume would be of another version
    assert sum("/branch-versions/" in one.path for one in sent) == 1
    values, ids = values.copy(), ids.copy()
    values[:, 8:20], ids[:, 8:20] = 255 - values[:, 8:20], ids[:, 8:20] + 1
    np.testing.assert_array_equal(newer.gray, values[:, 5:30, :9, :9])
    np.testing.assert_array_equal(newer.labels, ids[:, 5:30, :9, :9])
    assert {one.attrs["dvid_uuid"] for one in newer.data_vars.values()} == {child}
    assert newer.chunks == found.chunks
    assert "source" not in newer.encoding
    with pytest.raises(ValueError, match="no attributes dvid_server"):
        found.assign(sums=found.gray.sum().drop_attrs()).dvid.version(child)
    assert not xr.Dataset().dvid.version(child)


@pytest.mark.parametrize("which", ["gray", "labels"])
def test_a_tree_at_another_version(versions: tuple[Tissue, str], which: str) -> None:
    (gray, labels, *_), child = versions
    array = gray if which == "gray" else labels
    tree = dvid_array.open_datatree(array, chunks={})
    tree["numbers"] = xr.Dataset({"mean": 5.0})
    newer = tree.dvid.version(child)
    expected = dvid_array.open_datatree(array.at(child))
    for name, level in expected.children.items():
        np.testing.assert_array_equal(newer[name][which], level[which])
        assert newer[name][which].attrs == level[which].attrs
    assert newer["numbers"]["mean"] == 5


def test_the_volume_of_a_tree(tissue: Tissue) -> None:
    gray, labels, *_ = tissue
    settings = Settings(threads=2)
    tree = dvid_array.open_datatree(gray.with_settings(threads=2))
    assert tree.dvid.array.url == gray.url
    assert tree.dvid.array.settings == settings
    half = dvid_array.open_datatree(labels).filter(lambda node: node.name != "s0")
    assert half.dvid.array.scale == 1
    both = dvid_array.open_datatree([gray, labels])
    assert both["labels"].dvid.array.url == labels.url
    for found in (both, xr.DataTree(dvid_array.open_dataset([gray, labels]))):
        with pytest.raises(ValueError, match="shows gray, labels: take the group of one volume"):
            _ = found.dvid.array
    with pytest.raises(ValueError, match="shows no volume"):
        _ = xr.DataTree().dvid.array


@pytest.mark.parametrize("chunks", [None, {}])
def test_a_pyramid_is_stored(tissue: Tissue, chunks: dict[str, int] | None) -> None:
    """Each scale of an image where it lies; labels compute theirs."""
    gray, labels, values, ids = tissue
    size = {"block": (16, 16, 16), "resolution": (4, 4, 8)}
    tree = dvid_array.open_datatree(gray, chunks=chunks).dvid.box((6, 4, 2), (31, 29, 17))
    dark = gray.node.create("dark", "uint8", max_scale=1, **size)
    (tree // 2).dvid.store(dark, verify=True)
    np.testing.assert_array_equal(dark.stored[...], values[:, 6:31, 4:29, 2:17] // 2)
    half = dark.at_scale(1)
    assert half.minindex == (0, 3, 2, 1)
    np.testing.assert_array_equal(half.stored[...], values[:, 6:31:2, 4:29:2, 2:17:2] // 2)
    copy = gray.node.create("copy", "uint64", max_scale=1, **size)
    dvid_array.open_datatree(labels, chunks=chunks).dvid.store(copy)
    np.testing.assert_array_equal(copy.stored[...], ids[:, 6:])
    np.testing.assert_array_equal(copy.at_scale(1).stored[...], ids[:, 6::2, ::2, ::2])
    plane = tree.dvid.at(z=11)
    plane.dvid.store(dark)
    np.testing.assert_array_equal(dark.voxels[:, 6:31, 4:29, 11], values[:, 6:31, 4:29, 11])
    np.testing.assert_array_equal(half.voxels[:, 3:16, 2:15, 5], values[:, 6:31:2, 4:29:2, 10])


def test_a_pyramid_is_stored_whole_or_not(tissue: Tissue, sent: list[Sent]) -> None:
    gray, _, values, _ = tissue
    tree = dvid_array.open_datatree(gray)
    flat = gray.node.create("flat", "uint8", block=(16, 16, 16))
    sent.clear()
    with pytest.raises(dvid_array.DvidNotFoundError, match="flat_1"):
        tree.dvid.store(flat)
    with pytest.raises(ValueError, match="compute, resume: of several scales"):
        tree.dvid.store(gray, compute=False, resume="journal")
    assert "POST" not in {one.method for one in sent}
    tree.filter(lambda node: node.name != "s1").dvid.store(flat)
    np.testing.assert_array_equal(flat.stored[...], values)
