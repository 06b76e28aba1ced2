"""What a labelmap's index knows of bodies: sizes, supervoxels, blocks; and where their voxels are.

Owns these exchanges. Must not know public objects.

DVID brings its index up to date behind a write's answer, and a commit does not wait for it, so
nothing here is kept.

Source: `GET .../sizes`, `/mapping`, `/supervoxels`, `/sparsevol-coarse`;
`datatype/labelmap/handlers.go`, `datatype/labelmap/labelidx.go`.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dvid_array.box import EMPTY, Box, triple
from dvid_array.client import reading
from dvid_array.client.flights import Crew
from dvid_array.client.masks import Body, Hull, Pieces
from dvid_array.client.transport import Call
from dvid_array.client.volume import Volume
from dvid_array.errors import DvidError, DvidNotFoundError, DvidProtocolError, DvidTypeError
from dvid_array.protocol import documents, paths, runs
from dvid_array.protocol.runs import Runs

Ids = NDArray[np.uint64]

BATCH = 10_000
"""Ids in one request."""
MOST_BLOCKS = 1 << 24
"""No server keeps an index of a body with more blocks: each entry is half a gigabyte then, and the
list of blocks takes twice that here."""


def check_indexed(volume: Volume) -> None:
    """Refuse volumes whose server knows nothing of bodies; it would answer zeros.

    Raises
    ------
    DvidTypeError
        Says what to do instead.
    """
    instance = volume.instance
    if instance.kind.name != "labelmap":
        raise DvidTypeError(
            f"{instance.name!r} is a {instance.kind.name}, and only a labelmap knows bodies: "
            "compare its voxels, as in arr.to_dask() == label"
        )
    if not instance.indexed:
        raise DvidTypeError(
            f"{instance.name!r} was made without an index of its bodies (IndexedLabels=false): "
            "compare its voxels, as in arr.to_dask() == label"
        )


def sizes(volume: Volume, labels: Ids) -> Ids:
    """Voxels of bodies at scale 0; 0 for those that are not there."""
    return _asked(volume, "sizes", labels, _supervoxels(volume))


def mapping(volume: Volume, supervoxels: Ids) -> Ids:
    """The body of each supervoxel; 0 for those that are not there."""
    return _asked(volume, "mapping", supervoxels, {})


def _asked(volume: Volume, action: str, ids: Ids, query: dict[str, str]) -> Ids:
    """One number for each id, asked in batches; each id once."""
    check_indexed(volume)
    unique, place = np.unique(ids, return_inverse=True)
    answers = np.zeros(len(unique), np.uint64)
    address = paths.path(paths.instance(volume.uuid, volume.instance.name, action))

    def ask(start: int) -> None:
        part = unique[start : start + BATCH].tolist()
        call = Call("GET", address, query, json.dumps(part).encode())
        source = volume.transport.address(call)
        found = documents.ids(volume.transport.document(call), source, len(part))
        answers[start : start + BATCH] = found

    crew: Crew[int] = Crew(volume.settings.threads, cut=True)
    crew.each(range(0, len(unique), BATCH), ask)
    found: Ids = answers[place.reshape(ids.shape)]
    return found


def supervoxels(volume: Volume, label: int) -> Ids:
    """The supervoxels of a body, in order."""
    call = _call(volume, "supervoxels", label)
    data = _found(volume, label, lambda: volume.transport.document(call))
    found: Ids = np.sort(documents.ids(data, volume.transport.address(call)))
    return found


def coarse(volume: Volume, label: int) -> Runs:
    """Runs of the blocks that a body touches, on the grid of the volume's scale."""
    call = _call(volume, "sparsevol-coarse", label, _supervoxels(volume))
    data = _found(volume, label, lambda: volume.transport.document(call))
    at_zero = runs.decode_rles(data)
    if (count := int(at_zero[:, 3].sum())) > MOST_BLOCKS:
        raise DvidProtocolError(
            f"the server says that body {label} touches {count:,} blocks",
            url=volume.transport.address(call),
        )
    first = at_zero[:, :3] >> volume.scale
    last = (at_zero[:, 0] + at_zero[:, 3] - 1) >> volume.scale
    return runs.joined(np.column_stack([first, last - first[:, 0] + 1]))


def find(volume: Volume, label: int) -> Body:
    """A body and the blocks it touches."""
    return Body(label, runs.voxels(coarse(volume, label)))


def bounds(volume: Volume, found: Body) -> Box:
    """The smallest box around a body's voxels; empty where it has none at the volume's scale.

    Only blocks at which the box may end are fetched: those in the outermost layers, and more only
    where these turn out to hold nothing of the body.
    """
    grid, left, box = volume.grid, found.blocks, EMPTY
    while len(left):
        outer = ((left == left.min(axis=0)) | (left == left.max(axis=0))).any(axis=1)
        hull = Hull(found.label)
        wanted = [grid.block_box(triple(block)) for block in left[outer]]
        reading.read(volume, hull, wanted)
        box = box.hull(hull.box)
        inside = grid.inner(box)
        covered = (left >= grid.blocks(inside).start) & (left < grid.blocks(inside).stop)
        left = left[~outer & ~covered.all(axis=1)]
    return box


def sparse(volume: Volume, label: int) -> Runs:
    """Runs of a body's voxels, in no order.

    They are taken from the label blocks it touches. The server would cut them itself
    (`sparsevol`), but that takes it fifty times as long as handing out the blocks, needs the blocks
    of a lower scale to be complete, and at negative coordinates its process dies of it.
    """
    found = find(volume, label)
    pieces = Pieces(label)
    reading.read(volume, pieces, [volume.grid.block_box(triple(block)) for block in found.blocks])
    return np.concatenate([runs.none(), *pieces.runs])


def _supervoxels(volume: Volume) -> dict[str, str]:
    return {"supervoxels": "true"} if volume.supervoxels else {}


def _call(volume: Volume, action: str, label: int, query: dict[str, str] | None = None) -> Call:
    check_indexed(volume)
    address = paths.instance(volume.uuid, volume.instance.name, action, str(label))
    return Call("GET", paths.path(address), query or {})


def _found(volume: Volume, label: int, ask: Callable[[], bytes]) -> bytes:
    """What the server answers of a body; a 404 without a word says that there is none."""
    try:
        return ask()
    except DvidError as fault:
        if fault.status != 404 or fault.sentence:
            raise
        method, url = fault.method, fault.url
    what, remedy = "body", "it may have been merged into another: see arr.mapping"
    if volume.supervoxels:
        what, remedy = "supervoxel", "ids of bodies are understood without supervoxels=True"
    raise DvidNotFoundError(
        f"{volume.instance.name!r} has no {what} {label} at version {volume.uuid}; {remedy}",
        method=method,
        url=url,
        status=404,
    )
