"""Answers of regions of interest. Must not know the store's tables, nor voxels.

DVID divides towards zero where it makes a mask, so that its masks are wrong at negative offsets;
points are right.

Source: `datatype/roi/roi.go` (ServeHTTP, GetMask, PointQuery).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from dvid_array.box import Triple
from dvid_array.devserver import catalog, descriptions, geometry, instances, numbers, spans, volumes
from dvid_array.devserver.answers import (
    BINARY,
    JSON,
    Answer,
    Body,
    InstanceCall,
    NeedsBody,
    Refusal,
    Reply,
    json_reply,
    panicked,
    pieces,
)
from dvid_array.devserver.configuration import NO_LAYERS
from dvid_array.devserver.geometry import Subvolume
from dvid_array.devserver.instances import Extents
from dvid_array.devserver.numbers import Rows
from dvid_array.devserver.service import PIECE_BYTES
from dvid_array.devserver.spans import Inside
from dvid_array.facts import MAX_ANSWER_BYTES

MAX_LINE = 1 << 24
"""Longest line of a mask: it is made as a whole."""


def answer(call: InstanceCall) -> Answer:
    """The answer of a region."""
    handler = ENDPOINTS.get(call.address.action)
    if handler is None:
        raise volumes.unknown_endpoint(call)
    return handler(call)


def _info(call: InstanceCall) -> Reply:
    with call.service.store.reading() as db:
        root = catalog.repo(db, call.version.repo).root
    return json_reply(descriptions.info(call.instance, root, Extents(), {}))


# --- spans ---------------------------------------------------------------------------------------


def _roi(call: InstanceCall) -> Answer:
    # Any other method answers 200 and does nothing.
    handler = METHODS.get(call.method)
    return handler(call) if handler else Reply()


def _get(call: InstanceCall) -> Reply:
    with call.service.store.reading() as db:
        found = spans.load(db, call.instance.id, call.at)
    return json_reply(found.tolist())


def _post(call: InstanceCall) -> NeedsBody:
    def posted(body: Body) -> Reply:
        try:
            given = numbers.rows(body, 4, "dvid.Span")
        except ValueError as bad:
            raise numbers.refused(bad, "Error trying to parse POSTed JSON: ") from bad
        weird = np.flatnonzero(given[:, 3] < given[:, 2])
        # DVID has removed the old spans and looked at the new ones' layers before it refuses.
        seen = given[: weird[0] + 1] if len(weird) else given
        _replace(call, given[:0] if len(weird) else given, seen[:, 0])
        if len(weird):
            raise Refusal(
                400,
                f"Got weird span {given[weird[0]].tolist()}.  span[3] (X1) < span[2] (X0)",
            )
        return Reply()

    return NeedsBody(posted)


def _delete(call: InstanceCall) -> Reply:
    nothing = np.empty((0, 4), np.int32)
    _replace(call, nothing, nothing[:, 0])
    return Reply()


def _replace(call: InstanceCall, given: Rows, layers: Rows) -> None:
    ordered = np.unique(given, axis=0)
    facts = {"min_z": int(layers.min()), "max_z": int(layers.max())} if len(layers) else NO_LAYERS
    with call.service.store.writing() as db:
        volumes.still_open(db, call)
        fresh = instances.instance(db, call.instance.repo, call.instance.name)
        instances.set_facts(db, fresh, **facts)
        spans.put(db, call.instance.id, call.at, ordered)


METHODS: dict[str, Callable[[InstanceCall], Answer]] = {
    "GET": _get,
    "POST": _post,
    "DELETE": _delete,
}


# --- masks ---------------------------------------------------------------------------------------


def _mask(call: InstanceCall) -> Reply:
    args = call.address.args
    if call.method != "GET":
        raise Refusal(400, "ROI mask only supports GET")
    if len(args) < 3:
        raise Refusal(400, '"mask" must be followed by shape/size/offset')
    if len(geometry.axes(args[0])) != 3:
        raise Refusal(400, "Currently only 3d masks ('0_1_2' shape) is supported")
    subvolume = geometry.subvolume(args[1], args[2])
    if subvolume.voxels < 0:
        raise panicked(call.path, "runtime error: makeslice: len out of range")
    if subvolume.voxels > MAX_ANSWER_BYTES or subvolume.size[0] > MAX_LINE:
        raise Refusal(400, "This development server makes no masks of more than 3 GiB")
    if min(subvolume.size) < 0:
        # Two negative numbers cover nothing, and are answered with zeros.
        return Reply(volumes.zeros(subvolume.voxels), BINARY)
    with call.service.store.reading() as db:
        found = spans.load(db, call.instance.id, call.at)
    seen = found[_reached(found, subvolume, call.instance.block)]
    return Reply(pieces(_lines(seen, subvolume, call.instance.block), PIECE_BYTES), BINARY)


def _lines(found: Rows, subvolume: Subvolume, block: Triple) -> Iterator[bytes]:
    """The bytes of a mask, one row of blocks in one layer of voxels after another."""
    (x, y, z), (nx, ny, nz) = subvolume.offset, subvolume.size
    for bz in _blocks_along(z, nz, block[2]):
        plane = _plane(found[found[:, 0] == bz], subvolume, block)
        for _ in range(_shared(z, nz, bz, block[2])):
            for by, row in zip(_blocks_along(y, ny, block[1]), plane, strict=True):
                line = row.repeat(block[0])[x % block[0] :][:nx].tobytes()
                yield line * _shared(y, ny, by, block[1])


def _blocks_along(start: int, extent: int, edge: int) -> range:
    return range(start // edge, -(-(start + extent) // edge) if extent else start // edge)


def _shared(start: int, extent: int, number: int, edge: int) -> int:
    """How many voxels an axis of the box shares with a block."""
    return min(start + extent, (number + 1) * edge) - max(start, number * edge)


def _reached(found: Rows, subvolume: Subvolume, block: Triple) -> Inside:
    """Which spans DVID looks at: it divides towards zero."""
    x0, y0, z0 = (int(a / n) for a, n in zip(subvolume.offset, block, strict=True))
    x1, y1, z1 = (int(a / n) for a, n in zip(subvolume.last, block, strict=True))
    z, y, left, right = found.T
    reached: Inside = (z >= z0) & (z <= z1) & (y >= y0) & (y <= y1) & (right >= x0) & (left <= x1)
    return reached


def _plane(found: Rows, subvolume: Subvolume, block: Triple) -> Inside:
    """Which blocks (y, x) of a layer are inside."""
    left, top, _ = (a // n for a, n in zip(subvolume.offset, block, strict=True))
    width, height = (
        len(_blocks_along(subvolume.offset[axis], subvolume.size[axis], block[axis]))
        for axis in (0, 1)
    )
    steps = np.zeros((height, width + 1), np.int32)
    # A box that ends below 0 reaches, by DVID's division, a block too far.
    found = found[found[:, 1] < top + height]
    rows = found[:, 1] - top
    # A span begins at one block and ends before another: between them the sum is positive.
    np.add.at(steps, (rows, np.clip(found[:, 2] - left, 0, width)), 1)
    np.add.at(steps, (rows, np.clip(found[:, 3].astype(np.int64) + 1 - left, 0, width)), -1)
    inside: Inside = steps.cumsum(axis=1)[:, :-1] > 0
    return inside


# --- points --------------------------------------------------------------------------------------


def _points(call: InstanceCall) -> Answer:
    if call.method == "GET":
        raise Refusal(400, "ptquery requires POST with list of points")
    if call.method != "POST":
        return Reply()

    def asked(body: Body) -> Reply:
        try:
            points = numbers.rows(body, 3, "dvid.Point3d")
        except ValueError as bad:
            raise numbers.refused(bad) from bad
        with call.service.store.reading() as db:
            found = spans.load(db, call.instance.id, call.at)
        blocks = points // np.array(call.instance.block, np.int32)
        words = np.where(spans.inside(found, blocks), "true", "false").tolist()
        return Reply(f"[{','.join(words)}]".encode(), JSON)

    return NeedsBody(asked)


ENDPOINTS: dict[str, Callable[[InstanceCall], Answer]] = {
    "info": _info,
    "roi": _roi,
    "mask": _mask,
    "ptquery": _points,
}
