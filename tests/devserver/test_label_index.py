"""The label index against counting voxels: whatever is posted, sizes are those of the voxels."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvid_array.devserver import label_index
from dvid_array.devserver.label_index import Labels
from tests.corpus import label_block
from tests.devserver.conftest import Asker

pytestmark = pytest.mark.dev
HIGHEST = 2**64 - 1


def counts_of(labels: Labels) -> dict[int, int]:
    """Voxels of each label but 0."""
    names, counts = np.unique(labels, return_counts=True)
    return {int(k): int(n) for k, n in zip(names, counts, strict=True) if k}


@given(st.integers(0, 2**32), st.sampled_from([1, 2, 3, 50]))
def test_counted(seed: int, labels: int) -> None:
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, 2**64, labels, np.uint64) * rng.integers(0, 2, labels, np.uint64)
    block = np.asfortranarray(chosen[rng.integers(0, labels, (8, 6, 4))])
    names, counts = label_index.counted(block)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == counts_of(block)


def test_order_of_stored_labels() -> None:
    labels = [0, 1, 2**63 - 1, 2**63, HIGHEST]
    stored = label_index.keys(labels)
    assert stored == sorted(stored)
    assert label_index.labels_of(np.array(stored)).tolist() == labels


def listed(asker: Asker, where: str) -> dict[int, int]:
    """The sizes of all bodies."""
    body = asker.get(f"{where}/listlabels?sizes=true").body
    pairs = np.frombuffer(body, "<u8").reshape(-1, 2).tolist()
    assert pairs == sorted(pairs)
    return {label: size for label, size in pairs if size}


def voxels(asker: Asker, where: str, query: str = "") -> Labels:
    """The labels of the box that these tests write in."""
    body = asker.get(f"{where}/raw/0_1_2/48_32_16/-16_0_0{query}").body
    return np.frombuffer(body, "<u8").reshape((48, 32, 16), order="F")


posts = st.lists(
    st.tuples(
        st.sampled_from(["raw", "blocks", "commit"]),
        st.integers(0, 2),
        st.integers(0, 1),
        st.integers(0, 2**32),
    ),
    min_size=1,
    max_size=8,
)


@given(posts)
@settings(max_examples=25)
def test_sizes_are_those_of_the_voxels(asker: Asker, made: Any) -> None:
    """Posts that mutate, and first posts of blocks, at versions one after another."""
    uuid = asker.repo()
    asker.instance(uuid, "seg", "labelmap")
    fresh = {(x, y) for x in range(3) for y in range(2)}
    snapshots = {}
    for what, x, y, seed in made:
        where = f"node/{uuid}/seg"
        if what == "commit":
            snapshots[where] = counts_of(voxels(asker, where))
            uuid = asker.commit(uuid)
            continue
        rng = np.random.default_rng(seed)
        names = np.array([0, 1, 2, 3, 2**63, HIGHEST], np.uint64)[: rng.integers(1, 7)]
        labels = np.asfortranarray(names[rng.integers(0, len(names), (16, 16, 16))])
        if what == "blocks" and (x, y) in fresh:
            stream = label_block.frames_of(labels, (16, 16, 16), (x - 1, y, 0))
            assert asker.post(f"{where}/blocks", stream).status == 200
        else:
            path = f"{where}/raw/0_1_2/16_16_16/{16 * x - 16}_{16 * y}_0?mutate=true"
            assert asker.post(path, labels.tobytes(order="F")).status == 200
        fresh.discard((x, y))
    where = f"node/{uuid}/seg"
    snapshots[where] = counts_of(voxels(asker, where))
    for place, expected in snapshots.items():
        assert listed(asker, place) == expected
        wanted = [*expected, 0, 77, *expected]
        sizes = asker.ask("GET", f"/api/{place}/sizes", json.dumps(wanted)).json()
        assert sizes == [expected.get(label, 0) for label in wanted]


def test_sizes_after_any_merges(asker: Asker) -> None:
    """Random merges and cleaves in a line of versions, against sets."""
    rng = np.random.default_rng(11)
    uuid = asker.repo()
    asker.instance(uuid, "seg", "labelmap")
    labels = np.asfortranarray(rng.integers(1, 30, (48, 32, 16), np.uint64))
    posted = labels.tobytes(order="F")
    assert asker.post(f"node/{uuid}/seg/raw/0_1_2/48_32_16/-16_0_0", posted).status == 200
    plain = counts_of(labels)
    bodies = {label: {label} for label in plain}
    for turn in range(30):
        where = f"node/{uuid}/seg"
        if turn % 3 < 2:
            chosen = rng.choice(sorted(bodies), 2, replace=False).tolist()
            assert asker.post(f"{where}/merge", json.dumps(chosen)).status == 200
            for label in chosen[1:]:
                bodies[chosen[0]] |= bodies.pop(label)
        else:
            label = max(bodies, key=lambda label: len(bodies[label]))
            cut = sorted(bodies[label])[:-1]
            answer = asker.post(f"{where}/cleave/{label}", json.dumps(cut)).json()
            bodies[answer["CleavedLabel"]] = set(cut)
            bodies[label] -= set(cut)
        if turn % 10 == 9:
            uuid = asker.commit(uuid)
    where = f"node/{uuid}/seg"
    expected = {label: sum(plain[sv] for sv in members) for label, members in bodies.items()}
    assert listed(asker, where) == expected
    shown = np.zeros(max(bodies) + 1, np.uint64)
    for label, members in bodies.items():
        shown[sorted(members)] = label
        assert set(asker.get(f"{where}/supervoxels/{label}").json()) == members
    assert np.array_equal(voxels(asker, where), shown[labels])
    assert np.array_equal(voxels(asker, where, "?supervoxels=true"), labels)
    wanted = sorted(plain)
    answer = asker.ask("GET", f"/api/{where}/mapping", json.dumps(wanted)).json()
    assert answer == shown[wanted].tolist()


def test_many_labels_at_once(asker: Asker) -> None:
    """Each voxel a label of its own."""
    where = asker.instance(asker.repo(), "seg", "labelmap")
    labels = np.arange(1, 48 * 32 * 16 + 1, dtype="<u8").reshape((48, 32, 16), order="F")
    path = f"{where}/raw/0_1_2/48_32_16/-16_0_0?mutate=true"
    for _ in range(2):
        assert asker.post(path, labels.tobytes(order="F")).status == 200
    wanted = list(range(48 * 32 * 16 + 5))
    sizes = asker.ask("GET", f"/api/{where}/sizes", json.dumps(wanted)).json()
    assert sizes == [0, *[1] * (48 * 32 * 16), 0, 0, 0, 0]
