"""Many threads of mixed reads and writes for three minutes: no error, no wrong voxel, flat memory.

The server is a process of its own, so that its memory can be told from the client's.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

import dvid_array
from dvid_array import DvidArray, Node, Settings

pytestmark = [pytest.mark.dev, pytest.mark.long, pytest.mark.timeout(400)]

THREADS = 64
SECONDS = 180.0
EDGE = 40
"""Each thread owns a cube of this many voxels along x: neighbours share blocks of 32."""
GROWTH = 96 << 20
"""Bytes that a process may have more at the end than after the first third."""
SERVER = """
import sys, dvid_array
with dvid_array.serve(sys.argv[1], admin_token="load") as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def child(tmp_path: Path) -> Iterator[tuple[str, psutil.Process]]:
    """A development server in a process of its own: its URL and the process."""
    command = [sys.executable, "-c", SERVER, str(tmp_path / "store.sqlite")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdin is not None
        yield run.stdout.readline().strip(), psutil.Process(run.pid)
        run.stdin.close()


def test_sixty_four_threads(child: tuple[str, psutil.Process]) -> None:
    url, process = child
    node = dvid_array.connect(url, admin_token="load").create_repo("load")
    arrays = [_volume(node, "gray", "uint8"), _volume(node, "labels", "uint64")]
    done: Counter[str] = Counter()
    wrong: list[BaseException] = []
    end = time.monotonic() + SECONDS
    workers = [
        threading.Thread(target=_work, args=(arrays[n % 2], n, end, done, wrong))
        for n in range(THREADS)
    ]
    for worker in workers:
        worker.start()
    sizes = list(_memory(process, end, (SECONDS / 3, 2 * SECONDS / 3, SECONDS - 2)))
    for worker in workers:
        worker.join()
    mib = [tuple(size >> 20 for size in both) for both in sizes]
    print(f"\n{dict(done)} in {SECONDS:.0f} s; memory of client and server in MiB: {mib}")
    assert not wrong, wrong[:3]
    assert min(done["read"], done["write"]) > THREADS
    for first, last in zip(sizes[0], sizes[-1], strict=True):
        assert last - first < GROWTH


def _volume(node: Node, name: str, dtype: str) -> DvidArray:
    array = node.create(name, dtype, block=(32, 32, 32))
    array[:, 0 : THREADS * EDGE, 0:64, 0:40] = 1
    return dvid_array.open(array.url, settings=Settings(threads=2))


def _memory(
    process: psutil.Process, end: float, moments: tuple[float, ...]
) -> Iterator[tuple[int, int]]:
    for moment in moments:
        time.sleep(max(0.0, end - SECONDS + moment - time.monotonic()))
        yield psutil.Process().memory_info().rss, process.memory_info().rss


def _work(
    array: DvidArray, number: int, end: float, done: Counter[str], wrong: list[BaseException]
) -> None:
    """Write to one's own cube and read it back; what nobody writes to stays as it is."""
    rng = np.random.default_rng(number)
    low = number * EDGE
    mine = np.ones((1, EDGE, 32, 40), array.dtype)
    try:
        while time.monotonic() < end:
            a, b = sorted(rng.integers(0, EDGE + 1, 2))
            key = np.s_[:, low + a : low + b, 3:29, 5:37]
            mine[:, a:b, 3:29, 5:37] = value = int(rng.integers(1, 250))
            array[key] = value
            assert np.array_equal(array[:, low : low + EDGE, 0:32, 0:40], mine)
            assert (array[:, low : low + EDGE : 3, 40:64, 7] == 1).all()
            done["write"] += 1
            done["read"] += 2
    except BaseException as fault:
        wrong.append(fault)
