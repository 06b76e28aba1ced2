"""Sizes and members of bodies: answers out of the label index alone. Must not know the store's
tables, nor voxels.

Source: `datatype/labelmap/handlers.go`, `labelidx.go`.
"""

from __future__ import annotations

import numpy as np

from dvid_array.devserver import geometry, label_calls, label_mapping, label_mods, numbers
from dvid_array.devserver.answers import (
    BINARY,
    JSON,
    Answer,
    InstanceCall,
    Refusal,
    Reply,
    json_reply,
    spaced_json_reply,
)
from dvid_array.devserver.label_index import Counts, Index, Rows
from dvid_array.devserver.label_points import numbers_reply
from dvid_array.devserver.label_storage import Labels
from dvid_array.devserver.store import Db

MOST_LABELS = 10_000_000
"""How many labels DVID lists at once."""


def _label(call: InstanceCall, word: str) -> int:
    complaint = f"DVID requires label to follow '{word}' command"
    return label_calls.label_of(call, complaint, "queried as body.")


def index_of(call: InstanceCall) -> Index:
    """The index that a call is about."""
    return Index(call.instance.id, call.at)


def _as_supervoxels(call: InstanceCall) -> bool:
    return call.query.get("supervoxels") == "true"


def rows_of(db: Db, call: InstanceCall, label: int) -> tuple[Rows, Rows]:
    """The rows of a body, and those of them that are asked about: with `supervoxels=true` the
    label is a supervoxel, and the body the one it is part of."""
    mapping = label_mapping.load(db, call.instance.id, call.at)
    body = label
    if _as_supervoxels(call):
        body = int(mapping.of(np.array([label], np.uint64))[0])
        if body == 0:
            raise Refusal(
                400,
                f"cannot get label for supervoxel {label}, which has been split and doesn't exist "
                "anymore",
            )
    rows = index_of(call).rows(db, mapping.inside(body))
    return rows, rows.only(np.array([label], np.uint64)) if _as_supervoxels(call) else rows


def not_there() -> Reply:
    """DVID's answer about a body that is not there."""
    return Reply(b"", status=404)


def size(call: InstanceCall) -> Reply:
    """GET size/<label>."""
    label = _label(call, "size")
    with call.service.store.reading() as db:
        try:
            _, rows = rows_of(db, call, label)
        except Refusal as bad:
            raise Refusal(400, f"unable to get label {label} size: {bad.text}") from bad
    voxels = int(rows.counts.sum())
    return spaced_json_reply({"voxels": voxels}) if voxels else not_there()


def sizes(call: InstanceCall) -> Answer:
    """GET sizes, with the labels in the body."""
    if call.method != "GET":
        raise Refusal(400, "Batch sizes query must be a GET request")

    def asked(labels: Labels) -> Reply:
        with call.service.store.reading() as db:
            return numbers_reply(_sizes(db, call, labels).astype(np.uint64))

    return label_calls.listed(call, "mapping", numbers.naturals, asked)


def _sizes(db: Db, call: InstanceCall, labels: Labels) -> Counts:
    mapping = label_mapping.load(db, call.instance.id, call.at)
    wanted, owner = np.unique(labels, return_inverse=True)
    supervoxels = wanted
    if not _as_supervoxels(call):
        supervoxels = mapping.members(wanted)
    found, counts = index_of(call).rows(db, supervoxels).totals()
    shown = found if _as_supervoxels(call) else mapping.of(found)
    place = np.searchsorted(wanted, shown)
    totals = np.bincount(place, counts, len(wanted)).astype(np.int64)
    return totals[owner.reshape(-1)]


def supervoxels(call: InstanceCall) -> Reply:
    """GET supervoxels/<label>."""
    found, _ = _members(call, "supervoxels")
    return numbers_reply(found) if len(found) else not_there()


def supervoxel_sizes(call: InstanceCall) -> Reply:
    """GET supervoxel-sizes/<label>."""
    found, counts = _members(call, "supervoxels")
    if not len(found):
        return not_there()
    names, voxels = (",".join(map(str, values.tolist())) for values in (found, counts))
    text = f'{{\n  "supervoxels": [{names}],\n  "sizes": [{voxels}]\n}}'
    return Reply(text.encode(), JSON)


def _members(call: InstanceCall, word: str) -> tuple[Labels, Counts]:
    label = _label(call, word)
    with call.service.store.reading() as db:
        mapping = label_mapping.load(db, call.instance.id, call.at)
        return index_of(call).rows(db, mapping.inside(label)).totals()


def sparse_size(call: InstanceCall) -> Reply:
    """GET sparsevol-size/<label>: voxels, blocks, and bounds that are whole blocks."""
    missing = "ERROR: DVID requires label ID to follow 'sparsevol-size' command"
    label = label_calls.label_of(call, missing, label_calls.SPARSE)
    if call.method != "GET":
        raise Refusal(400, f"DVID does not support {call.method} on /sparsevol-size endpoint")
    with call.service.store.reading() as db:
        try:
            _, rows = rows_of(db, call, label)
        except Refusal as bad:
            raise Refusal(400, f"problem getting label set idx on label %: {bad.text}") from bad
    if not len(rows.counts):
        return not_there()
    blocks, edge = np.unique(rows.blocks, axis=0), np.array(call.instance.block)
    low, high = blocks.min(axis=0) * edge, (blocks.max(axis=0) + 1) * edge - 1
    text = (
        f'{{"voxels": {rows.counts.sum()}, "numblocks": {len(blocks)}, '
        f'"minvoxel": {low.tolist()}, "maxvoxel": {high.tolist()}}}'
    )
    return Reply(text.encode(), JSON)


# --- all labels ----------------------------------------------------------------------------------


def _all(call: InstanceCall, first: int = 0) -> tuple[Labels, Counts]:
    """All bodies from `first` on that have an index, and the voxels of each."""
    with call.service.store.reading() as db:
        mapping = label_mapping.load(db, call.instance.id, call.at)
        found, counts = index_of(call).totals(db, 0 if len(mapping) else first)
    bodies, owner = np.unique(mapping.of(found), return_inverse=True)
    totals = np.bincount(owner.reshape(-1), counts, len(bodies)).astype(np.int64)
    return bodies[bodies >= first], totals[bodies >= first]


def list_labels(call: InstanceCall) -> Reply:
    """GET listlabels: as 64-bit integers, each with its size where that is wanted."""
    first, number = (
        geometry.natural(call.query[key]) if call.query.get(key) else default
        for key, default in (("start", 0), ("number", MOST_LABELS))
    )
    if call.method != "GET":
        raise Refusal(400, "only GET actions allowed for /listlabels endpoint")
    found, counts = _all(call, first)
    number = min(number, MOST_LABELS)
    found, counts = found[:number], counts[:number]
    if call.query.get("sizes") != "true":
        return Reply(found.astype("<u8").tobytes(), BINARY)
    pairs = np.stack([found, counts.astype(np.uint64)], axis=1)
    return Reply(pairs.astype("<u8").tobytes(), BINARY)


def existing_labels(call: InstanceCall) -> Reply:
    """GET existing-labels."""
    if call.method != "GET":
        raise Refusal(400, "only GET action allowed for /existing-labels endpoint")
    return numbers_reply(_all(call)[0])


# --- last changes --------------------------------------------------------------------------------


def last_mod(call: InstanceCall) -> Reply:
    """GET lastmod/<label>: who merged or cleaved it last."""
    label = _label(call, "lastmod")
    with call.service.store.reading() as db:
        rows, _ = rows_of(db, call, label)
        mod = label_mods.last(db, call.instance.id, call.at, label)
    if not len(rows.counts):
        return not_there()
    named: dict[str, str | int] = {
        "mutation id": mod.mutation,
        "last mod user": mod.user,
        "last mod app": mod.app,
        "last mod time": mod.time,
    }
    return spaced_json_reply(named)


def index(call: InstanceCall) -> Reply:
    """GET index/<label>?metadata-only=true; the index itself is not there."""
    if not call.address.args:
        raise Refusal(400, "This development server needs a label behind index")
    label = geometry.natural(call.address.args[0])
    if label == 0:
        raise Refusal(400, "there is no index for protected label 0")
    if call.method != "GET" or call.query.get("metadata-only") != "true":
        raise Refusal(400, "This development server has no index but its metadata-only=true")
    with call.service.store.reading() as db:
        rows, _ = rows_of(db, call, label)
        mod = label_mods.last(db, call.instance.id, call.at, label)
    if not len(rows.counts):
        return not_there()
    return json_reply(
        {
            "num_voxels": int(rows.counts.sum()),
            "last_mutid": mod.mutation,
            "last_mod_time": mod.time,
            "last_mod_user": mod.user,
            "last_mod_app": mod.app,
        }
    )
