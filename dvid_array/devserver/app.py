"""One catch-all ASGI handler: request -> call -> answer -> bytes. Must not know what answers say.

Starlette's routes are not used, since they answer wrong methods and unknown paths in words of their
own. Handlers run in worker threads, bodies are read and answers sent here.
"""

from __future__ import annotations

import logging
import posixpath
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from urllib.parse import parse_qsl, quote

import anyio
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from dvid_array.devserver.answers import (
    FAULT,
    Body,
    Call,
    NeedsBody,
    Piece,
    Refusal,
    Reply,
    not_found,
    panicked,
)
from dvid_array.devserver.journal import Journal, Request, redacted
from dvid_array.devserver.routes import answer
from dvid_array.devserver.service import Service
from dvid_array.devserver.store import StoreFullError
from dvid_array.devserver.wire import HEADER_BYTES, told
from dvid_array.protocol import paths

log = logging.getLogger(__name__)

DOCUMENT_BYTES = 16 << 20
"""Longest body that is a document."""
READ_SECONDS = 600.0
"""How long a client may pause within a body, as in DVID."""
SMALL_BYTES = 2048
"""Go sends bodies up to its buffer with their length, longer ones in chunks."""


class App:
    """The ASGI application.

    Parameters
    ----------
    service : Service
        The server's state.
    hosts : frozenset of str, optional
        Names by which the server may be called; None takes any. A page on the web can make a
        browser send requests to a name that it points at 127.0.0.1: such a name is none of these.
    """

    def __init__(self, service: Service, hosts: frozenset[str] | None = None) -> None:
        self.journal = Journal()
        self._service = service
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _Exchange(self, scope, receive, send).run()

    def call(self, scope: Scope, closing: ExitStack) -> Call:
        """What a request asks for.

        Raises
        ------
        Refusal
            For hosts and paths that lead nowhere.
        """
        path = scope["path"]
        self._check_host(scope)
        _check_path(path, scope)
        address = paths.parse(quote(path, safe="/"))
        if address is None:
            raise not_found()
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        query = dict(reversed(pairs))
        admin = self._service.is_admin(query.get("admintoken"))
        return Call(self._service, scope["method"], path, address, query, admin, closing)

    def _check_host(self, scope: Scope) -> None:
        if self._hosts is None:
            return
        named = [value for name, value in scope["headers"] if name == b"host"]
        host = named[0].decode("latin-1").lower() if named else ""
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if name.strip("[]") not in self._hosts:
            raise Refusal(
                400,
                f"This development server answers to {', '.join(sorted(self._hosts))} only, "
                f"not to {host!r}",
            )


def _check_path(path: str, scope: Scope) -> None:
    """Send the client to the path it meant, as Go does for doubled slashes and dots."""
    clean = posixpath.normpath(path).replace("//", "/", 1) if path else "/"
    if path.endswith("/") and clean != "/":
        clean += "/"
    if clean != path:
        query = scope["query_string"].decode("latin-1")
        place = quote(clean, safe="/:~,") + (f"?{query}" if query else "")
        raise _Moved(place)


class _Moved(Exception):
    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place


class _Exchange:
    """One request and its answer."""

    def __init__(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        self._app = app
        self._scope = scope
        self._receive = receive
        self._send = send
        self._closing = ExitStack()
        self._bytes_in = 0
        self._bytes_out = 0
        self._gone = False

    async def run(self) -> None:
        """Answer it."""
        with self._closing:
            try:
                await self._answer(await self._reply())
            except (ClientDisconnect, OSError):
                # The client is gone: nobody is left to be told.
                self._note(499)

    async def _reply(self) -> Reply:
        path = self._scope["path"]
        if len(self._scope["raw_path"]) + len(self._scope["query_string"]) > HEADER_BYTES:
            # The parser counts only what comes in pieces: a long line can come at once.
            return Reply(told(431).encode(), FAULT, 431, {"connection": "close"})
        try:
            call = self._app.call(self._scope, self._closing)
            answered = await run_in_threadpool(answer, call)
            while isinstance(answered, NeedsBody):
                body = await self._body(answered.keep, call.service.max_body)
                answered = await run_in_threadpool(answered.then, body)
            return await _started(answered)
        except Refusal as refused:
            return _refused(refused, path)
        except _Moved as moved:
            page = f'<a href="{moved.place}">Temporary Redirect</a>.\n\n'
            kind = "text/html; charset=utf-8"
            return Reply(page.encode(), kind, 307, {"location": moved.place})
        except StoreFullError as full:
            words = f"The store is full, nothing of this was stored: {full}. Free disk space"
            return _refused(Refusal(500, words), path)
        except ClientDisconnect:
            raise
        except Exception as fault:
            log.exception("%s %s failed", self._scope["method"], path)
            return _refused(_failed(path, fault), path)

    async def _body(self, keep: int | None, limit: int) -> Body:
        """Read the request's body; no more than `keep` bytes of it are held."""
        limit = limit if keep is not None else min(limit, DOCUMENT_BYTES)
        announced = dict(self._scope["headers"]).get(b"content-length", b"0")
        self._check_size(int(announced) if announced.isdigit() else 0, limit)
        data = bytearray()
        more = True
        while more:
            message: Message = {"type": "http.disconnect"}
            with anyio.move_on_after(READ_SECONDS):
                message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect()
            piece = message.get("body", b"")
            self._bytes_in += len(piece)
            self._check_size(self._bytes_in, limit)
            data += piece if keep is None else piece[: max(0, keep - len(data))]
            more = message.get("more_body", False)
        return Body(data, self._bytes_in)

    def _check_size(self, size: int, limit: int) -> None:
        if size > limit:
            words = f"Request bodies are limited to {limit} bytes on this development server"
            raise Refusal(413, words)

    async def _answer(self, reply: Reply) -> None:
        headers = [(name.encode(), value.encode()) for name, value in reply.headers.items()]
        if reply.kind is not None:
            headers.append((b"content-type", reply.kind.encode()))
        body = reply.body
        if isinstance(body, Iterator) and self._scope["method"] != "HEAD":
            await self._send(_head(reply.status, headers))
            await self._stream(body)
            body = b""
            self._finish(reply.status)
        else:
            body = await self._whole(reply, headers)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _stream(self, parts: Iterator[Piece]) -> None:
        """Send the pieces of a body, for as long as its client is there."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._end_with_client, group.cancel_scope)
            try:
                async for piece in iterate_in_threadpool(parts):
                    self._bytes_out += len(piece)
                    await self._send(
                        {"type": "http.response.body", "body": piece, "more_body": True}
                    )
            except OSError:
                self._gone = True
            finally:
                with anyio.CancelScope(shield=True):
                    # What the pieces come from may hold a connection of the store.
                    await run_in_threadpool(getattr(parts, "close", bool))
            group.cancel_scope.cancel()
        if self._gone:
            raise ClientDisconnect()

    async def _end_with_client(self, scope: anyio.CancelScope) -> None:
        # uvicorn drops what is sent to nobody, without a word.
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        scope.cancel()

    async def _whole(self, reply: Reply, headers: list[tuple[bytes, bytes]]) -> Piece:
        """Begin an answer whose body goes out at once, or not at all."""
        body = b"" if isinstance(reply.body, Iterator) else reply.body
        if len(body) <= SMALL_BYTES and not isinstance(reply.body, Iterator):
            headers.append((b"content-length", str(len(body)).encode()))
        self._bytes_out = 0 if self._scope["method"] == "HEAD" else len(body)
        # Of an empty body the headers are the last bytes.
        self._finish(reply.status)
        await self._send(_head(reply.status, headers))
        return body

    def _finish(self, status: int) -> None:
        """Tidy up before the last byte is out: then the client may look into the journal, or come
        back with another throttled request."""
        self._closing.close()
        self._note(status)

    def _note(self, status: int) -> None:
        scope = self._scope
        query = redacted(scope["query_string"].decode("latin-1"))
        counts = (self._bytes_in, self._bytes_out)
        self._app.journal.add(Request(scope["method"], scope["path"], query, status, *counts))


def _head(status: int, headers: list[tuple[bytes, bytes]]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


async def _started(reply: Reply) -> Reply:
    """Take the first piece of an answer, so that a fault in it still becomes an error status."""
    if not isinstance(reply.body, Iterator):
        return reply
    parts = reply.body
    first, second = await run_in_threadpool(lambda: (next(parts, None), next(parts, None)))
    if second is None:
        return replace(reply, body=first or b"")
    return replace(reply, body=_resumed(first or b"", second, parts))


def _resumed(first: Piece, second: Piece, rest: Iterator[Piece]) -> Iterator[Piece]:
    yield first
    yield second
    try:
        yield from rest
    except Exception as fault:
        # The status is out: like DVID, append the text, which cuts the stream short.
        log.exception("an answer failed after it began")
        yield _failed("", fault).text.encode()


def _failed(path: str, fault: Exception) -> Refusal:
    if isinstance(fault, sqlite3.Error):
        return Refusal(500, f"The store failed: {fault}")
    return panicked(path, f"{type(fault).__name__}: {fault}")


def _refused(refused: Refusal, path: str) -> Reply:
    text = refused.text if refused.bare else f"{refused.text} ({path})."
    headers = {"x-content-type-options": "nosniff"}
    return Reply(f"{text}\n".encode("utf-8", "replace"), FAULT, refused.status, headers)
