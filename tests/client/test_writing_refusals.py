"""What is refused before a voxel is sent, and the rules of labels."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import requests

import dvid_array
from dvid_array import DvidArray, Node, errors
from tests.client.world import on_server
from tests.conftest import Sent

s_ = np.s_


def committed(node: Node) -> DvidArray:
    node.create("v", "uint8")
    node.commit()
    return node["v"]


def coarse(node: Node) -> DvidArray:
    node.create("v", "uint64", max_scale=2, shape=(64, 64, 64))
    return node.open("v", scale=1)


def jpeg(node: Node) -> DvidArray:
    return node.create("v", "uint8", compression="jpeg")


def pyramid(node: Node) -> DvidArray:
    return node.create("v", "uint64", max_scale=2)


def flat(node: Node) -> DvidArray:
    return node.create("v", "uint8")


REFUSED: list[tuple[Callable[[Node], DvidArray], Any, type[Exception], tuple[str, ...]]] = [
    (committed, s_[:, 0:64, 0:64, 0:64], errors.DvidLockedError, ("committed", "new_version()")),
    (committed, s_[:, 5:6, 5:6, 5:6], errors.DvidLockedError, ("committed", "new_version()")),
    (coarse, s_[:, 0:16, 0:16, 0:16], errors.DvidTypeError, ("scale 1", "write at scale 0")),
    (jpeg, s_[:, 0:64, 0:64, 0:64], errors.DvidTypeError, ("JPEG", "compression='lz4'")),
    (jpeg, s_[:, 5:6, 5:6, 5:6], errors.DvidTypeError, ("JPEG", "compression='lz4'")),
    (pyramid, s_[:, -1:64, 0:64, 0:64], errors.DvidTypeError, ("negative", "max_scale=0")),
    (pyramid, s_[:, 0:64, 0:64, -64:0], errors.DvidTypeError, ("negative", "max_scale=0")),
    (flat, s_[:, 2**31 - 1 : 2**31 + 1, 0:1, 0:1], IndexError, ("32-bit",)),
    (flat, s_[:, 0:1, -(2**31) - 1 : -(2**31), 0:1], IndexError, ("32-bit",)),
]


@pytest.mark.parametrize(("make", "key", "error", "words"), REFUSED)
def test_refused_before_anything_is_sent(
    node: Node,
    sent: list[Sent],
    make: Callable[[Node], DvidArray],
    key: Any,
    error: type[Exception],
    words: tuple[str, ...],
) -> None:
    array = make(node)
    sent.clear()
    with pytest.raises(error) as refused:
        array.voxels[key] = 1
    assert not sent
    assert all(word in str(refused.value) for word in words)


@pytest.fixture
def proxied() -> Iterator[DvidArray]:
    """A proxy of a read-only store."""
    with dvid_array.serve() as running:
        node = dvid_array.connect(running.url, admin_token=running.admin_token).create_repo("r")
        config = {"typename": "uint8blk", "dataname": "v", "GridStore": "far"}
        running.add_gridstore("far")
        url = f"{running.url}/api/repo/{node.uuid}/instance"
        requests.post(url, json=config, timeout=10).raise_for_status()
        running.fill_gridstore("far", node.uuid, "v", np.full((64, 64, 64), 3, np.uint8))
        yield node["v"]


@pytest.mark.dev
@pytest.mark.parametrize("key", [s_[:, 0:64, 0:64, 0:64], s_[:, 5:6, 5:6, 5:6]])
def test_a_proxy_of_a_store_is_not_written(proxied: DvidArray, sent: list[Sent], key: Any) -> None:
    sent.clear()
    with pytest.raises(errors.DvidPermissionError, match="read-only store"):
        proxied[key] = 1
    assert not sent
    assert (proxied[:, 0:64, 0:64, 0:64] == 3).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint64"])
@pytest.mark.parametrize(
    "key", [s_[:, 3:4, 3:4, 3:4], s_[:, 0:32, 0:32, 0:32], s_[:, 5:60, 5:60, 5:60]]
)
def test_somebody_else_commits_the_version(
    filled: Callable[..., Any], dtype: str, key: Any
) -> None:
    """DVID's own refusal becomes the error that names the way out."""
    array, truth = filled(dtype, (1, 64, 64, 64))
    url = f"{array.server_url}/api/node/{array.uuid}/commit"
    requests.post(url, json={"note": "theirs"}, timeout=10).raise_for_status()
    assert not array.locked
    with pytest.raises(errors.DvidLockedError, match=r"new_version\(\)") as refused:
        array[key] = 77
    assert "locked node" in refused.value.sentence
    np.testing.assert_array_equal(array[...], truth)
    child = array.node.new_version()
    newer = array.at(child.uuid)
    newer[key] = truth[key] = 77
    np.testing.assert_array_equal(newer[...], truth)


# Labels.


def test_labels_are_read_unmerged_and_posted_so_that_repeats_do_no_harm(
    filled: Callable[..., Any], sent: list[Sent]
) -> None:
    array, truth = filled("uint64", (1, 70, 64, 64), kind="labelmap")
    sent.clear()
    array[:, 5:66, 0:32, 0:32] = truth[:, 5:66, 0:32, 0:32] = 9
    voxel = [one for one in sent if one.action not in ("mappings", "info", "extents")]
    assert {one.method for one in voxel} == {"GET", "POST"}
    for one in voxel:
        if one.method == "GET":
            assert one.query["supervoxels"] == "true"
        else:
            assert one.query["mutate"] == "true"
    assert [one.action for one in sent].count("mappings") == 1
    np.testing.assert_array_equal(array[...], truth)


def merge(array: DvidArray, target: int, *others: int) -> None:
    """Merge bodies, without the library."""
    url = f"{array.server_url}/api/node/{array.uuid}/{array.instance}/merge"
    answer = requests.post(url, json=[target, *others], timeout=30)
    answer.raise_for_status()


def settles_at(array: DvidArray, label: int, voxels: int) -> bool:
    """Whether the server's own index, which follows posts at its leisure, comes to a size."""
    url = f"{array.server_url}/api/node/{array.uuid}/{array.instance}/size/{label}"
    end = time.monotonic() + 20
    while time.monotonic() < end:
        answer = requests.get(url, timeout=30)
        if answer.ok and answer.json()["voxels"] == voxels:
            return True
        time.sleep(0.1)
    return False


def test_writing_while_merges_are_in_force(node: Node, sent: list[Sent]) -> None:
    array = node.create("seg", "uint64", block=(32, 32, 32), max_scale=0)
    truth = np.ones((1, 64, 32, 32), np.uint64)
    truth[:, 20:40] = 2
    truth[:, 40:] = 3
    array[:, 0:64, 0:32, 0:32] = truth
    merge(array, 1, 2)
    bodies = np.where(truth == 2, 1, truth)
    np.testing.assert_array_equal(array[...], bodies)

    sent.clear()
    for key in (s_[:, 0:32, 0:32, 0:32], s_[0, 50, 5, 5]):
        with pytest.raises(errors.DvidTypeError, match=r"supervoxels=True"):
            array[key] = 7
    assert {(one.method, one.action) for one in sent} == {("GET", "mappings")}

    stored = node.open("seg", supervoxels=True)
    np.testing.assert_array_equal(stored[...], truth)
    stored[:, 30:34, 3:9, 3:9] = truth[:, 30:34, 3:9, 3:9] = 5
    np.testing.assert_array_equal(on_server(array, stored._extents, supervoxels="true"), truth)
    np.testing.assert_array_equal(array[...], np.where(truth == 2, 1, truth))
    assert settles_at(array, 5, 4 * 6 * 6)
    assert settles_at(array, 1, int((truth <= 2).sum()))


def test_repeated_label_writes_do_not_grow_bodies(node: Node) -> None:
    array = node.create("seg", "uint64", block=(32, 32, 32), max_scale=0)
    for _ in range(3):
        array[:, 0:40, 0:32, 0:32] = 6
    array[:, 64:96, 0:32, 0:32] = 7
    assert settles_at(array, 7, 32**3)  # and with it, all posts before
    assert settles_at(array, 6, 40 * 32 * 32)


# The older label types, where the server has them.


@pytest.mark.parametrize("kind", ["labelarray", "labelblk"])
def test_older_label_types(node: Node, server: dvid_array.Server, kind: str) -> None:
    if kind not in server.types():
        pytest.skip(f"this server has no {kind}")
    array = node.create("seg", "uint64", kind=kind, block=(32, 32, 32))
    truth = np.arange(40 * 33 * 35, dtype=np.uint64).reshape(1, 40, 33, 35) % 50 + 1
    array[:, 0:40, 0:33, 0:35] = truth
    np.testing.assert_array_equal(array.read((0, 0, 0), (40, 33, 35)), truth)
    array.voxels[:, 3:37, 5, ::2] = 99
    truth[:, 3:37, 5, ::2] = 99
    np.testing.assert_array_equal(array.read((0, 0, 0), (40, 33, 35)), truth)
    assert array.shape[1:] >= (40, 33, 35)
