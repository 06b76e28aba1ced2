"""`store` from a cluster of two processes, against bare posts of the same bytes, in one run.

python -m benchmarks.store [--dvid-url http://127.0.0.1:8000] [--size 1024] [--rounds 3]

Both write what the server has not seen before, in requests of the same size; the bare posts hold
their bodies ready, and have as many in flight as the cluster has threads.
"""

from __future__ import annotations

import functools
import http.client
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster

import dvid_array
from benchmarks import volumes
from dvid_array.box import Box, triple

CHUNK = 256
"""Edge of the chunks, which all hold the same piece of tissue."""


def post(url: str, bodies: Sequence[tuple[str, bytes]], threads: int) -> None:
    """POST bodies over kept-open connections, and do nothing else."""
    parts = urlsplit(url)
    queue, lock, faults = iter(bodies), threading.Lock(), []

    def work() -> None:
        line = http.client.HTTPConnection(parts.hostname or "", parts.port)
        while True:
            with lock:
                job = next(queue, None)
            if job is None:
                return line.close()
            line.request("POST", *job)
            answer = line.getresponse()
            if answer.read() or answer.status != 200:
                faults.append(answer.status)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if faults:
        raise RuntimeError(f"bare posts failed: {faults}")


def bare(array: dvid_array.DvidArray, tile: np.ndarray, boxes: Sequence[Box], threads: int) -> None:
    """The same voxels in posts of one chunk each."""
    body = tile.tobytes("F")
    where = f"/api/node/{array.uuid}/{array.instance}/raw/0_1_2"
    paths = [
        f"{where}/{'_'.join(map(str, box.shape))}/{'_'.join(map(str, box.start))}" for box in boxes
    ]
    post(array.server_url, [(path, body) for path in paths], threads)


_whole = functools.cache(volumes.gray)


@functools.cache
def _tile(x: int = CHUNK, y: int = CHUNK, z: int = CHUNK) -> np.ndarray:
    return np.asfortranarray(_whole(CHUNK)[:, :x, :y, :z])


def _tissue(block_info: Any = None) -> np.ndarray:
    """A chunk of the source, at no cost once this process has made it. In one piece, as chunks are:
    what is cut out of an array is copied voxel by voxel when it goes to another worker."""
    return _tile(*block_info[None]["chunk-shape"][1:])


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(name: str, server: dvid_array.Server, size: int, rounds: int, threads: int) -> None:
    """Print the rates of one server."""
    tile = _tile()
    shape = (size, size, size)
    starts = np.ndindex(*(size // CHUNK for _ in range(3)))
    boxes = [Box.sized(triple(CHUNK * n for n in place), (CHUNK,) * 3) for place in starts]
    node = server.create_repo(f"benchmark store {time.time():.0f}")
    taken: dict[str, list[float]] = {"bare": [], "store": [], "unaligned": []}

    def volume(kind: str, number: int) -> dvid_array.DvidArray:
        return node.create(f"{kind}{number}", "uint8", shape=shape)

    def source(chunk: int) -> da.Array:
        lengths = tuple(min(chunk, size - n) for n in range(0, size, chunk))
        return da.map_blocks(
            _tissue, chunks=((1,), lengths, lengths, lengths), meta=np.empty((0,) * 4, "u1")
        )

    # workers import everything, and make their tile
    dvid_array.store(source(CHUNK)[:, :CHUNK, :CHUNK], volume("warm", 0))
    for number in range(rounds):
        target = volume("bare", number)
        taken["bare"].append(seconds(lambda target=target: bare(target, tile, boxes, threads)))
        target = volume("store", number)
        taken["store"].append(
            seconds(lambda target=target: dvid_array.store(source(CHUNK), target))
        )
        if not np.array_equal(target[:, -CHUNK:, -CHUNK:, -CHUNK:], tile):
            raise RuntimeError("voxels differ")
        target = volume("unaligned", number)
        taken["unaligned"].append(
            seconds(lambda target=target: dvid_array.store(source(200), target))
        )
    nbytes = size**3
    print(f"\n{name}: {nbytes / 1e9:.2f} GB of uint8, {threads} threads, {rounds} rounds")
    for way, times in taken.items():
        ratio = statistics.median(a / b for a, b in zip(taken["bare"], times, strict=True))
        rate = nbytes / statistics.median(times) / 1e9
        print(f"{way:<12}{rate:>8.3f} GB/s  ratio to bare posts {ratio:.2f}")


def main() -> None:
    """Measure every server that is there."""
    options = volumes.arguments(__doc__ or "")
    with (
        volumes.servers(options) as found,
        LocalCluster(
            n_workers=2, threads_per_worker=max(1, options.threads // 2), dashboard_address=":0"
        ) as cluster,
        Client(cluster),
    ):
        for name, server in found.items():
            measure(name, server, options.size, options.rounds, options.threads)


if __name__ == "__main__":
    main()
