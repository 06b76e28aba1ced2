"""What goes in and out of a handler: calls, replies, refusals. Must not know sockets or the store's
tables.

A handler is a plain function that runs in a worker thread: it takes a call and returns a `Reply`,
or `NeedsBody` where it must see the request's body first. So no thread waits for a slow client.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dvid_array.protocol import sentences
from dvid_array.protocol.paths import Address

if TYPE_CHECKING:
    from dvid_array.devserver.catalog import Version
    from dvid_array.devserver.instances import Instance
    from dvid_array.devserver.service import Service

BINARY = "application/octet-stream"
JSON = "application/json"
TEXT = "text/plain"
FAULT = "text/plain; charset=utf-8"
"""Content types as DVID writes them."""

Piece = bytes | memoryview


class Refusal(Exception):
    """A request that is answered with an error.

    Parameters
    ----------
    status : int
        The HTTP status.
    text : str
        DVID's sentence.
    bare : bool, optional
        Whether the sentence goes out as it is, without the path behind it.
    """

    def __init__(self, status: int, text: str, *, bare: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.bare = bare


def refusal(name: str, /, **fields: object) -> Refusal:
    """The refusal of one of the sentences that both towers know."""
    return Refusal(*sentences.compose(name, **fields))


NOT_FOUND = "404 page not found"


def not_found() -> Refusal:
    """What DVID's router says where no route leads."""
    return Refusal(404, NOT_FOUND, bare=True)


def panicked(path: str, reason: str) -> Refusal:
    """What DVID says where its handler panics."""
    text = f"Panic detected on request dev/0:\n{reason}\nIP: 127.0.0.1:0, URL: {path}\n"
    return Refusal(500, text, bare=True)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: a status and a body, whole or in pieces."""

    body: Piece | Iterator[Piece] = b""
    """The body; pieces are taken one by one in worker threads."""
    kind: str | None = None
    """Content type; None sends none."""
    status: int = 200
    """HTTP status."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers."""


@dataclass(frozen=True, slots=True)
class NeedsBody:
    """A handler's wish to go on with the request's body."""

    then: Callable[[Body], Reply]
    """What goes on, in a worker thread."""
    keep: int | None = None
    """Bytes that can be of use: more are counted but not kept. None is for documents, which are
    kept whole and refused where they are far too long."""


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body."""

    data: bytearray
    """The bytes that were kept."""
    size: int
    """How many came."""

    def json(self) -> Any:
        """The decoded JSON.

        Raises
        ------
        ValueError
            Where it is none; the text is as near to DVID's as another parser can be.
        """
        if not self.data.strip():
            raise ValueError("unexpected end of JSON input")
        try:
            document = json.loads(bytes(self.data), parse_constant=_no_constant)
            if b"\\ud" in self.data.lower():
                # Half a pair of surrogates is no text that could be stored.
                json.dumps(document, ensure_ascii=False).encode()
            return document
        except UnicodeEncodeError as half:
            raise ValueError("invalid surrogate in a string") from half
        except RecursionError as deep:
            raise ValueError("exceeded max depth") from deep
        except UnicodeDecodeError as bad:
            raise ValueError("invalid character 'ÿ' looking for beginning of value") from bad
        except json.JSONDecodeError as bad:
            raise ValueError(_go_fault(bad)) from bad


def _no_constant(name: str) -> None:
    raise ValueError(f"invalid character '{name[0]}' looking for beginning of value")


def _go_fault(fault: json.JSONDecodeError) -> str:
    if fault.pos >= len(fault.doc):
        return "unexpected end of JSON input"
    return f"invalid character {fault.doc[fault.pos]!r} looking for beginning of value"


Answer = Reply | NeedsBody


@dataclass(frozen=True, slots=True)
class Call:
    """A request to the server as a whole."""

    service: Service
    """The server's state."""
    method: str
    """HTTP method, as it came."""
    path: str
    """URL path, decoded."""
    address: Address
    """What the path leads to."""
    query: Mapping[str, str]
    """Query parameters; of one that came twice, the first."""
    admin: bool
    """Whether the admin token came with it."""
    closing: ExitStack
    """Closed when the answer is made, or its client is gone; what it calls must be quick."""

    @property
    def reads(self) -> bool:
        """Whether the method changes nothing."""
        return self.method in ("GET", "HEAD")

    def on(self, *names: str) -> bool:
        """Whether one of the switches `names` is on (DVID takes `on` and `true`)."""
        return any(self.query.get(name) in ("on", "true") for name in names)


@dataclass(frozen=True, slots=True)
class VersionCall(Call):
    """A request to a version, or to the repo it is in."""

    version: Version


@dataclass(frozen=True, slots=True)
class InstanceCall(VersionCall):
    """A request to a data instance at a version."""

    instance: Instance
    at: int
    """The version number whose data is meant: the root's where an instance is not versioned."""


def json_reply(document: Any) -> Reply:
    """A document in DVID's compact spelling."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return Reply(text.encode("utf-8", "surrogatepass"), JSON)


def spaced_json_reply(document: Mapping[str, str | int]) -> Reply:
    """A small document in the spelling of DVID's hand-written ones."""
    return Reply(json.dumps(document).encode(), JSON)


def pieces(parts: Iterable[Piece], size: int) -> Iterator[Piece]:
    """Gather small parts and cut large ones, so that about `size` bytes leave at once."""
    gathered: list[Piece] = []
    held = 0
    for part in parts:
        if held and held + len(part) > size:
            yield b"".join(gathered)
            gathered, held = [], 0
        if len(part) >= size:
            view = memoryview(part)
            yield from (view[start : start + size] for start in range(0, len(view), size))
        elif part:
            gathered.append(part)
            held += len(part)
    if gathered:
        yield b"".join(gathered)
