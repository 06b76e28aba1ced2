"""Answers of image instances (uint8blk … rgba8blk). Must not know the store's tables.

The order of checks is DVID's (`datatype/imageblk/imageblk.go`, ServeHTTP): it decides the sentence
where several things are wrong at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from dvid_array.box import Box, Triple
from dvid_array.devserver import boxes, catalog, geometry, instances, pictures, properties, volumes
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
)
from dvid_array.devserver.blocks import Volume
from dvid_array.devserver.encoding import Codec
from dvid_array.devserver.geometry import Subvolume
from dvid_array.devserver.service import PIECE_BYTES
from dvid_array.devserver.store import Db
from dvid_array.protocol import frames

FORMATS = {"none": "No compression", "lz4": "LZ4 compression", "gzip": "gzip compression"}
Transcode = Callable[[bytes], bytes | None]
Stored = Callable[[Db], Iterable[tuple[Triple, bytes]]]


def answer(call: InstanceCall) -> Answer:
    """The answer of an image instance."""
    if call.method not in ("GET", "POST"):
        raise refusal("wrong method", name=call.instance.name)
    attenuation = call.query.get("attenuation", "")
    if call.query.get("roi") and attenuation:
        steps = geometry.whole(attenuation, bits=64, function="Atoi")
        if not 1 <= steps <= 7:
            raise Refusal(400, "Attenuation should be from 1 to 7 (divides by 2^n)")
    handler = ENDPOINTS.get(call.address.action)
    if handler is None:
        raise volumes.unknown_endpoint(call)
    return handler(call)


# --- raw -----------------------------------------------------------------------------------------


def _raw(call: InstanceCall) -> Answer:
    args, word = call.address.args, call.address.action
    if len(args) < 3:
        raise Refusal(400, f'"{word}" must be followed by shape/size/offset')
    if call.instance.facts["gridstore"]:
        raise refusal("gridstore raw", name=call.instance.name)
    axes = geometry.axes(args[0])
    if len(axes) == 2:
        return volumes.picture(call, axes, Codec(call.instance))
    geometry.check_volume(axes)
    volumes.throttle(call)
    subvolume = geometry.subvolume(args[1], args[2])
    if call.method == "GET":
        return _read(call, subvolume)
    if word == "isotropic":
        raise Refusal(400, "can only POST 'raw' not 'isotropic' images")
    return _post(call, subvolume)


def _read(call: InstanceCall, subvolume: Subvolume) -> Reply:
    volumes.check_size(subvolume.voxels, str(subvolume), volumes.voxel_bytes(call))
    inside, codec = volumes.region(call), Codec(call.instance)
    if call.address.args[3:4] in (("jpg",), ("jpeg",)):
        with call.service.store.reading() as db:
            array = boxes.assemble(db, volumes.stored_at(call), codec, subvolume.box, inside)
        return pictures.stacked(array, call.address.args[3])
    if min(subvolume.size) < 0:
        # Two negative numbers pass DVID's check of the product, and cover nothing.
        return Reply(volumes.zeros(subvolume.voxels * volumes.voxel_bytes(call)), BINARY)
    parts = boxes.raw(call.service.store, volumes.stored_at(call), codec, subvolume.box, inside)
    return Reply(pieces(parts, PIECE_BYTES), BINARY)


def _post(call: InstanceCall, subvolume: Subvolume) -> NeedsBody:
    expected = subvolume.voxels * volumes.voxel_bytes(call)

    def posted(body: Body) -> Reply:
        if body.size != expected:
            raise refusal("wrong length", size=body.size, expected=expected, box=subvolume)
        try:
            inside = _check_post(call, subvolume)
        except Refusal:
            volumes.count_mutation(call)
            raise
        made = boxes.stored(Codec(call.instance), body.data, subvolume.box, inside)
        with call.service.store.writing() as db:
            volumes.still_open(db, call)
            volumes.stored_at(call).put(db, made)
            last = subvolume.last
            instances.grow_extents(db, call.instance.id, call.at, subvolume.offset, last)
            catalog.mutated(db, call.version.repo)
        return Reply()

    return NeedsBody(posted, keep=max(0, expected))


def _check_post(call: InstanceCall, subvolume: Subvolume) -> volumes.Region | None:
    inside = volumes.region(call)
    if not subvolume.aligned(call.instance.block):
        raise refusal("unaligned post", **volumes.corners(subvolume))
    return inside


# --- blocks --------------------------------------------------------------------------------------


def _transcoder(call: InstanceCall) -> Transcode:
    wanted = call.query.get("compression", "")
    if wanted not in ("", "uncompressed", "jpeg"):
        raise refusal("compression", value=wanted)
    codec = Codec(call.instance)
    if wanted == "uncompressed":
        return codec.decode
    if wanted == "jpeg" and codec.name != "jpeg":
        return lambda stored: None
    return lambda stored: stored


def _framed(call: InstanceCall, stored: Stored, transcode: Transcode) -> Iterator[Piece]:
    with call.service.store.reading() as db:
        for block, data in stored(db):
            payload = transcode(data)
            if payload is not None:
                yield frames.HEADER.pack(*block, len(payload))
                yield payload


def _specific(call: InstanceCall) -> Reply:
    if call.method != "GET":
        raise Refusal(400, "DVID does not accept the post action on the 'specificblocks' endpoint")
    transcode = _transcoder(call)
    text = call.query.get("blocks", "")
    listed = geometry.block_list(text) if text else []
    if call.on("prefetch"):
        return Reply(b"", BINARY)
    volume = volumes.stored_at(call)
    parts = _framed(call, lambda db: volume.listed(db, listed), transcode)
    return Reply(pieces(parts, PIECE_BYTES), BINARY)


def _subvolume_blocks(call: InstanceCall) -> Reply:
    if len(call.address.args) < 2:
        count = 4 + len(call.address.args)
        raise panicked(
            call.path, f"runtime error: index out of range [{count}] with length {count}"
        )
    volumes.throttle(call)
    subvolume = geometry.subvolume(call.address.args[0], call.address.args[1])
    if not subvolume.aligned(call.instance.block):
        raise refusal(
            "unaligned blocks",
            endpoint="block",
            **volumes.corners(subvolume),
        )
    if call.method != "GET":
        raise Refusal(400, "DVID does not accept the post action on the 'blocks' endpoint")
    transcode = _transcoder(call)
    volume, wanted = volumes.stored_at(call), subvolume.blocks(call.instance.block)
    if call.query.get("compression") == "jpeg":
        _check_jpeg(call, volume, wanted)
    parts = _framed(call, lambda db: volume.box(db, wanted), transcode)
    return Reply(pieces(parts, PIECE_BYTES), BINARY)


def _check_jpeg(call: InstanceCall, volume: Volume, wanted: Box) -> None:
    codec = Codec(call.instance)
    if codec.name == "jpeg":
        return
    with call.service.store.reading() as db:
        if next(iter(volume.box(db, wanted)), None) is None:
            return
    where = (
        ""
        if wanted.size == 1
        else f'unable to GET data Versioned data context for "{call.instance.name}" '
        f"(local id {call.instance.id}, version id {call.at}): "
    )
    raise Refusal(
        400,
        f"{where}can't encode JPEG: expected internal block data to be JPEG, "
        f"was {FORMATS[codec.name]} instead",
    )


def _span(call: InstanceCall) -> Answer:
    args = call.address.args
    if len(args) < 2:
        raise Refusal(400, '"blocks" must be followed by block-coord/span-x')
    if args[0].count("_") != 2:
        raise Refusal(400, f'cannot convert "{args[0]}" into a ChunkPoint3d')
    x, y, z = geometry.point(args[0])
    span = geometry.whole(args[1], bits=64, function="Atoi")
    codec = Codec(call.instance)
    if call.method == "GET":
        if not 0 <= span * codec.block_bytes < 1 << 31:
            raise panicked(call.path, "runtime error: makeslice: len out of range")
        blocks = Box((x, y, z), (x + span, y + 1, z + 1))
        return Reply(pieces(_filled(call, codec, blocks), PIECE_BYTES), BINARY)
    if call.instance.facts["gridstore"]:
        raise refusal("gridstore post", name=call.instance.name)
    return NeedsBody(
        lambda body: _post_span(call, (x, y, z), span, body),
        keep=max(0, span) * codec.block_bytes,
    )


def _filled(call: InstanceCall, codec: Codec, blocks: Box) -> Iterator[Piece]:
    """The blocks of a span, those missing as background: only here it is honoured."""
    blank = bytes([call.instance.facts["background"]]) * codec.block_bytes
    x, stop = blocks.start[0], blocks.stop[0]
    with call.service.store.reading() as db:
        for (found, _, _), data in volumes.stored_at(call).box(db, blocks):
            yield from (blank for _ in range(x, found))
            yield codec.decode(data)
            x = found + 1
    yield from (blank for _ in range(x, stop))


def _post_span(call: InstanceCall, start: Triple, span: int, body: Body) -> Reply:
    # DVID counts a byte a voxel here, so that wider types are cut: this server takes whole blocks.
    codec = Codec(call.instance)
    x, y, z = start
    size = codec.block_bytes
    if body.size < max(1, span) * size or span < 1:
        volumes.count_mutation(call)
        raise Refusal(400, "block data ceased before all block data read")
    data = memoryview(body.data)
    made = [
        ((x + index, y, z), codec.encode(data[index * size : (index + 1) * size]))
        for index in range(span)
    ]
    with call.service.store.writing() as db:
        volumes.still_open(db, call)
        volumes.stored_at(call).put(db, made)
        catalog.mutated(db, call.version.repo)
    return Reply()


# --- the table -----------------------------------------------------------------------------------


def _rawkey(call: InstanceCall) -> Reply:
    if call.address.args:
        raise Refusal(
            400,
            "rawkey endpoint should be followed by query strings (x, y, and z) giving block coord",
        )
    return Reply()


ENDPOINTS: dict[str, Callable[[InstanceCall], Answer]] = {
    "info": properties.image_info,
    "metadata": properties.metadata,
    "extents": properties.image_extents,
    "resolution": properties.image_resolution,
    "raw": _raw,
    "isotropic": _raw,
    "blocks": _span,
    "specificblocks": _specific,
    "subvolblocks": _subvolume_blocks,
    "rawkey": _rawkey,
}
