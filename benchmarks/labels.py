"""Labels: the block codec, reading by every way, indexed writes and ingests.

python -m benchmarks.labels [--dvid-url http://127.0.0.1:8000] [--size 512]

Every rate is of voxels, eight bytes each. The peer is what a few lines of `requests` do, and stands
first in each table: the whole box by `raw` and `.content`; voxels posted as they are; blocks made
by numpy, packed by Python's own gzip and posted with `noindexing=true`. Each round measures all
of a table, and ratios are medians over the rounds.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import time
from collections.abc import Callable
from itertools import product
from urllib.parse import urlsplit

import numpy as np
import requests

import dvid_array
from benchmarks import volumes
from benchmarks.clocks import Server, busy
from dvid_array.client import posting, writing
from dvid_array.client.picks import Grid
from dvid_array.protocol import frames, label_blocks

EDGES = {"large cells": 48, "small cells": 14}
"""Widths of cells: about 10 and 150 labels in a block of 64³."""
BLOCK = 64
WRITTEN = 256
"""Edge of what is written."""
Works = dict[str, Callable[[], object]]
Corner = tuple[int, int, int]


def corners(truth: np.ndarray) -> list[Corner]:
    """Where the blocks of a volume begin, x fastest."""
    starts = product(*(range(0, n, BLOCK) for n in reversed(truth.shape[1:])))
    return [(x, y, z) for z, y, x in starts]


def block_at(truth: np.ndarray, corner: Corner) -> np.ndarray:
    """One block of a volume."""
    x, y, z = corner
    return truth[0, x : x + BLOCK, y : y + BLOCK, z : z + BLOCK]


def codec(name: str, truth: np.ndarray, rounds: int) -> None:
    """Print the rates of both engines: into one block, into a large array, and back. They are of
    one thread's processor time, which others on the machine do not take."""
    blocks = [block_at(truth, corner) for corner in corners(truth)]
    stored = [label_blocks.encode(block) for block in blocks]
    whole = np.zeros_like(truth)
    places = [block_at(whole, corner) for corner in corners(truth)]
    one = np.empty((BLOCK,) * 3, np.uint64, order="F")
    labels = statistics.mean(len(np.unique(block)) for block in blocks)
    packed = sum(map(len, stored)) / len(stored)
    print(f"\ncodec, {name}: {labels:.0f} labels and {packed:,.0f} bytes a block of {BLOCK}^3")
    print(f"{'':<26}{'decode':>10}{'in place':>10}{'encode':>10}   GB/s")
    for engine in ("numba", "numpy"):
        works: Works = {
            "decode": lambda e=engine: [label_blocks.decode(s, one, engine=e) for s in stored],
            "in place": lambda e=engine: [
                label_blocks.decode(s, out, engine=e) for s, out in zip(stored, places, strict=True)
            ],
            "encode": lambda e=engine: [label_blocks.encode(b, engine=e) for b in blocks],
        }
        best = {key: min(busy(work) for _ in range(rounds)) for key, work in works.items()}
        print(f"{engine:<26}" + "".join(f"{truth.nbytes / best[k] / 1e9:>10.2f}" for k in works))
    if not np.array_equal(whole, truth):
        raise RuntimeError("voxels differ")


def table(title: str, clock: Server, works: Works, size: int, rounds: int) -> None:
    """Print rates, ratios to the peer, which is the first, and processor seconds."""
    taken = [{key: clock.spent(work) for key, work in works.items()} for _ in range(rounds)]
    peer, gigabytes, median = next(iter(works)), size / 1e9, statistics.median
    print(f"\n{title}: {size / 1e6:.0f} MB, {rounds} rounds")
    print(f"{'':<26}{'GB/s':>10}{'ratio':>10}{'client':>10}{'server':>10}   CPU s/GB")
    for key in works:
        rate = gigabytes / median(row[key].wall for row in taken)
        ratio = median(row[peer].wall / row[key].wall for row in taken)
        here = median(row[key].client for row in taken) / gigabytes
        there = median(row[key].server for row in taken) / gigabytes
        print(f"{key:<26}{rate:>10.2f}{ratio:>10.1f}{here:>10.3f}{there:>10.3f}")


def address(array: dvid_array.DvidArray, *parts: object) -> str:
    """A URL of DVID's API, as one writes it by hand."""
    base = f"{array.server_url}/api/node/{array.uuid}/{array.instance}"
    return "/".join((base, *map(str, parts)))


def by_numpy(work: Callable[[], object]) -> Callable[[], None]:
    """The same as where numba is missing."""

    def worked() -> None:
        choose = label_blocks.engine_for
        label_blocks.engine_for = lambda voxels: "numpy"
        try:
            work()
        finally:
            label_blocks.engine_for = choose

    return worked


def reads(array: dvid_array.DvidArray, truth: np.ndarray) -> Works:
    """Every way to read the whole array."""
    out = np.zeros(truth.shape, truth.dtype, order="F")
    stop = truth.shape[1:]

    def peer() -> np.ndarray:
        url = address(array, "raw", "0_1_2", "_".join(map(str, stop)), "0_0_0")
        data = requests.get(url, timeout=600).content
        return np.frombuffer(data, np.uint64).reshape(truth.shape, order="F")

    def by(way: str) -> Callable[[], object]:
        volume = array.with_settings(transport=way)
        return lambda: volume.read((0, 0, 0), stop, out=out)

    for way in ("auto", "blocks", "lz4", "raw"):
        out[...] = 0
        by(way)()
        if not np.array_equal(out, truth):
            raise RuntimeError("voxels differ")
    return {
        "requests, raw": peer,
        "blocks, into an array": by("blocks"),
        "blocks, a fresh result": lambda: array[...],
        "blocks, numpy alone": by_numpy(by("blocks")),
        "lz4": by("lz4"),
        "raw": by("raw"),
    }


def writes(array: dvid_array.DvidArray, truth: np.ndarray) -> Works:
    """Indexed writes of the same voxels, layer by layer."""

    def peer() -> None:
        for z in range(0, truth.shape[3], BLOCK):
            layer = truth[..., z : z + BLOCK]
            size = "_".join(map(str, layer.shape[1:]))
            url = address(array, "raw", "0_1_2", size, f"0_0_{z}?mutate=true")
            requests.post(url, data=layer.tobytes(order="F"), timeout=600).raise_for_status()

    def ours() -> None:
        array[tuple(slice(0, n) for n in truth.shape)] = truth

    return {"requests, raw": peer, "arr[...] = data": ours}


def ingests(array: dvid_array.DvidArray, truth: np.ndarray) -> Works:
    """Ingests of the same voxels, layer by layer."""

    def framed(corner: Corner) -> bytes:
        data = gzip.compress(label_blocks.encode(block_at(truth, corner), engine="numpy"))
        x, y, z = (n // BLOCK for n in corner)
        return frames.pack((x, y, z), data)

    def peer() -> None:
        url = address(array, "blocks?noindexing=true")
        for z in range(0, truth.shape[3], BLOCK):
            body = b"".join(framed(corner) for corner in corners(truth) if corner[2] == z)
            requests.post(url, data=body, timeout=600).raise_for_status()

    def ours() -> None:
        grid = Grid([range(n) for n in truth.shape], truth)
        writing.write(array._volume, grid, posting.INGEST)

    return {"requests, numpy, gzip": peer, "ingest": ours}


def measure(title: str, server: dvid_array.Server, options: argparse.Namespace) -> None:
    """Print the tables of one server."""
    clock = Server(urlsplit(server.url).port or 80, options.server_pid)
    size, rounds, threads = options.size, options.rounds, options.threads
    for name, edge in EDGES.items():
        node = server.create_repo(f"benchmark {time.time():.0f}")
        truth = volumes.labels(size, edge)
        array = node.create("seg", "uint64", max_scale=0).with_settings(threads=threads)
        writing.write(array._volume, Grid([range(n) for n in truth.shape], truth), posting.INGEST)
        array.refresh()
        table(f"{title}, reading {name}", clock, reads(array, truth), truth.nbytes, rounds)
        part = np.asfortranarray(truth[:, :WRITTEN, :WRITTEN, :WRITTEN])
        for kind, works in (("writing", writes), ("ingesting", ingests)):
            array = node.create(kind, "uint64", max_scale=0)
            table(f"{title}, {kind} {name}", clock, works(array, part), part.nbytes, rounds)


def main() -> None:
    """Measure the codec, and the server that is named or a development server."""
    options = volumes.arguments(__doc__ or "", ("--server-pid", int, "its process, if not found"))
    for name, edge in EDGES.items():
        codec(name, volumes.labels(256, edge), options.rounds)
    with volumes.servers(options) as found:
        title, server = list(found.items())[-1]
        measure(title, server, options)


if __name__ == "__main__":
    main()
