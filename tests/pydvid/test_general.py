"""The documents of a server, as JSON."""

from __future__ import annotations

import json
from http.client import HTTPConnection

import dvid_array
from dvid_array.pydvid import general


def test_the_repos_are_the_servers_own_documents(
    connection: HTTPConnection, node: dvid_array.Node
) -> None:
    node.create("gray", "uint8", block=(32, 32, 32))
    told = general.get_repos_info(connection)
    assert json.loads(json.dumps(told)) == told
    repo = told[node.uuid]
    assert repo["Root"] == node.uuid
    assert repo["Alias"] == node.repo.alias
    assert repo["DataInstances"]["gray"]["Base"]["TypeName"] == "uint8blk"
    assert list(repo["DAG"]["Nodes"]) == [node.uuid]


def test_the_server_tells_of_itself(connection: HTTPConnection) -> None:
    assert "DVID Version" in json.loads(json.dumps(general.get_server_info(connection)))
    assert "uint8blk" in json.loads(json.dumps(general.get_server_types(connection)))
