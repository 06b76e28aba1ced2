"""Scenarios of merges: mappings, and everything that shows bodies instead of supervoxels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.corpus.exchange import Request
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
from tests.corpus.scenes_bodies import asked, sizes, sparse, unordered
from tests.corpus.scenes_label_reads import BLOCKS, SEG, asking

SUPERVOXELS = [1, 2, 3, 4, 5, 6, 0, 77]


def merge(where: str, labels: Any, query: str = "") -> Request:
    """Merge bodies into the first."""
    body = labels if isinstance(labels, str) else json.dumps(labels)
    return post(f"{where}/merge", body, query)


def cleave(where: str, label: int | str, supervoxels: Any) -> Request:
    """Cut supervoxels off a body."""
    body = supervoxels if isinstance(supervoxels, str) else json.dumps(supervoxels)
    return post(f"{where}/cleave/{label}", body)


def mapping(where: str, query: str = "", wanted: Any = SUPERVOXELS) -> Request:
    """The bodies of supervoxels."""
    return asking(f"{where}/mapping", wanted, query)


def seen(where: str) -> Iterator[Request]:
    """All that merges change."""
    yield mapping(where)
    yield mapping(where, "nolookup=true")
    yield unordered(f"{where}/mappings", kind="lines")
    yield unordered(f"{where}/mappings", "format=binary", kind="pairs")
    for query in ("", "supervoxels=true"):
        yield sizes(where, query=query)
        yield get(f"{where}/raw/0_1_2/20_16_16/1_0_0", query)
        yield get(f"{where}/raw/0_1_2/16_16_16/0_0_0", query)
        yield asking(f"{where}/labels", [[x, 0, 0] for x in range(0, 32, 3)], query)
        yield get(f"{where}/blocks/32_16_16/0_0_0", f"compression=blocks&{query}", **BLOCKS)
    yield get(f"{where}/listlabels", "sizes=true", kind="labels")
    yield get(f"{where}/existing-labels")


@scenario
def merges() -> Iterator[Request]:
    """Bodies are merged, and everything shows it; one is cleaved again."""
    yield new_repo()
    yield create("labelmap", "seg", MaxDownresLevel="1")
    yield post_raw("seg", labels((32, 16, 16)), "0_0_0")
    yield from seen(SEG)
    yield merge(SEG, [2, 3, 5])
    yield from seen(SEG)
    for label in (2, 3):
        yield from asked(SEG, label)
        for query in ("supervoxels=true", "format=blocks", "format=srles&supervoxels=true"):
            yield sparse(SEG, label, query)
        yield get(f"{SEG}/size/{label}", "supervoxels=true")
        yield get(f"{SEG}/sparsevol-size/{label}", "supervoxels=true")
        yield get(f"{SEG}/sparsevol-coarse/{label}", "supervoxels=true", kind="voxels")
        yield Request("HEAD", f"/api/{SEG}/sparsevol/{label}")
        yield Request("HEAD", f"/api/{SEG}/sparsevol/{label}", "supervoxels=true")
    yield get(f"{SEG}/label/3_4_5")
    yield sparse(SEG, "3_4_5", word="sparsevol-by-point")
    yield sparse(SEG, "3_4_5", "supervoxels=true", "sparsevol-by-point")
    for codec in ("lz4", "gzip", "google"):
        size = {"bytes": 20 * 16 * 16 * 8} if codec == "lz4" else {}
        read = {"kind": "voxels", "codec": codec.replace("google", "")} | size
        path = f"{SEG}/raw/0_1_2/{'16_16_8' if codec == 'google' else '20_16_16'}/1_0_0"
        yield get(path, f"compression={codec}", **read)
    read = {"kind": "frames", "codec": "lz4", "bytes": BLOCK_VOXELS * 8}
    yield get(f"{SEG}/blocks/32_16_16/0_0_0", "compression=lz4", **read)
    yield raw("seg", "16_8_8", "0_0_0", "scale=1")
    yield get(f"{SEG}/raw/xy/20_10/0_0_3", kind="picture")
    # A body of two supervoxels is merged into another.
    yield merge(SEG, [4, 2], "u=someone&app=test")
    yield from seen(SEG)
    yield from asked(SEG, 4)
    yield cleave(SEG, 4, [3])
    yield from seen(SEG)
    yield from asked(SEG, 4)
    yield from asked(SEG, 7)
    yield cleave(SEG, 4, [4, 5])
    yield from seen(SEG)
    yield post_raw("seg", labels((16, 16, 16), seed=2), "32_0_0")
    yield sizes(SEG, list(range(10)))
    yield mapping(SEG)
    yield info("seg")
    yield get(f"{SEG}/maxlabel")
    yield get("repo/{root}/info")


@scenario
def merged_writes() -> Iterator[Request]:
    """Writes while a mapping is in force."""
    yield new_repo()
    yield create("labelmap", "seg")
    yield post_raw("seg", labels((32, 16, 16)), "0_0_0")
    yield merge(SEG, [2, 3, 5])
    yield post_raw("seg", labels((16, 16, 16), seed=2), "16_0_0", "mutate=true")
    yield sizes(SEG)
    yield sizes(SEG, query="supervoxels=true")
    yield unordered(f"{SEG}/supervoxel-sizes/2")
    # What a mapped read would bake in.
    baked = labels((16, 16, 16)).array()[0]
    baked[(baked == 3) | (baked == 5)] = 2
    yield post(f"{SEG}/raw/0_1_2/16_16_16/0_0_0", baked.tobytes(order="F"), "mutate=true")
    yield sizes(SEG)
    yield sizes(SEG, query="supervoxels=true")
    yield unordered(f"{SEG}/supervoxel-sizes/2")
    yield mapping(SEG)


@scenario
def merges_of_versions() -> Iterator[Request]:
    """Mappings are inherited, and changed in one version only."""
    yield new_repo()
    yield create("labelmap", "seg")
    yield post_raw("seg", labels((32, 16, 16)), "0_0_0")
    yield merge(SEG, [2, 3])
    yield post("node/{root}/commit", {})
    yield learning(post("node/{root}/newversion", {}), child="child")
    yield merge("node/{child}/seg", [2, 5])
    yield post("node/{child}/commit", {})
    yield learning(post("node/{child}/newversion", {}), left="child")
    yield learning(post("node/{child}/branch", {"branch": "right"}), right="child")
    yield cleave("node/{left}/seg", 2, [2])
    yield merge("node/{right}/seg", [6, 2])
    for node in ("root", "child", "left", "right"):
        yield from seen(f"node/{{{node}}}/seg")
        for label in (2, 6):
            yield unordered(f"node/{{{node}}}/seg/supervoxel-sizes/{label}")
    yield merge(SEG, [1, 2])
    yield cleave(SEG, 2, [3])


@scenario
def merge_faults() -> Iterator[Request]:
    """What cannot be merged, cleaved or asked."""
    yield new_repo()
    yield create("labelmap", "seg")
    yield create("labelmap", "bare", IndexedLabels="false")
    yield post_raw("seg", labels((32, 16, 16)), "0_0_0")
    bad = ("", "{}", "[]", "[2]", "[2, 2]", "[2, 99]", "[99, 2]", "[2, 0]", "[0, 2]", '["a", 1]')
    for body in bad:
        yield merge(SEG, body)
    yield merge(SEG, [1, 2, 3])
    yield merge(SEG, [4, 3])
    for label in ("1", "99", "0", "x", ""):
        for body in ("", "{}", "[]", "[99]", "[2]", "[1, 2, 3]"):
            yield cleave(SEG, label, body)
    yield get(f"{SEG}/merge")
    yield get(f"{SEG}/cleave/1")
    yield merge("node/{root}/bare", [1, 2])
    yield cleave("node/{root}/bare", 1, [1])
    for body in ("", "{}", "[-1]", '["a"]', "null", "[]"):
        yield mapping(SEG, wanted=body)
    yield mapping(SEG, "hash=00ff")
    yield post(f"{SEG}/mapping", "[1]")
    yield mapping("node/{root}/bare")
    yield unordered(f"{SEG}/mappings", kind="lines")
    yield sizes(SEG, list(range(12)))
    yield get(f"{SEG}/maxlabel")


@scenario
def label_ids() -> Iterator[Request]:
    """New ids: maxlabel and nextlabel."""
    yield new_repo()
    yield create("labelmap", "seg")
    for path in (
        "nextlabel/5",
        "nextlabel/0",
        "nextlabel",
        "nextlabel/x",
        "maxlabel/7",
        "maxlabel",
    ):
        yield post(f"{SEG}/{path}")
    yield get(f"{SEG}/nextlabel")
    yield get(f"{SEG}/maxlabel")
    for path in ("maxlabel/100", "maxlabel/50", "maxlabel/0", "maxlabel/x", "maxlabel"):
        yield post(f"{SEG}/{path}", query="admintoken={admin}")
    yield post(f"{SEG}/maxlabel/18446744073709551615", query="admintoken={admin}")
    yield get(f"{SEG}/nextlabel")
    yield get(f"{SEG}/maxlabel")
    yield post_raw("seg", labels(), "0_0_0")
    yield post(f"{SEG}/nextlabel/10")
    yield get(f"{SEG}/nextlabel")
    yield get(f"{SEG}/maxlabel")
    yield info("seg")
    yield post(f"{SEG}/nextlabel/18446744073709551615")
    for method in ("PUT", "DELETE", "HEAD"):
        yield Request(method, f"/api/{SEG}/maxlabel")
        yield Request(method, f"/api/{SEG}/nextlabel")


@scenario
def renumbering() -> Iterator[Request]:
    """Bodies get other numbers."""
    yield new_repo()
    yield create("labelmap", "seg")
    yield post_raw("seg", labels((32, 16, 16)), "0_0_0")
    yield merge(SEG, [2, 3])
    renumber = f"{SEG}/renumber"
    yield post(renumber, "[100, 2, 4, 5]")
    yield from seen(SEG)
    yield post(renumber, "[101, 6, 102, 4]")
    yield from seen(SEG)
    yield from asked(SEG, 100)
    yield from asked(SEG, 101)
    yield get(f"{SEG}/size/101", "supervoxels=true")
    yield post(renumber, "[2, 100]")
    yield from seen(SEG)
    for body in ("", "{}", "[1]", "[]", "[1, 2, 3]", "[7, 99]", "[1, 102]", '["a", 1]', "[0, 1]"):
        yield post(renumber, body)
    yield get(renumber)
    yield from seen(SEG)
    yield get(f"{SEG}/maxlabel")
    yield get("repo/{root}/info")


def runs_of(mask: Any, *, header: bytes = b"\0\3" + bytes(6)) -> bytes:
    """A sparse volume of the voxels of a mask (x, y, z), a run for each."""
    found = [(x, y, z, 1) for x, y, z in np.argwhere(mask).tolist()]
    count = np.array([len(found)], "<u4").tobytes()
    return header + count + np.array(found, "<i4").tobytes()


@scenario
def splits() -> Iterator[Request]:
    """Supervoxels are split in two."""
    yield new_repo()
    yield create("labelmap", "seg", MaxDownresLevel="1")
    posted = labels((32, 16, 16))
    yield post_raw("seg", posted, "0_0_0")
    voxels = posted.array()[0]
    lower = np.arange(16)[None, :, None] < 8
    split = f"{SEG}/split-supervoxel"
    yield post(f"{split}/3", runs_of((voxels == 3) & lower))
    yield from seen(SEG)
    for label in (3, 7, 8):
        yield from asked(SEG, label)
        yield get(f"{SEG}/size/{label}", "supervoxels=true")
        yield sparse(SEG, label, "supervoxels=true")
    yield raw("seg", "16_8_8", "0_0_0", "scale=1")
    yield merge(SEG, [2, 5])
    left = np.arange(32)[:, None, None] < 16
    yield post(f"{split}/5", runs_of((voxels == 5) & left), "split=100&remain=200&downres=false")
    yield from seen(SEG)
    yield from asked(SEG, 2)
    yield raw("seg", "16_8_8", "0_0_0", "scale=1")
    for label in ("3", "99", "0", "x", ""):
        yield post(f"{split}/{label}", runs_of((voxels == 3) & lower))
    yield post(f"{split}/4", runs_of(voxels == 4))
    yield post(f"{split}/4", runs_of(voxels == 99))
    yield post(f"{split}/4", runs_of((voxels == 6) & lower & left))
    yield post(f"{split}/4", runs_of((voxels == 4) & lower), "split=x")
    yield post(f"{split}/4", runs_of((voxels == 4) & lower), "remain=-1")
    yield get(f"{split}/4")
    yield post(f"{SEG}/split/4", runs_of((voxels == 4) & lower))
    yield from seen(SEG)
    yield info("seg")
    yield get("repo/{root}/info")
