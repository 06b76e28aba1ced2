"""`.dvid`: boxes, points, other versions, and the array behind."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import dvid_array
from dvid_array import DvidArray
from tests.adapters.test_dask import bulk
from tests.adapters.xarray.conftest import Volume
from tests.conftest import Sent

Tissue = tuple[DvidArray, DvidArray, np.ndarray, np.ndarray]


def test_a_box_is_half_open(negative: Volume, sent: list[Sent]) -> None:
    array, truth = negative
    gray = array.to_xarray()
    sent.clear()
    found = gray.dvid.box((-10, 0, 5), (3, 2, 6))
    assert not sent
    assert (found.x.values[[0, -1]] == [-10, 2]).all()
    np.testing.assert_array_equal(found, truth[:, 30:43, 3:5, 0:1])
    assert gray.sel(x=slice(-10, 3)).sizes["x"] == found.sizes["x"] + 1  # xarray's own includes it
    assert gray.dvid.box((-100, -100, -100), (100, 100, 100)).identical(gray)
    assert gray.dvid.box((50, 0, 0), (60, 1, 1)).sizes["x"] == 0
    physical = array.to_xarray(physical=True).dvid.box((-10, 0, 5), (3, 2, 6))
    np.testing.assert_array_equal(physical, found)
    np.testing.assert_array_equal(physical.x, found.x * 4)
    backwards = gray.isel(x=slice(None, None, -3)).dvid.box((0, 0, 5), (9, 1, 6))
    np.testing.assert_array_equal(backwards.x, [7, 4, 1])


def test_points(negative: Volume, sent: list[Sent]) -> None:
    array, truth = negative
    gray = array.to_xarray()
    sent.clear()
    plane = gray.dvid.at(z=7.9)
    assert plane.z == 7
    lists = gray.dvid.at(x=[-40, 19], y=[6, 0])
    x = xr.DataArray([-40, 0, 19.5], dims="synapse", coords={"synapse": ["a", "b", "c"]})
    points = gray.dvid.at(x=x, y=x * 0 - 3, z=xr.full_like(x, 14))
    assert not sent
    np.testing.assert_array_equal(plane, truth[..., 2])
    np.testing.assert_array_equal(lists, truth[:, [0, 59]][:, :, [9, 3]])
    np.testing.assert_array_equal(points, truth[:, [0, 40, 59], 0, 9])
    assert points.dims == ("channel", "synapse")
    assert points.synapse.values.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(points.x, [-40, 0, 19])
    with pytest.raises(KeyError, match="x=20 lies in no voxel"):
        gray.dvid.at(x=20)


def test_a_tree_shows_one_place_at_every_scale(tissue: Tissue, sent: list[Sent]) -> None:
    gray, labels, values, ids = tissue
    for array, truth in ((gray, values), (labels, ids)):
        tree = dvid_array.open_datatree(array)
        sent.clear()
        found = tree.dvid.box((9, 3, 5), (30, 17, 21))
        point = tree.dvid.at(x=11, y=3, z=5)
        assert not sent
        for scale in range(len(tree.children)):
            by = 1 << scale
            whole = truth[0, ::by, ::by, ::by]
            box = tuple(slice(a // by, -(-b // by)) for a, b in ((9, 30), (3, 17), (5, 21)))
            shown = found[f"s{scale}/{array.instance}"]
            np.testing.assert_array_equal(shown[0], whole[box])
            assert shown.x[0] == 9 // by * by
            one = point[f"s{scale}/{array.instance}"]
            assert one[0] == whole[11 // by, 3 // by, 5 // by]
            assert (one.x, one.y, one.z) == (11 // by * by, 3 // by * by, 5 // by * by)
    everything = dvid_array.open_datatree(gray.node)
    box = everything.dvid.box((8, 0, 0), (16, 8, 8))
    assert box["labels/s2/labels"].shape == (1, 2, 2, 2)
    assert box["gray"].dvid.at(x=8)["s1/gray"].shape == (1, 4, 4)


def test_numbers_beside_volumes_have_no_place(tissue: Tissue) -> None:
    gray, *_ = tissue
    tree = dvid_array.open_datatree(gray)
    tree["numbers"] = xr.Dataset({"mean": 5.0, "by_body": ("body", [1, 2])})
    found = tree.dvid.box((8, 0, 0), (16, 8, 8))
    assert found["s1/gray"].shape == (1, 4, 4, 4)
    xr.testing.assert_identical(found["numbers"].dataset, tree["numbers"].dataset)
    tree["s0"] = xr.DataTree(tree["s0"].to_dataset().rename(x="a"))
    with pytest.raises(ValueError, match="no labels of x"):
        tree.dvid.box((8, 0, 0), (16, 8, 8))


def test_datasets_too(tissue: Tissue) -> None:
    gray, labels, values, ids = tissue
    found = dvid_array.open_dataset([gray, labels]).dvid.box((4, 0, 0), (9, 5, 5))
    np.testing.assert_array_equal(found.gray, values[:, 4:9, :5, :5])
    np.testing.assert_array_equal(found.labels, ids[:, 4:9, :5, :5])
    assert found.dvid.at(x=8, y=4, z=4).labels == ids[0, 8, 4, 4]


@pytest.mark.parametrize("scale", [0, 1])
@pytest.mark.parametrize("which", ["gray", "labels"])
def test_the_array_behind(tissue: Tissue, which: str, scale: int, sent: list[Sent]) -> None:
    gray, labels, *_ = tissue
    array = gray if which == "gray" else labels
    shown = dvid_array.open_datatree(array)[f"s{scale}/{which}"]
    sent.clear()
    behind = shown.isel(x=3).dvid.array
    assert [one.action for one in sent] == ["status", "info"]
    assert behind.url == array.at_scale(scale).url
    np.testing.assert_array_equal(behind.stored[...], shown)


def test_supervoxels_stay_supervoxels(node: dvid_array.Node) -> None:
    node.create("seg", "uint64")[:, :64, :64, :64] = 3
    shown = dvid_array.open_dataset(node, supervoxels=True).seg
    assert shown.attrs["dvid_supervoxels"] == 1
    assert shown.dvid.array.supervoxels
    assert not node["seg"].to_xarray().dvid.array.supervoxels


def test_storing_goes_where_the_labels_are(tissue: Tissue, node: dvid_array.Node) -> None:
    gray, _, values, _ = tissue
    shown = gray.to_xarray(chunks={}).chunk(x=16).dvid.box((5, 3, 2), (37, 30, 31))
    dark = node.create("dark", "uint8", block=(16, 16, 16), resolution=(4, 4, 8))
    (shown // 2).transpose("z", "channel", "x", "y").dvid.store(dark)
    assert (dark.minindex, dark.shape) == ((0, 5, 3, 2), (1, 37, 30, 31))
    np.testing.assert_array_equal(dark.stored[...], values[:, 5:37, 3:30, 2:31] // 2)
    half = dvid_array.open_datatree(gray)["s1/gray"]
    with pytest.raises(ValueError, match="another scale"):
        half.dvid.store(dark)


def test_a_body_stays_a_body(tissue: Tissue) -> None:
    _, labels, _, ids = tissue
    label = int(ids[0, 20, 20, 20])
    end = time.monotonic() + 30
    while labels.bodies.size([label])[0] != (ids == label).sum() and time.monotonic() < end:
        time.sleep(0.05)  # a real DVID counts behind its answer
    behind = labels.body(label).to_xarray().dvid.array
    assert behind.label == label
    assert behind.stored[...].sum() == (ids == label).sum()


def test_without_attributes_there_is_no_array(negative: Volume) -> None:
    array, _ = negative
    bare = array.to_xarray().drop_attrs()
    with pytest.raises(ValueError, match="no attributes dvid_server, dvid_uuid, dvid_instance"):
        _ = bare.dvid.array
    gone = array.to_xarray().assign_attrs(dvid_instance="gone")
    with pytest.raises(dvid_array.DvidNotFoundError, match="gone"):
        _ = gone.dvid.array


@pytest.fixture
def versions(tissue: Tissue) -> tuple[Tissue, dvid_array.Node, np.ndarray]:
    """The tissue, committed, and a child in which gray is other at x 8..20."""
    gray, _, values, _ = tissue
    gray.node.commit()
    child = gray.node.new_version()
    newer = values.copy()
    newer[:, 8:20] = 255 - newer[:, 8:20]
    gray.at(child.uuid)[:, 8:20] = newer[:, 8:20]
    return tissue, child, newer


@pytest.mark.parametrize("chunks", [None, {}, {"x": 16, "y": 32}])
@pytest.mark.parametrize("physical", [False, True])
def test_the_same_voxels_at_another_version(
    versions: tuple[Tissue, dvid_array.Node, np.ndarray],
    chunks: dict[str, int] | None,
    physical: bool,
    sent: list[Sent],
) -> None:
    (gray, *_), child, newer = versions
    shown = gray.to_xarray(chunks=chunks, physical=physical)
    memory = shown.copy(data=newer)
    for pick in (
        {},
        {"x": slice(3, 30, 4), "y": slice(None, None, -1)},
        {"x": 11, "z": [7, 3, 3]},
        {"x": slice(5, 30), "channel": 0},
    ):
        part = shown.isel(pick).transpose(..., "y")
        sent.clear()
        other = part.dvid.version(child.uuid)
        assert not bulk(sent)
        assert other.attrs["dvid_uuid"] == child.uuid
        assert other.chunks == part.chunks
        expected = memory.isel(pick).transpose(..., "y").assign_attrs(dvid_uuid=child.uuid)
        xr.testing.assert_identical(other.compute(), expected)
    assert shown.dvid.version(child.uuid + ":master").attrs["dvid_uuid"] == child.uuid


def test_only_what_is_shown_is_read_of_another_version(
    versions: tuple[Tissue, dvid_array.Node, np.ndarray], sent: list[Sent]
) -> None:
    (gray, *_), child, newer = versions
    other = gray.to_xarray().dvid.box((8, 0, 0), (16, 16, 16)).dvid.version(child.uuid)
    sent.clear()
    np.testing.assert_array_equal(other, newer[:, 8:16, :16, :16])
    (request,) = bulk(sent)
    assert request.path.endswith("/16_16_16/0_0_0")


def test_coarser_scales_at_another_version(
    versions: tuple[Tissue, dvid_array.Node, np.ndarray],
) -> None:
    (gray, labels, values, ids), child, _ = versions
    for array, truth in ((gray, values), (labels, ids[:, 6:])):
        shown = dvid_array.open_datatree(array)[f"s1/{array.instance}"].isel(x=slice(2, 9))
        other = shown.dvid.version(child.uuid)
        assert other.name == array.instance
        np.testing.assert_array_equal(other, truth[:, ::2, ::2, ::2][:, 2:9])
        xr.testing.assert_equal(other, shown)  # labels are those of scale 0
        assert other.x.attrs["dvid_step"] == 2


def test_a_version_needs_labels(negative: Volume) -> None:
    array, _ = negative
    with pytest.raises(ValueError, match="no labels of x"):
        array.to_xarray().drop_vars("x").dvid.version(array.uuid)
    for shown, words in (
        (array.to_xarray().rename(x="a"), "no labels of x"),
        (array.to_xarray().mean("z"), "no labels of z"),
        (xr.concat([array.to_xarray()] * 2, "time"), "time is no axis of a volume"),
        (
            array.to_xarray().coarsen(x=2).mean(),
            "labels of x are no whole numbers of voxels: -39.5",
        ),
        (array.to_xarray().interp(y=[0.25]), "labels of y are no whole numbers of voxels: 0.25"),
        (xr.DataArray(np.zeros((2, 2))), "no attributes dvid_server"),
    ):
        with pytest.raises(ValueError, match=words):
            shown.dvid.version(array.uuid)
    nothing = array.to_xarray().isel(x=slice(0, 0)).dvid.version(array.uuid)
    assert nothing.shape == (1, 0, 10, 10)


@pytest.mark.parametrize(
    "opening",
    [
        "import dvid_array; found = dvid_array.open(url).to_xarray()",
        "import xarray; found = xarray.open_dataset(url, engine='dvid').gray",
    ],
)
def test_accessors_are_there_with_whatever_opens(negative: Volume, opening: str) -> None:
    array, truth = negative
    code = f"import sys; url = sys.argv[1]; {opening}; found = found.dvid.box((0,0,5),(9,1,6))"
    code += "; print(found.sum().item())"
    run = subprocess.run(
        [sys.executable, "-c", code, array.url], capture_output=True, text=True, check=True
    )
    assert int(run.stdout) == truth[:, 40:49, 3, 0].sum()


# Settings and regions.


def without_encoding(shown: xr.DataArray) -> xr.DataArray:
    """As `drop_encoding`, which loads values in older releases of xarray."""
    bare = shown.copy(deep=False)
    bare.encoding = {}
    return bare


def remembered(array: DvidArray) -> list[tuple[str, xr.DataArray]]:
    """Ways in which a DataArray of an array may be passed on."""
    lazy, chunked = array.to_xarray(), array.to_xarray(chunks={"x": 16})
    by_url = xr.open_dataset(array.url, engine="dvid", settings=array.settings, chunks={})
    seen = array.to_xarray()
    assert seen.values.size  # xarray keeps what it has loaded, and forgets where from
    return [
        ("lazy", lazy),
        ("picked", lazy.isel(x=3).transpose(..., "channel")),
        ("boxed", lazy.dvid.box((0, 0, 0), (9, 9, 9))),
        ("looked at", seen),
        ("loaded", array.to_xarray().load()),
        ("copied", lazy.copy(deep=True)),
        ("pickled", pickle.loads(pickle.dumps(lazy))),
        ("renamed", lazy.rename("other")),
        ("of no encoding", without_encoding(lazy).T),
        ("of no encoding, chunked", without_encoding(chunked).T),
        ("chunked later", lazy.chunk(x=16)),
        ("concatenated", xr.concat([lazy, lazy], "again")),
        ("of a tree", dvid_array.open_datatree(array)[f"s0/{array.instance}"]),
        ("of a chunked tree", dvid_array.open_datatree(array, chunks={})["s0"][array.instance]),
        ("chunked", chunked),
        ("computed", chunked.astype(float) * 2 + 1),
        ("rechunked", chunked[0, 3].chunk(y=8)),
        ("computed, chunked later", lazy.chunk(x=16) + 1),
        *([("by the engine", by_url[array.instance] // 2)] if not array.regions else []),
    ]


SETTINGS = dvid_array.Settings(threads=2, max_bytes=10**6, query=(("interactive", "false"),))


def test_settings_stay_those_of_the_opening(tissue: Tissue) -> None:
    """Whatever is done with a DataArray, and never by way of attributes."""
    gray, *_ = tissue
    array = dvid_array.open(gray.url, settings=SETTINGS)
    for name, shown in remembered(array):
        assert shown.dvid.array.settings == SETTINGS, name
        if set(gray.to_xarray().dims) == set(shown.dims):
            assert shown.dvid.version(gray.uuid).dvid.array.settings == SETTINGS, name
        assert not [key for key in shown.attrs if key not in gray.to_xarray().attrs], name
    other = dvid_array.Settings(threads=7)
    assert array.to_xarray().dvid.reopen(settings=other).settings == other
    shown = array.to_xarray().dvid.version(gray.uuid, settings=other)
    assert shown.dvid.array.settings == other


def test_settings_that_are_forgotten_can_be_said(tissue: Tissue, tmp_path: Path) -> None:
    """By files, and by arithmetic in memory."""
    gray, _, values, _ = tissue
    array = dvid_array.open(gray.url, settings=SETTINGS)
    array.to_xarray().to_netcdf(tmp_path / "gray.nc")
    with xr.open_dataarray(tmp_path / "gray.nc") as filed:
        for shown in (filed.load(), array.to_xarray() + 1):
            assert shown.dvid.array.settings == dvid_array.Settings()
            assert shown.dvid.reopen(settings=SETTINGS).settings == SETTINGS
            other = shown.dvid.version(gray.uuid, settings=SETTINGS)
            assert other.dvid.array.settings == SETTINGS
            np.testing.assert_array_equal(other, values)


def test_settings_are_those_of_the_volume_that_attributes_name(tissue: Tissue) -> None:
    """A graph may read several, and attributes may be changed by hand."""
    gray, labels, *_ = tissue
    both = [dvid_array.open(one.url, settings=SETTINGS) for one in (gray, labels)]
    found = dvid_array.open_dataset([both[0], labels], chunks={})
    mixed = found.labels.where(found.gray > 7, 0)
    assert mixed.attrs["dvid_instance"] == "labels"
    assert mixed.dvid.array.settings == dvid_array.Settings()
    other = both[0].to_xarray().assign_attrs(dvid_instance="gray_1")
    assert other.dvid.array.instance == "gray_1"
    assert other.dvid.array.settings == dvid_array.Settings()


@pytest.fixture
def region(tissue: Tissue) -> tuple[dvid_array.Roi, np.ndarray]:
    """Half of the tissue, and a mask of it."""
    gray, *_ = tissue
    roi = gray.node.create_roi("half", (16, 16, 16)).post_spans([[0, 0, 0, 1], [1, 1, 2, 2]])
    return roi, roi.mask((0, 0, 0), (48, 40, 32))[None]


def test_regions_stay_those_of_the_opening(
    tissue: Tissue, region: tuple[dvid_array.Roi, np.ndarray], tmp_path: Path
) -> None:
    gray, _, values, _ = tissue
    roi, mask = region
    seen = values * mask
    gray.node.commit()
    child = gray.node.new_version().uuid
    masked = dvid_array.open(gray.url).where(roi)
    for name, shown in remembered(masked):
        assert shown.attrs["dvid_regions"] == ["half"], name
        assert shown.dvid.array.regions == ("half",), name
        np.testing.assert_array_equal(shown.dvid.array.stored[...], seen, err_msg=name)
        if set(shown.dims) == set(gray.to_xarray().dims) and shown.size == values.size:
            other = shown.dvid.version(child).transpose(*gray.to_xarray().dims)
            np.testing.assert_array_equal(other, seen, err_msg=name)
    masked.to_xarray().to_netcdf(tmp_path / "gray.nc")
    with xr.open_dataarray(tmp_path / "gray.nc") as filed:
        for shown in (filed.load(), masked.to_xarray() + 1):
            with pytest.raises(ValueError, match="seen through half, whose blocks are forgotten"):
                _ = shown.dvid.array
            with pytest.raises(ValueError, match="seen through half"):
                shown.dvid.version(child)
            other = shown.dvid.version(child, regions=[roi])
            np.testing.assert_array_equal(other, seen)
            assert other.attrs["dvid_regions"] == ["half"]
            with pytest.raises(TypeError, match="a str is no region of interest"):
                shown.dvid.reopen(regions=["half"])
            plain = shown.dvid.version(child, regions=())
            np.testing.assert_array_equal(plain, values)
            assert "dvid_regions" not in plain.attrs


def test_regions_of_coarser_scales(
    tissue: Tissue, region: tuple[dvid_array.Roi, np.ndarray]
) -> None:
    """A region named anew lies where it lay, though an image's coarser scale has an instance of
    its own, and labels have not."""
    gray, labels, values, ids = tissue
    roi, mask = region
    for array, truth in ((gray, values), (labels, (ids * mask)[:, 6:])):
        tree = dvid_array.open_datatree(array.where(roi), chunks={})
        half = tree[f"s1/{array.instance}"]
        expected = (truth * mask[:, -truth.shape[1] :])[:, ::2, ::2, ::2]
        np.testing.assert_array_equal(half, expected)
        np.testing.assert_array_equal(half.dvid.array.stored[...], expected)
        forgotten = half.compute() + 0
        again = forgotten.dvid.reopen(regions=[roi])
        np.testing.assert_array_equal(again.stored[...], expected)


def test_a_region_that_the_server_masks_with(
    tissue: Tissue, region: tuple[dvid_array.Roi, np.ndarray]
) -> None:
    """Its name is all there is to it, so attributes hold it."""
    gray, _, values, _ = tissue
    _, mask = region
    masked = dvid_array.open(gray.url, settings=dvid_array.Settings(query=(("roi", "half"),)))
    shown = masked.to_xarray()
    assert shown.attrs["dvid_roi"] == "half"
    for one in (shown, shown + 0):
        np.testing.assert_array_equal(one.dvid.array.stored[...], values * mask)
        again = one.dvid.reopen(settings=dvid_array.Settings(threads=1))
        assert again.settings.threads == 1
        np.testing.assert_array_equal(again.stored[...], values * mask)


def test_points_at_another_version(
    versions: tuple[Tissue, dvid_array.Node, np.ndarray], sent: list[Sent]
) -> None:
    """And stacked axes; only the blocks of the points are read."""
    (gray, *_), child, newer = versions
    x = xr.DataArray([3, 40, 12], dims="synapse", coords={"synapse": ["a", "b", "c"]})
    for chunks in (None, {}):
        shown = gray.to_xarray(chunks=chunks)
        points = shown.dvid.at(x=x, y=x // 2, z=xr.full_like(x, 9))
        other = points.dvid.version(child.uuid)
        sent.clear()
        np.testing.assert_array_equal(other, newer[:, [3, 40, 12], [1, 20, 6], 9])
        if chunks is None:
            assert sum(one.query["blocks"].count(",") + 1 for one in bulk(sent)) == 2 * 3
        assert other.synapse.values.tolist() == ["a", "b", "c"]
        inside = points.dvid.box((0, 0, 9), (20, 6, 10))
        assert inside.synapse.values.tolist() == ["a"]
        pairs = shown.dvid.at(x=xr.DataArray([[3, 40], [12, 5]], dims=("from", "to")), z=9)
        other = pairs.dvid.version(child.uuid)
        np.testing.assert_array_equal(
            other, newer[:, [[3, 40], [12, 5]], :, 9].transpose(2, 0, 1, 3)
        )
        with pytest.raises(ValueError, match=r"labels of x stand along \('from', 'to'\): stack"):
            pairs.dvid.box((0, 0, 9), (20, 6, 10))
        stacked = shown.stack(place=("x", "z")).dvid.box((3, 0, 4), (9, 4, 6))
        assert stacked.sizes == {"channel": 1, "y": 4, "place": 12}
        again = stacked.dvid.version(child.uuid).unstack("place").transpose(*shown.dims)
        np.testing.assert_array_equal(again, newer[:, 3:9, :4, 4:6])


def test_boxes_of_what_is_no_volume_any_more(negative: Volume) -> None:
    array, truth = negative
    gray = array.to_xarray()
    for shown, words in (
        (gray.rename(x="a"), "no labels of x"),
        (gray.drop_vars("x"), "no labels of x"),
        (gray.isel(x=0, drop=True), "no labels of x"),
        (gray.mean("x"), "no labels of x"),
        (gray.coarsen(x=2).mean(), "labels of x are no whole numbers of voxels: -39.5"),
        (gray.interp(x=[0.5, 1.5]), "labels of x are no whole numbers of voxels: 0.5"),
        (xr.DataArray(np.zeros((2, 2))), "no labels of x"),
    ):
        with pytest.raises(ValueError, match=words):
            shown.dvid.box((0, 0, 5), (1, 1, 6))
    flat = gray.max("x").dvid.box((None, 0, 5), (None, 1, None))
    np.testing.assert_array_equal(flat, truth.max(1)[:, 3:4])
    for shown, words in (
        (gray.coarsen(x=2).mean(), "no whole numbers"),
        (gray.isel(x=[3, 3]), "labels of x repeat"),
    ):
        with pytest.raises(ValueError, match=words):
            shown.dvid.at(x=-37)
    for shown in (gray.rename(x="a"), gray.stack(place=("x", "y")), gray.isel(x=3)):
        with pytest.raises(KeyError, match="no axis x"):
            shown.dvid.at(x=-37)
    with pytest.raises(TypeError, match="points are numbers of voxels"):
        gray.dvid.at(x="five")


def test_places_that_stay_right(negative: Volume) -> None:
    """Whatever xarray does to labels and voxels together."""
    array, _ = negative
    gray = array.to_xarray()
    boxes = [gray.dvid.box((a, 0, 5), (a + 5, 3, 8)) for a in (0, 10)]
    for shown in (
        gray.sortby("x", ascending=False),
        gray.roll(x=7, roll_coords=True),
        gray.reindex(x=[19, 3, -40]),
        gray.reindex_like(boxes[0]),
        xr.concat(boxes, "x"),
        xr.combine_by_coords([one.to_dataset() for one in boxes]).gray,
        gray.stack(place=("x", "y")).unstack("place"),
        gray.groupby("x").map(lambda plane: plane),
        gray.thin(x=7),
        gray.pad(x=(0, 0)),
        gray.rename("other").expand_dims("time").isel(time=0, drop=True),
        array.to_xarray(physical=True).sortby("x", ascending=False),
    ):
        plain = shown.transpose(*gray.dims).compute()
        expected = array.to_xarray().load()
        x, y, z = (
            plain[dim].values // by if "dvid_spacing" in plain[dim].attrs else plain[dim].values
            for dim, by in zip("xyz", (4, 4, 40), strict=True)
        )
        np.testing.assert_array_equal(plain, expected.sel(x=x, y=y, z=z))
        np.testing.assert_array_equal(shown.dvid.version(array.uuid), shown)
