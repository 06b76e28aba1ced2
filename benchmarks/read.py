"""Reading a gray volume, against bare sockets that read the same bodies; peak memory.

python -m benchmarks.read [--dvid-url http://127.0.0.1:8000] [--size 512]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlencode

import numpy as np

import dvid_array
from benchmarks import bare, volumes
from benchmarks.clocks import seconds
from dvid_array.client import reading
from dvid_array.client.picks import Grid

MEASURE_MEMORY = """
import sys, dvid_array

def peak():
    # ru_maxrss would count the process that started this one
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

array = dvid_array.open(sys.argv[1], settings=dvid_array.Settings(threads=int(sys.argv[2])))
array[:, :64, :64, :64]
before = peak()
whole = array[...]
print(peak() - before - whole.nbytes)
"""


def bodies(array: dvid_array.DvidArray) -> list[str]:
    """The paths that reading the whole array asks for."""
    axes = [range(n) for n in array.shape]
    stand_in = np.broadcast_to(np.zeros((), array.dtype), array.shape)
    volume = array._volume
    way, requests = reading.plan(volume, Grid(axes, stand_in).boxes(volume.grid))
    calls = [way.call(volume, request) for request in requests]
    return [f"{call.path}?{urlencode(call.query, safe=',')}" for call in calls]


def row(volume: dvid_array.DvidArray, truth: np.ndarray, rounds: int) -> str:
    """Rates of one way to read, its rounds interleaved with the bare ones."""
    paths, threads = bodies(volume), volume.settings.threads
    out = np.zeros(truth.shape, truth.dtype, order="F")
    works: dict[str, Callable[[], object]] = {
        "bare": lambda: bare.drain(volume.server_url, paths, threads),
        "client": lambda: volume.read((0, 0, 0), truth.shape[1:], out=out),
        "fresh": lambda: volume[...],
    }
    taken = [{key: seconds(work) for key, work in works.items()} for _ in range(rounds)]
    if not np.array_equal(out, truth):
        raise RuntimeError("voxels differ")
    rates = {key: truth.nbytes / statistics.median(t[key] for t in taken) / 1e9 for key in works}
    ratio = statistics.median(t["bare"] / t["client"] for t in taken)
    return f"{rates['client']:>12.2f}{rates['bare']:>12.2f}{ratio:>8.2f}{rates['fresh']:>14.2f}"


def measure(
    name: str, server: dvid_array.Server, truth: np.ndarray, rounds: int, threads: int
) -> None:
    """Print the table of one server."""
    node = server.create_repo(f"benchmark {time.time():.0f}")
    array = node.create("gray", "uint8")
    array[tuple(slice(0, n) for n in truth.shape)] = truth
    settings = dvid_array.Settings(threads=threads)
    array = dvid_array.open(array.url, settings=settings)
    ways = {
        "stored blocks": array,
        "raw": dvid_array.open(array.url, settings=replace(settings, transport="raw")),
    }
    print(f"\n{name}: {truth.nbytes / 1e6:.0f} MB of uint8, {threads} in flight, {rounds} rounds")
    print(f"{'way':<16}{'client GB/s':>12}{'bare GB/s':>12}{'ratio':>8}{'fresh result':>14}")
    for way, volume in ways.items():
        print(f"{way:<16}" + row(volume, truth, rounds))
    command = [sys.executable, "-c", MEASURE_MEMORY, array.url, str(threads)]
    beyond = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"peak memory beyond the result: {beyond / 2**20:.0f} MiB")


def main() -> None:
    """Measure every server that is there."""
    options = volumes.arguments(__doc__ or "")
    truth = volumes.gray(options.size)
    with volumes.servers(options) as found:
        for name, server in found.items():
            measure(name, server, truth, options.rounds, options.threads)


if __name__ == "__main__":
    main()
