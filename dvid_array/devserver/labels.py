"""Answers of labelmap instances. Must not know the store's tables.

Blocks hold supervoxels; bodies are what a mapping makes of them. The order of checks is DVID's
(`datatype/labelmap/handlers.go`): it decides the sentence where several things are wrong at once.
Any method but GET counts as POST at voxels, also as in DVID.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from dvid_array.devserver import (
    boxes,
    geometry,
    label_calls,
    label_ids,
    label_merges,
    label_points,
    label_sizes,
    label_sparse,
    label_splits,
    label_streams,
    label_writes,
    properties,
    volumes,
)
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
from dvid_array.devserver.geometry import Subvolume
from dvid_array.devserver.label_bodies import COMPRESSIONS, DECOMPRESSIONS, HEADERS, WHOLE
from dvid_array.devserver.label_storage import LabelCodec
from dvid_array.devserver.service import PIECE_BYTES
from dvid_array.facts import PARALLEL_VOXELS

VOXEL_BYTES = 8
INDEXED = (
    *("sparsevol", "sparsevol-by-point", "sparsevol-coarse", "maxlabel", "nextlabel"),
    *("split-supervoxel", "cleave", "merge", "fvdb"),
)
"""What only instances with indexed labels answer."""


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


# --- raw -----------------------------------------------------------------------------------------


def _raw(call: InstanceCall) -> Answer:
    args, word = call.address.args, call.address.action
    if len(args) < 3:
        raise Refusal(400, f"'{word}' must be followed by shape/size/offset")
    axes = geometry.axes(args[0])
    scale = label_calls.scale(call, "bad scale specified: ")
    if len(axes) == 2:
        return volumes.picture(call, axes, label_calls.codec(call), scale, "label ")
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
    volume, codec = volumes.stored_at(call, scale), label_calls.codec(call)
    block = call.instance.block
    single = subvolume.size == block and subvolume.aligned(block) and not call.query.get("roi")
    if single:
        # DVID has a path of its own for exactly one block, which fails where none is stored.
        _check_single(call, volume, subvolume, wanted)
    else:
        volumes.check_size(subvolume.voxels, str(subvolume), VOXEL_BYTES, "label ")
    inside = volumes.region(call)
    if inside and scale:
        raise Refusal(400, "DVID does not currently support ROI masks on lower-scale GETs")
    compress = COMPRESSIONS.get(wanted)
    if compress is None:
        raise refusal("label compression", value=wanted)
    if min(subvolume.size) < 0:
        parts = volumes.zeros(subvolume.voxels * VOXEL_BYTES)
    else:
        parts = boxes.raw(call.service.store, volume, codec, subvolume.box, inside)
    made = compress(parts, subvolume.size)
    if wanted in WHOLE and subvolume.voxels > PARALLEL_VOXELS:
        made = _one_at_a_time(call.service.large, made)
    return Reply(pieces(made, PIECE_BYTES), BINARY, headers=HEADERS.get(wanted, {}))


def _one_at_a_time(turn: AbstractContextManager[object], parts: Iterator[Piece]) -> Iterator[Piece]:
    """Some bodies are made of a whole box at once: one by one, the boxes do not add up."""
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
        return _store(call, subvolume, data, volumes.region(call))

    # Compressed data can be a little longer than what it holds.
    return NeedsBody(posted, keep=max(0, expected + expected // 128) + 65536)


def _store(
    call: InstanceCall,
    subvolume: Subvolume,
    data: bytes | bytearray,
    inside: volumes.Region | None,
) -> Reply:
    codec = LabelCodec(call.instance)
    changed = {
        block: voxels[0]
        for block, voxels in boxes.cut(call.instance, data, subvolume.box)
        if inside is None or inside.holds(block)
    }
    highest = max((int(labels.max()) for labels in changed.values()), default=0)
    with call.service.label_lock:
        stored = {block: codec.stored(labels[None]) for block, labels in changed.items()}
        mutate = call.query.get("mutate") == "true"
        post = label_writes.Post(stored, changed, highest, mutate=mutate)
        label_writes.raw(call, post, subvolume.offset, subvolume.last)
    return Reply()


# --- labels --------------------------------------------------------------------------------------


def _info(call: InstanceCall) -> Reply:
    if call.method == "POST":
        raise Refusal(400, "This development server does not change an instance's configuration")
    return properties.info(call)


ENDPOINTS: dict[str, Callable[[InstanceCall], Answer]] = {
    "info": _info,
    "metadata": properties.metadata,
    "extents": properties.extents,
    "resolution": properties.resolution,
    "raw": _raw,
    "isotropic": _raw,
    "blocks": label_streams.blocks,
    "specificblocks": label_streams.specific,
    "ingest-supervoxels": label_streams.ingest,
    "label": label_points.label,
    "labels": label_points.labels,
    "size": label_sizes.size,
    "sizes": label_sizes.sizes,
    "supervoxels": label_sizes.supervoxels,
    "supervoxel-sizes": label_sizes.supervoxel_sizes,
    "sparsevol-size": label_sizes.sparse_size,
    "listlabels": label_sizes.list_labels,
    "existing-labels": label_sizes.existing_labels,
    "lastmod": label_sizes.last_mod,
    "index": label_sizes.index,
    "sparsevol": label_sparse.sparse_volume,
    "sparsevol-by-point": label_sparse.by_point,
    "sparsevol-coarse": label_sparse.coarse,
    "mapping": label_merges.mapping,
    "mappings": label_merges.mappings,
    "merge": label_merges.merge,
    "cleave": label_merges.cleave,
    "renumber": label_merges.renumber,
    "split": label_splits.refused,
    "split-supervoxel": label_splits.split,
    "maxlabel": label_ids.max_label,
    "nextlabel": label_ids.next_label,
}
