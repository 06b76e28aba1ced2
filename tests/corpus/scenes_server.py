"""Scenarios of the server, its repos, versions and instances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.corpus.exchange import Request
from tests.corpus.scenarios import (
    IMAGES,
    create,
    get,
    info,
    labels,
    learning,
    new_repo,
    of_kind,
    post,
    post_raw,
    raw,
    scenario,
)


@scenario
def server() -> Iterator[Request]:
    """Routes, methods and paths."""
    yield get("heartbeat")
    yield get("load")
    yield get("server/note")
    yield get("server/info")
    yield get("server/compiled-types")
    yield post("repos", {"alias": "x"})
    yield post("repos", {"alias": "x"}, "admintoken=wrong")
    yield post("repos", "garbage", "admintoken={admin}")
    yield post("repos", "[1]", "admintoken={admin}")
    yield post("repos", {"alias": 5}, "admintoken={admin}")
    yield post("repos", {"description": [1, {"a": 1.5}]}, "admintoken={admin}")
    yield post("repos", {"root": 5}, "admintoken={admin}")
    yield new_repo()
    yield post("repos", {"root": "{root}"}, "admintoken={admin}")
    yield get("repo/{root}/info")
    yield get("repo/{root:8}/info")
    yield Request("HEAD", "/api/repo/{root}")
    yield Request("HEAD", "/api/repo/zzz")
    yield Request("HEAD", "/api/heartbeat")
    yield post("repo/{root}/info", {"alias": "renamed"})
    yield post("repo/{root}/info", {"description": "other words", "unknown": "ignored"})
    yield post("repo/{root}/info", {"alias": None})
    yield post("repo/{root}/info", "")
    yield get("repo/{root}/info")


@scenario
def routes() -> Iterator[Request]:
    """Where no route leads, methods, and paths that Go tidies."""
    yield new_repo()
    for path in ("nope", "server/nope", "server/info/", "server", "repos", "repos/info/", "repo"):
        yield get(path)
    for path in ("repo/{root}", "repo/{root}/nope", "repo/{root}/info/x", "repo/zzz/nope"):
        yield get(path)
    for path in ("node/{root}", "node/{root}/nope", "node/zzz/note", "node/zzz", "node/{root}/a/"):
        yield get(path)
    for path in ("node/zzz/gray/info", "node/{root}/gray/info", "node/{root}/gray"):
        yield get(path)
    yield Request("GET", "/nothing/here")
    yield Request("POST", "/nothing/here", body="x")
    yield Request("GET", "/")
    for method in ("DELETE", "PUT", "OPTIONS", "PATCH"):
        yield Request(method, "/api/server/info")
        yield Request(method, "/api/repo/{root}/info")
        yield Request(method, "/api/node/{root}/note")
        yield Request(method, "/api/heartbeat")
    for path in ("/api//server/info", "//api/server/info", "/api/./server/info", "/api/x/../y"):
        yield Request("GET", path)
    yield get("node/{root:8}", "")
    yield get("node/a:b:c/note")
    yield get("node/{root}:nope/note")
    yield get("node/{root}:master/note")
    yield get("node/{root}:/note")
    yield get("node/{root}:master~0/note")
    yield get("node/{root}:master~1/note")
    yield get("node/{root}:master~x/note")


@scenario
def instances() -> Iterator[Request]:
    """Configurations of new instances, right and wrong."""
    yield new_repo()
    for kind in (*IMAGES, "labelmap"):
        yield post("repo/{root}/instance", {"typename": kind, "dataname": kind})
        yield info(kind)
        yield get(f"node/{{root}}/{kind}/metadata")
    yield post(
        "repo/{root}/instance",
        {
            "TypeName": "uint8blk",
            "DATANAME": "all",
            "blocksize": "64,32,16",
            "VoxelSize": "8,8.5,0.1",
            "VoxelUnits": "a,b,c",
            "MinPoint": "-1,2,3",
            "MaxPoint": "10,20,30",
            "Background": "7",
            "Compression": "gzip:3",
            "Checksum": "CRC32",
            "Tags": "a=b,c,d=e=f",
            "Versioned": "0",
            "unknown": "x",
        },
    )
    yield info("all")
    yield get("node/{root}/all/metadata")
    yield create("labelmap", "scaled", MaxDownresLevel="3", IndexedLabels="false")
    yield info("scaled")
    yield get("node/{root}/scaled/maxlabel")
    yield create("uint8blk", "half", MinPoint="1,2,3")
    yield info("half")


@scenario
def twins() -> Iterator[Request]:
    """An id that begins another one hides behind it."""
    yield new_repo()
    yield post("repos", {"root": "{root}-twin", "alias": "twin"}, "admintoken={admin}")
    yield get("node/{root}/note")
    yield get("node/{root}:master/note")
    yield get("node/{root}-twin/note")
    yield get("node/{root}-t:master/note")
    # The repo must be named where there are several.
    yield get("node/:master/note")
    yield get("node/:/gray/info")


WRONG: tuple[tuple[str, dict[str, Any]], ...] = (
    ("all", {}),
    ("log", {}),
    ("newversion", {}),
    ("w1", {"BlockSize": [1, 2, 3]}),
    ("w1", {"BlockSize": 32}),
    ("w1", {"BlockSize": None}),
    ("w1", {"BlockSize": {"b": [True, 1.5], "a": "x"}}),
    ("w1", {"BlockSize": "32"}),
    ("w1", {"BlockSize": "a,b,c"}),
    ("w1", {"BlockSize": "99999999999,1,1"}),
    ("w1", {"VoxelSize": "a,1,1"}),
    ("w1", {"Background": "300"}),
    ("w1", {"Background": "-1"}),
    ("w1", {"Compression": "jpeg:80"}),
    ("w1", {"Compression": "zip"}),
    ("w1", {"Compression": "gzip:x"}),
    ("w1", {"Checksum": "md5"}),
    ("w1", {"Versioned": "maybe"}),
    ("w1", {"GridStore": "nowhere"}),
    ("w1", {"ScaleLevel": "x"}),
    ("w1", {"MinPoint": "1"}),
)
"""Names and settings that no image can have."""


@scenario
def wrong_instances() -> Iterator[Request]:
    """Configurations that are refused."""
    yield new_repo()
    yield create("uint8blk", "all")
    for name, settings in WRONG:
        yield create("uint8blk", name, **settings)
    for settings in (
        {"BlockSize": "20,20,20"},
        {"MaxDownresLevel": "300"},
        {"MaxDownresLevel": "x"},
        {"MaxDownresLevel": 3},
        {"IndexedLabels": "x"},
    ):
        yield create("labelmap", "w2", **settings)
    yield create("nonsense", "w3")
    for body in ("", "garbage", "[1]", '{"typename":"uint8blk"}', '{"dataname":"x"}'):
        yield post("repo/{root}/instance", body)
    yield post("repo/{root}/instance", '{"typename":5,"dataname":"x"}')
    yield post("repo/zzz/instance", {"typename": "uint8blk", "dataname": "x"})
    yield get("repo/{root}/instance")
    yield get("repo/{root}/log")


@scenario
def versions() -> Iterator[Request]:
    """Commits, children, branches, tags, notes, logs, locks."""
    yield new_repo()
    yield create("uint8blk", "gray")
    yield create("uint8blk", "fixed", Versioned="false")
    yield create("labelmap", "seg")
    yield post_raw("gray", of_kind("uint8blk"), "0_0_0")
    yield get("node/{root}/status")
    yield post("node/{root}/newversion", {})
    yield post("node/{root}/branch", {"branch": "side"})
    yield post("node/{root}/note", {"note": "a note"})
    yield post("node/{root}/note", {"other": "x"})
    yield post("node/{root}/note", "garbage")
    yield get("node/{root}/note")
    yield post("node/{root}/log", {"log": ["one", "two"]})
    yield post("node/{root}/log", {})
    yield get("node/{root}/log")
    yield post("repo/{root}/log", {"log": ["first"]})
    yield get("repo/{root}/log")


@scenario
def locks() -> Iterator[Request]:
    """Commits, and what a committed version refuses."""
    yield new_repo()
    yield create("uint8blk", "gray")
    yield create("uint8blk", "fixed", Versioned="false")
    yield create("labelmap", "seg")
    yield post("node/{root}/commit", "")
    yield post("node/{root}/commit", "garbage")
    yield post("node/{root}/commit", {"note": "done", "log": ["committed"]})
    yield get("node/{root}/commit")
    yield get("node/{root}/note")
    yield post("node/{root}/commit", {})
    yield post("node/{root}/commit", {}, "admintoken={admin}")
    yield post("node/{root}/note", {"note": "late"})
    yield post("node/{root}/log", {"log": ["late"]})
    yield post("node/{root}/nope", "x")
    yield create("uint8blk", "late")
    yield post_raw("gray", of_kind("uint8blk"), "0_0_0")
    yield post_raw("seg", labels(), "0_0_0")
    yield post("node/{root}/gray/extents", {"MinPoint": [0, 0, 0], "MaxPoint": [1, 1, 1]})
    yield Request("DELETE", "/api/node/{root}/gray/info")
    yield Request("PUT", "/api/node/{root}/gray/raw/0_1_2/16_16_16/0_0_0", body="x")
    yield post_raw("fixed", of_kind("uint8blk"), "0_0_0")


@scenario
def children() -> Iterator[Request]:
    """New versions, branches and tags, and what each of them reads."""
    yield new_repo()
    yield create("uint8blk", "gray")
    yield create("uint8blk", "fixed", Versioned="false")
    yield post_raw("gray", of_kind("uint8blk"), "0_0_0")
    yield post_raw("fixed", of_kind("uint8blk", seed=9), "0_0_0")
    yield post("node/{root}/commit", {})
    yield post("node/{root}/newversion", "garbage")
    yield post("node/{root}/newversion", {"uuid": "abc"})
    yield post("node/{root}/newversion", {"uuid": "x" * 32})
    yield learning(post("node/{root}/newversion", {"note": "second"}), second="child")
    yield post("node/{root}/newversion", {})
    yield post("node/{root}/branch", {})
    yield post("node/{root}/branch", {"branch": "master"})
    yield learning(post("node/{root}/branch", {"branch": "side", "note": "s"}), side="child")
    yield post("node/{root}/branch", {"branch": "side"})
    yield raw("gray", "4_4_4", "1_1_1", node="second")
    yield info("gray", "second")
    yield post_raw("gray", of_kind("uint8blk", seed=2), "16_0_0", node="second")
    yield post_raw("gray", of_kind("uint8blk", seed=3), "0_0_0", node="second")
    yield post_raw("gray", of_kind("uint8blk", seed=4), "-16_0_0", node="side")
    for node in ("root", "second", "side"):
        yield raw("gray", "48_16_16", "-16_0_0", node=node)
        yield get(
            f"node/{{{node}}}/gray/subvolblocks/48_16_16/-16_0_0",
            kind="frames",
            codec="sized lz4",
        )
        yield info("gray", node)
        yield raw("fixed", "4_4_4", "0_0_0", node=node)
    yield post("node/{second}/gray/extents", {"MinPoint": [1, 2, 3], "MaxPoint": [4, 5, 6]})
    for node in ("root", "second", "side"):
        yield info("gray", node)
    yield post("node/{second}/commit", {"note": "two"})
    yield learning(post("node/{second}/newversion"), third="child")
    yield info("gray", "third")
    yield get("node/{root}:side/gray/raw/0_1_2/4_4_4/-4_0_0")
    yield get("repo/{root}/info")


@scenario
def branches() -> Iterator[Request]:
    """Names of branches, in lists and in place of ids; tags."""
    yield new_repo()
    yield post("node/{root}/commit", {})
    yield learning(post("node/{root}/newversion", {}), second="child")
    yield learning(post("node/{root}/branch", {"branch": "side"}), side="child")
    yield post("node/{second}/commit", {"note": "two"})
    yield learning(post("node/{second}/newversion"), third="child")
    for name in ("master", "side", "nope"):
        yield get(f"repo/{{root}}/branch-versions/{name}")
    yield get("repo/{root}/branch-versions")
    yield get("repo/{root}/branch-versions/a/b")
    for version in ("{root}:side", "{side}:master", "{third}:master~1", "{root}:master~2"):
        yield get(f"node/{version}/status")
    yield get("node/{root}:master~3/status")
    yield post("node/{second}/tag", {"tag": "a-release-{root}", "note": "tagged"})
    yield get("node/a-release-{root}/note")
    yield get("node/a-release-{root}/status")
    yield get("repo/{root}/info")
