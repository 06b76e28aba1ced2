"""Reading through the cache: right voxels, each block once, nothing of an open version."""

from __future__ import annotations

import pickle
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dvid_array
from dvid_array.box import Box
from dvid_array.client import caching, registry
from dvid_array.testing import Fault, FaultyProxy
from tests import labels
from tests.client import watchers
from tests.client.conftest import through
from tests.client.test_hooks import most_at_once
from tests.interrupts import interrupted

Filled = Callable[..., tuple[dvid_array.DvidArray, np.ndarray]]
CACHED = dvid_array.Settings(cache_bytes=1 << 28)


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    yield
    registry.reset()


def voxel_requests(sent: list[Any]) -> list[Any]:
    return [one for one in sent if one.action in ("subvolblocks", "specificblocks", "raw")]


@pytest.fixture
def committed(filled: Filled) -> tuple[dvid_array.DvidArray, np.ndarray]:
    array, truth = filled()
    array.node.commit()
    return dvid_array.open(array.url, settings=CACHED), truth


def test_the_same_block_from_eight_threads_is_one_request(
    committed: tuple[dvid_array.DvidArray, np.ndarray], sent: list[Any]
) -> None:
    array, truth = committed
    key = np.s_[:, 0:32, 0:32, 0:32]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: array[key], range(8)))
    assert all(np.array_equal(result, truth[key]) for result in results)
    assert len(voxel_requests(sent)) == 1


def test_a_sweep_of_planes_fetches_each_block_once(
    committed: tuple[dvid_array.DvidArray, np.ndarray], sent: list[Any]
) -> None:
    array, truth = committed
    for z in range(array.shape[3]):
        assert np.array_equal(array[:, :, :, z], truth[:, :, :, z])
    assert len(voxel_requests(sent)) == array.shape[3] // array.block_shape[3]


def test_points_and_unwritten_blocks_come_from_the_cache(
    committed: tuple[dvid_array.DvidArray, np.ndarray], sent: list[Any]
) -> None:
    array, truth = committed
    places = np.array([0, 31, 32, 63])
    for _ in range(2):
        assert np.array_equal(
            array.vindex[0, places, places, places], truth[0, places, places, places]
        )
        assert not array.voxels[:, -40:-10, 0:5, 0:5].any()
    asked = len(voxel_requests(sent))
    array.vindex[0, places, places, places]
    assert not array.voxels[0, -1, 0, 0]
    assert len(voxel_requests(sent)) == asked


def test_an_open_version_is_never_cached(filled: Filled) -> None:
    array, _ = filled()
    array = dvid_array.open(array.url, settings=CACHED)
    array[:, 0:4, 0:4, 0:4]
    dvid_array.open(array.url)[:, 0:4, 0:4, 0:4] = 201
    assert (array[:, 0:4, 0:4, 0:4] == 201).all()


ASKED = replace(CACHED, cache_open=True)


def test_an_open_version_is_cached_where_asked(
    filled: Filled, sent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep fetches each block once, and any write by anybody shows at once."""
    monkeypatch.setattr(caching, "SETTLED_SECONDS", 0.0)
    array, truth = filled()
    other = dvid_array.open(array.url)
    array = dvid_array.open(array.url, settings=ASKED)
    assert array.cache_info().kept
    sent.clear()
    for z in range(64):
        assert np.array_equal(array[:, :, :, z], truth[:, :, :, z])
    assert len(voxel_requests(sent)) == 2
    for z in range(32):
        other[:, 5:9, 5:9, z : z + 1] = truth[:, 5:9, 5:9, z : z + 1] = 250 - z
        assert np.array_equal(array[:, :, :, z], truth[:, :, :, z])


def test_blocks_are_kept_once_writes_have_settled(
    filled: Filled, sent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write is counted when it begins: what is read before it ends may be old, and is not kept
    under the new count."""
    monkeypatch.setattr(caching, "SETTLED_SECONDS", 0.3)
    array, truth = filled()
    array = dvid_array.open(array.url, settings=ASKED)
    key = np.s_[:, :32, :32, :32]
    sent.clear()
    for _ in range(3):
        assert np.array_equal(array[key], truth[key])
    assert array.cache_info().blocks == 0
    assert len(voxel_requests(sent)) == 3
    time.sleep(0.4)
    for _ in range(3):
        assert np.array_equal(array[key], truth[key])
    assert array.cache_info().blocks == 1
    assert len(voxel_requests(sent)) == 4


def test_what_an_array_tells_of_the_cache(
    committed: tuple[dvid_array.DvidArray, np.ndarray], sent: list[Any]
) -> None:
    array, _ = committed
    sent.clear()
    assert array.cache_info() == dvid_array.CacheInfo(
        kept=True, hits=0, misses=0, blocks=0, nbytes=0, limit=1 << 28
    )
    assert not array.with_settings(cache_bytes=0).cache_info().kept
    assert not sent
    array[...]
    array[...]
    info = array.cache_info()
    assert (info.hits, info.misses, info.blocks, info.nbytes) == (24, 24, 24, array.nbytes)


def test_processes_and_threads_of_dask_share_it(
    committed: tuple[dvid_array.DvidArray, np.ndarray], sent: list[Any]
) -> None:
    """The cache is the process's: arrays that were pickled find it too."""
    array, truth = committed
    sent.clear()
    assert np.array_equal(array[...], truth)
    again = pickle.loads(pickle.dumps(array))
    assert np.array_equal(again.to_dask(32).compute(scheduler="threads"), truth)
    assert len(voxel_requests(sent)) == 1


def test_the_cache_stays_within_its_bytes(
    committed: tuple[dvid_array.DvidArray, np.ndarray],
) -> None:
    array, truth = committed
    small = replace(CACHED, cache_bytes=3 * 32**3)
    array = dvid_array.open(array.url, settings=small)
    assert np.array_equal(array[...], truth)
    assert registry.state().cache.bytes <= small.cache_bytes


def test_boxes_are_joined_where_they_continue_one_another() -> None:
    blocks = [Box.sized((x, y, z), (1, 1, 1)) for x in range(3) for y in range(2) for z in range(2)]
    assert caching.merged(blocks) == [Box((0, 0, 0), (3, 2, 2))]
    assert len(caching.merged([*blocks, Box.sized((5, 0, 0), (1, 1, 1))])) == 2


# Single flight, and what becomes of it.


def test_who_is_interrupted_holds_nobody_up(
    committed: tuple[dvid_array.DvidArray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While blocks that are kept are placed, the others are claimed already."""
    array, truth = committed
    key = np.s_[:, 0:64, 0:32, 0:32]
    array[:, 0:32, 0:32, 0:32]

    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(caching, "_put", interrupted)
        with pytest.raises(KeyboardInterrupt):
            array[key]
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(lambda: array[key]).result(timeout=30)
    assert np.array_equal(found, truth[key])


def test_who_leads_may_be_interrupted(
    committed: tuple[dvid_array.DvidArray, np.ndarray], path: FaultyProxy
) -> None:
    """In the middle of its request: the others fetch what it does not."""
    array, truth = committed
    array = through(path, array, cache_bytes=1 << 26, read_timeout=30.0)
    key = np.s_[:, 0:32, 0:32, 0:32]
    path.add(Fault.stall(), when=lambda request: "blocks" in request.path)
    asked = len(path.requests)
    found: list[np.ndarray] = []
    followers = [threading.Thread(target=lambda: found.append(array[key])) for _ in range(3)]

    def all_wait() -> bool:
        if len(path.requests) == asked:
            return False
        for follower in followers:
            follower.start()
        time.sleep(0.2)
        return True

    with interrupted(all_wait):
        array[key]
    for follower in followers:
        follower.join(30)
    assert len(found) == 3
    assert all(np.array_equal(one, truth[key]) for one in found)


def test_followers_of_a_failure_try_side_by_side(
    committed: tuple[dvid_array.DvidArray, np.ndarray], path: FaultyProxy
) -> None:
    """One after the other, each would wait for the deadlines of all before it."""
    array, truth = committed
    array = through(path, array, cache_bytes=1 << 26, observers=("tests.client.watchers.watch",))
    key = np.s_[:, 0:32, 0:32, 0:32]
    refused = replace(Fault.status(400, "no"), delay=0.4)
    path.add(refused, when=lambda request: "blocks" in request.path, times=5)
    watchers.told.clear()

    def read(_: int) -> bool:
        try:
            return np.array_equal(array[key], truth[key])
        except dvid_array.DvidError:
            return False

    with ThreadPoolExecutor(5) as pool:
        assert not any(pool.map(read, range(5)))
        told = [one for _, exchanges in watchers.told for one in exchanges]
        assert len(told) == 5
        assert most_at_once(told) > 1
        assert all(pool.map(read, range(5)))
    assert array.cache_info().blocks == 1


# What is kept apart.


def test_results_are_not_what_is_kept(
    committed: tuple[dvid_array.DvidArray, np.ndarray],
) -> None:
    array, truth = committed
    for _ in range(3):
        for key in (np.s_[:, 0:32, 0:32, 0:32], np.s_[0], np.s_[:, 5, 5]):
            found = array[key]
            assert np.array_equal(found, truth[key])
            found[...] = 0


def test_kinds_of_labels_are_not_mixed_up(node: dvid_array.Node, sent: list[Any]) -> None:
    """Bodies, supervoxels, scales, windows and masks of one instance, and of two versions."""
    made = labels.write(node, (40, 0, 5), max_scale=2)
    node.commit()
    newer = made.array.at(node.new_version().uuid)
    labels.post(newer, "merge", [5, 6])
    newer.node.commit()

    def views(settings: dvid_array.Settings) -> list[dvid_array.DvidArray]:
        old = dvid_array.open(made.array.url, settings=settings)
        new = dvid_array.open(newer.url, settings=settings)
        bodies = dvid_array.open(newer.url, settings=settings, supervoxels=True)
        whole = [one.stored for one in (old, new, bodies)]
        scaled = [one.at_scale(scale).stored for one in (old, new, bodies) for scale in (1, 2)]
        window = new.window((43, 3, 9), (150, 60, 70))
        return [*whole, *scaled, window, new.body(5), bodies.body(6)]

    plain = [one[...] for one in views(dvid_array.Settings())]
    assert len({one.tobytes() for one in plain}) == len(plain) - 3  # of three scales
    kept = views(CACHED)
    for order in (1, -1):
        for one, truth in list(zip(kept, plain, strict=True))[::order]:
            assert np.array_equal(one[...], truth)
    sent.clear()
    for one, truth in zip(kept, plain, strict=True):
        assert np.array_equal(one[...], truth)
    assert not voxel_requests(sent)
    assert not [one for one in sent if one.action == "blocks"]


@pytest.mark.dev
@pytest.mark.parametrize("commit", [True, False])
def test_copies_of_a_repo_are_not_mixed_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commit: bool
) -> None:
    """As a backup that was started next to its original, and written to: all ids are the same."""
    monkeypatch.setattr(caching, "SETTLED_SECONDS", 0.0)
    with dvid_array.serve(tmp_path / "a.sqlite") as first:
        node = dvid_array.connect(first.url, admin_token=first.admin_token).create_repo("twice")
        node.create("v", "uint8", shape=(32, 32, 32), block=(32, 32, 32))
    shutil.copy(tmp_path / "a.sqlite", tmp_path / "b.sqlite")
    with (
        dvid_array.serve(tmp_path / "a.sqlite") as first,
        dvid_array.serve(tmp_path / "b.sqlite") as second,
    ):
        for value, server in enumerate((first, second), start=1):
            array = dvid_array.open(f"{server.url}/{node.uuid}/v")
            array[...] = value
            if commit:
                array.node.commit()
            found = dvid_array.open(array.url, settings=ASKED)
            assert found.cache_info().kept
            assert (found[...] == value).all()
            assert (found[...] == value).all()


def test_a_sweep_of_a_window_fetches_each_block_once(
    committed: tuple[dvid_array.DvidArray, np.ndarray], sent: list[Any]
) -> None:
    """Wherever it begins, and whichever way it goes."""
    array, truth = committed
    window = array.window((5, 17, 20), (60, 90, 120))
    inside = truth[:, 5:60, 17:90, 20:120]
    for z in (*range(100), *reversed(range(100))):
        assert np.array_equal(window[0, :, :, z], inside[0, :, :, z])
    assert len(voxel_requests(sent)) == 4
    info = array.cache_info()
    assert (info.misses, info.blocks) == (24, 24)
