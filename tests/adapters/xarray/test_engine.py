"""xarray on a DVID array: the engine, lazy values, signed labels, no request without need."""

from __future__ import annotations

import copy
import io
import json
import pickle
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

import dvid_array
from dvid_array import DvidArray, Settings
from dvid_array.adapters.xarray import DvidBackend
from tests.adapters.test_dask import bulk
from tests.adapters.xarray.conftest import Volume
from tests.conftest import Sent

DIMS = ("channel", "x", "y", "z")


def test_the_engine_is_listed() -> None:
    assert "dvid" in xr.backends.list_engines()


@pytest.mark.parametrize(
    ("thing", "claimed"),
    [
        ("dvid://host:8000/abc/gray", True),
        ("dvid://nonsense", True),
        ("http://host/abc/gray", False),
        ("https://host/api/node/abc/gray", True),
        ([], False),
        ([object()], False),
        ("/data/file.nc", False),
        (b"dvid://", False),
        (None, False),
        (object(), False),
    ],
)
def test_guessing_never_raises(thing: object, claimed: bool) -> None:
    assert DvidBackend().guess_can_open(thing) is claimed


def test_opening_costs_three_requests_and_no_voxel(negative: Volume, sent: list[Sent]) -> None:
    array, truth = negative
    prefix = array.url.replace(array.uuid, array.uuid[:12]).replace("http://", "dvid://")
    sent.clear()
    found = xr.open_dataset(prefix, engine="dvid")
    assert len(sent) <= 3
    assert not bulk(sent)
    assert list(found) == ["gray"]
    assert (found.gray.dims, found.gray.shape, found.gray.dtype) == (DIMS, truth.shape, truth.dtype)
    np.testing.assert_array_equal(found.gray.values, truth)
    assert xr.open_dataset(array, engine="dvid").identical(found)
    assert xr.open_dataset(array).identical(found)
    assert "gray" not in xr.open_dataset(array, engine="dvid", drop_variables="gray")


def test_nothing_but_values_makes_requests(negative: Volume, sent: list[Sent]) -> None:
    array, truth = negative
    sent.clear()
    found = xr.open_dataset(array, engine="dvid")
    gray = found.gray
    for use in (repr, DvidArray.__repr__, copy.deepcopy, copy.copy, pickle.dumps):
        use(array if use is DvidArray.__repr__ else found)
    repr(gray)
    gray._repr_html_()
    found._repr_html_()
    part = gray.isel(x=slice(0, 50, 7)).sel(y=slice(-1, 3)).transpose("z", "x", "y", "channel")
    part = copy.deepcopy(part).isel(z=[8, 3], channel=0)
    assert not sent
    expected = truth[0, 0:50:7, 2:7][..., [8, 3]].transpose(2, 0, 1)
    np.testing.assert_array_equal(part.values, expected)
    assert sent


def test_identity_without_credentials(negative: Volume) -> None:
    array, _ = negative
    found = xr.open_dataset(array.url, engine="dvid", token="a-secret")
    attrs = found.gray.attrs
    assert attrs == {
        "long_name": "gray",
        "dvid_server": array.server_url,
        "dvid_uuid": array.uuid,
        "dvid_instance": "gray",
        "dvid_scale": 0,
        "voxel_size": [4.0, 4.0, 40.0],
        "voxel_units": ["nm", "nm", "nm"],
    }
    assert json.loads(json.dumps(attrs)) == attrs
    assert found.x.attrs == {"units": "voxel", "axis": "X", "long_name": "x", "dvid_step": 1}
    assert found.encoding["source"] == array.url
    everything = pickle.dumps(found) + repr((found, found.encoding, found.gray.encoding)).encode()
    assert b"a-secret" not in everything


def test_scales_share_the_labels_of_scale_0(node: dvid_array.Node) -> None:
    full = node.create("seg", "uint64", block=(16, 16, 16), max_scale=1)
    full[:, 8:40, 0:32, 0:32] = truth = np.arange(4**3).repeat(512).reshape(1, 32, 32, 32)
    found = xr.open_dataset(full.url, engine="dvid", scale=1).seg
    assert found.dtype == np.uint64
    np.testing.assert_array_equal(found.x, np.arange(8, 40, 2))
    assert found.attrs["dvid_scale"] == 1
    assert found.attrs["voxel_size"] == [2.0, 2.0, 2.0]
    np.testing.assert_array_equal(found.sel(x=10), node.open("seg", scale=1)[:, 5])
    assert found.sel(x=slice(8, 23)).shape == (1, 8, 16, 16)
    with pytest.raises(KeyError):
        found.sel(x=11)
    np.testing.assert_array_equal(full.to_xarray(), truth)


def test_chunks(filled: Callable[..., Volume], sent: list[Sent]) -> None:
    array, truth = filled()
    sent.clear()
    lazy = array.to_xarray(chunks={})
    assert lazy.chunks == ((1,), (64,), (96,), (128,))
    large = array.window((0, 0, 0), (600, 600, 600))
    assert large.to_xarray(chunks={}).chunksizes["x"] == (256, 256, 88)
    assert large.to_xarray(chunks={"x": 512}).chunksizes["x"] == (512, 88)
    assert not bulk(sent)
    np.testing.assert_array_equal(lazy.mean("y"), truth.mean(axis=2))


def test_chunks_of_an_array_follow_its_data(negative: Volume) -> None:
    """An engine cannot change the names xarray makes of an address; of an array they are ours."""
    array, _ = negative
    names = [array.to_xarray(chunks={}).data.name for _ in range(2)]
    array.voxels[:, 0:16, 0:16, 0:16] = 1
    assert len({*names, array.to_xarray(chunks={}).data.name}) == 2


def test_guards_hold(negative: Volume) -> None:
    array, _ = negative
    small = dvid_array.open(array.url, settings=Settings(max_bytes=1000))
    many = xr.DataArray(np.arange(60), dims="point")
    for shown in (
        small.to_xarray(),
        small.to_xarray().T,
        small.to_xarray().isel(x=many, y=many % 10),
        small.to_xarray().T.isel(x=many[::-1]),
    ):
        with pytest.raises(dvid_array.DvidTooLargeError):
            shown.load()
    with pytest.raises(dvid_array.DvidTooLargeError):
        xr.DataArray(dvid_array.open(array.url, settings=Settings(max_implicit_bytes=1000)))


def test_an_instance_named_as_an_axis(node: dvid_array.Node) -> None:
    array = node.create("x", "uint8", block=(16, 16, 16))
    array[:, :16, :16, :16] = 7
    assert array.to_xarray().name == "x_voxels"
    assert (array.to_xarray() == 7).all()


def test_an_empty_volume(node: dvid_array.Node, sent: list[Sent]) -> None:
    array = node.create("v", "uint8")
    for chunks in (None, {}, 64):
        found = array.to_xarray(chunks=chunks)
        assert found.values.shape == (1, 0, 0, 0)
        assert found.T.isel(z=slice(None, None, -1)).values.shape == (0, 0, 0, 1)
        assert found.dvid.version(node.uuid).shape == (1, 0, 0, 0)
        assert found.dvid.box((0, 0, 0), (9, 9, 9)).shape == (1, 0, 0, 0)
    assert not bulk(sent)


WITHOUT_DASK = """
import sys
sys.modules["dask"] = sys.modules["dask.array"] = sys.modules["distributed"] = None
import xarray, dvid_array
found = xarray.open_dataset(sys.argv[1], engine="dvid")
print(found.gray.isel(x=slice(0, 9, 4)).sum().item(), dvid_array.open(sys.argv[1])[...].sum())
for door in "to_dask", "to_xarray":
    try:
        getattr(dvid_array.open(sys.argv[1]), door)(chunks="auto")
    except ImportError as error:
        print(error)
"""


def test_without_dask(negative: Volume) -> None:
    array, truth = negative
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT_DASK, array.url],
        capture_output=True,
        text=True,
        check=True,
    )
    sums, *refused = run.stdout.splitlines()
    assert sums.split() == [str(truth[:, 0:9:4].sum()), str(truth[:, 40:, 3:].sum())]
    assert len(refused) == 2
    assert all(one.endswith("pip install 'dvid_array[dask]'") for one in refused)


Tissue = tuple[DvidArray, DvidArray, np.ndarray, np.ndarray]


def version_address(array: DvidArray) -> str:
    return f"{array.server_url}/{array.uuid}".replace("http://", "dvid://")


def test_a_version_is_a_dataset_of_its_volumes(tissue: Tissue, sent: list[Sent]) -> None:
    gray, labels, values, ids = tissue
    sent.clear()
    found = xr.open_dataset(version_address(gray), engine="dvid")
    # what there is, whether it is committed, and a document for each
    assert [one.action for one in sent] == ["info", "status", "info", "info"]
    assert set(found) == {"gray", "labels"}  # gray_1 is a scale of gray
    np.testing.assert_array_equal(found.gray, values)
    np.testing.assert_array_equal(found.labels, ids)
    assert found.encoding["source"] == version_address(gray).replace("dvid://", "http://")
    for same in (
        xr.open_dataset(gray.node),
        xr.open_dataset([gray, labels]),
        dvid_array.open_dataset(version_address(gray)),
        dvid_array.open_dataset(gray.server_url, version=gray.uuid, instance=["gray", "labels"]),
        dvid_array.open_dataset(gray.node, instance=("labels", "gray")),
    ):
        xr.testing.assert_identical(same, found)


def test_what_is_dropped_is_not_opened(
    tissue: Tissue, node: dvid_array.Node, sent: list[Sent]
) -> None:
    gray, *_ = tissue
    node.create("x", "uint8", resolution=1)  # of another grid
    address = version_address(gray)
    with pytest.raises(ValueError, match="no grid in common"):
        xr.open_dataset(address, engine="dvid")
    sent.clear()
    found = xr.open_dataset(address, engine="dvid", drop_variables=["x_voxels", "labels"])
    assert list(found) == ["gray"]
    assert not [one for one in sent if one.path.endswith(("/x/info", "/labels/info"))]
    named = xr.open_dataset(address, engine="dvid", instance=["gray", "x"], drop_variables="gray")
    assert list(named) == ["x_voxels"]
    assert list(xr.open_dataset(gray, drop_variables="gray")) == []


def test_instances_that_hold_no_voxels_are_left_out(tissue: Tissue, node: dvid_array.Node) -> None:
    body = {"typename": "roi", "dataname": "some-roi"}
    node.server._catalog.create_instance(node.uuid, body)
    assert set(node.refresh().volumes) == {"gray", "labels"}
    assert set(dvid_array.open_dataset(node)) == {"gray", "labels"}


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"scale": 1}, "scale: not of an array that is open already"),
        ({"version": ":master", "token": "t"}, "version, token: not of an array"),
        ({"instance": "gray"}, "instance: not of"),
    ],
)
def test_keywords_of_open_arrays_are_refused(
    tissue: Tissue, keywords: dict[str, object], words: str
) -> None:
    gray, *_ = tissue
    with pytest.raises(ValueError, match=words):
        xr.open_dataset(gray, engine="dvid", **keywords)


def test_contradictions_and_nonsense(tissue: Tissue) -> None:
    gray, labels, *_ = tissue
    with pytest.raises(ValueError, match="names 'gray' already: leave instance= out"):
        xr.open_dataset(gray.url, engine="dvid", instance=["gray", "labels"])
    with pytest.raises(ValueError, match="leave one out"):
        xr.open_dataset(gray.url, engine="dvid", instance="labels")
    with pytest.raises(ValueError, match="names no version"):
        xr.open_dataset(gray.server_url, engine="dvid")
    with pytest.raises(TypeError, match="int is no address"):
        xr.open_dataset(5, engine="dvid")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a tree holds all scales"):
        xr.open_datatree(labels.url + "?scale=1", engine="dvid")
    with pytest.raises(dvid_array.DvidNotFoundError, match="nothing-there"):
        xr.open_dataset(version_address(gray), engine="dvid", instance="nothing-there")


def test_a_tree_of_labels(tissue: Tissue, sent: list[Sent]) -> None:
    _, labels, _, ids = tissue
    sent.clear()
    tree = xr.open_datatree(labels.url, engine="dvid")
    assert [one.action for one in sent] == ["status", "info"]
    assert sorted(tree.children) == ["s0", "s1", "s2"]
    assert tree.encoding["source"] == labels.url
    np.testing.assert_array_equal(tree["s0/labels"], ids[:, 6:])
    np.testing.assert_array_equal(tree["s2/labels"].x, np.arange(4, 48, 4))
    assert tree["s2"].encoding["source"] == labels.url + "?scale=2"
    whole = xr.open_groups(labels.url, engine="dvid")
    assert list(whole) == ["/", "/s0", "/s1", "/s2"]
    xr.testing.assert_identical(xr.DataTree.from_dict(whole), tree)
    xr.testing.assert_identical(dvid_array.open_datatree(labels.url), tree)
    xr.testing.assert_identical(xr.open_datatree(labels.at_scale(1)), tree)


def test_a_tree_of_an_image(tissue: Tissue, sent: list[Sent]) -> None:
    gray, _, values, _ = tissue
    sent.clear()
    tree = dvid_array.open_datatree(gray.url, chunks={})
    assert not bulk(sent)
    assert [one.action for one in sent].count("info") == 4  # gray, the repo, gray_1; changes
    assert sorted(tree.children) == ["s0", "s1"]
    half = tree["s1/gray"]
    assert (half.attrs["dvid_instance"], half.attrs["dvid_scale"]) == ("gray_1", 0)
    np.testing.assert_array_equal(half, values[:, ::2, ::2, ::2])
    np.testing.assert_array_equal(half.x, np.arange(0, 48, 2))


def test_a_tree_of_a_version(tissue: Tissue) -> None:
    gray, _, values, ids = tissue
    tree = dvid_array.open_datatree(version_address(gray), chunks={})
    assert sorted(tree.groups)[1:] == [
        "/gray",
        "/gray/s0",
        "/gray/s1",
        "/labels",
        "/labels/s0",
        "/labels/s1",
        "/labels/s2",
    ]
    np.testing.assert_array_equal(tree["gray/s0/gray"], values)
    np.testing.assert_array_equal(tree["labels/s1/labels"], ids[:, 6::2, ::2, ::2])
    only = xr.open_datatree(version_address(gray), engine="dvid", drop_variables="labels")
    assert sorted(only.children) == ["gray"]


def test_chunks_change_nothing_else(tissue: Tissue) -> None:
    """Labels, attributes, encodings, groups."""
    gray, labels, *_ = tissue
    for source in (gray, labels.url, [labels, gray], gray.node):
        for opened in (dvid_array.open_dataset, dvid_array.open_datatree):
            lazy, chunked = opened(source), opened(source, chunks={"x": 16})
            assert chunked.encoding == lazy.encoding
            assert chunked.load().identical(lazy.load())
    with pytest.raises(ValueError, match="no grid in common"):
        dvid_array.open_dataset([gray, labels.at_scale(1)], chunks={})
    assert list(dvid_array.open_dataset([gray, labels], drop_variables="gray", chunks={})) == [
        "labels"
    ]


def names(tree: xr.DataTree) -> set[str]:
    return {one.data.name for node in tree.subtree for one in node.data_vars.values()}


def test_names_of_dask_arrays_follow_the_data(tissue: Tissue, sent: list[Sent]) -> None:
    gray, labels, *_ = tissue
    open_both = {
        "dataset": lambda: xr.DataTree(dvid_array.open_dataset(version_address(gray), chunks={})),
        "tree": lambda: dvid_array.open_datatree(labels.url, chunks={}),
        "engine": lambda: xr.DataTree(xr.open_dataset(labels, engine="dvid", chunks={})),
        "engine's tree": lambda: xr.open_datatree([gray, labels], engine="dvid", chunks={}),
        "array": lambda: xr.DataTree(labels.to_xarray(chunks={}).to_dataset()),
    }
    for opened in open_both.values():
        before = names(opened())
        assert names(opened()) == before
        labels[:, 6:16, :16, :16] = int(labels[0, 6, 0, 0]) + 1
        assert names(opened()).isdisjoint(before)
    labels.node.commit()
    sent.clear()
    committed = dvid_array.open_dataset(labels.node.refresh(), chunks={})
    assert [one.action for one in sent].count("info") == 3  # the repo, gray, labels: no token
    assert names(xr.DataTree(committed))


def test_views_make_no_request(tissue: Tissue, sent: list[Sent]) -> None:
    gray, labels, *_ = tissue
    for chunks in (None, {}):
        tree = dvid_array.open_datatree(gray.node, chunks=chunks)
        found = dvid_array.open_dataset([gray, labels], chunks=chunks)
        sent.clear()
        for one in (tree, found, found.gray, tree["gray/s1/gray"]):
            assert "gray" in repr(one)
            assert "gray" in one._repr_html_()
            copy.deepcopy(one)
            pickle.loads(pickle.dumps(one))
            assert one.nbytes
        found.info(io.StringIO())
        assert tree.dvid.box((0, 0, 0), (9, 9, 9)).groups
        assert tree["gray"].dvid.at(x=7.5).groups
        assert found.labels.dvid.box((0, 0, 0), (9, 9, 9)).shape
        found.gray.sel(x=slice(3, 5)).rename(x="a").squeeze().transpose()
        assert not sent


def test_a_pickle_is_read_elsewhere(tissue: Tissue) -> None:
    gray, _, values, _ = tissue
    shown = gray.to_xarray().dvid.box((3, 4, 5), (8, 7, 20))
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).sum().item())"
    run = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(shown), capture_output=True, check=True
    )
    assert int(run.stdout) == values[:, 3:8, 4:7, 5:20].sum()
