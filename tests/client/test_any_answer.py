"""Any bytes as an answer, to every question the client asks: a value, or an error of our tree;
never another exception."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import requests
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st

import dvid_array
from dvid_array import Box, DvidArray, DvidError, Node, Server
from dvid_array.client.catalog import Catalog
from dvid_array.client.transport import Transport
from dvid_array.testing import Fault, FaultyProxy
from tests.client.conftest import QUICK
from tests.conftest import Dvid

IMPATIENT = replace(QUICK, retry_deadline=0.0, max_bytes=1 << 26)
SHAPE = (1, 40, 32, 32)


@dataclass(frozen=True)
class Far:
    """A server behind a proxy, and what is opened of it."""

    path: FaultyProxy
    near: str
    """The server's own address."""
    server: Server
    node: Node
    gray: DvidArray
    seg: DvidArray

    @property
    def catalog(self) -> Catalog:
        """The documents of the server."""
        return Catalog(Transport(self.path.url, IMPATIENT))

    def reading(self, array: DvidArray, transport: str) -> Callable[[], Any]:
        """A read of an array in one way."""
        settings = replace(IMPATIENT, transport=transport)
        return partial(dvid_array.open(array.url, settings=settings).__getitem__, ...)


@pytest.fixture(scope="module")
def far(dvid: Dvid) -> Iterator[Far]:
    with FaultyProxy(dvid.url) as path:
        server = dvid_array.connect(path.url, settings=IMPATIENT, admin_token=dvid.admin_token)
        node = server.create_repo("any answer")
        node.create_roi("area").post_spans([(0, 0, 0, 1)])
        arrays = []
        for name, dtype in (("gray", "uint8"), ("seg", "uint64")):
            array = node.create(name, dtype, block=(32, 32, 32))
            voxels = np.arange(np.prod(SHAPE)).reshape(SHAPE) // 1000 % 200 + 1
            array[tuple(slice(0, n) for n in SHAPE)] = voxels.astype(dtype)
            arrays.append(array)
        yield Far(path, dvid.url, server, node, *arrays)


XYZ = [(1, 2, 3), (30, 31, 3), (4, 4, 4)]
Question = Callable[[Far], Callable[[], Any]]
"""Makes ready what needs right answers, and returns what is asked for with any."""
QUESTIONS: dict[str, tuple[str, Question]] = {
    "server": ("info", lambda far: far.catalog.server_info),
    "types": ("compiled-types", lambda far: far.catalog.types),
    "repos": ("info", lambda far: far.catalog.repos),
    "repo": ("info", lambda far: lambda: far.catalog.repo(far.node.uuid)),
    "status": ("status", lambda far: lambda: far.catalog.locked(far.node.uuid)),
    "branch": ("branch-versions", lambda far: lambda: far.catalog.resolve(":master~1")),
    "prefix": ("info", lambda far: lambda: far.catalog.resolve(far.node.uuid[:7])),
    "instance": ("info", lambda far: lambda: far.catalog.instance(far.node.uuid, "gray")),
    "new repo": ("repos", lambda far: lambda: far.server.create_repo("none")),
    "new instance": ("instance", lambda far: lambda: far.node.create("none", "uint8")),
    "new version": ("newversion", lambda far: lambda: far.catalog.new_version(far.node.uuid, "")),
    "commit": ("commit", lambda far: lambda: far.catalog.commit(far.node.uuid, "")),
    "opening": ("info", lambda far: lambda: dvid_array.open(far.gray.url, settings=IMPATIENT)),
    "refresh": ("info", lambda far: far.gray.refresh),
    "merges": ("mappings", lambda far: lambda: far.catalog.merged(far.node.uuid, "seg")),
    "blocks": ("subvolblocks", lambda far: lambda: far.gray[...]),
    "some blocks": ("specificblocks", lambda far: lambda: far.gray[:, [1, 39], 5:9]),
    "raw": ("raw", lambda far: far.reading(far.gray, "raw")),
    "label blocks": ("blocks", lambda far: lambda: far.seg[...]),
    "lz4 labels": ("blocks", lambda far: far.reading(far.seg, "lz4")),
    "points": ("labels", lambda far: lambda: far.seg.at_points(XYZ)),
    "sizes": ("sizes", lambda far: lambda: far.seg.bodies.size([1, 2, 3])),
    "mapping": ("mapping", lambda far: lambda: far.seg.mapping([1, 2, 3])),
    "supervoxels": ("supervoxels", lambda far: lambda: far.seg.bodies.supervoxels(2)),
    "body's blocks": ("sparsevol-coarse", lambda far: lambda: far.seg.bodies.coarse(2).runs),
    "region": ("roi", lambda far: lambda: far.catalog.roi_spans(far.node.uuid, "area")),
    "extents set": (
        "extents",
        lambda far: (
            lambda: far.catalog.post_extents(far.node.uuid, "gray", Box.sized((0,) * 3, (9,) * 3))
        ),
    ),
    "post": ("raw", lambda far: lambda: far.gray.voxels.__setitem__((0, 0, 0, 0), 1)),
}
"""Name -> the endpoint whose answer may be anything, and the question."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["Base", "Extended", "DAG", "root", "child", "x"]), inner)
    ),
    max_leaves=8,
)
NUMBERS = st.lists(st.integers(-1, 1 << 65), max_size=4)
FRAMES = st.lists(
    st.tuples(st.integers(0, 1), st.just(0), st.just(0), st.integers(-1, 200), st.binary()),
    max_size=3,
).map(lambda all_: b"".join(struct.pack("<iiii", *one[:4]) + one[4] for one in all_))
SPARSE = st.tuples(st.integers(0, 9), st.binary(max_size=99)).map(
    lambda one: struct.pack("<BBBBII", 0, 3, 0, 0, 0, one[0]) + one[1]
)
BODIES = st.one_of(
    st.binary(max_size=300),
    (JSON | NUMBERS | st.lists(NUMBERS, max_size=3)).map(lambda one: json.dumps(one).encode()),
    FRAMES,
    SPARSE,
)
STATUS = st.sampled_from([200] * 6 + [201, 204, 206, 300, 304, 400, 401, 404, 409, 418, 500, 501])


@pytest.mark.parametrize("name", QUESTIONS)
@tries(max_examples=25)
@given(code=STATUS, keep=st.sampled_from([0, 0, 0, 1, 5, 17, 40, -9, None]), body=BODIES)
def test_any_answer(far: Far, name: str, code: int, keep: int | None, body: bytes) -> None:
    """A beginning of the right answer, maybe none or all of it, and any bytes behind it."""
    endpoint, question = QUESTIONS[name]
    ask = question(far)
    made_up = code != 200 or not keep  # nothing happens on the server then
    fault = Fault(forward=not made_up, code=code, keep=keep, tail=body)
    far.path.add(fault, when=lambda one: endpoint in one.path.split("/"), times=-1)
    try:
        with suppress(DvidError):
            ask()
    finally:
        far.path.clear()


STREAMS = {
    "blocks": ("uint8", "subvolblocks/64_32_32/0_0_0"),
    "label blocks": ("uint64", "blocks/64_32_32/0_0_0?compression=blocks"),
    "lz4 labels": ("uint64", "blocks/64_32_32/0_0_0?compression=lz4"),
    "body's blocks": ("uint64", "sparsevol-coarse/2"),
    "region": ("", "roi"),
}


@pytest.mark.parametrize("name", STREAMS)
@tries(max_examples=40)
@given(data=st.data())
def test_an_answer_with_other_bytes_in_it(far: Far, name: str, data: st.DataObject) -> None:
    """As lines with bad memory send them: what comes has the shape that was asked for."""
    endpoint, question = QUESTIONS[name]
    dtype, path = STREAMS[name]
    instance = {"uint8": "gray", "uint64": "seg", "": "area"}[dtype]
    right = requests.get(f"{far.near}/api/node/{far.node.uuid}/{instance}/{path}", timeout=9)
    body = bytearray(right.content)
    places = st.integers(0, len(body) - 1) | st.integers(0, min(len(body), 60) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=4), label="places"):
        body[place] = data.draw(st.integers(0, 255), label="byte")
    ask = question(far)
    fault = Fault(forward=False, tail=bytes(body))
    far.path.add(fault, when=lambda one: endpoint in one.path.split("/"), times=-1)
    try:
        with suppress(DvidError):
            found = ask()
            if endpoint.endswith("blocks"):
                assert (found.shape, found.dtype) == (SHAPE, dtype)
    finally:
        far.path.clear()
