"""Who counts leases where there is no cluster; `test_cluster` has the rest."""

from __future__ import annotations

import asyncio
import threading

import pytest

from dvid_array.adapters.dask.leases import leases


@pytest.mark.usefixtures("_fresh_process_state")
def test_a_process_counts_by_itself() -> None:
    """One count for a server and a number, whoever asks."""
    limit = leases("http://a", 2)
    assert isinstance(limit, threading.BoundedSemaphore)
    assert leases("http://a", 2) is limit
    assert leases("http://a", 3) is not limit
    assert leases("http://b", 2) is not limit
    assert [limit.acquire(timeout=0.01) for _ in range(3)] == [True, True, False]


def test_an_event_loop_does_not_wait_for_itself() -> None:
    async def inside() -> object:
        return leases("http://a", 2)

    assert isinstance(asyncio.run(inside()), threading.BoundedSemaphore)
