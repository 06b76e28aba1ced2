"""Which answer a call gets: checks in DVID's order, then a table. Must not know sockets, nor what
answers do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dvid_array.devserver import catalog, images, instances, labels, repos, rois, versions
from dvid_array.devserver.answers import (
    FAULT,
    Answer,
    Call,
    InstanceCall,
    Reply,
    VersionCall,
    not_found,
    refusal,
)

OfServer = Callable[[Call], Answer]
OfVersion = Callable[[VersionCall], Answer]
OfInstance = Callable[[InstanceCall], Answer]

SERVER: dict[tuple[str, str], dict[str, OfServer]] = {
    ("", "heartbeat"): {"GET": repos.heartbeat},
    ("", "load"): {"GET": repos.load},
    ("server", "info"): {"GET": repos.server_info},
    ("server", "note"): {"GET": repos.server_note},
    ("server", "types"): {"GET": repos.types_in_use},
    ("server", "compiled-types"): {"GET": repos.compiled_types},
    ("repos", ""): {"POST": repos.new_repo},
    ("repos", "info"): {"GET": repos.repos_info},
}
VERSION: dict[tuple[str, str, int], dict[str, OfVersion]] = {
    ("repo", "", 0): {"HEAD": repos.repo_head},
    ("repo", "info", 0): {"GET": repos.repo_info, "POST": repos.describe_repo},
    ("repo", "instance", 0): {"POST": repos.new_instance},
    ("repo", "branch-versions", 1): {"GET": repos.branch_versions},
    ("repo", "log", 0): {"GET": repos.repo_log, "POST": repos.log_repo},
    ("node", "note", 0): {"GET": versions.note, "POST": versions.set_note},
    ("node", "log", 0): {"GET": versions.version_log, "POST": versions.log_version},
    ("node", "status", 0): {"GET": versions.status},
    ("node", "commit", 0): {"GET": versions.status, "POST": versions.commit},
    ("node", "newversion", 0): {"POST": versions.new_version},
    ("node", "branch", 0): {"POST": versions.new_branch},
    ("node", "tag", 0): {"POST": versions.new_tag},
}
"""Scope, action and number of further path parts -> method -> answer."""
INSTANCE: dict[str, OfInstance] = {
    "image": images.answer,
    "labels": labels.answer,
    "roi": rois.answer,
}
"""Family of types -> answer; the family has a table of its own."""

ON_LOCKED = ("branch", "newversion", "tag")
"""What may be posted to a committed version."""
QUESTIONS = (("roi", "ptquery"),)
"""Families and endpoints whose posts change nothing, so that committed versions take them."""
SILENT = (("", "heartbeat"), ("", "load"))
"""Places where DVID does not answer OPTIONS by itself."""


def answer(call: Call) -> Answer:
    """The answer to a call; runs in a worker thread."""
    if call.address.scope in ("repo", "node", "instance"):
        return _of_version(call)
    found = SERVER.get((call.address.scope, call.address.action), {})
    automatic = (call.address.scope, call.address.action) not in SILENT
    answered: Answer = _of_table(found, call.method, automatic=automatic)(call)
    return answered


def _of_table(found: dict[str, Any], method: str, *, automatic: bool = True) -> Callable[..., Any]:
    if method == "OPTIONS" and found and automatic:
        allowed = [*found, *(["HEAD"] if "GET" in found else []), "OPTIONS"]
        order = sorted(allowed, key=("GET", "HEAD", "POST", "OPTIONS").index)
        headers = {"allow": ", ".join(order), "x-content-type-options": "nosniff"}
        return lambda call: Reply(b"", FAULT, headers=headers)
    handler = found.get(method) or (found.get("GET") if method == "HEAD" else None)
    if handler is None:
        raise not_found()
    made: Callable[..., Any] = handler
    return made


def _of_version(call: Call) -> Answer:
    address = call.address
    if call.service.read_only and not call.admin and not call.reads:
        raise refusal("read only")
    with call.service.store.reading() as db:
        version = catalog.resolve(db, address.uuid)
        if address.scope == "instance":
            instance = instances.instance(db, version.repo, address.name)
            versioned = instance.facts["versioned"]
            at = version.id if versioned else catalog.root_of(db, version.repo).id
    common = (call.service, call.method, call.path, address, call.query, call.admin, call.closing)
    if address.scope == "instance":
        return _of_instance(InstanceCall(*common, version, instance, at))
    if address.scope == "node" and address.action not in ON_LOCKED:
        _check_lock(call, version)
    found = VERSION.get((address.scope, address.action, len(address.args)), {})
    answered: Answer = _of_table(found, call.method)(VersionCall(*common, version))
    return answered


def _check_lock(call: Call, version: catalog.Version) -> None:
    if version.locked and not call.admin and not call.reads:
        method = call.method.lower()
        raise refusal("locked node", method=method, uuid=version.uuid)


def _of_instance(call: InstanceCall) -> Answer:
    asks = (call.instance.kind.family, call.address.action) in QUESTIONS and call.method == "POST"
    mutates = call.method in ("POST", "PUT", "DELETE") and not asks
    if call.instance.facts["versioned"] and call.version.locked and mutates and not call.admin:
        raise refusal(
            "locked data",
            method=call.method,
            endpoint=call.address.action,
            uuid=call.version.uuid,
        )
    return INSTANCE[call.instance.kind.family](call)
