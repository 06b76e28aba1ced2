"""Which body each supervoxel is part of: mappings as rows of the store. Must not know voxels or
counts.

A supervoxel without a row is a body of its own. A row belongs to the version that it was written
in, and the nearest ancestor's counts. A row of 0 says that a label is no supervoxel at all.

Source: `datatype/labelmap/vcache.go`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvid_array.devserver.label_index import keys, labels_of
from dvid_array.devserver.label_storage import Labels
from dvid_array.devserver.store import LINE, Db

_OF_VERSION = (
    LINE
    + """
SELECT supervoxel, label, max(version) FROM mappings
WHERE instance = :instance AND version IN line GROUP BY supervoxel ORDER BY supervoxel
"""
)
_PUT = "INSERT OR REPLACE INTO mappings (instance, supervoxel, version, label) VALUES (?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Mapping:
    """The mapping in force at a version."""

    supervoxels: Labels
    """In order."""
    bodies: Labels
    """The body of each."""

    def __len__(self) -> int:
        return len(self.supervoxels)

    def known(self, labels: Labels) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Which labels have a row of their own."""
        return np.isin(labels, self.supervoxels)

    def of(self, labels: Labels) -> Labels:
        """The bodies of supervoxels."""
        if not len(self):
            return labels
        place = np.searchsorted(self.supervoxels, labels).clip(0, len(self) - 1)
        return np.where(self.supervoxels[place] == labels, self.bodies[place], labels)

    def inside(self, *bodies: int) -> Labels:
        """The supervoxels that can be in one of some bodies."""
        return self.members(np.array(bodies, np.uint64))

    def members(self, bodies: Labels) -> Labels:
        """The supervoxels that can be in one of some bodies, in order."""
        named = self.supervoxels[np.isin(self.bodies, bodies)]
        return np.union1d(named, bodies[~self.known(bodies)])


def load(db: Db, instance: int, version: int) -> Mapping:
    """The mapping of an instance at a version."""
    where = {"instance": instance, "version": version}
    found = np.array(db.execute(_OF_VERSION, where).fetchall(), np.int64).reshape(-1, 3)
    return Mapping(labels_of(found[:, 0]), labels_of(found[:, 1]))


def put(db: Db, instance: int, version: int, supervoxels: Labels, body: int) -> None:
    """Make supervoxels part of a body."""
    (label,) = keys([body])
    db.executemany(_PUT, ((instance, key, version, label) for key in keys(supervoxels)))
