"""Data instances and their extents: their rows in the store, and DVID's rules for them. Must not
know HTTP, configurations or voxels.

Every function takes the connection of the transaction it is part of.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from dvid_array.box import Triple, triple
from dvid_array.devserver.answers import Refusal, refusal
from dvid_array.devserver.catalog import repo
from dvid_array.devserver.store import LINE, Db
from dvid_array.facts import KINDS, ROI, Kind

_KINDS = KINDS | {ROI.name: ROI}


@dataclass(frozen=True, slots=True)
class Extents:
    """Inclusive corners as DVID keeps them; each may be unknown."""

    low: Triple | None = None
    high: Triple | None = None

    @property
    def known(self) -> bool:
        """Whether both corners are."""
        return self.low is not None and self.high is not None

    def grown(self, low: Triple, high: Triple) -> Extents:
        """The smallest extents around these and a box."""
        return Extents(
            triple(map(min, self.low or low, low)), triple(map(max, self.high or high, high))
        )


@dataclass(frozen=True, slots=True)
class Instance:
    """A row of instances."""

    id: int
    repo: int
    name: str
    data_uuid: str
    kind: Kind
    facts: dict[str, Any]
    """Everything its configuration set; see `configuration.py`."""
    fallback: Extents
    """The extents that versions without their own report."""

    @property
    def block(self) -> Triple:
        """Voxels of a block along x, y, z."""
        return triple(self.facts["block"])


# --- instances -----------------------------------------------------------------------------------


def check_name(db: Db, repo_id: int, name: str) -> None:
    """Refuse a name that is taken: it must be free in the whole repo."""
    taken = db.execute("SELECT 1 FROM instances WHERE repo = ? AND name = ?", (repo_id, name))
    if taken.fetchone():
        raise refusal("instance exists", name=name, uuid=repo(db, repo_id).root)


def add_instance(db: Db, repo_id: int, name: str, kind: Kind, facts: dict[str, Any]) -> None:
    """Add a data instance."""
    low, high = facts.pop("low", None), facts.pop("high", None)
    db.execute(
        "INSERT INTO instances (repo, name, data_uuid, kind, facts, low, high)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (repo_id, name, uuid4().hex, kind.name, json.dumps(facts), _point(low), _point(high)),
    )


def instance(db: Db, repo_id: int, name: str) -> Instance:
    """A repo's instance of that name."""
    row = db.execute(
        "SELECT * FROM instances WHERE repo = ? AND name = ?", (repo_id, name)
    ).fetchone()
    if row is None:
        raise refusal("unknown instance")
    return _instance(row)


def instances(db: Db, repo_id: int | None = None) -> list[Instance]:
    """The instances of a repo, or of all, by name."""
    rows = db.execute(
        "SELECT * FROM instances WHERE ? IS NULL OR repo = ? ORDER BY name", (repo_id, repo_id)
    )
    return [_instance(row) for row in rows]


def _instance(row: tuple[Any, ...]) -> Instance:
    number, repo_id, name, data_uuid, kind, facts, low, high = row
    fallback = Extents(_triple(low), _triple(high))
    return Instance(number, repo_id, name, data_uuid, _KINDS[kind], json.loads(facts), fallback)


def set_facts(db: Db, which: Instance, **changes: Any) -> None:
    """Change facts of an instance, at all versions."""
    facts = json.dumps(which.facts | changes)
    db.execute("UPDATE instances SET facts = ? WHERE id = ?", (facts, which.id))


# --- labels --------------------------------------------------------------------------------------


def highest_labels(db: Db, instance_id: int) -> dict[str, int]:
    """Version number -> the highest label written there."""
    rows = db.execute(
        "SELECT version, highest FROM labels WHERE instance = ? ORDER BY version", (instance_id,)
    )
    return {str(version): int(highest) for version, highest in rows}


_LABELS_OF_LINE = LINE + "SELECT highest FROM labels WHERE instance = :instance AND version IN line"


def highest_label(db: Db, instance_id: int, version_id: int) -> int | None:
    """The highest label of a version and its ancestors; None where none was written."""
    rows = db.execute(_LABELS_OF_LINE, {"version": version_id, "instance": instance_id})
    return max((int(row[0]) for row in rows), default=None)


def raise_highest(db: Db, which: Instance, version_id: int, label: int) -> None:
    """Record the highest label of a write; a version never falls below its ancestors."""
    highest = max(label, highest_label(db, which.id, version_id) or 0)
    # uint64 does not fit SQLite's integers.
    db.execute(
        "INSERT OR REPLACE INTO labels (instance, version, highest) VALUES (?, ?, ?)",
        (which.id, version_id, str(highest)),
    )
    if highest > which.facts["highest_label"]:
        set_facts(db, which, highest_label=highest)


def new_labels(db: Db, which: Instance, version_id: int, number: int) -> tuple[int, int]:
    """Reserve labels above all there are; the first and the last."""
    highest = which.facts["highest_label"]
    if number >= (1 << 64) - 1 - highest:
        raise Refusal(
            400,
            f'allocating {number} new labels for data "{which.name}" would overflow uint64 label '
            f"space (repo max {highest})",
        )
    raise_highest(db, which, version_id, highest + number)
    return highest + 1, highest + number


# --- extents -------------------------------------------------------------------------------------


def _point(values: Iterable[int] | None) -> str | None:
    return None if values is None else json.dumps(list(values))


def _triple(text: str | None) -> Triple | None:
    return None if text is None else triple(json.loads(text))


_NEAREST_EXTENTS = (
    LINE
    + """
SELECT low, high FROM extents WHERE instance = :instance AND version IN line
ORDER BY version DESC LIMIT 1
"""
)


def own_extents(db: Db, instance_id: int, version_id: int) -> Extents:
    """What a version, or its nearest ancestor that has any, says itself."""
    where = {"version": version_id, "instance": instance_id}
    row = db.execute(_NEAREST_EXTENTS, where).fetchone()
    return Extents(_triple(row[0]), _triple(row[1])) if row else Extents()


def extents(db: Db, which: Instance, version_id: int) -> Extents:
    """What an instance reports at a version: its own, else the instance-wide fallback."""
    own = own_extents(db, which.id, version_id)
    if own.known:
        return own
    return which.fallback if which.fallback.known else Extents()


def set_extents(db: Db, instance_id: int, version_id: int, value: Extents) -> None:
    """Replace a version's own extents."""
    db.execute(
        "INSERT OR REPLACE INTO extents (instance, version, low, high) VALUES (?, ?, ?, ?)",
        (instance_id, version_id, _point(value.low), _point(value.high)),
    )


def grow_extents(db: Db, instance_id: int, version_id: int, low: Triple, high: Triple) -> None:
    """Make a version's own extents cover a box; where they grew, all take them as fallback."""
    own = own_extents(db, instance_id, version_id)
    grown = own.grown(low, high)
    if grown != own:
        set_extents(db, instance_id, version_id, grown)
        set_fallback(db, instance_id, grown)


def grow_label_extents(db: Db, which: Instance, version_id: int, low: Triple, high: Triple) -> None:
    """DVID's rule for labels: where the instance-wide extents grow, the version's own come to cover
    *them*; where they do not, the version's own stay, even if they do not cover the box."""
    grown = which.fallback.grown(low, high)
    if grown != which.fallback and grown.low and grown.high:
        set_fallback(db, which.id, grown)
        grow_extents(db, which.id, version_id, grown.low, grown.high)


def set_fallback(db: Db, instance_id: int, value: Extents) -> None:
    """Replace the instance-wide extents."""
    db.execute(
        "UPDATE instances SET low = ?, high = ? WHERE id = ?",
        (_point(value.low), _point(value.high), instance_id),
    )
