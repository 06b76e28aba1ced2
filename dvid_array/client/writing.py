"""Writing voxels: whole blocks posted as they are, border blocks read, patched and posted.

Owns what may be written, in what pieces, and what is told of a failure. Must not know numpy keys.

How a piece is posted is a table in `posting`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import numpy as np

from dvid_array.box import EMPTY, Box, triple
from dvid_array.client import extents, families, planning, posting, reading, registry
from dvid_array.client.flights import Crew
from dvid_array.client.picks import Grid
from dvid_array.client.posting import INDEXED, Posting, Refusal
from dvid_array.client.volume import Volume
from dvid_array.errors import (
    DvidError,
    DvidLockedError,
    DvidPermissionError,
    DvidTypeError,
    DvidWriteError,
)
from dvid_array.facts import COORDINATE_LIMIT
from dvid_array.protocol.voxels import Array

T = TypeVar("T")

LABEL_POSTS = 2
"""Posts of labels in flight: the server takes them one by one, so one waits while one travels."""
HELD_BYTES = 44 << 20
"""Bodies in memory at once. The allocator may keep one more that was freed, and sending takes a
little: together a write stays within 64 MiB."""


@dataclass(frozen=True, slots=True)
class _Piece:
    box: Box
    """Whole blocks."""
    whole: bool
    """Whether every voxel of it is written, so that nothing must be read."""


class Fate(Enum):
    """What became of a piece; the attributes of `DvidWriteError`."""

    STORED = "stored"
    FAILED = "failed"
    UNKNOWN = "unknown"


Fates = dict[Box, Fate]
"""By the pieces' boxes."""


def write(volume: Volume, source: Grid) -> Volume:
    """Write picked voxels; returns the volume with the extents it has afterwards.

    Raises
    ------
    DvidLockedError, DvidTypeError, DvidPermissionError, IndexError
        Before anything is sent, where the volume does not take writes.
    DvidWriteError
        Where some pieces were stored and others not.
    """
    work = _Work(volume, source, INDEXED)
    if not work.pieces:
        return volume
    covered = _hull(list(work.fates))
    check_writable(volume, covered)
    with extents.Growth(volume, _touched(source), covered) as growth:
        return volume.with_extents(work.send(growth.settle))


def deposit(volume: Volume, source: Grid, how: Posting) -> None:
    """Write picked voxels, and nothing else: refusals and extents are the matter of the one who
    hands out parts, and sees to it that no two of them share a block."""
    _Work(volume, source, how).send(lambda: None)


class _Work:
    """The pieces of one write, and what became of them."""

    def __init__(self, volume: Volume, source: Grid, how: Posting) -> None:
        self._volume = volume
        self._source = source
        self._how = how
        self.pieces = _pieces(volume, source, how)
        self.fates = {piece.box: Fate.FAILED for piece in self.pieces}

    def send(self, settle: Callable[[], T]) -> T:
        """Post pieces, then settle; what became of them is told where that fails half way."""
        try:
            _crew(self._volume, self.pieces, self._how).each(self.pieces, self._store)
            return settle()
        except Exception as error:
            if set(self.fates.values()) == {Fate.FAILED}:
                raise
            raise half_way(error, self.fates, self._how) from error
        except KeyboardInterrupt as stop:
            told = half_way(DvidError("it was interrupted"), self.fates, self._how)
            stop.add_note(str(told))
            raise

    def _store(self, piece: _Piece) -> None:
        """Post one piece, under the locks of its blocks, and note what became of it."""
        volume, box = self._volume, piece.box
        keys = [(*volume.key, block) for block in volume.grid.each(box)]
        with registry.state().blocks.hold(keys):
            array = _voxels(volume, self._source, piece)
            parts = families.parts(array, box, volume.grid, _scales_that_follow(volume))
            if len(parts) > 1:
                del self.fates[box]
                self.fates |= {part: Fate.FAILED for part, _ in parts}
            for part, filled in parts:
                if filled or not _is_zero(volume, part):
                    self._post(part, array[(slice(None), *part.slices(box.start))])
                self.fates[part] = Fate.STORED

    def _post(self, box: Box, array: Array) -> None:
        call = self._how.call(self._volume, box, array)
        self.fates[box] = Fate.UNKNOWN
        try:
            self._volume.transport.done(call)
        except DvidError as error:
            if not error.uncertain:
                self.fates[box] = Fate.FAILED
            raise


def _scales_that_follow(volume: Volume) -> int:
    """Coarser scales that the server computes from a post. Where it rounds extents and nobody
    trims them, every block is posted as it is: extents must grow to it."""
    return volume.instance.max_scale if volume.settings.trim_extents else 0


def _is_zero(volume: Volume, box: Box) -> bool:
    """Whether the server has nothing but zeros in some blocks, so that none need be posted."""
    found = np.zeros((volume.instance.kind.channels, *box.shape), volume.dtype, order="F")
    reading.read_here(as_stored(volume), box, found)
    return not found.any()


def _crew(volume: Volume, pieces: list[_Piece], how: Posting) -> Crew[_Piece]:
    """As many threads as the settings say, whose bodies fit the memory a write may take."""
    held = [piece.box.size for piece in pieces if how.plain or not piece.whole]
    largest = max(held, default=1) * volume.voxel_bytes
    threads = min(volume.settings.threads, max(1, HELD_BYTES // largest))
    if volume.instance.kind.family == "labels":
        threads = min(threads, LABEL_POSTS)
    return Crew(threads, cut=False)


def check_writable(
    volume: Volume, box: Box, *, lossy: bool = False, how: Posting = INDEXED
) -> None:
    """Refuse, with the way out, what DVID would refuse or get wrong; JPEG not, where losses are
    accepted.

    Merges of a labelmap are asked of the server each time: anybody may have made some since.
    """
    for refuses, error, text in how.refusals + REFUSALS:
        if not (lossy and refuses is _loses) and refuses(volume, box):
            name = volume.instance.name
            raise error(text.format(name=name, uuid=volume.uuid, scale=volume.scale, box=box))


def _loses(volume: Volume, box: Box) -> bool:
    return volume.instance.compression == "jpeg"


def _merged(volume: Volume, box: Box) -> bool:
    kind = volume.instance.kind
    if volume.supervoxels or not kind.has_versions_of_labels:
        return False
    return volume.catalog.merged(volume.uuid, volume.instance.name)


REFUSALS: tuple[Refusal, ...] = (
    (
        lambda volume, box: bool(volume.regions),
        DvidTypeError,
        "this shows {name!r} inside a region of interest only: write to the array itself",
    ),
    (
        lambda volume, box: volume.body is not None,
        DvidTypeError,
        "the mask of a body of {name!r} cannot be written: write labels to the array itself",
    ),
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
        _loses,
        DvidTypeError,
        "{name!r} stores JPEG: patching a block would change its other voxels too. "
        "Write to an instance created with compression='lz4', or whole blocks by "
        "dvid_array.store(..., lossy=True)",
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


def _pieces(volume: Volume, source: Grid, how: Posting) -> list[_Piece]:
    """Whole blocks first, then the slabs of border blocks around them."""
    grid, kind = volume.grid, volume.instance.kind
    box = source.box if len(source.coordinates[0]) == kind.channels else None
    if source.array.size == 0:
        return []
    if box is None:
        borders, inner = [grid.cover(part) for part in source.boxes(grid)], EMPTY
    else:
        inner = grid.inner(box)
        borders = grid.cover(box).without(inner)
    threads = volume.settings.threads
    whole = planning.slabs(inner, how.cells(volume), voxels=how.most(volume), pieces=threads)
    pieces = [_Piece(piece, whole=True) for piece in whole]
    pieces += [
        _Piece(piece, whole=False)
        for border in borders
        for piece in planning.slabs(border, grid, voxels=posting.held(volume) // 2)
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


def _voxels(volume: Volume, source: Grid, piece: _Piece) -> Array:
    """What a piece is to hold: the source's own memory, or what is there with the source in it."""
    view = source.view(piece.box) if piece.whole else None
    if view is not None:
        return view
    kind = volume.instance.kind
    patched = np.zeros((kind.channels, *piece.box.shape), kind.dtype, order="F")
    reading.read_here(as_stored(volume), piece.box, patched)
    source.patch(piece.box, patched)
    return patched


def as_stored(volume: Volume) -> Volume:
    """The volume as its blocks are stored: unmasked, and labels before merges."""
    whole = volume.unmasked()
    return whole.unmerged() if volume.instance.kind.has_versions_of_labels else whole


def half_way(
    error: Exception, fates: Fates, how: Posting, part: Box | None = None
) -> DvidWriteError:
    """What became of every box; `part` is the one to which the fault happened."""
    boxes = {fate.value: [box for box in fates if fates[box] is fate] for fate in Fate}
    if len(boxes["stored"]) == len(fates):
        told = f"every voxel is stored, but the extents could not be set exactly: {error}"
    else:
        counts = ", ".join(f"{len(boxes[fate.value])} {fate.value}" for fate in Fate)
        told = (
            f"the write failed half way: of {len(fates)} pieces {counts} (.stored, .failed, "
            f".unknown; the unknown may still land); {how.again}. "
            f"The first fault{f', in {part}' if part else ''}: {error}"
        )
    named = ("sentence", "method", "url", "status") if isinstance(error, DvidError) else ()
    facts = {name: getattr(error, name) for name in named}
    return DvidWriteError(told, **boxes, first=error, **facts)
