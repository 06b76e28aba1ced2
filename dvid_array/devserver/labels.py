"""Answers of labelmap instances. Must not know the store's tables.

Blocks hold supervoxels, and nothing is ever merged here: mapped labels and supervoxels are the
same. The order of checks is DVID's (`datatype/labelmap/handlers.go`): it decides the sentence where
several things are wrong at once. Any method but GET counts as POST at voxels, also as in DVID.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import islice

import numpy as np

from dvid_array.box import Triple
from dvid_array.devserver import boxes, catalog, downres, geometry, instances, properties, volumes
from dvid_array.devserver.answers import (
    BINARY,
    Answer,
    Body,
    InstanceCall,
    NeedsBody,
    Piece,
    Refusal,
    Reply,
    panicked,
    pieces,
    refusal,
    spaced_json_reply,
)
from dvid_array.devserver.blocks import Volume
from dvid_array.devserver.downres import Labels
from dvid_array.devserver.encoding import Codec, gzipped
from dvid_array.devserver.geometry import Subvolume
from dvid_array.devserver.label_bodies import COMPRESSIONS, DECOMPRESSIONS
from dvid_array.devserver.service import PIECE_BYTES
from dvid_array.devserver.store import Db
from dvid_array.facts import PARALLEL_VOXELS
from dvid_array.protocol import frames

VOXEL_BYTES = 8
SHUFFLED = 64
"""Frames whose order is mixed at a time: DVID sends them as they get ready."""
INDEXED = ("maxlabel", "nextlabel")
"""What only instances with indexed labels answer."""

Stored = Callable[[Db], Iterable[tuple[Triple, bytes]]]


def answer(call: InstanceCall) -> Answer:
    """The answer of a labelmap."""
    word = call.address.action
    if word in INDEXED and not call.instance.facts["indexed"]:
        raise Refusal(
            400,
            f'data "{call.instance.name}" is not label indexed (IndexedLabels=false): '
            f'"{word}" endpoint is not supported',
        )
    handler = ENDPOINTS.get(word)
    if handler is None:
        raise volumes.unknown_endpoint(call)
    return handler(call)


def _scale(call: InstanceCall, complaint: str = "") -> int:
    text = call.query.get("scale", "")
    try:
        # DVID cuts the number to eight bits and checks nothing.
        return geometry.whole(text, bits=64, function="Atoi") % 256 if text else 0
    except Refusal as bad:
        raise Refusal(bad.status, complaint + bad.text) from bad


# --- raw -----------------------------------------------------------------------------------------


def _raw(call: InstanceCall) -> Answer:
    args, word = call.address.args, call.address.action
    if len(args) < 3:
        raise Refusal(400, f"'{word}' must be followed by shape/size/offset")
    axes = geometry.axes(args[0])
    scale = _scale(call, "bad scale specified: ")
    if len(axes) == 2:
        return volumes.picture(call, axes, scale, "label ")
    geometry.check_volume(axes)
    volumes.throttle(call)
    subvolume = geometry.subvolume(args[1], args[2])
    if call.method == "GET":
        return _read(call, subvolume, scale)
    if word == "isotropic":
        raise Refusal(400, "can only POST 'raw' not 'isotropic' images")
    return _post(call, subvolume)


def _read(call: InstanceCall, subvolume: Subvolume, scale: int) -> Reply:
    wanted = call.query.get("compression", "")
    volume, codec = volumes.stored_at(call, scale), Codec(call.instance)
    block = call.instance.block
    single = subvolume.size == block and subvolume.aligned(block) and not call.query.get("roi")
    if single:
        # DVID has a path of its own for exactly one block, which fails where none is stored.
        _check_single(call, volume, subvolume, wanted)
    else:
        volumes.check_size(subvolume.voxels, str(subvolume), VOXEL_BYTES, "label ")
        volumes.refuse_roi(call)
    compress = COMPRESSIONS.get(wanted)
    if compress is None:
        raise refusal("label compression", value=wanted)
    if min(subvolume.size) < 0:
        parts = volumes.zeros(subvolume.voxels * VOXEL_BYTES)
    else:
        parts = boxes.raw(call.service.store, volume, codec, subvolume.box)
    made = compress(parts)
    if wanted == "lz4" and subvolume.voxels > PARALLEL_VOXELS:
        made = _one_at_a_time(call.service.large, made)
    return Reply(pieces(made, PIECE_BYTES), BINARY)


def _one_at_a_time(turn: AbstractContextManager[object], parts: Iterator[Piece]) -> Iterator[Piece]:
    """LZ4 is made of a whole box at once: one by one, the boxes do not add up."""
    with turn:
        made = list(parts)
    yield from made


def _check_single(
    call: InstanceCall, volume: Volume, subvolume: Subvolume, compression: str
) -> None:
    x, y, z = subvolume.blocks(call.instance.block).start
    with call.service.store.reading() as db:
        if volume.get(db, (x, y, z)) is not None:
            return
    if compression:
        raise refusal("missing label block", block=f"({x}, {y}, {z})")
    raise panicked(call.path, "runtime error: invalid memory address or nil pointer dereference")


def _post(call: InstanceCall, subvolume: Subvolume) -> NeedsBody:
    compression = call.query.get("compression", "")
    if compression not in DECOMPRESSIONS:
        raise refusal("label compression", value=compression)
    expected = subvolume.voxels * VOXEL_BYTES
    if expected < 0 and compression == "lz4":
        raise panicked(call.path, "runtime error: makeslice: len out of range")

    def posted(body: Body) -> Reply:
        size, data = DECOMPRESSIONS[compression](body, expected)
        name = call.instance.name
        if not subvolume.aligned(call.instance.block):
            raise refusal("unaligned labels", name=name, **volumes.corners(subvolume))
        if size != expected:
            raise refusal("wrong label length", name=name, expected=expected, size=size)
        volumes.refuse_roi(call)
        return _store(call, subvolume, data)

    # Compressed data can be a little longer than what it holds.
    return NeedsBody(posted, keep=max(0, expected + expected // 128) + 65536)


def _store(call: InstanceCall, subvolume: Subvolume, data: bytes | bytearray) -> Reply:
    codec, box = Codec(call.instance), subvolume.box
    fault: downres.NegativeOctantError | None = None
    with call.service.label_lock:
        made = boxes.stored(codec, data, box)
        highest = int(np.frombuffer(data, np.uint64).max())
        with call.service.store.writing() as db:
            volumes.still_open(db, call)
            fresh = instances.instance(db, call.instance.repo, call.instance.name)
            last = subvolume.last
            instances.grow_label_extents(db, fresh, call.at, subvolume.offset, last)
            volumes.stored_at(call).put(db, made)
            instances.raise_highest(db, fresh, call.at, highest)
            catalog.mutated(db, call.version.repo)
            try:
                changed = {block: array[0] for block, array in boxes.cut(codec, data, box)}
                _store_scales(db, call, codec, changed)
            except downres.NegativeOctantError as negative:
                # The voxels stay stored, as in DVID.
                fault = negative
    if fault:
        raise panicked(call.path, str(fault))
    return Reply()


def _store_scales(db: Db, call: InstanceCall, codec: Codec, changed: dict[Triple, Labels]) -> None:
    for scale in range(1, call.instance.facts["max_scale"] + 1):
        volume = volumes.stored_at(call, scale)

        def held(block: Triple, volume: Volume = volume) -> Labels:
            found = volume.get(db, block)
            if found is None:
                return np.zeros(codec.instance.block, np.uint64)
            labels: Labels = codec.array(codec.decode(found), codec.instance.block)[0]
            return labels

        changed = dict(downres.next_scale(changed, held))
        encoded = (
            (block, codec.encode(array.tobytes(order="F"))) for block, array in changed.items()
        )
        volume.put(db, encoded)


# --- blocks --------------------------------------------------------------------------------------


def _transcoder(call: InstanceCall, default: str) -> Callable[[bytes], bytes]:
    wanted = call.query.get("compression", "") or default
    if wanted == "blocks":
        raise Refusal(
            400,
            "This development server has no compression=blocks yet: "
            "ask for lz4, gzip or uncompressed",
        )
    codec = Codec(call.instance)
    transcoders: dict[str, Callable[[bytes], bytes]] = {
        "lz4": lambda stored: stored,
        "gzip": lambda stored: gzipped(codec.decode(stored)),
        "uncompressed": codec.decode,
    }
    if wanted not in transcoders:
        raise refusal("block compression")
    return transcoders[wanted]


def _framed(
    call: InstanceCall, stored: Stored, transcode: Callable[[bytes], bytes]
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


def _blocks(call: InstanceCall) -> Answer:
    if call.method != "GET":
        raise volumes.unknown_endpoint(call)
    volumes.throttle(call)
    scale = _scale(call, "bad scale specified: ")
    args = call.address.args
    if len(args) < 2:
        raise Refusal(400, "must specify size and offset with GET /blocks endpoint")
    subvolume = geometry.subvolume(args[0], args[1])
    if not subvolume.aligned(call.instance.block):
        raise refusal("unaligned blocks", endpoint="blocks", **volumes.corners(subvolume))
    transcode = _transcoder(call, "lz4")
    volume, wanted = volumes.stored_at(call, scale), subvolume.blocks(call.instance.block)
    parts = _framed(call, lambda db: volume.box(db, wanted), transcode)
    return Reply(pieces(parts, PIECE_BYTES), BINARY)


def _specific(call: InstanceCall) -> Reply:
    scale = _scale(call)
    if call.method != "GET":
        word = call.method.lower()
        raise Refusal(
            400, f"DVID does not accept the {word} action on the 'specificblocks' endpoint"
        )
    text = call.query.get("blocks", "")
    listed = geometry.block_list(text) if text else []
    transcode = _transcoder(call, "blocks") if listed else bytes
    volume = volumes.stored_at(call, scale)
    parts = _framed(call, lambda db: volume.listed(db, listed), transcode)
    return Reply(pieces(parts, PIECE_BYTES), BINARY)


# --- labels --------------------------------------------------------------------------------------


def _mappings(call: InstanceCall) -> Reply:
    if call.method != "GET":
        raise Refusal(400, "only POST action allowed for /mappings endpoint")
    volumes.throttle(call)
    # Nothing is merged, so that no supervoxel has another label.
    return Reply()


def _info(call: InstanceCall) -> Reply:
    if call.method == "POST":
        raise Refusal(400, "This development server does not change an instance's configuration")
    return properties.info(call)


def _max_label(call: InstanceCall) -> Reply:
    if call.method != "GET":
        raise volumes.unknown_endpoint(call)
    with call.service.store.reading() as db:
        highest = instances.highest_label(db, call.instance.id, call.at)
    if highest is None:
        name = call.instance.name
        raise Refusal(400, f"No maximum label found for {name} version {call.at}\n")
    return spaced_json_reply({"maxlabel": highest})


def _next_label(call: InstanceCall) -> Reply:
    if call.method != "GET":
        raise volumes.unknown_endpoint(call)
    facts = call.instance.facts
    return spaced_json_reply({"nextlabel": (facts["next_label"] or facts["highest_label"]) + 1})


ENDPOINTS: dict[str, Callable[[InstanceCall], Answer]] = {
    "info": _info,
    "metadata": properties.metadata,
    "extents": properties.extents,
    "resolution": properties.resolution,
    "raw": _raw,
    "isotropic": _raw,
    "blocks": _blocks,
    "specificblocks": _specific,
    "mappings": _mappings,
    "maxlabel": _max_label,
    "nextlabel": _next_label,
}
