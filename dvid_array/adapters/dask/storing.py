"""The door of `store` to dask: parts as tasks of a scheduler in this process, or of a cluster.

Owns graphs and how their results come back. Must not know requests: a task calls the deposit that
it carries, in whichever process it runs, and returns a checksum.
"""

from __future__ import annotations

import contextvars
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any

import dask
import dask.array as da
import dask.local
import dask.multiprocessing
import dask.threaded
import numpy as np
from dask.base import get_scheduler
from dask.callbacks import Callback
from dask.delayed import Delayed, delayed
from dask.system import CPU_COUNT

from dvid_array.adapters.dask import collecting
from dvid_array.adapters.dask.recutting import recut
from dvid_array.box import Box
from dvid_array.client import extents
from dvid_array.client.depositing import Deposit
from dvid_array.client.flights import Crew
from dvid_array.client.ledger import Ledger
from dvid_array.client.volume import Volume
from dvid_array.errors import DvidWriteError
from dvid_array.owners import Owners

Work = Callable[[Box, Any], int]
"""What writes a part: a deposit."""


def lazy(source: Any) -> da.Array:
    """A dask array of an array that is read by slicing, or of another package's chunks.

    The arrays of `dask_array` are collections too, but `dask.array` takes them for whole arrays,
    and would hand each task other voxels than its own.
    """
    if isinstance(source, da.Array):
        return source
    if not dask.is_dask_collection(source):  # type: ignore[attr-defined]
        made: da.Array = da.from_array(source)  # type: ignore[no-untyped-call]
        return made
    key = source.__dask_keys__()
    while isinstance(key, list):
        key = key[0]
    graph = source.__dask_graph__()
    return da.Array(graph, key[0], source.chunks, dtype=source.dtype)  # type: ignore[no-untyped-call]


def nothing() -> Delayed:
    """A store of no voxel."""
    made: Delayed = delayed(None)
    return made


def run(deposit: Deposit, source: da.Array, parts: Owners, ledger: Ledger) -> None:
    """Write the parts that wait, and account for each when it is stored."""
    get = get_scheduler(cls=da.Array)  # type: ignore[no-untyped-call]
    client = _client(get)
    work = deposit if client else _Accounted(deposit, ledger)
    tasks = _checksums(work, source, parts).to_delayed()[0]  # type: ignore[no-untyped-call]
    waiting = set(ledger.waiting)
    wanted: collecting.Tasks = {box: tasks[place] for place, box in parts.each() if box in waiting}
    if client:
        collecting.on_cluster(client, wanted, ledger)
    else:
        _here(get, wanted, ledger)


def postponed(deposit: Deposit, source: Any, box: Box, how: str) -> Delayed:
    """A Delayed that notes the extents, writes every part, and then sets the extents."""
    source = lazy(source)
    volume = deposit.volume
    parts = deposit.owners(box.start, source.chunks[1:], how)
    before = delayed(_begin, pure=False)(volume)
    sums = _checksums(deposit, source, parts, before=before)
    # part by part: dask makes a copy of an array that it is given whole, and of what it waits for
    tasks = sums.to_delayed().ravel().tolist()  # type: ignore[no-untyped-call]
    made: Delayed = delayed(_end, pure=False)(volume, box, before, tasks)
    return made


def _checksums(deposit: Work, source: da.Array, parts: Owners, **first: Any) -> da.Array:
    """An array with one element for each part: computing it writes the part."""
    made: da.Array = da.map_blocks(  # type: ignore[no-untyped-call]
        _own,
        recut(source, ((source.shape[0],), *parts.lengths)),
        deposit=deposit,
        parts=parts,
        # never the name of another run, whose results a cluster may still hold
        name=f"dvid-store-{uuid.uuid4().hex}",
        chunks=((1,), *((1,) * n for n in parts.counts)),
        meta=np.empty((0,) * 4, np.int64),
        **first,
    )
    return made


def _own(
    values: Any, *, deposit: Work, parts: Owners, block_id: Any = None, before: object = None
) -> Any:
    """The task of one owner; `before` is only waited for."""
    return np.full((1,) * 4, deposit(parts.box(block_id[1:]), values), np.int64)


def _begin(volume: Volume) -> Box | None:
    return volume.refreshed().extents


def _end(volume: Volume, box: Box, before: Box | None, sums: object) -> None:
    extents.settle(volume, before, box)


# In this process, or in processes of its own.


class _Accounted:
    """A deposit that accounts for what it does, in this process. In another one there is no
    ledger: it arrives there without, and its result is accounted for when it comes back."""

    def __init__(self, deposit: Deposit, ledger: Ledger) -> None:
        self._deposit = deposit
        self._ledger = ledger

    def __call__(self, box: Box, values: Any) -> int:
        return self._ledger.account(box, lambda: self._deposit(box, values))

    def __reduce__(self) -> tuple[Any, ...]:
        return _itself, (self._deposit,)


def _itself(deposit: Deposit) -> Deposit:
    return deposit


class _Accounting(Callback):
    """Accounts for tasks as they go to somebody's threads or processes, and come back."""

    def __init__(self, tasks: collecting.Tasks, ledger: Ledger) -> None:
        self._boxes = {collecting.writer(task): box for box, task in tasks.items()}
        self._ledger = ledger
        super().__init__()  # type: ignore[no-untyped-call]

    def _pretask(self, key: Any, dsk: Any, state: Any) -> None:
        if key in self._boxes:
            self._ledger.begun(self._boxes[key])

    def _posttask(self, key: Any, result: Any, dsk: Any, state: Any, worker: Any) -> None:
        if key in self._boxes:
            self._ledger.stored(self._boxes[key], result.item())


def _here(get: Any, tasks: collecting.Tasks, ledger: Ledger) -> None:
    ends = get is dask.local.get_sync or _has_own_threads(get)  # nothing goes on behind a fault
    if not ends and get not in (dask.threaded.get, dask.multiprocessing.get):
        for box in tasks:  # what has begun is this scheduler's secret
            ledger.begun(box)
    try:
        with nullcontext() if ends else _Accounting(tasks, ledger), _threads(get) as options:
            sums = dask.compute(*tasks.values(), scheduler=get, **options)  # type: ignore[attr-defined,no-untyped-call]
    except DvidWriteError as error:
        if error.part:
            ledger.broken(error.part, error)
        raise
    for box, checksum in zip(tasks, sums, strict=True):
        ledger.stored(box, checksum.item())  # where a scheduler has no callbacks


def _has_own_threads(get: Any) -> bool:
    """Whether threads are asked for, and nobody has given a pool of them."""
    return get is dask.threaded.get and not dask.config.get("pool", None)


@contextmanager
def _threads(get: Any) -> Iterator[dict[str, Any]]:
    """Threads that end with the store: dask's own would go on behind a fault, and nobody could
    interrupt them."""
    if not _has_own_threads(get):
        yield {}
        return
    count = dask.config.get("num_workers", None) or CPU_COUNT
    crew: Crew[object] = Crew(count, cut=False)
    pool = _Pool(count, initializer=_enlist, initargs=(crew,))
    try:
        yield {"pool": pool}
    except Exception as error:
        crew.failed(error)
        raise
    except BaseException:
        crew.abort()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    finally:
        if not crew.aborted:
            pool.shutdown(cancel_futures=True)
        crew.deliver()


class _Pool(ThreadPoolExecutor):
    """Threads that work in the context of whoever computes."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        """As every executor's."""
        return super().submit(contextvars.copy_context().run, fn, *args, **kwargs)


def _enlist(crew: Crew[object]) -> None:
    """Make this thread one of the crew, which can cut its connections."""
    threading.current_thread().crew = crew  # type: ignore[attr-defined]


# On a cluster.


def _client(get: Any) -> Any:
    """The cluster's client whose scheduler dask would use."""
    client = getattr(get, "__self__", None)
    if client is None:
        return None
    from distributed import Client

    return client if isinstance(client, Client) else None
