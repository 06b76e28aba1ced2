"""Bodies: what a mask costs, by its blocks and not by its box; runs, against the server's own.

python -m benchmarks.bodies [--dvid-url http://127.0.0.1:8000] [--size 384]
"""

from __future__ import annotations

import statistics
import time
import urllib.request

import numpy as np

import dvid_array
from benchmarks import volumes
from dvid_array.protocol import runs

BLOCK = 64


def made(server: dvid_array.Server, size: int) -> dvid_array.DvidArray:
    """Small cells, a large lumpy body 5 among them, and a thread 6 from corner to corner."""
    node = server.create_repo("benchmark of bodies")
    array = node.create("seg", "uint64", block=(BLOCK,) * 3, max_scale=0)
    for z in range(0, size, BLOCK):
        x, y, z3 = np.ogrid[:size, :size, z : z + BLOCK]
        cells = 10 + x // 23 + 40 * (y // 19) + 1600 * (z3 // 17)
        far = (x - size / 2) ** 2 + (y - size / 2) ** 2 + (z3 - size / 2) ** 2
        lumps = 3000 * np.sin(x / 5) * np.sin(y / 7) * np.sin(z3 / 6)
        cells[far + lumps < (size / 2.6) ** 2] = 5
        thread = np.arange(z, z + BLOCK)
        cells[thread, thread, thread - z] = 6
        array[:, :size, :size, z : z + BLOCK] = np.asfortranarray(cells.astype(np.uint64))[None]
    while array.bodies.size(6) < size:
        time.sleep(0.1)
    return array


def report(array: dvid_array.DvidArray, rounds: int) -> None:
    """Requests and blocks of masks, and times of masks and runs."""
    for label, name in ((5, "lumpy"), (6, "thread")):
        body = array.body(label)
        start, stop = body.origin[1:], np.add(body.origin, body.shape)[1:].tolist()
        plan, box = (one.plan(np.s_[...]) for one in (body, array.window(start, stop)))
        print(
            f"  {name}: {body.size:,} voxels and {box.blocks} blocks in its box; "
            f"{plan.blocks} fetched, {plan.requests} request(s)"
        )
    base = f"{array.server_url}/api/node/{array.uuid}/seg"
    works = {
        "mask": lambda: array.body(5)[...],
        "runs": lambda: array.sparse(5),
        "sparsevol": lambda: runs.decode_rles(
            urllib.request.urlopen(f"{base}/sparsevol/5?format=rles").read()
        ),
    }
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            taken[name].append(time.perf_counter() - start)
    ratio = statistics.median(b / a for a, b in zip(taken["runs"], taken["sparsevol"], strict=True))
    times = {name: f"{statistics.median(found) * 1e3:.0f} ms" for name, found in taken.items()}
    print(f"  lumpy: {times}; runs are {ratio:.1f} times as fast as the server's own")


def main() -> None:
    """Print a table for each server."""
    options = volumes.arguments(__doc__ or "")
    with volumes.servers(options) as servers:
        for name, server in servers.items():
            print(name)
            report(made(server, options.size), options.rounds)


if __name__ == "__main__":
    main()
