"""Threads at work: bounded, ended by the first error, cut where they wait."""

from __future__ import annotations

import threading
import time

import pytest

from dvid_array.client import flights
from dvid_array.client.flights import Cancelled, Crew
from tests.interrupts import interrupted


@pytest.mark.parametrize(("threads", "jobs"), [(1, 5), (4, 1), (4, 0), (3, 50), (8, 3)])
def test_every_job_is_done_once(threads: int, jobs: int) -> None:
    done: list[int] = []
    Crew[int](threads, cut=True).each(range(jobs), done.append)
    assert sorted(done) == list(range(jobs))


def test_no_more_threads_than_asked_for() -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def work(_: int) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.01)
        with lock:
            now[0] -= 1

    Crew[int](3, cut=True).each(range(20), work)
    assert most == [3]


def test_a_single_job_runs_in_the_callers_thread() -> None:
    seen: list[threading.Thread] = []
    for threads, jobs in ((1, 4), (4, 1)):
        Crew[int](threads, cut=True).each(
            range(jobs), lambda _: seen.append(threading.current_thread())
        )
    assert set(seen) == {threading.current_thread()}


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("cut", [True, False])
def test_the_first_error_stops_the_rest(threads: int, *, cut: bool) -> None:
    begun: list[int] = []

    def work(job: int) -> None:
        begun.append(job)
        if job == 2:
            raise ZeroDivisionError(job)
        time.sleep(0.05)

    with pytest.raises(ZeroDivisionError, match="2"):
        Crew[int](threads, cut=cut).each(range(1000), work)
    assert len(begun) <= 3 + threads


def test_the_first_error_and_no_later_one_is_raised() -> None:
    both = threading.Barrier(2)

    def work(job: int) -> None:
        both.wait()
        if job:
            time.sleep(0.1)
        raise ValueError(job)

    with pytest.raises(ValueError, match="0"):
        Crew[int](2, cut=True).each(range(2), work)


@pytest.mark.parametrize("cut", [True, False])
def test_the_first_error_cuts_connections_or_lets_them_end(*, cut: bool) -> None:
    woken, waiting = threading.Event(), threading.Event()
    outcome: list[bool] = []

    def work(job: int) -> None:
        crew = flights.current()
        assert crew is not None
        if job == 0:
            crew.watch(woken.set)
            waiting.set()
            outcome.append(woken.wait(0.4))
        else:
            waiting.wait()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Crew[int](2, cut=cut).each(range(2), work)
    assert outcome == [cut]


def test_a_connection_given_back_is_not_cut() -> None:
    cuts: list[str] = []
    given_back = threading.Event()

    def work(job: int) -> None:
        crew = flights.current()
        assert crew is not None
        if job == 0:
            crew.watch(lambda: cuts.append("cut"))
            crew.forget()
            given_back.set()
            crew.pause(5)
        else:
            given_back.wait()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Crew[int](2, cut=True).each(range(2), work)
    assert not cuts


def test_after_an_abort_nothing_is_sent() -> None:
    crew = Crew[int](2, cut=True)
    crew.abort()
    with pytest.raises(Cancelled):
        crew.watch(lambda: None)


def test_pauses_end_with_the_crew() -> None:
    waiting = threading.Event()
    outcome: list[bool] = []

    def work(job: int) -> None:
        if job == 0:
            waiting.set()
            outcome.append(flights.pause(30))
        else:
            waiting.wait()
            raise ZeroDivisionError

    start = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        Crew[int](2, cut=False).each(range(2), work)
    assert outcome == [False]
    assert time.monotonic() - start < 15
    assert flights.pause(0)


def test_an_interrupt_leaves_stubborn_workers_behind() -> None:
    """They are daemons; who called gets away in about a second."""
    release = threading.Event()

    with interrupted(lambda: True, within=5):
        Crew[int](2, cut=True).each(range(2), lambda _: _wait(release))
    release.set()


def _wait(release: threading.Event) -> None:
    release.wait(10)
