"""Writing voxels: whole blocks posted as they are, border blocks read, patched and posted.

Owns what may be written, in what pieces, and what is told of a failure. Must not know numpy keys.

Source: `POST .../raw/0_1_2/<size>/<offset>`; `datatype/imageblk/write.go`,
`datatype/labelmap/write.go`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from dvid_array.box import EMPTY, Box, triple
from dvid_array.client import extents, planning, reading, registry
from dvid_array.client.flights import Crew
from dvid_array.client.picks import Grid
from dvid_array.client.transport import Call
from dvid_array.client.volume import Volume
from dvid_array.errors import (
    DvidConnectionError,
    DvidError,
    DvidLockedError,
    DvidPermissionError,
    DvidProtocolError,
    DvidServerError,
    DvidTimeoutError,
    DvidTypeError,
    DvidWriteError,
)
from dvid_array.facts import COORDINATE_LIMIT, PARALLEL_VOXELS
from dvid_array.protocol import paths, voxels

UNKNOWN = (DvidTimeoutError, DvidConnectionError, DvidProtocolError, DvidServerError)
"""After these nobody knows whether a post has landed; after all others it has not."""
LABEL_POSTS = 2
"""Posts of labels in flight: the server takes them one by one, so one waits while one travels."""


@dataclass(frozen=True, slots=True)
class _Piece:
    box: Box
    """Whole blocks."""
    whole: bool
    """Whether every voxel of it is written, so that nothing must be read."""


@dataclass
class _Outcome:
    stored: list[Box] = field(default_factory=list)
    failed: list[Box] = field(default_factory=list)
    unknown: list[Box] = field(default_factory=list)


def write(volume: Volume, source: Grid) -> Volume:
    """Write picked voxels; returns the volume with the extents it has afterwards.

    Raises
    ------
    DvidLockedError, DvidTypeError, DvidPermissionError, IndexError
        Before anything is sent, where the volume does not take writes.
    DvidWriteError
        Where some pieces were stored and others not.
    """
    pieces = _pieces(volume, source)
    if not pieces:
        return volume
    covered = _hull([piece.box for piece in pieces])
    check_writable(volume, covered)
    outcome = _Outcome()
    try:
        _crew(volume).each(pieces, lambda piece: _store(volume, source, piece, outcome))
    except Exception as error:
        raise _told(error, pieces, outcome) from error
    except KeyboardInterrupt as stop:
        stop.add_note(str(_told(DvidError("the write was interrupted"), pieces, outcome)))
        raise
    return volume.with_extents(_settled(volume, source, covered, outcome))


def _settled(volume: Volume, source: Grid, covered: Box, outcome: _Outcome) -> Box | None:
    try:
        return extents.settle(volume, _touched(source), covered)
    except DvidError as error:
        raise DvidWriteError(
            f"every voxel is stored, but the extents could not be set exactly: {error}",
            stored=outcome.stored,
        ) from error


def _crew(volume: Volume) -> Crew[_Piece]:
    threads = volume.settings.threads
    if volume.instance.kind.family == "labels":
        threads = min(threads, LABEL_POSTS)
    return Crew(threads, cut=False)


def check_writable(volume: Volume, box: Box) -> None:
    """Refuse, with the way out, what DVID would refuse or get wrong.

    Merges of a labelmap are asked of the server each time: anybody may have made some since.
    """
    for refuses, error, text in REFUSALS:
        if refuses(volume, box):
            name = volume.instance.name
            raise error(text.format(name=name, uuid=volume.uuid, scale=volume.scale, box=box))


def _merged(volume: Volume, box: Box) -> bool:
    kind = volume.instance.kind
    if volume.supervoxels or not kind.has_versions_of_labels:
        return False
    return volume.catalog.merged(volume.uuid, volume.instance.name)


REFUSALS: tuple[tuple[Callable[[Volume, Box], bool], type[Exception], str], ...] = (
    (
        lambda volume, box: volume.locked,
        DvidLockedError,
        "version {uuid} is committed and cannot change: write to node.new_version()",
    ),
    (
        lambda volume, box: volume.scale > 0,
        DvidTypeError,
        "{name!r} is open at scale {scale}, where DVID would overwrite scale 0: write at scale 0, "
        "the server computes the others",
    ),
    (
        lambda volume, box: volume.instance.proxied,
        DvidPermissionError,
        "{name!r} is a proxy of a read-only store: write to an instance of your own",
    ),
    (
        lambda volume, box: volume.instance.compression == "jpeg",
        DvidTypeError,
        "{name!r} stores JPEG: patching a block would change its other voxels too. "
        "Write to an instance created with compression='lz4'",
    ),
    (
        lambda volume, box: volume.instance.max_scale > 0 and min(box.start) < 0,
        DvidTypeError,
        "{name!r} has several scales, which DVID cannot compute at negative coordinates ({box}): "
        "create it with max_scale=0, or shift the data",
    ),
    (
        lambda volume, box: (
            max(box.stop) - 1 > COORDINATE_LIMIT or min(box.start) < -COORDINATE_LIMIT - 1
        ),
        IndexError,
        "DVID's coordinates are signed 32-bit integers; {box} is beyond",
    ),
    (
        _merged,
        DvidTypeError,
        "{name!r} has merged bodies at this version, and writing through the merged view would "
        "bake them in for good: use open(..., supervoxels=True)",
    ),
)
"""In this order; the last one costs a request."""


def _pieces(volume: Volume, source: Grid) -> list[_Piece]:
    """Whole blocks first, then the slabs of border blocks around them."""
    grid, kind = volume.grid, volume.instance.kind
    limit = min(PARALLEL_VOXELS, max(1, volume.settings.piece_bytes // volume.voxel_bytes))
    box = source.box if len(source.coordinates[0]) == kind.channels else None
    if source.array.size == 0:
        return []
    if box is None:
        borders, inner = [grid.cover(part) for part in source.boxes(grid)], EMPTY
    else:
        inner = grid.inner(box)
        borders = grid.cover(box).without(inner)
    threads = volume.settings.threads
    pieces = [
        _Piece(p, whole=True) for p in planning.slabs(inner, grid, voxels=limit, pieces=threads)
    ]
    pieces += [
        _Piece(piece, whole=False)
        for border in borders
        for piece in planning.slabs(border, grid, voxels=limit // 2)
    ]
    return pieces


def _touched(source: Grid) -> Box:
    """The hull of the voxels written."""
    ends = [(int(min(axis)), int(max(axis)) + 1) for axis in source.coordinates[1:]]
    return Box(triple(a for a, _ in ends), triple(b for _, b in ends))


def _hull(boxes: list[Box]) -> Box:
    hull = EMPTY
    for box in boxes:
        hull = hull.hull(box)
    return hull


def _store(volume: Volume, source: Grid, piece: _Piece, outcome: _Outcome) -> None:
    """Post one piece, under the locks of its blocks, and note what became of it."""
    keys = [(*volume.key, block) for block in volume.grid.each(piece.box)]
    posting = False
    try:
        with registry.state().blocks.hold(keys):
            body = _body(volume, source, piece)
            posting = True
            post(volume, piece.box, body)
    except BaseException as error:
        lost = posting and (isinstance(error, UNKNOWN) or not isinstance(error, Exception))
        (outcome.unknown if lost else outcome.failed).append(piece.box)
        raise
    outcome.stored.append(piece.box)


def _body(volume: Volume, source: Grid, piece: _Piece) -> memoryview:
    dtype = volume.instance.kind.dtype
    view = source.view(piece.box) if piece.whole else None
    if view is not None:
        return voxels.to_bytes(view, dtype)
    shape = (volume.instance.kind.channels, *piece.box.shape)
    patched = np.zeros(shape, dtype, order="F")
    reading.read_here(_as_stored(volume), piece.box, patched)
    source.patch(piece.box, patched)
    return voxels.to_bytes(patched, dtype)


def _as_stored(volume: Volume) -> Volume:
    """The volume as its blocks are stored: labels before merges."""
    return volume.unmerged() if volume.instance.kind.has_versions_of_labels else volume


def post(volume: Volume, box: Box, body: memoryview) -> None:
    """Post whole blocks. Repeating it changes nothing, so it is repeated when its answer is lost:
    labels are posted with `mutate=true`, without which a repeat would corrupt the label index."""
    query = {"throttle": "on"} if volume.settings.server_throttle else {}
    data: bytes | memoryview = body
    if volume.instance.kind.family == "labels":
        data = voxels.encode_lz4(body, sized=False)
        query |= {"compression": "lz4", "mutate": "true"}
    address = paths.instance(
        volume.uuid, volume.instance.name, "raw", paths.VOLUME, *paths.box_args(box)
    )
    volume.transport.document(Call("POST", paths.path(address), query, data))


def _told(error: Exception, pieces: list[_Piece], outcome: _Outcome) -> Exception:
    """The error to raise: as it is where nothing was stored, else what became of every box."""
    if not outcome.stored and not outcome.unknown:
        return error
    tried = {*outcome.stored, *outcome.failed, *outcome.unknown}
    failed = outcome.failed + [piece.box for piece in pieces if piece.box not in tried]
    facts = {
        name: getattr(error, name)
        for name in ("sentence", "method", "url", "status")
        if isinstance(error, DvidError)
    }
    return DvidWriteError(
        f"the write failed half way: of {len(pieces)} pieces {len(outcome.stored)} are stored, "
        f"{len(failed)} are not, {len(outcome.unknown)} may be (.stored, .failed, .unknown); "
        f"writing the same again is safe. The first fault: {error}",
        stored=outcome.stored,
        failed=failed,
        unknown=outcome.unknown,
        **facts,
    )
