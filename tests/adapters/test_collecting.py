"""What is known of a store on a cluster when something fails: every part, as exactly as can be."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, Future
from distributed.scheduler import Scheduler

from dvid_array import Box, DvidArray, DvidWriteError, Node, store
from dvid_array.adapters.dask import collecting
from tests.adapters.test_storing import account, made
from tests.adapters.workers import two_workers
from tests.interrupts import interrupted

WHOLE = Box((0, 0, 0), (16, 16, 16 * 40))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Client]:
    """Two workers, each a process. The client is nobody's default."""
    with two_workers(set_as_default=False) as client:
        yield client


@pytest.fixture
def array(node: Node, cluster: Client) -> Iterator[DvidArray]:
    """A new volume, while the cluster is where dask computes."""
    cluster.wait_for_workers(2, timeout=60)
    with dask.config.set(scheduler=cluster):
        yield made(node)


def ones(change: Callable[[np.ndarray, int], np.ndarray], long: int = 16) -> da.Array:
    """Ones in slow chunks along z, each changed by its number."""

    def block(values: np.ndarray, block_id: tuple[int, ...] = ()) -> np.ndarray:
        time.sleep(0.03)
        return change(values.astype("int64"), block_id[3])

    source = da.ones((1, *WHOLE.shape), dtype="uint8", chunks=(1, 16, 16, long))
    return source.map_blocks(block, dtype="int64", meta=np.empty((0,) * 4, "i8"))


def fails(values: np.ndarray, number: int) -> np.ndarray:
    if number == 6:
        raise ZeroDivisionError("in the source")
    return values


@pytest.mark.parametrize("long", [16, 25], ids=["aligned", "recut"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (fails, "in the source"),
        (lambda values, number: values + 300 * (number == 6), "301 does not fit"),
    ],
    ids=["source", "cast"],
)
def test_nothing_is_unknown(
    array: DvidArray, tmp_path: Path, change: Any, words: str, long: int
) -> None:
    """What has begun is waited for, what has not never begins; the journal has all that is there,
    and the part is named."""
    with pytest.raises(DvidWriteError, match=words) as told:
        store(ones(change, long), array, resume=tmp_path / "journal")
    error = told.value
    account(array, error, WHOLE)
    assert error.unknown == ()
    assert len((tmp_path / "journal").read_text().splitlines()) == len(error.stored) + 1
    assert error.part is not None
    assert not error.part.intersect(Box((0, 0, 6 * long), (16, 16, 7 * long))).empty
    assert f"The first fault, in {error.part}: " in str(error)


def test_a_fault_of_who_is_told(array: DvidArray, tmp_path: Path) -> None:
    """It stops the store; the parts that end behind it are in the journal all the same."""

    def hear(done: int, total: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(DvidWriteError, match="The first fault: enough") as told:
        store(ones(lambda v, n: v), array, resume=tmp_path / "journal", progress=hear)
    account(array, told.value, WHOLE)
    assert told.value.unknown == ()
    assert len((tmp_path / "journal").read_text().splitlines()) == len(told.value.stored) + 1


def test_an_interrupt_waits_for_nothing(array: DvidArray, tmp_path: Path) -> None:
    """What is under way is unknown, what has not begun never does."""
    told = threading.Event()

    with interrupted(told.is_set) as notes:
        store(
            ones(lambda v, n: v),
            array,
            resume=tmp_path / "journal",
            progress=lambda done, total: told.set(),
        )
    (note,) = notes
    counts = re.search(r"of 40 pieces (\d+) stored, (\d+) failed, (\d+) unknown", note)
    assert counts is not None
    stored, failed, unknown = map(int, counts.groups())
    assert stored + failed + unknown == 40
    assert failed >= 20
    assert len((tmp_path / "journal").read_text().splitlines()) == stored + 1
    time.sleep(0.5)  # what was under way has ended
    there = int((array[0, 0, 0, ::16] == 1).sum()) if array.refresh().shape[3] else 0
    assert stored <= there <= stored + unknown


def test_tasks_that_somebody_takes_away(array: DvidArray, cluster: Client) -> None:
    """As a restart of the cluster does: all that has not come is unknown."""

    def cancel(done: int, total: int) -> None:
        cluster.cancel([Future(key, cluster) for key in list(cluster.futures)])

    with pytest.raises(DvidWriteError, match="cancelled") as told:
        store(ones(lambda v, n: v), array, progress=cancel)
    account(array, told.value, WHOLE)
    assert told.value.stored
    assert told.value.unknown


def test_a_part_that_kills_its_workers(
    array: DvidArray, cluster: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows what it had written; nor what others on that worker had."""
    monkeypatch.setattr(collecting, "LAST_SECONDS", 1.0)

    def allow(failures: int, dask_scheduler: Scheduler) -> int:
        before = dask_scheduler.allowed_failures
        dask_scheduler.allowed_failures = failures
        return before

    def dies(values: np.ndarray, number: int) -> np.ndarray:
        if number == 12:
            os._exit(3)
        return values

    before = cluster.run_on_scheduler(allow, 0)
    try:
        with pytest.raises(DvidWriteError, match="worker") as told:
            store(ones(dies), array)
    finally:
        cluster.run_on_scheduler(allow, before)
    account(array, told.value, WHOLE)
    assert type(told.value.first).__name__ == "KilledWorker"
    assert told.value.part in told.value.unknown
