"""Scenarios of labels."""

from __future__ import annotations

from collections.abc import Iterator

from tests.corpus.exchange import Ramp, Request
from tests.corpus.scenarios import (
    BLOCK_VOXELS,
    LZ4,
    create,
    get,
    info,
    labels,
    learning,
    new_repo,
    post,
    post_raw,
    raw,
    scenario,
)


@scenario
def labelmap() -> Iterator[Request]:
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
    yield get("repo/{root}/info")


@scenario
def label_blocks() -> Iterator[Request]:
    """Block frames of labels, and pictures."""
    yield new_repo()
    yield create("labelmap", "seg", MaxDownresLevel="2")
    yield post_raw("seg", labels((32, 32, 32)), "0_0_0")
    yield post_raw("seg", labels((16, 16, 32), seed=2, high=9, packed="lz4"), "32_0_0", LZ4)
    where = "node/{root}/seg"
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
    yield get("repo/{root}/info")


@scenario
def scales() -> Iterator[Request]:
    """How posts change the lower scales."""
    yield new_repo()
    yield create("labelmap", "seg", MaxDownresLevel="2")
    yield post_raw("seg", labels((32, 32, 32)), "0_0_0")
    yield raw("seg", "20_16_16", "0_0_0", "scale=1")
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
    yield info("seg")
    yield get("repo/{root}/info")


@scenario
def label_versions() -> Iterator[Request]:
    """Labels at several versions, unversioned ones, and ones with 64-bit values."""
    yield new_repo()
    yield create("labelmap", "seg", MaxDownresLevel="1")
    yield create("labelmap", "high", BlockSize="32,16,16")
    yield post_raw("seg", labels((32, 16, 16)), "0_0_0")
    yield post_raw("high", Ramp("<u8", (32, 16, 16), high=(1 << 62) + 7, seed=1 << 58), "0_0_0")
    yield info("high")
    yield get("node/{root}/high/maxlabel")
    yield raw("high", "5_5_5", "0_0_0")
    yield post("node/{root}/commit", {})
    yield learning(post("node/{root}/newversion", {}), child="child")
    yield get("node/{child}/seg/maxlabel")
    yield post_raw("seg", labels(seed=3), "16_0_0", "mutate=true", node="child")
    for node in ("root", "child"):
        yield raw("seg", "33_16_16", "0_0_0", node=node)
        yield raw("seg", "17_8_8", "0_0_0", "scale=1", node=node)
        yield info("seg", node)
        read = {"kind": "frames", "codec": "lz4", "bytes": BLOCK_VOXELS * 8}
        yield get(f"node/{{{node}}}/seg/blocks/48_16_16/0_0_0", **read)


@scenario
def label_faults() -> Iterator[Request]:
    """What a labelmap refuses, and its traps."""
    yield new_repo()
    yield create("labelmap", "seg")
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


@scenario
def label_post_faults() -> Iterator[Request]:
    """Posts and methods that a labelmap refuses."""
    yield new_repo()
    yield create("labelmap", "seg")
    where = "node/{root}/seg"
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


@scenario
def negative_labels() -> Iterator[Request]:
    """Negative coordinates: fine without lower scales, a panic with them."""
    yield new_repo()
    yield create("labelmap", "seg")
    yield create("labelmap", "deep", MaxDownresLevel="1")
    yield post_raw("seg", labels(), "-16_-16_-16")
    yield raw("seg", "20_16_16", "-16_-16_-16")
    yield post_raw("deep", labels(), "0_0_0")
    yield post_raw("deep", labels(seed=2), "-16_0_0")
    yield info("deep")
    yield raw("deep", "20_16_16", "-16_0_0")
    yield raw("deep", "20_16_16", "-16_0_0", "scale=1")
    yield post_raw("deep", labels(seed=5), "-32_0_0")
    # An odd z makes up for a negative x: no panic, but the voxels of another octant change.
    yield post_raw("deep", labels(seed=6), "-16_0_16")
    yield raw("deep", "36_16_16", "-20_0_0", "scale=1")
    yield raw("deep", "20_16_16", "-16_0_0", "scale=1")
    yield get("repo/{root}/info")
