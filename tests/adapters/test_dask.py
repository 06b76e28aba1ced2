"""dask on a DVID array: chunks, tokens, laziness, processes, memory."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable

import dask
import dask.array as da
import numpy as np
import pytest
from dask.base import tokenize

import dvid_array
from dvid_array import DvidArray
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
    array, _ = filled()
    with pytest.warns(UserWarning, match="read each block 16.0 times") as told:
        array.to_dask(chunks=(1, (2,) * 32, 96, 128))
    assert told[0].filename == __file__
    huge = array.window((0, 0, 0), (10**5, 10**5, 10**5))
    with pytest.warns(UserWarning, match="larger chunks"):
        huge.to_dask(chunks=960)


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
import dask, dvid_array
import dvid_array.adapters.dask
array = dvid_array.open(sys.argv[1])
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
with dask.config.set(scheduler="threads", num_workers=2):
    total = array.to_dask().sum(dtype=int).compute()
print(total, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory limits differ")
def test_a_volume_larger_than_memory(dvid: Dvid, node: dvid_array.Node) -> None:
    """2 GiB summed up by a process that may hold 640 MiB, libraries included."""
    array = node.create("v", "uint8", shape=(2048, 1024, 1024))
    array[:, 100:200, 100:200, 100:200] = 3
    array[:, -64:, -64:, -64:] = 5
    limit = 640 << 20
    assert array.nbytes == 2 << 30
    run = subprocess.run(
        [sys.executable, "-c", OUT_OF_CORE, array.url, str(limit)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-2000:]
    total, peak = map(int, run.stdout.split())
    assert total == 3 * 100**3 + 5 * 64**3
    assert peak < limit
