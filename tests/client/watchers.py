"""Observers and limiters that tests name by dotted path."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import count

from dvid_array.client.hooks import Exchange

told: list[tuple[threading.Thread, list[Exchange]]] = []
"""Who was told, and of what."""
one_at_a_time = threading.BoundedSemaphore(1)
asked = count()


def watch(exchanges: Sequence[Exchange]) -> None:
    """Remember."""
    told.append((threading.current_thread(), list(exchanges)))


def fail(exchanges: Sequence[Exchange]) -> None:
    """Raise, as an observer should not."""
    raise RuntimeError("the observer is broken")


def limit(origin: str, number: int) -> threading.BoundedSemaphore:
    """One request, whatever the number."""
    next(asked)
    return one_at_a_time


def lost(origin: str, number: int) -> threading.BoundedSemaphore:
    """As where the one who counts cannot be reached."""
    raise ConnectionResetError("the scheduler is gone")
