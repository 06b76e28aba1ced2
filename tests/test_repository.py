"""Servers, repos and versions: documents fetched once, names in the server's order."""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests

import dvid_array
from dvid_array import Node, Server, errors
from tests.conftest import Dvid, Sent


def actions(sent: list[Sent]) -> list[str]:
    return [f"{one.method} {one.path.split('/', 2)[2].split('/')[0]}" for one in sent]


def test_connecting_makes_no_request(dvid: Dvid, sent: list[Sent]) -> None:
    server = dvid_array.connect(dvid.url)
    assert dvid.url in repr(server)
    assert pickle.loads(pickle.dumps(server)).url == server.url
    assert not sent


def test_documents_are_fetched_once_and_again_on_refresh(
    node: Node, server: Server, sent: list[Sent]
) -> None:
    sent.clear()
    for ask in (server.info, server.types, server.repos):
        ask()
        ask()
    assert len(sent) == 3
    server.refresh().info()
    assert len(sent) == 4
    sent.clear()
    for _ in range(2):
        assert (node.locked, node.branch, node.note) == (False, "master", "")
        assert (node.parents, node.children, dict(node.instances)) == ((), (), {})
        assert node.repo.root == node.uuid
        assert list(node.repo.nodes) == [node.uuid]
        assert "nothing" not in node
        assert repr(node.repo)
    assert len(sent) == 1
    assert not node.refresh().locked
    assert len(sent) == 2


def test_mappings_are_read_only(server: Server) -> None:
    for mapping in (server.info(), server.types(), server.repos()):
        with pytest.raises(TypeError):
            mapping["x"] = 1  # type: ignore[index]


def test_names_are_completed_in_the_servers_order(node: Node) -> None:
    names = ["zebra", "a b", "Middle", "10", "2"]
    for name in names:
        node.create(name, "uint8")
    listed = requests.get(f"{node.server.url}/api/repo/{node.uuid}/info", timeout=10).json()
    order = list(listed["DataInstances"])
    assert sorted(order) == sorted(names)
    assert list(node.instances) == node._ipython_key_completions_() == order
    assert "zebra" in node
    assert str(node.instances["a b"]) == "a b (uint8blk)"
    node.commit()
    for number in range(4):
        node.new_branch(f"b{number}")
    listed = requests.get(f"{node.server.url}/api/repo/{node.uuid}/info", timeout=10).json()
    assert list(node.repo.nodes) == list(listed["DAG"]["Nodes"]) == sorted(listed["DAG"]["Nodes"])
    assert list(node.repo.branches) == ["master", "b0", "b1", "b2", "b3"]
    repos = requests.get(f"{node.server.url}/api/repos/info", timeout=10).json()
    assert list(node.server.refresh().repos()) == [root for root, repo in repos.items() if repo]


def test_what_is_made_is_seen_at_once(node: Node, server: Server) -> None:
    assert "v" not in node
    node.create("v", "uint8")
    assert "v" in node
    assert not node.locked
    node.commit("a note")
    assert node.locked
    assert node.children == ()
    child, side = node.new_version("second"), node.new_branch("side", "third")
    assert set(node.children) == {child, side}
    assert (child.note, child.branch, child.parents) == ("second", "master", (node,))
    assert (side.note, side.branch) == ("third", "side")
    assert set(side.repo.nodes) == {node.uuid, child.uuid, side.uuid}
    assert list(side.repo.branches.items()) == [("master", child), ("side", side)]


def test_versions_by_every_name(node: Node, server: Server) -> None:
    node.commit()
    child = node.new_version()
    child.commit()
    last = child.new_version()
    side = node.new_branch("side")
    for expression, expected in (
        (node.uuid, node),
        (node.uuid[:20], node),
        (f"{node.uuid[:20]}:", node),
        (f"{node.uuid}:master", last),
        (f"{side.uuid[:20]}:master~1", child),
        (f"{node.uuid}:master~2", node),
        (f"{node.uuid}:side", side),
        (f"{node.uuid}:side~0", side),
    ):
        assert server[expression] == expected, expression


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("f" * 31 + "g", "could not find UUID"),
        ("0" * 33, "could not find UUID"),
        ("{root}:nowhere", "nowhere"),
        ("{root}:master~1", "has 1 versions"),
        ("{root}:master~x", "whole number"),
        ("{root}:a:b", "UUID|branch"),
    ],
)
def test_versions_that_are_not_there(
    node: Node, server: Server, expression: str, words: str
) -> None:
    with pytest.raises(errors.DvidNotFoundError, match=words):
        server[expression.format(root=node.uuid)]


def test_a_version_is_text(node: Node, server: Server, sent: list[Sent]) -> None:
    array = node.create("v", "uint8")
    sent.clear()
    for use in (server.__getitem__, array.at):
        with pytest.raises(TypeError, match=r"a version is text.*a node has \.uuid"):
            use(node)  # type: ignore[arg-type]
    assert not sent


def test_a_beginning_of_several_ids(node: Node, server: Server) -> None:
    """One digit begins one of sixteen ids, and there are more than that."""
    node.commit()
    ids = [node.uuid, *(node.new_branch(f"b{n}").uuid for n in range(18))]
    digit = max("0123456789abcdef", key=lambda d: sum(one.startswith(d) for one in ids))
    with pytest.raises(errors.DvidNotFoundError, match="more"):
        server[digit]


def test_repos_by_alias_and_version(server: Server) -> None:
    alias = f"alias {uuid.uuid4().hex}"
    first = server.create_repo(alias, "what it holds")
    repo = server.repo(alias)
    assert (repo.root, repo.alias, repo.description) == (first.uuid, alias, "what it holds")
    assert server.repo(first.uuid[:20]).root == first.uuid
    second = server.create_repo(alias)
    with pytest.raises(errors.DvidNotFoundError, match="several") as caught:
        server.repo(alias)
    assert first.uuid in str(caught.value)
    assert second.uuid in str(caught.value)
    with pytest.raises(errors.DvidNotFoundError):
        server.repo("no such repo at all")


MADE_WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"dtype": "int8"}, ValueError, "int8 with 1 channel"),
    ({"dtype": "uint16", "channels": 4}, ValueError, "uint16 with 4 channel"),
    ({"dtype": "uint8", "channels": 3}, ValueError, "uint8 x 4"),
    ({"dtype": "uint8", "kind": "labelmap"}, ValueError, "as 'labelmap'"),
    ({"dtype": "uint8", "kind": "nonsense"}, ValueError, "as 'nonsense'"),
    ({"dtype": "uint8", "block": (0, 64, 64)}, ValueError, "block"),
    ({"dtype": "uint64", "block": (24, 32, 32)}, ValueError, "multiples of 16"),
    ({"dtype": "uint8", "block": 64}, ValueError, "block=64: it takes three integers"),
    ({"dtype": "uint8", "block": (64, 64)}, ValueError, "three integers x, y, z"),
    ({"dtype": "uint8", "block": (1, 64, 64, 64)}, ValueError, "three integers x, y, z"),
    ({"dtype": "uint8", "shape": (5, 6.5, 7)}, ValueError, "shape=.*three integers"),
    ({"dtype": "uint8", "shape": (5, 6)}, ValueError, "shape=.*three integers"),
    ({"dtype": "uint8", "units": ("a,b", "c", "d")}, ValueError, "units"),
    ({"dtype": "uint8", "units": ("a", "b")}, ValueError, "units"),
    ({"dtype": "uint8", "resolution": 0}, ValueError, "resolution"),
    ({"dtype": "uint8", "resolution": float("nan")}, ValueError, "resolution"),
    ({"dtype": "uint8", "shape": (5, 0, 5)}, ValueError, "shape"),
    ({"dtype": "uint8", "compression": "zip"}, ValueError, "zip"),
    ({"dtype": "no such type"}, TypeError, "no such type"),
]


@pytest.mark.parametrize(("options", "error", "words"), MADE_WRONG)
def test_wrong_volumes_cost_nothing(
    node: Node, sent: list[Sent], options: dict[str, Any], error: type[Exception], words: str
) -> None:
    sent.clear()
    with pytest.raises(error, match=words):
        node.create("v", **options)
    assert not [one for one in sent if one.method == "POST"]


def test_names_are_taken_once(node: Node) -> None:
    node.create("v", "uint8")
    with pytest.raises(errors.DvidExistsError, match="v"):
        node.create("v", "uint16")
    node.commit()
    with pytest.raises(errors.DvidLockedError):
        node.create("w", "uint8")


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda node: node.new_version(), errors.DvidRequestError),
        (lambda node: node.new_branch("side"), errors.DvidRequestError),
        (lambda node: node["nothing"], errors.DvidNotFoundError),
        (lambda node: node.open("nothing", scale=1), errors.DvidNotFoundError),
        (lambda node: Node(node.server, "f" * 32)["v"], errors.DvidNotFoundError),
        (lambda node: Node(node.server, "f" * 32).locked, errors.DvidNotFoundError),
    ],
    ids=map(str, range(6)),
)
def test_what_cannot_be_done(
    node: Node, act: Callable[[Node], Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        act(node)


def test_nodes_compare_and_travel(node: Node, sent: list[Sent]) -> None:
    sent.clear()
    again = pickle.loads(pickle.dumps(node))
    assert again == node
    assert hash(again) == hash(node)
    assert node != "a node"
    assert len({node, again}) == 1
    assert node.uuid in repr(node)
    assert not sent
