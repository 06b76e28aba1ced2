"""Documents of servers, repos, versions and instances: fetch, create, resolve, commit, branch.

Owns every small JSON exchange. Must not know public objects or voxels.

Source: `GET /api/server/info`, `/api/repos/info`, `/api/repo/<uuid>/info`,
`/api/repo/<uuid>/branch-versions/<branch>`, `/api/node/<uuid>/status`, `.../info`, `.../extents`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from dvid_array.box import Box, Triple
from dvid_array.client.transport import Call, Transport
from dvid_array.errors import DvidNotFoundError
from dvid_array.protocol import documents, paths, spans
from dvid_array.protocol.paths import Address
from dvid_array.protocol.spans import Spans

FULL_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Catalog:
    """The documents of one server."""

    transport: Transport

    def server_info(self) -> dict[str, str]:
        """What the server says of itself."""
        return dict(self._get(paths.server("info"), "strings"))

    def types(self) -> dict[str, str]:
        """Every data type the server was built with, and its source."""
        return dict(self._get(paths.server("compiled-types"), "strings"))

    def repos(self) -> dict[str, documents.Repo]:
        """All repos by root id."""
        call = Call("GET", paths.path(paths.repos("info")))
        listed = self._get(paths.repos("info"), "object")
        source = self.transport.address(call)
        return {root: documents.Repo(entry, source) for root, entry in listed.items() if entry}

    def repo(self, version: str) -> documents.Repo:
        """The repo that holds a version."""
        address = paths.repo(version, "info")
        return documents.Repo(self._get(address, "object"), self._url(address))

    def resolve(self, expression: str) -> str:
        """The full id of a version expression.

        A full id of 32 digits is taken as it is: the next request finds out whether it exists.
        """
        if not isinstance(expression, str):
            raise TypeError(
                f"a version is text, as an id or id:branch, not {expression!r}; a node has .uuid"
            )
        if FULL_ID.fullmatch(expression):
            return expression
        prefix, colon, branch = expression.partition(":")
        if colon and (branch or not prefix):
            return self._branch_head(expression, prefix, branch)
        found = [uuid for uuid in self.repo(prefix).versions if uuid.startswith(prefix)]
        if len(found) != 1:
            raise DvidNotFoundError(f"{prefix!r} begins {len(found)} version ids: give more digits")
        return found[0]

    def _branch_head(self, expression: str, prefix: str, branch: str) -> str:
        name, tilde, back = branch.partition("~")
        name = name or "master"
        if tilde and not back.isdecimal():
            raise DvidNotFoundError(f"{expression!r}: a whole number must follow '~'")
        listed = self._get(paths.repo(prefix or f":{name}", "branch-versions", name), "versions")
        steps = int(back or 0)
        if steps >= len(listed):
            raise DvidNotFoundError(
                f"branch {name!r} has {len(listed)} versions, so {expression!r} names none"
                + ("" if listed else "; see node.repo.branches")
            )
        return str(listed[steps])

    def locked(self, uuid: str) -> bool:
        """Whether a version is committed."""
        return bool(self._get(paths.node(uuid, "status"), "status")["Locked"])

    def instance(self, uuid: str, name: str) -> documents.Instance:
        """The facts of a voxel instance at a version."""
        address = paths.instance(uuid, name, "info")
        return documents.instance(self._get(address, "object"), self._url(address))

    def create_repo(self, alias: str, description: str) -> str:
        """Make a repo; the id of its first version."""
        body = {"alias": alias, "description": description}
        return str(self._post(paths.repos(), body, "root", admin=True)["root"])

    def create_instance(self, uuid: str, config: dict[str, str]) -> None:
        """Make an instance at a version."""
        self._post(paths.repo(uuid, "instance"), config, "object")

    def commit(self, uuid: str, note: str) -> None:
        """Make a version immutable."""
        self._post(paths.node(uuid, "commit"), {"note": note}, "object")

    def new_version(self, uuid: str, note: str) -> str:
        """The id of a new version on the same branch."""
        return str(self._post(paths.node(uuid, "newversion"), {"note": note}, "child")["child"])

    def new_branch(self, uuid: str, name: str, note: str) -> str:
        """The id of the first version of a new branch."""
        body = {"branch": name, "note": note}
        return str(self._post(paths.node(uuid, "branch"), body, "child")["child"])

    def post_extents(self, uuid: str, name: str, box: Box) -> None:
        """Set the extents of an instance at a version."""
        call = Call(
            "POST",
            paths.path(paths.instance(uuid, name, "extents")),
            body=documents.extents_body(box),
        )
        self.transport.done(call)

    def roi_block(self, uuid: str, name: str) -> Triple:
        """The block of a region of interest."""
        address = paths.instance(uuid, name, "info")
        return spans.block(self._get(address, "object"), self._url(address))

    def roi_spans(self, uuid: str, name: str) -> Spans:
        """The blocks of a region of interest at a version."""
        address = paths.instance(uuid, name, "roi")
        data = self.transport.document(Call("GET", paths.path(address)))
        return spans.parse(data, self._url(address))

    def post_roi(self, uuid: str, name: str, found: Spans) -> None:
        """Put other blocks in place of those of a region of interest."""
        address = paths.instance(uuid, name, "roi")
        self.transport.done(Call("POST", paths.path(address), body=spans.body(found)))

    def merged(self, uuid: str, name: str) -> bool:
        """Whether a labelmap's version has merges, so that labels differ from supervoxels."""
        path = paths.path(paths.instance(uuid, name, "mappings"))
        return bool(self.transport.beginning(Call("GET", path, {"format": "binary"}), 16))

    def _url(self, address: Address) -> str:
        return self.transport.address(Call("GET", paths.path(address)))

    def _get(self, address: Address, schema: str) -> Any:
        data = self.transport.document(Call("GET", paths.path(address)))
        return documents.parse(data, schema, self._url(address))

    def _post(
        self, address: Address, body: dict[str, str], schema: str, admin: bool = False
    ) -> Any:
        # creating something twice is an error of its own, so a lost answer is not asked for again
        call = Call(
            "POST",
            paths.path(address),
            body=json.dumps(body).encode(),
            repeatable=False,
            admin=admin,
        )
        answer = self.transport.document(call)
        return documents.parse(answer, schema, self._url(address))
