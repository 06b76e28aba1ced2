"""The scenarios: what is asked of a real DVID, in order.

Each is a generator of requests; `None` lets the server settle. Paths hold placeholders: `{root}`
and others come from earlier answers, `{admin}` is the admin token, `{root:8}` the first digits of
an id.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.corpus.exchange import Payload, Ramp, Request

Scenario = Callable[[], Iterator[Request | None]]
IMAGES = {
    "uint8blk": ("<u1", 1, 200),
    "uint16blk": ("<u2", 1, 60000),
    "uint32blk": ("<u4", 1, 4_000_000_000),
    "uint64blk": ("<u8", 1, 1 << 60),
    "float32blk": ("<f4", 1, 1000),
    "rgba8blk": ("<u1", 4, 250),
}
BLOCK = (16, 16, 16)
BLOCK_VOXELS = 16**3
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


# --- the server, repos, versions -----------------------------------------------------------------


@scenario
def server() -> Iterator[Request | None]:
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
def instances() -> Iterator[Request | None]:
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
    wrong: tuple[tuple[str, dict[str, Any]], ...] = (
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
    for name, settings in wrong:
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
def versions() -> Iterator[Request | None]:
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
    yield get("node/{root}:side/gray/raw/0_1_2/4_4_4/-4_0_0")


# --- images --------------------------------------------------------------------------------------


@scenario
def images() -> Iterator[Request | None]:
    """Every image type: writing, reading, blocks, extents."""
    yield new_repo()
    for kind, (dtype, channels, _) in IMAGES.items():
        size = channels * int(dtype[-1]) * BLOCK_VOXELS
        yield create(kind, kind)
        yield post_raw(kind, of_kind(kind, (32, 16, 16)), "-16_0_16")
        yield info(kind)
        yield raw(kind, "32_16_16", "-16_0_16")
        yield raw(kind, "9_5_3", "-5_3_14")
        where = f"node/{{root}}/{kind}"
        frames = {"kind": "frames", "bytes": size}
        yield get(f"{where}/subvolblocks/48_32_32/-32_0_0", codec="sized lz4", **frames)
        yield get(f"{where}/subvolblocks/48_32_32/-32_0_0", "compression=uncompressed", **frames)
        blocks = "blocks=-1,0,1,5,5,5,0,0,1"
        yield get(f"{where}/specificblocks", blocks, codec="sized lz4", **frames)
        yield get(f"{where}/specificblocks", f"{blocks}&compression=uncompressed", **frames)
        yield get(f"{where}/blocks/-2_0_1/4")
    for name in ("uint8blk", "uint16blk", "rgba8blk"):
        for plane, offset in (("xy", "-16_0_20"), ("xz", "-16_3_16"), ("1_2", "-3_0_16")):
            yield get(f"node/{{root}}/{name}/raw/{plane}/16_12/{offset}", kind="picture")
    yield get("node/{root}/uint8blk/raw/xy/16_12/-16_0_20/jpg:95", kind="picture")
    yield get("node/{root}/uint8blk/raw/xy/16_12/-16_0_20/bmp", kind="picture")
    yield get("node/{root}/uint8blk/raw/xy/16_12/-16_0_20/gif")
    yield get("node/{root}/uint64blk/raw/xy/16_12/-16_0_20", kind="picture")
    yield get("node/{root}/uint8blk/raw/0_1_2/16_8_4/-16_0_20/jpg", kind="picture")
    yield get("node/{root}/uint8blk/isotropic/0_1_2/9_5_3/-5_3_14")
    yield get("repo/{root}/info")


@scenario
def stored() -> Iterator[Request | None]:
    """How blocks are stored, and what each compression answers."""
    yield new_repo()
    codecs = {"none": "", "lz4": "sized lz4", "gzip": "gzip", "gzip:9": "gzip"}
    for number, (compression, codec) in enumerate(codecs.items()):
        name = f"stored{number}"
        settings = {"Compression": compression, "Background": "9"}
        yield create("uint8blk", name, BlockSize="16,32,8", **settings)
        yield post_raw(name, of_kind("uint8blk", (32, 32, 8)), "0_0_0")
        yield raw(name, "40_10_10", "-4_0_0")
        where = f"node/{{root}}/{name}"
        for query in ("", "compression=uncompressed", "compression=jpeg", "compression=lz4"):
            plain = "" if query else codec
            box = "subvolblocks/32_32_8/0_0_0"
            yield get(f"{where}/{box}", query, kind="frames", codec=plain, bytes=4096)
            listed = f"blocks=1,0,0,0,0,0&{query}"
            yield get(f"{where}/specificblocks", listed, kind="frames", codec=plain, bytes=4096)
        yield get(f"{where}/blocks/-1_0_0/4")
        yield get(f"{where}/subvolblocks/16_32_8/0_0_0", "compression=jpeg")
    yield create("uint8blk", "checked", Checksum="crc32")
    yield post_raw("checked", of_kind("uint8blk"), "0_0_0")
    where = "node/{root}/checked"
    yield get(f"{where}/subvolblocks/16_16_16/0_0_0", kind="frames", codec="sized lz4")
    yield raw("checked", "5_5_5", "0_0_0")
    yield create("uint8blk", "lossy", Compression="jpeg")
    yield info("lossy")
    yield post_raw("lossy", of_kind("uint8blk", high=250, cell=8), "0_0_0")
    yield get("node/{root}/lossy/subvolblocks/16_16_16/0_0_0", "compression=jpeg", kind="jpegs")
    yield get("node/{root}/lossy/specificblocks", "blocks=0,0,0", kind="jpegs")


@scenario
def image_blocks() -> Iterator[Request | None]:
    """POST blocks, which leaves the extents alone."""
    yield new_repo()
    yield create("uint8blk", "gray", Background="3")
    where = "node/{root}/gray"
    yield post(f"{where}/blocks/0_0_0/2", Ramp("<u1", (16, 16, 32)))
    yield info("gray")
    yield raw("gray", "32_16_16", "0_0_0")
    yield get(f"{where}/blocks/0_0_0/3")
    yield post(f"{where}/blocks/0_0_0/2", Ramp("<u1", (16, 16, 31)))
    yield post(f"{where}/blocks/0_0_0/1", Ramp("<u1", (16, 16, 40), seed=5), "mutate=true")
    yield raw("gray", "32_16_16", "0_0_0")
    for path in ("0_0_0", "0_0/1", "0_0_0/x", "0_0_0/-1", "0_0_0/600000", "0_0_0/0", "a_0_0/1"):
        yield get(f"{where}/blocks/{path}")
    yield get("repo/{root}/info")


@scenario
def image_faults() -> Iterator[Request | None]:
    """What an image refuses, and the odd things that it takes."""
    yield new_repo()
    yield create("uint8blk", "gray")
    yield create("rgba8blk", "colour")
    where = "node/{root}/gray"
    paths = (
        *("raw", "raw/0_1_2", "raw/0_1_2/4_4_4", "raw/nope/4_4_4/0_0_0", "raw/arb/4_4_4/0_0_0"),
        *("raw/0_1_2/4_4/0_0_0", "raw/0_1_2/4_4_4/0_0", "raw/0_1_2/4/0_0_0"),
        *("raw/0_1_2/4_4_4_4/0_0_0", "raw/0_1_2/a_4_4/0_0_0", "raw/0_1_2/4_4_4/0_b_0"),
        *("raw/0_1_2/4.5_4_4/0_0_0", "raw/0_1_2/ 4_4_4/0_0_0", "raw/0_1_2/+4_4_4/-0_0_0"),
        *("raw/0_1_2/0_4_4/0_0_0", "raw/0_1_2/-4_4_4/0_0_0", "raw/0_1_2/-4_-4_4/0_0_0"),
        *("raw/0_1_2/4_4_4/2147483648_0_0", "raw/0_1_2/4_4_4/2147483647_0_0"),
        *("raw/0_1_2/4_4_4/-2147483648_0_0", "raw/0_1_2/4_4_4/99999999999999999999_0_0"),
        *("raw/0_1_2/2000_2000_2000/0_0_0", "raw/0_1_2/2000000000_2000000000_2000000000/0_0_0"),
        *("raw/VOL/4_4_4/0_0_0", "raw/0,1,2/4_4_4/0_0_0", "raw/0_1_2/4_4_4/0_0_0/"),
        *("raw/0_1_2/4_4_4/0_0_0/png", "raw/xy/4_4_4/0_0_0", "raw/xy/4_4/0_0", "raw/xy/0_4/0_0_0"),
        *("raw/xy/a_4/0_0_0", "isotropic", "nope", "sync", "tags", "rawkey", "rawkey/1", "extents"),
        *("resolution", "info/", "metadata/", "subvolblocks", "subvolblocks/16_16_16"),
        *("subvolblocks/16_16_16/0_0_1", "subvolblocks/15_16_16/0_0_0"),
        *("subvolblocks/16_16_16/0_0_0", "subvolblocks/0_16_16/0_0_0"),
        *("subvolblocks/16_16_16/a_0_0", "subvolblocks/16_16/0_0_0", "specificblocks"),
    )
    for path in paths:
        yield get(f"{where}/{path}")
    for query in ("blocks=", "blocks=1,2", "blocks=a,b,c", "blocks=1,2,%203", "blocks=1,,2"):
        yield get(f"{where}/specificblocks", query)
    yield get(f"{where}/specificblocks", "blocks=1,2,3&compression=x")
    yield get(f"{where}/subvolblocks/16_16_16/0_0_0", "compression=gzip")
    yield get(f"{where}/raw/0_1_2/4_4_4/0_0_0", "roi=nowhere")
    yield get(f"{where}/raw/0_1_2/4_4_4/0_0_0", "roi=nowhere&attenuation=9")
    yield get(f"{where}/raw/0_1_2/4_4_4/0_0_0", "roi=nowhere&attenuation=x")
    yield get(f"{where}/raw/0_1_2/4_4_4/0_0_0", "throttle=on")
    yield get("node/{root}/colour/raw/0_1_2/1000_1000_1000/0_0_0")
    gray = of_kind("uint8blk")
    yield post_raw("gray", Ramp("<u1", (16, 16, 15)), "0_0_0")
    yield post_raw("gray", Ramp("<u1", (15, 16, 16)), "0_0_0")
    yield post_raw("gray", gray, "0_0_1")
    yield post(f"{where}/raw/0_1_2/16_16_16/0_0_0", b"short")
    yield post(f"{where}/raw/0_1_2/16_16_16/0_0_0", gray.data() + b"long")
    yield post(f"{where}/raw/0_1_2/16_16_16/0_0_0")
    yield post(f"{where}/raw/0_1_2/16_16_16/0_0_0", gray, "roi=nowhere")
    yield post("node/{root}/colour/raw/0_1_2/16_16_16/0_0_0", gray)
    yield post(f"{where}/isotropic/0_1_2/16_16_16/0_0_0", gray)
    yield post(f"{where}/raw/xy/16_16/0_0_0", gray)
    yield post(f"{where}/specificblocks", gray)
    yield post(f"{where}/subvolblocks/16_16_16/0_0_0", gray)
    yield post(f"{where}/info", {"a": "b"})
    yield info("gray")
    for method in ("HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"):
        yield Request(method, f"/api/{where}/raw/0_1_2/4_4_4/0_0_0")
        yield Request(method, f"/api/{where}/info")
    yield Request("HEAD", "/api/node/{root}/nowhere/info")
    yield get("repo/{root}/info")


@scenario
def extents() -> Iterator[Request | None]:
    """Extents and resolution: documents, growth, replacement."""
    yield new_repo()
    yield create("uint8blk", "gray", MinPoint="-5,-5,-5", MaxPoint="5,5,5")
    yield create("labelmap", "seg")
    yield info("gray")
    yield get("repo/{root}/info")
    for name, ramp in (("gray", of_kind("uint8blk")), ("seg", labels())):
        where = f"node/{{root}}/{name}"
        yield post_raw(name, ramp, "16_16_16")
        yield info(name)
        yield post_raw(name, ramp, "32_0_16")
        yield info(name)
        yield get(f"{where}/metadata")
        bodies = (
            {"MinPoint": [17, 1, 17], "MaxPoint": [40, 20, 20]},
            {"MinPoint": [20, 3, 18]},
            {},
            {"minpoint": [1, 2], "MAXPOINT": [1, 2, 3, 4]},
            {"MinPoint": None, "MaxPoint": [50, 50, 50]},
        )
        for body in bodies:
            yield post(f"{where}/extents", body)
            yield info(name)
        for text in ("", "x", "[]", "null", '{"MinPoint":[1.5,2,3]}', '{"MinPoint":"x"}'):
            yield post(f"{where}/extents", text)
        yield post(f"{where}/extents", '{"MinPoint":[99999999999,2,3]}')
        yield post(f"{where}/extents", {"MinPoint": [17, 1, 17], "MaxPoint": [40, 20, 20]})
        yield post_raw(name, ramp, "16_16_16", "mutate=true")
        yield info(name)
        yield post_raw(name, ramp, "48_0_16")
        yield info(name)
        yield raw(name, "2_2_2", "16_16_16")
        yield post(f"{where}/resolution", "[4, 4.5, 0.1]")
        yield info(name)
        yield get(f"{where}/metadata")
        for text in ("", "x", '{"a":1}', '["a",1,2]'):
            yield post(f"{where}/resolution", text)
    yield get("repo/{root}/info")


@scenario
def branched_extents() -> Iterator[Request | None]:
    """Extents on sibling branches: each its own, and a fallback for those without."""
    yield new_repo()
    yield create("uint8blk", "gray")
    yield create("labelmap", "seg")
    yield post("node/{root}/commit", {})
    yield learning(post("node/{root}/newversion", {}), main="child")
    yield learning(post("node/{root}/branch", {"branch": "side"}), side="child")
    for name, ramp in (("gray", of_kind("uint8blk")), ("seg", labels())):
        yield post_raw(name, ramp, "0_0_0", node="main")
        for node in ("root", "main", "side"):
            yield info(name, node)
        yield post_raw(name, ramp, "0_0_0", node="side")
        yield info(name, "side")
        yield post_raw(name, ramp, "32_0_0", node="side")
        for node in ("root", "main", "side"):
            yield info(name, node)
            yield raw(name, "3_3_3", "30_0_0", node=node)
    yield get("repo/{root}/info")


# --- labels --------------------------------------------------------------------------------------


@scenario
def labelmap() -> Iterator[Request | None]:
    """Labels in every compression, scales, supervoxels."""
    yield new_repo()
    yield create("labelmap", "seg", MaxDownresLevel="2")
    where = "node/{root}/seg"
    yield get(f"{where}/maxlabel")
    yield get(f"{where}/nextlabel")
    yield get(f"{where}/mappings")
    yield get(f"{where}/mappings", "format=binary")
    yield post_raw("seg", labels((32, 32, 32)), "0_0_0")
    yield post_raw("seg", labels((16, 16, 32), seed=2, high=9, packed="lz4"), "32_0_0", LZ4)
    big = labels((16, 16, 16), seed=3, high=5, packed="gzip")
    yield post_raw("seg", big, "48_16_16", "compression=gzip&mutate=true")
    yield post_raw("seg", labels((16, 16, 16), seed=4), "16_16_0", "mutate=true&supervoxels=true")
    yield None
    yield info("seg")
    yield get(f"{where}/maxlabel")
    yield get(f"{where}/nextlabel")
    for query in ("", "supervoxels=true", "scale=0", "scale=256"):
        yield raw("seg", "40_33_20", "-4_-1_3", query)
    for codec in ("lz4", "gzip"):
        size = 40 * 33 * 20 * 8
        path = f"{where}/raw/0_1_2/40_33_20/0_0_0"
        read = {"kind": "voxels", "codec": codec, "bytes": size}
        yield get(path, f"compression={codec}", **read)
    for scale in (1, 2, 3, 255):
        yield raw("seg", "33_17_17", "0_0_0", f"scale={scale}")
    for query in ("", "scale=1", "scale=2&supervoxels=true"):
        yield raw("seg", "16_16_16", "0_0_0", query)
    for codec in ("lz4", "gzip"):
        read = {"kind": "voxels", "codec": codec, "bytes": BLOCK_VOXELS * 8}
        yield get(f"{where}/raw/0_1_2/16_16_16/16_0_0", f"compression={codec}", **read)
    for codec in ("", "lz4", "gzip", "uncompressed"):
        query = f"compression={codec}" if codec else ""
        read = {"kind": "frames", "codec": codec or "lz4", "bytes": BLOCK_VOXELS * 8}
        yield get(f"{where}/blocks/80_48_48/-16_0_0", query, **read)
        yield get(f"{where}/blocks/32_32_16/0_0_0", f"{query}&scale=1", **read)
        if codec:
            listed = f"blocks=0,0,0,9,9,9,1,1,0&{query}"
            yield get(f"{where}/specificblocks", listed, **read)
    yield get(f"{where}/raw/xy/20_10/0_0_3", kind="picture")
    yield get(f"{where}/isotropic/xz/20_10/0_0_3", kind="picture")
    yield get(f"{where}/isotropic/0_1_2/5_4_3/0_0_3")
    # An overwrite at scale 0 in spite of the scale that was asked for.
    yield post_raw("seg", labels(seed=6), "0_0_0", "scale=1&mutate=true")
    yield raw("seg", "20_16_16", "0_0_0")
    yield raw("seg", "20_16_16", "0_0_0", "scale=1")
    # One block of zeros wipes its whole parent.
    yield post_raw("seg", Ramp("<u8", (16, 16, 16), high=1), "0_0_0", "mutate=true")
    yield raw("seg", "20_16_16", "0_0_0", "scale=1")
    yield raw("seg", "20_16_16", "0_0_0", "scale=2")
    # Eight solid blocks of one label make a solid parent.
    solid = Ramp("<u8", (32, 32, 32), high=1000, cell=64, seed=20)
    yield post_raw("seg", solid, "64_0_0")
    yield raw("seg", "20_16_16", "30_0_0", "scale=1")
    yield None
    yield info("seg")
    yield get("repo/{root}/info")


LZ4 = "compression=lz4"


@scenario
def label_versions() -> Iterator[Request | None]:
    """Labels at several versions, unversioned ones, and ones with 64-bit values."""
    yield new_repo()
    yield create("labelmap", "seg", MaxDownresLevel="1")
    yield create("labelmap", "high", BlockSize="32,16,16")
    yield post_raw("seg", labels((32, 16, 16)), "0_0_0")
    yield post_raw("high", Ramp("<u8", (32, 16, 16), high=(1 << 62) + 7, seed=1 << 58), "0_0_0")
    yield None
    yield info("high")
    yield get("node/{root}/high/maxlabel")
    yield raw("high", "5_5_5", "0_0_0")
    yield post("node/{root}/commit", {})
    yield learning(post("node/{root}/newversion", {}), child="child")
    yield get("node/{child}/seg/maxlabel")
    yield post_raw("seg", labels(seed=3), "16_0_0", "mutate=true", node="child")
    yield None
    for node in ("root", "child"):
        yield raw("seg", "33_16_16", "0_0_0", node=node)
        yield raw("seg", "17_8_8", "0_0_0", "scale=1", node=node)
        yield info("seg", node)
        read = {"kind": "frames", "codec": "lz4", "bytes": BLOCK_VOXELS * 8}
        yield get(f"node/{{{node}}}/seg/blocks/48_16_16/0_0_0", **read)


@scenario
def label_faults() -> Iterator[Request | None]:
    """What a labelmap refuses, and its traps."""
    yield new_repo()
    yield create("labelmap", "seg")
    yield create("labelmap", "deep", MaxDownresLevel="1")
    where = "node/{root}/seg"
    # Exactly one block, which nobody wrote.
    yield raw("seg", "16_16_16", "0_0_0")
    yield raw("seg", "16_16_16", "-16_0_32", "compression=lz4")
    yield raw("seg", "16_16_16", "0_0_0", "compression=nonsense")
    yield raw("seg", "16_16_16", "0_0_0", "scale=1&supervoxels=true")
    yield raw("seg", "16_16_17", "0_0_0", "compression=nonsense")
    yield raw("seg", "16_16_17", "0_0_0", "scale=x")
    yield raw("seg", "16_16_17", "0_0_0", "roi=nowhere")
    yield raw("seg", "4_4_4", "0_0_0", "throttle=on")
    paths = (
        *("raw", "raw/0_1_2/4_4/0_0_0", "raw/0_1_2/0_4_4/0_0_0", "raw/0_1_2/-4_-4_4/0_0_0"),
        *("raw/0_1_2/2000_2000_2000/0_0_0", "raw/nope/4_4_4/0_0_0", "raw/arb/4_4_4/0_0_0"),
        *("raw/xy/0_4/0_0_0", "raw/xy/4_4_4/0_0_0", "blocks", "blocks/16_16_16/0_0_1"),
        *("blocks/16_16_16/0_0_0", "specificblocks", "nope", "subvolblocks/16_16_16/0_0_0"),
        *("extents", "resolution", "isotropic/0_1_2/4_4"),
    )
    for path in paths:
        yield get(f"{where}/{path}")
    yield get(f"{where}/blocks/16_16_16/0_0_0", "compression=nonsense")
    yield get(f"{where}/blocks/16_16_16/0_0_0", "scale=x")
    for query in ("blocks=", "blocks=1,2", "blocks=a,0,0", "scale=x", "blocks=0,0,0&compression=x"):
        yield get(f"{where}/specificblocks", query)
    box = f"{where}/raw/0_1_2/16_16_16/0_0_0"
    data = labels().data()
    yield post(box, data[:-1])
    yield post(box, data + b"x")
    yield post(box, b"")
    yield post_raw("seg", labels((16, 16, 15)), "0_0_0")
    yield post_raw("seg", labels(), "0_0_5")
    yield post(box, b"", LZ4)
    yield post(box, b"\xff\xff\xff\xff", LZ4)
    yield post(box, labels((16, 16, 20), packed="lz4"), LZ4)
    yield post(box, b"", "compression=gzip")
    yield post(box, b"garbage, garbage, garbage", "compression=gzip")
    yield post(box, labels(packed="gzip").data()[:-12], "compression=gzip")
    yield post(box, labels((16, 16, 17), packed="gzip"), "compression=gzip")
    yield post(box, labels(packed="gzip").data() * 2, "compression=gzip")
    yield post(box, data, "compression=nonsense")
    yield post(box, data, "scale=x")
    yield post(box, data, "roi=nowhere")
    yield post(f"{where}/isotropic/0_1_2/16_16_16/0_0_0", data)
    yield post(f"{where}/raw/xy/16_16/0_0_0", data)
    yield post(f"{where}/specificblocks", "x")
    yield post(f"{where}/info", {"Checksum": "none"})
    yield info("seg")
    # LZ4 of less than the box: the rest counts as zeros.
    yield post(box, labels((16, 16, 4), packed="lz4"), LZ4)
    yield raw("seg", "16_16_17", "0_0_0")
    for method in ("HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"):
        yield Request(method, f"/api/{where}/raw/0_1_2/4_4_4/0_0_0")
        yield Request(method, f"/api/{where}/info")
    # Negative coordinates are fine without lower scales, and a panic with them.
    yield post_raw("seg", labels(), "-16_-16_-16")
    yield raw("seg", "20_16_16", "-16_-16_-16")
    yield post_raw("deep", labels(), "0_0_0")
    yield post_raw("deep", labels(seed=2), "-16_0_0")
    yield info("deep")
    yield raw("deep", "20_16_16", "-16_0_0")
    yield raw("deep", "20_16_16", "-16_0_0", "scale=1")
    yield post_raw("deep", labels(seed=5), "-32_0_0")
    yield raw("deep", "20_16_16", "-16_0_0", "scale=1")
    yield get("repo/{root}/info")
