"""Documents: what is wrong is named by its place, what is unknown passes, numbers stay exact."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvid_array.box import Box
from dvid_array.errors import DvidProtocolError, DvidTypeError
from dvid_array.facts import kind_of
from dvid_array.protocol import documents

URL = "http://host:8000/api/node/abc/gray/info"
INFO: dict[str, Any] = {
    "Base": {
        "TypeName": "uint8blk",
        "Name": "gray",
        "DataUUID": "d1",
        "RepoUUID": "r1",
        "Compression": "LZ4 compression, level -1",
        "Tags": None,
        "Syncs": [],
    },
    "Extended": {
        "Values": [{"DataType": "uint8", "Label": "uint8"}],
        "Interpolable": True,
        "BlockSize": [32, 16, 64],
        "VoxelSize": [8, 8.5, 1e-3],
        "VoxelUnits": ["nanometers", "nanometers", "microns"],
        "MinPoint": None,
        "MaxPoint": None,
        "MinIndex": None,
        "Background": 7,
        "GridStore": "",
        "ScaleLevel": 0,
    },
    "Extents": {"MinPoint": [-5, 0, 3], "MaxPoint": [10, 20, 30]},
}
NODE: dict[str, Any] = {
    "Branch": "",
    "Note": "begun",
    "UUID": "r1",
    "VersionID": 1,
    "Locked": True,
    "Parents": [],
    "Children": [2, 3],
}
REPO: dict[str, Any] = {
    "Root": "r1",
    "Alias": "brain",
    "Description": "a fly's",
    "MutationID": 2**63 + 1,
    "DataInstances": {"gray": INFO, "notes": {"Base": {**INFO["Base"], "TypeName": "keyvalue"}}},
    "DAG": {
        "Root": "r1",
        "Nodes": {
            "r3": {**NODE, "UUID": "r3", "VersionID": 3, "Parents": [1], "Children": None,
                   "Branch": "side", "Locked": False},
            "r1": NODE,
            "r2": {**NODE, "UUID": "r2", "VersionID": 2, "Parents": [1], "Children": []},
        },
    },
}  # fmt: skip


def changed(document: Any, place: str, value: Any = ...) -> Any:
    """A copy with the value at a dotted place replaced, or (with `...`) left out."""
    made = copy.deepcopy(document)
    *way, last = place.split(".")
    inner = made
    for step in way:
        inner = inner[int(step) if isinstance(inner, list) else step]
    if value is ...:
        del inner[last]
    else:
        inner[int(last) if isinstance(inner, list) else last] = value
    return made


def test_an_info_document() -> None:
    found = documents.instance(INFO, URL)
    assert (found.name, found.data_uuid, found.kind) == ("gray", "d1", kind_of("uint8blk"))
    assert (found.block, found.resolution) == ((32, 16, 64), (8.0, 8.5, 1e-3))
    assert found.units == ("nanometers", "nanometers", "microns")
    assert found.extents == Box((-5, 0, 3), (11, 21, 31))
    assert (found.compression, found.background, found.max_scale) == ("lz4", 7, 0)
    assert not found.proxied


def test_only_what_is_needed_must_be_there() -> None:
    """Older servers say less; newer ones more."""
    bare = {
        "Base": {name: INFO["Base"][name] for name in ("TypeName", "Name", "DataUUID")},
        "Extended": {
            name: INFO["Extended"][name]
            for name in ("Values", "BlockSize", "VoxelSize", "VoxelUnits")
        },
    }
    found = documents.instance(bare)
    assert (found.extents, found.compression, found.gridstore) == (None, "", "")
    more = changed(changed(INFO, "Base.Novelty", [1]), "Extended.Other", {"a": None})
    assert documents.instance(more) == documents.instance(INFO)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("Base", ...),
        ("Base.Name", ...),
        ("Base.Name", 5),
        ("Base.Name", ""),
        ("Base.DataUUID", None),
        ("Base.TypeName", ...),
        ("Base.TypeName", []),
        ("Base.Compression", 5),
        ("Extended", ...),
        ("Extended", []),
        ("Extended.BlockSize", ...),
        ("Extended.BlockSize", [32, 32]),
        ("Extended.BlockSize.1", 0),
        ("Extended.BlockSize.2", 32.5),
        ("Extended.BlockSize.0", "32"),
        ("Extended.BlockSize.0", 2**40),
        ("Extended.VoxelSize.2", None),
        ("Extended.VoxelUnits.0", 5),
        ("Extended.Values", []),
        ("Extended.Values.0.DataType", ...),
        ("Extended.Background", 256),
        ("Extents.MinPoint", [1, 2]),
        ("Extents.MaxPoint.0", "x"),
        ("Extents.MaxPoint.0", 1.5),
    ],
)
def test_wrong_fields_are_named_by_their_place(place: str, value: Any) -> None:
    with pytest.raises(DvidProtocolError) as refused:
        documents.instance(changed(INFO, place, value), URL)
    told = str(refused.value)
    *way, last = place.split(".")
    shown = "".join(f"[{step}]" if step.isdecimal() else f".{step}" for step in (*way, last))
    if value is ...:
        assert f"'{last}' is a required property" in told
        shown = shown.removesuffix(f".{last}")
    assert (shown.lstrip(".") or "its top") in told
    assert URL in told
    assert refused.value.url == URL


@pytest.mark.parametrize("document", [None, [], "text", 5, {}])
def test_what_is_no_document(document: Any) -> None:
    for read in (documents.instance, documents.Repo):
        with pytest.raises(DvidProtocolError, match="at its top"):
            read(document, URL)


def test_values_that_contradict_the_type() -> None:
    for values in ([{"DataType": "uint16"}], [{"DataType": "uint8"}] * 2):
        with pytest.raises(DvidProtocolError, match="a uint8blk should hold 1 x uint8"):
            documents.instance(changed(INFO, "Extended.Values", values), URL)


def test_other_types_are_named_before_they_are_checked() -> None:
    roi = {"Base": {**INFO["Base"], "TypeName": "roi"}, "Extended": {"MinZ": 5}}
    with pytest.raises(DvidTypeError, match=r"node\.roi\(name\)"):
        documents.instance(roi)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("LZ4 compression, level -1", "lz4"),
        ("gzip compression, level 9", "gzip"),
        ("No compression, level -1", "none"),
        ("Go Snappy compression, level -1", "snappy"),
        ("jpeg compression, level 32", "jpeg"),
        ("zstd", ""),
        ("", ""),
    ],
)
def test_compressions(text: str, short: str) -> None:
    assert documents.stored_compression(text) == short


def test_extents_there_and_back() -> None:
    box = Box((-5, 0, 3), (11, 21, 31))
    assert json.loads(documents.extents_body(box)) == INFO["Extents"]
    inside = changed(INFO, "Extents")
    assert documents.extents(inside) is None
    inside["Extended"] |= INFO["Extents"]
    assert documents.extents(inside) == box


# Bytes.


@pytest.mark.parametrize("data", [b"", b"<html><body>hello", b"\xff\xfe", b"[" * 10**6, b"{]"])
def test_bytes_that_are_no_json(data: bytes) -> None:
    with pytest.raises(DvidProtocolError, match="is it a DVID server") as refused:
        documents.parse(data, "info", URL)
    assert URL in str(refused.value)
    assert len(str(refused.value)) < 500


def test_large_numbers_stay_exact() -> None:
    document = changed(INFO, "Extended.MaxRepoLabel", 2**64 - 1)
    parsed = documents.parse(json.dumps(document).encode(), "info")
    assert parsed["Extended"]["MaxRepoLabel"] == 2**64 - 1
    assert documents.Repo(REPO).mutation_id == 2**63 + 1


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=9))
def test_any_json_is_a_document_or_an_error(value: Any) -> None:
    data = json.dumps(value).encode()
    for schema in ("info", "instance", "repo", "node", "status", "versions", "strings", "child"):
        try:
            documents.parse(data, schema, URL)
        except DvidProtocolError as refused:
            assert URL in str(refused)  # noqa: PT017


# Repos.


def test_a_repo() -> None:
    repo = documents.Repo(REPO, URL)
    assert (repo.root, repo.alias, repo.description) == ("r1", "brain", "a fly's")
    assert list(repo.versions) == ["r3", "r1", "r2"]  # as the server wrote them
    assert [version.number for version in repo.versions.values()] == [3, 1, 2]
    assert list(repo.branches.items()) == [("master", "r2"), ("side", "r3")]
    first, third = repo.versions["r1"], repo.versions["r3"]
    assert (first.branch, first.locked, first.note) == ("master", True, "begun")
    assert (first.parents, first.children) == ((), ("r2", "r3"))
    assert (third.branch, third.parents, third.children) == ("side", ("r1",), ())
    assert list(repo.instances) == ["gray", "notes"]
    assert repo.instance_kind("notes") == "keyvalue"


def test_parts_are_checked_when_they_are_asked_for() -> None:
    wrong = changed(REPO, "DAG.Nodes.r2.Locked", "yes")
    wrong["DataInstances"]["gray"] = {"Base": {"TypeName": 5}}
    repo = documents.Repo(wrong, URL)
    assert repo.alias == "brain"
    assert repo.instance_kind("notes") == "keyvalue"
    with pytest.raises(DvidProtocolError, match=r"at DAG\.Nodes\.r2\.Locked: 'yes'"):
        _ = repo.versions
    with pytest.raises(DvidProtocolError, match=r"at DataInstances\.gray\.Base"):
        repo.instance_kind("gray")


@pytest.mark.parametrize(
    ("place", "value"),
    [("Root", ...), ("Alias", None), ("DAG", ...), ("DAG.Nodes", []), ("DataInstances", [])],
)
def test_wrong_repos(place: str, value: Any) -> None:
    with pytest.raises(DvidProtocolError, match=place.split(".")[-1]):
        documents.Repo(changed(REPO, place, value), URL)


def test_a_repo_without_instances() -> None:
    assert documents.Repo(changed(REPO, "DataInstances", None)).instances == {}


# Configurations.
