"""Repos and versions: their rows in the store, and DVID's rules for finding and changing them. Must
not know HTTP methods, paths or instances.

Every function takes the connection of the transaction it is part of.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from dvid_array.devserver.answers import Refusal, refusal
from dvid_array.devserver.store import Db

FIRST_MUTATION = 1_000_000_000
"""Mutation id of a new repo; it grows with each write of voxels."""
MASTER = "master"
"""What the first branch is called in URLs; in documents its name is empty."""


@dataclass(frozen=True, slots=True)
class Repo:
    """A row of repos."""

    id: int
    root: str
    alias: str
    description: str
    log: list[str]
    mutations: int
    created: str
    updated: str


@dataclass(frozen=True, slots=True)
class Version:
    """A row of versions: one node of a repo's graph."""

    id: int
    uuid: str
    repo: int
    parent: int | None
    branch: str
    note: str
    log: list[str]
    locked: bool
    created: str
    updated: str


def now() -> str:
    """The time as DVID writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _stamped(messages: Iterable[str]) -> list[str]:
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [f"{stamp}  {message}" for message in messages]


# --- repos ---------------------------------------------------------------------------------------


def new_repo(db: Db, alias: str, description: str, root: str | None = None) -> str:
    """Add a repo with its first version; the id of that."""
    uuid = root or uuid4().hex
    if _uuid_taken(db, uuid):
        raise refusal("uuid exists")
    when = now()
    row = (uuid, alias, description, "[]", FIRST_MUTATION, when, when)
    made = db.execute(
        "INSERT INTO repos (root, alias, description, log, mutations, created, updated)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        row,
    )
    _add_version(db, uuid, int(made.lastrowid or 0), None)
    return uuid


def repos(db: Db) -> list[Repo]:
    """All repos, the oldest first."""
    return [_repo(row) for row in db.execute("SELECT * FROM repos ORDER BY id")]


def repo(db: Db, number: int) -> Repo:
    """One repo."""
    return _repo(db.execute("SELECT * FROM repos WHERE id = ?", (number,)).fetchone())


def _repo(row: tuple[Any, ...]) -> Repo:
    number, root, alias, description, log, mutations, created, updated = row
    return Repo(number, root, alias, description, json.loads(log), mutations, created, updated)


def describe(db: Db, number: int, *, alias: str | None, description: str | None) -> None:
    """Change a repo's words for people."""
    db.execute(
        "UPDATE repos SET alias = coalesce(?, alias), description = coalesce(?, description),"
        " updated = ? WHERE id = ?",
        (alias, description, now(), number),
    )


def log_repo(db: Db, number: int, messages: Iterable[str]) -> None:
    """Append to a repo's log."""
    log = repo(db, number).log + _stamped(messages)
    db.execute(
        "UPDATE repos SET log = ?, updated = ? WHERE id = ?", (json.dumps(log), now(), number)
    )


def mutated(db: Db, number: int) -> int:
    """Count a write of voxels; the new mutation id."""
    db.execute("UPDATE repos SET mutations = mutations + 1 WHERE id = ?", (number,))
    return repo(db, number).mutations


# --- versions ------------------------------------------------------------------------------------


def _uuid_taken(db: Db, uuid: str) -> bool:
    return db.execute("SELECT 1 FROM versions WHERE uuid = ?", (uuid,)).fetchone() is not None


def _add_version(
    db: Db, uuid: str, repo_id: int, parent: int | None, *, branch: str = "", note: str = ""
) -> None:
    when = now()
    db.execute(
        "INSERT INTO versions (uuid, repo, parent, branch, note, log, locked, created, updated)"
        " VALUES (?, ?, ?, ?, ?, '[]', 0, ?, ?)",
        (uuid, repo_id, parent, branch, note, when, when),
    )


def _version(row: tuple[Any, ...]) -> Version:
    *first, log, locked, created, updated = row
    number, uuid, repo_id, parent, branch, note = first
    return Version(
        number,
        uuid,
        repo_id,
        parent,
        branch,
        note,
        json.loads(log),
        bool(locked),
        created,
        updated,
    )


def version(db: Db, number: int) -> Version:
    """One version by its number."""
    return _version(db.execute("SELECT * FROM versions WHERE id = ?", (number,)).fetchone())


def resolve_exactly(db: Db, uuid: str) -> Version:
    """One version by its whole id."""
    return _version(db.execute("SELECT * FROM versions WHERE uuid = ?", (uuid,)).fetchone())


def versions(db: Db, repo_id: int) -> list[Version]:
    """All versions of a repo, the oldest first."""
    rows = db.execute("SELECT * FROM versions WHERE repo = ? ORDER BY id", (repo_id,))
    return [_version(row) for row in rows]


def resolve(db: Db, text: str) -> Version:
    """The version of an expression: `<prefix>`, `<prefix>:<branch>`, `:<branch>`, with `~<n>`."""
    prefix, *branches = text.split(":")
    if len(branches) > 1:
        raise refusal("bad uuid", uuid=text)
    if not prefix and branches:
        roots = [repo.root for repo in repos(db)]
        if len(roots) > 1:
            raise refusal("uuid needed")
        if not roots:
            raise refusal("unknown branch", branch=branches[0] or MASTER, repo="")
        return _branch_version(db, _by_prefix(db, roots[0]), branches[0], "")
    found = _by_prefix(db, prefix)
    named = branches[0] if branches else ""
    return _branch_version(db, found, named, found.uuid) if named else found


def _by_prefix(db: Db, prefix: str) -> Version:
    rows = db.execute(
        "SELECT * FROM versions WHERE substr(uuid, 1, ?) = ? LIMIT 2", (len(prefix), prefix)
    ).fetchall()
    if not rows:
        raise refusal("unknown uuid", uuid=prefix)
    if len(rows) > 1:
        raise refusal("ambiguous uuid", uuid=prefix)
    return _version(rows[0])


def _branch_version(db: Db, member: Version, text: str, shown: str) -> Version:
    name, *back = text.split("~")
    if len(back) != 1:
        name, back = text or MASTER, []
    line = branch_line(db, member.repo, name)
    if back:
        if not (back[0].isascii() and back[0].isdigit()):
            raise Refusal(400, f'can\'t parse parent "{back[0]}" in branch "{name}"')
        if int(back[0]) >= len(line):
            raise refusal("parent out of range", number=back[0], branch=name)
        return line[int(back[0])]
    if not line:
        raise refusal("unknown branch", branch=name, repo=shown)
    return line[0]


def branch_line(db: Db, repo_id: int, name: str) -> list[Version]:
    """The versions from a branch's newest to the repo's root; empty where there is none."""
    wanted = "" if name == MASTER else name
    known = {version.id: version for version in versions(db, repo_id)}
    mine = [version for version in known.values() if version.branch == wanted]
    line: list[Version] = []
    current = mine[-1] if mine else None
    while current is not None:
        line.append(current)
        current = known.get(current.parent) if current.parent is not None else None
    return line


def new_version(db: Db, parent: Version, *, branch: str, note: str, uuid: str | None = None) -> str:
    """Add a child of a committed version; its id. An empty branch goes on with the parent's."""
    if not version(db, parent.id).locked:
        raise refusal("open parent")
    branch = branch or parent.branch
    same = branch == parent.branch
    rivals = [
        other
        for other in versions(db, parent.repo)
        if other.branch == branch and (other.parent == parent.id or not same)
    ]
    if rivals:
        raise refusal("branch exists")
    made = uuid or uuid4().hex
    if _uuid_taken(db, made):
        raise refusal("uuid exists")
    _add_version(db, made, parent.repo, parent.id, branch=branch, note=note)
    touch(db, parent)
    return made


def touch(db: Db, changed: Version) -> None:
    """Mark a version and its repo as changed now."""
    when = now()
    db.execute("UPDATE versions SET updated = ? WHERE id = ?", (when, changed.id))
    db.execute("UPDATE repos SET updated = ? WHERE id = ?", (when, changed.repo))


def commit(db: Db, which: Version, note: str, log: Iterable[str]) -> None:
    """Lock a version for good."""
    if version(db, which.id).locked:
        raise Refusal(400, f"node {which.uuid} already committed")
    db.execute("UPDATE versions SET locked = 1 WHERE id = ?", (which.id,))
    if note:
        set_note(db, which, note)
    log_version(db, which, log)


def set_note(db: Db, which: Version, note: str) -> None:
    """Replace a version's note."""
    db.execute("UPDATE versions SET note = ? WHERE id = ?", (note, which.id))
    touch(db, which)


def log_version(db: Db, which: Version, messages: Iterable[str]) -> None:
    """Append to a version's log."""
    log = version(db, which.id).log + _stamped(messages)
    db.execute("UPDATE versions SET log = ? WHERE id = ?", (json.dumps(log), which.id))
    touch(db, which)


def root_of(db: Db, repo_id: int) -> Version:
    """A repo's first version."""
    row = db.execute(
        "SELECT * FROM versions WHERE repo = ? AND parent IS NULL", (repo_id,)
    ).fetchone()
    return _version(row)
