"""Exchanges about bodies: how many, how large, and what faults of the path do to them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import dvid_array
from dvid_array import Box, Node, errors
from dvid_array.client import bodies
from dvid_array.client.masks import Body
from dvid_array.protocol import runs
from dvid_array.testing import Fault, FaultyProxy
from tests.client.conftest import through, volume_of
from tests.conftest import Dvid, Sent
from tests.labels import IDS, Labels, settle, write


@pytest.fixture(scope="module")
def labels(dvid: Dvid) -> Labels:
    """A volume that no test changes."""
    server = dvid_array.connect(dvid.url, admin_token=dvid.admin_token)
    return write(server.create_repo("exchanges about bodies"), (-70, -33, -50))


@pytest.fixture
def cube(node: Node) -> Labels:
    """One body of 80³ voxels in blocks of 16³, which fills none of its outermost blocks."""
    array = node.create("seg", "uint64", block=(16, 16, 16), max_scale=0)
    truth = np.zeros((80, 80, 80), np.uint64)
    truth[1:-1, 1:-1, 1:-1] = 3
    array[:, :80, :80, :80] = truth[None]
    made = Labels(array, truth, (0, 0, 0))
    settle(made)
    return made


def test_many_ids_are_asked_in_batches(
    labels: Labels, sent: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BATCH", 3)
    ids = np.array([*IDS, 77, 78, *IDS], np.uint64)
    sent.clear()
    found = labels.array.bodies.size(ids)
    assert found.tolist() == [int(labels.mask(int(label)).sum()) for label in ids]
    assert [one.action for one in sent] == ["sizes"] * 3  # seven different ones
    assert labels.array.mapping(ids).tolist() == [*IDS, 0, 0, *IDS]


def test_only_the_outermost_blocks_are_looked_at(cube: Labels, sent: list[Sent]) -> None:
    sent.clear()
    assert cube.array.bodies.bbox(3) == Box((1, 1, 1), (79, 79, 79))
    asked = [one.query["blocks"] for one in sent if one.action == "specificblocks"]
    assert sum(len(text.split(",")) // 3 for text in asked) == 5**3 - 3**3


def test_blocks_that_hold_nothing_are_peeled_off(cube: Labels) -> None:
    """Where the index is behind the voxels, or a scale is too coarse for a body."""
    volume = volume_of(cube.array)
    every = np.argwhere(np.ones((11, 9, 12))) - 3
    assert bodies.bounds(volume, Body(3, every)) == Box((1, 1, 1), (79, 79, 79))
    assert bodies.bounds(volume, Body(9, every)).empty
    assert bodies.bounds(volume, Body(3, every[:0])).empty


# Faults. Each question, and the path of the request that goes wrong.

QUESTIONS = {
    "sizes": lambda array: array.bodies.size([5, 6]).tolist(),
    "mapping": lambda array: array.mapping([5, 6]).tolist(),
    "supervoxels": lambda array: array.bodies.supervoxels(5).tolist(),
    "sparsevol-coarse": lambda array: array.bodies.coarse(5).runs.tolist(),
    "specificblocks": lambda array: array.sparse(5).runs.tolist(),
}
PASSING = {
    "lost": Fault.lost(forward=True),
    "broken": Fault.broken(1),
    "closed early": Fault.cut(1, clean=False),
    "busy": Fault.status(503),
    "a gateway": Fault.status(502),
}
LASTING = {
    "cut": Fault.cut(2, clean=True),
    "a late error": Fault.appended("unable to get block from store\n", keep=21),
    "a page": Fault.page(),
    "garbage": Fault.garbage(),
}


@pytest.mark.parametrize("endpoint", QUESTIONS)
@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_what_passes_is_tried_again(
    labels: Labels, path: FaultyProxy, endpoint: str, fault: Fault
) -> None:
    array = through(path, labels.array)
    truth = QUESTIONS[endpoint](labels.array)
    path.add(fault, when=lambda request: f"/{endpoint}" in request.path, times=1)
    assert QUESTIONS[endpoint](array) == truth


@pytest.mark.parametrize("endpoint", QUESTIONS)
@pytest.mark.parametrize("fault", LASTING.values(), ids=LASTING)
def test_what_is_no_answer_is_an_error(
    labels: Labels, path: FaultyProxy, endpoint: str, fault: Fault
) -> None:
    array = through(path, labels.array)
    path.add(fault, when=lambda request: f"/{endpoint}" in request.path, times=10**6)
    with pytest.raises(errors.DvidProtocolError):
        QUESTIONS[endpoint](array)


@pytest.mark.parametrize("endpoint", ["supervoxels", "sparsevol-coarse"])
def test_only_a_404_without_a_word_is_a_missing_body(
    labels: Labels, path: FaultyProxy, endpoint: str
) -> None:
    array = through(path, labels.array)
    path.add(Fault.status(404), when=lambda request: f"/{endpoint}" in request.path, times=1)
    with pytest.raises(errors.DvidError, match="answered: 404 Not Found"):
        QUESTIONS[endpoint](array)


@pytest.mark.parametrize(
    "listed",
    [[1], [1, 2, 3], [1, -2], [1, 2.0], [1, True], [1, None], [1, 2**64], {"a": 1}],
    ids=str,
)
def test_a_list_of_another_kind_is_an_error(labels: Labels, path: FaultyProxy, listed: Any) -> None:
    answer = Fault(keep=0, tail=json.dumps(listed).encode())
    array = through(path, labels.array)
    for endpoint in ("sizes", "mapping"):
        path.add(answer, when=lambda request, e=endpoint: f"/{e}" in request.path, times=1)
        with pytest.raises(errors.DvidProtocolError):
            QUESTIONS[endpoint](array)


def test_an_endless_body_is_an_error(labels: Labels, path: FaultyProxy) -> None:
    endless = np.array([[0, 0, 0, (1 << 24) - 3], [0, 1, 0, 4]])
    answer = Fault(keep=0, tail=runs.encode_rles(endless))
    path.add(answer, when=lambda request: "/sparsevol-coarse" in request.path, times=3)
    array = through(path, labels.array)
    for ask in (array.body, array.sparse, array.bodies.coarse):
        with pytest.raises(errors.DvidProtocolError, match=r"touches 16,777,217 blocks"):
            ask(5)


def test_the_missing_body_is_told_of_its_request(labels: Labels) -> None:
    with pytest.raises(errors.DvidNotFoundError) as told:
        labels.array.sparse(77)
    assert (told.value.status, told.value.method) == (404, "GET")
    assert told.value.url.split("?")[0].endswith("/seg/sparsevol-coarse/77")
    assert told.value.__cause__ is None


def test_no_body_is_kept_of_an_open_version(labels: Labels, sent: list[Sent]) -> None:
    array = dvid_array.open(labels.array.url, settings=dvid_array.Settings(cache_bytes=1 << 28))
    for _ in range(2):
        sent.clear()
        array.sparse(5)
        array.bodies.size(5)
        assert [one.action for one in sent] == ["sparsevol-coarse", "specificblocks", "sizes"]
