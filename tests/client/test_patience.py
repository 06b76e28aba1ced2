"""When a failing call is tried again, and what is told when it is given up."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from dvid_array import errors
from dvid_array.client import flights
from dvid_array.client.patience import Fault, Patience
from dvid_array.settings import Settings

SHOWN = {"method": "GET", "url": "http://host/api"}
QUICK = Settings(retry_interval=0.001, retry_deadline=0.05, warning_interval=0.0)


def busy(*, again: bool = True, landed: bool = False) -> Fault:
    return Fault(errors.DvidBusyError("busy"), again, landed)


def test_what_cannot_help_is_not_waited_for() -> None:
    with pytest.raises(errors.DvidBusyError, match=r"^busy$") as caught:
        Patience(QUICK, SHOWN).wait(busy(again=False))
    assert caught.value.attempts == 1


def test_attempts_end_at_the_deadline_and_are_counted() -> None:
    patience = Patience(QUICK, SHOWN)

    def attempts() -> None:
        while True:
            patience.wait(busy())

    with pytest.raises(errors.DvidBusyError, match="gave up after") as caught:
        attempts()
    assert caught.value.attempts > 1
    assert caught.value.seconds <= QUICK.retry_deadline + 1


def test_pauses_grow_and_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(flights, "pause", lambda seconds: pauses.append(seconds) or True)
    patience = Patience(replace(QUICK, retry_interval=1.0, retry_deadline=1e9), SHOWN)
    for _ in range(12):
        patience.wait(busy())
    for number, pause in enumerate(pauses):
        longest = 2.0 ** min(number, 7)
        assert longest / 2 <= pause <= longest


def test_once_uncertain_always_uncertain() -> None:
    patience = Patience(QUICK, SHOWN)
    patience.wait(busy(landed=True))
    with pytest.raises(errors.DvidBusyError) as caught:
        patience.wait(busy(again=False, landed=False))
    assert caught.value.uncertain


def test_it_says_that_it_waits(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "dvid_array"):
        Patience(QUICK, SHOWN).wait(busy())
    assert "still waiting after 1 attempts" in caplog.text
