"""dask on a DVID array: chunks, tokens, laziness, processes, memory."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import dask_array
import numpy as np
import pytest
from dask.base import tokenize

import dvid_array
from dvid_array import DvidArray, chunking
from tests.conftest import Dvid, Sent

Volume = tuple[DvidArray, np.ndarray]
BULK = {"raw", "blocks", "subvolblocks", "specificblocks"}


def bulk(sent: list[Sent]) -> list[Sent]:
    return [one for one in sent if one.action in BULK]


def test_values_and_chunks(filled: Callable[..., Volume]) -> None:
    array, truth = filled()
    lazy = array.to_dask(chunks=(-1, 32, 64, "auto"))
    assert lazy.chunks == ((1,), (32, 32), (64, 32), (128,))
    assert (lazy.dtype, lazy.shape) == (truth.dtype, truth.shape)
    assert type(lazy._meta) is np.ndarray
    np.testing.assert_array_equal(lazy.compute(), truth)
    assert lazy.mean().compute() == truth.mean()
    part = (lazy[0][::-2, [5, 1]] + 1).compute()
    np.testing.assert_array_equal(part, truth[0][::-2, [5, 1]] + 1)


def test_a_graph_touches_no_voxel(filled: Callable[..., Volume], sent: list[Sent]) -> None:
    """On an open version it asks for one document; on a committed one for nothing."""
    array, _ = filled()
    array.node.commit()
    committed = array.node["volume"]
    sent.clear()
    for make in (DvidArray.to_dask, da.from_array, da.asarray):
        make(committed)
        assert not sent
    array.stored.to_dask()
    assert [one.action for one in sent] == ["info"]


def test_slices_are_pushed_down(filled: Callable[..., Volume], sent: list[Sent]) -> None:
    array, truth = filled()
    lazy = array.to_dask(chunks=(1, 32, 32, 32))
    sent.clear()
    np.testing.assert_array_equal(lazy[0, 3:5, 40, 100].compute(), truth[0, 3:5, 40, 100])
    assert len(bulk(sent)) == 1


def test_from_array_alone(filled: Callable[..., Volume]) -> None:
    array, truth = filled("uint8", (4, 70, 40, 40), (16, 16, 16))
    for lazy in (da.from_array(array), da.asarray(array), da.from_array(array.stored)):
        assert all(n % 16 == 0 for axis in lazy.chunks[1:] for n in axis[:-1])
        np.testing.assert_array_equal(lazy.compute(), truth)


def test_windows_cut_on_the_absolute_grid(filled: Callable[..., Volume]) -> None:
    array, truth = filled()
    lazy = array.window((5, 0, -3), (64, 96, 128)).to_dask(chunks=32)
    assert lazy.chunks == ((1,), (27, 32), (32, 32, 32), (3, 32, 32, 32, 32))
    expected = np.pad(truth[:, 5:], [(0, 0), (0, 0), (0, 0), (3, 0)])
    np.testing.assert_array_equal(lazy.compute(), expected)


def test_an_empty_volume(node: dvid_array.Node, sent: list[Sent]) -> None:
    array = node.create("v", "uint8")
    lazy = array.to_dask()
    sent.clear()
    assert lazy.compute().shape == (1, 0, 0, 0)
    assert not sent


def test_wasteful_chunks_warn(filled: Callable[..., Volume]) -> None:
    """With the number, and chunks that would do."""
    array, _ = filled()
    remedy = r"16\.0 times.*chunks=\(1, 32, 96, 128\)"
    with pytest.warns(UserWarning, match=remedy) as told:
        array.to_dask(chunks=(1, (2,) * 32, 96, 128))
    assert told[0].filename == __file__
    huge = array.window((0, 0, 0), (10**5, 10**5, 10**5))
    with pytest.warns(UserWarning, match="1,157,625 chunks.*chunks='1 GiB' makes 9"):
        huge.to_dask(chunks=960)
    vast = array.window((0, 0, 0), (10**6, 10**6, 10**6))
    with pytest.warns(UserWarning, match="compute on windows"):
        vast.to_dask(chunks=960)


@pytest.mark.parametrize(
    ("chunks", "sizes"),
    [
        ("auto", (1, 64, 96, 128)),
        ("64MiB", (1, 64, 96, 128)),
        ("40 kB", (1, 32, 32, 32)),
        (33, (1, 64, 64, 64)),
        ((1, 32, -1, "auto"), (1, 32, 96, 128)),
        ((1, (32, 32), None, (96, 32)), (1, 32, 96, 96)),
        ({"z": 64}, (1, 64, 96, 64)),
        ({"x": 32, "y": -1, "z": "auto", "c": 1}, (1, 32, 96, 128)),
    ],
)
def test_wishes_for_chunks(
    filled: Callable[..., Volume], chunks: Any, sizes: tuple[int, ...]
) -> None:
    array, truth = filled()
    lazy = array.to_dask(chunks=chunks)
    assert tuple(lengths[0] for lengths in lazy.chunks) == sizes
    np.testing.assert_array_equal(lazy.compute(), truth)


def test_every_block_is_read_once(filled: Callable[..., Volume]) -> None:
    """Also of a window that begins within a block, and by dask's own `from_array`."""
    array, _ = filled("uint8", (1, 96, 96, 96))
    views = [array, array.window((32, 0, 64), (96, 96, 96)), array.window((5, 7, 9), (90, 80, 70))]
    for view in views:
        for lazy in (view.to_dask(chunks=1), da.from_array(view), da.asarray(view)):
            assert chunking.over_read(lazy.chunks, view.blocked_axes) == 1


def test_asarray_takes_the_same_chunks(filled: Callable[..., Volume]) -> None:
    array, truth = filled()
    for lazy in (array.to_dask_array(), da.asarray(array), da.asanyarray(array)):
        assert lazy.name.startswith("dvid-volume-")
        np.testing.assert_array_equal(lazy.compute(), truth)


@pytest.mark.parametrize("channels", [1, 4])
def test_order(filled: Callable[..., Volume], channels: int) -> None:
    """Chunks of either order, the same voxels; slices are pushed down all the same."""
    array, truth = filled("uint8", (channels, 64, 96, 128))
    for order in ("F", "C"):
        lazy = array.to_dask(chunks=64, order=order)
        chunk = lazy.to_delayed()[0, 0, 0, 0].compute()
        assert chunk.flags[f"{order}_CONTIGUOUS"]
        np.testing.assert_array_equal(lazy.compute(), truth)
        assert lazy[0, 3, 4, 5].compute() == truth[0, 3, 4, 5]
        np.testing.assert_array_equal(lazy[0, ::3, 5:9].compute(), truth[0, ::3, 5:9])
    assert array.to_dask(order="C").name != array.to_dask().name
    with pytest.raises(ValueError, match="C or in F"):
        array.to_dask(order="K")  # type: ignore[arg-type]


def test_versions_stack(node: dvid_array.Node, filled: Callable[..., Volume]) -> None:
    array, truth = filled()
    node.commit()
    later = node.new_version("later").uuid
    newer = array.at(later)
    newer[:, :32, :32, :32] = 0
    versions = [
        dvid_array.open(array.server_url, version=version, instance="volume")
        for version in (node.uuid, later)
    ]
    stack = da.stack([version.to_dask(chunks=32) for version in versions])
    assert stack.shape == (2, *truth.shape)
    changed = (stack[0] != stack[1]).compute()
    np.testing.assert_array_equal(changed, truth != newer[...])
    assert changed.any()


# The index table.

MASK = np.arange(64) % 5 == 1

TABLE: dict[str, Any] = {
    "[:, 0:0]": np.s_[:, 0:0],
    "[:, 5:5]": np.s_[:, 5:5],
    "[:, :, :, 128:]": np.s_[:, :, :, 128:],
    "[0, 3, 4, 5]": np.s_[0, 3, 4, 5],
    "[0, -1, -1, -1]": np.s_[0, -1, -1, -1],
    "numpy ints": (0, np.int64(3), np.uint8(4), 5),
    "[...]": np.s_[...],
    "[()]": (),
    "[:]": np.s_[:],
    "[..., 3]": np.s_[..., 3],
    "[0, ..., 5]": np.s_[0, ..., 5],
    "[:, 10:20, 40:50, 0:5]": np.s_[:, 10:20, 40:50, 0:5],
    "[:, 60:500]": np.s_[:, 60:500],
    "[:, -5:]": np.s_[:, -5:],
    "[:, 20:10]": np.s_[:, 20:10],
    "[:, ::2]": np.s_[:, ::2],
    "[:, ::-1]": np.s_[:, ::-1],
    "[:, 40:3:-7]": np.s_[:, 40:3:-7],
    "[:, [1, 5, 3]]": np.s_[:, [1, 5, 3]],
    "[:, [3, 3]]": np.s_[:, [3, 3]],
    "[:, [-1, 0]]": np.s_[:, [-1, 0]],
    "[:, []]": np.s_[:, []],
    "[:, mask]": np.s_[:, MASK],
    "[None]": np.s_[None],
    "[:, None]": np.s_[:, None],
    "[0:1, 0:4, 0:1, 0:1]": np.s_[0:1, 0:4, 0:1, 0:1],
    "[0, 0:4, 0, 0]": np.s_[0, 0:4, 0, 0],
}
"""Keys that dask takes; the array has shape (1, 64, 96, 128)."""

PACKAGES = {
    "to_dask": DvidArray.to_dask,
    "to_dask C": lambda array, chunks: array.to_dask(chunks, order="C"),
    "dask.array": da.from_array,
    "dask_array": dask_array.from_array,
}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_index_table(filled: Callable[..., Volume], package: str) -> None:
    array, truth = filled()
    lazy = PACKAGES[package](array, chunks=(1, 32, 64, 64))
    for name, key in TABLE.items():
        part = lazy[key]
        expected = truth[key]
        assert (part.shape, part.dtype) == (expected.shape, expected.dtype), name
        np.testing.assert_array_equal(part.compute(), expected, err_msg=name)


@pytest.mark.parametrize("package", PACKAGES)
def test_wrong_keys_are_refused(
    filled: Callable[..., Volume], sent: list[Sent], package: str
) -> None:
    array, _ = filled()
    lazy = PACKAGES[package](array, chunks=(1, 32, 64, 64))
    sent.clear()
    for key in (np.s_[:, 64], np.s_[:, -65], (0, 0, 0, 0, 0), 1.5, (0, MASK[1:])):
        with pytest.raises((IndexError, TypeError, NotImplementedError, ValueError)):
            lazy[key].compute()
    assert not bulk(sent)


@pytest.mark.parametrize("package", PACKAGES)
def test_only_touched_blocks_are_fetched(
    filled: Callable[..., Volume], sent: list[Sent], package: str
) -> None:
    """Either package pushes a slice down to the array."""
    array, truth = filled()
    lazy = PACKAGES[package](array, chunks=(1, 64, 96, 128))
    sent.clear()
    np.testing.assert_array_equal(lazy[0, 3:5, 40, 100].compute(), truth[0, 3:5, 40, 100])
    (request,) = bulk(sent)
    assert _blocks_of(request) == 1


def _blocks_of(request: Sent) -> int:
    """How many blocks a request asks for."""
    assert request.action in ("raw", "subvolblocks")
    size, start = ([int(n) for n in part.split("_")] for part in request.path.split("/")[-2:])
    ends = zip(start, size, strict=True)
    return math.prod(-(-(first + long) // 32) - first // 32 for first, long in ends)


@pytest.mark.parametrize(
    ("chunks", "window", "times"),
    [
        ((1, (2,) * 32, 96, 128), None, 16),
        ((1, (20, 20, 24), (50, 46), 128), None, 2 * 4 / 3),
        ((1, 64, 96, (31, 1, 32, 64)), None, 5 / 4),
        (64, None, 1),
        ((1, (27, 32), 96, 128), ((5, 0, 0), (64, 96, 128)), 1),
        ((1, (32, 27), 96, 128), ((5, 0, 0), (64, 96, 128)), 3 / 2),
        ((1, (30, 10, 10, 10), 96, 128), ((-20, 0, 0), (40, 96, 128)), 6 / 3),
    ],
)
def test_the_number_of_a_warning_is_what_is_read(
    filled: Callable[..., Volume], sent: list[Sent], chunks: Any, window: Any, times: float
) -> None:
    array, _ = filled()
    view = array if window is None else array.window(*window)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lazy = view.to_dask(chunks)
    assert [f"each block {times:.1f} times" in str(one.message) for one in caught] == (
        [True] if times > 1.5 else []
    )
    sent.clear()
    lazy.sum().compute(scheduler="sync")
    there = math.prod(
        -(-stop // 32) - start // 32
        for start, stop in zip(*(window or ((0, 0, 0), view.shape[1:])), strict=True)
    )
    assert sum(map(_blocks_of, bulk(sent))) == pytest.approx(times * there)


def test_small_and_large_graphs(filled: Callable[..., Volume]) -> None:
    """What travels is small, whatever the volume's size."""
    array, _ = filled()
    array.node.commit()
    settings = dvid_array.Settings(ca_bundle="/etc/ssl/certs/ca-certificates.crt", threads=8)
    array = dvid_array.open(array.url, settings=settings)
    assert len(pickle.dumps(array)) < 2048
    vast = array.window((0, 0, 0), (20_000, 30_000, 40_000))
    tracemalloc.start()
    lazy = vast.to_dask()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 << 20
    assert lazy.npartitions > 100_000
    assert len(pickle.dumps(lazy)) < 10_000


# Tokens.


def test_tokens_of_a_committed_version(
    node: dvid_array.Node, filled: Callable[..., Volume]
) -> None:
    """The same in every process; other for every view."""
    array, _ = filled()
    node.commit()
    array.refresh()
    code = (
        "import sys, dvid_array; from dask.base import tokenize;"
        "a = dvid_array.open(sys.argv[1]); print(tokenize(a), tokenize(a.window((0,0,0),(1,1,1))))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, array.url], capture_output=True, text=True, check=True
    )
    window = array.window((0, 0, 0), (1, 1, 1))
    with dask.config.set({"tokenize.ensure-deterministic": True}):
        assert run.stdout.split() == [tokenize(array), tokenize(window)]
        assert array.to_dask().name == array.to_dask().name
        views = [
            array,
            window,
            array.window((0, 0, 0), (1, 1, 2)),
            array.window((1, 0, 0), (2, 1, 1)),
        ]
        assert len({tokenize(view) for view in views}) == 4


def test_tokens_of_an_open_version_change_with_its_data(
    node: dvid_array.Node, filled: Callable[..., Volume]
) -> None:
    """Whoever writes, to whichever instance of the repo."""
    array, truth = filled()
    with dask.config.set({"tokenize.ensure-deterministic": True}):
        first = tokenize(array)
        assert tokenize(array) == tokenize(node["volume"]) == first
        dvid_array.open(array.url)[:, :32, :32, :32] = truth[:, :32, :32, :32]
        second = tokenize(array)
        node.create("other", "uint8", block=(32, 32, 32))[:, :32, :32, :32] = 1
        assert len({first, second, tokenize(array)}) == 3


def test_tokens_of_labels_and_supervoxels_differ(node: dvid_array.Node) -> None:
    node.create("v", "uint64", block=(16, 16, 16), max_scale=1)[:, :16, :16, :16] = 1
    views = [node["v"], node.open("v", supervoxels=True), node.open("v", scale=1)]
    assert len({tokenize(view) for view in views}) == 3


# Processes.


def test_graphs_travel(filled: Callable[..., Volume]) -> None:
    """Worker processes unpickle settings, and open connections of their own."""
    array, truth = filled()
    lazy = array.to_dask(chunks=(1, 32, 96, 128))
    assert len(pickle.dumps(lazy)) < 10_000
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(lazy)).compute(), truth)
    total = lazy.sum(dtype=int).compute(scheduler="processes", num_workers=2)
    assert total == truth.sum(dtype=int)


def test_storing_chunks_that_are_whole_blocks(filled: Callable[..., Volume]) -> None:
    source, truth = filled()
    target = source.node.create("copy", "uint8", shape=truth.shape[1:], block=(32, 32, 32))
    da.store(255 - source.to_dask(chunks=32), target, lock=False)
    np.testing.assert_array_equal(target[...], 255 - truth)


OUT_OF_CORE = """
import resource, sys

def peak():
    # ru_maxrss would count the process that started this one
    lines = open("/proc/self/status").read().split("\\n")
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) << 10

import dask, dvid_array
import dvid_array.adapters.dask
array = dvid_array.open(sys.argv[1])
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
with dask.config.set(scheduler="threads", num_workers=2):
    total = array.to_dask().sum(dtype=int).compute()
print(total, peak())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory limits differ")
@pytest.mark.parametrize("stored", ["little", pytest.param("all", marks=pytest.mark.long)])
def test_a_volume_larger_than_memory(dvid: Dvid, node: dvid_array.Node, stored: str) -> None:
    """2 GiB summed up by a process that may hold a quarter of them, libraries included; also where
    every block is noise, which no codec makes smaller."""
    array = node.create("v", "uint8", shape=(2048, 1024, 1024))
    if stored == "all":
        noise = np.random.default_rng(1).integers(0, 255, (1, 64, 1024, 1024), np.uint8)
        for x in range(0, 2048, 64):
            array[:, x : x + 64] = noise
        expected = 32 * int(noise.sum(dtype=int))
    else:
        array[:, 100:200, 100:200, 100:200] = 3
        array[:, -64:, -64:, -64:] = 5
        expected = 3 * 100**3 + 5 * 64**3
    limit = 512 << 20
    assert array.nbytes == 4 * limit
    run = subprocess.run(
        [sys.executable, "-c", OUT_OF_CORE, array.url, str(limit)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-2000:]
    total, peak = map(int, run.stdout.split())
    assert total == expected
    assert peak < limit
