"""The ways in which whole blocks are posted: what a post carries, and how much of it.

Owns the write transports, as a table. Must not know which blocks are whole, nor what becomes of a
post.

Source: `POST .../raw/0_1_2/<size>/<offset>`, `POST .../blocks`; `datatype/labelmap/write.go`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dvid_array.box import BlockGrid, Box, triple
from dvid_array.client.transport import Call
from dvid_array.client.volume import Volume
from dvid_array.errors import DvidTypeError
from dvid_array.facts import PARALLEL_VOXELS
from dvid_array.protocol import frames, gzips, label_blocks, paths, voxels
from dvid_array.protocol.voxels import Array

Refusal = tuple[Callable[[Volume, Box], bool], type[Exception], str]
"""When, as what and in which words a write is refused; words may name {name} and {box}."""
SCALES_AT_ONCE = 2
"""Lower scales whose blocks a piece of an ingest fills whole: four blocks along each axis."""


@dataclass(frozen=True, slots=True)
class Posting:
    """One way to post whole blocks. Picklable."""

    call: Callable[[Volume, Box, Array], Call]
    """The post of a box of whole blocks, with its voxels (c, x, y, z)."""
    cells: Callable[[Volume], BlockGrid]
    """Where pieces of whole blocks may be cut."""
    most: Callable[[Volume], int]
    """Voxels of such a piece."""
    plain: bool
    """Whether a body is as large as its voxels."""
    again: str
    """What is told of writing the same again, after a failure."""
    refusals: tuple[Refusal, ...] = ()
    """Besides those of every write."""


def _raw(volume: Volume, box: Box, array: Array) -> Call:
    """Repeating it changes nothing, so it is repeated when its answer is lost: labels are posted
    with `mutate=true`, without which a repeat would corrupt the label index."""
    query = volume.query
    data: bytes | memoryview = voxels.to_bytes(array, volume.instance.kind.dtype)
    if volume.instance.kind.family == "labels":
        data = voxels.encode_lz4(data, sized=False)
        query |= {"compression": "lz4", "mutate": "true"}
    name = volume.instance.name
    address = paths.instance(volume.uuid, name, "raw", paths.VOLUME, *paths.box_args(box))
    return Call("POST", paths.path(address), query, data)


def _blocks(volume: Volume, box: Box, array: Array) -> Call:
    """DVID's own blocks, which it keeps as they come, without a word to its label index.

    It is not repeated when its answer is lost. The voxels would be the same, but instances that
    are synced with this one hear of each ingest as of something new, and count it again.
    """
    engine = label_blocks.engine_for(box.size)
    stream = []
    for block in volume.grid.each(box):
        inside = volume.grid.block_box(block).slices(box.start)
        labels = array[(0, *inside)].astype(np.uint64, copy=False)
        stream.append(frames.pack(block, gzips.pack(label_blocks.encode(labels, engine=engine))))
    query = volume.query | {"noindexing": "true"}
    if volume.instance.max_scale:
        query["downres"] = "true"
    address = paths.instance(volume.uuid, volume.instance.name, "blocks")
    return Call("POST", paths.path(address), query, b"".join(stream), repeatable=False)


def _stored_blocks(volume: Volume) -> BlockGrid:
    return volume.grid


def _families(volume: Volume) -> BlockGrid:
    """Blocks that have a block of a lower scale in common go in one post: DVID computes that
    once, and out of all of them. Of one part at a time it makes a block of zeros where the part
    is zeros."""
    step = 1 << min(volume.instance.max_scale, SCALES_AT_ONCE)
    return BlockGrid(triple(n * step for n in volume.grid.block))


def held(volume: Volume) -> int:
    """Voxels of a body that is held in memory, one for each request in flight."""
    return min(PARALLEL_VOXELS, max(1, volume.settings.piece_bytes // volume.voxel_bytes))


def _parallel(volume: Volume) -> int:
    """Label blocks are so small that memory sets no limit."""
    return PARALLEL_VOXELS


def _takes_no_blocks(volume: Volume, box: Box) -> bool:
    instance = volume.instance
    return instance.kind.name != "labelmap" or instance.compression != "gzip"


def _masked(volume: Volume, box: Box) -> bool:
    return volume.masked_by is not None


INDEXED = Posting(_raw, _stored_blocks, held, plain=True, again="writing the same again is safe")
"""As voxels; a labelmap's index and the lower scales follow."""
INGEST = Posting(
    _blocks,
    _families,
    _parallel,
    plain=False,
    again="ingesting the same again stores the same voxels, but whatever is synced with this "
    "instance counts them again",
    refusals=(
        (
            _takes_no_blocks,
            DvidTypeError,
            "only labelmaps that are stored as gzip take blocks as they are, and {name!r} is none: "
            "write without ingest",
        ),
        (
            _masked,
            DvidTypeError,
            "an ingest cannot be masked: write without ingest, or without a roi in Settings.query",
        ),
    ),
)
"""As label blocks; the lower scales follow, the index does not."""
