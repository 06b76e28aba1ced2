"""URL paths <-> what they address: `parse(path(address)) == address`.

Owns the shape of DVID's HTTP API. Must not know who calls it.

Source: the route tables of DVID's `server/web.go` and the endpoint switches of its data types.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote

from dvid_array.box import Box

API = "/api/"
VOLUME = "0_1_2"
"""DVID's name of a 3D shape: axes 0, 1 and 2."""


@dataclass(frozen=True, slots=True)
class Address:
    """One place in DVID's API.

    `scope` is "" (heartbeat, load), "server", "repos", "repo", "node" or "instance"; `action` is
    the endpoint's word and `args` what follows it, each one path part.
    """

    scope: str
    action: str
    uuid: str = ""
    name: str = ""
    args: tuple[str, ...] = ()


def server(action: str) -> Address:
    """An endpoint of the server as a whole, as `info` or `compiled-types`."""
    return Address("server", action)


def repos(action: str = "") -> Address:
    """The list of repos; with no action, the place where new ones are posted."""
    return Address("repos", action)


def repo(uuid: str, action: str = "", *args: str) -> Address:
    """An endpoint of the repo that holds version `uuid`."""
    return Address("repo", action, uuid, args=args)


def node(uuid: str, action: str) -> Address:
    """An endpoint of one version."""
    return Address("node", action, uuid)


def instance(uuid: str, name: str, action: str, *args: str) -> Address:
    """An endpoint of one data instance at one version."""
    return Address("instance", action, uuid, name, args)


def box_args(box: Box) -> tuple[str, str]:
    """A box as DVID's path parts size and offset."""
    return join(box.shape), join(box.start)


def join(values: Iterable[int], separator: str = "_") -> str:
    """Integers as DVID writes them in a path (`_`) or a query (`,`)."""
    return separator.join(str(value) for value in values)


def path(address: Address) -> str:
    """The URL path of an address, percent-encoded, beginning with `/api/`."""
    scope = "node" if address.scope == "instance" else address.scope
    parts = (scope, address.uuid, address.name, address.action, *address.args)
    return API + "/".join(quote(part, safe=":,~") for part in parts if part)


def parse(text: str) -> Address | None:
    """The address of a URL path; None where it is none of DVID's API.

    One empty last part (a trailing slash) is dropped below an instance, as DVID does; anywhere
    else it makes the path unknown.
    """
    if not text.startswith(API):
        return None
    parts = [unquote(part) for part in text[len(API) :].split("/")]
    scope, rest = parts[0], parts[1:]
    if not rest:
        return Address("repos", "") if scope == "repos" else Address("", scope)
    if scope in ("server", "repos"):
        return Address(scope, rest[0]) if len(rest) == 1 and rest[0] else None
    if scope not in ("repo", "node") or not rest[0]:
        return None
    uuid, rest = rest[0], rest[1:]
    if scope == "node" and len(rest) > 1:
        name, action, *args = rest
        if args and not args[-1]:
            args = args[:-1]
        return Address("instance", action, uuid, name, tuple(args)) if name and action else None
    if any(not part for part in rest):
        return None
    action = rest[0] if rest else ""
    return Address(scope, action, uuid, args=tuple(rest[1:]))
