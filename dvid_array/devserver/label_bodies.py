"""Bodies of label voxels in each compression, both ways. Must not know where the voxels belong."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import numpy as np

from dvid_array.box import Triple
from dvid_array.devserver import google
from dvid_array.devserver.answers import Body, Piece, Refusal
from dvid_array.devserver.service import PIECE_BYTES
from dvid_array.protocol import voxels

BOMB_BYTES = 1 << 24
"""Gzip data that holds more than this and twice what it should is not read to its end."""


def _lz4(parts: Iterator[Piece], size: Triple) -> Iterator[Piece]:
    yield voxels.encode_lz4(b"".join(parts), sized=False)


def _gzip(parts: Iterator[Piece], size: Triple) -> Iterator[Piece]:
    stream = zlib.compressobj(wbits=31)
    for part in parts:
        yield stream.compress(part)
    yield stream.flush()


def _google(parts: Iterator[Piece], size: Triple) -> Iterator[Piece]:
    if any(extent % google.EDGE for extent in size):
        raise Refusal(400, "volume must be a multiple of the block size")
    yield google.encode(np.frombuffer(b"".join(parts), "<u8").reshape(size[::-1]))


COMPRESSIONS: dict[str, Callable[[Iterator[Piece], Triple], Iterator[Piece]]] = {
    "": lambda parts, size: parts,
    "lz4": _lz4,
    "gzip": _gzip,
    "google": _google,
    "googlegzip": lambda parts, size: _gzip(_google(parts, size), size),
}
"""Compression -> raw voxels of a box of some size, packed."""
WHOLE = ("lz4", "google", "googlegzip")
"""What is made of a whole box at once."""
HEADERS = {"googlegzip": {"content-encoding": "gzip"}}
"""The one body that says it is compressed."""


def _plain(body: Body, expected: int) -> tuple[int, bytes | bytearray]:
    return body.size, body.data[:expected]


def _unlz4(body: Body, expected: int) -> tuple[int, bytes]:
    if not body.data:
        raise Refusal(400, "received 0 LZ4 compressed bytes")
    try:
        data = voxels.DECODERS["lz4 bare"](body.data, expected)
    except Exception as bad:  # the codec's own
        raise Refusal(400, "Malformed compression stream") from bad
    # DVID decodes into a zeroed buffer and does not look how much of it was filled.
    return expected, data.ljust(expected, b"\0")


def _ungzip(body: Body, expected: int) -> tuple[int, bytes]:
    if not body.data:
        raise Refusal(400, "EOF")
    count, out = 0, bytearray()
    for piece in _members(bytes(body.data)):
        count += len(piece)
        out += piece[: max(0, expected - len(out))]
        if count > 2 * expected + BOMB_BYTES:
            # However much more it grows to, it is too much.
            break
    return count, bytes(out)


def _members(data: bytes) -> Iterator[bytes]:
    """What gzip members hold, a bounded piece at a time."""
    begun = False
    while data:
        stream = zlib.decompressobj(wbits=31)
        while not stream.eof:
            try:
                piece = stream.decompress(data, PIECE_BYTES)
            except zlib.error as bad:
                raise Refusal(400, "unexpected EOF" if begun else "gzip: invalid header") from bad
            if not piece and not stream.eof and not stream.unconsumed_tail:
                raise Refusal(400, "unexpected EOF")
            begun = True
            yield piece
            data = stream.unconsumed_tail
        data = stream.unused_data


DECOMPRESSIONS: dict[str, Callable[[Body, int], tuple[int, bytes | bytearray]]] = {
    "": _plain,
    "lz4": _unlz4,
    "gzip": _ungzip,
}
"""Compression of a posted body -> how many bytes it holds, and those."""
