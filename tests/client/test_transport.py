"""Sending: what every fault of the path does to every kind of call, and how long it is borne."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import dvid_array
from dvid_array import DvidArray, errors
from dvid_array.box import Box
from dvid_array.client import registry
from dvid_array.client.transport import Call, Transport
from dvid_array.settings import Settings
from dvid_array.testing import Fault, FaultyProxy
from dvid_array.testing.faults import Request
from tests.client.conftest import QUICK, through, voxels_of
from tests.conftest import Dvid

# The table: every fault of the path x every kind of call.


@dataclass(frozen=True)
class Kind:
    """A kind of call: what is done, and to which of its requests the fault happens."""

    name: str
    endpoint: str
    method: str = "GET"
    answer: str = "frames"
    dtype: str = "uint8"
    settings: tuple[tuple[str, object], ...] = ()
    writes: tuple[slice, ...] | None = None

    def hit(self, request: Request) -> bool:
        """Whether a request is the one that the fault is for."""
        words = request.path.split("/")
        return request.method == self.method and self.endpoint in words


WHOLE = (slice(None), slice(0, 64), slice(32, 64), slice(0, 64))
BORDER = (slice(None), slice(5, 61), slice(30, 50), slice(1, 63))
KINDS = [
    Kind("info", "info", answer="document"),
    Kind("block read", "subvolblocks"),
    Kind("raw read", "raw", answer="raw", settings=(("transport", "raw"),)),
    Kind("label read", "blocks", dtype="uint64"),
    Kind("aligned write", "raw", "POST", answer="nothing", writes=WHOLE),
    Kind("border write", "raw", "POST", answer="nothing", writes=BORDER),
    Kind("border write's read", "subvolblocks", writes=BORDER),
    Kind("label write", "raw", "POST", answer="nothing", dtype="uint64", writes=WHOLE),
    Kind("merges asked", "mappings", answer="begin", dtype="uint64", writes=WHOLE),
]

TEXT = "Panic detected on request: the store is gone, and with it what you wanted to read\n"
RIGHT = "right"
PROTOCOL = errors.DvidProtocolError
TIMEOUT = errors.DvidTimeoutError
FAULTS: dict[str, tuple[Fault, int, dict[str, object]]] = {
    "latency": (Fault.latency(0.2), 2, {}),
    "lost before it was sent": (Fault.lost(forward=False), 2, {}),
    "answer lost": (Fault.lost(forward=True), 2, {}),
    "reset behind the headers": (Fault.broken(), 2, {}),
    "reset in the body": (Fault.broken(40), 2, {}),
    "stall": (Fault.stall(), 1, {"": TIMEOUT}),
    "stall, unsent": (Fault.stall(forward=False), 1, {"": TIMEOUT}),
    "stall in the body": (Fault.stall(8), 1, {"": TIMEOUT}),
    "cut": (Fault.cut(-7, clean=False), 2, {}),
    "cut cleanly": (Fault.cut(-7, clean=True), 2, {"document": PROTOCOL}),
    "cut in a frame's header": (
        Fault.cut(7, clean=True),
        1,
        {"document": PROTOCOL, "frames": (RIGHT, PROTOCOL)},
    ),
    "text behind the answer": (
        Fault.appended(TEXT),
        1,
        {"": PROTOCOL, "begin": errors.DvidTypeError},
    ),
    "surplus": (Fault(tail=bytes(4096)), 1, {"": PROTOCOL, "begin": errors.DvidTypeError}),
    "text in its middle": (
        Fault.appended(TEXT, keep=0),
        1,
        {"": PROTOCOL, "raw": RIGHT, "begin": errors.DvidTypeError},
    ),
    "502": (Fault.status(502), 3, {}),
    "503": (Fault.status(503, "DVID server is unavailable.\n"), 3, {}),
    "504": (Fault.status(504), 3, {}),
    "502 behind the server": (Fault.status(502, forward=True), 2, {}),
    "400": (Fault.status(400, "strange"), 1, {"": errors.DvidRequestError}),
    "429": (Fault.status(429, "User is blocked: note"), 1, {"": errors.DvidPermissionError}),
    "500": (Fault.status(500, "Panic detected on request"), 1, {"": errors.DvidServerError}),
    "garbage": (
        Fault.garbage(),
        1,
        {"": PROTOCOL, "raw": RIGHT, "begin": errors.DvidTypeError},
    ),
    "page": (
        Fault.page(),
        1,
        {"": PROTOCOL, "raw": RIGHT, "begin": errors.DvidTypeError},
    ),
    "page not found": (Fault.page(404), 1, {"": PROTOCOL}),
}
"""Name -> fault, how many times in a row, and what becomes of the call by the kind of answer;
where nothing is said, the right answer comes after retries."""


Stage = Callable[[Kind], tuple[DvidArray, np.ndarray]]


@pytest.fixture(scope="module")
def stage(dvid: Dvid) -> Stage:
    """One volume for each dtype, and what is in it now."""
    server = dvid_array.connect(dvid.url, admin_token=dvid.admin_token)
    node = server.create_repo("faults", "made by a test")
    arrays: dict[str, DvidArray] = {}

    def made(kind: Kind) -> tuple[DvidArray, np.ndarray]:
        if kind.dtype not in arrays:
            array = arrays[kind.dtype] = node.create(kind.dtype, kind.dtype, block=(32, 32, 32))
            noise = np.random.default_rng(7).integers(1, 200, (1, 64, 64, 64))
            array[:, :64, :64, :64] = noise.astype(kind.dtype)
        return arrays[kind.dtype], arrays[kind.dtype][...]

    return made


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_with_every_call(
    name: str, kind: Kind, path: FaultyProxy, stage: Stage
) -> None:
    fault, times, told = FAULTS[name]
    array, truth = stage(kind)
    silence = 0.4 if "stall" in name else 2.0
    far = through(path, array, read_timeout=silence, post_timeout=silence, **dict(kind.settings))
    before = truth.copy()
    path.add(fault, when=kind.hit, times=times)
    expected = told.get(kind.answer, told.get("", RIGHT))
    start = time.monotonic()
    try:
        if kind.writes is not None:
            _write(kind, far, truth)
        elif kind.answer == "document":
            through(path, array)
        else:
            np.testing.assert_array_equal(far[...], truth)
        outcome: object = RIGHT
    except errors.DvidWriteError as error:
        outcome = type(error.__cause__)
        _true_boxes(error, array, before, truth)
    except errors.DvidError as error:
        outcome = type(error)
        if kind.writes is not None:
            truth = before
    assert time.monotonic() - start < 4
    assert outcome in (expected if isinstance(expected, tuple) else (expected,))
    if not isinstance(outcome, type) or kind.writes is None or truth is before:
        np.testing.assert_array_equal(array[...], truth)
    assert any(map(kind.hit, path.requests))


def _true_boxes(
    error: errors.DvidWriteError, array: DvidArray, before: np.ndarray, after: np.ndarray
) -> None:
    """What a failed write tells is what the server has; nothing is told twice or left out."""
    assert error.stored or error.unknown
    told = [*error.stored, *error.failed, *error.unknown]
    assert sum(box.size for box in told) == sum(box.size for box in set(told))
    changed = np.argwhere((before != after)[0])
    for x, y, z in changed[:: max(1, len(changed) // 50)]:
        assert sum(box.contains(Box.sized((x, y, z), (1, 1, 1))) for box in told) == 1
    for box in told:
        found = voxels_of(array, box)
        old, new = (whole[(slice(None), *box.slices())] for whole in (before, after))
        if box in error.stored:
            np.testing.assert_array_equal(found, new)
        elif box in error.failed:
            np.testing.assert_array_equal(found, old)
        else:
            assert np.array_equal(found, new) or np.array_equal(found, old)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_server_that_went_away_and_comes_back(
    kind: Kind, path: FaultyProxy, stage: Stage
) -> None:
    array, truth = stage(kind)
    far = through(path, array, retry_deadline=5.0, **dict(kind.settings))
    worker = threading.Thread(target=_do, args=(kind, far, truth))
    with path.refusing():
        worker.start()
        time.sleep(0.2)
    worker.join(5)
    assert not worker.is_alive()
    np.testing.assert_array_equal(array[...], truth)


def _write(kind: Kind, far: DvidArray, truth: np.ndarray) -> None:
    """Write other values than there are."""
    assert kind.writes is not None
    values = truth[kind.writes] % 199 + 1
    truth[kind.writes] = values
    far[kind.writes] = values


def _do(kind: Kind, far: DvidArray, truth: np.ndarray) -> None:
    if kind.writes is not None:
        _write(kind, far, truth)
    elif kind.answer == "document":
        far.refresh()
    else:
        truth[...] = far[...]


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
    with pytest.raises(errors.DvidTimeoutError, match="no byte came") as caught:
        transport(path, read_timeout=0.2, post_timeout=0.2).document(call)
    assert len(path.requests) == 1
    assert caught.value.uncertain


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
    assert took < 1.5
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
    assert time.monotonic() - start < 1
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
    assert time.monotonic() - start < 2
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
