"""Answers about the server, its repos and their versions. Must not know voxels."""

from __future__ import annotations

import os
import resource
import time
from datetime import datetime
from typing import Any

from dvid_array import __version__
from dvid_array.devserver import catalog, configuration, descriptions, instances
from dvid_array.devserver.answers import (
    TEXT,
    Answer,
    Body,
    Call,
    NeedsBody,
    Reply,
    VersionCall,
    json_reply,
    refusal,
    spaced_json_reply,
)
from dvid_array.devserver.bodies import append_log, config, required, worded
from dvid_array.devserver.catalog import Repo, Version
from dvid_array.devserver.instances import Instance
from dvid_array.devserver.store import Db

LOADS = (
    *(f"{what} bytes {done}" for what in ("file", "key", "value") for done in ("read", "written")),
    "GET requests",
    "PUT requests",
    "handlers active",
    "goroutines",
    "active CGo writes",
    "pending log messages",
)


# --- the server ----------------------------------------------------------------------------------


def heartbeat(call: Call) -> Reply:
    """GET heartbeat."""
    return Reply(b"OK", TEXT)


def load(call: Call) -> Reply:
    """GET load: nothing is measured here."""
    return json_reply(dict.fromkeys(sorted(LOADS), 0))


def server_info(call: Call) -> Reply:
    """GET server/info: strings only."""
    cores = str(os.cpu_count() or 1)
    document = {
        "Cores": cores,
        "DVID Version": f"dvid_array development server {__version__}",
        "Datastore Version": "0.11.0",
        "Host": call.service.authority,
        "Max Open Files": str(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        "Maximum Cores": cores,
        "Note": "",
        "RPC Address": "",
        "Server time": str(datetime.now().astimezone()),
        "Server uptime": f"{time.time() - call.service.started:.3f}s",
        "Storage backend": "sqlite",
        "TOML location": "",
    }
    mode = {"Mode": "read only"} if call.service.read_only else {}
    return json_reply(document | mode)


def server_note(call: Call) -> Reply:
    """GET server/note."""
    return Reply(b"", TEXT)


def compiled_types(call: Call) -> Reply:
    """GET server/compiled-types: the types this server has."""
    kinds = configuration.SUPPORTED
    return json_reply({name: descriptions.type_url(kinds[name]) for name in sorted(kinds)})


def types_in_use(call: Call) -> Reply:
    """GET server/types: the types that some instance has."""
    with call.service.store.reading() as db:
        kinds = {which.kind.name: which.kind for which in instances.instances(db)}
    return json_reply({name: descriptions.type_url(kinds[name]) for name in sorted(kinds)})


# --- repos ---------------------------------------------------------------------------------------


def repos_info(call: Call) -> Reply:
    """GET repos/info: the documents of all repos."""
    with call.service.store.reading() as db:
        return json_reply({repo.root: _document(db, repo) for repo in catalog.repos(db)})


def new_repo(call: Call) -> Answer:
    """POST repos: needs admin rights."""
    if not call.admin or call.service.read_only:
        raise refusal("admin needed")

    def made(body: Body) -> Reply:
        wanted = config(body, "new repo")
        said = {
            key: worded(wanted, key, f"POST on repos endpoint requires valid '{key}': ")
            for key in ("alias", "description", "passcode")
        }
        root = worded(wanted, "root", "POST on repos endpoint with error on getting 'root': ")
        with call.service.store.writing() as db:
            uuid = catalog.new_repo(db, said["alias"] or "", said["description"] or "", root)
        return spaced_json_reply({"root": uuid})

    return NeedsBody(made)


def repo_head(call: VersionCall) -> Reply:
    """HEAD repo/<uuid>: whether it is there."""
    with call.service.store.reading() as db:
        root = catalog.repo(db, call.version.repo).root
    return Reply(f"Repo available with root UUID {root}\n".encode(), TEXT)


def repo_info(call: VersionCall) -> Reply:
    """GET repo/<uuid>/info."""
    with call.service.store.reading() as db:
        return json_reply(_document(db, catalog.repo(db, call.version.repo)))


def describe_repo(call: VersionCall) -> Answer:
    """POST repo/<uuid>/info: alias and description."""

    def described(body: Body) -> Reply:
        wanted = config(body, "POST repo")
        alias, description = (
            worded(wanted, key, f"POST on repo/info endpoint requires valid '{key}': ")
            for key in ("alias", "description")
        )
        with call.service.store.writing() as db:
            catalog.describe(db, call.version.repo, alias=alias, description=description)
        return Reply()

    return NeedsBody(described)


def branch_versions(call: VersionCall) -> Reply:
    """GET repo/<uuid>/branch-versions/<name>: ids from the newest to the root."""
    with call.service.store.reading() as db:
        line = catalog.branch_line(db, call.version.repo, call.address.args[0])
    return json_reply([version.uuid for version in line])


def repo_log(call: VersionCall) -> Reply:
    """GET repo/<uuid>/log."""
    with call.service.store.reading() as db:
        return json_reply({"log": catalog.repo(db, call.version.repo).log})


def log_repo(call: VersionCall) -> Answer:
    """POST repo/<uuid>/log: append messages."""
    return append_log(call, lambda db, messages: catalog.log_repo(db, call.version.repo, messages))


def new_instance(call: VersionCall) -> Answer:
    """POST repo/<uuid>/instance."""
    if call.version.locked and not call.admin:
        raise refusal("locked create", uuid=call.version.uuid)

    def made(body: Body) -> Reply:
        wanted = config(body, "'new'")
        kind_name, name = (required(wanted, key) for key in ("typename", "dataname"))
        kind = configuration.SUPPORTED.get(kind_name)
        if kind is None:
            raise refusal("unknown type", kind=kind_name)
        with call.service.store.writing() as db:
            instances.check_name(db, call.version.repo, name)
            facts = configuration.new_facts(kind, name, wanted, call.service.gridstores)
            instances.add_instance(db, call.version.repo, name, kind, facts)
            told = configuration.shown(kind, wanted)
            message = f'New data instance "{name}" of type "{kind_name}" with config {told}'
            catalog.log_repo(db, call.version.repo, [message])
        told = f"Added {name} [{kind_name}] to node {call.version.uuid}"
        return spaced_json_reply({"result": told})

    return NeedsBody(made)


# --- documents -----------------------------------------------------------------------------------


def _document(db: Db, repo: Repo) -> dict[str, Any]:
    versions = catalog.versions(db, repo.id)
    leaf = catalog.branch_line(db, repo.id, catalog.MASTER)[0]
    stride = 100 * (1 + (repo.mutations - catalog.FIRST_MUTATION) // 100)
    return {
        "Root": repo.root,
        "Alias": repo.alias,
        "Description": repo.description,
        "Log": repo.log,
        "Properties": {},
        "DataInstances": {
            which.name: instance_document(db, which, repo.root, leaf.id)
            for which in instances.instances(db, repo.id)
        },
        "DAG": {
            "Root": repo.root,
            "Nodes": {
                version.uuid: _node(version, versions)
                for version in sorted(versions, key=lambda version: version.uuid)
            },
        },
        "MutationID": repo.mutations,
        "SavedMutationID": catalog.FIRST_MUTATION + stride,
        "Created": repo.created,
        "Updated": repo.updated,
    }


def _node(version: Version, versions: list[Version]) -> dict[str, Any]:
    return {
        "Branch": version.branch,
        "Note": version.note,
        "Log": version.log,
        "UUID": version.uuid,
        "VersionID": version.id,
        "Locked": version.locked,
        "Parents": [] if version.parent is None else [version.parent],
        "Children": [child.id for child in versions if child.parent == version.id],
        "Created": version.created,
        "Updated": version.updated,
    }


def instance_document(db: Db, which: Instance, root: str, version_id: int) -> dict[str, Any]:
    """The info document of an instance at a version."""
    extents = instances.extents(db, which, version_id)
    return descriptions.info(which, root, extents, instances.highest_labels(db, which.id))
