"""Labels under points. Must not know the store's tables.

DVID divides towards zero: a point with a negative coordinate that is no multiple of the block is
looked for in a block beside its own, at a place before that block's first voxel. Where the block
has one label DVID finds that; else it reads bits of other voxels, where this server answers 0.

Source: `datatype/labelmap/points.go`, `datatype/common/labels/compressed.go` (GetPointLabels).
"""

from __future__ import annotations

import numpy as np

from dvid_array.box import Triple, triple
from dvid_array.devserver import geometry, label_calls, numbers, volumes
from dvid_array.devserver.answers import (
    JSON,
    Answer,
    InstanceCall,
    Refusal,
    Reply,
    spaced_json_reply,
)
from dvid_array.devserver.label_storage import LabelCodec, Labels
from dvid_array.devserver.numbers import Rows


def label(call: InstanceCall) -> Reply:
    """GET label/<x_y_z>."""
    if not call.address.args:
        raise Refusal(400, "DVID requires coord to follow 'label' command")
    text = call.address.args[0]
    parts = text.split("_")
    if len(parts) != 3:
        raise Refusal(400, f'String "{text}" cannot be converted to a 3d point')
    point = np.array([[geometry.whole(part) for part in parts]], np.int32)
    scale = label_calls.scale(call, "bad scale specified: ")
    return spaced_json_reply({"Label": int(at(call, point, scale)[0])})


def labels(call: InstanceCall) -> Answer:
    """GET labels, with the points in the body."""
    if call.method != "GET":
        raise Refusal(400, "Batch labels query must be a GET request")
    scale = label_calls.scale(call, "bad scale specified: ")

    def asked(points: Rows) -> Reply:
        return numbers_reply(at(call, points, scale))

    return label_calls.listed(
        call, "labels", lambda body: numbers.rows(body, 3, "dvid.Point3d"), asked
    )


def numbers_reply(found: Labels) -> Reply:
    """A list of numbers in DVID's spelling."""
    return Reply(f"[{','.join(map(str, found.tolist()))}]".encode(), JSON)


def at(call: InstanceCall, points: Rows, scale: int = 0) -> Labels:
    """The labels under points (x, y, z)."""
    out = np.zeros(len(points), np.uint64)
    edge = np.array(call.instance.block, np.int64)
    places = points.astype(np.int64)
    blocks = np.sign(places) * (abs(places) // edge)
    inside = places - blocks * edge
    distinct, owner = np.unique(blocks, axis=0, return_inverse=True)
    order = np.argsort(owner.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(owner.reshape(-1), minlength=len(distinct))).tolist()
    codec, volume = label_calls.codec(call), volumes.stored_at(call, scale)
    with call.service.store.reading() as db:
        for block, start, end in zip(distinct.tolist(), [0, *ends], ends, strict=False):
            mine, stored = order[start:end], volume.get(db, triple(block))
            if stored is not None:
                out[mine] = _picked(codec, stored, inside[mine], call.instance.block)
    return out


def exactly_at(call: InstanceCall, point: Triple, scale: int = 0) -> int:
    """The label under a point, right also where it has negative coordinates."""
    codec, edge = label_calls.codec(call), call.instance.block
    block = triple(a // n for a, n in zip(point, edge, strict=True))
    with call.service.store.reading() as db:
        stored = volumes.stored_at(call, scale).get(db, block)
    if stored is None:
        return 0
    x, y, z = (a % n for a, n in zip(point, edge, strict=True))
    return int(codec.labels(stored)[x, y, z])


def _picked(codec: LabelCodec, stored: bytes, inside: Rows, block: Triple) -> Labels:
    labels = codec.labels(stored)
    below = np.any(inside < 0, axis=1)
    first = labels[0, 0, 0]
    if below.any() and (labels == first).all():
        return np.full(len(inside), first)
    x, y, z = np.where(below[:, None], 0, inside).T
    return np.where(below, np.uint64(0), labels[x, y, z])
