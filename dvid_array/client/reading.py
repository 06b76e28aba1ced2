"""Reading voxels: requests planned, fetched side by side, and placed where they belong.

Owns the read transports, as a table. Must not know numpy keys.

Source: `GET .../subvolblocks`, `/specificblocks`, `/blocks`, `/raw`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dvid_array.box import Box
from dvid_array.client import caching, planning
from dvid_array.client.flights import Crew
from dvid_array.client.picks import Grid, Target
from dvid_array.client.planning import Request
from dvid_array.client.transport import Body, Call
from dvid_array.client.volume import Volume
from dvid_array.errors import DvidTypeError
from dvid_array.facts import COORDINATE_LIMIT, PARALLEL_VOXELS
from dvid_array.protocol import frames, paths, voxels
from dvid_array.protocol.voxels import Array

Come = Callable[[Box], None]
OVER_READ = 8
"""Where whole blocks hold more than this many times the voxels wanted, `raw` is asked instead."""


@dataclass(frozen=True, slots=True)
class ReadTransport:
    """One way to get voxels."""

    name: str
    serves: Callable[[Volume], bool]
    """Whether a volume can be read this way."""
    receive: Callable[[Volume, Request, Target, Body], None]
    call: Callable[[Volume, Request], Call]
    scatters: bool
    """Whether single blocks can be asked for."""
    streams: bool
    """Whether bodies are decoded while they come, so that their size costs no memory."""


def transport(volume: Volume, boxes: Sequence[Box]) -> ReadTransport:
    """The way to read some boxes: stored blocks, unless most of them would be thrown away.

    Raises
    ------
    DvidTypeError
        Where the settings name a way that this volume does not have.
    """
    # of all ways only `raw` masks
    wish = volume.settings.transport if volume.mask is None else "raw"
    able = [way for way in TRANSPORTS if way.serves(volume) and wish in ("auto", way.name)]
    if not able:
        raise DvidTypeError(
            f"{volume.instance.name!r} cannot be read by {wish!r}: "
            "leave Settings.transport at 'auto', and Settings.query without a roi"
        )
    fits = [way for way in able if not way.streams or not _wasteful(volume, boxes)]
    return (fits or able)[0]


def _wasteful(volume: Volume, boxes: Sequence[Box]) -> bool:
    """Whether whole blocks would be mostly thrown away. Labels travel compressed, so never."""
    if volume.instance.kind.family == "labels":
        return False
    blocks = sum(volume.grid.cover(box).size for box in boxes)
    return blocks > OVER_READ * sum(box.size for box in boxes) and len(boxes) == 1


def plan(volume: Volume, boxes: Sequence[Box]) -> tuple[ReadTransport, list[Request]]:
    """The requests that fetch some boxes, and how they are made."""
    _reachable(boxes)
    way = transport(volume, boxes)
    limit = PARALLEL_VOXELS
    if not way.streams:
        limit = max(1, volume.settings.piece_bytes // volume.voxel_bytes)
    return way, planning.requests(
        boxes, volume.grid, voxels=limit, pieces=volume.settings.threads, scatter=way.scatters
    )


def _reachable(boxes: Sequence[Box]) -> None:
    for box in boxes:
        if max(box.stop) - 1 > COORDINATE_LIMIT or min(box.start) < -COORDINATE_LIMIT - 1:
            raise IndexError(f"DVID's coordinates are signed 32-bit integers; {box} is beyond")


def read(volume: Volume, target: Target, boxes: Sequence[Box], come: Come | None = None) -> None:
    """Fill a target with the voxels it picks from some boxes, each block once; `come` hears of
    each box that has been fetched, from the thread that fetched it."""
    if caching.keeps(volume):
        caching.read(volume, boxes, target, lambda some, into: _fetch_all(volume, into, some, come))
    else:
        _fetch_all(volume, target, boxes, come)


def _fetch_all(volume: Volume, target: Target, boxes: Sequence[Box], come: Come | None) -> None:
    way, requests = plan(volume, _existing(volume, target, boxes))

    def work(request: Request) -> None:
        fetch(volume, way, request, target)
        if come:
            come(request.box)

    crew: Crew[Request] = Crew(volume.settings.threads, cut=True)
    crew.each(requests, work)


def _existing(volume: Volume, target: Target, boxes: Sequence[Box]) -> Sequence[Box]:
    """What to ask for: all of it, but of a proxy only what its store has. Elsewhere extents are a
    report, not a fence; a proxy answers with an error beyond its store."""
    if not volume.instance.proxied or volume.extents is None:
        return boxes
    fence = volume.grid.cover(volume.extents)
    for box in boxes:
        if not fence.contains(box):
            target.clear(box)
    return [found for box in boxes if not (found := box.intersect(fence)).empty]


def read_here(volume: Volume, box: Box, out: Array) -> None:
    """Fill an array of zeros with a box, in the calling thread: one piece of a larger work."""
    channels = range(volume.instance.kind.channels)
    axes = (range(a, b) for a, b in zip(box.start, box.stop, strict=True))
    way, requests = plan(volume, [box])
    for request in requests:
        fetch(volume, way, request, Grid((channels, *axes), out, fresh=True))


def fetch(volume: Volume, way: ReadTransport, request: Request, target: Target) -> None:
    """Make one request and place its voxels."""
    call = way.call(volume, request)
    volume.transport.send(call, lambda body: way.receive(volume, request, target, body))


def _receive_blocks(volume: Volume, request: Request, target: Target, body: Body) -> None:
    """Place block by block; blocks that do not come are zero."""
    kind, grid = volume.instance.kind, volume.grid
    asked = set(request.blocks) if request.blocks else set(grid.each(request.box))
    size = volume.voxel_bytes * np.prod(grid.block, dtype=np.int64).item()
    codec = _codec(volume)
    for block, payload in frames.unpack(body, asked.__contains__, _longest(size)):
        data = voxels.decode(codec, payload, size)
        array = voxels.from_bytes(data, grid.block, kind.dtype, kind.channels)
        target.place(grid.block_box(block), array)
        asked.discard(block)
    for block in asked:
        target.clear(grid.block_box(block))


def _longest(size: int) -> int:
    """Bytes a compressed block can have: noise grows a little in every codec."""
    return size + size // 100 + 4096


def _receive_raw(volume: Volume, request: Request, target: Target, body: Body) -> None:
    """Straight into the result where the piece is contiguous in it, else through a buffer."""
    kind, box = volume.instance.kind, request.box
    shape = (kind.channels, *box.shape)
    view = target.view(box)
    direct = view is not None and view.shape == shape and view.dtype == kind.dtype
    if view is None or not direct or not view.flags.f_contiguous:
        piece = np.empty(shape, kind.dtype, order="F")
        body.read_into(voxels.to_bytes(piece, kind.dtype))
        target.place(box, piece)
    else:
        body.read_into(voxels.to_bytes(view, kind.dtype))
    if surplus := (_raw_box(volume, box).size - box.size) * volume.voxel_bytes:
        body.take(surplus)


def _raw_box(volume: Volume, box: Box) -> Box:
    """The box to ask `raw` for: one plane more than a single block of a labelmap, which DVID
    answers with an error where it was never written. The plane comes last."""
    if volume.instance.kind.name != "labelmap" or box != volume.grid.block_box(
        next(volume.grid.each(box))
    ):
        return box
    return replace(box, stop=(*box.stop[:2], box.stop[2] + 1))


def _codec(volume: Volume) -> str:
    if volume.instance.proxied:
        return "proxied"
    return "lz4 bare" if volume.instance.kind.family == "labels" else volume.instance.compression


def _block_call(volume: Volume, request: Request) -> Call:
    """Stored blocks: of a box, or of a list."""
    instance, query = volume.instance, _query(volume)
    labels = instance.kind.family == "labels"
    if labels:
        query["compression"] = "lz4"
    if request.blocks:
        query["blocks"] = ",".join(paths.join(block, ",") for block in request.blocks)
        address = paths.instance(volume.uuid, instance.name, "specificblocks")
    else:
        action = "blocks" if labels else "subvolblocks"
        box = paths.box_args(volume.grid.cover(request.box))
        address = paths.instance(volume.uuid, instance.name, action, *box)
    return Call("GET", paths.path(address), query)


def _raw_call(volume: Volume, request: Request) -> Call:
    box = paths.box_args(_raw_box(volume, request.box))
    address = paths.instance(volume.uuid, volume.instance.name, "raw", paths.VOLUME, *box)
    return Call("GET", paths.path(address), _query(volume))


def _query(volume: Volume) -> dict[str, str]:
    query = volume.query
    if volume.scale:
        query["scale"] = str(volume.scale)
    if volume.supervoxels:
        query["supervoxels"] = "true"
    return query


def _stored_readable(volume: Volume) -> bool:
    """Whether stored blocks can be asked for and decoded here. A labelmap stored otherwise than
    gzip hands out wrong blocks (a fault of the server); the older label types differ."""
    instance = volume.instance
    if instance.kind.family == "labels":
        return instance.kind.name == "labelmap" and instance.compression == "gzip"
    return instance.proxied or instance.compression in ("lz4", "gzip", "none")


def _raw_readable(volume: Volume) -> bool:
    return not volume.instance.proxied


TRANSPORTS = (
    ReadTransport(
        "blocks", _stored_readable, _receive_blocks, _block_call, scatters=True, streams=True
    ),
    ReadTransport("raw", _raw_readable, _receive_raw, _raw_call, scatters=False, streams=False),
)
"""In order of preference."""
