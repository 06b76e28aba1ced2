"""Sparse volumes of bodies: which voxels they have. Must not know the store's tables.

The label index says which blocks to look at; each is decoded to a mask, since the list of labels
of a stored block can be replaced by ones and zeros.

Source: `datatype/labelmap/labelidx.go` (constrainLabelIndex, writeLegacyRLE and its like).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from dvid_array.box import Triple, triple
from dvid_array.devserver import (
    geometry,
    label_bounds,
    label_calls,
    label_points,
    label_sizes,
    volumes,
)
from dvid_array.devserver.answers import (
    BINARY,
    InstanceCall,
    Piece,
    Refusal,
    Reply,
    panicked,
    pieces,
    refusal,
)
from dvid_array.devserver.encoding import gzipped
from dvid_array.devserver.label_bounds import Bounds
from dvid_array.devserver.label_index import Blocks
from dvid_array.devserver.label_storage import LabelCodec, Labels
from dvid_array.devserver.service import PIECE_BYTES
from dvid_array.protocol import runs
from dvid_array.protocol.runs import Mask, Runs
from dvid_array.protocol.voxels import encode_lz4

PAGE = "text/html"
BAD_BOUNDS = "error parsing bounds from query string: {}"
Masks = Iterator[tuple[Triple, Mask]]


@dataclass(frozen=True, slots=True)
class _Part:
    """What is asked of a body."""

    call: InstanceCall
    label: int
    supervoxels: Labels
    blocks: Blocks
    """x, y, z of the blocks to look at, in order of z, y, x."""
    scale: int
    bounds: Bounds

    def masks(self, missing: Callable[[Triple], None]) -> Masks:
        """First voxel and mask of each block that has voxels; `missing` is told which are not
        there."""
        codec = LabelCodec(self.call.instance, self._ones)
        plain, edge = LabelCodec(self.call.instance), self.call.instance.block
        volume = volumes.stored_at(self.call, self.scale)
        with self.call.service.store.reading() as db:
            for block in map(triple, self.blocks.tolist()):
                stored = volume.get(db, block)
                if stored is None:
                    missing(block)
                    continue
                corner = triple(k * n for k, n in zip(block, edge, strict=True))
                mask = codec.labels(stored).astype(bool)
                if self.bounds.cutting:
                    mask = self.bounds.cut(mask, corner, plain.labels(stored))
                if mask.any():
                    yield corner, mask

    def _ones(self, labels: Labels) -> Labels:
        return np.isin(labels, self.supervoxels).astype(np.uint64)

    def runs(self, missing: Callable[[Triple], None]) -> Iterator[Runs]:
        """The runs of each row of blocks."""
        row: list[Runs] = []
        place = None
        for corner, mask in self.masks(missing):
            if row and place != corner[1:]:
                yield runs.joined(np.concatenate(row))
                row = []
            place = corner[1:]
            row.append(runs.of_mask(mask, corner))
        if row:
            yield runs.joined(np.concatenate(row))


def _wanted(call: InstanceCall, label: int, scale: int, bounds: Bounds) -> _Part | None:
    """What is asked of a body; None where no block of it is within the bounds."""
    with call.service.store.reading() as db:
        _, rows = label_sizes.rows_of(db, call, label)
    blocks = rows.filled()
    if scale:
        # Blocks of a lower scale, each once; shifts of more bits than there are say 0 or -1.
        blocks = np.unique(blocks[:, ::-1] >> min(scale, 63), axis=0)[:, ::-1]
    blocks = bounds.blocks_within(blocks, call.instance.block)
    supervoxels = np.unique(rows.labels)
    return _Part(call, label, supervoxels, blocks, scale, bounds) if len(blocks) else None


# --- formats -------------------------------------------------------------------------------------


def _rles(part: _Part) -> Iterator[Piece]:
    found = list(part.runs(lambda block: None))
    if not found:
        return iter(())
    wanted = part.call.query.get("compression", "")
    if wanted not in PACKERS:
        raise refusal("label compression", value=wanted)
    return iter([PACKERS[wanted](runs.encode_rles(np.concatenate(found)))])


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "lz4": lambda data: encode_lz4(data, sized=False),
    "gzip": gzipped,
}


def _srles(part: _Part) -> Iterator[Piece]:
    def missing(block: Triple) -> None:
        raise Refusal(400, "can't unmarshal block binary of length 0")

    return map(runs.encode_srles, part.runs(missing))


def _blocks(part: _Part) -> Iterator[Piece]:
    def missing(block: Triple) -> None:
        where = f"({', '.join(map(str, block))}) @ scale {part.scale}"
        raise Refusal(400, f"expected block {where} to have key-value, but found none")

    whole = replace(part, bounds=replace(part.bounds, exact=False))
    return runs.encode_blocks(part.label, part.call.instance.block, whole.masks(missing))


FORMATS: dict[str, Callable[[_Part], Iterator[Piece]]] = {"srles": _srles, "blocks": _blocks}
"""Any other name of a format means rles."""


# --- answers -------------------------------------------------------------------------------------


def _reply(call: InstanceCall, label: int, scale: int, bounds: Bounds) -> Reply | None:
    part = _wanted(call, label, scale, bounds)
    if part is None:
        return None
    parts = FORMATS.get(call.query.get("format", ""), _rles)(part)
    return Reply(pieces(parts, PIECE_BYTES), BINARY)


def sparse_volume(call: InstanceCall) -> Reply:
    """GET and HEAD sparsevol/<label>."""
    if not call.address.args:
        raise Refusal(400, "ERROR: DVID requires label ID to follow 'sparsevol' command")
    scale = label_calls.scale(call, "bad scale specified: ")
    label = label_calls.label_of(call, "", label_calls.SPARSE)
    bounds = label_bounds.read(call, BAD_BOUNDS)
    if call.method == "HEAD":
        return _exists(call, label, bounds)
    if call.method == "POST":
        raise Refusal(400, "POST of sparsevol not currently implemented\n")
    if call.method != "GET":
        raise Refusal(400, f"Unable to handle HTTP action {call.method} on sparsevol endpoint")
    return _reply(call, label, scale, bounds) or label_sizes.not_there()


def _exists(call: InstanceCall, label: int, bounds: Bounds) -> Reply:
    """DVID's test of bounds is turned around: it finds bodies that have blocks outside."""
    with call.service.store.reading() as db:
        rows, _ = label_sizes.rows_of(db, call, label)
    blocks = np.unique(rows.blocks, axis=0)
    within = bounds.blocks_within(blocks, call.instance.block) if bounds.given else blocks[:0]
    return Reply(b"", PAGE, 200 if len(blocks) > len(within) else 204)


def by_point(call: InstanceCall) -> Reply:
    """GET sparsevol-by-point/<x_y_z>."""
    if not call.address.args:
        raise Refusal(400, "ERROR: DVID requires coord to follow 'sparsevol-by-point' command")
    scale = label_calls.scale(call, "bad scale specified: ")
    point = geometry.point(call.address.args[0])
    if len(point) != 3:
        kind = "2d" if len(point) == 2 else "Nd"
        reason = f"dvid.ChunkPoint is dvid.ChunkPoint{kind}, not dvid.ChunkPoint3d"
        raise panicked(call.path, f"interface conversion: {reason}")
    there = label_points.exactly_at(call, triple(point), scale)
    label = label_calls.no_background(there, label_calls.SPARSE)
    bounds = label_bounds.read(call, BAD_BOUNDS)
    return _reply(call, label, scale, bounds) or Reply(b"", BINARY, 404)


def coarse(call: InstanceCall) -> Reply:
    """GET sparsevol-coarse/<label>: runs of blocks."""
    missing = "DVID requires label ID to follow 'sparsevol-coarse' command"
    label = label_calls.label_of(call, missing, label_calls.SPARSE)
    bounds = label_bounds.read(call, "Error parsing bounds from query string: {}\n")
    with call.service.store.reading() as db:
        _, rows = label_sizes.rows_of(db, call, label)
    if not len(rows.counts):
        return label_sizes.not_there()
    blocks = bounds.blocks_within(rows.filled(), call.instance.block)
    ones = np.column_stack([blocks, np.ones(len(blocks), np.int64)])
    return Reply(runs.encode_rles(runs.joined(ones)), BINARY)
