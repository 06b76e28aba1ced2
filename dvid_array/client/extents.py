"""Extents after a write: exact, face by face, and never smaller than what others have written.

Owns the rule. Must not know voxels.

DVID grows extents to the posted blocks. A face that equals the block-rounded union of the old
extents and the written box is that rounding, and is set to the exact union; any other face was
grown by somebody else, and stays.

Source: `POST .../extents`; `datatype/imageblk/imageblk.go` (PostExtents).
"""

from __future__ import annotations

from dvid_array.box import EMPTY, BlockGrid, Box
from dvid_array.client.volume import Volume

ROUNDS = 3
"""How often extents are set again when somebody else sets them meanwhile."""


def settle(volume: Volume, written: Box, covered: Box) -> Box | None:
    """Bring the server's extents to the exact union, and return them.

    Parameters
    ----------
    volume : Volume
        Where was written.
    written : Box
        Hull of the voxels written.
    covered : Box
        Hull of the blocks posted.
    """
    record = volume.shared_extents
    with record.lock:
        if record.box is not None and record.box.contains(covered):
            return record.box
        record.box = _set(volume, (record.box or EMPTY).hull(written))
        return record.box


def _set(volume: Volume, exact: Box) -> Box | None:
    found = _reported(volume)
    if not volume.instance.kind.has_extents or not volume.settings.trim_extents or found is None:
        return found
    wanted = exact_faces(found, exact, volume.grid)
    for _ in range(ROUNDS):
        if wanted != found:
            volume.catalog.post_extents(volume.uuid, volume.instance.name, wanted)
            found = _reported(volume) or wanted
        if found.contains(wanted):
            return found
        wanted = found.hull(wanted)
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
    start = tuple(
        e if f == r else min(f, e)
        for f, e, r in zip(found.start, exact.start, rounded.start, strict=True)
    )
    stop = tuple(
        e if f == r else max(f, e)
        for f, e, r in zip(found.stop, exact.stop, rounded.stop, strict=True)
    )
    return Box(start, stop)  # type: ignore[arg-type]
