"""Ctrl-C at a chosen moment."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

AGAIN = 10.0
"""Seconds until Ctrl-C is pressed again. Python swallows what is raised in a callback of its
garbage collector, and hypothesis and distributed have some: so may a single Ctrl-C get lost."""


@contextmanager
def interrupted(when: Callable[[], bool], within: float = 2.0) -> Iterator[list[str]]:
    """Ctrl-C once `when()` holds, which must end the block within some seconds; gives the notes of
    the KeyboardInterrupt."""
    pressed: list[float] = []
    notes: list[str] = []
    over = threading.Event()

    def press() -> None:
        while not when() and not over.wait(0.01):
            pass
        pause = 0.1
        while not over.wait(pause):
            pressed.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)
            pause = AGAIN

    finger = threading.Thread(target=press)
    finger.start()
    try:
        with pytest.raises(KeyboardInterrupt) as stop:
            yield notes
        ended = time.monotonic()
        notes += getattr(stop.value, "__notes__", [])
    finally:
        over.set()
        finger.join()
    assert ended - pressed[-1] < within
