"""Keeping the label index true to what is written. Must not know where posts come from.

A post that does not say that it mutates counts its voxels on top of what was there, as in DVID: so
writing the same labels twice doubles their sizes. Where a post takes away more than was counted,
DVID leaves the index of that body as it was.

Source: `datatype/labelmap/labelidx.go` (aggregateBlockChanges, ChangeLabelIndex).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from dvid_array.box import Triple
from dvid_array.devserver import label_mapping
from dvid_array.devserver.blocks import Volume
from dvid_array.devserver.label_index import Change, Index, difference
from dvid_array.devserver.label_storage import LabelCodec, Labels
from dvid_array.devserver.store import Db


def changes(
    db: Db, volume: Volume, codec: LabelCodec, new: Mapping[Triple, Labels], *, mutate: bool
) -> list[Change]:
    """What blocks that are about to be stored change."""
    found = []
    for block, labels in new.items():
        held = volume.get(db, block) if mutate else None
        found.append(difference(block, labels, codec.labels(held) if held else None))
    return found


def apply(db: Db, index: Index, made: Iterable[Change]) -> None:
    """Change the counts of an index."""
    mapping = label_mapping.load(db, index.instance, index.version)
    pending, refused = [], [np.empty(0, np.uint64)]
    for change in made:
        now = index.current(db, change)
        held = np.array([count or 0 for count in now], np.int64)
        pending.append((change, now, held + change.counts))
        refused.append(mapping.of(change.labels[held + change.counts < 0]))
    never = np.unique(np.concatenate(refused))
    for change, now, counts in pending:
        new = [
            None if total == 0 and count is not None else total
            for total, count in zip(counts.tolist(), now, strict=True)
        ]
        fits = ~np.isin(mapping.of(change.labels), never)
        differs = np.array([a != b for a, b in zip(new, now, strict=True)], bool)
        chosen = np.flatnonzero(fits & differs)
        index.put(db, change.block, change.labels[chosen], [new[k] for k in chosen])
