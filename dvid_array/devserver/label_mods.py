"""Who merged or cleaved a body last. Must not know what a merge is.

Source: `datatype/common/labels/index.go` (LastMutid and its like).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from dvid_array.devserver.answers import InstanceCall
from dvid_array.devserver.label_index import keys
from dvid_array.devserver.store import LINE, Db

_NEAREST = (
    LINE
    + """
SELECT mutation, user, app, time FROM label_mods
WHERE instance = :instance AND label = :label AND version IN line ORDER BY version DESC LIMIT 1
"""
)
_PUT = """
INSERT OR REPLACE INTO label_mods (instance, label, version, mutation, user, app, time)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""


@dataclass(frozen=True, slots=True)
class Mod:
    """One change of a body."""

    mutation: int = 0
    user: str = ""
    app: str = ""
    time: str = ""


def of(call: InstanceCall, mutation: int) -> Mod:
    """The change that a call makes."""
    when = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Mod(mutation, call.query.get("u", ""), call.query.get("app", ""), when)


def last(db: Db, instance: int, version: int, label: int) -> Mod:
    """The last change of a body."""
    where = {"instance": instance, "version": version, "label": keys([label])[0]}
    row = db.execute(_NEAREST, where).fetchone()
    return Mod(*row) if row else Mod()


def put(db: Db, call: InstanceCall, label: int, mod: Mod) -> None:
    """Record a change of a body."""
    where = (call.instance.id, keys([label])[0], call.at)
    db.execute(_PUT, (*where, mod.mutation, mod.user, mod.app, mod.time))
