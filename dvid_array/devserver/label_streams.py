"""Labels as streams of blocks, both ways. Must not know the store's tables.

Source: `datatype/labelmap/blocks.go`, `read.go` (readStreamedBlock), `write.go` (storeBlocks).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from dvid_array.box import Triple
from dvid_array.devserver import geometry, label_calls, label_storage, label_writes, volumes
from dvid_array.devserver.answers import (
    BINARY,
    Answer,
    Body,
    InstanceCall,
    NeedsBody,
    Piece,
    Refusal,
    Reply,
    pieces,
    refusal,
)
from dvid_array.devserver.label_storage import LabelCodec
from dvid_array.devserver.service import PIECE_BYTES
from dvid_array.devserver.store import Db
from dvid_array.errors import DvidProtocolError
from dvid_array.protocol import frames, label_blocks

SHUFFLED = 64
"""Frames whose order is mixed at a time: DVID sends them as they get ready."""
LEAST_GZIP = 10
"""Bytes of a gzip header."""

Stored = Callable[[Db], Iterable[tuple[Triple, bytes]]]
Transcode = Callable[[LabelCodec, bytes], Piece]
TRANSCODERS: dict[str, Transcode] = {
    "blocks": LabelCodec.block,
    "lz4": LabelCodec.lz4,
    "gzip": LabelCodec.gzip,
    "uncompressed": LabelCodec.plain,
}


# --- GET -----------------------------------------------------------------------------------------


def blocks(call: InstanceCall) -> Answer:
    """GET blocks/<size>/<offset>, POST blocks."""
    volumes.throttle(call)
    scale = label_calls.scale(call, "bad scale specified: ")
    if call.method != "GET":
        return _post(call, scale)
    args = call.address.args
    if len(args) < 2:
        raise Refusal(400, "must specify size and offset with GET /blocks endpoint")
    subvolume = geometry.subvolume(args[0], args[1])
    if not subvolume.aligned(call.instance.block):
        raise refusal("unaligned blocks", endpoint="blocks", **volumes.corners(subvolume))
    volume, wanted = volumes.stored_at(call, scale), subvolume.blocks(call.instance.block)
    return _streamed(call, lambda db: volume.box(db, wanted), "lz4")


def specific(call: InstanceCall) -> Reply:
    """GET specificblocks."""
    scale = label_calls.scale(call)
    if call.method != "GET":
        word = call.method.lower()
        raise Refusal(
            400, f"DVID does not accept the {word} action on the 'specificblocks' endpoint"
        )
    text = call.query.get("blocks", "")
    listed = geometry.block_list(text) if text else []
    if not listed:
        return Reply(b"", BINARY)
    volume = volumes.stored_at(call, scale)
    return _streamed(call, lambda db: volume.listed(db, listed), "blocks")


def _streamed(call: InstanceCall, stored: Stored, default: str) -> Reply:
    transcode = TRANSCODERS.get(call.query.get("compression", "") or default)
    if transcode is None:
        raise refusal("block compression")
    codec = label_calls.codec(call)
    parts = _framed(call, stored, lambda data: transcode(codec, data))
    return Reply(pieces(parts, PIECE_BYTES), BINARY)


def _framed(
    call: InstanceCall, stored: Stored, transcode: Callable[[bytes], Piece]
) -> Iterator[Piece]:
    """Frames in an order that nobody may count on."""
    with call.service.store.reading() as db:
        found = iter(stored(db))
        while batch := list(islice(found, SHUFFLED)):
            random.shuffle(batch)
            for block, data in batch:
                payload = transcode(data)
                yield frames.HEADER.pack(*block, len(payload))
                yield payload


# --- POST ----------------------------------------------------------------------------------------


@dataclass
class _Stream:
    """The blocks of a posted stream, up to its end or first fault."""

    stored: dict[Triple, bytes] = field(default_factory=dict)
    highest: int = 0
    fault: str = ""


def _read(call: InstanceCall, data: bytearray) -> _Stream:
    stream, view, place = _Stream(), memoryview(data), 0
    try:
        while place < len(view):
            if place + frames.HEADER.size > len(view):
                raise ValueError("unexpected EOF")
            *block, size = frames.HEADER.unpack_from(view, place)
            place += frames.HEADER.size
            payload = view[place : place + (size % (1 << 32))]
            place += size % (1 << 32)
            x, y, z = block
            stream.highest = max(stream.highest, _checked(call, payload, (x, y, z), size))
            stream.stored[x, y, z] = bytes(payload)
    except ValueError as bad:
        stream.fault = str(bad)
    return stream


def _checked(call: InstanceCall, payload: memoryview, block: Triple, size: int) -> int:
    """The highest label of a posted block; ValueError in DVID's words where it is none."""
    where, size = f"({', '.join(map(str, block))})", size % (1 << 32)
    if size == 0:
        raise ValueError(f"illegal zero length block at block {where} detected")
    if len(payload) < size:
        raise ValueError(
            f"error reading {size} bytes for block {where}: {len(payload)} actually read "
            f"({'unexpected EOF' if len(payload) else 'EOF'})"
        )
    if size < LEAST_GZIP or bytes(payload[:2]) != b"\x1f\x8b":
        short = "unexpected EOF" if size < LEAST_GZIP else "gzip: invalid header"
        raise ValueError(f"can't initiate gzip reader on compressed data of length {size}: {short}")
    try:
        plain = label_storage.unpacked(payload, call.instance)
    except DvidProtocolError as bad:
        raise ValueError(f"can't read all {size} bytes from gzipped block {where}: {bad}") from bad
    if len(plain) < label_blocks.SOLID_BYTES:
        raise ValueError(f"can't unmarshal block binary of length {len(plain)}")
    if plain[12:16] == bytes(4):
        raise ValueError("block has 0 labels, which is not allowed")
    labels = label_blocks.decode(plain, shape=call.instance.block, where=where)
    return int(np.max(labels))


def _check_storage(call: InstanceCall) -> None:
    if call.instance.facts["compression"] != "gzip":
        name = {"lz4": "LZ4 compression", "none": "No compression"}
        kept = name.get(call.instance.facts["compression"], "jpeg compression")
        raise Refusal(
            400,
            f'labelmap "{call.instance.name}" cannot accept GZIP /blocks POST since it internally '
            f"uses {kept}",
        )


def _post(call: InstanceCall, scale: int) -> NeedsBody:
    lower = call.query.get("downres") == "true"

    def posted(body: Body) -> Reply:
        if lower and scale:
            raise Refusal(400, "cannot downscale blocks of scale > 0")
        if call.query.get("compression", "") not in ("", "blocks"):
            raise Refusal(400, 'compression must be "blocks" (default) at this time')
        try:
            _check_storage(call)
        except Refusal:
            volumes.count_mutation(call)
            raise
        stream = _read(call, body.data)
        with call.service.label_lock:
            _store(call, stream, scale, lower=lower and not stream.fault)
        if stream.fault:
            raise Refusal(400, stream.fault)
        return Reply()

    return NeedsBody(posted, keep=call.service.max_body)


def _store(call: InstanceCall, stream: _Stream, scale: int, *, lower: bool) -> None:
    if scale:
        label_writes.ingest(call, stream.stored, scale)
        volumes.count_mutation(call)
        return
    labels = label_writes.Decoded(LabelCodec(call.instance), stream.stored)
    indexed = call.query.get("noindexing") != "true" and not stream.fault
    post = label_writes.Post(stream.stored, labels, stream.highest, indexed=indexed, downres=lower)
    label_writes.blocks(call, post, whole=not stream.fault)


def ingest(call: InstanceCall) -> NeedsBody:
    """POST ingest-supervoxels: blocks are stored, nothing follows. Any method is taken."""
    scale = label_calls.scale(call, "bad scale specified: ")

    def posted(body: Body) -> Reply:
        _check_storage(call)
        stream = _read(call, body.data)
        label_writes.ingest(call, stream.stored, scale)
        if stream.fault:
            raise Refusal(400, stream.fault)
        return Reply()

    return NeedsBody(posted, keep=call.service.max_body)
