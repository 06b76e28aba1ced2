"""Splits against numpy: one part of a supervoxel gets one label, the rest another."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dvid_array.protocol import runs
from tests.devserver.conftest import Asker
from tests.devserver.test_label_index import counts_of, listed, voxels

pytestmark = pytest.mark.dev


def test_random_splits(asker: Asker) -> None:
    """One after another, also in negative blocks, of supervoxels that are merged or split."""
    rng = np.random.default_rng(2)
    where = asker.instance(asker.repo(), "seg", "labelmap")
    cells = rng.integers(1, 5, (12, 8, 4), np.uint64).repeat(4, 0).repeat(4, 1).repeat(4, 2)
    labels = np.asfortranarray(cells)
    body = labels.tobytes(order="F")
    assert asker.post(f"{where}/raw/0_1_2/48_32_16/-16_0_0", body).status == 200
    assert asker.post(f"{where}/merge", "[1, 2]").status == 200
    bodies = {1: 1, 2: 1, 3: 3, 4: 4}
    for _ in range(8):
        supervoxel = int(rng.choice(np.unique(labels)))
        mask = (labels == supervoxel) & (rng.random(labels.shape) < 0.3)
        given = runs.encode_rles(runs.of_mask(np.asfortranarray(mask), (-16, 0, 0)))
        answer = asker.post(f"{where}/split-supervoxel/{supervoxel}", given).json()
        split, remain = answer["SplitSupervoxel"], answer["RemainSupervoxel"]
        bodies[split] = bodies[remain] = bodies.pop(supervoxel)
        labels[labels == supervoxel] = remain
        labels[mask] = split
        assert np.array_equal(voxels(asker, where, "?supervoxels=true"), labels)
    shown = np.zeros(max(bodies) + 1, np.uint64)
    shown[list(bodies)] = list(bodies.values())
    assert np.array_equal(voxels(asker, where), shown[labels])
    assert listed(asker, where) == counts_of(shown[labels])
    sizes = asker.ask("GET", f"/api/{where}/sizes?supervoxels=true", json.dumps(list(bodies)))
    assert sizes.json() == [counts_of(labels)[label] for label in bodies]


def test_a_refused_split_changes_nothing(asker: Asker) -> None:
    where = asker.instance(asker.repo(), "seg", "labelmap")
    two = np.full((16, 16, 16), 5, "<u8", order="F")
    two[10:] = 6
    body = two.tobytes(order="F")
    assert asker.post(f"{where}/raw/0_1_2/16_16_16/0_0_0", body).status == 200
    outside = runs.encode_rles(np.array([[8, 0, 0, 4]]))
    for given in (outside, b"", b"\0\3\0\0garbage", runs.encode_rles(runs.none())):
        answer = asker.post(f"{where}/split-supervoxel/5", given)
        assert answer.status == 400
        assert "split supervoxel 5 -> " in answer.text
    assert listed(asker, where) == {5: 2560, 6: 1536}
    assert asker.get(f"{where}/raw/0_1_2/16_16_16/0_0_0").body == body
    assert asker.get(f"{where}/mappings").body == b""
