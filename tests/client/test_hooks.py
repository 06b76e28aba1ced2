"""Observers are told of every request in the calling thread; limiters hold requests back."""

from __future__ import annotations

import logging
import pickle
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

import dvid_array
from dvid_array.client import flights, hooks
from dvid_array.client.hooks import Exchange
from dvid_array.settings import Settings
from dvid_array.testing import Fault, FaultyProxy
from tests.client import watchers
from tests.client.conftest import through
from tests.conftest import Sent

Filled = Callable[..., tuple[dvid_array.DvidArray, np.ndarray]]
WATCH = "tests.client.watchers.watch"
FAIL = "tests.client.watchers.fail"
LIMIT = "tests.client.watchers.limit"


@pytest.fixture(autouse=True)
def _nobody_told() -> Iterator[None]:
    watchers.told.clear()
    yield
    watchers.told.clear()


def most_at_once(exchanges: Sequence[Exchange]) -> int:
    """How many exchanges were under way at the same time."""
    ends = [(one.began, 1) for one in exchanges] + [(one.ended, -1) for one in exchanges]
    level = most = 0
    for _, step in sorted(ends):
        level += step
        most = max(most, level)
    return most


def test_a_read_is_told_of_once_in_the_calling_thread(filled: Filled, sent: list[Sent]) -> None:
    array, truth = filled("uint8", (1, 256, 256, 128))
    view = array.with_settings(observers=(WATCH,), transport="raw")
    sent.clear()
    np.testing.assert_array_equal(view[...], truth)
    ((thread, exchanges),) = watchers.told
    assert thread is threading.current_thread()
    assert len(exchanges) == len(sent) > 1
    assert {one.method for one in exchanges} == {"GET"}
    assert sum(one.received for one in exchanges) == truth.nbytes
    assert all(one.ended > one.began and not one.failed for one in exchanges)
    assert all("/raw/" in one.url for one in exchanges)


def test_writes_and_documents_are_told_of(filled: Filled) -> None:
    array, truth = filled()
    view = array.with_settings(observers=(WATCH,))
    view[...] = truth
    assert sum(one.sent for _, exchanges in watchers.told for one in exchanges) == truth.nbytes
    watchers.told.clear()
    view.refresh()
    told = [one for _, exchanges in watchers.told for one in exchanges]
    assert len(told) == 2
    assert all(one.received and one.method == "GET" for one in told)


def test_failed_attempts_are_told_of(filled: Filled, path: FaultyProxy) -> None:
    array, truth = filled()
    view = through(path, array, observers=(WATCH,))
    watchers.told.clear()
    path.add(Fault.status(503), times=2)
    np.testing.assert_array_equal(view[:, :32, :32, :32], truth[:, :32, :32, :32])
    told = [one for _, exchanges in watchers.told for one in exchanges]
    assert [one.failed for one in told] == [True, True, False]


def test_credentials_are_not_told(filled: Filled) -> None:
    array, _ = filled()
    server = dvid_array.connect(
        array.node.server.url, admin_token="hush", settings=Settings(observers=(WATCH,))
    )
    with pytest.raises(dvid_array.DvidError):
        server.create_repo("other")
    assert watchers.told
    assert "hush" not in repr(watchers.told)


def test_an_observer_that_fails_does_no_harm(
    filled: Filled, caplog: pytest.LogCaptureFixture
) -> None:
    array, truth = filled()
    view = array.with_settings(observers=(FAIL, WATCH))
    with caplog.at_level(logging.ERROR):
        np.testing.assert_array_equal(view[...], truth)
    assert "the observer tests.client.watchers.fail failed" in caplog.text
    assert watchers.told


def test_leases_bound_what_is_in_flight(filled: Filled, path: FaultyProxy) -> None:
    """Also of several calls in several threads; the number is the process's."""
    array, _ = filled("uint8", (1, 256, 256, 128))
    path.add(Fault.latency(0.02), times=-1)
    for leases, at_most in ((0, 12), (2, 2)):
        watchers.told.clear()
        view = through(path, array, observers=(WATCH,), leases=leases, threads=4)
        callers = [threading.Thread(target=lambda v=view: v[...]) for _ in range(3)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        told = [one for _, exchanges in watchers.told for one in exchanges]
        assert len(told) >= 12
        assert (3 if leases == 0 else 2) <= most_at_once(told) <= at_most


def test_another_limiter(filled: Filled) -> None:
    array, truth = filled("uint8", (1, 256, 256, 128))
    view = array.with_settings(observers=(WATCH,), leases=7, limiter=LIMIT)
    before = next(watchers.asked)
    np.testing.assert_array_equal(view[...], truth)
    ((_, exchanges),) = watchers.told
    assert next(watchers.asked) - before - 1 == len(exchanges)
    assert most_at_once(exchanges) == 1


def test_waiting_for_a_lease_ends_with_its_crew() -> None:
    settings = Settings(leases=1, limiter=LIMIT)
    entered = threading.Event()

    def work(job: str) -> None:
        if job == "fails":
            entered.wait(10)
            raise RuntimeError("another job failed")
        entered.set()
        with hooks.admitted("http://nowhere", settings):
            pytest.fail("nobody gave it a lease")

    with watchers.one_at_a_time:
        start = time.monotonic()
        with pytest.raises(RuntimeError, match="another job"):
            flights.Crew(2, cut=True).each(["waits", "fails"], work)
        assert time.monotonic() - start < 10


def test_a_limiters_fault_is_not_the_servers(filled: Filled, sent: list[Sent]) -> None:
    """It is raised as it is, at once: nothing was wrong with DVID."""
    array, _ = filled()
    view = array.with_settings(leases=1, limiter="tests.client.watchers.lost")
    sent.clear()
    with pytest.raises(ConnectionResetError, match="the scheduler is gone") as raised:
        view[:, :1, :1, :1]
    assert not isinstance(raised.value, dvid_array.DvidError)
    assert not sent


def test_names_that_cannot_be_imported(filled: Filled) -> None:
    array, _ = filled()
    view = array.with_settings(leases=1, limiter="tests.client.watchers.nothing")
    with pytest.raises(ImportError, match=r"'tests\.client\.watchers\.nothing'"):
        view[:, :1, :1, :1]


@pytest.mark.parametrize(
    "wrong", [{"limiter": "nowhere"}, {"limiter": "a b.c"}, {"observers": ("",)}, {"leases": -1}]
)
def test_wrong_settings(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="Settings"):
        Settings(**wrong)  # type: ignore[arg-type]


def test_hooks_travel_as_names(filled: Filled) -> None:
    array, truth = filled()
    view = pickle.loads(pickle.dumps(array.with_settings(observers=(WATCH,), leases=3)))
    assert (view.settings.observers, view.settings.leases) == ((WATCH,), 3)
    np.testing.assert_array_equal(view[...], truth)
    assert watchers.told
