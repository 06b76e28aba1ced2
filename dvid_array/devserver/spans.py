"""The spans of regions of interest: rows of the store, and which blocks are inside. Must not know
HTTP.

A span is z, y, x0, x1 in blocks, the last one included. Each version keeps a whole list of its own,
and a version without one has its nearest ancestor's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dvid_array.devserver.numbers import Rows
from dvid_array.devserver.store import LINE, Db

Inside = np.ndarray[Any, np.dtype[np.bool_]]

_NEAREST = (
    LINE
    + """
SELECT spans FROM rois WHERE instance = :instance AND version IN line
ORDER BY version DESC LIMIT 1
"""
)


def load(db: Db, instance_id: int, version_id: int) -> Rows:
    """A version's spans, ordered by z, y, x0."""
    where = {"instance": instance_id, "version": version_id}
    row = db.execute(_NEAREST, where).fetchone()
    return np.frombuffer(row[0] if row else b"", "<i4").reshape(-1, 4)


def put(db: Db, instance_id: int, version_id: int, found: Rows) -> None:
    """Replace a version's spans."""
    db.execute(
        "INSERT OR REPLACE INTO rois (instance, version, spans) VALUES (?, ?, ?)",
        (instance_id, version_id, found.astype("<i4").tobytes()),
    )


def inside(found: Rows, blocks: Rows) -> Inside:
    """Which blocks (x, y, z) are in one of the spans (z, y, x0, x1, ordered)."""
    lines = np.concatenate([found[:, :2], blocks[:, 2:0:-1]])
    _, line = np.unique(lines, axis=0, return_inverse=True)
    # A line's number and x together: so all lines are searched as one.
    key = line.reshape(-1).astype(np.int64) << 33
    starts, stops = key[: len(found)] + found[:, 2], key[: len(found)] + found[:, 3]
    wanted = key[len(found) :] + blocks[:, 0]
    before = np.searchsorted(starts, wanted, "right")
    reach = np.concatenate([[np.iinfo(np.int64).min], np.maximum.accumulate(stops)])
    within: Inside = reach[before] >= wanted
    return within
