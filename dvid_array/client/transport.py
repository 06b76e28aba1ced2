"""Sending: pooled connections, retries until a deadline, bodies into buffers.

Owns HTTP exchanges; with `connections` and `meanings` the only importer of requests. Must not know
any DVID path.

A body is read in pieces through the pool of requests' own session, counted, and drained to its
last chunk: DVID sends no lengths, and a reply that fails half way still ends cleanly.
"""

from __future__ import annotations

import contextlib
import getpass
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

import numpy as np
import requests

from dvid_array import errors
from dvid_array.client import connections, flights, hooks
from dvid_array.client.meanings import UNREACHED, ShortBody, holds, meaning
from dvid_array.client.patience import Fault, Patience
from dvid_array.client.redaction import redacted
from dvid_array.client.registry import Credentials, Origin, state
from dvid_array.protocol import sentences
from dvid_array.settings import Settings

log = logging.getLogger(__name__)
T = TypeVar("T")

PIECE = 1 << 19
"""Bytes taken from a connection at once: larger pieces miss the cache, smaller ones cost calls."""
REFUSAL_BYTES = 1 << 16
"""As much of a refusal's text is read."""
DOCUMENT_BYTES = 1 << 30
"""Longest document that is read into memory."""
APP = "dvid_array"
LANDED = (errors.DvidProtocolError, errors.DvidServerError)
"""After these answers nobody knows whether the server has done what was asked."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request."""

    method: str
    path: str
    """Absolute path, percent-encoded."""
    query: dict[str, str] = field(default_factory=dict)
    body: bytes | memoryview | None = field(default=None, repr=False)
    repeatable: bool = True
    """Whether it may be sent again when its answer is lost."""
    admin: bool = False
    """Whether the admin token goes with it."""


class Body:
    """The body of an answer, read in pieces."""

    def __init__(self, response: requests.Response) -> None:
        self._raw: Any = response.raw
        self._decode = "Content-Encoding" in response.headers
        self.received = 0

    def piece(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end."""
        data: bytes = self._raw.read(min(size, PIECE), decode_content=self._decode)
        self.received += len(data)
        return data

    def take(self, size: int) -> bytes:
        """`size` bytes, fewer only where the body ends."""
        data = self.piece(size)
        if len(data) == size or not data:
            return data
        parts = [data]
        missing = size - len(data)
        while missing and (data := self.piece(missing)):
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def read_into(self, view: memoryview) -> None:
        """Fill a flat view of bytes; `ShortBody` where the body ends before."""
        target = np.frombuffer(view, dtype=np.uint8)
        done = 0
        while done < len(target):
            data = self.piece(len(target) - done)
            if not data:
                raise ShortBody(f"the answer ended after {self.received} bytes")
            # np.copyto lets other threads run meanwhile; slice assignment of bytes does not
            np.copyto(target[done : done + len(data)], np.frombuffer(data, dtype=np.uint8))
            done += len(data)

    def all(self) -> bytes:
        """Everything, for documents."""
        parts = []
        while data := self.piece(PIECE):
            parts.append(data)
            if self.received > DOCUMENT_BYTES:
                raise errors.DvidProtocolError("the server sends a document without an end")
        return b"".join(parts)

    def end(self) -> None:
        """Check that nothing follows: a tail is the text of an error that came too late."""
        tail = self.take(REFUSAL_BYTES)
        if tail:
            text = tail.decode("utf-8", "replace").strip()
            raise errors.DvidProtocolError(
                f"{len(tail)} bytes follow the expected answer: {redacted(text)[:300]!r}",
                sentence=text,
            )


@dataclass(frozen=True)
class Transport:
    """One server, as calls can be sent to it. Holds settings only: sessions and credentials are
    the process's, so it can be pickled."""

    origin: str
    """Scheme, host and port."""
    settings: Settings

    def send(self, call: Call, receive: Callable[[Body], T]) -> T:
        """Send a call and hand its body to `receive`, again and again until it succeeds, fails for
        good, or the retry deadline passes.

        Raises
        ------
        DvidError
            Of the class that the fault deserves, with the server's own sentence.
        """
        patience = Patience(self.settings, self._shown(call))
        while True:
            with hooks.admitted(self.origin, self.settings):
                try:
                    return self._attempt(call, receive)
                except Exception as foreign:
                    answered = state().origins.get(self.origin, Origin).answered
                    fault = self._told(call, foreign, answered)
            # here and not above, so that the error is not chained to a foreign one: those print
            # whole URLs, and hold the headers
            patience.wait(fault)

    def _attempt(self, call: Call, receive: Callable[[Body], T]) -> T:
        """Send a call once; observers are told what became of it."""
        began, body, failed = time.perf_counter(), None, True
        try:
            with self._answer(call) as response:
                state().origins.get(self.origin, Origin).answered = True
                self._refuse(call, response)
                body = Body(response)
                result = receive(body)
                body.end()
                failed = False
            return result
        finally:
            exchange = hooks.Exchange(
                call.method,
                self.address(call),
                began,
                time.perf_counter(),
                sent=len(call.body or b""),
                received=body.received if body else 0,
                failed=failed,
            )
            hooks.tell(self.settings.observers, exchange)

    def document(self, call: Call) -> bytes:
        """The whole body of an answer."""
        return self.send(call, Body.all)

    def done(self, call: Call) -> None:
        """Send a call whose answer is empty: any other answer is not a DVID's."""
        self.send(call, lambda body: None)

    def beginning(self, call: Call, size: int) -> bytes:
        """The first bytes of an answer; the rest is never read."""

        def receive(body: Body) -> bytes:
            raise _Enough(body.take(size))

        try:
            return self.send(call, receive)
        except _Enough as enough:
            return enough.data

    def grant_admin(self, token: str) -> None:
        """Keep an admin token for this server."""
        known = state().origins.get(self.origin, Origin)
        known.credentials = replace(known.credentials, admin_token=token)

    def address(self, call: Call) -> str:
        """The URL of a call, without credentials."""
        query = "?" + urlencode(call.query) if call.query else ""
        return redacted(f"{self.origin}{call.path}{query}")

    def _shown(self, call: Call) -> dict[str, Any]:
        return {"method": call.method, "url": self.address(call)}

    @contextlib.contextmanager
    def _answer(self, call: Call) -> Iterator[requests.Response]:
        settings = self.settings
        credentials = self._credentials()
        query = {"u": credentials.user or _user(), "app": credentials.app or APP} | call.query
        if call.admin and credentials.admin_token:
            query["admintoken"] = credentials.admin_token
        headers = {"Accept-Encoding": "identity"}
        if credentials.token:
            headers["Authorization"] = f"Bearer {credentials.token}"
        response = connections.session(self.origin, settings).request(
            call.method,
            f"{self.origin}{call.path}?{urlencode(query, safe=',:')}",
            data=cast(bytes, call.body),
            headers=headers,
            stream=True,
            timeout=(settings.connect_timeout, getattr(settings, _silence(call))),
            # following a POST would repeat it elsewhere, or turn it into a GET
            allow_redirects=call.method == "GET",
        )
        try:
            yield response
        finally:
            response.close()  # back to the pool, if its body was read to the end
            if crew := flights.current():
                crew.forget()

    def _credentials(self) -> Credentials:
        own = state().origins.get(self.origin, Origin).credentials
        return Credentials(
            token=own.token or os.environ.get("DVID_TOKEN"),
            admin_token=own.admin_token or os.environ.get("DVID_ADMIN_TOKEN"),
            user=own.user or os.environ.get("DVID_USER"),
            app=own.app,
        )

    def _refuse(self, call: Call, response: requests.Response) -> None:
        if response.status_code < 300:
            return
        text = Body(response).take(REFUSAL_BYTES).decode("utf-8", "replace").strip()
        kind, remedy = sentences.classify(response.status_code, text)
        if "html" in response.headers.get("Content-Type", "") and response.status_code in (
            *range(300, 400),
            404,
        ):
            kind, remedy = errors.DvidProtocolError, "is it a DVID server?"
        if sentences.TOKEN in remedy:
            remedy = f"{'a' if self._credentials().token else 'no'} token was sent: {remedy}"
        sentence = redacted(text)
        said = sentence.split("\n")[0][:500] or f"status {response.status_code} without a word"
        raise kind(
            f"{self.origin} answered: {said}" + (f" -> {remedy}" if remedy else ""),
            sentence=sentence,
            status=response.status_code,
            **self._shown(call),
        )

    def _told(self, call: Call, fault: Exception, answered: bool) -> Fault:
        """What a fault means: the error to raise, and whether another attempt may help."""
        if isinstance(fault, errors.DvidError):
            fault.method, fault.url = call.method, self.address(call)
            fault.sentence = redacted(fault.sentence)
            passing = fault.status in (502, 503, 504)
            again = passing and (call.repeatable or fault.status == 503)
            return Fault(fault, again, landed=isinstance(fault, LANDED))
        name = _silence(call)
        silence = f"{getattr(self.settings, name):g} s (Settings.{name})"
        if call.method != "GET":
            silence += "; what was asked may still be done"
        kind, text, again = meaning(fault, connect=self.settings.connect_timeout, silence=silence)
        if kind is None:
            raise fault
        unreached = holds(fault, UNREACHED)
        again = again and (answered if unreached else call.repeatable)
        error = kind(f"{self.origin}: {text}", **self._shown(call))
        return Fault(error, again, landed=not unreached)


def _silence(call: Call) -> str:
    """The setting that says how long no byte may come."""
    return "read_timeout" if call.method == "GET" else "post_timeout"


class _Enough(Exception):
    """The bytes that were wanted have come."""

    def __init__(self, data: bytes) -> None:
        self.data = data


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "anonymous"
