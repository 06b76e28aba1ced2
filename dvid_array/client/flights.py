"""Several calls in flight: bounded threads, the first error stops the rest, Ctrl-C ends them all.

Owns threads. Must not know what a call is.

A worker thread carries its crew as an attribute, where whoever opens a connection in that thread
finds it (`current()`) and leaves the means to cut it: so a stalled server cannot hold a
cancelled read.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

J = TypeVar("J")

FAREWELL = 1.0
"""Seconds that cancelled workers get to notice; they are daemons and hold nothing up."""


class Cancelled(Exception):
    """The crew was aborted before a request was sent; never leaves the crew."""


class Crew(Generic[J]):
    """A few threads that work through jobs.

    Parameters
    ----------
    threads : int
        How many jobs run at once; with one, or with a single job, the caller's thread works.
    cut : bool
        Whether the first error cuts the connections of the other jobs, or lets them end.
    """

    def __init__(self, threads: int, *, cut: bool) -> None:
        self._threads = threads
        self._cut = cut
        self._stopped = threading.Event()
        self._aborted = False
        self._cutters: dict[int, Callable[[], None]] = {}
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._notes: dict[Hashable, list[Any]] = {}

    def each(self, jobs: Iterable[J], work: Callable[[J], None]) -> None:
        """Do `work` for every job; raises the first error."""
        listed = list(jobs)
        count = min(self._threads, len(listed))
        if count <= 1:
            for job in listed:
                work(job)
            return
        queue = iter(listed)
        workers = [_Worker(self, queue, work) for _ in range(count)]
        try:
            self._run(workers)
        finally:
            self.deliver()
        if self._error is not None:
            raise self._error

    def _run(self, workers: Sequence[_Worker]) -> None:
        try:
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.ended.wait()
        except BaseException:
            self.abort()
            deadline = time.monotonic() + FAREWELL
            for worker in workers:
                if worker.ident is not None:
                    worker.ended.wait(max(0.0, deadline - time.monotonic()))
            raise

    def note(self, deliver: Callable[[list[Any]], None], notes: Sequence[Any]) -> None:
        """Keep notes of a worker for the caller."""
        with self._lock:
            self._notes.setdefault(deliver, []).extend(notes)

    def deliver(self) -> None:
        """Deliver what was kept, in this thread."""
        with self._lock:
            kept, self._notes = self._notes, {}
        for deliver, notes in kept.items():
            tell(deliver, notes)  # type: ignore[arg-type]

    @property
    def aborted(self) -> bool:
        """Whether connections have been cut, and nothing may be sent any more."""
        return self._aborted

    def next(self, queue: Iterator[J]) -> J | None:
        """The next job; None when there is none or the crew has stopped."""
        with self._lock:
            return None if self._stopped.is_set() else next(queue, None)

    def failed(self, error: BaseException) -> None:
        """Keep the first error and stop."""
        with self._lock:
            first = self._error is None and not self._stopped.is_set()
            if first:
                self._error = error
                self._stopped.set()
        if first and self._cut:
            self.abort()

    def watch(self, cut: Callable[[], None]) -> None:
        """Remember how to cut the connection on which this thread is about to send.

        Raises
        ------
        Cancelled
            Where nothing may be sent any more.
        """
        with self._lock:
            if self._aborted:
                raise Cancelled
            self._cutters[threading.get_ident()] = cut

    def forget(self) -> None:
        """This thread's connection goes back to the pool, where it may be another's."""
        with self._lock:
            self._cutters.pop(threading.get_ident(), None)

    def pause(self, seconds: float) -> bool:
        """Wait; False, and at once, where the crew has stopped."""
        return not self._stopped.wait(seconds)

    def abort(self) -> None:
        """Stop, and cut every connection."""
        with self._lock:
            self._stopped.set()
            self._aborted = True
            cutters = list(self._cutters.values())
        for cut in cutters:
            cut()


class _Worker(threading.Thread):
    """A thread that works in the context of whoever called the crew, as if it were theirs."""

    def __init__(self, crew: Crew[Any], queue: Iterator[Any], work: Callable[[Any], None]) -> None:
        super().__init__(daemon=True, name="dvid_array")
        self.crew = crew
        self._queue = queue
        self._work = work
        self._context = contextvars.copy_context()
        self.ended = threading.Event()
        """Waited for instead of `join`, which in Python 3.11 takes a thread for dead when the wait
        for it is interrupted."""

    def run(self) -> None:
        try:
            self._context.run(self._through)
        finally:
            self.ended.set()

    def _through(self) -> None:
        while (job := self.crew.next(self._queue)) is not None:
            try:
                self._work(job)
            except BaseException as error:
                self.crew.failed(error)


def current() -> Crew[object] | None:
    """The crew whose worker this thread is."""
    return getattr(threading.current_thread(), "crew", None)


def tell(deliver: Callable[[list[Any]], None], notes: Sequence[Any]) -> None:
    """Deliver notes in the thread that waits for this one: when its crew has ended, or now, where
    it is nobody's worker. `deliver` names itself: notes for equal ones come together."""
    if crew := current():
        crew.note(deliver, notes)
    else:
        deliver(list(notes))


def pause(seconds: float) -> bool:
    """Wait; False, and at once, for a worker of a crew that has stopped."""
    if crew := current():
        return crew.pause(seconds)
    time.sleep(seconds)
    return True
