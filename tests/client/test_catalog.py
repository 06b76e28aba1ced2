"""The small JSON exchanges, each against the server's own word, and what is no document."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import requests

import dvid_array
from dvid_array import Node, errors
from dvid_array.box import Box
from dvid_array.client.catalog import Catalog
from dvid_array.client.transport import Transport
from dvid_array.testing import Fault, FaultyProxy
from tests.client.conftest import QUICK
from tests.conftest import Dvid, Sent


@pytest.fixture
def catalog(node: Node) -> Catalog:
    return node.server._catalog


def word(catalog: Catalog, path: str) -> Any:
    """The server's own, asked without the library."""
    answer = requests.get(f"{catalog.transport.origin}/api/{path}", timeout=10)
    answer.raise_for_status()
    return answer.json()


def test_documents(node: Node, catalog: Catalog, sent: list[Sent]) -> None:
    node.create("v", "uint8", shape=(5, 6, 7), block=(32, 16, 64))
    sent.clear()
    asked = (
        (catalog.server_info, "DVID Version", "/api/server/info"),
        (catalog.types, "uint8blk", "/api/server/compiled-types"),
        (catalog.repos, node.uuid, "/api/repos/info"),
    )
    for ask, key, path in asked:
        assert key in ask()
        assert sent.pop().path == path
    repo = catalog.repo(node.uuid)
    assert repo.document == word(catalog, f"repo/{node.uuid}/info")
    assert catalog.repos()[node.uuid].document == repo.document
    assert catalog.types() == word(catalog, "server/compiled-types")
    found = catalog.instance(node.uuid, "v")
    assert (found.block, found.extents) == ((32, 16, 64), Box((0, 0, 0), (5, 6, 7)))
    assert found.data_uuid == word(catalog, f"node/{node.uuid}/v/info")["Base"]["DataUUID"]


def test_exchanges_that_change_something(node: Node, catalog: Catalog, sent: list[Sent]) -> None:
    """Each is one post."""
    root, posts = node.uuid, []

    def posted(call: Callable[..., Any], *values: Any) -> Any:
        sent.clear()
        found = call(*values)
        posts.extend(f"{one.method} {one.path.replace(root, '<root>')}" for one in sent)
        return found

    posted(catalog.create_instance, root, {"typename": "uint8blk", "dataname": "v"})
    posted(catalog.post_extents, root, "v", Box((-5, 0, 3), (10, 20, 30)))
    assert catalog.instance(root, "v").extents == Box((-5, 0, 3), (10, 20, 30))
    assert not catalog.locked(root)
    posted(catalog.commit, root, 'a "note"\n')
    assert catalog.locked(root)
    child = posted(catalog.new_version, root, "")
    side = posted(catalog.new_branch, root, "side", "aside")
    nodes = word(catalog, f"repo/{root}/info")["DAG"]["Nodes"]
    assert set(nodes) == {root, child, side}
    assert (nodes[root]["Locked"], nodes[root]["Note"]) == (True, 'a "note"\n')
    assert (nodes[side]["Branch"], nodes[side]["Note"]) == ("side", "aside")
    assert posts == [
        "POST /api/repo/<root>/instance",
        "POST /api/node/<root>/v/extents",
        "POST /api/node/<root>/commit",
        "POST /api/node/<root>/newversion",
        "POST /api/node/<root>/branch",
    ]


def test_a_new_repo_takes_the_admin_token_along(catalog: Catalog, sent: list[Sent]) -> None:
    sent.clear()
    root = catalog.create_repo("a \u00e9 name", 'what it "holds"')
    assert [(one.method, one.path) for one in sent] == [("POST", "/api/repos")]
    assert "admintoken" in sent[0].query
    made = catalog.repo(root)
    assert (made.root, made.alias, made.description) == (root, "a \u00e9 name", 'what it "holds"')
    assert [one for one in sent if "admintoken" in one.query] == sent[:1]


def test_regions(node: Node, catalog: Catalog) -> None:
    spans = np.array([[-1, 0, 3, 5], [0, 2, -4, -4]])
    node.create_roi("brain", block=(32, 16, 8))
    assert catalog.roi_block(node.uuid, "brain") == (32, 16, 8)
    assert catalog.roi_spans(node.uuid, "brain").tolist() == []
    catalog.post_roi(node.uuid, "brain", spans)
    assert word(catalog, f"node/{node.uuid}/brain/roi") == spans.tolist()
    np.testing.assert_array_equal(catalog.roi_spans(node.uuid, "brain"), spans)
    node.create("gray", "uint8")
    with pytest.raises(errors.DvidTypeError, match="not a region of interest"):
        catalog.roi_block(node.uuid, "gray")


def test_merges_are_seen(node: Node, catalog: Catalog, sent: list[Sent]) -> None:
    array = node.create("seg", "uint64", block=(32, 32, 32), max_scale=0)
    array[:, 0:32, 0:32, 0:32] = np.repeat(np.uint64([1, 2]), 16)[:, None, None]
    sent.clear()
    assert not catalog.merged(node.uuid, "seg")
    assert [one.action for one in sent] == ["mappings"]
    url = f"{catalog.transport.origin}/api/node/{node.uuid}/seg/merge"
    requests.post(url, json=[1, 2], timeout=30).raise_for_status()
    assert catalog.merged(node.uuid, "seg")


# Versions.


@pytest.fixture
def line(node: Node) -> dict[str, str]:
    """Three versions on master, two on a branch whose name no other repo has."""
    name = f"b-{uuid.uuid4().hex[:8]}"
    ids = {"branch": name, "root": node.uuid}
    node.commit()
    for key, child in (("second", node.new_version()), ("side", node.new_branch(name))):
        child.commit()
        ids[key] = child.uuid
        ids[f"{key} child"] = child.new_version().uuid
    return ids


@pytest.mark.parametrize(
    ("expression", "expected", "requests"),
    [
        ("{root}", "root", 0),
        ("{root:.31}", "root", 1),
        ("{second:.20}", "second", 1),
        ("{root:.20}:", "root", 1),
        ("{root}:master", "second child", 1),
        ("{side}:master", "second child", 1),
        ("{root}:master~0", "second child", 1),
        ("{root}:master~1", "second", 1),
        ("{root}:master~2", "root", 1),
        ("{root}:{branch}", "side child", 1),
        ("{root:.20}:{branch}~1", "side", 1),
        ("{root}:{branch}~2", "root", 1),
    ],
)
def test_expressions(
    catalog: Catalog,
    line: dict[str, str],
    sent: list[Sent],
    expression: str,
    expected: str,
    requests: int,
) -> None:
    sent.clear()
    assert catalog.resolve(expression.format(**line)) == line[expected]
    assert len(sent) == requests


@pytest.mark.dev
def test_the_repo_need_not_be_named_where_there_is_one(sent: list[Sent]) -> None:
    with dvid_array.serve() as running:
        server = dvid_array.connect(running.url, admin_token=running.admin_token)
        root = server.create_repo("the only one").commit()
        child = root.new_version().uuid
        sent.clear()
        for expression, found in ((":", child), (":master", child), (":master~1", root.uuid)):
            assert server._catalog.resolve(expression) == found
        assert len(sent) == 3
        server.create_repo("another")
        with pytest.raises(errors.DvidNotFoundError, match="name the repo too"):
            server._catalog.resolve(":master")


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "g",
        "{root}0",
        "{root:.31}g",
        "{root}:{branch}~3",
        "{root}:{branch}~-1",
        "{root}:{branch}~",
        "{root}:{branch}~1~1",
        "{root}:no such",
        "{root}:{branch}:x",
        ":no-such-branch-anywhere",
        "no such:master",
    ],
)
def test_expressions_of_nothing(catalog: Catalog, line: dict[str, str], expression: str) -> None:
    with pytest.raises(errors.DvidNotFoundError) as refused:
        catalog.resolve(expression.format(**line))
    assert len(str(refused.value)) > 20


# What is no document.


@pytest.fixture
def answering(dvid: Dvid) -> Iterator[Callable[[bytes], Catalog]]:
    """A server that answers whatever it is told to."""
    with FaultyProxy(dvid.url) as path:

        def make(body: bytes) -> Catalog:
            path.add(Fault(forward=False, media="application/json", tail=body), times=-1)
            return Catalog(Transport(path.url, replace(QUICK, retry_deadline=0)))

        yield make


ASKED: dict[str, Callable[[Catalog], Any]] = {
    "/api/server/info": Catalog.server_info,
    "/api/server/compiled-types": Catalog.types,
    "/api/repos/info": lambda c: c.repos(),
    "/api/repo/abc/info": lambda c: c.repo("abc"),
    "/api/repo/abc/branch-versions/b": lambda c: c.resolve("abc:b"),
    "/api/node/abc/status": lambda c: c.locked("abc"),
    "/api/node/abc/v/info": lambda c: c.instance("abc", "v"),
    "/api/repos": lambda c: c.create_repo("a", ""),
    "/api/node/abc/newversion": lambda c: c.new_version("abc", ""),
    "/api/node/abc/branch": lambda c: c.new_branch("abc", "b", ""),
    "/api/node/abc/brain/roi": lambda c: c.roi_spans("abc", "brain"),
    "/api/node/abc/brain/info": lambda c: c.roi_block("abc", "brain"),
}
WRONG = [b"", b"5", b'"text"', b"null", b"[5]", b'{"a": {"b": 5}}', b"<html>", b'{"Root":', b"\xff"]


@pytest.mark.parametrize("body", WRONG)
@pytest.mark.parametrize("path", ASKED)
def test_what_is_no_document(answering: Callable[[bytes], Catalog], path: str, body: bytes) -> None:
    """The error names where it came from; an empty list of spans may be written as null."""
    if (path, body) == ("/api/node/abc/brain/roi", b"null"):
        assert len(ASKED[path](answering(body))) == 0
        return
    catalog = answering(body)
    with pytest.raises(errors.DvidProtocolError) as refused:
        ASKED[path](catalog)
    assert f"{catalog.transport.origin}{path}" in str(refused.value)


@pytest.mark.parametrize("answer", [b'"done"', b"{}", b" "])
def test_what_should_be_an_empty_answer(
    answering: Callable[[bytes], Catalog], answer: bytes
) -> None:
    with pytest.raises(errors.DvidProtocolError, match="follow the expected answer"):
        answering(answer).post_extents("abc", "v", Box((0, 0, 0), (1, 1, 1)))
