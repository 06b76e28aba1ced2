"""A limit on the requests that all workers of a cluster have in flight together.

Owns who counts them. Must not know requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading

from distributed import Client, Semaphore, Worker, get_worker

from dvid_array.client.hooks import PATIENCE, Limit
from dvid_array.client.registry import state


def leases(origin: str, number: int) -> Limit:
    """The limiter that `Settings` name unless told otherwise.

    On a worker, or next to a client, the cluster's scheduler counts; else, and in a child forked
    from either, this process does. Arrays with the same server and number share one limit. A lease
    of a worker that dies comes back after dask's ``distributed.scheduler.locks.lease-timeout``.
    """
    home = _home()
    key = ("leases", origin, number, home and home.id)
    limit: Limit = state().limits.get(key, lambda: _limit(f"dvid {origin} {number}", number, home))
    return limit


def _limit(name: str, number: int, home: Worker | Client | None) -> Limit:
    if home is None:
        return threading.BoundedSemaphore(number)
    made: Limit = Semaphore(number, name, scheduler_rpc=home.scheduler, loop=home.loop)  # type: ignore[no-untyped-call]
    return made


def _home() -> Worker | Client | None:
    """The worker that runs this task, or this process's client. None in an event loop: waiting
    there would hold up the messages that are waited for."""
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        return None
    for find in (get_worker, Client.current):
        with contextlib.suppress(ValueError):
            home = find()
            return home if _runs(home) else None
    return None


def _runs(home: Worker | Client) -> bool:
    """Whether its event loop answers. In a forked child, a worker or client of the parent does not,
    and would be waited for for ever."""
    if not state().forked:
        return True

    def answers() -> bool:
        answered = threading.Event()
        if home.loop is not None:
            home.loop.add_callback(answered.set)
        return answered.wait(PATIENCE)

    runs: bool = state().limits.get(("runs", home.id), answers)
    return runs
