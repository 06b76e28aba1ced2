"""What may be opened, and what it is opened as."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dask
import numpy as np
import pytest
from dask.base import tokenize

import dvid_array
from dvid_array import DvidArray, Node
from dvid_array.adapters.xarray.sources import Opened, Wanted, claimed, opened
from tests import offline
from tests.conftest import Sent

Tissue = tuple[DvidArray, DvidArray, np.ndarray, np.ndarray]


@pytest.mark.parametrize(
    ("thing", "ours"),
    [
        ("dvid://h/abc/gray", True),
        ("dvid://https://h/abc", True),
        ("http://h/api/node/abc/gray/info", True),
        ("https://h:8000/api/node/abc", True),
        ("http://h/abc/gray", False),
        ("h/api/node/abc", False),
        ("/data/file.zarr", False),
        (offline.array(), True),
        (offline.array().stored, True),
        (offline.array().node, True),
        ([offline.array(), offline.array().stored], True),
        ((offline.array(),), True),
        (Opened((), several=True), True),
        ([], False),
        ([offline.array(), 5], False),
        ({offline.array()}, False),
        (offline.array().node.server, False),
        (np.zeros(3), False),
    ],
)
def test_what_is_ours_is_told_by_a_look(thing: Any, ours: bool, sent: list[Sent]) -> None:
    assert claimed(thing) is ours
    assert not sent


def names(found: Opened) -> list[str]:
    return [array.instance for array in found.arrays]


def test_one_array_and_several(tissue: Tissue, sent: list[Sent]) -> None:
    """A version and a list give each array a name of its own, even where there is one."""
    gray, labels, *_ = tissue
    node, version = gray.node, f"{gray.server_url}/{gray.uuid}"
    table: list[tuple[Any, Wanted, list[str], bool, int]] = [
        (gray, Wanted(), ["gray"], False, 0),
        ([gray], Wanted(), ["gray"], True, 0),
        ((labels, gray), Wanted(), ["labels", "gray"], True, 0),
        (gray.url, Wanted(), ["gray"], False, 2),
        (version, Wanted(instance="gray"), ["gray"], False, 2),
        (version, Wanted(instance=["gray"]), ["gray"], True, 2),
        (version, Wanted(), ["gray", "labels"], True, 4),
        (node, Wanted(instance="labels"), ["labels"], False, 2),
        (node, Wanted(instance=("labels", "gray")), ["labels", "gray"], True, 3),
    ]
    for thing, wanted, expected, several, most in table:
        sent.clear()
        found = opened(thing, wanted)
        assert (names(found), found.several) == (expected, several)
        assert len(sent) <= most
    already = opened(gray, Wanted())
    assert opened(already, Wanted()) == already


def test_scales_and_supervoxels_are_those_said(tissue: Tissue) -> None:
    _, labels, *_ = tissue
    version = f"{labels.server_url}/{labels.uuid}"
    for thing, wanted in (
        (labels.url + "?scale=2&supervoxels=true", Wanted()),
        (labels.url, Wanted(scale=2, supervoxels=True)),
        (version, Wanted(instance="labels", scale=2, supervoxels=True)),
        (labels.node, Wanted(instance=["labels"], scale=2, supervoxels=True)),
    ):
        (array,) = opened(thing, wanted).arrays
        assert (array.scale, array.supervoxels) == (2, True)


@pytest.mark.parametrize(
    ("dropped", "left"),
    [
        (None, ["gray", "labels"]),
        ("gray", ["labels"]),
        (["gray", "labels"], []),
        (("nothing of that name",), ["gray", "labels"]),
    ],
)
def test_what_is_dropped_is_not_asked_about(
    tissue: Tissue, sent: list[Sent], dropped: Any, left: list[str]
) -> None:
    gray, labels, *_ = tissue
    sent.clear()
    assert names(opened(gray.node, Wanted(), dropped)) == left
    asked = {one.path.split("/")[4] for one in sent if one.action == "info" and "node" in one.path}
    assert asked == set(left)
    assert names(opened([gray, labels], Wanted(), dropped)) == left


@pytest.mark.parametrize("thing", [5, None, b"dvid://h/a/b", [], [5], object(), np.zeros(3)])
def test_what_is_nothing_of_ours(thing: Any) -> None:
    with pytest.raises(TypeError, match="is no address, version or array of a DVID"):
        opened(thing, Wanted())


@pytest.mark.parametrize(
    "said",
    [{"version": ":b"}, {"instance": "gray"}, {"scale": 1}, {"supervoxels": True}, {"token": "t"}],
    ids=str,
)
def test_an_open_array_takes_no_keywords(said: dict[str, Any]) -> None:
    array = offline.array()
    for thing in (array, [array]):
        with pytest.raises(ValueError, match=f"{next(iter(said))}: not of an array that is open"):
            opened(thing, replace(Wanted(), **said))


# Names for dask.


def test_tokens_follow_what_was_opened() -> None:
    array = offline.array(locked=True)
    found = Opened((array,), several=False)
    assert tokenize(found) == tokenize(Opened((offline.array(locked=True),), several=False))
    others = [
        Opened((array, array), several=True),
        Opened((array.window((0, 0, 0), (5, 5, 5)),), several=False),
        Opened((offline.array(locked=True, name="other"),), several=False),
    ]
    assert len({tokenize(found), *map(tokenize, others)}) == 4


def test_each_version_is_asked_once(node: Node, sent: list[Sent]) -> None:
    """However many arrays and trees: what changed in an open version is told by one request."""
    arrays = [node.create(name, "uint8") for name in ("a", "b", "c")]
    found = Opened(tuple(arrays), several=True)
    sent.clear()
    before = tokenize(found)
    assert tokenize(found) == before
    assert [one.path for one in sent] == [f"/api/repo/{node.uuid}/info"]
    node["c"].voxels[:, 0:64, 0:64, 0:64] = 1  # by a handle whose shape these do not know
    assert tokenize(Opened(tuple(arrays), several=True)) != before


def test_names_tell_regions_and_settings_apart(tissue: Tissue) -> None:
    """Of every array, though a version is asked once."""
    gray, labels, *_ = tissue
    rois = [
        gray.node.create_roi(name, (16, 16, 16)).post_spans([[0, 0, x, x]])
        for x, name in enumerate(("left", "right"))
    ]
    gray.node.commit()
    gray, labels = (one.refresh() for one in (gray, labels))
    seen = [gray, *(gray.where(roi) for roi in rois)]
    seen += [gray.with_settings(query=(("roi", roi.name),)) for roi in rois]
    for others in ((), (labels,)):
        assert len({tokenize(Opened((*others, one), several=True)) for one in seen}) == 5
    shown = [dvid_array.open_dataset([labels, one], chunks={}).gray for one in seen]
    assert len({one.data.name for one in shown}) == 5
    differ = [(one != shown[1]).any() for one in shown]
    assert list(map(bool, dask.compute(*differ))) == [True, False, True, False, True]
