"""dask on a gray volume, against the same work by hand; graphs, orders of memory, weak scaling.

python -m benchmarks.dask [--dvid-url http://127.0.0.1:8000] [--size 512]
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice, product
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from distributed import Client, LocalCluster

import dvid_array
from benchmarks import volumes
from benchmarks.read import seconds
from dvid_array.testing import Fault, FaultyProxy

CHUNKS = ("16 MiB", "64 MiB")
LATENCY = 0.02
WORKERS = (1, 2, 4)
EACH = 60
"""Chunks for each worker."""
VAST = (20_000, 30_000, 40_000)
Works = dict[str, Callable[[], Any]]


def medians(works: Works, rounds: int) -> dict[str, float]:
    """Median seconds of each work, their rounds interleaved."""
    taken = [{name: seconds(work) for name, work in works.items()} for _ in range(rounds)]
    return {name: statistics.median(one[name] for one in taken) for name in works}


def keys(chunks: Sequence[Sequence[int]]) -> list[tuple[slice, ...]]:
    """What to slice for each chunk."""
    axes = []
    for lengths in chunks:
        ends = np.cumsum(lengths).tolist()
        axes.append([slice(a, b) for a, b in zip([0, *ends], ends, strict=False)])
    return list(product(*axes))


def overhead(array: dvid_array.DvidArray, rounds: int, threads: int) -> None:
    """`to_dask().mean()` over the same sums of the same chunks in as many plain threads."""
    for chunks in CHUNKS:
        lazy = array.to_dask(chunks)

        def by_hand(parts: Sequence[tuple[slice, ...]] = keys(lazy.chunks)) -> float:
            with ThreadPoolExecutor(threads) as pool:
                totals = pool.map(lambda key: array[key].sum(dtype=float), parts)
                return float(sum(totals)) / array.size

        def by_dask(lazy: Any = lazy) -> float:
            return float(lazy.mean().compute(scheduler="threads", num_workers=threads))

        if not np.isclose(by_hand(), by_dask()):
            raise RuntimeError("the means differ")
        taken = medians({"by hand": by_hand, "dask": by_dask}, rounds)
        ratio = taken["dask"] / taken["by hand"]
        print(
            f"mean, {lazy.npartitions:>3} chunks of {chunks}: {taken['dask']:.2f} s, "
            f"{ratio:.2f} times that by hand"
        )


def orders(array: dvid_array.DvidArray, rounds: int, threads: int) -> None:
    """`compute()` of the whole in either order of memory, and `arr[...]`: what dask does with
    chunks, so that blocks are in the cache before."""
    array = array.with_settings(cache_bytes=2 * array.nbytes)
    array[...]
    lazy = {order: array.to_dask(order=order) for order in ("F", "C")}
    works: Works = {
        order: lambda one=one: one.compute(scheduler="threads", num_workers=threads)
        for order, one in lazy.items()
    }
    works["arr[...]"] = lambda: array[...]
    taken = medians(works, rounds)
    print(
        f"compute() of cached blocks: order='F' {taken['F']:.2f} s, order='C' {taken['C']:.2f} s "
        f"({taken['F'] / taken['C']:.1f} times as fast); arr[...] {taken['arr[...]']:.2f} s"
    )


def graph(array: dvid_array.DvidArray) -> None:
    """Time and memory of the graph of a very large volume, at the default chunks."""
    vast = array.window((0, 0, 0), VAST)
    vast.to_dask()
    taken = seconds(vast.to_dask)
    tracemalloc.start()
    made = vast.to_dask()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = " x ".join(map(str, VAST))
    print(
        f"graph of {size}: {made.npartitions:,} chunks in {taken * 1000:.0f} ms, "
        f"{peak / 2**20:.2f} MiB"
    )


def total(key: tuple[slice, ...], array: dvid_array.DvidArray) -> int:
    """What a task computes."""
    return int(array[key].sum())


def _delay(server: str, line: Connection) -> None:
    with FaultyProxy(server) as path:
        path.add(Fault.latency(LATENCY), times=-1)
        line.send(path.url)
        line.recv()


@contextmanager
def far_away(server: str) -> Iterator[str]:
    """The server's address behind a delay, which a process of its own makes: one that also ran the
    scheduler would add its own."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_delay, args=(server, there))
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("enough")
        process.join()


def scaling(array: dvid_array.DvidArray, rounds: int) -> None:
    """As much work for each worker, with more of them, 20 ms from the server."""
    taken = {}
    with far_away(array.server_url) as url:
        far = dvid_array.open(array.url.replace(array.server_url, url))
        parts = keys(far.to_dask(64).chunks)
        for workers in WORKERS:
            some = list(islice(cycle(parts), EACH * workers))

            def work(some: Sequence[Any] = some) -> list[int]:
                return client.gather(client.map(total, some, array=far, pure=False))

            with (
                LocalCluster(
                    n_workers=workers, threads_per_worker=1, dashboard_address=":0"
                ) as cluster,
                Client(cluster) as client,
            ):
                work()  # libraries are loaded, connections open
                taken[workers] = medians({"work": work}, rounds)["work"]
    efficiency = ", ".join(f"{n}: {taken[WORKERS[0]] / taken[n]:.2f}" for n in WORKERS)
    print(
        f"weak scaling, {EACH} chunks of 256 KiB a worker, {LATENCY * 1000:.0f} ms of latency: "
        f"efficiency by workers {efficiency}"
    )


def measure(name: str, server: dvid_array.Server, truth: np.ndarray, options: Any) -> None:
    """Print all of it for one server."""
    node = server.create_repo(f"benchmark {time.time():.0f}")
    array = node.create("gray", "uint8")
    array[tuple(slice(0, n) for n in truth.shape)] = truth
    node.commit()
    settings = dvid_array.Settings(threads=options.threads)
    array = dvid_array.open(array.url, settings=settings)
    print(f"\n{name}: {truth.nbytes / 1e6:.0f} MB of uint8, {options.rounds} rounds")
    overhead(array, options.rounds, options.threads)
    orders(array, options.rounds, options.threads)
    graph(array)
    scaling(array, options.rounds)


def main() -> None:
    """Measure every server that is there."""
    options = volumes.arguments(__doc__ or "")
    truth = volumes.gray(options.size)
    with volumes.servers(options) as found:
        for name, server in found.items():
            measure(name, server, truth, options)


if __name__ == "__main__":
    main()
