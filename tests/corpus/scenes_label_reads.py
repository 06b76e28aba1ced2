"""Scenarios of labels: points, the further compressions, posted blocks."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from typing import Any

from tests.corpus.exchange import Ramp, Request
from tests.corpus.label_block import encode, frame, frames_of
from tests.corpus.scenarios import (
    BLOCK_VOXELS,
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

SEG = "node/{root}/seg"
BLOCKS = {"kind": "frames", "codec": "label block"}


def asking(path: str, document: Any, query: str = "") -> Request:
    """A GET with a body, as DVID's lists want it."""
    body = document if isinstance(document, str) else json.dumps(document)
    return Request("GET", f"/api/{path}", query, body)


@scenario
def label_points() -> Iterator[Request]:
    """The labels under points."""
    yield new_repo()
    yield create("labelmap", "seg", MaxDownresLevel="1")
    yield post_raw("seg", labels((32, 32, 32), high=1000, cell=1), "0_0_0")
    points = [[x, 2 * x % 32, 31 - x] for x in range(32)]
    for point in ("0_0_0", "5_6_7", "31_31_31", "32_0_0", "1000000_0_0"):
        for query in ("", "supervoxels=true", "scale=1"):
            yield get(f"{SEG}/label/{point}", query)
    for query in ("", "supervoxels=true", "scale=1", "scale=9"):
        yield asking(f"{SEG}/labels", points, query)
    yield asking(f"{SEG}/labels", points * 5)
    yield asking(f"{SEG}/labels", [])
    yield asking(f"{SEG}/labels", "null")
    yield asking(f"{SEG}/labels", [[1, 2], [3, 4, 5, 6], None])
    body = json.dumps(points)
    good = hashlib.md5(body.encode()).hexdigest()
    yield asking(f"{SEG}/labels", body, f"hash={good}")
    yield asking(f"{SEG}/labels", body, "hash=00ff")
    for bad in ("", "{}", "[1]", '[["a"]]', "[[1.5,0,0]]", "[[1,2,3", "[[3000000000,0,0]]"):
        yield asking(f"{SEG}/labels", bad)
    yield asking(f"{SEG}/labels", points, "scale=x")
    yield post(f"{SEG}/labels", json.dumps(points))
    for path in ("label", "label/", "label/1_2", "label/a_b_c", "label/5", "label/1_2_3_4"):
        yield get(f"{SEG}/{path}")
    yield get(f"{SEG}/label/1_2_3", "scale=x")
    yield post(f"{SEG}/label/1_2_3")
    yield Request("HEAD", f"/api/{SEG}/label/1_2_3")


@scenario
def negative_points() -> Iterator[Request]:
    """Points at negative coordinates: DVID takes remainders towards zero."""
    yield new_repo()
    yield create("labelmap", "seg")
    yield post_raw("seg", labels((48, 16, 16), high=1000, cell=1), "-32_0_0")
    yield post_raw("seg", labels((16, 16, 16), high=1000, cell=1, seed=5), "-16_-16_-16")
    for x in (-32, -17, -16, 0, 5):
        yield get(f"{SEG}/label/{x}_3_4")
    yield asking(f"{SEG}/labels", [[-32, 3, 4], [-16, 3, 4], [-16, -16, -16], [0, 0, 0]])


@scenario
def google() -> Iterator[Request]:
    """Neuroglancer's compressed segmentation, plain and gzipped."""
    yield new_repo()
    yield create("labelmap", "seg", MaxDownresLevel="1")
    yield post_raw("seg", labels((32, 32, 32)), "0_0_0")
    yield post_raw("seg", labels((16, 32, 32), high=400, cell=1), "32_0_0")
    yield post_raw("seg", labels((16, 32, 32), high=20, cell=1), "48_0_0")
    for codec in ("google", "googlegzip"):
        read = {"codec": "gzip"} if codec == "googlegzip" else {}
        read["kind"] = "voxels"
        for size, offset in (("64_32_32", "0_0_0"), ("8_8_8", "3_5_9"), ("72_16_8", "-4_0_0")):
            yield get(f"{SEG}/raw/0_1_2/{size}/{offset}", f"compression={codec}", **read)
        yield get(f"{SEG}/raw/0_1_2/16_16_16/16_0_0", f"compression={codec}", **read)
        yield get(f"{SEG}/raw/0_1_2/16_8_24/0_0_0", f"compression={codec}&scale=1", **read)
        yield raw("seg", "12_8_8", "0_0_0", f"compression={codec}")
        yield raw("seg", "16_16_16", "640_0_0", f"compression={codec}")


@scenario
def block_streams() -> Iterator[Request]:
    """Blocks as they are stored."""
    yield new_repo()
    yield create("labelmap", "seg", MaxDownresLevel="2")
    yield post_raw("seg", labels((32, 32, 32)), "0_0_0")
    yield post_raw("seg", labels((16, 16, 32), high=600, cell=1), "32_0_0")
    for query in ("", "&supervoxels=true"):
        yield get(f"{SEG}/blocks/80_48_48/-16_0_0", f"compression=blocks{query}", **BLOCKS)
        yield get(f"{SEG}/blocks/32_32_16/0_0_0", f"compression=blocks&scale=1{query}", **BLOCKS)
        yield get(f"{SEG}/specificblocks", f"blocks=0,0,0,9,9,9,2,0,1{query}", **BLOCKS)
        listed = "blocks=0,0,0,1,1,0&compression=blocks&scale=1"
        yield get(f"{SEG}/specificblocks", listed + query, **BLOCKS)


@scenario
def posted_blocks() -> Iterator[Request]:
    """Blocks that are posted as they are stored, with and without lower scales."""
    yield new_repo()
    yield create("labelmap", "seg", MaxDownresLevel="1")
    first = labels((32, 32, 16), high=9).array()[0]
    yield post(f"{SEG}/blocks", frames_of(first, (16, 16, 16)), "downres=true")
    yield raw("seg", "36_34_18", "-2_-1_-1")
    yield raw("seg", "18_18_9", "0_0_0", "scale=1")
    yield info("seg")
    second = labels((16, 16, 16), seed=3, high=5).array()[0]
    yield post(f"{SEG}/blocks", frame((4, 0, 1), encode(second)), "compression=blocks")
    yield raw("seg", "20_16_16", "62_0_16")
    yield raw("seg", "18_18_18", "30_0_0", "scale=1")
    yield post(f"{SEG}/blocks", frame((2, 0, 0), encode(second)), "scale=1&noindexing=true")
    yield raw("seg", "18_18_18", "30_0_0", "scale=1")
    yield info("seg")
    yield post(f"{SEG}/blocks", frame((0, 0, 4), encode(second)), "noindexing=true")
    yield post(f"{SEG}/ingest-supervoxels", frame((0, 4, 0), encode(second)))
    yield post(f"{SEG}/ingest-supervoxels", frame((0, 1, 0), encode(second)), "scale=1")
    yield raw("seg", "17_17_17", "0_0_64")
    yield raw("seg", "17_17_17", "0_64_0")
    yield raw("seg", "17_17_17", "0_16_0", "scale=1")
    yield info("seg")
    yield get(f"{SEG}/maxlabel")
    yield post(f"{SEG}/blocks", b"")
    yield get("repo/{root}/info")
    solid = Ramp("<u8", (16, 16, 16), high=1 << 60, cell=99, seed=1 << 50).array()[0]
    yield post(f"{SEG}/blocks", frame((-1, 0, 0), encode(solid)))
    yield info("seg")
    yield raw("seg", "20_16_16", "-18_0_0")
    yield get(f"{SEG}/specificblocks", "blocks=-1,0,0,4,0,1,0,0,0", **BLOCKS)


@scenario
def posted_block_faults() -> Iterator[Request]:
    """What is wrong with posted blocks."""
    yield new_repo()
    yield create("labelmap", "seg", MaxDownresLevel="1")
    yield create("labelmap", "fast", Compression="lz4")
    one = encode(labels(high=9).array()[0])
    stream = frame((0, 0, 0), one)
    blocks = f"{SEG}/blocks"
    yield post(blocks, stream, "downres=true&scale=1")
    yield post(blocks, stream, "compression=lz4")
    yield post(blocks, stream, "scale=x")
    yield post("node/{root}/fast/blocks", stream)
    yield post("node/{root}/fast/ingest-supervoxels", stream)
    for bad in (
        *(frame((0, 0, 0), b""), stream[:10], stream[:-5], frame((1, 2, 3), b"garbage")),
        *(frame((0, 0, 0), gzip.compress(b"short", mtime=0)), frame((-1, 0, 0), one[:-9])),
        frame((0, 0, 0), gzip.compress(bytes(100), mtime=0)),
    ):
        yield post(blocks, bad)
        yield post(f"{SEG}/ingest-supervoxels", bad)
    yield get(f"{SEG}/specificblocks", "blocks=0,0,0", **BLOCKS)
    # Blocks before a bad one stay.
    yield post(blocks, frame((3, 0, 0), one) + frame((0, 0, 0), b""), "noindexing=true")
    yield get(f"{SEG}/specificblocks", "blocks=3,0,0", **BLOCKS)
    yield get(f"{SEG}/ingest-supervoxels")
    yield post(f"{SEG}/ingest-supervoxels", stream, "scale=x")
    yield info("seg")
    yield post("node/{root}/commit", {})
    yield post(blocks, stream)
    yield post(f"{SEG}/ingest-supervoxels", stream)
    yield learning(post("node/{root}/newversion", {}), child="child")
    yield post("node/{child}/seg/blocks", frame((3, 0, 0), encode(labels().array()[0])))
    for node in ("root", "child"):
        yield get(f"node/{{{node}}}/seg/specificblocks", "blocks=3,0,0", **BLOCKS)
    read = {"kind": "frames", "codec": "lz4", "bytes": BLOCK_VOXELS * 8}
    yield get("node/{child}/seg/blocks/64_16_16/0_0_0", "compression=lz4", **read)
