"""Requests in dask's fine performance metrics: seconds, bytes and requests of each task.

Owns what is told to the dashboard. Must not load dask: where there is a worker, it is loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from dvid_array.client.hooks import Exchange

LABEL = "dvid"


def observe(exchanges: Sequence[Exchange]) -> None:
    """Add up the exchanges of a call for the task that makes it; nothing where there is none.

    Seconds are those in which at least one request was under way, so that they add up with the
    task's others: dask shows them apart from its own computing and waiting.
    """
    meter = getattr(sys.modules.get("distributed.metrics"), "context_meter", None)
    if meter is None:  # not loaded, or another thread is about to
        return
    digest = meter.digest_metric
    digest(LABEL, busy([(one.began, one.ended) for one in exchanges]), "seconds")
    digest(LABEL, sum(one.sent + one.received for one in exchanges), "bytes")
    digest(LABEL, len(exchanges), "requests")


def busy(spans: Sequence[tuple[float, float]]) -> float:
    """How long at least one of some spans of time lasted."""
    total, reached = 0.0, float("-inf")
    for began, ended in sorted(spans):
        total += max(0.0, ended - max(began, reached))
        reached = max(reached, ended)
    return total
