"""Many writers of one process: no voxel is ever lost, whoever shares a block with whom."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import dvid_array
from dvid_array import DvidArray, Node
from dvid_array.box import Box
from dvid_array.client import registry
from tests.client.conftest import volume_of
from tests.client.world import key_of, on_server

WHOLE = Box((-40, -40, -40), (50, 40, 40))


def handles(node: Node, name: str) -> list[DvidArray]:
    """Several handles of one volume, by two names of one server."""
    here = node[name]
    there = here.url.replace("127.0.0.1", "localhost")
    assert there != here.url
    return [here, dvid_array.open(there), dvid_array.open(here.url), dvid_array.open(there)]


def parts(box: Box, step: tuple[int, int, int]) -> list[Box]:
    """Neighbouring boxes of odd sizes that fill a box."""
    starts = [range(a, b, n) for a, b, n in zip(box.start, box.stop, step, strict=True)]
    corners = [(x, y, z) for x in starts[0] for y in starts[1] for z in starts[2]]
    return [Box.sized(corner, step).intersect(box) for corner in corners]


def at_once(jobs: list[Callable[[], None]], threads: int) -> None:
    """All jobs, begun together; the first error is raised."""
    start = threading.Barrier(threads)

    def run(share: list[Callable[[], None]]) -> None:
        start.wait()
        for job in share:
            job()

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, [jobs[n::threads] for n in range(threads)]))


@pytest.mark.parametrize(
    ("dtype", "options"),
    [("uint8", {}), ("uint16", {"compression": "none"}), ("uint64", {"max_scale": 0})],
)
def test_odd_neighbours_in_shared_blocks(node: Node, dtype: str, options: dict[str, Any]) -> None:
    node.create("v", dtype, block=(32, 32, 32), **options)
    arrays = handles(node, "v")
    truth = np.zeros((1, *WHOLE.shape), dtype)
    jobs = []
    for number, box in enumerate(parts(WHOLE, (31, 27, 80))):
        value = number % 250 + 1
        truth[(slice(None), *box.slices(WHOLE.start))] = value

        def job(array: DvidArray = arrays[number % 4], box: Box = box, value: int = value) -> None:
            array.voxels[key_of(box)] = value

        jobs.append(job)
    at_once(jobs, 6)
    np.testing.assert_array_equal(on_server(arrays[0], WHOLE), truth)
    shown = arrays[0].refresh()
    assert (shown.minindex, shown.shape) == ((0, *WHOLE.start), (1, *WHOLE.stop))


def test_interleaved_strides_in_the_same_blocks(node: Node) -> None:
    """Every writer touches every block."""
    node.create("v", "uint8", block=(16, 16, 16))
    arrays = handles(node, "v")
    jobs = [
        lambda n=n, array=arrays[n % 4]: array.voxels.__setitem__(
            np.s_[:, n:40:7, 0:20, 0:20],
            n + 1,  # type: ignore[misc]
        )
        for n in range(7)
    ]
    at_once(jobs * 3, 7)
    found = arrays[0].read((0, 0, 0), (40, 20, 20))
    assert (found == (np.arange(40) % 7 + 1)[None, :, None, None]).all()


def test_channels_of_the_same_voxels(node: Node) -> None:
    node.create("v", "uint8", channels=4, block=(16, 16, 16))
    arrays = handles(node, "v")
    jobs = [
        lambda c=c, array=arrays[c]: array.voxels.__setitem__(
            np.s_[c : c + 1, 3:35, 0:18, 0:18],
            c + 1,  # type: ignore[misc]
        )
        for c in range(4)
    ]
    at_once(jobs * 4, 4)
    found = arrays[0].read((3, 0, 0), (35, 18, 18))
    assert (found == np.arange(1, 5)[:, None, None, None]).all()


def test_single_voxels_of_one_block(node: Node) -> None:
    array = node.create("v", "uint32", block=(16, 16, 16))
    arrays = handles(node, "v")
    places = [(x, y, z) for x in range(4) for y in range(4) for z in range(3)]
    jobs = [
        lambda n=n, p=place: arrays[n % 4].voxels.__setitem__((0, *p), n + 1)  # type: ignore[misc]
        for n, place in enumerate(places)
    ]
    at_once(jobs, 8)
    found = array.read((0, 0, 0), (4, 4, 3))
    np.testing.assert_array_equal(found.ravel(), np.arange(1, len(places) + 1))
    assert array.refresh().shape == (1, 4, 4, 3)


def test_writers_of_different_blocks_do_not_wait_for_each_other(node: Node) -> None:
    array = node.create("v", "uint8", block=(32, 32, 32))
    volume = volume_of(array)
    with registry.state().blocks.hold([(*volume.key, (5, 5, 5))]):
        array[:, 0:40, 0:32, 0:32] = 1
    assert (array[:, 0:40, 0:32, 0:32] == 1).all()


def test_versions_and_instances_have_locks_of_their_own(node: Node) -> None:
    node.create("a", "uint8", block=(32, 32, 32))
    node.create("b", "uint8", block=(32, 32, 32))
    node.commit()
    child = node.new_version()
    held = volume_of(node["a"])
    with registry.state().blocks.hold([(*held.key, (0, 0, 0))]):
        child["a"][:, 0:5, 0:5, 0:5] = 1
        child["b"][:, 0:5, 0:5, 0:5] = 2
    assert (child["a"][:, 0:5, 0:5, 0:5] == 1).all()
    assert (child["b"][:, 0:5, 0:5, 0:5] == 2).all()


def test_a_held_block_is_waited_for(node: Node) -> None:
    """By a handle of another name of the server."""
    node.create("v", "uint8", block=(32, 32, 32))
    here, there, *_ = handles(node, "v")
    done = threading.Event()

    def write() -> None:
        there[:, 3:40, 0:32, 0:32] = 1
        done.set()

    writer = threading.Thread(target=write)
    with registry.state().blocks.hold([(*volume_of(here).key, (0, 0, 0))]):
        writer.start()
        assert not done.wait(0.3)
    writer.join(10)
    assert done.is_set()
