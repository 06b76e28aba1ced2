"""A dask cluster of separate processes: reads, credentials, limits, killed workers, restarts."""

from __future__ import annotations

import gzip
import os
import pickle
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from distributed import Client, LocalCluster
from distributed.scheduler import Scheduler

import dvid_array
from dvid_array.adapters.dask import CredentialPlugin
from dvid_array.testing import Fault, FaultyProxy
from tests.adapters.workers import two_workers
from tests.client import watchers
from tests.client.test_hooks import most_at_once
from tests.conftest import Dvid

Volume = tuple[dvid_array.DvidArray, np.ndarray]
WATCH = "tests.client.watchers.watch"
SECRET = "a-token-that-nobody-may-see"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Two workers with two threads each, in processes of their own."""
    with two_workers() as connected:
        yield connected


@pytest.fixture
def guarded(dvid: Dvid) -> Iterator[FaultyProxy]:
    """A server that wants a token."""
    with FaultyProxy(dvid.url) as proxy:
        proxy.add(
            Fault.status(401, "dsg token required via Authorization header or dsg_token cookie"),
            when=lambda request: request.headers.get("Authorization") != f"Bearer {SECRET}",
            times=-1,
        )
        yield proxy


def by_way_of(proxy: FaultyProxy, array: dvid_array.DvidArray, **options: Any) -> Any:
    """The same array, reached through a proxy."""
    return dvid_array.open(array.url.replace(array.server_url, proxy.url), **options)


def in_blocks(array: dvid_array.DvidArray) -> xr.DataArray:
    """Cut into blocks, so that there are several chunks."""
    return array.to_xarray(chunks={"x": 32, "y": 32, "z": 32})


def opened(proxy: FaultyProxy, url: str, **options: Any) -> xr.DataArray:
    """What the engine opens by an address, through a proxy."""
    address = proxy.url + url[url.index("/", len("http://")) :]
    return xr.open_dataset(address, engine="dvid", **options)["volume"]


def test_reads(client: Client, filled: Callable[..., Volume]) -> None:
    """By every door: `to_dask`, dask alone, xarray."""
    array, truth = filled()
    for lazy in (array.to_dask(chunks=32), array.to_dask(chunks=32, order="C")):
        np.testing.assert_array_equal(lazy.compute(), truth)
    assert da.from_array(array, chunks=32).sum().compute() == truth.sum()
    dataset = xr.open_dataset(array.url, engine="dvid", chunks={})
    assert dataset["volume"].sum().compute() == truth.sum()
    np.testing.assert_array_equal(in_blocks(array).compute().values, truth)


def test_tokens_are_the_workers_too(client: Client, filled: Callable[..., Volume]) -> None:
    array, _ = filled()
    array.node.commit()
    array.refresh()
    names = client.run(lambda url: dvid_array.open(url).to_dask().name, array.url)
    assert {*names.values()} == {array.to_dask().name}


def metrics(task: str, dask_scheduler: Scheduler) -> dict[str, float]:
    """What tasks of a name spent on requests, by unit."""
    return {
        key[-1]: value
        for key, value in dask_scheduler.cumulative_worker_metrics.items()
        if "dvid" in key and task in key[1]
    }


def test_requests_are_in_the_dashboards_metrics(
    client: Client, filled: Callable[..., Volume]
) -> None:
    """Of arrays that dask or xarray took by themselves."""
    array, truth = filled("uint8", (1, 96, 96, 96), name="metered")
    array = array.with_settings(transport="raw")
    for lazy, task in (
        (da.from_array(array, chunks=(1, 96, 96, 96)).max(), "max"),
        (array.to_xarray(chunks={}).data.min(), "min"),
    ):
        assert lazy.compute() == getattr(truth, task)()
        deadline = time.monotonic() + 10
        while not (spent := client.run_on_scheduler(metrics, task)):
            assert time.monotonic() < deadline, "workers report with their heartbeat"
            time.sleep(0.05)
        assert spent["bytes"] == truth.nbytes
        assert spent["requests"] >= 1
        assert spent["seconds"] > 0


@pytest.mark.filterwarnings("ignore:The specified chunks separate:UserWarning")
def test_leases_hold_for_the_whole_cluster(client: Client, filled: Callable[..., Volume]) -> None:
    """Four threads on two workers, and two requests at once."""
    array, truth = filled()
    settings = dvid_array.Settings(observers=(WATCH,))
    limited = replace(settings, leases=2)
    layers = {"x": 64, "y": 96, "z": 32}  # one request each, and one for each thread
    cut = (1, *layers.values())
    client.run(lambda: array[0, 0, 0, 0])  # libraries are loaded
    with FaultyProxy(array.server_url) as path:
        path.add(Fault.latency(0.4), when=lambda request: "blocks" in request.path, times=-1)
        for make, most in (
            (lambda: by_way_of(path, array, settings=settings).to_dask(cut), 4),
            (lambda: by_way_of(path, array, settings=settings).to_dask(cut, leases=2), 2),
            (lambda: da.from_array(by_way_of(path, array, settings=limited), cut), 2),
            (lambda: by_way_of(path, array, settings=limited).to_xarray(chunks=layers), 2),
            (lambda: opened(path, array.url, chunks=layers, settings=limited), 2),
        ):
            client.run(lambda: watchers.told.clear())
            assert make().sum().compute() == truth.sum()
            told = client.run(lambda: [one for _, some in watchers.told for one in some])
            exchanges = [one for some in told.values() for one in some]
            assert len(exchanges) == 4
            assert most_at_once(exchanges) == most


@pytest.mark.long
def test_leases_of_a_killed_worker_come_back(filled: Callable[..., Volume]) -> None:
    """After the time that dask's configuration says: until then they count as taken."""
    array, truth = filled()
    timeouts = {
        "distributed.scheduler.locks.lease-timeout": "3s",
        "distributed.scheduler.locks.lease-validation-interval": "500ms",
    }
    with (
        dask.config.set(timeouts),
        LocalCluster(n_workers=2, threads_per_worker=4, dashboard_address=":0") as cluster,
        Client(cluster) as client,
        FaultyProxy(array.server_url) as path,
    ):
        view = by_way_of(path, array)
        path.add(Fault.latency(2.0), times=2)
        client.run(lambda: dvid_array.open)
        asked = len(path.requests)
        future = client.compute(view.to_dask(32, leases=2).sum(dtype=int))
        while len(path.requests) < asked + 2:
            time.sleep(0.01)
        for pid in client.run(os.getpid).values():
            os.kill(pid, signal.SIGKILL)
        assert future.result(timeout=60) == truth.sum(dtype=int)


def reads_in_a_child(array: dvid_array.DvidArray, truth: np.ndarray) -> int:
    """What a forked child ends with: 0 if it read right voxels."""
    child = os.fork()
    if not child:
        signal.alarm(30)
        os._exit(not np.array_equal(array[:, 3], truth[:, 3]))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_forked_children_do_not_wait_for_their_parents_cluster(
    client: Client, filled: Callable[..., Volume]
) -> None:
    """Next to a client, and in a task, as a loader of batches forks them: they count leases by
    themselves."""
    array, truth = filled()
    limited = array.with_settings(leases=2)
    for _ in range(2):
        assert reads_in_a_child(limited, truth) == 0
        assert client.submit(reads_in_a_child, limited, truth, pure=False).result(60) == 0
        np.testing.assert_array_equal(limited[...], truth)


# Credentials.


@pytest.fixture
def locked_away(guarded: FaultyProxy, filled: Callable[..., Volume]) -> Volume:
    """An array behind a server that wants a token, which this process has."""
    array, truth = filled()
    return by_way_of(guarded, array, token=SECRET), truth


def test_a_worker_without_credentials_says_so(client: Client, locked_away: Volume) -> None:
    array, truth = locked_away
    np.testing.assert_array_equal(array[...], truth)
    with pytest.raises(dvid_array.DvidPermissionError) as refused:
        array.to_dask().sum().compute()
    assert refused.value.status == 401
    for words in ("no token was sent", "set DVID_TOKEN there", "CredentialPlugin"):
        assert words in str(refused.value)


def test_credentials_of_the_workers_environment(client: Client, locked_away: Volume) -> None:
    array, truth = locked_away
    client.run(lambda: os.environ.update(DVID_TOKEN=SECRET))
    try:
        assert array.to_dask(32).sum().compute() == truth.sum()
        assert da.from_array(array, chunks=32).sum().compute() == truth.sum()
    finally:
        client.run(lambda: os.environ.pop("DVID_TOKEN"))


@pytest.mark.parametrize("by_file", [True, False])
def test_credentials_of_a_plugin(
    client: Client, locked_away: Volume, tmp_path: Path, by_file: bool
) -> None:
    """Neither in the graph nor in what the scheduler tells of itself; gone with the plugin."""
    array, truth = locked_away
    file = tmp_path / "token"
    file.write_text(f"{SECRET}\n")
    given = {"token_file": file} if by_file else {"token": SECRET}
    plugin = CredentialPlugin(array.server_url, **given)
    assert SECRET not in repr(plugin)
    client.register_plugin(plugin)
    lazy = array.to_dask(32)
    assert lazy.sum().compute() == truth.sum()
    assert SECRET.encode() not in pickle.dumps(lazy)
    client.dump_cluster_state(str(tmp_path / "state"))
    state = gzip.decompress((tmp_path / "state.msgpack.gz").read_bytes())
    assert lazy.name.encode() in state
    assert SECRET.encode() not in state
    client.unregister_worker_plugin(plugin.name)
    with pytest.raises(dvid_array.DvidPermissionError):
        (lazy + 1).sum().compute()


# Mishaps.


def test_a_worker_killed_in_mid_read(
    client: Client, guarded: FaultyProxy, locked_away: Volume
) -> None:
    """The nanny starts another one, with the plugin's credentials; dask repeats the tasks of the
    dead one, and the result is right."""
    array, truth = locked_away
    guarded.add(Fault.latency(0.1), times=-1)
    plugin = CredentialPlugin(guarded.url, token=SECRET)
    client.register_plugin(plugin)
    lazy = array.to_dask(32)
    before = client.run(os.getpid)
    guarded.requests.clear()
    future = client.compute(lazy.sum(dtype=int))
    while len(guarded.requests) < 6:
        time.sleep(0.01)
    killed = next(iter(before.values()))
    os.kill(killed, signal.SIGKILL)
    assert future.result(timeout=60) == truth.sum(dtype=int)
    client.wait_for_workers(2, timeout=60)
    after = client.run(os.getpid)
    assert killed not in after.values()
    total = {lazy.sum(dtype=int).compute(workers=[worker]) for worker in after}
    assert total == {truth.sum(dtype=int)}
    client.unregister_worker_plugin(plugin.name)


@pytest.mark.dev
def test_a_server_restarted_in_mid_computation(client: Client, tmp_path: Path) -> None:
    """Reads wait for it, also those of a worker that never had an answer before."""
    truth = np.random.default_rng(3).integers(0, 255, (1, 64, 96, 128), dtype=np.uint8)
    server = dvid_array.serve(tmp_path / "store.sqlite")
    port = int(server.url.rpartition(":")[2])
    node = dvid_array.connect(server.url, admin_token=server.admin_token).create_repo("restarted")
    array = node.create("volume", "uint8", shape=truth.shape[1:], block=(32, 32, 32))
    array[...] = truth
    server.clear_requests()

    def slowly(chunk: np.ndarray) -> np.ndarray:
        time.sleep(0.1)
        return chunk

    lazy = array.to_dask(32).map_blocks(slowly, meta=np.empty((0,) * 4, np.uint8))
    future = client.compute(lazy.sum(dtype=int))
    while len(server.requests) < 5:
        time.sleep(0.01)
    server.stop()
    served = len(server.requests)
    time.sleep(0.7)
    assert not future.done()
    with dvid_array.serve(tmp_path / "store.sqlite", port=port) as again:
        assert future.result(timeout=60) == truth.sum(dtype=int)
        assert served < 24
        assert len(again.requests) >= 24 - served
