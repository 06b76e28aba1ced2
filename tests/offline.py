"""Arrays of a server that is nowhere: what needs no request must do without one."""

from __future__ import annotations

from typing import Any

from dvid_array import DvidArray, Settings
from dvid_array.box import Box
from dvid_array.client.transport import Transport
from dvid_array.client.volume import Volume
from dvid_array.facts import kind_of
from dvid_array.protocol.documents import Instance
from dvid_array.repository import Node, Server

NOWHERE = "http://nowhere.invalid:8000"
VERSION = "0123456789abcdef" * 2


def instance(**facts: Any) -> Instance:
    """The facts of a volume, of 100 x 200 x 300 bytes unless told otherwise."""
    told = {
        "name": "gray",
        "kind": "uint8blk",
        "data_uuid": "f" * 32,
        "block": (32, 32, 32),
        "resolution": (4.0, 4.0, 40.0),
        "units": ("nanometers",) * 3,
        "extents": Box((0, 0, 0), (100, 200, 300)),
        "compression": "lz4",
    } | facts
    return Instance(**told | {"kind": kind_of(told["kind"])})


def volume(*, locked: bool = False, settings: Settings | None = None, **more: Any) -> Volume:
    """A volume; `scale`, `supervoxels`, `regions` and `body` are its own, the rest its facts."""
    own = {
        name: more.pop(name) for name in ("scale", "supervoxels", "regions", "body") if name in more
    }
    transport = Transport(NOWHERE, settings or Settings(retry_deadline=0))
    return Volume(transport, VERSION, instance(**more), locked, **own)


def array(**facts: Any) -> DvidArray:
    """An array on it."""
    found = volume(**facts)
    return DvidArray(Node(Server(found.transport), VERSION), found)
