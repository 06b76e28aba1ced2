"""Storing labels: blocks, lower scales, index, extents and highest label, all or nothing. Must not
know how they came.

One post of an instance runs after another, as in DVID.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from dvid_array.box import BlockGrid, Triple, triple
from dvid_array.devserver import catalog, downres, instances, label_upkeep, volumes
from dvid_array.devserver.answers import InstanceCall, panicked
from dvid_array.devserver.blocks import Volume
from dvid_array.devserver.label_index import Index
from dvid_array.devserver.label_storage import LabelCodec, Labels
from dvid_array.devserver.store import Db


class Decoded(Mapping[Triple, Labels]):
    """Stored blocks as labels (x, y, z), each decoded when it is looked at.

    Parameters
    ----------
    codec : LabelCodec
        How they are stored.
    stored : mapping
        Block coordinates -> stored bytes.
    """

    def __init__(self, codec: LabelCodec, stored: Mapping[Triple, bytes]) -> None:
        self._codec = codec
        self._stored = stored

    def __getitem__(self, block: Triple) -> Labels:
        return self._codec.labels(self._stored[block])

    def __iter__(self) -> Iterator[Triple]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)


@dataclass(frozen=True, slots=True)
class Post:
    """Blocks of scale 0 that are to be stored."""

    stored: Mapping[Triple, bytes]
    """Block coordinates -> stored bytes."""
    labels: Mapping[Triple, Labels]
    """Block coordinates -> labels (x, y, z)."""
    highest: int
    """The highest of all labels."""
    mutate: bool = False
    """Whether what was there before is no longer counted."""
    indexed: bool = True
    """Whether the label index follows."""
    downres: bool = True
    """Whether the lower scales follow."""


def raw(call: InstanceCall, post: Post, first: Triple, last: Triple) -> None:
    """Store the blocks between a first and a last voxel."""
    with call.service.store.writing() as db:
        volumes.still_open(db, call)
        fresh = instances.instance(db, call.instance.repo, call.instance.name)
        instances.grow_label_extents(db, fresh, call.at, first, last)
        fault = _stored(db, call, post)
    _tell(call, fault)


def blocks(call: InstanceCall, post: Post, *, whole: bool) -> None:
    """Store blocks that were posted as such; of a stream that broke off (not `whole`) DVID keeps
    the voxels, and nothing else follows."""
    with call.service.store.writing() as db:
        volumes.still_open(db, call)
        if whole and post.stored:
            _grow(db, call, post)
        fault = _stored(db, call, post)
    _tell(call, fault)


def _grow(db: Db, call: InstanceCall, post: Post) -> None:
    """DVID's rule for posted blocks: the version's extents come to cover them."""
    fresh = instances.instance(db, call.instance.repo, call.instance.name)
    corners = np.array(list(post.stored))
    grid = BlockGrid(call.instance.block)
    low = grid.block_box(triple(corners.min(axis=0).tolist())).start
    high = grid.block_box(triple(corners.max(axis=0).tolist())).stop
    now = instances.extents(db, fresh, call.at)
    grown = now.grown(low, triple(stop - 1 for stop in high))
    if grown != now and grown.low and grown.high:
        instances.grow_extents(db, fresh.id, call.at, grown.low, grown.high)


def _stored(db: Db, call: InstanceCall, post: Post) -> str:
    volume = volumes.stored_at(call)
    if post.indexed and call.instance.facts["indexed"]:
        codec = LabelCodec(call.instance)
        made = label_upkeep.changes(db, volume, codec, post.labels, mutate=post.mutate)
        label_upkeep.apply(db, Index(call.instance.id, call.at), made)
    volume.put(db, post.stored.items())
    if post.stored:
        fresh = instances.instance(db, call.instance.repo, call.instance.name)
        instances.raise_highest(db, fresh, call.at, post.highest)
    catalog.mutated(db, call.version.repo)
    try:
        if post.downres:
            _store_scales(db, call, post.labels)
    except downres.NegativeOctantError as negative:
        # The voxels stay stored, as in DVID.
        return str(negative)
    return ""


def _tell(call: InstanceCall, fault: str) -> None:
    if fault:
        raise panicked(call.path, fault)


def _store_scales(db: Db, call: InstanceCall, changed: Mapping[Triple, Labels]) -> None:
    codec = LabelCodec(call.instance)
    for scale in range(1, call.instance.facts["max_scale"] + 1):
        volume = volumes.stored_at(call, scale)

        def held(block: Triple, volume: Volume = volume) -> Labels:
            found = volume.get(db, block)
            return (
                np.zeros(codec.instance.block, np.uint64) if found is None else codec.labels(found)
            )

        made = downres.next_scale(changed, held)
        stored = {block: codec.stored(labels[None]) for block, labels in made}
        volume.put(db, stored.items())
        changed = Decoded(codec, stored)


def replace(
    db: Db,
    call: InstanceCall,
    stored: Mapping[Triple, bytes],
    labels: Mapping[Triple, Labels],
    *,
    lower: bool,
) -> None:
    """Store blocks whose index is kept by the caller; `lower` says whether the scales follow."""
    volumes.stored_at(call).put(db, stored.items())
    if lower:
        _store_scales(db, call, labels)


def ingest(call: InstanceCall, stored: Mapping[Triple, bytes], scale: int) -> None:
    """Store blocks, and nothing else."""
    with call.service.store.writing() as db:
        volumes.still_open(db, call)
        volumes.stored_at(call, scale).put(db, stored.items())
