"""Splitting a supervoxel in two: its voxels get new labels. Must not know the store's tables.

Source: `datatype/labelmap/handlers.go` (handleSplitSupervoxel), `mutate.go` (SplitSupervoxel).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dvid_array.box import Triple, triple
from dvid_array.devserver import (
    catalog,
    geometry,
    instances,
    label_calls,
    label_mapping,
    label_mods,
    label_writes,
    volumes,
)
from dvid_array.devserver.answers import (
    Body,
    InstanceCall,
    NeedsBody,
    Refusal,
    Reply,
    spaced_json_reply,
)
from dvid_array.devserver.label_index import Index, Rows
from dvid_array.devserver.label_storage import LabelCodec, Labels
from dvid_array.devserver.store import Db
from dvid_array.errors import DvidProtocolError
from dvid_array.protocol import runs
from dvid_array.protocol.runs import Mask, Runs


def refused(call: InstanceCall) -> Reply:
    """POST split: DVID's configuration has it off."""
    raise Refusal(400, "Split endpoint deactivated in this DVID server's configuration.")


def split(call: InstanceCall) -> NeedsBody:
    """POST split-supervoxel/<supervoxel>, with the voxels of the one part as a sparse volume."""
    if call.method != "POST":
        raise Refusal(400, "Split requests must be POST actions.")
    if not call.address.args:
        raise Refusal(400, "ERROR: DVID requires label ID to follow 'split' command")
    names = [_named(call, key) for key in ("split", "remain")]
    supervoxel = label_calls.label_of(call, "", "used as split target")

    def posted(body: Body) -> Reply:
        with call.service.label_lock, call.service.store.writing() as db:
            volumes.still_open(db, call)
            try:
                return _split(db, call, supervoxel, names, bytes(body.data))
            except ValueError as bad:
                fault = str(bad)
        # The new labels are spent all the same.
        parts = ", ".join(map(str, names))
        raise Refusal(400, f"split supervoxel {supervoxel} -> {parts}: {fault}")

    return NeedsBody(posted, keep=call.service.max_body)


def _named(call: InstanceCall, key: str) -> int:
    text = call.query.get(key, "")
    try:
        return geometry.natural(text) if text else 0
    except Refusal as bad:
        raise Refusal(400, f"bad {key} query string provided: {text}") from bad


def _split(db: Db, call: InstanceCall, supervoxel: int, names: list[int], data: bytes) -> Reply:
    """Do it; `names` become the labels of both parts."""
    asked, names[:] = list(names), [0, 0]
    given = _read(data, supervoxel)
    mapping = label_mapping.load(db, call.instance.id, call.at)
    own = np.array([supervoxel], np.uint64)
    body, index = int(mapping.of(own)[0]), Index(call.instance.id, call.at)
    rows = _rows(db, call, index, supervoxel, body)
    if given[:, 3].sum() >= rows.counts.sum():
        raise ValueError(
            f"split on supervoxel {supervoxel} was given split volume of {given[:, 3].sum()} >= "
            f"{rows.counts.sum()} of supervoxel"
        )
    for place, name in enumerate(asked):
        names[place] = _new_label(db, call, name)
    mutation = catalog.mutated(db, call.version.repo) - 1
    made = _relabelled(db, call, rows, given, names)
    for block, _, counts in made:
        index.put(db, block, np.array([supervoxel, *names], np.uint64), [None, *counts])
    label_mapping.put(db, call.instance.id, call.at, np.array(names, np.uint64), body)
    label_mapping.put(db, call.instance.id, call.at, own, 0)
    label_mods.put(db, call, body, label_mods.of(call, mutation))
    codec = LabelCodec(call.instance)
    changed = {block: labels for block, labels, _ in made}
    stored = {block: codec.stored(labels[None]) for block, labels in changed.items()}
    label_writes.replace(db, call, stored, changed, lower=call.query.get("downres") != "false")
    return spaced_json_reply(
        {"SplitSupervoxel": names[0], "RemainSupervoxel": names[1], "MutationID": mutation}
    )


def _read(data: bytes, supervoxel: int) -> Runs:
    try:
        given = runs.decode_rles(data)
    except DvidProtocolError as bad:
        raise ValueError(str(bad)) from bad
    if not len(given):
        raise ValueError(f"split on supervoxel {supervoxel} has zero voxels in split sparse volume")
    return given


def _rows(db: Db, call: InstanceCall, index: Index, supervoxel: int, body: int) -> Rows:
    if body == 0:
        raise ValueError(
            f"cannot get label for supervoxel {supervoxel}, which has been split and doesn't exist "
            "anymore"
        )
    mapping = label_mapping.load(db, call.instance.id, call.at)
    rows = index.rows(db, mapping.inside(body))
    if not len(rows.counts):
        raise ValueError(
            f'unable to split supervoxel {supervoxel} for data "{call.instance.name}": missing '
            f"label index {body}"
        )
    return rows.only(np.array([supervoxel], np.uint64))


def _new_label(db: Db, call: InstanceCall, name: int) -> int:
    which = instances.instance(db, call.instance.repo, call.instance.name)
    if not name:
        return instances.new_labels(db, which, call.at, 1)[0]
    instances.raise_highest(db, which, call.at, name)
    return name


Made = list[tuple[Triple, Labels, list[int | None]]]
"""Block, its new labels, and the counts of both parts in it."""


def _relabelled(db: Db, call: InstanceCall, rows: Rows, given: Runs, names: list[int]) -> Made:
    codec, volume = LabelCodec(call.instance), volumes.stored_at(call)
    masks = dict(_masks(given, call.instance.block))
    made: Made = []
    faults: list[str] = []
    for block, total in zip(map(triple, rows.blocks.tolist()), rows.counts.tolist(), strict=True):
        stored = volume.get(db, block)
        if stored is None:
            continue
        labels, supervoxel = codec.labels(stored), rows.labels[0]
        mask, whole = masks.get(block, (np.zeros(labels.shape, bool), 0))
        mine = labels == supervoxel
        part, rest = int((mine & mask).sum()), int((mine & ~mask).sum())
        if (part, rest) != (whole, total - whole):
            faults.append(
                f"ran supervoxel {supervoxel} split on block ({', '.join(map(str, block))}): got "
                f"{part} split, {rest} remain voxels, different from label index {whole} split, "
                f"{total - whole} remain"
            )
        labels[mine] = np.where(mask[mine], np.uint64(names[0]), np.uint64(names[1]))
        made.append((block, labels, [part or None, rest or None]))
    if faults:
        told = f"{len(faults)} errors, last one: {faults[-1]}"
        raise ValueError(f"supervoxel split of {rows.labels[0]}: {told}")
    return made


def _masks(given: Runs, edge: Triple) -> Iterator[tuple[Triple, tuple[Mask, int]]]:
    """The runs as a mask for each block that they touch, with the sum of their lengths there."""
    x, y, z, length = given.T
    first, last = x // edge[0], (x + length - 1) // edge[0]
    spans = last - first + 1
    owner = np.repeat(np.arange(len(given)), spans)
    along = np.arange(len(owner)) - np.repeat(np.cumsum(spans) - spans, spans) + first[owner]
    start = np.maximum(x[owner], along * edge[0])
    stop = np.minimum((x + length)[owner], (along + 1) * edge[0])
    blocks = np.stack([along, y[owner] // edge[1], z[owner] // edge[2]], axis=1)
    places = np.stack([start, stop, y[owner], z[owner]], axis=1)
    distinct, which = np.unique(blocks, axis=0, return_inverse=True)
    for number, block in enumerate(map(triple, distinct.tolist())):
        mine = places[which.reshape(-1) == number]
        corner = [k * n for k, n in zip(block, edge, strict=True)]
        mask = np.zeros(edge, bool, order="F")
        for x0, x1, row, layer in (mine - np.array(corner)[[0, 0, 1, 2]]).tolist():
            mask[x0:x1, row, layer] = True
        yield block, (mask, int((mine[:, 1] - mine[:, 0]).sum()))
