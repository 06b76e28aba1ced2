"""Reading voxels: requests planned, fetched side by side, and placed where they belong.

Owns what is asked for, in which order, and where it goes. Must not know numpy keys, nor how voxels
travel: the ways are a table in `ways`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from dvid_array.box import Box
from dvid_array.client import caching, planning
from dvid_array.client.flights import Crew
from dvid_array.client.masks import Body, Matching
from dvid_array.client.picks import Grid, Target
from dvid_array.client.planning import Request, Terms
from dvid_array.client.regions import Inside
from dvid_array.client.volume import Volume
from dvid_array.client.ways import WAYS, Way
from dvid_array.errors import DvidTypeError
from dvid_array.facts import COORDINATE_LIMIT, PARALLEL_VOXELS
from dvid_array.protocol.voxels import Array

Come = Callable[[Box], None]
OVER_READ = 8
"""Where whole blocks hold more than this many times the voxels wanted, `raw` is asked instead."""


def transport(volume: Volume, boxes: Sequence[Box]) -> Way:
    """The way to read some boxes: stored blocks, unless most of them would be thrown away.

    Raises
    ------
    DvidTypeError
        Where the settings name a way that this volume does not have.
    """
    # of all ways only `raw` masks
    wish = volume.settings.transport if volume.masked_by is None else "raw"
    able = [way for way in WAYS if way.serves(volume) and wish in ("auto", way.name)]
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


def plan(volume: Volume, boxes: Sequence[Box]) -> tuple[Way, list[Request]]:
    """The requests that fetch some boxes, and how they are made."""
    way, seen, terms = _asked(volume, boxes)
    return way, planning.requests(seen, volume.grid, terms)


def cost(volume: Volume, boxes: Sequence[Box]) -> tuple[Way, Sequence[Box], int]:
    """How some boxes would be fetched, what of them would be asked for, and in how many
    requests."""
    way, seen, terms = _asked(volume, boxes)
    return way, seen, planning.number(seen, volume.grid, terms)


def _asked(volume: Volume, boxes: Sequence[Box]) -> tuple[Way, Sequence[Box], Terms]:
    """The way to read some boxes, what of them is asked for, and what requests may be."""
    _reachable(boxes)
    seen = _seen(volume, boxes)
    way = transport(volume, seen)
    limit = PARALLEL_VOXELS
    if not way.streams:
        limit = max(1, volume.settings.piece_bytes // volume.voxel_bytes)
    return way, seen, Terms(limit, volume.settings.threads, way.scatters)


def _reachable(boxes: Sequence[Box]) -> None:
    for box in boxes:
        if max(box.stop) - 1 > COORDINATE_LIMIT or min(box.start) < -COORDINATE_LIMIT - 1:
            raise IndexError(f"DVID's coordinates are signed 32-bit integers; {box} is beyond")


def read(volume: Volume, target: Target, boxes: Sequence[Box], come: Come | None = None) -> None:
    """Fill a target with the voxels it picks from some boxes, each block once; `come` hears of
    each box that has been fetched, from the thread that fetched it."""
    if volume.regions:
        _read_inside(volume, target, boxes, come)
        return
    if volume.body:
        _read_body(volume, volume.body, target, boxes, come)
        return
    state = caching.state_of(volume)
    if state is None:
        _fetch_all(volume, target, boxes, come)
        return

    def fetch(some: Sequence[Box], into: Target) -> None:
        _fetch_all(volume, into, some, come)

    caching.read(volume, state, boxes, target, fetch)


def _read_inside(volume: Volume, target: Target, boxes: Sequence[Box], come: Come | None) -> None:
    """Blocks that no region touches are not fetched; voxels outside of the regions are zero."""
    for box in boxes:
        target.clear(box)
    for region in volume.regions:
        target = Inside(region, volume.scale, target)
    read(replace(volume, regions=()), target, _seen(volume, boxes), come)


def _read_body(
    volume: Volume, body: Body, target: Target, boxes: Sequence[Box], come: Come | None
) -> None:
    """Only blocks that the body touches are fetched; elsewhere its mask is False."""
    _reachable(boxes)
    for box in boxes:
        target.clear(box)
    labels = replace(volume, body=None)
    read(labels, Matching(body.label, target), body.boxes(boxes, volume.grid), come)


def _seen(volume: Volume, boxes: Sequence[Box]) -> Sequence[Box]:
    """What some boxes share with the blocks that all regions touch, and the body."""
    for region in volume.regions:
        boxes = caching.merged(region.boxes(boxes, volume.grid, volume.scale))
    return volume.body.boxes(boxes, volume.grid) if volume.body else boxes


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
    target = Grid((channels, *axes), out, fresh=True)
    way, requests = plan(volume, [box])
    for request in requests:
        fetch(volume, way, request, target)


def fetch(volume: Volume, way: Way, request: Request, target: Target) -> None:
    """Make one request and place its voxels."""
    call = way.call(volume, request)
    volume.transport.send(call, lambda body: way.receive(volume, request, target, body))
