"""What faults below HTTP mean: error class, words, and whether another attempt may help.

Owns the reading of what requests and urllib3 raise. Must not know calls or paths.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import requests
import urllib3

from dvid_array import errors
from dvid_array.client.redaction import redacted

Kinds = type[BaseException] | tuple[type[BaseException], ...]

UNREACHED = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
"""After these no connection came about, so that nothing can have been sent."""


class ShortBody(Exception):
    """A body ended before everything expected of it had come."""


def meaning(fault: Exception, **words: object) -> tuple[type[errors.DvidError] | None, str, bool]:
    """Error class, words and whether to try again; for faults below HTTP. `words` are how long
    was waited: `connect` seconds for a connection, and `silence` for a byte."""
    why = redacted(str(list(_layers(fault))[-1]))[:300]
    for kinds, error, text, again in MEANINGS:
        if holds(fault, kinds):
            return error, text.format(why=why, **words), again
    return None, why, False


MEANINGS: tuple[tuple[Kinds, type[errors.DvidError], str, bool], ...] = (
    (
        requests.exceptions.ConnectTimeout,
        errors.DvidTimeoutError,
        "could not be reached within {connect:g} s (Settings.connect_timeout): is the address "
        "right, and does the server run?",
        True,
    ),
    (
        UNREACHED,
        errors.DvidConnectionError,
        "could not be reached: is the address right, and does the server run? ({why})",
        True,
    ),
    (
        (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError),
        errors.DvidTimeoutError,
        "no byte came for {silence}",
        False,
    ),
    (ssl.SSLEOFError, errors.DvidConnectionError, "the connection broke: {why}", True),
    (
        requests.exceptions.SSLError,
        errors.DvidConnectionError,
        "TLS failed: does the server speak https? (Settings.ca_bundle names certificates of your "
        "own to trust; {why})",
        False,
    ),
    (ShortBody, errors.DvidProtocolError, "the answer is cut: {why}", True),
    (
        (
            requests.exceptions.ConnectionError,
            requests.exceptions.ChunkedEncodingError,
            urllib3.exceptions.ProtocolError,
            ConnectionError,
        ),
        errors.DvidConnectionError,
        "the connection failed: {why}",
        True,
    ),
    (
        (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError),
        errors.DvidConnectionError,
        "the request could not be sent: {why}",
        False,
    ),
)
"""Faults below HTTP: what they are, in words, and whether to try again. The first that fits."""


def holds(fault: BaseException, kinds: Kinds) -> bool:
    """Whether a fault is of some kind, or one of those it is made of."""
    return any(isinstance(one, kinds) for one in _layers(fault))


def _layers(fault: BaseException) -> Iterator[BaseException]:
    """A fault and those it is made of: requests and urllib3 hand them on as arguments and
    attributes."""
    yield fault
    inner = (*fault.args, getattr(fault, "reason", None), getattr(fault, "original_error", None))
    for one in inner:
        if isinstance(one, BaseException):
            yield from _layers(one)
