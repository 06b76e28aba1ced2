"""A real cluster on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from distributed import Client, LocalCluster


@contextmanager
def two_workers(**options: Any) -> Iterator[Client]:
    """A client of two workers with two threads each, in processes of their own; `options` are the
    client's."""
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=2, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster, **options) as client,
    ):
        yield client
