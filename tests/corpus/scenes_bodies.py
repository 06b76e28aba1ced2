"""Scenarios of bodies: sizes, sparse volumes, and how writes keep the label index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.corpus.exchange import Ramp, Request
from tests.corpus.label_block import encode, frame, frames_of
from tests.corpus.scenarios import (
    create,
    get,
    labels,
    learning,
    new_repo,
    post,
    post_raw,
    scenario,
)
from tests.corpus.scenes_label_reads import SEG, asking

SOME_LABELS = [1, 2, 3, 6, 9, 0, 1]
FORMATS = {"rles": "runs", "srles": "runs", "blocks": "voxels"}


def unordered(path: str, query: str = "", **read: Any) -> Request:
    """A GET whose answer's order says nothing."""
    return get(path, query, **{"unordered": True} | read)


def sizes(where: str, wanted: list[int] = SOME_LABELS, query: str = "") -> Request:
    """The sizes of bodies."""
    return asking(f"{where}/sizes", wanted, query)


def sparse(where: str, label: int | str, query: str = "", word: str = "sparsevol") -> Request:
    """A sparse volume in the format that the query says."""
    name = dict(part.split("=") for part in query.split("&") if part).get("format", "rles")
    headed = name not in ("srles", "blocks")
    return get(f"{where}/{word}/{label}", query, kind=FORMATS.get(name, "runs"), headed=headed)


def asked(where: str, label: int) -> Iterator[Request]:
    """All that is known about one body."""
    yield get(f"{where}/size/{label}")
    yield get(f"{where}/sparsevol-size/{label}")
    yield unordered(f"{where}/supervoxels/{label}")
    yield unordered(f"{where}/supervoxel-sizes/{label}")
    yield get(f"{where}/sparsevol-coarse/{label}", kind="voxels")
    yield sparse(where, label)


@scenario
def bodies() -> Iterator[Request]:
    """Bodies of one post, asked in every way."""
    yield new_repo()
    yield create("labelmap", "seg", MaxDownresLevel="2")
    yield sizes(SEG)
    yield from asked(SEG, 3)
    yield get(f"{SEG}/listlabels")
    yield get(f"{SEG}/existing-labels")
    yield post_raw("seg", labels((48, 32, 32)), "16_0_32")
    yield post_raw("seg", labels((16, 16, 16), high=40, cell=1), "64_0_32")
    solid = Ramp("<u8", (32, 16, 16), high=1000, cell=64, seed=7)
    yield post_raw("seg", solid, "80_0_32")
    for query in ("", "supervoxels=true"):
        yield sizes(SEG, query=query)
        yield get(f"{SEG}/size/3", query)
        yield get(f"{SEG}/sparsevol-size/3", query)
        yield get(f"{SEG}/sparsevol-coarse/3", query, kind="voxels")
        yield sparse(SEG, 3, query)
    for label in (3, 6, 39, 91, 1234):
        yield from asked(SEG, label)
    for name in ("srles", "blocks", "nonsense"):
        for label in (3, 39, 91):
            yield sparse(SEG, label, f"format={name}")
    for codec in ("lz4", "gzip"):
        yield get(f"{SEG}/sparsevol/3", f"compression={codec}", kind="runs", codec=codec)
    for scale in (1, 2):
        for name in ("rles", "srles", "blocks"):
            yield sparse(SEG, 3, f"format={name}&scale={scale}")
    for point in ("20_3_33", "64_0_32", "90_5_40"):
        yield sparse(SEG, point, word="sparsevol-by-point")
        yield sparse(SEG, point, "format=srles&supervoxels=true", "sparsevol-by-point")
    yield get(f"{SEG}/listlabels", kind="labels")
    yield get(f"{SEG}/listlabels", "sizes=true", kind="labels")
    yield get(f"{SEG}/listlabels", "start=3&number=2&sizes=true", kind="labels")
    yield get(f"{SEG}/listlabels", "number=0", kind="labels")
    yield get(f"{SEG}/existing-labels")
    yield get(f"{SEG}/lastmod/3")
    yield get(f"{SEG}/index/3", "metadata-only=true")
    yield get("repo/{root}/info")


@scenario
def bounded_bodies() -> Iterator[Request]:
    """Parts of sparse volumes, and what HEAD says."""
    yield new_repo()
    yield create("labelmap", "seg", MaxDownresLevel="1")
    yield post_raw("seg", labels((64, 32, 32), high=5, cell=8), "0_0_0")
    bounds = (
        *("minx=16", "maxx=20", "minx=5&maxx=29", "miny=16&maxy=20", "minz=3&maxz=9", "maxx=5"),
        *("minx=20&maxx=22&miny=3&maxy=17&minz=15&maxz=16", "minx=500", "minx=20&maxx=10"),
    )
    for bound in bounds:
        for query in ("", "format=srles", "format=blocks", "exact=false"):
            yield sparse(SEG, 2, f"{bound}&{query}" if query else bound)
        yield get(f"{SEG}/sparsevol-coarse/2", bound, kind="voxels")
    yield sparse(SEG, 2, "minx=8&maxx=16&scale=1")
    for label in (2, 77):
        yield Request("HEAD", f"/api/{SEG}/sparsevol/{label}")
        yield Request("HEAD", f"/api/{SEG}/sparsevol/{label}", "supervoxels=true")
    yield Request("HEAD", f"/api/{SEG}/sparsevol/2", "minx=0")
    yield Request("HEAD", f"/api/{SEG}/sparsevol/2", "minx=20&miny=3")
    # One label more than once in a block, at 4 voxels: sub-blocks of several labels.
    yield post_raw("seg", labels((16, 16, 16), high=5, cell=3), "0_0_0", "mutate=true")
    yield sparse(SEG, 2, "minx=5&maxx=9&maxz=12")
    # Negative blocks, of one label: with several DVID would end.
    yield create("labelmap", "low")
    solid = Ramp("<u8", (32, 32, 16), high=1000, cell=64, seed=7)
    yield post_raw("low", solid, "-32_-16_-16")
    low = "node/{root}/low"
    yield from asked(low, 91)
    yield sparse(low, 91, "format=blocks")
    for bound in ("maxx=-17", "minx=-17", "maxx=-20&miny=-5"):
        yield sparse(low, 91, bound)
        yield get(f"{low}/sparsevol-coarse/91", bound, kind="voxels")


@scenario
def body_faults() -> Iterator[Request]:
    """What is refused about bodies."""
    yield new_repo()
    yield create("labelmap", "seg", MaxDownresLevel="1")
    yield create("labelmap", "bare", IndexedLabels="false")
    yield post_raw("seg", labels(), "0_0_0")
    words = (
        *("size", "sparsevol-size", "supervoxels", "supervoxel-sizes", "sparsevol", "lastmod"),
        *("sparsevol-coarse", "sparsevol-by-point"),
    )
    for word in words:
        for label in ("", "/", "/0", "/x", "/-1", "/18446744073709551616", "/99"):
            yield get(f"{SEG}/{word}{label}")
        yield get(f"node/{{root}}/bare/{word}/3")
    yield get(f"{SEG}/sparsevol-by-point/-5_3_2")
    yield get(f"{SEG}/sparsevol-by-point/1_2")
    yield get(f"{SEG}/sparsevol-by-point/1_2_3", "scale=x")
    for query in ("minx=a", "maxz=99999999999", "scale=x", "compression=nope", "scale=7"):
        yield get(f"{SEG}/sparsevol/2", query)
        yield get(f"{SEG}/sparsevol-coarse/2", query, kind="voxels")
    yield sparse(SEG, 2, "scale=7&format=srles")
    yield sparse(SEG, 2, "scale=7&format=blocks")
    for body in ("", "{}", "[-1]", '["a"]', "[1.5]", "[18446744073709551616]", "null", "[]"):
        yield asking(f"{SEG}/sizes", body)
    yield asking(f"{SEG}/sizes", [2], "hash=00ff")
    for path in ("sizes", "sparsevol/2", "sparsevol-size/2", "size/2", "listlabels"):
        yield post(f"{SEG}/{path}", "[2]")
    for path in ("sparsevol-coarse/2", "existing-labels"):
        yield post(f"{SEG}/{path}", "")
    yield Request("PUT", f"/api/{SEG}/sparsevol/2")
    for query in ("start=x", "number=x", "number=-1"):
        yield get(f"{SEG}/listlabels", query)
    for path in ("sizes", "size/3", "listlabels", "existing-labels", "label/3_3_3"):
        yield asking(f"node/{{root}}/bare/{path}", [3])


@scenario
def index_upkeep() -> Iterator[Request]:
    """How each way of writing changes sizes."""
    yield new_repo()
    yield create("labelmap", "seg", MaxDownresLevel="1")
    first = labels((32, 16, 16))
    yield post_raw("seg", first, "0_0_0")
    yield sizes(SEG)
    yield post_raw("seg", first, "0_0_0")
    yield sizes(SEG)
    yield from asked(SEG, 2)
    yield post_raw("seg", labels((16, 16, 16), seed=2), "0_0_0", "mutate=true")
    yield sizes(SEG)
    yield post_raw("seg", labels((16, 16, 16), seed=2), "0_0_0", "mutate=true")
    yield sizes(SEG)
    yield post_raw("seg", labels((16, 16, 16), seed=2, high=50), "32_0_0", "mutate=true")
    yield sizes(SEG, [1, 2, 3, 20, 30, 40])
    zeros = Ramp("<u8", (16, 16, 16), high=1)
    yield post_raw("seg", zeros, "32_0_0", "mutate=true")
    yield sizes(SEG, [1, 2, 3, 20, 30, 40])
    yield get(f"{SEG}/listlabels", "sizes=true", kind="labels")
    yield create("labelmap", "blocks", MaxDownresLevel="1")
    where = "node/{root}/blocks"
    stream = frames_of(first.array()[0], (16, 16, 16))
    yield post(f"{where}/blocks", stream)
    yield sizes(where)
    yield post(f"{where}/blocks", stream, "downres=true")
    yield sizes(where)
    yield post(f"{where}/blocks", frame((0, 0, 0), encode(zeros.array()[0])))
    yield sizes(where)
    yield sparse(where, 2)
    fresh = encode(labels(seed=4, high=20).array()[0])
    yield post(f"{where}/blocks", frame((0, 0, 3), fresh), "noindexing=true")
    yield post(f"{where}/ingest-supervoxels", frame((0, 0, 4), fresh))
    yield post(f"{where}/blocks", frame((0, 0, 5), fresh), "scale=1")
    yield sizes(where, list(range(20)))
    yield get(f"{where}/listlabels", "sizes=true", kind="labels")
    # What was never counted cannot be taken away.
    yield post_raw("blocks", labels(seed=5, high=15), "0_0_48", "mutate=true")
    yield sizes(where, list(range(20)))
    yield get(f"{where}/existing-labels")
    yield create("labelmap", "bare", IndexedLabels="false")
    yield post_raw("bare", first, "0_0_0")
    yield sizes("node/{root}/bare")


@scenario
def bodies_of_versions() -> Iterator[Request]:
    """Sizes of a version, its child and its grandchildren on two branches."""
    yield new_repo()
    yield create("labelmap", "seg")
    yield post_raw("seg", labels((32, 16, 16)), "0_0_0")
    yield post("node/{root}/commit", {})
    yield learning(post("node/{root}/newversion", {}), child="child")
    yield sizes("node/{child}/seg")
    yield post_raw("seg", labels(seed=3, high=9), "16_0_0", "mutate=true", node="child")
    yield post_raw("seg", labels(seed=4, high=9), "32_0_0", "mutate=true", node="child")
    yield post("node/{child}/commit", {})
    yield learning(post("node/{child}/newversion", {}), left="child")
    yield learning(post("node/{child}/branch", json.loads('{"branch": "right"}')), right="child")
    yield post_raw("seg", Ramp("<u8", (32, 16, 16), high=1), "0_0_0", "mutate=true", node="left")
    yield post_raw("seg", labels(seed=3, high=30), "48_0_0", "mutate=true", node="right")
    for node in ("root", "child", "left", "right"):
        where = f"node/{{{node}}}/seg"
        yield sizes(where, list(range(10)))
        yield get(f"{where}/listlabels", "sizes=true", kind="labels")
        yield from asked(where, 2)
