"""What can go wrong between a client and a server, as values.

Owns the kinds of faults; `proxy` brings them about. Must not know sockets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from typing import Literal


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived at the proxy."""

    number: int
    """How many came before it."""
    method: str
    path: str
    """Without the query."""
    query: str
    headers: Message = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What becomes of a request and of its answer; the fields can be combined at will, and the
    class methods are the usual ones."""

    forward: bool = True
    """Whether the server gets the request; else a made-up answer of status 200 is begun."""
    hold: float = 0.0
    """Seconds before the body of the request is read."""
    delay: float = 0.0
    """Seconds before the answer begins."""
    code: int | None = None
    """Status of the answer, instead of the server's."""
    media: str | None = None
    """Content type of the answer, instead of the server's."""
    begin: bool = True
    """Whether the answer's status and headers are sent."""
    keep: int | None = None
    """As much of the body is sent, as in ``body[:keep]``."""
    tail: bytes = b""
    """What follows it."""
    end: Literal["clean", "close", "reset", "stall"] = "clean"
    """Whether the answer then ends as it should, the connection is closed or reset, or nothing
    more comes."""
    rate: float = 0.0
    """Bytes of the body a second; 0 for no limit."""

    @classmethod
    def latency(cls, seconds: float) -> Fault:
        """The answer comes late."""
        return cls(delay=seconds)

    @classmethod
    def lost(cls, *, forward: bool) -> Fault:
        """The connection is reset before the answer; the server did get the request, or not."""
        return cls(forward=forward, begin=False, end="reset")

    @classmethod
    def broken(cls, keep: int = 0) -> Fault:
        """The connection is reset after the headers and some of the body."""
        return cls(keep=keep, end="reset")

    @classmethod
    def stall(cls, keep: int | None = None, *, forward: bool = True) -> Fault:
        """Nothing comes any more: from the start, or after some of the body."""
        return cls(forward=forward, begin=keep is not None, keep=keep or 0, end="stall")

    @classmethod
    def cut(cls, keep: int, *, clean: bool) -> Fault:
        """The body ends early; with a proper end, or because the connection is closed."""
        return cls(keep=keep, end="clean" if clean else "close")

    @classmethod
    def appended(cls, text: str, keep: int | None = None) -> Fault:
        """The text of an error follows the body, or a part of it, with a proper end."""
        return cls(keep=keep, tail=text.encode())

    @classmethod
    def status(cls, code: int, text: str = "", *, forward: bool = False) -> Fault:
        """Another status and text, of something in between or of a server in trouble."""
        body = (text or f"{code} {HTTPStatus(code).phrase}\n").encode()
        return cls(forward=forward, code=code, media="text/plain", keep=0, tail=body)

    @classmethod
    def page(cls, code: int = 200) -> Fault:
        """The HTML page of something that is no DVID."""
        text = b"<!DOCTYPE html><html><title>Welcome</title><p>Please log in.</html>\n"
        return cls(forward=False, code=code, media="text/html", tail=text)

    @classmethod
    def garbage(cls) -> Fault:
        """What begins like JSON and is none."""
        return cls(forward=False, media="application/json", tail=b'{"Base": {"TypeName": nul')
