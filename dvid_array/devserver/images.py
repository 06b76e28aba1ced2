"""Answers of image instances (uint8blk … rgba8blk). Must not know the store's tables.

The order of checks is DVID's (`datatype/imageblk/imageblk.go`, ServeHTTP): it decides the sentence
where several things are wrong at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from dvid_array.box import Box, Triple
from dvid_array.devserver import boxes, catalog, geometry, instances, pictures, properties
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
from dvid_array.facts import MAX_ANSWER_BYTES
from dvid_array.protocol import frames

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
        raise unknown_endpoint(call)
    return handler(call)


def unknown_endpoint(call: InstanceCall) -> Refusal:
    """DVID's word for an endpoint that the type does not have."""
    kind = call.instance.kind.name
    return Refusal(
        400,
        f'Bad API call ({call.path}) for data "{call.instance.name}".  '
        f"See API help at http://{call.service.authority}/api/help/{kind}",
        bare=True,
    )


def _volume(call: InstanceCall) -> Volume:
    return Volume(call.instance.id, call.at)


# --- raw -----------------------------------------------------------------------------------------


def _raw(call: InstanceCall) -> Answer:
    args, word = call.address.args, call.address.action
    if len(args) < 3:
        raise Refusal(400, f'"{word}" must be followed by shape/size/offset')
    if call.instance.facts["gridstore"]:
        raise refusal("gridstore raw", name=call.instance.name)
    axes = geometry.axes(args[0])
    if len(axes) == 2:
        return _slice(call, axes)
    throttle(call)
    subvolume = geometry.subvolume(args[1], args[2])
    if call.method == "GET":
        return _read(call, subvolume)
    if word == "isotropic":
        raise Refusal(400, "can only POST 'raw' not 'isotropic' images")
    return _post(call, subvolume)


def throttle(call: InstanceCall) -> None:
    """Count a call that wants to be counted, until it is over."""
    if call.on("throttle"):
        call.service.throttle.enter()
        call.closing.callback(call.service.throttle.leave)


def refuse_roi(call: InstanceCall) -> None:
    """This server has no regions of interest, so that none can be found."""
    name = call.query.get("roi")
    if name:
        raise Refusal(400, f'Can\'t get ROI with name "{name}": invalid data instance name')


def check_size(voxels: int, geometry_text: str, voxel_bytes: int, prefix: str = "") -> None:
    """Refuse what is empty or more than one answer may hold."""
    if voxels <= 0:
        raise refusal(f"illegal {prefix}geometry", box=geometry_text)
    if voxels * voxel_bytes > MAX_ANSWER_BYTES:
        name = "labels too large" if prefix else "too large"
        raise refusal(name, size=voxels * voxel_bytes, limit=MAX_ANSWER_BYTES)


def voxel_bytes(call: InstanceCall) -> int:
    """Bytes of one voxel."""
    return call.instance.kind.dtype.itemsize * call.instance.kind.channels


def zeros(size: int) -> Iterator[Piece]:
    """So many zero bytes."""
    blank = bytes(min(size, PIECE_BYTES))
    while size > 0:
        yield blank[:size]
        size -= len(blank)


def _read(call: InstanceCall, subvolume: Subvolume) -> Reply:
    check_size(subvolume.voxels, str(subvolume), voxel_bytes(call))
    refuse_roi(call)
    codec = Codec(call.instance)
    if call.address.args[3:4] in (("jpg",), ("jpeg",)):
        with call.service.store.reading() as db:
            array = boxes.assemble(db, _volume(call), codec, subvolume.box)
        return pictures.stacked(array, call.address.args[3])
    if min(subvolume.size) < 0:
        # Two negative numbers pass DVID's check of the product, and cover nothing.
        return Reply(zeros(subvolume.voxels * voxel_bytes(call)), BINARY)
    parts = boxes.raw(call.service.store, _volume(call), codec, subvolume.box)
    return Reply(pieces(parts, PIECE_BYTES), BINARY)


def _post(call: InstanceCall, subvolume: Subvolume) -> NeedsBody:
    expected = subvolume.voxels * voxel_bytes(call)

    def posted(body: Body) -> Reply:
        if body.size != expected:
            raise refusal("wrong length", size=body.size, expected=expected, box=subvolume)
        refuse_roi(call)
        if not subvolume.aligned(call.instance.block):
            raise refusal(
                "unaligned post",
                start=geometry.shown(subvolume.offset),
                stop=geometry.shown(subvolume.last),
            )
        made = boxes.stored(Codec(call.instance), body.data, subvolume.box)
        with call.service.store.writing() as db:
            still_open(db, call)
            _volume(call).put(db, made)
            last = subvolume.last
            instances.grow_extents(db, call.instance.id, call.at, subvolume.offset, last)
            catalog.mutated(db, call.version.repo)
        return Reply()

    return NeedsBody(posted, keep=max(0, expected))


def still_open(db: Db, call: InstanceCall) -> None:
    """Refuse a write whose version was committed since its request came in."""
    versioned = call.instance.facts["versioned"]
    if versioned and not call.admin and catalog.version(db, call.at).locked:
        raise refusal(
            "locked data",
            method=call.method,
            endpoint=call.address.action,
            uuid=call.version.uuid,
        )


def _slice(call: InstanceCall, axes: tuple[int, ...]) -> Reply:
    plane = pictures.plane(axes, call.address.args[1], call.address.args[2])
    if call.method != "GET":
        raise Refusal(400, "DVID does not permit 2d mutations, only 3d block-aligned stores")
    wanted = plane
    if call.address.action == "isotropic":
        wanted = plane.isotropic(call.instance.facts["size"])
    check_size(wanted.pixels, str(wanted), voxel_bytes(call))
    refuse_roi(call)
    with call.service.store.reading() as db:
        array = boxes.assemble(db, _volume(call), Codec(call.instance), wanted.box)
    return pictures.picture(array, wanted, plane, call.address.args[3:4])


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
    volume = _volume(call)
    parts = _framed(call, lambda db: volume.listed(db, listed), transcode)
    return Reply(pieces(parts, PIECE_BYTES), BINARY)


def _subvolume_blocks(call: InstanceCall) -> Reply:
    if len(call.address.args) < 2:
        count = 4 + len(call.address.args)
        raise panicked(f"runtime error: index out of range [{count}] with length {count}")
    throttle(call)
    subvolume = geometry.subvolume(call.address.args[0], call.address.args[1])
    if not subvolume.aligned(call.instance.block):
        raise refusal(
            "unaligned blocks",
            endpoint="block",
            start=geometry.shown(subvolume.offset),
            stop=geometry.shown(subvolume.last),
        )
    if call.method != "GET":
        raise Refusal(400, "DVID does not accept the post action on the 'blocks' endpoint")
    transcode = _transcoder(call)
    volume, wanted = _volume(call), subvolume.blocks(call.instance.block)
    if call.query.get("compression") == "jpeg":
        _check_jpeg(call, volume, wanted)
    parts = _framed(call, lambda db: volume.box(db, wanted), transcode)
    return Reply(pieces(parts, PIECE_BYTES), BINARY)


def _check_jpeg(call: InstanceCall, volume: Volume, wanted: Box) -> None:
    codec = Codec(call.instance)
    if codec.name == "jpeg":
        return
    with call.service.store.reading() as db:
        if next(iter(volume.box(db, wanted)), None) is not None:
            format_name = {"none": "No compression", "lz4": "LZ4 compression"}.get(
                codec.name, "gzip compression"
            )
            raise Refusal(
                400,
                "can't encode JPEG: expected internal block data to be JPEG, "
                f"was {format_name} instead",
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
            raise panicked("runtime error: makeslice: len out of range")
        blocks = Box((x, y, z), (x + span, y + 1, z + 1))
        return Reply(pieces(_filled(call, codec, blocks), PIECE_BYTES), BINARY)
    if call.instance.facts["gridstore"]:
        raise refusal("gridstore post", name=call.instance.name)
    return NeedsBody(lambda body: _post_span(call, (x, y, z), span, body))


def _filled(call: InstanceCall, codec: Codec, blocks: Box) -> Iterator[Piece]:
    """The blocks of a span, those missing as background: only here it is honoured."""
    blank = bytes([call.instance.facts["background"]]) * codec.block_bytes
    x, stop = blocks.start[0], blocks.stop[0]
    with call.service.store.reading() as db:
        for (found, _, _), data in _volume(call).box(db, blocks):
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
        raise Refusal(400, "block data ceased before all block data read")
    data = memoryview(body.data)
    made = [
        ((x + index, y, z), codec.encode(data[index * size : (index + 1) * size]))
        for index in range(span)
    ]
    with call.service.store.writing() as db:
        still_open(db, call)
        _volume(call).put(db, made)
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
