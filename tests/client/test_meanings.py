"""What faults below HTTP mean: the first row that fits, however deep the fault is wrapped."""

from __future__ import annotations

import ssl

import pytest
import requests
import urllib3

from dvid_array import errors
from dvid_array.client.meanings import UNREACHED, ShortBody, holds, meaning

POOL = urllib3.HTTPConnectionPool("host", 8000)
REFUSED = urllib3.exceptions.NewConnectionError(POOL, "refused")  # type: ignore[arg-type]
CONNECTION, TIMEOUT = errors.DvidConnectionError, errors.DvidTimeoutError
WAITED = {"connect": 5.0, "silence": "120 s"}


@pytest.mark.parametrize(
    ("fault", "kind", "words", "again"),
    [
        (requests.exceptions.ConnectTimeout("late"), TIMEOUT, "within 5 s", True),
        (requests.exceptions.ConnectionError(REFUSED), CONNECTION, "is the address right", True),
        (
            requests.exceptions.ConnectionError(
                urllib3.exceptions.MaxRetryError(POOL, "/", REFUSED)
            ),
            CONNECTION,
            "is the address right",
            True,
        ),
        (requests.exceptions.ReadTimeout("late"), TIMEOUT, "no byte came for 120 s", False),
        (TimeoutError("late"), TIMEOUT, "no byte came for 120 s", False),
        (requests.exceptions.SSLError("bad certificate"), CONNECTION, "speak https?", False),
        (requests.exceptions.SSLError(ssl.SSLEOFError("eof")), CONNECTION, "broke", True),
        (ShortBody("after 7 bytes"), errors.DvidProtocolError, "after 7 bytes", True),
        (ConnectionResetError("reset"), CONNECTION, "failed: reset", True),
        (requests.exceptions.ChunkedEncodingError("cut"), CONNECTION, "failed: cut", True),
        (requests.exceptions.InvalidHeader("odd"), CONNECTION, "could not be sent: odd", False),
        (OSError("no route"), CONNECTION, "could not be sent: no route", False),
    ],
)
def test_meanings(fault: Exception, kind: type[errors.DvidError], words: str, again: bool) -> None:
    found, text, more = meaning(fault, **WAITED)
    assert (found, more) == (kind, again)
    assert words in text


def test_faults_of_our_own_mean_nothing() -> None:
    assert meaning(ZeroDivisionError("mine"), **WAITED)[0] is None


def test_secrets_stay_out_of_the_words() -> None:
    fault = ConnectionError("GET /api?admintoken=planted with Authorization: Bearer planted")
    assert "planted" not in meaning(fault, **WAITED)[1]


def test_layers_are_looked_through() -> None:
    assert holds(requests.exceptions.ConnectionError(REFUSED), UNREACHED)
    assert not holds(ConnectionResetError("reset"), UNREACHED)
