"""Regions of interest <-> arrays of spans: DVID's JSON, and the arithmetic of blocks.

Owns what a region and a span are. Pure; must not know which region it is of, or who asks.

Spans are an integer array of shape (n, 4): z, y, x0, x1 in blocks, x1 included, as DVID writes
them. Those of this module are in order of z, y, x0, and none touches another.

Source: `GET .../roi`, `POST .../roi`; `datatype/roi/roi.go` (PutSpans, GetSpans).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvid_array.box import EMPTY, Box, Triple, triple
from dvid_array.errors import DvidProtocolError, DvidTypeError
from dvid_array.facts import COORDINATE_LIMIT
from dvid_array.protocol import configs, documents, runs

Spans = NDArray[np.int64]
Mask = NDArray[np.bool_]

Z, Y, X0, X1 = range(4)


def block(document: Any, source: str = "") -> Triple:
    """The block of a region of interest, out of its info document.

    Raises
    ------
    DvidTypeError
        Where the instance is something else.
    """
    base = documents.check("instance", document, source)["Base"]
    if base["TypeName"] != "roi":
        raise DvidTypeError(
            f"{base['Name']!r} is a {base['TypeName']}, not a region of interest: "
            "open volumes with node[name]"
        )
    return triple(documents.check("roi", document, source)["Extended"]["BlockSize"])


def config(name: str, block: Triple) -> dict[str, str]:
    """The configuration of a new region of interest.

    Raises
    ------
    ValueError
        Names the setting and what it may be.
    """
    if min(block) < 1:
        raise ValueError(f"block {block}: a region of interest takes positive integers")
    return configs.config("roi", name, BlockSize=",".join(map(str, block)))


def parse(data: bytes, source: str = "") -> Spans:
    """The spans of an answer, put in order and joined: DVID keeps them as they were posted.

    Raises
    ------
    DvidProtocolError
        Where the bytes are no list of spans.
    """
    listed = documents.parse(data, "spans", source)
    try:
        found = np.array(listed) if listed else np.empty((0, 4), np.int64)
    except ValueError:
        found = np.empty(0)
    if found.shape[1:] != (4,) or found.dtype != np.int64:
        raise DvidProtocolError(f"{source}: something in this list is no span", url=source)
    return checked(found, DvidProtocolError)


def checked(given: Spans, error: type[Exception] = ValueError) -> Spans:
    """Spans in order and joined; `error` where one ends before it begins, or lies beyond DVID's
    coordinates."""
    if len(given) and (abs(given) > COORDINATE_LIMIT).any():
        raise error("blocks have signed 32-bit coordinates")
    backward = given[:, X1] < given[:, X0]
    if backward.any():
        raise error(f"the span {given[np.argmax(backward)].tolist()} ends before it begins")
    return _spans(runs.joined(_runs(given)))


def body(spans: Spans) -> bytes:
    """The body that makes them a region (POST .../roi)."""
    return json.dumps(spans.tolist(), separators=(",", ":")).encode()


def _runs(spans: Spans) -> runs.Runs:
    z, y, first, last = spans.T
    return np.stack([first, y, z, last - first + 1], axis=1)


def _spans(found: runs.Runs) -> Spans:
    x, y, z, length = found.T
    return np.stack([z, y, x, x + length - 1], axis=1)


def of_mask(mask: Mask, start: Triple) -> Spans:
    """The spans of a mask of blocks (x, y, z) whose first block is `start`."""
    return _spans(runs.of_mask(mask, start) if mask.size else runs.none())


def mask(spans: Spans, blocks: Box) -> Mask:
    """Which blocks (x, y, z) of a box of blocks are in the region."""
    shape = blocks.shape
    z, y, first, last = (clip(spans, blocks) - np.array(blocks.start)[[2, 1, 0, 0]]).T
    # a span adds one at its first block and takes it away after its last
    steps = np.zeros((shape[2], shape[1], shape[0] + 1), np.int8)
    steps[z, y, first] = 1
    steps[z, y, last + 1] = -1
    inside: Mask = np.cumsum(steps, axis=2, out=steps)[:, :, :-1].astype(bool)
    return inside.T


def clip(spans: Spans, blocks: Box) -> Spans:
    """The part of the region in a box of blocks."""
    layers = np.searchsorted(spans[:, Z], (blocks.start[2], blocks.stop[2]))
    found = spans[slice(*layers)]
    row = (found[:, Y] >= blocks.start[1]) & (found[:, Y] < blocks.stop[1])
    first = np.maximum(found[:, X0], blocks.start[0])
    across = first < np.minimum(found[:, X1] + 1, blocks.stop[0])
    found = found[row & across]
    np.clip(found[:, X0:], blocks.start[0], blocks.stop[0] - 1, out=found[:, X0:])
    return found


def hull(spans: Spans) -> Box:
    """The smallest box of blocks around them; empty where there are none."""
    if not len(spans):
        return EMPTY
    low, high = spans.min(axis=0), spans.max(axis=0) + 1
    return Box(triple(low[[X0, Y, Z]]), triple(high[[X1, Y, Z]]))


def count(spans: Spans) -> int:
    """How many blocks they hold."""
    return int((spans[:, X1] - spans[:, X0] + 1).sum())


def contains(spans: Spans, blocks: NDArray[np.int64]) -> Mask:
    """Which of some blocks (rows of x, y, z) are in the region."""
    if not len(spans):
        return np.zeros(len(blocks), bool)
    reachable = abs(blocks).max(axis=1) <= COORDINATE_LIMIT
    blocks = np.where(reachable[:, None], blocks, 0)
    lines, line = np.unique(_line(spans[:, Z], spans[:, Y]), return_inverse=True)
    wanted = _line(blocks[:, 2], blocks[:, 1])
    place = np.minimum(np.searchsorted(lines, wanted), len(lines) - 1)
    # the number of a line and x together, so that all lines are searched as one
    starts, stops = (line << 33) + spans[:, X0], (line << 33) + spans[:, X1]
    key = (place << 33) + blocks[:, 0]
    before = np.searchsorted(starts, key, side="right") - 1
    inside: Mask = reachable & (lines[place] == wanted) & (before >= 0) & (stops[before] >= key)
    return inside


def _line(z: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number for each row along x, in order of z, y."""
    return (z << 32) + y


def regrid(spans: Spans, block: Triple, other: Triple) -> Spans:
    """The blocks of another grid that share a voxel with the region.

    Parameters
    ----------
    spans : Spans
        On the grid of `block`.
    block, other : three integers
        Voxels of a block of either grid.
    """
    if block == other:
        return spans
    low = [spans[:, axis] * n // m for axis, n, m in zip((X0, Y, Z), block, other, strict=True)]
    high = [
        ((spans[:, axis] + 1) * n - 1) // m
        for axis, n, m in zip((X1, Y, Z), block, other, strict=True)
    ]
    rows, layers = high[1] - low[1] + 1, high[2] - low[2] + 1
    each = rows * layers
    which = np.repeat(np.arange(len(spans)), each)
    nth = np.arange(len(which)) - np.repeat(np.cumsum(each) - each, each)
    z = low[2][which] + nth // rows[which]
    y = low[1][which] + nth % rows[which]
    return checked(np.stack([z, y, low[0][which], high[0][which]], axis=1))
