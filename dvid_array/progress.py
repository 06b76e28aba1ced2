"""Telling how far a read or a store has come, to whatever `progress=` names.

Owns the forms that `progress=` takes. Must not know what is moved, and shows nothing unasked.

========================  =====================================================================
``None``, ``False``       nothing is told
``True``                  a bar of `tqdm.auto`
a class or factory        called, with ``total=`` if it takes that; what it makes has ``update(n)``
                          and ``close()``, as tqdm's bars, or is a ``Progress`` as rich's
a bar of tqdm             is updated, and left open
a rich ``Progress``       gets a task of its own
another callable          called with ``(done_bytes, total_bytes)``, by one thread at a time
========================  =====================================================================
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from dvid_array.doors import needing

Tell = Callable[[int], None]
"""Takes the bytes that have just been moved."""
_Show = Callable[[int, int], None]
"""Takes a step, and the bytes done with it."""


@contextmanager
def told(wish: Any, total: int, what: str) -> Iterator[Tell]:
    """What to call, from any thread, with each number of bytes moved.

    An exception of the one who is told goes to the thread that moved them: it ends the work as any
    fault does. At the end of work that succeeds, all is told.

    Parameters
    ----------
    wish : object
        What the user gave as `progress=`.
    total : int
        Bytes of the whole work.
    what : str
        A word for the work, beside the bar.
    """
    if wish is None or wish is False:
        yield lambda step: None
        return
    with _shown(wish, total, what) as show:
        tally = _Tally(total, show)
        yield tally.add
        tally.add(total)


class _Tally:
    """Counts what many threads have moved."""

    def __init__(self, total: int, show: _Show) -> None:
        self._total = total
        self._show = show
        self._done = 0
        self._lock = threading.Lock()

    def add(self, step: int) -> None:
        """Count a step; never beyond the total."""
        with self._lock:
            step = min(step, self._total - self._done)
            if step > 0:
                self._done += step
                self._show(step, self._done)


def _shown(wish: Any, total: int, what: str) -> AbstractContextManager[_Show]:
    if wish is True:
        with needing("progress"):
            from tqdm.auto import tqdm

        return _bar(tqdm, total, what)
    if callable(wish):
        return _bar(wish, total, what) if _makes_bars(wish) else _function(wish, total)
    if _is_display(wish):
        return _task(wish, total, what)
    if _is_bar(wish):
        return nullcontext(lambda step, done: wish.update(step))
    raise _nonsense(wish)


def _nonsense(wish: Any) -> TypeError:
    return TypeError(
        f"progress={wish!r}: give True, a class of bars such as tqdm, a bar, a rich Progress, or a "
        "function of (done_bytes, total_bytes)"
    )


def _is_bar(thing: Any) -> bool:
    return hasattr(thing, "update") and hasattr(thing, "close")


def _is_display(thing: Any) -> bool:
    return hasattr(thing, "add_task") and hasattr(thing, "advance")


def _makes_bars(wish: Callable[..., Any]) -> bool:
    """Whether it is a factory: a class, or a function that does not take two numbers."""
    inner = wish.func if isinstance(wish, functools.partial) else wish
    if inspect.isclass(inner):
        return True
    try:
        inspect.signature(wish).bind(0, 0)
    except TypeError:
        return True
    except ValueError:  # a function of C without a signature
        return False
    return False


@contextmanager
def _function(wish: Callable[[int, int], Any], total: int) -> Iterator[_Show]:
    yield lambda step, done: wish(done, total)


@contextmanager
def _bar(make: Callable[..., Any], total: int, what: str) -> Iterator[_Show]:
    """A bar as tqdm makes them, or a display as rich does, with a line in it."""
    words = {"total": total, "desc": what, "unit": "B", "unit_scale": True}
    made = make(**_words(make, words))
    if _is_display(made):
        with made as display, _task(display, total, what) as show:
            yield show
        return
    if not _is_bar(made):
        raise _nonsense(make)
    try:
        yield lambda step, done: made.update(step)
    finally:
        made.close()


def _words(make: Callable[..., Any], words: dict[str, Any]) -> dict[str, Any]:
    """Those that a maker of bars knows, and has not set itself."""
    known = inspect.signature(make).parameters
    takes_all = any(one.kind is one.VAR_KEYWORD for one in known.values())
    taken = make.keywords if isinstance(make, functools.partial) else {}
    return {k: v for k, v in words.items() if (takes_all or k in known) and k not in taken}


@contextmanager
def _task(display: Any, total: int, what: str) -> Iterator[_Show]:
    """A line in a display of rich's."""
    task = display.add_task(what, total=total)
    yield lambda step, done: display.advance(task, step)
