"""Process state: bounded tables, locks, and processes that read side by side with their parent."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from itertools import count
from pathlib import Path

import numpy as np
import pytest

import dvid_array
from dvid_array.client import registry
from dvid_array.client.registry import BlockLocks, Credentials, Origin, Table
from dvid_array.testing import Fault, FaultyProxy
from tests.client.conftest import through

Filled = Callable[..., tuple[dvid_array.DvidArray, np.ndarray]]


def test_a_table_forgets_what_is_unused_longest() -> None:
    table: Table[str, list[int]] = Table(2)
    kept = table.get("a", list)
    table.get("b", list)
    assert table.get("a", list) is kept
    table.get("c", list)
    assert table.get("a", list) is kept
    assert table.get("b", lambda: [1]) == [1]


def test_what_is_made_may_need_the_table() -> None:
    """As a module does that reads a volume when it is imported, to be an observer of reads."""
    table: Table[str, str] = Table(2)
    assert table.get("a", lambda: table.get("b", lambda: "b") + "a") == "ba"


def test_nobody_waits_for_what_others_make() -> None:
    """And where two make the same, both get the first."""
    table: Table[str, object] = Table(2)
    made: list[object] = []

    def slowly() -> object:
        made.append(table.get("a", object))
        assert table.get("b", lambda: "b") == "b"
        return object()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(table.get, "a", slowly).result(timeout=10) is made[0]


def test_block_locks_are_taken_whole() -> None:
    locks, order = BlockLocks(), []

    def second() -> None:
        with locks.hold(["b", "c"]):
            order.append("second")

    with locks.hold(["a", "b"]):
        waiting = threading.Thread(target=second)
        waiting.start()
        with locks.hold(["c"]):
            order.append("first")
    waiting.join()
    assert order == ["first", "second"]


@pytest.mark.usefixtures("_fresh_process_state")
def test_a_reset_keeps_who_speaks() -> None:
    """Credentials, and which servers are known to be there; nothing with a socket or a lock."""
    known = registry.state().origins.get("http://nowhere", Origin)
    known.credentials, known.answered = Credentials(token="t"), True
    known.session = object()
    registry.state().sessions.get("a session", object)
    registry.reset()
    after = registry.state().origins.get("http://nowhere", Origin)
    assert (after.credentials.token, after.answered, after.session) == ("t", True, None)
    made: list[str] = []
    registry.state().sessions.get("a session", lambda: made.append("anew"))
    assert made == ["anew"]


# Processes.

datasets: list[dvid_array.DvidArray] = []
"""What a worker process was handed."""


def keep(array: dvid_array.DvidArray) -> None:
    """As torch's loader hands a data set to each of its workers."""
    datasets.append(array)


def sample(z: int) -> tuple[int, np.ndarray]:
    """One item of the data set, and who fetched it."""
    return os.getpid(), datasets[-1][0, :, :, z]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_read_side_by_side_with_their_parent(
    filled: Filled, path: FaultyProxy, method: str
) -> None:
    """As torch's DataLoader does it: workers are forked or spawned when the parent has connections
    already, and reads go on in both."""
    array, truth = filled("uint8", (1, 64, 64, 48))
    view = through(path, array, read_timeout=30.0)
    stop, wrong = threading.Event(), []

    def read_on() -> None:
        while not stop.is_set():
            if not np.array_equal(view[:, 8:40], truth[:, 8:40]):
                wrong.append("the parent read something else")
            time.sleep(0.02)

    parent = threading.Thread(target=read_on)
    parent.start()
    try:
        np.testing.assert_array_equal(view[0, :, :, 0], truth[0, :, :, 0])
        before = path.connections
        context = multiprocessing.get_context(method)
        with context.Pool(2, initializer=keep, initargs=(view,)) as workers:
            samples = workers.map(sample, range(48), chunksize=1)
            workers.close()
            workers.join()
    finally:
        stop.set()
        parent.join()
    assert not wrong
    assert os.getpid() not in {pid for pid, _ in samples}
    for z, (_, plane) in enumerate(samples):
        np.testing.assert_array_equal(plane, truth[0, :, :, z])
    assert path.connections >= before + len({pid for pid, _ in samples})


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_child_does_not_wait_for_its_parents_threads(filled: Filled, path: FaultyProxy) -> None:
    """Blocks that a thread of the parent is fetching at the fork are fetched by the child."""
    array, truth = filled("uint8", (1, 64, 64, 48))
    array.node.commit()
    view = through(path, array, cache_bytes=1 << 26, read_timeout=30.0)
    path.add(Fault.latency(2.0), when=lambda request: "blocks" in request.path)
    fetching = threading.Thread(target=lambda: view[:, :32, :32, :32])
    asked = len(path.requests)
    fetching.start()
    while len(path.requests) == asked:
        time.sleep(0.01)
    datasets.append(view)
    with multiprocessing.get_context("fork").Pool(1) as workers:
        _, plane = workers.apply_async(sample, (5,)).get(timeout=60)
    assert fetching.is_alive()
    np.testing.assert_array_equal(plane, truth[0, :, :, 5])
    fetching.join()
    datasets.clear()


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("forks", [25, pytest.param(400, marks=pytest.mark.long)])
def test_children_find_no_lock_held(filled: Filled, forks: int) -> None:
    """Threads of the parent are anywhere when a child is forked: making views, in the cache, in the
    pool of connections."""
    array, truth = filled("uint8", (1, 64, 64, 48))
    array.node.commit()
    small = dvid_array.Settings(cache_bytes=3 * 32**3)
    views = [dvid_array.open(array.url, settings=one) for one in (dvid_array.Settings(), small)]
    stop, wrong = threading.Event(), []

    def read(number: int) -> None:
        view = views[number % 2].with_settings(threads=1 + number % 4)
        key = np.s_[:, number % 60, :, 5:40]
        if not np.array_equal(view[key], truth[key]):
            wrong.append(number)

    def read_on(first: int) -> None:
        for number in count(first):
            read(number)
            if stop.is_set():
                return

    threads = [threading.Thread(target=read_on, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    fork, codes = multiprocessing.get_context("fork"), []
    try:
        for number in range(forks):
            child = fork.Process(target=_quits, args=(read, number, wrong))
            child.start()
            child.join(60)
            child.kill()
            codes.append(child.exitcode)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        registry.reset()
    assert codes == [0] * forks
    assert not wrong


def _quits(read: Callable[[int], None], number: int, wrong: list[int]) -> None:
    """Read in a child, and end without its parent's tests."""
    wrong.clear()
    read(number)
    os._exit(len(wrong))


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_fork_waits_for_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a child would wait for ever for what a thread of its parent was importing."""
    name = "a_module_that_takes_its_time"
    (tmp_path / f"{name}.py").write_text("import time; time.sleep(1)")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "LATE", (name,))
    importing = threading.Thread(target=import_module, args=(name,))
    importing.start()
    while name not in sys.modules:
        time.sleep(0.01)
    child = multiprocessing.get_context("fork").Process(target=import_module, args=(name,))
    child.start()
    child.join(10)
    child.kill()
    importing.join()
    assert child.exitcode == 0
