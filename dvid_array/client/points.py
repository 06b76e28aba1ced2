"""Single voxels: from stored blocks, or by asking for their labels, whichever is faster.

Owns that choice. Must not know numpy keys.

A stored block costs its transfer and decoding, however many of its voxels are wanted; a label costs
the server a look into the block for each request that names some of it, and JSON for each point.
Measured on a DVID and on the development server (216 label blocks of 64³, two threads, two cores
busy with other work: only ratios mean something), in milliseconds: waiting, the best of several
runs, and the client's processor time with blocks and with labels:

    points a block    DVID: blocks  /labels    development: blocks  /labels    client CPU
               1               246       40                     64       49        47 / 2
               5               676      233                    203      153       116 / 4
              46               524      123                    439      830      118 / 27
              93               315      266                    768      662       85 / 33
             231               672      563                    526     1318     139 / 113
             463               691     1097                    532     1441     175 / 223

So blocks in which few points lie are asked for their labels, and the others are fetched. DVID's
answers about labels at negative coordinates are wrong: there blocks are fetched, always.

Source: `GET .../labels`; `datatype/labelmap/points.go`.
"""

from __future__ import annotations

import json

import numpy as np

from dvid_array.client import caching, reading
from dvid_array.client.flights import Crew
from dvid_array.client.picks import Points
from dvid_array.client.transport import Call
from dvid_array.client.volume import Volume
from dvid_array.client.ways import query
from dvid_array.facts import COORDINATE_LIMIT
from dvid_array.protocol import documents, paths
from dvid_array.protocol.voxels import Array
from dvid_array.selection import Indices

FEW = 64
"""Points in a block from which on the whole block is cheaper."""
BATCH = 2000
"""Points in one request, sorted by block, so that the server looks into each block once."""


def read(volume: Volume, coordinates: Indices) -> Array:
    """The values of single voxels.

    Parameters
    ----------
    volume : Volume
        What is read.
    coordinates : int array
        Shape (4, n): c, x, y, z of each, signed.
    """
    out = np.zeros(coordinates.shape[1], volume.dtype)
    if not out.size:
        return out
    target = Points(coordinates, volume.grid, out)
    asked = _askable(volume, target)
    if asked.size:
        _ask(volume, coordinates, asked, out)
    boxes = target.boxes(volume.grid)
    if boxes:
        reading.read(volume, target, boxes)
    return out


def _askable(volume: Volume, target: Points) -> Indices:
    """Takes out of a target those points whose labels are better asked for; block by block."""
    none = np.empty(0, np.int64)
    if not _takes_questions(volume):
        return none
    few = [block for block, group in target.blocks.items() if len(group) < FEW and min(block) >= 0]
    last = [COORDINATE_LIMIT // n for n in volume.grid.block]
    near = [block for block in few if all(i < n for i, n in zip(block, last, strict=True))]
    return np.concatenate([none, *(target.blocks.pop(block) for block in near)])


def _takes_questions(volume: Volume) -> bool:
    """Whether labels can be asked for: not through a mask, and not where blocks are kept."""
    hidden = volume.regions or volume.body or volume.masked_by is not None
    auto = volume.settings.transport == "auto"
    return (
        volume.instance.kind.name == "labelmap" and auto and not (hidden or caching.keeps(volume))
    )


def _ask(volume: Volume, coordinates: Indices, asked: Indices, out: Array) -> None:
    """Ask the server for labels, some requests at a time."""

    def ask(start: int) -> None:
        part = asked[start : start + BATCH]
        out[part] = _labels(volume, coordinates[1:, part].T)

    crew: Crew[int] = Crew(volume.settings.threads, cut=True)
    crew.each(range(0, len(asked), BATCH), ask)


def _labels(volume: Volume, points: Indices) -> Array:
    """The labels of some points x, y, z, in order."""
    path = paths.path(paths.instance(volume.uuid, volume.instance.name, "labels"))
    call = Call("GET", path, query(volume), json.dumps(points.tolist()).encode())
    source = volume.transport.address(call)
    return documents.ids(volume.transport.document(call), source, len(points))
