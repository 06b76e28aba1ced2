"""Answers about versions: status, notes, commits, children. Must not know voxels."""

from __future__ import annotations

from string import hexdigits
from typing import Any

from dvid_array.devserver import catalog
from dvid_array.devserver.answers import (
    JSON,
    Answer,
    Body,
    NeedsBody,
    Refusal,
    Reply,
    VersionCall,
    json_reply,
    refusal,
    spaced_json_reply,
)
from dvid_array.devserver.bodies import append_log, field, loaded


def status(call: VersionCall) -> Reply:
    """GET node/<uuid>/commit and status."""
    return Reply(b'{"Locked":%s}' % (b"true" if call.version.locked else b"false"), JSON)


def note(call: VersionCall) -> Reply:
    """GET node/<uuid>/note."""
    return json_reply({"note": call.version.note})


def set_note(call: VersionCall) -> Answer:
    """POST node/<uuid>/note."""

    def noted(body: Body) -> Reply:
        text = field(body, "note", str)
        with call.service.store.writing() as db:
            catalog.set_note(db, call.version, text)
        return Reply()

    return NeedsBody(noted)


def version_log(call: VersionCall) -> Reply:
    """GET node/<uuid>/log."""
    return json_reply({"log": call.version.log})


def log_version(call: VersionCall) -> Answer:
    """POST node/<uuid>/log: append messages."""
    return append_log(call, lambda db, messages: catalog.log_version(db, call.version, messages))


def commit(call: VersionCall) -> Answer:
    """POST node/<uuid>/commit: lock the version for good."""
    if call.version.locked:
        raise Refusal(400, "Could not post to locked node")

    def committed(body: Body) -> Reply:
        wanted = loaded(body)
        with call.service.store.writing() as db:
            log = [str(message) for message in wanted.get("log") or []]
            catalog.commit(db, call.version, str(wanted.get("note") or ""), log)
        return spaced_json_reply({"committed": call.version.uuid})

    return NeedsBody(committed)


def new_version(call: VersionCall) -> Answer:
    """POST node/<uuid>/newversion: a child on the same branch."""

    def made(body: Body) -> Reply:
        wanted = loaded(body) if body.data else {}
        return _child(call, wanted, branch="", uuid=_assigned(wanted))

    return NeedsBody(made)


def new_branch(call: VersionCall) -> Answer:
    """POST node/<uuid>/branch: a child on a branch of its own."""

    def made(body: Body) -> Reply:
        wanted = loaded(body) if body.data else {}
        uuid = _assigned(wanted)
        branch = str(wanted.get("branch") or "")
        if branch in ("", catalog.MASTER):
            raise refusal("master branch")
        return _child(call, wanted, branch=branch, uuid=uuid)

    return NeedsBody(made)


def new_tag(call: VersionCall) -> Answer:
    """POST node/<uuid>/tag: a committed child whose id is the tag itself."""

    def made(body: Body) -> Reply:
        wanted = loaded(body) if body.data else {}
        tag = str(wanted.get("tag") or "")
        if not tag:
            # DVID makes a version without an id of it, which every prefix matches.
            raise Refusal(400, "A tag must have a name")
        with call.service.store.writing() as db:
            text = str(wanted.get("note") or "")
            catalog.new_version(db, call.version, branch=f"tag-{tag}", note=text, uuid=tag)
            told = f'Tag of version {call.version.uuid} with "{tag}"'
            catalog.commit(db, catalog.resolve_exactly(db, tag), told, [])
        return spaced_json_reply({"child": tag})

    return NeedsBody(made)


def _child(call: VersionCall, wanted: dict[str, Any], *, branch: str, uuid: str | None) -> Reply:
    text = str(wanted.get("note") or "")
    with call.service.store.writing() as db:
        made = catalog.new_version(db, call.version, branch=branch, note=text, uuid=uuid)
    return spaced_json_reply({"child": made})


def _assigned(wanted: dict[str, Any]) -> str | None:
    uuid = str(wanted.get("uuid") or "")
    if not uuid:
        return None
    if len(uuid) != 32:
        raise Refusal(400, "Bad UUID provided: UUID must be 32 character hexadecimal string")
    strange = [digit for digit in uuid if digit not in hexdigits]
    if strange:
        code = f"U+{ord(strange[0]):04X} '{strange[0]}'"
        raise Refusal(400, f"Bad UUID provided: encoding/hex: invalid byte: {code}")
    return uuid
