"""How many voxels each supervoxel has in each block: the label index, as rows of the store. Must
not know voxels, nor which body a supervoxel is part of.

A row belongs to the version that it was written in, and the nearest ancestor's counts. A count of
NULL says that nothing is left of an ancestor's; a count of 0 can be there, as in DVID.

Source: `datatype/common/labels/index.go` (ModifyBlocks).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dvid_array.box import Triple
from dvid_array.devserver.label_storage import Labels
from dvid_array.devserver.store import LINE, Db

Counts = np.ndarray[Any, np.dtype[np.int64]]
Blocks = np.ndarray[Any, np.dtype[np.int64]]

TOP = np.uint64(1 << 63)
"""SQLite's integers are signed: labels are stored less this, which keeps their order."""

_NEAREST = (
    LINE
    + """
SELECT (
    SELECT count FROM counts
    WHERE instance = :instance AND label = json_extract(value, '$[0]')
        AND z = json_extract(value, '$[1]') AND y = json_extract(value, '$[2]')
        AND x = json_extract(value, '$[3]') AND version IN line
    ORDER BY version DESC LIMIT 1
) FROM json_each(:rows) ORDER BY key
"""
)
_ROWS = (
    LINE
    + """
SELECT label, z, y, x, count FROM (
    SELECT label, z, y, x, max(version), count FROM counts
    WHERE instance = :instance AND label IN (SELECT value FROM json_each(:labels))
        AND version IN line
    GROUP BY label, z, y, x
) WHERE count IS NOT NULL
"""
)
_TOTALS = (
    LINE
    + """
SELECT label, sum(count) FROM (
    SELECT label, max(version), count FROM counts
    WHERE instance = :instance AND label >= :first AND version IN line
    GROUP BY label, z, y, x
) WHERE count IS NOT NULL GROUP BY label ORDER BY label
"""
)
_PUT = """
INSERT OR REPLACE INTO counts (instance, label, z, y, x, version, count)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""


def keys(labels: Iterable[int] | Labels) -> list[int]:
    """Labels as the store has them."""
    found: list[int] = (np.array(labels, np.uint64) ^ TOP).view(np.int64).tolist()
    return found


def labels_of(stored: Counts) -> Labels:
    """The labels of the store's integers."""
    labels: Labels = stored.copy().view(np.uint64) ^ TOP
    return labels


def counted(labels: Labels) -> tuple[Labels, Counts]:
    """The labels of a block but 0, in order, and how many voxels each has."""
    flat = labels.reshape(-1, order="F")
    starts = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1])))
    names, owner = np.unique(flat[starts], return_inverse=True)
    lengths = np.diff(np.append(starts, flat.size))
    counts = np.bincount(owner, lengths, len(names)).astype(np.int64)
    first = int(len(names) > 0 and names[0] == 0)
    return names[first:], counts[first:]


@dataclass(frozen=True, slots=True)
class Change:
    """By how much the counts of a block's supervoxels change."""

    block: Triple
    labels: Labels
    counts: Counts


def difference(block: Triple, new: Labels, old: Labels | None) -> Change:
    """What a block's new labels (x, y, z) change; None counts nothing as being there before."""
    labels, counts = counted(new)
    if old is None:
        return Change(block, labels, counts)
    gone, less = counted(old)
    union, owner = np.unique(np.concatenate([labels, gone]), return_inverse=True)
    deltas = np.bincount(owner, np.concatenate([counts, -less]), len(union))
    return Change(block, union, deltas.astype(np.int64))


@dataclass(frozen=True, slots=True)
class Rows:
    """Counts of supervoxels in blocks."""

    labels: Labels
    blocks: Blocks
    """x, y, z of each row's block."""
    counts: Counts

    def only(self, labels: Labels) -> Rows:
        """The rows of some supervoxels."""
        mine = np.isin(self.labels, labels)
        return Rows(self.labels[mine], self.blocks[mine], self.counts[mine])

    def totals(self) -> tuple[Labels, Counts]:
        """Supervoxels and the voxels of each."""
        names, owner = np.unique(self.labels, return_inverse=True)
        return names, np.bincount(owner, self.counts, len(names)).astype(np.int64)

    def filled(self) -> Blocks:
        """The blocks that have voxels, each once, in order of z, y, x."""
        there = np.unique(self.blocks[self.counts > 0][:, ::-1], axis=0)
        return there[:, ::-1]


@dataclass(frozen=True, slots=True)
class Index:
    """The counts of one instance at one version."""

    instance: int
    version: int

    def rows(self, db: Db, supervoxels: Labels) -> Rows:
        """Where supervoxels are."""
        where = self._where() | {"labels": json.dumps(keys(supervoxels))}
        found = np.array(db.execute(_ROWS, where).fetchall(), np.int64).reshape(-1, 5)
        return Rows(labels_of(found[:, 0]), found[:, 3:0:-1], found[:, 4])

    def totals(self, db: Db, first: int = 0) -> tuple[Labels, Counts]:
        """All supervoxels from `first` on that have rows, in order, and the voxels of each."""
        where = self._where() | {"first": keys([first])[0]}
        found = np.array(db.execute(_TOTALS, where).fetchall(), np.int64).reshape(-1, 2)
        return labels_of(found[:, 0]), found[:, 1]

    def current(self, db: Db, changes: Change) -> list[int | None]:
        """The counts that a block's supervoxels have; None where they have no row."""
        x, y, z = changes.block
        rows = json.dumps([[label, z, y, x] for label in keys(changes.labels)])
        return [row[0] for row in db.execute(_NEAREST, self._where() | {"rows": rows})]

    def put(self, db: Db, block: Triple, labels: Labels, counts: Iterable[int | None]) -> None:
        """Replace the counts of a block's supervoxels."""
        x, y, z = block
        db.executemany(
            _PUT,
            (
                (self.instance, label, z, y, x, self.version, count)
                for label, count in zip(keys(labels), counts, strict=True)
            ),
        )

    def _where(self) -> dict[str, int | str]:
        return {"instance": self.instance, "version": self.version}
