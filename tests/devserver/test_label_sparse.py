"""Sparse volumes against masks."""

from __future__ import annotations

from typing import Any

import lz4.block
import numpy as np
import pytest

from dvid_array.protocol import runs
from tests.corpus import exchange
from tests.devserver.conftest import Asker
from tests.devserver.test_label_streams import some

pytestmark = pytest.mark.dev
Mask = np.ndarray[Any, np.dtype[np.bool_]]
SHAPE = (64, 48, 32)
START = (-32, 0, 16)


@pytest.fixture
def seg(asker: Asker) -> tuple[str, np.ndarray[Any, Any]]:
    """Labels of which some are merged: (place, bodies x y z)."""
    where = asker.instance(asker.repo(), "seg", "labelmap")
    labels = some(SHAPE, 4, high=9)
    size, offset = ("_".join(map(str, three)) for three in (SHAPE, START))
    body = labels.tobytes(order="F")
    assert asker.post(f"{where}/raw/0_1_2/{size}/{offset}", body).status == 200
    assert asker.post(f"{where}/merge", "[3, 5, 7]").status == 200
    bodies = labels.copy()
    bodies[(labels == 5) | (labels == 7)] = 3
    return where, bodies


def mask_of(found: runs.Runs) -> Mask:
    """The voxels of runs in the box of these tests."""
    out = np.zeros(SHAPE, bool)
    for x, y, z, length in (found - np.array((*START, 0))).tolist():
        out[x : x + length, y, z] = True
    return out


def test_each_format(asker: Asker, seg: tuple[str, np.ndarray[Any, Any]]) -> None:
    where, bodies = seg
    for label in (1, 3):
        path = f"{where}/sparsevol/{label}"
        rles = asker.get(path).body
        packed = asker.get(f"{path}?compression=lz4").body
        assert lz4.block.decompress(packed, uncompressed_size=len(rles)) == rles
        found = (
            runs.decode_rles(rles),
            runs.decode_srles(asker.get(f"{path}?format=srles").body),
            runs.decode_blocks(asker.get(f"{path}?format=blocks").body, label, (16, 16, 16)),
        )
        for each in found:
            assert np.array_equal(mask_of(each), bodies == label)
    assert asker.get(f"{where}/sparsevol/5").status == 404


def test_bounds(asker: Asker, seg: tuple[str, np.ndarray[Any, Any]]) -> None:
    where, bodies = seg
    query = "minx=5&miny=3&maxy=40&minz=20&maxz=30"
    found = mask_of(runs.decode_rles(asker.get(f"{where}/sparsevol/3?{query}").body))
    expected = bodies == 3
    expected[: 5 + 32] = False
    expected[:, :3] = expected[:, 41:] = False
    expected[:, :, :4] = expected[:, :, 15:] = False
    assert np.array_equal(found, expected)
    coarse = mask_of(runs.decode_rles(asker.get(f"{where}/sparsevol/3?{query}&exact=false").body))
    blocks = (bodies == 3) & False
    blocks[32:, :, :16] = (bodies == 3)[32:, :, :16]
    assert np.array_equal(coarse, blocks)


def test_coarse(asker: Asker, seg: tuple[str, np.ndarray[Any, Any]]) -> None:
    where, _ = seg
    found = runs.decode_rles(asker.get(f"{where}/sparsevol-coarse/3").body)
    assert found.tolist() == [[-2, y, z, 4] for z in (1, 2) for y in (0, 1, 2)]


def test_by_point(asker: Asker, seg: tuple[str, np.ndarray[Any, Any]]) -> None:
    """Points are right also at negative coordinates, where `label` is not."""
    where, bodies = seg
    for x, y, z in np.argwhere(bodies > 0)[:: bodies.size // 5].tolist():
        point = "_".join(map(str, np.array([x, y, z]) + START))
        found = asker.get(f"{where}/sparsevol-by-point/{point}").body
        assert np.array_equal(mask_of(runs.decode_rles(found)), bodies == bodies[x, y, z])


def test_only_the_blocks_of_a_body_are_looked_at(asker: Asker) -> None:
    """Two far corners of a volume: the bounding box has billions of voxels."""
    where = asker.instance(asker.repo(), "seg", "labelmap")
    one = np.full((16, 16, 16), 8, "<u8").tobytes()
    for offset in ("0_0_0", "160000_160000_160000"):
        assert asker.post(f"{where}/raw/0_1_2/16_16_16/{offset}", one).status == 200
    found = exchange.runs({}, asker.get(f"{where}/sparsevol/8").body)
    assert (len(found), found[0], found[-1]) == (
        512,
        [0, 0, 0, 16],
        [160015, 160015, 160000, 16],
    )
