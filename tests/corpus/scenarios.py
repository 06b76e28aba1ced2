"""Words for scenarios, and their table: what is asked of a real DVID, in order.

Each is a generator of requests. Paths hold placeholders: `{root}` and others come from earlier
answers, `{admin}` is the admin token, `{root:8}` the first digits of an id.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.corpus.exchange import Payload, Ramp, Request

Scenario = Callable[[], Iterator[Request]]
IMAGES = {
    "uint8blk": ("<u1", 1, 200),
    "uint16blk": ("<u2", 1, 60000),
    "uint32blk": ("<u4", 1, 4_000_000_000),
    "uint64blk": ("<u8", 1, 1 << 60),
    "float32blk": ("<f4", 1, 1000),
    "rgba8blk": ("<u1", 4, 250),
}
BLOCK_VOXELS = 16**3
LZ4 = "compression=lz4"
SCENARIOS: dict[str, Scenario] = {}


def scenario(play: Scenario) -> Scenario:
    """Enter a scenario in the table."""
    SCENARIOS[play.__name__] = play
    return play


# --- words for requests --------------------------------------------------------------------------


def get(path: str, query: str = "", **read: Any) -> Request:
    """A GET of something below /api/."""
    return Request("GET", f"/api/{path}", query, read=read)


def post(path: str, body: Payload | dict[str, Any] = None, query: str = "") -> Request:
    """A POST to something below /api/; a dict goes as JSON."""
    payload = json.dumps(body) if isinstance(body, dict) else body
    return Request("POST", f"/api/{path}", query, payload if payload is not None else b"")


def learning(request: Request, **fields: str) -> Request:
    """The same request, whose answer gives placeholders their meaning."""
    return Request(request.method, request.path, request.query, request.body, fields, request.read)


def new_repo(name: str = "root", alias: str = "corpus") -> Request:
    """A new repo, whose id is called `name` from now on."""
    body = {"alias": alias, "description": "recorded exchanges"}
    return learning(post("repos", body, "admintoken={admin}"), **{name: "root"})


def create(kind: str, name: str, **settings: Any) -> Request:
    """A new instance, of 16-voxel blocks unless told otherwise."""
    settings = {"BlockSize": "16,16,16"} | settings
    return post("repo/{root}/instance", {"typename": kind, "dataname": name} | settings)


def size_of(box: Ramp | tuple[int, int, int]) -> str:
    """A size as a path part."""
    return "_".join(map(str, box.size if isinstance(box, Ramp) else box))


def post_raw(name: str, ramp: Ramp, offset: str, query: str = "", node: str = "root") -> Request:
    """Voxels to an instance."""
    path = f"node/{{{node}}}/{name}/raw/0_1_2/{size_of(ramp)}/{offset}"
    return post(path, ramp, query)


def raw(name: str, size: str, offset: str, query: str = "", node: str = "root") -> Request:
    """Voxels of an instance."""
    return get(f"node/{{{node}}}/{name}/raw/0_1_2/{size}/{offset}", query)


def info(name: str, node: str = "root") -> Request:
    """The info document of an instance."""
    return get(f"node/{{{node}}}/{name}/info")


def of_kind(kind: str, size: tuple[int, int, int] = (16, 16, 16), **facts: Any) -> Ramp:
    """Voxels that suit an image type."""
    dtype, channels, high = IMAGES[kind]
    return Ramp(dtype, size, channels=channels, **{"high": high} | facts)


def labels(size: tuple[int, int, int] = (16, 16, 16), **facts: Any) -> Ramp:
    """Labels: 0 and a few more."""
    return Ramp("<u8", size, **{"high": 7, "cell": 4} | facts)
