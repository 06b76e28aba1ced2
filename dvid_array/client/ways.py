"""The ways in which voxels travel: what is asked, and how the answer is decoded and placed.

Owns the read transports, as a table. Must not know which of them is taken, nor how many requests
there are.

Source: `GET .../subvolblocks`, `/specificblocks`, `/blocks`, `/raw`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from dvid_array.box import Box, Triple
from dvid_array.client.picks import Target
from dvid_array.client.planning import Request
from dvid_array.client.transport import Body, Call
from dvid_array.client.volume import Volume
from dvid_array.errors import DvidProtocolError
from dvid_array.protocol import frames, gzips, label_blocks, paths, voxels
from dvid_array.protocol.voxels import Array

Placing = Callable[[Triple, memoryview], None]
"""Decodes the payload of a block, and puts its voxels where they belong."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to get voxels."""

    name: str
    """As in `Settings.transport`."""
    serves: Callable[[Volume], bool]
    """Whether a volume can be read this way."""
    receive: Callable[[Volume, Request, Target, Body], None]
    call: Callable[[Volume, Request], Call]
    scatters: bool
    """Whether single blocks can be asked for."""
    streams: bool
    """Whether bodies are decoded while they come, so that their size costs no memory."""


def _by_frames(placing: Callable[[Volume, Request, Target], Placing]) -> Callable[..., None]:
    """How a stream of blocks is received; blocks that do not come are zero."""

    def receive(volume: Volume, request: Request, target: Target, body: Body) -> None:
        grid = volume.grid
        asked = set(request.blocks) if request.blocks else set(grid.each(request.box))
        place = placing(volume, request, target)
        for block, payload in frames.unpack(body, asked.__contains__, _longest(volume)):
            place(block, payload)
            asked.discard(block)
        for block in asked:
            target.clear(grid.block_box(block))

    return receive


def _block_bytes(volume: Volume) -> int:
    return volume.voxel_bytes * prod(volume.grid.block)


def _longest(volume: Volume) -> int:
    """Bytes a compressed block can have: noise grows a little in every codec, and label blocks of
    it are larger than their voxels."""
    size = _block_bytes(volume)
    if volume.instance.kind.family == "labels":
        size = label_blocks.most_bytes(volume.grid.block)
    return size + size // 100 + 4096


def _plain_blocks(codec: Callable[[Volume], str]) -> Callable[[Volume, Request, Target], Placing]:
    """Blocks that are voxels in a row, compressed."""

    def placing(volume: Volume, request: Request, target: Target) -> Placing:
        kind, grid, size, name = (
            volume.instance.kind,
            volume.grid,
            _block_bytes(volume),
            codec(volume),
        )

        def place(block: Triple, payload: memoryview) -> None:
            data = voxels.decode(name, payload, size)
            array = voxels.from_bytes(data, grid.block, kind.dtype, kind.channels)
            target.place(grid.block_box(block), array)

        return place

    return placing


def _image_codec(volume: Volume) -> str:
    return "proxied" if volume.instance.proxied else volume.instance.compression


def _label_blocks(volume: Volume, request: Request, target: Target) -> Placing:
    """DVID's own label blocks: decoded straight into the result where it holds the whole block,
    else in one buffer, of which the wanted part is placed."""
    grid = volume.grid
    most = label_blocks.most_bytes(grid.block)
    engine = label_blocks.engine_for(len(request.blocks) * prod(grid.block) or request.box.size)
    spare: list[Array] = []

    def place(block: Triple, payload: memoryview) -> None:
        box, where = grid.block_box(block), f"{block} of {volume.instance.name!r}"
        try:
            data = gzips.unpack(payload, most)
        except ValueError as damage:
            raise DvidProtocolError(f"label block {where} is damaged: {damage}") from damage
        view = target.view(box)
        if view is not None and view.dtype == np.uint64:
            label_blocks.decode(data, view[0], where=where, engine=engine)
            return
        if not spare:
            spare.append(np.empty((1, *grid.block), np.uint64, order="F"))
        label_blocks.decode(data, spare[0][0], where=where, engine=engine)
        target.place(box, spare[0])

    return place


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


def _image_call(volume: Volume, request: Request) -> Call:
    return _block_call(volume, request, "subvolblocks", {})


def _label_call(volume: Volume, request: Request) -> Call:
    return _block_call(volume, request, "blocks", {"compression": "blocks"})


def _lz4_call(volume: Volume, request: Request) -> Call:
    return _block_call(volume, request, "blocks", {"compression": "lz4"})


def _block_call(volume: Volume, request: Request, action: str, how: dict[str, str]) -> Call:
    """Blocks of a box, or of a list."""
    uuid, name, asked = volume.uuid, volume.instance.name, query(volume) | how
    if request.blocks:
        asked["blocks"] = ",".join(paths.join(block, ",") for block in request.blocks)
        return Call("GET", paths.path(paths.instance(uuid, name, "specificblocks")), asked)
    box = paths.box_args(volume.grid.cover(request.box))
    return Call("GET", paths.path(paths.instance(uuid, name, action, *box)), asked)


def _raw_call(volume: Volume, request: Request) -> Call:
    box = paths.box_args(_raw_box(volume, request.box))
    address = paths.instance(volume.uuid, volume.instance.name, "raw", paths.VOLUME, *box)
    return Call("GET", paths.path(address), query(volume))


def query(volume: Volume) -> dict[str, str]:
    """Query arguments of every request for voxels of a volume."""
    made = volume.query
    if volume.scale:
        made["scale"] = str(volume.scale)
    if volume.supervoxels:
        made["supervoxels"] = "true"
    return made


def _has_stored_images(volume: Volume) -> bool:
    instance = volume.instance
    if instance.kind.family == "labels":
        return False
    return instance.proxied or instance.compression in ("lz4", "gzip", "none")


def _has_label_blocks(volume: Volume) -> bool:
    """Labels that are not stored as gzip, DVID hands out wrong; labelblk knows no such blocks."""
    instance = volume.instance
    return instance.kind.name in ("labelmap", "labelarray") and instance.compression == "gzip"


def _has_lz4_labels(volume: Volume) -> bool:
    instance = volume.instance
    as_stored = instance.kind.name == "labelblk" and instance.compression == "lz4"
    return as_stored or _has_label_blocks(volume)


def _has_raw(volume: Volume) -> bool:
    return not volume.instance.proxied


WAYS = (
    Way(
        "blocks",
        _has_stored_images,
        _by_frames(_plain_blocks(_image_codec)),
        _image_call,
        scatters=True,
        streams=True,
    ),
    Way(
        "blocks",
        _has_label_blocks,
        _by_frames(_label_blocks),
        _label_call,
        scatters=True,
        streams=True,
    ),
    Way(
        "lz4",
        _has_lz4_labels,
        _by_frames(_plain_blocks(lambda volume: "lz4 bare")),
        _lz4_call,
        scatters=False,  # only labelmap could
        streams=True,
    ),
    Way("raw", _has_raw, _receive_raw, _raw_call, scatters=False, streams=False),
)
"""In order of preference."""
