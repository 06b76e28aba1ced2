"""dask sources: no voxel is lost, whatever the chunks and whoever computes them."""

from __future__ import annotations

import itertools
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import dvid_array
from dvid_array import Box, DvidArray, DvidWriteError, Node, store
from dvid_array.client import depositing
from dvid_array.testing import Fault, FaultyProxy
from tests.adapters.test_dask import bulk
from tests.adapters.workers import two_workers
from tests.client.conftest import through
from tests.client.world import BOUNDS, World
from tests.conftest import Dvid, Sent
from tests.interrupts import interrupted

BLOCK = (16, 16, 16)
INSIDE = Box((-20, -20, -10), (40, 30, 30))
"""A box with a part of a block on every side."""
CHUNKS = (1, (7, 33, 20), (50,), (9, 1, 30))
"""Chunks of it, hardly one of which ends where a block does."""


def made(
    node: Node, dtype: str = "uint8", channels: int = 1, blocks: int = 1, **options: Any
) -> DvidArray:
    """A volume posted in requests of some blocks, and so in parts as large: there are many."""
    array = node.create("v", dtype, channels=channels, block=BLOCK, **options)
    voxel_bytes = channels * array.dtype.itemsize
    return array.with_settings(request_bytes=blocks * voxel_bytes * math.prod(BLOCK))


@pytest.fixture
def world(node: Node) -> World:
    return World(made(node))


@pytest.fixture
def faulty(dvid: Dvid) -> Iterator[FaultyProxy]:
    with FaultyProxy(dvid.url) as proxy:
        yield proxy


def source_of(world: World, box: Box = INSIDE, chunks: Any = CHUNKS) -> da.Array:
    """Noise with chunks, in the oracle already."""
    channels = world.array.shape[0]
    values = world.noise((channels, *box.shape))
    world.truth[world.place((slice(None), *box.slices()))] = values
    return da.from_array(values, chunks=(channels, *chunks[1:]))


@st.composite
def placed_chunks(draw: st.DrawFn) -> tuple[Box, tuple[Any, ...]]:
    """A box inside the world, and any chunks that make it up."""
    corners, chunks = [], []
    for low, high in zip(BOUNDS.start, BOUNDS.stop, strict=True):
        start = draw(st.integers(low, high - 1))
        lengths, at = [], start
        for length in draw(st.lists(st.integers(1, 40), min_size=1, max_size=4)):
            length = min(length, high - at)
            if length:
                lengths.append(length)
                at += length
        corners.append((start, at))
        chunks.append(tuple(lengths))
    box = Box(tuple(a for a, _ in corners), tuple(b for _, b in corners))
    return box, (1, *chunks)


# The classic: two tasks read a block, patch it, and post it, and one patch is lost.


def no_voxel_is_lost(world: World, examples: int) -> None:
    """Offsets, sizes and chunks as they come; neighbours included."""

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(placed_chunks(), st.sampled_from(["rechunk", "merge"]))
    @example((INSIDE, CHUNKS), "rechunk")
    def check(placed: tuple[Box, tuple[Any, ...]], how: str) -> None:
        box, chunks = placed
        store(source_of(world, box, chunks), world.array, box, on_unaligned=how)
        world.check()

    check()
    assert world.array.refresh().minindex[1:] == BOUNDS.start


@pytest.mark.parametrize("kind", [("uint8", 1), ("uint8", 4), ("uint64", 1)])
def test_no_voxel_is_lost_by_threads(node: Node, kind: tuple[str, int]) -> None:
    with dask.config.set(scheduler="threads", num_workers=6):
        no_voxel_is_lost(World(made(node, *kind, blocks=4)), 12)


@pytest.fixture(scope="module")
def processes() -> Iterator[dict[str, Any]]:
    """dask's settings for two processes, which all tests share."""
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        yield {"scheduler": "processes", "pool": pool, "chunksize": 1}


def test_no_voxel_is_lost_by_processes(world: World, processes: dict[str, Any]) -> None:
    with dask.config.set(processes):
        no_voxel_is_lost(world, 3)


def blocks_of(sent: list[Sent], method: str) -> list[tuple[int, ...]]:
    """Where the blocks begin that requests carry, as often as they do."""
    found: list[tuple[int, ...]] = []
    for one in bulk(sent):
        if one.method == method:
            *_, size, offset = one.path.split("/")
            shape, start = ([int(n) for n in part.split("_")] for part in (size, offset))
            ranges = (range(a, a + n, 16) for a, n in zip(start, shape, strict=True))
            found += itertools.product(*ranges)
    return found


@pytest.mark.parametrize("how", ["rechunk", "merge"])
def test_every_block_is_posted_once(world: World, sent: list[Sent], how: str) -> None:
    """Those that are covered partly are read before, once."""
    source = source_of(world)
    sent.clear()
    with dask.config.set(scheduler="threads"):
        store(source, world.array, INSIDE, on_unaligned=how)
    posted, read = blocks_of(sent, "POST"), blocks_of(sent, "GET")
    assert len(posted) == len(set(posted)) == 5 * 4 * 3
    whole = {Box.sized(start, BLOCK) for start in posted}
    assert sorted(read) == sorted(box.start for box in whole if not INSIDE.contains(box))
    assert not [one for one in sent if one.action == "extents"]  # all inside
    assert len([one for one in sent if one.action == "info"]) == 1
    world.check()


def test_aligned_chunks_are_only_posted(node: Node, sent: list[Sent]) -> None:
    array = made(node, blocks=16, shape=(64, 64, 64))
    source = da.ones((1, 64, 64, 64), dtype="uint8", chunks=(1, 32, 32, 64))
    sent.clear()
    store(source, array)
    assert [one.method for one in bulk(sent)] == ["POST"] * 4
    assert len(sent) == 6
    assert (array[...] == 1).all()


@pytest.mark.parametrize(("how", "posts"), [("rechunk", 1), ("error", 64)])
def test_small_chunks_are_posted_together(
    node: Node, sent: list[Sent], how: str, posts: int
) -> None:
    array = node.create("v", "uint8", block=BLOCK, shape=(64, 64, 64))
    values = np.random.default_rng(0).integers(1, 9, (1, 64, 64, 64), np.uint8)
    source = da.from_array(values, chunks=16)
    sent.clear()
    store(source, array, on_unaligned=how)
    assert [one.method for one in bulk(sent)] == ["POST"] * posts
    np.testing.assert_array_equal(array[...], values)


def test_planes_are_divided(node: Node, monkeypatch: pytest.MonkeyPatch, sent: list[Sent]) -> None:
    """Else a stack of large pictures would become slabs that no worker can hold."""
    monkeypatch.setattr(depositing, "MOST_BYTES", 32 * 32 * 16)
    array = node.create("v", "uint8", block=BLOCK, shape=(64, 64, 32))
    values = np.random.default_rng(0).integers(1, 9, (1, 64, 64, 32), np.uint8)
    sent.clear()
    store(da.from_array(values, chunks=(1, 64, 64, 1)), array)
    assert len(bulk(sent)) == 2 * 2 * 2
    np.testing.assert_array_equal(array[...], values)


def test_unaligned_chunks_can_be_refused(world: World, sent: list[Sent]) -> None:
    source = source_of(world)
    sent.clear()
    with pytest.raises(dvid_array.DvidAlignmentError, match="axis x ends at -13, inside a block"):
        store(source, world.array, INSIDE, on_unaligned="error")
    assert not [one for one in sent if one.method == "POST"]


def test_the_source_keeps_its_laziness(world: World) -> None:
    """Each chunk of it is computed once."""
    counted: list[int] = []
    values = source_of(world)
    lazy = values.map_blocks(lambda block: counted.append(1) or block, dtype="uint8")
    counted.clear()
    with dask.config.set(scheduler="threads"):
        store(lazy, world.array, INSIDE)
    assert len(counted) == values.npartitions
    world.check()


# Extents.


@pytest.mark.parametrize("how", ["rechunk", "merge"])
def test_extents_are_the_exact_union(node: Node, how: str) -> None:
    array = made(node)
    array.voxels[:, 20:30, 5:9, 1:2] = 1
    source = da.ones((1, *INSIDE.shape), dtype="uint8", chunks=CHUNKS)
    store(source, array, INSIDE, on_unaligned=how)
    assert (array.minindex[1:], array.shape[1:]) == (INSIDE.start, INSIDE.stop)
    assert (array.refresh().minindex[1:], array.shape[1:]) == (INSIDE.start, INSIDE.stop)


def test_what_others_grew_meanwhile_stays(node: Node) -> None:
    """Another writer, of whom this process knows nothing, grows some faces during the store."""
    array = made(node)
    other = (
        "import sys, dvid_array\n"
        "dvid_array.open(sys.argv[1]).voxels[:, 100:103, -50:-43, 3:9] = 5\n"
    )
    once = threading.Lock()

    def block(values: np.ndarray) -> np.ndarray:
        if once.acquire(blocking=False):
            subprocess.run([sys.executable, "-c", other, array.url], check=True)
        return values

    source = da.ones((1, *INSIDE.shape), dtype="uint8", chunks=CHUNKS)
    with dask.config.set(scheduler="threads"):
        store(source.map_blocks(block, meta=np.empty((0,) * 4, "u1")), array, INSIDE)
    array.refresh()
    assert array.minindex[1:] == (-20, -50, -10)
    assert array.shape[1:] == (103, 30, 30)
    assert (array.voxels[:, 100:103, -50:-43, 3:9] == 5).all()


# One graph that does it all.


def test_nothing_happens_before_compute(node: Node, sent: list[Sent]) -> None:
    array = made(node)
    values = np.random.default_rng(0).integers(1, 9, (1, *INSIDE.shape), np.uint8)
    sent.clear()
    later = store(da.from_array(values, chunks=CHUNKS), array, INSIDE, compute=False)
    assert not [one for one in sent if one.method == "POST"]
    dvid_array.open(array.url).voxels[:, 33:45, 0:3, 0:3] = 9  # after the graph was made
    with dask.config.set(scheduler="threads"):
        assert later.compute() is None
    array.refresh()
    assert (array.minindex[1:], array.shape[1:]) == (INSIDE.start, (45, 30, 30))
    np.testing.assert_array_equal(array.read(INSIDE.start, INSIDE.stop), values)
    assert (array.voxels[:, 40:45, 0:3, 0:3] == 9).all()


def test_a_delayed_of_an_array_in_memory(world: World) -> None:
    values = source_of(world).compute()
    store(values, world.array, INSIDE, compute=False).compute()
    world.check()


def test_a_delayed_computed_twice_writes_twice(node: Node) -> None:
    array = node.create("v", "uint8", block=BLOCK)
    source = da.ones((1, 20, 20, 20), dtype="uint8")
    later = store(source, array, compute=False)
    for _ in range(2):
        later.compute()
        assert (array.refresh()[...] == 1).all()
        array[...] = 0


@pytest.mark.parametrize("more", [{"resume": "journal"}, {"progress": True}])
def test_what_a_delayed_cannot_do(node: Node, more: dict[str, Any]) -> None:
    array = node.create("v", "uint8")
    with pytest.raises(ValueError, match="leave compute at True"):
        store(da.ones((1, 4, 4, 4), dtype="uint8"), array, compute=False, **more)


def test_an_empty_source(node: Node, sent: list[Sent]) -> None:
    array = node.create("v", "uint8")
    sent.clear()
    empty = da.ones((1, 0, 4, 4), dtype="uint8")
    store(empty, array)
    assert store(empty, array, compute=False).compute() is None
    assert {one.method for one in sent} == {"GET"}


# Faults.


def test_a_broken_source_tells_what_is_stored(node: Node) -> None:
    array = made(node)

    computed: list[int] = []

    def block(values: np.ndarray) -> np.ndarray:
        computed.append(1)
        if len(computed) >= 3:
            raise ZeroDivisionError("in the source")
        return values

    source = da.ones((1, 16, 16, 64), dtype="uint8", chunks=(1, 16, 16, 16))
    broken = source.map_blocks(block, meta=np.empty((0,) * 4, "u1"))
    computed.clear()
    with (
        dask.config.set(scheduler="sync"),
        pytest.raises(DvidWriteError, match=r"half way: of 4 pieces .*in the source") as told,
    ):
        store(broken, array)
    assert isinstance(told.value.first, ZeroDivisionError)
    assert [len(told.value.stored), len(told.value.failed), len(told.value.unknown)] == [2, 2, 0]
    account(array, told.value, Box((0, 0, 0), (16, 16, 64)))
    with dask.config.set(scheduler="sync"), pytest.raises(ZeroDivisionError, match="source"):
        store(broken[..., 48:], array)


def account(array: DvidArray, told: DvidWriteError, whole: Box) -> None:
    """What is stored is there, and what failed is not; together that is all. The source is ones."""
    for boxes, value in ((told.stored, 1), (told.failed, 0)):
        for box in boxes:
            assert (array.read(box.start, box.stop) == value).all(), box
    boxes = [*told.stored, *told.failed, *told.unknown]
    assert len(boxes) == len(set(boxes))
    assert sum(box.size for box in boxes) == whole.size
    assert all(whole.contains(box) for box in boxes)


@pytest.mark.parametrize("scheduler", ["threads", "a pool", "processes", "own"])
@pytest.mark.parametrize("long", [16, 25], ids=["aligned", "recut"])
def test_others_are_accounted_for_when_one_fails(
    node: Node, processes: dict[str, Any], scheduler: str, long: int, tmp_path: Path
) -> None:
    """Threads are waited for; what others do behind a fault is unknown."""
    array = made(node)
    pool = ThreadPoolExecutor(2)
    how = {
        "threads": {"scheduler": "threads", "num_workers": 2},
        "a pool": {"scheduler": "threads", "pool": pool},
        "processes": processes,
        "own": {"scheduler": lambda *args, **more: dask.local.get_sync(*args, **more)},
    }

    def block(values: np.ndarray, block_id: tuple[int, ...] = ()) -> np.ndarray:
        time.sleep(0.01)
        if block_id[3] == 9:
            raise ZeroDivisionError("in the source")
        return values

    source = da.ones((1, 16, 16, 400), dtype="uint8", chunks=(1, 16, 16, long))
    broken = source.map_blocks(block, meta=np.empty((0,) * 4, "u1"))
    journal = tmp_path / "journal"
    with (
        dask.config.set(how[scheduler]),
        pytest.raises(DvidWriteError, match="in the source") as told,
    ):
        store(broken, array, resume=journal)
    pool.shutdown()
    account(array, told.value, Box((0, 0, 0), (16, 16, 400)))
    assert not (scheduler == "threads" and told.value.unknown)
    assert len(journal.read_text().splitlines()) == len(told.value.stored) + 1


def test_a_lost_answer_is_unknown(node: Node, faulty: FaultyProxy) -> None:
    """The part that failed is told piece by piece, the others as they are."""
    array = through(faulty, made(node), retry_deadline=0.0, request_bytes=math.prod(BLOCK))
    source = da.ones((1, 16, 16, 64), dtype="uint8", chunks=(1, 16, 16, 16))
    faulty.add(Fault.lost(forward=True), when=lambda one: one.path.endswith("16_16_16/0_0_32"))
    with dask.config.set(scheduler="sync"), pytest.raises(DvidWriteError) as told:
        store(source, array)
    assert told.value.part == Box((0, 0, 32), (16, 16, 48))
    assert told.value.part in told.value.unknown
    faulty.clear()
    store(source, array)
    assert (array[...] == 1).all()


def test_an_interrupt_ends_all_threads(node: Node, faulty: FaultyProxy) -> None:
    """Ctrl-C against a server that has stopped answering: no thread of the pool waits on."""
    array = made(node)
    slow = dvid_array.open(array.url.replace(node.server.url, faulty.url), settings=array.settings)
    faulty.add(Fault.stall(), when=lambda one: one.method == "POST", skip=1, times=-1)

    def stalled() -> bool:
        return len([one for one in faulty.requests if one.method == "POST"]) >= 3

    before = {thread.ident for thread in threading.enumerate()}
    source = da.ones((1, 16, 16, 96), dtype="uint8", chunks=16)
    with (
        dask.config.set(scheduler="threads", num_workers=2),
        interrupted(stalled) as notes,
    ):
        store(source, slow)
    began = time.monotonic()
    assert "pieces 1 stored" in notes[0]
    pools = [
        one
        for one in threading.enumerate()
        if one.ident not in before and one.name.startswith("ThreadPool")
    ]
    for thread in pools:
        thread.join(20)
    assert time.monotonic() - began < 10  # a post waits for 600 s


def test_a_chunk_smaller_than_its_array_says_is_not_spread(node: Node) -> None:
    array = node.create("v", "uint8", block=BLOCK)
    one = da.map_blocks(lambda part: part[:, :1, :1, :1], da.ones((1, 10, 10, 10)), dtype="u1")
    with pytest.raises(
        (DvidWriteError, ValueError), match=r"shape \(1, 1, 1, 1\) where its array says"
    ):
        store(one, array)
    assert not array.voxels[:, 0:10, 0:10, 0:10].any()


def test_values_that_do_not_fit_are_told_by_part(node: Node) -> None:
    array = made(node)
    source = da.from_array(np.full((1, 16, 16, 32), 7), chunks=16)
    source = da.concatenate([source, source + 1000], axis=3)
    with dask.config.set(scheduler="sync"), pytest.raises((DvidWriteError, ValueError)) as told:
        store(source, array)
    assert "1007 does not fit a uint8 volume" in str(told.value)


# A cluster.


@pytest.fixture(scope="module")
def cluster() -> Iterator[Client]:
    """Two workers, each a process."""
    with two_workers() as client:
        yield client


@pytest.mark.parametrize("dtype", ["uint8", "float32", "uint64"])
def test_no_voxel_is_lost_by_a_cluster(node: Node, cluster: Client, dtype: str) -> None:
    with cluster.as_current():
        no_voxel_is_lost(World(made(node, dtype, blocks=4)), 5)


def test_all_at_once_on_a_cluster(world: World, cluster: Client, tmp_path: Path) -> None:
    source = source_of(world)
    heard: list[tuple[int, int]] = []
    with cluster.as_current():
        store(
            source,
            world.array,
            INSIDE,
            resume=tmp_path / "journal",
            verify=True,
            progress=lambda done, total: heard.append((done, total)),
        )
    world.check()
    assert heard[-1] == (source.nbytes, source.nbytes)
    assert [done for done, _ in heard] == sorted({done for done, _ in heard})


def test_a_delayed_on_a_cluster(node: Node, cluster: Client) -> None:
    array = made(node)
    source = da.ones((1, *INSIDE.shape), dtype="uint8", chunks=CHUNKS)
    later = store(source, array, INSIDE, compute=False)
    cluster.compute(later).result()
    array.refresh()
    assert (array.minindex[1:], array.shape[1:]) == (INSIDE.start, INSIDE.stop)
    assert (array.stored[...] == 1).all()


def test_a_refusal_on_a_cluster(node: Node, cluster: Client, tmp_path: Path) -> None:
    """The version is committed meanwhile; what a worker is told comes back as it is."""
    array = node.create("v", "uint8", block=BLOCK)

    def block(values: np.ndarray) -> np.ndarray:
        other = dvid_array.open(address).node
        if not other.locked:
            other.commit()
        return values

    address = array.url
    source = da.ones((1, 16, 16, 16), dtype="uint8").map_blocks(
        block, meta=np.empty((0,) * 4, "u1")
    )
    with (
        cluster.as_current(),
        pytest.raises(dvid_array.DvidLockedError, match="new_version") as told,
    ):
        store(source, array, resume=tmp_path / "journal")
    assert told.value.status


def test_a_worker_killed_in_mid_write(node: Node, cluster: Client, faulty: FaultyProxy) -> None:
    """Its posts are with the server, their answers on the way; another worker does them again."""
    array = made(node, blocks=4)
    slow = dvid_array.open(array.url.replace(node.server.url, faulty.url), settings=array.settings)
    faulty.add(Fault.latency(1.0), when=lambda one: one.method == "POST", times=6)
    values = np.random.default_rng(5).integers(1, 99, (1, *INSIDE.shape), np.uint8)
    source = da.from_array(values, chunks=CHUNKS)
    nannies = cluster.cluster.workers
    pid = nannies[0].process.pid

    def kill() -> None:
        while not [one for one in faulty.requests if one.method == "POST"]:
            threading.Event().wait(0.02)
        os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with cluster.as_current():
        store(source, slow, INSIDE)
    killer.join()
    array.refresh()
    np.testing.assert_array_equal(array.stored[...], values)
    assert (array.minindex[1:], array.shape[1:]) == (INSIDE.start, INSIDE.stop)
    cluster.wait_for_workers(2, timeout=60)
    assert nannies[0].process.pid != pid
