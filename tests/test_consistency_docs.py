"""What the page on consistency promises of open versions, of either server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import requests
from dask.base import tokenize

import dvid_array
from dvid_array import Box, DvidArray, Node
from tests import labels
from tests.conftest import Sent


@pytest.fixture
def written(node: Node) -> labels.Labels:
    return labels.write(node, (0, 0, 0))


def ingest(array: DvidArray) -> None:
    source = np.full((1, 32, 32, 32), 77, np.uint64)
    dvid_array.store(source, array, Box((0, 0, 0), (32, 32, 32)), ingest=True)


def cleave(array: DvidArray) -> None:
    labels.post(array, "merge", [5, 6])
    labels.post(array, "cleave/5", [6])


COUNTED: dict[str, Callable[[DvidArray], Any]] = {
    "voxels": lambda array: array.voxels.__setitem__(np.s_[:, 0:9, 0:9, 0:9], 4),
    "the same voxels": lambda array: array.voxels.__setitem__(
        np.s_[:, 0:32, 0:32, 0:32], array[:, 0:32, 0:32, 0:32]
    ),
    "an ingest": ingest,
    "a merge": lambda array: labels.post(array, "merge", [5, 6]),
    "a cleave": cleave,
    "voxels elsewhere in the repo": lambda array: array.node["other"].voxels.__setitem__(
        np.s_[:, 0:9, 0:9, 0:9], 4
    ),
}


@pytest.mark.parametrize("what", COUNTED)
def test_what_is_counted(written: labels.Labels, what: str) -> None:
    """Graphs that are built before and after it have different names, whoever builds them."""
    array = written.array
    array.node.create("other", "uint8", block=(32, 32, 32))
    before = tokenize(array)
    assert tokenize(dvid_array.open(array.url)) == before
    COUNTED[what](dvid_array.open(array.url))
    assert tokenize(array) != before
    names = {one.to_dask().name for one in (array, dvid_array.open(array.url))}
    shown = [one.to_xarray(chunks={}).data.name for one in (array, dvid_array.open(array.url))]
    assert len(names) == len({*shown}) == 1


def test_what_is_not_counted(written: labels.Labels) -> None:
    """Changes of extents, though a graph of the whole volume has another shape then."""
    array = written.array
    before = tokenize(array.window((0, 0, 0), (9, 9, 9)))
    address = f"{array.server_url}/api/node/{array.uuid}/{array.instance}/extents"
    body = {"MinPoint": [0, 0, 0], "MaxPoint": [999, 999, 999]}
    requests.post(address, json=body, timeout=60).raise_for_status()
    assert array.refresh().shape == (1, 1000, 1000, 1000)
    assert tokenize(array.window((0, 0, 0), (9, 9, 9))) == before


def test_merges_change_bodies_and_no_supervoxels(written: labels.Labels) -> None:
    array = written.array
    stored = array.node.open("seg", supervoxels=True)
    labels.post(array, "merge", [5, 6])
    merged = np.where(written.mask(6), np.uint64(5), written.truth)
    np.testing.assert_array_equal(array[0], merged)
    np.testing.assert_array_equal(stored[0], written.truth)


@pytest.mark.parametrize("kind", ["uint8", "uint64"])
@pytest.mark.parametrize("transport", ["raw", "blocks"])
def test_one_block_is_whole(node: Node, kind: str, transport: str) -> None:
    """While others write it, it is read as it was before a write, or after it; what is written is
    read from then on."""
    array = node.create("v", kind, block=(32, 32, 32), max_scale=0)
    array[:, :32, :32, :32] = 1
    seen: list[np.ndarray] = []
    done = threading.Event()
    reader = dvid_array.open(array.url, settings=dvid_array.Settings(transport=transport))

    def read() -> None:
        while not done.is_set():
            seen.append(np.unique(reader[:, :32, :32, :32]))

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for value in range(2, 40):
            array[:, :32, :32, :32] = value
            assert (reader[:, :32, :32, :32] == value).all()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert {len(values) for values in seen} == {1}
    assert len({int(values[0]) for values in seen}) > 1


def test_facts_are_as_old_as_they_were_read(node: Node, sent: list[Sent]) -> None:
    """Shape, extents and lock; and a version stays the one it was."""
    array = node.create("v", "uint8", block=(16, 16, 16))
    array[:, :16, :16, :16] = 1
    other = dvid_array.open(array.url)
    other[:, 16:32, :16, :16] = 2
    assert array.shape == (1, 16, 16, 16)
    assert (array.voxels[0, 16:32, 0:16, 0:16] == 2).all()
    assert (array.window((16, 0, 0), (32, 16, 16))[...] == 2).all()
    assert array.refresh().shape == (1, 32, 16, 16)
    node.commit()
    assert not array.locked
    assert array.refresh().locked
    branch = dvid_array.open(f"{node.server.url}/{node.uuid}:master/v")
    node.new_version()
    assert branch.uuid == node.uuid
