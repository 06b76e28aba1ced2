"""Extents after a write: exact, face by face, and never smaller than what others have written.

Owns the rule. Must not know voxels.

DVID grows extents to the posted blocks. A face that equals the block-rounded union of the old
extents and the written box is that rounding, and is set to the exact union; any other face was
grown by somebody else, and stays.

Source: `POST .../extents`; `datatype/imageblk/imageblk.go` (PostExtents).
"""

from __future__ import annotations

from dvid_array.box import EMPTY, BlockGrid, Box, triple
from dvid_array.client.volume import Volume

ROUNDS = 3
"""How often extents are set again when somebody else sets them meanwhile."""


class Growth:
    """What one write adds to the extents; a context around its posts.

    Writers of one process share a record of the extents, and tell one another through it which
    blocks they are posting: a face that is the rounding of another's post is not yet the truth.

    Parameters
    ----------
    volume : Volume
        Where is written.
    written : Box
        Hull of the voxels written.
    covered : Box
        Hull of the blocks posted.
    """

    def __init__(self, volume: Volume, written: Box, covered: Box) -> None:
        self._volume = volume
        self._written = written
        self._covered = covered
        self._record = volume.shared_extents

    def __enter__(self) -> Growth:
        record = self._record
        with record.lock:
            if not record.pending and not self._inside(record.box) and _trims(self._volume):
                # others may have written since this process last looked
                record.box = _reported(self._volume)
            record.pending[self] = self._covered
        return self

    def __exit__(self, *failed: object) -> None:
        self._record.pending.pop(self, None)

    def resume(self, before: Box | None) -> None:
        """Take the rounding of an earlier, interrupted run of this write off what is known;
        `before` are the extents before that run."""
        record = self._record
        with record.lock:
            if record.box is not None and record.pending.keys() == {self}:
                base, grid = before or self._written, self._volume.grid
                record.box = unrounded(record.box, base, self._written, grid)

    def settle(self) -> Box | None:
        """Bring the server's extents to the exact union, after all posts, and return them."""
        record = self._record
        with record.lock:
            if not self._inside(record.box):
                exact = (record.box or EMPTY).hull(self._written)
                found = _set(self._volume, exact)
                del record.pending[self]
                others = list(record.pending.values())
                if found and others:
                    # the server may have put back, with a post of theirs, what it read before
                    found = _without(exact_faces(found, exact, self._volume.grid), exact, others)
                record.box = found
            return record.box

    def _inside(self, known: Box | None) -> bool:
        return known is not None and known.contains(self._covered)


def settle(volume: Volume, before: Box | None, written: Box) -> Box | None:
    """Bring the server's extents to the exact union after a write whose beginning another process
    saw: `before` are the extents as they were then."""
    record = volume.shared_extents
    if before is not None and before.contains(volume.grid.cover(written)):
        return before
    exact = (before or EMPTY).hull(written)
    with record.lock:
        found = _set(volume, exact)
        record.box = found and _without(found, exact, list(record.pending.values()))
        return record.box


def unrounded(found: Box, before: Box, written: Box, grid: BlockGrid) -> Box:
    """The reported extents without the faces that posts of a write left behind: those where
    blocks begin, beyond `before`, and within what it covers."""
    covered = grid.cover(written)
    start = triple(
        b if f % n == 0 and c <= f < b else f
        for f, b, c, n in zip(found.start, before.start, covered.start, grid.block, strict=True)
    )
    stop = triple(
        b if f % n == 0 and b < f <= c else f
        for f, b, c, n in zip(found.stop, before.stop, covered.stop, grid.block, strict=True)
    )
    return Box(start, stop)


def _without(found: Box, exact: Box, pending: list[Box]) -> Box:
    """The extents with the rounding of writes in flight taken off."""
    lower = [{box.start[axis] for box in pending} for axis in range(3)]
    upper = [{box.stop[axis] for box in pending} for axis in range(3)]
    return Box(
        triple(
            e if f < e and f in faces else f
            for f, e, faces in zip(found.start, exact.start, lower, strict=True)
        ),
        triple(
            e if f > e and f in faces else f
            for f, e, faces in zip(found.stop, exact.stop, upper, strict=True)
        ),
    )


def _trims(volume: Volume) -> bool:
    return volume.instance.kind.has_extents and volume.settings.trim_extents


def _set(volume: Volume, exact: Box) -> Box | None:
    found = _reported(volume)
    if not _trims(volume):
        return found
    # zeros need not have been posted, and then nothing may have grown
    wanted = exact if found is None else exact_faces(found, exact, volume.grid)
    for _ in range(ROUNDS):
        if wanted != found:
            volume.catalog.post_extents(volume.uuid, volume.instance.name, wanted)
            found = _reported(volume) or wanted
        if found is not None and found.contains(wanted):
            return found
        wanted = wanted.hull(found or EMPTY)
    return found


def _reported(volume: Volume) -> Box | None:
    return volume.catalog.instance(volume.uuid, volume.instance.name).extents


def exact_faces(found: Box, exact: Box, grid: BlockGrid) -> Box:
    """The reported extents with this write's own rounding taken off.

    Parameters
    ----------
    found : Box
        What the server reports.
    exact : Box
        Union of the extents before and the box written.
    grid : BlockGrid
        Where blocks begin.
    """
    rounded = grid.cover(exact)
    start = triple(
        e if f == r else min(f, e)
        for f, e, r in zip(found.start, exact.start, rounded.start, strict=True)
    )
    stop = triple(
        e if f == r else max(f, e)
        for f, e, r in zip(found.stop, exact.stop, rounded.stop, strict=True)
    )
    return Box(start, stop)
