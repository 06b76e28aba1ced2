"""Scenarios of regions of interest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.corpus.exchange import Request
from tests.corpus.scenarios import (
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

SPANS = [[0, 0, 1, 3], [2, -1, -2, 0], [-1, 4, -5, -5], [0, 0, 6, 6], [0, 1, 0, 0]]
SOME = ("node/{root}/some", "node/{child}/some")


def spans(where: str, document: Any) -> Request:
    """Spans to a region."""
    return post(f"{where}/roi", document if isinstance(document, str) else json.dumps(document))


def points(where: str, document: Any) -> Request:
    """Points that are asked about."""
    body = document if isinstance(document, str) else json.dumps(document)
    return post(f"{where}/ptquery", body)


@scenario
def rois() -> Iterator[Request]:
    """A region's life: made, filled, asked, replaced, deleted, in two versions."""
    yield new_repo()
    yield post("repo/{root}/instance", {"typename": "roi", "dataname": "default"})
    yield create("roi", "some", BlockSize="16,16,16", Tags="a=b", Checksum="crc32")
    yield create("roi", "flat", BlockSize="8,16,32", Versioned="false")
    yield info("default")
    yield info("some")
    yield get(f"{SOME[0]}/roi")
    yield spans(SOME[0], SPANS)
    yield get(f"{SOME[0]}/roi")
    yield info("some")
    for size, offset in (
        ("80_40_40", "0_0_0"),
        ("1_1_1", "16_0_0"),
        ("33_20_20", "10_10_10"),
        ("64_48_64", "-40_-20_-20"),
        ("5_5_5", "-5_-5_33"),
        ("5_5_5", "16_-5_3"),
        ("0_4_4", "0_0_0"),
        ("-4_-4_4", "0_0_0"),
    ):
        yield get(f"{SOME[0]}/mask/0_1_2/{size}/{offset}")
    yield get(f"{SOME[0]}/mask/vol/4_4_4/16_0_0")
    inside = [[16, 0, 0], [15, 0, 0], [63, 15, 15], [64, 0, 0], [111, 0, 0], [112, 0, 0]]
    yield points(SOME[0], inside)
    # Negative points: DVID's blocks there.
    yield points(SOME[0], [[x, -1, 32] for x in (-33, -32, -17, -16, -1, 0, 15, 16)])
    yield points(SOME[0], [[-80, 64, z] for z in (-17, -16, -1, 0)])
    yield points(SOME[0], [])
    yield points(SOME[0], "null")
    yield spans("node/{root}/flat", [[0, 0, 0, 0], [1, 1, 1, 2]])
    yield get("node/{root}/flat/mask/0_1_2/32_40_70/0_0_0")
    yield get("repo/{root}/info")
    # Spans that overlap, touch and repeat stay as they are.
    yield spans(SOME[0], [[5, 5, 0, 4], [5, 5, 2, 9], [5, 5, 0, 4], [5, 5, 10, 11], [5, 5, 2, 3]])
    yield get(f"{SOME[0]}/roi")
    yield points(SOME[0], [[16 * x, 80, 80] for x in range(13)])
    yield info("some")
    yield post("node/{root}/commit", {})
    yield learning(post("node/{root}/newversion", {}), child="child")
    yield get(f"{SOME[1]}/roi")
    yield spans(SOME[1], [[7, 0, 0, 0]])
    for where in SOME:
        yield get(f"{where}/roi")
        yield get(f"{where}/info")
    yield Request("DELETE", f"/api/{SOME[1]}/roi")
    yield get(f"{SOME[1]}/roi")
    yield get(f"{SOME[1]}/info")
    yield get(f"{SOME[0]}/roi")


@scenario
def roi_faults() -> Iterator[Request]:
    """What a region refuses."""
    yield new_repo()
    for settings in ({"BlockSize": "16,16"}, {"BlockSize": "a,b,c"}, {"BlockSize": "7"}):
        yield create("roi", "bad", **settings)
    yield create("roi", "some")
    yield create("roi", "some")
    where = "node/{root}/some"
    yield spans(where, [[1, 2, 3, 4]])
    for body in ("", "[[1, 2, 3", "{}", "[1, 2]", '[["a", 0, 0, 0]]', "[[1.5, 0, 0, 0]]"):
        yield spans(where, body)
        yield points(where, body)
    yield spans(where, "[[99999999999, 0, 0, 0]]")
    yield get(f"{where}/roi")
    # The old region is gone although the new one is refused.
    yield spans(where, [[1, 2, 3, 4], [5, 6, 8, 7]])
    yield get(f"{where}/roi")
    yield info("some")
    yield spans(where, [[1, 2, 3, 4, 5], [1, 2], [], None])
    yield get(f"{where}/roi")
    for path in (
        *("mask", "mask/0_1_2/4_4_4", "mask/xy/4_4/0_0_0", "mask/nope/4_4_4/0_0_0"),
        *("mask/0_1_2/4_4/0_0_0", "mask/0_1_2/4_4_4/0_0", "mask/0_1_2/a_4_4/0_0_0", "mask/0_1"),
        *("ptquery", "nope", "raw/0_1_2/4_4_4/0_0_0", "roi/", "metadata", "extents"),
    ):
        yield get(f"{where}/{path}")
    yield post(f"{where}/mask/0_1_2/4_4_4/0_0_0")
    yield post(f"{where}/info", "{}")
    for method in ("PUT", "HEAD", "OPTIONS", "PATCH", "DELETE"):
        for path in ("roi", "ptquery", "mask/0_1_2/4_4_4/0_0_0", "nope"):
            yield Request(method, f"/api/{where}/{path}")
    yield get(f"{where}/roi")


@scenario
def roi_locks() -> Iterator[Request]:
    """A committed version's region can be asked, not changed."""
    yield new_repo()
    yield create("roi", "some")
    where = "node/{root}/some"
    yield spans(where, [[0, 0, 0, 1]])
    yield post("node/{root}/commit", {})
    yield spans(where, [[0, 0, 0, 5]])
    yield Request("DELETE", f"/api/{where}/roi")
    yield Request("PUT", f"/api/{where}/roi")
    yield post(f"{where}/nope", "")
    yield points(where, [[0, 0, 0], [64, 0, 0]])
    yield get(f"{where}/roi")
    yield create("roi", "more")


@scenario
def masked_voxels() -> Iterator[Request]:
    """Reads and writes of voxels inside a region only."""
    yield new_repo()
    yield create("roi", "some")
    yield create("roi", "wide", BlockSize="32,32,32")
    where = "node/{root}/some"
    yield spans(where, [[0, 0, 0, 1], [1, 1, 2, 2], [0, -1, -1, 0]])
    yield spans("node/{root}/wide", [[0, 0, 0, 0]])
    yield create("uint8blk", "gray", Background="9")
    yield create("uint16blk", "deep", Background="9")
    yield create("labelmap", "seg", MaxDownresLevel="1")
    for name, ramp in (
        ("gray", of_kind("uint8blk", (64, 32, 32))),
        ("deep", of_kind("uint16blk", (64, 32, 32))),
        ("seg", labels((64, 32, 32))),
    ):
        yield post_raw(name, ramp, "0_0_0")
        for query in ("roi=some", "roi=wide", "roi=some&attenuation=2"):
            yield raw(name, "70_40_40", "-4_-4_-4", query)
        yield raw(name, "16_16_16", "0_0_0", "roi=some")
        yield raw(name, "16_16_16", "48_0_0", "roi=some")
        yield get(f"node/{{root}}/{name}/raw/xz/40_20/0_5_0", "roi=some", kind="picture")
        yield raw(name, "20_20_20", "0_0_0", f"roi={name}")
    yield raw("seg", "20_20_20", "0_0_0", "roi=some&scale=1")
    yield raw("seg", "20_20_20", "0_0_0", "roi=some&supervoxels=true")
    yield post_raw("gray", of_kind("uint8blk", (64, 32, 32), seed=5), "0_0_0", "roi=some")
    yield raw("gray", "70_40_40", "-4_-4_-4")
    yield post_raw("gray", of_kind("uint8blk", (16, 16, 16), seed=6), "160_0_0", "roi=some")
    yield info("gray")
    yield post_raw("seg", labels((64, 32, 32), seed=5), "0_0_0", "roi=some&mutate=true")
    yield raw("seg", "70_40_40", "-4_-4_-4")
    yield raw("seg", "40_20_20", "0_0_0", "scale=1")
    body = json.dumps([0, 1, 2, 3, 4, 5, 6, 7])
    yield Request("GET", "/api/node/{root}/seg/sizes", "", body)
    yield post_raw("gray", of_kind("uint8blk"), "0_0_0", "roi=gray")
    yield post_raw("gray", of_kind("uint8blk"), "0_0_0", "roi=nowhere")
    yield post_raw("seg", labels(), "0_0_0", "roi=nowhere")
    yield get("repo/{root}/info")
