"""How long a failing call is borne: pauses between attempts, until a deadline.

Owns when to try again. Must not know HTTP.
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass
from typing import Any

from dvid_array import errors
from dvid_array.client import flights
from dvid_array.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one attempt."""

    error: errors.DvidError
    again: bool
    """Whether another attempt may help."""
    landed: bool
    """Whether the server may have done what was asked."""


class Patience:
    """Pauses between attempts, growing and jittered, until a deadline after the first failure."""

    def __init__(self, settings: Settings, shown: dict[str, Any]) -> None:
        self._settings = settings
        self._shown = shown
        self._first = 0.0
        self._warned = 0.0
        self._attempts = 0
        self._uncertain = False

    def wait(self, fault: Fault) -> None:
        """Return when it is time for another attempt; else raise."""
        now = time.monotonic()
        self._attempts += 1
        self._uncertain |= fault.landed
        if self._attempts == 1:
            self._first = self._warned = now
        pause = self._settings.retry_interval * 2 ** min(self._attempts - 1, 7)
        pause *= random.uniform(0.5, 1.0)
        if not fault.again or now - self._first + pause > self._settings.retry_deadline:
            raise self._final(fault, now - self._first)
        if now - self._warned >= self._settings.warning_interval:
            self._warned = now
            log.warning(
                "%s: still waiting after %d attempts and %.0f s: %s",
                self._shown["url"],
                self._attempts,
                now - self._first,
                fault.error,
            )
        if not flights.pause(pause):
            raise self._final(fault, now - self._first)

    def _final(self, fault: Fault, seconds: float) -> errors.DvidError:
        error = fault.error
        error.uncertain = self._uncertain
        if isinstance(error, errors.DvidBusyError):
            error.attempts, error.seconds = self._attempts, seconds
        if fault.again:
            tried = f"; gave up after {self._attempts} attempts in {seconds:.1f} s"
            error.message += f"{tried} (Settings.retry_deadline)"
        return error
