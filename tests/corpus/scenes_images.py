"""Scenarios of images."""

from __future__ import annotations

from collections.abc import Iterator

from tests.corpus.exchange import Ramp, Request
from tests.corpus.scenarios import (
    BLOCK_VOXELS,
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
def images() -> Iterator[Request]:
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
    yield get("repo/{root}/info")


@scenario
def pictures() -> Iterator[Request]:
    """Planes as pictures."""
    yield new_repo()
    for kind in ("uint8blk", "uint16blk", "uint64blk", "rgba8blk"):
        yield create(kind, kind)
        yield post_raw(kind, of_kind(kind, (32, 16, 16)), "-16_0_16")
    for name in ("uint8blk", "uint16blk", "rgba8blk"):
        for plane, offset in (("xy", "-16_0_20"), ("xz", "-16_3_16"), ("1_2", "-3_0_16")):
            yield get(f"node/{{root}}/{name}/raw/{plane}/16_12/{offset}", kind="picture")
    yield get("node/{root}/uint8blk/raw/xy/16_12/-16_0_20/jpg:95", kind="picture")
    yield get("node/{root}/uint8blk/raw/xy/16_12/-16_0_20/bmp", kind="picture")
    yield get("node/{root}/uint8blk/raw/xy/16_12/-16_0_20/gif")
    yield get("node/{root}/uint64blk/raw/xy/16_12/-16_0_20", kind="picture")
    yield get("node/{root}/uint8blk/raw/0_1_2/16_8_4/-16_0_20/jpg", kind="picture")
    yield get("node/{root}/uint8blk/isotropic/0_1_2/9_5_3/-5_3_14")


@scenario
def stored() -> Iterator[Request]:
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
def image_blocks() -> Iterator[Request]:
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
def image_faults() -> Iterator[Request]:
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


@scenario
def image_post_faults() -> Iterator[Request]:
    """Posts and methods that an image refuses."""
    yield new_repo()
    yield create("uint8blk", "gray")
    yield create("rgba8blk", "colour")
    where = "node/{root}/gray"
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
def extents() -> Iterator[Request]:
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
def branched_extents() -> Iterator[Request]:
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
