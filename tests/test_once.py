"""Values that are computed once for an object, without a lock that all objects share."""

from __future__ import annotations

import threading

from dvid_array.once import once


class Slow:
    """Computes when it is let."""

    def __init__(self) -> None:
        self.begun, self.go, self.computed = threading.Event(), threading.Event(), 0

    @once
    def value(self) -> object:
        """Something of its own."""
        self.begun.set()
        assert self.go.wait(10)
        self.computed += 1
        return object()


def test_a_value_is_kept() -> None:
    slow, other = Slow(), Slow()
    slow.go.set()
    other.go.set()
    assert slow.value is slow.value
    assert slow.computed == 1
    assert slow.value is not other.value
    assert isinstance(Slow.value, once)
    assert Slow.value.__doc__ == "Something of its own."


def test_no_object_waits_for_another() -> None:
    """As a forked child would for ever, where a thread of its parent computes."""
    slow, other = Slow(), Slow()
    computing = threading.Thread(target=lambda: slow.value)
    computing.start()
    assert slow.begun.wait(10)
    waiting = threading.Thread(target=lambda: other.value)
    waiting.start()
    met = other.begun.wait(2)
    slow.go.set()
    other.go.set()
    computing.join()
    waiting.join()
    assert met
