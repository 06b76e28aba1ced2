"""DVID's block stream: frames of int32 x, y, z, n and then n bytes, little-endian.

Owns the framing, both ways, streaming. Must not know what is inside a frame.

The stream has no count and no trailer, blocks without data are left out, and the order is free;
a server that fails in mid-stream appends the text of its error. So every frame is checked
against the blocks that were asked for, and each may come once.

Source: `datatype/imageblk/imageblk.go` (SendSerializedBlock), `datatype/labelmap/blocks.go`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Protocol

from dvid_array.box import Triple
from dvid_array.errors import DvidProtocolError

HEADER = struct.Struct("<iiii")


class Source(Protocol):
    """Where bytes come from."""

    def read_into(self, view: memoryview) -> None:
        """Fill `view`; an error where the bytes end before."""

    def take(self, size: int) -> bytes:
        """The next `size` bytes, fewer only where they end."""


def pack(block: Triple, payload: bytes | memoryview) -> bytes:
    """One frame."""
    return HEADER.pack(*block, len(payload)) + bytes(payload)


def unpack(
    source: Source, expected: Callable[[Triple], bool], max_bytes: int
) -> Iterator[tuple[Triple, memoryview]]:
    """Frames of a stream, one at a time; a payload is valid until the next one is taken.

    Parameters
    ----------
    source : Source
        The bytes of the answer.
    expected : callable
        Whether a block (x, y, z in blocks) was asked for.
    max_bytes : int
        Longest payload that can be right.

    Raises
    ------
    DvidProtocolError
        For a frame nobody asked for, one that comes twice, an impossible length or a cut one.
    """
    seen: set[Triple] = set()
    buffer = bytearray()
    while header := source.take(HEADER.size):
        if len(header) < HEADER.size:
            raise _astray(header, "ends within a frame's header")
        x, y, z, size = HEADER.unpack(header)
        block = (x, y, z)
        if not expected(block) or block in seen or not 0 <= size <= max_bytes:
            raise _astray(header + source.take(200), f"holds an impossible frame at {block}")
        seen.add(block)
        if len(buffer) < size:
            buffer = bytearray(size)
        view = memoryview(buffer)[:size]
        source.read_into(view)
        yield block, view


def _astray(data: bytes, why: str) -> DvidProtocolError:
    text = data.decode("ascii") if data.isascii() else ""
    words = " ".join(text.split())  # DVID's texts end with a line's end
    told = f"; it reads: {words!r}" if words.isprintable() and words else ""
    return DvidProtocolError(
        f"the server's block stream {why}: it failed while it answered{told}", sentence=text
    )
