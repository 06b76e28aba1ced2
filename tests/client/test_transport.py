"""Sending, one rule at a time: what is asked again and how long, what a body may be.

What every fault does to every kind of call is in `test_faults`.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

import dvid_array
from dvid_array import errors
from dvid_array.client import registry
from dvid_array.client.transport import Call, Transport
from dvid_array.settings import Settings
from dvid_array.testing import Fault, FaultyProxy
from tests.client.conftest import QUICK
from tests.conftest import Dvid

TEXT = "Panic detected on request: the store is gone, and with it what you wanted to read\n"

# Retries, one rule at a time.


def transport(path: FaultyProxy, **changes: Any) -> Transport:
    return Transport(path.url, replace(QUICK, **changes))


GET = Call("GET", "/api/server/info")
REPEATABLE = Call("POST", "/api/somewhere", body=b"x")
ONCE = replace(REPEATABLE, repeatable=False)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
@pytest.mark.parametrize("call", [GET, REPEATABLE, ONCE], ids=["get", "repeatable", "once"])
def test_refusals_are_final(path: FaultyProxy, call: Call, status: int) -> None:
    path.add(Fault.status(status, "no"), times=-1)
    with pytest.raises(errors.DvidError) as caught:
        transport(path).document(call)
    assert len(path.requests) == 1
    assert caught.value.status == status
    assert caught.value.sentence == "no"
    assert (caught.value.method, caught.value.url) == (call.method, path.url + call.path)


LOST = {
    "lost": Fault.lost(forward=False),
    "cut": Fault.cut(3, clean=False),
    "short": Fault(keep=0, tail=b"ab", end="close"),
    "502": Fault.status(502),
    "504": Fault.status(504),
}


@pytest.mark.parametrize("name", LOST)
@pytest.mark.parametrize("call", [GET, REPEATABLE], ids=["get", "repeatable"])
def test_lost_answers_are_asked_for_again(path: FaultyProxy, call: Call, name: str) -> None:
    path.add(LOST[name], times=2)
    path.add(Fault(keep=0, tail=b"done", code=200, forward=False))
    assert transport(path).document(call) == b"done"
    assert len(path.requests) == 3


@pytest.mark.parametrize("name", LOST)
def test_a_post_that_may_not_be_repeated_is_not(path: FaultyProxy, name: str) -> None:
    path.add(LOST[name], times=-1)
    with pytest.raises((errors.DvidConnectionError, errors.DvidServerError)) as caught:
        transport(path).document(ONCE)
    assert len(path.requests) == 1
    assert caught.value.uncertain


@pytest.mark.parametrize("call", [GET, REPEATABLE, ONCE], ids=["get", "repeatable", "once"])
def test_silence_is_not_repeated(path: FaultyProxy, call: Call) -> None:
    path.add(Fault.stall(), times=-1)
    with pytest.raises(errors.DvidTimeoutError, match=r"no byte came for 0\.\d s") as caught:
        transport(path, read_timeout=0.2, post_timeout=0.3).document(call)
    assert len(path.requests) == 1
    assert caught.value.uncertain
    told = {"GET": r"0\.2 s \(Settings\.read_timeout\)$", "POST": r"0\.3 .*\); what .* be done$"}
    assert re.search(told[call.method], str(caught.value))


def test_reads_and_posts_have_their_own_patience(path: FaultyProxy) -> None:
    path.add(Fault(delay=0.5, forward=False, tail=b"x"), times=-1)
    with pytest.raises(errors.DvidTimeoutError):
        transport(path, read_timeout=0.2, post_timeout=2.0).document(GET)
    assert transport(path, read_timeout=0.2, post_timeout=2.0).document(ONCE) == b"x"


def test_timeouts_count_from_the_last_byte(path: FaultyProxy) -> None:
    """A slow line is no silent one."""
    path.add(Fault(keep=0, tail=bytes(400_000), rate=500_000))
    start = time.monotonic()
    assert len(transport(path, read_timeout=0.3).document(GET)) == 400_000
    assert time.monotonic() - start > 0.5


@pytest.mark.parametrize("call", [GET, REPEATABLE, ONCE], ids=["get", "repeatable", "once"])
def test_a_busy_server_is_waited_for(
    path: FaultyProxy, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    busy = "Server already running 1 throttled operations (max = 1)\n\n"
    path.add(Fault.status(503, busy), times=-1)
    start = time.monotonic()
    with (
        caplog.at_level(logging.WARNING, "dvid_array"),
        pytest.raises(errors.DvidBusyError) as caught,
    ):
        transport(path, retry_deadline=0.8, warning_interval=0.05).document(call)
    took = time.monotonic() - start
    error = caught.value
    assert error.attempts == len(path.requests) > 3
    assert 0 < error.seconds <= 0.8
    assert took < 8
    assert error.status == 503
    assert "Server already running 1" in error.sentence
    assert f"gave up after {error.attempts} attempts" in str(error)
    assert not error.uncertain
    waiting = [record for record in caplog.records if "still waiting" in record.getMessage()]
    assert 1 <= len(waiting) <= 8


def test_a_busy_server_that_recovers(path: FaultyProxy) -> None:
    path.add(Fault.status(503), times=3)
    assert b"DVID Version" in transport(path).document(GET)
    assert len(path.requests) == 4


def test_pauses_grow(path: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        return True

    monkeypatch.setattr("dvid_array.client.flights.pause", pause)
    path.add(Fault.status(503), times=6)
    transport(path, retry_interval=0.1, retry_deadline=60.0).document(GET)
    for number, seconds in enumerate(pauses):
        assert 0.05 * 2**number <= seconds <= 0.1 * 2**number
    assert len(set(pauses)) == 6


def test_the_deadline_counts_from_the_first_failure(path: FaultyProxy) -> None:
    """An answer that takes longer than the deadline is waited for, also when it is the second."""
    path.add(Fault.latency(0.6))
    assert transport(path, retry_deadline=0.2).document(GET)
    path.add(Fault.status(503))
    path.add(Fault.latency(0.6))
    assert transport(path, retry_deadline=0.2).document(GET)
    path.add(Fault(delay=0.5, forward=False, code=503))
    assert transport(path, retry_deadline=0.2).document(GET)


def test_without_a_deadline_nothing_is_repeated(path: FaultyProxy) -> None:
    path.add(Fault.status(503))
    with pytest.raises(errors.DvidBusyError) as caught:
        transport(path, retry_deadline=0.0).document(GET)
    assert caught.value.attempts == len(path.requests) == 1


@pytest.mark.usefixtures("_fresh_process_state")
@pytest.mark.parametrize("call", [GET, ONCE], ids=["get", "once"])
def test_a_refused_port_fails_at_once(path: FaultyProxy, call: Call) -> None:
    path.close()
    start = time.monotonic()
    with pytest.raises(errors.DvidConnectionError) as caught:
        transport(path, retry_deadline=30.0).document(call)
    assert time.monotonic() - start < 10
    assert not caught.value.uncertain


@pytest.mark.usefixtures("_fresh_process_state")
@pytest.mark.parametrize("call", [GET, ONCE], ids=["get", "once"])
def test_a_port_that_answered_before_is_tried_again(path: FaultyProxy, call: Call) -> None:
    """Nothing was sent, so that holds for posts that may not be repeated too."""
    far = transport(path, retry_deadline=5.0)
    far.document(GET)
    with path.refusing():
        done: list[bytes] = []
        worker = threading.Thread(target=lambda: done.append(far.document(call)))
        worker.start()
        time.sleep(0.3)
        path.add(Fault(keep=0, tail=b"here", code=200, forward=False))
    worker.join(5)
    assert done == [b"here"]


@pytest.mark.usefixtures("_fresh_process_state")
def test_an_unknown_host_fails_at_once() -> None:
    start = time.monotonic()
    with pytest.raises(errors.DvidConnectionError):
        Transport("http://no-such-host.invalid:8000", QUICK).document(GET)
    assert time.monotonic() - start < 10


# Bodies.


def test_a_body_that_is_short_or_long_is_never_taken(path: FaultyProxy) -> None:
    far = transport(path, retry_deadline=0.1)
    buffer = bytearray(100)
    path.add(Fault(keep=0, tail=bytes(99), forward=False), times=-1)
    with pytest.raises(errors.DvidProtocolError, match="cut: the answer ended after 99 bytes"):
        far.send(GET, lambda body: body.read_into(memoryview(buffer)))
    path.clear()
    path.add(Fault(keep=0, tail=bytes(101), forward=False), times=-1)
    with pytest.raises(errors.DvidProtocolError, match="1 bytes follow"):
        far.send(GET, lambda body: body.read_into(memoryview(buffer)))
    path.clear()
    path.add(Fault(keep=0, tail=b"\x07" * 100, forward=False))
    far.send(GET, lambda body: body.read_into(memoryview(buffer)))
    assert buffer == b"\x07" * 100


def test_a_tail_is_told_as_the_server_wrote_it(path: FaultyProxy) -> None:
    path.add(Fault(keep=0, tail=bytes(10) + TEXT.encode(), forward=False))
    with pytest.raises(errors.DvidProtocolError, match="the store is gone") as caught:
        transport(path).send(GET, lambda body: body.take(10))
    assert caught.value.sentence == TEXT.strip()


def test_what_is_done_has_an_empty_answer(path: FaultyProxy) -> None:
    path.add(Fault.page())
    with pytest.raises(errors.DvidProtocolError, match="log in") as caught:
        transport(path).done(REPEATABLE)
    assert caught.value.uncertain


def test_only_the_beginning_is_read(path: FaultyProxy) -> None:
    path.add(Fault(keep=0, tail=bytes(50_000_000), forward=False))
    assert transport(path).beginning(GET, 16) == bytes(16)
    assert b"DVID" in transport(path).document(GET)


def test_errors_of_the_receiver_pass_as_they_are(path: FaultyProxy) -> None:
    def receive(body: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        transport(path).send(GET, receive)
    assert len(path.requests) == 1


# Long bodies outwards.


def test_a_server_may_take_longer_to_read_a_body_than_to_connect(path: FaultyProxy) -> None:
    path.add(Fault(hold=0.8, forward=False, keep=0))
    far = transport(path, connect_timeout=0.3, post_timeout=5.0)
    far.done(Call("POST", "/api/somewhere", body=memoryview(bytes(32 << 20))))
    assert len(path.requests) == 1


def test_a_body_that_nobody_reads_is_given_up(path: FaultyProxy) -> None:
    path.add(Fault(hold=30.0, forward=False, keep=0), times=-1)
    far = transport(path, post_timeout=0.5)
    start = time.monotonic()
    with pytest.raises(errors.DvidTimeoutError) as caught:
        far.done(Call("POST", "/api/somewhere", body=memoryview(bytes(32 << 20))))
    assert time.monotonic() - start < 10
    assert caught.value.uncertain
    assert len(path.requests) == 1


def test_a_post_is_not_followed_elsewhere(path: FaultyProxy) -> None:
    path.add(Fault.status(307))
    with pytest.raises(errors.DvidRequestError):
        transport(path).document(REPEATABLE)
    assert len(path.requests) == 1


def test_a_transport_is_named_and_pickled_without_secrets(dvid: Dvid) -> None:
    far = Transport(dvid.url, Settings())
    assert dvid.url in repr(far)
    far.grant_admin("planted")
    assert registry.state().origins.get(dvid.url, registry.Origin).credentials.admin_token
    dvid_array.connect(dvid.url, admin_token=dvid.admin_token)
