"""Bodies made of supervoxels: mappings, merges, cleaves. Must not know the store's tables.

Source: `datatype/labelmap/handlers.go`, `mutate.go` (MergeLabels, CleaveLabel), `vcache.go`.
"""

from __future__ import annotations

import numpy as np

from dvid_array.devserver import (
    catalog,
    instances,
    label_calls,
    label_mapping,
    label_mods,
    numbers,
    volumes,
)
from dvid_array.devserver.answers import (
    BINARY,
    FAULT,
    Answer,
    Body,
    InstanceCall,
    NeedsBody,
    Refusal,
    Reply,
    panicked,
    spaced_json_reply,
)
from dvid_array.devserver.label_mapping import Mapping
from dvid_array.devserver.label_points import numbers_reply
from dvid_array.devserver.label_sizes import index_of
from dvid_array.devserver.label_storage import Labels
from dvid_array.devserver.store import Db


def _mapping(db: Db, call: InstanceCall) -> Mapping:
    return label_mapping.load(db, call.instance.id, call.at)


def mapping(call: InstanceCall) -> Answer:
    """GET mapping, with the supervoxels in the body."""
    if call.method != "GET":
        raise Refusal(400, "Batch mapping query must be a GET request")

    def asked(labels: Labels) -> Reply:
        with call.service.store.reading() as db:
            found = _mapping(db, call)
            bodies = found.of(labels)
            if call.query.get("nolookup") != "true":
                there = np.unique(index_of(call).rows(db, np.unique(labels)).labels)
                bodies = np.where(found.known(labels) | np.isin(labels, there), bodies, 0)
        return numbers_reply(bodies.astype(np.uint64))

    return label_calls.listed(call, "mapping", numbers.naturals, asked)


def mappings(call: InstanceCall) -> Reply:
    """GET mappings: of all supervoxels that are part of another body."""
    if call.method != "GET":
        raise Refusal(400, "only POST action allowed for /mappings endpoint")
    volumes.throttle(call)
    with call.service.store.reading() as db:
        found = _mapping(db, call)
    moved = found.supervoxels != found.bodies
    pairs = np.stack([found.supervoxels, found.bodies], axis=1)[moved]
    if call.query.get("format") == "binary":
        return Reply(pairs.astype("<u8").tobytes(), BINARY if len(pairs) else None)
    text = "".join(f"{supervoxel} {body}\n" for supervoxel, body in pairs.tolist())
    return Reply(text.encode(), FAULT if text else None)


# --- merges --------------------------------------------------------------------------------------


def merge(call: InstanceCall) -> NeedsBody:
    """POST merge: [body, bodies that become part of it]."""
    if call.method != "POST":
        raise Refusal(400, "Merge requests must be POST actions.")

    def posted(body: Body) -> Reply:
        given = _tuple(call, body)
        with call.service.label_lock, call.service.store.writing() as db:
            volumes.still_open(db, call)
            mutation = catalog.mutated(db, call.version.repo) - 1
            try:
                _merged(db, call, given, mutation)
            except ValueError as bad:
                fault = str(bad)
            else:
                return spaced_json_reply({"MutationID": mutation})
        # Refused merges have counted as mutations all the same.
        raise Refusal(400, f"Error on merge: {fault}")

    return NeedsBody(posted)


def _tuple(call: InstanceCall, body: Body) -> Labels:
    try:
        given = numbers.naturals(body, "labels.MergeTuple")
    except ValueError as bad:
        raise Refusal(400, f"Bad merge op JSON: {bad}") from bad
    shown = f"[{' '.join(map(str, given.tolist()))}]"
    if len(given) == 1 or body.data.strip() == b"null":
        raise Refusal(400, f"invalid merge tuple {shown}, need at least target and to-merge labels")
    if not len(given):
        raise panicked(call.path, "runtime error: index out of range [0] with length 0")
    if (given[1:] == 0).any():
        raise Refusal(400, f"invalid merge tuple {shown} -- cannot contain background label 0")
    return given


def _merged(db: Db, call: InstanceCall, given: Labels, mutation: int) -> None:
    found, index = _mapping(db, call), index_of(call)
    target, merged = int(given[0]), given[1:]
    supervoxels, counts = index.rows(db, found.members(merged)).totals()
    bodies = found.of(supervoxels)
    for label in merged[~np.isin(merged, bodies)].tolist():
        raise ValueError(f"can't merge non-existent label {label}")
    for label in merged[~np.isin(merged, bodies[counts > 0])].tolist():
        raise ValueError(f"can't merge label {label} with no voxels")
    if not len(index.rows(db, found.inside(target)).counts):
        raise ValueError(f"can't merge into a non-existent label {target}")
    if target in merged:
        own = int(supervoxels[bodies == given[0]][0])
        raise ValueError(f"supervoxel {own} already in index for target label {target}")
    label_mapping.put(db, call.instance.id, call.at, supervoxels, target)
    label_mods.put(db, call, target, label_mods.of(call, mutation))


# --- renumbering ---------------------------------------------------------------------------------


def renumber(call: InstanceCall) -> NeedsBody:
    """POST renumber: [new, old, new, old, …]; those before a wrong pair are done."""
    if call.method != "POST":
        raise Refusal(400, "Renumber requests must be POST actions.")

    def posted(body: Body) -> Reply:
        try:
            given = numbers.naturals(body)
        except ValueError as bad:
            complaint = "Bad renumber op JSON, must be list of numbers: "
            raise numbers.refused(bad, complaint) from bad
        if len(given) % 2:
            raise Refusal(
                400,
                "Bad renumber op JSON, must be even list of numbers [new1, old1, new2, old2, ...]",
            )
        with call.service.label_lock, call.service.store.writing() as db:
            volumes.still_open(db, call)
            try:
                for new, old in given.reshape(-1, 2).tolist():
                    _renumbered(db, call, new, old)
            except ValueError as bad:
                fault = str(bad)
            else:
                return Reply()
        raise Refusal(400, f"Error on merge: {fault}")

    return NeedsBody(posted)


def _renumbered(db: Db, call: InstanceCall, new: int, old: int) -> None:
    found, index = _mapping(db, call), index_of(call)
    if len(index.rows(db, found.inside(new)).counts):
        raise ValueError(f"target label for renumber ({new}) already exists in mapping")
    mutation = catalog.mutated(db, call.version.repo) - 1
    supervoxels = np.unique(index.rows(db, found.inside(old)).labels)
    if not len(supervoxels):
        raise ValueError(f"can't renumber non-existent body with label {old}")
    named = np.array([new], np.uint64)
    if not found.known(named)[0]:
        # No supervoxel has that number.
        label_mapping.put(db, call.instance.id, call.at, named, 0)
    label_mapping.put(db, call.instance.id, call.at, supervoxels, new)
    label_mods.put(db, call, new, label_mods.of(call, mutation))
    which = instances.instance(db, call.instance.repo, call.instance.name)
    instances.raise_highest(db, which, call.at, new)


# --- cleaves -------------------------------------------------------------------------------------


def cleave(call: InstanceCall) -> NeedsBody:
    """POST cleave/<label>: supervoxels that become a body of their own."""
    if call.method != "POST":
        raise Refusal(400, "Cleave requests must be POST actions.")
    missing = "ERROR: DVID requires label ID to follow 'cleave' command"
    label = label_calls.label_of(call, missing, "used as cleave target")

    def posted(body: Body) -> Reply:
        with call.service.label_lock, call.service.store.writing() as db:
            volumes.still_open(db, call)
            try:
                return _cleaved(db, call, label, body)
            except ValueError as bad:
                fault = str(bad)
        # The new label is spent all the same.
        raise Refusal(400, fault)

    return NeedsBody(posted)


def _cleaved(db: Db, call: InstanceCall, label: int, body: Body) -> Reply:
    which = instances.instance(db, call.instance.repo, call.instance.name)
    fresh, _ = instances.new_labels(db, which, call.at, 1)
    if not body.data:
        raise ValueError("no cleave supervoxels JSON was POSTed")
    try:
        given = numbers.naturals(body)
    except ValueError as bad:
        raise ValueError(f"bad cleave supervoxels JSON: {bad}") from bad
    mutation = catalog.mutated(db, call.version.repo) - 1
    found = _mapping(db, call)
    there = np.unique(index_of(call).rows(db, found.inside(label)).labels)
    if not len(there):
        raise ValueError(f"cannot cleave non-existent label {label}")
    _check_cleave(found, call, label, given, there)
    if len(given):
        label_mapping.put(db, call.instance.id, call.at, given, fresh)
        label_mapping.put(db, call.instance.id, call.at, np.array([fresh], np.uint64), 0)
    mod = label_mods.of(call, mutation)
    for changed in (label, fresh):
        label_mods.put(db, call, changed, mod)
    return spaced_json_reply({"CleavedLabel": fresh, "MutationID": mutation})


def _check_cleave(
    found: Mapping, call: InstanceCall, label: int, given: Labels, there: Labels
) -> None:
    # A supervoxel may be mapped to a body and have no voxels left.
    ghosts = found.supervoxels[found.bodies == np.uint64(label)]
    for supervoxel in given[~np.isin(given, np.union1d(there, ghosts))].tolist():
        raise ValueError(
            f"cannot cleave supervoxel {supervoxel}, which does not exist in label {label} "
            f"({call.instance.name})"
        )
    if np.isin(there, given).all():
        raise ValueError(f"cannot cleave all supervoxels from the label {label}")
