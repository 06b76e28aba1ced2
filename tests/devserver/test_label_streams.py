"""Label blocks as streams, and points, where a recording cannot reach."""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np
import pytest

from dvid_array.devserver import DevServer
from dvid_array.protocol import frames as wire
from dvid_array.protocol import label_blocks
from tests.corpus import label_block
from tests.corpus.exchange import frames
from tests.devserver.conftest import Asker
from tests.devserver.test_voxels import headers

pytestmark = pytest.mark.dev
Labels = np.ndarray[Any, np.dtype[np.uint64]]


def some(shape: tuple[int, int, int], seed: int = 0, high: int = 2**64) -> Labels:
    """Cells of labels (x, y, z)."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, high, [-(-n // 4) for n in shape], np.uint64)
    whole = cells.repeat(4, 0).repeat(4, 1).repeat(4, 2)
    return np.asfortranarray(whole[tuple(slice(n) for n in shape)])


@pytest.fixture
def seg(asker: Asker) -> str:
    return asker.instance(asker.repo(), "seg", "labelmap", MaxDownresLevel="1")


def test_what_is_posted_is_what_comes_back(asker: Asker, seg: str) -> None:
    """Byte for byte: blocks are stored as they come."""
    labels = some((48, 32, 16))
    stream = label_block.frames_of(labels, (16, 16, 16), (-1, 0, 2))
    assert asker.post(f"{seg}/blocks", stream).status == 200
    came = frames(asker.get(f"{seg}/blocks/48_32_16/-16_0_32?compression=blocks").body)
    assert came == frames(stream)
    raw = asker.get(f"{seg}/raw/0_1_2/48_32_16/-16_0_32").body
    assert raw == labels.tobytes(order="F")


def test_both_ways_of_writing_make_the_same_scales(asker: Asker, seg: str) -> None:
    other = asker.instance(seg.split("/")[1], "other", "labelmap", MaxDownresLevel="1")
    labels = some((80, 48, 64), high=5)
    data = labels.tobytes(order="F")
    assert asker.post(f"{seg}/raw/0_1_2/80_48_64/0_0_0", data).status == 200
    stream = label_block.frames_of(labels, (16, 16, 16))
    assert asker.post(f"{other}/blocks?downres=true", stream).status == 200
    for scale in (0, 1):
        box = f"raw/0_1_2/90_50_70/0_0_0?scale={scale}"
        assert asker.get(f"{seg}/{box}").body == asker.get(f"{other}/{box}").body


def test_frames_are_shuffled(asker: Asker, seg: str) -> None:
    asker.post(f"{seg}/blocks", label_block.frames_of(some((64, 64, 32)), (16, 16, 16)))
    listed = ",".join(f"{x},{y},{z}" for z in range(2) for y in range(4) for x in range(4))
    orders = [
        headers(asker.get(f"{seg}/{path}").body)
        for path in [f"specificblocks?blocks={listed}", "blocks/64_64_32/0_0_0"] * 2
    ]
    assert all(sorted(order) == sorted(orders[0]) for order in orders)
    assert any(order != orders[0] for order in orders)


def test_bombs_and_foreign_sizes_are_refused(asker: Asker, seg: str) -> None:
    bomb = gzip.compress(bytes(40 << 20), 9)
    larger = gzip.compress(label_blocks.encode(np.zeros((64, 64, 64), np.uint64)))
    for payload, told in ((bomb, "can't read all"), (larger, "(16, 16, 16) were expected")):
        answer = asker.post(f"{seg}/blocks", wire.pack((0, 0, 0), payload))
        assert (answer.status, told in answer.text) == (400, True), answer.text
    assert asker.get(f"{seg}/specificblocks?blocks=0,0,0").body == b""


def test_any_point_of_any_block(asker: Asker, seg: str) -> None:
    labels = some((64, 48, 32), 3)
    asker.post(f"{seg}/raw/0_1_2/64_48_32/0_0_0", labels.tobytes(order="F"))
    points = np.random.default_rng(1).integers(0, 80, (5000, 3))
    inside = (points < labels.shape).all(axis=1)
    expected = np.zeros(len(points), np.uint64)
    expected[inside] = labels[tuple(points[inside].T)]
    answer = asker.ask("GET", f"/api/{seg}/labels", json.dumps(points.tolist()))
    assert answer.json() == expected.tolist()
    for point, label in zip(points[:5].tolist(), expected, strict=False):
        where = "_".join(map(str, point))
        assert asker.get(f"{seg}/label/{where}").json() == {"Label": label}


def test_negative_points(asker: Asker, seg: str) -> None:
    """DVID looks for them in the block nearer to 0, and before its first voxel."""
    stream = b"".join(
        wire.pack((x, 0, 0), label_block.encode(np.full((16, 16, 16), 7 + x, np.uint64)))
        for x in (-2, -1, 0)
    )
    assert asker.post(f"{seg}/blocks", stream).status == 200
    found = {x: asker.get(f"{seg}/label/{x}_0_0").json()["Label"] for x in (-32, -17, -16, -1, 0)}
    assert found == {-32: 5, -17: 6, -16: 6, -1: 7, 0: 7}


def test_a_stream_of_many_blocks(dev: DevServer, asker: Asker) -> None:
    """Blocks are decoded one at a time, so a stream may unpack to far more than its bytes."""
    seg = asker.instance(asker.repo(), "seg", "labelmap", BlockSize="64,64,64", MaxDownresLevel="2")
    one = label_block.encode(np.full((64, 64, 64), 3, np.uint64))
    blocks = [(x, y, z) for x in range(8) for y in range(4) for z in range(4)]
    stream = b"".join(wire.pack(block, one) for block in blocks)
    assert asker.post(f"{seg}/blocks?downres=true", stream).status == 200
    assert set(headers(asker.get(f"{seg}/blocks/512_256_256/0_0_0?compression=blocks").body)) == {
        *blocks
    }
    lower = np.frombuffer(asker.get(f"{seg}/raw/0_1_2/128_64_64/0_0_0?scale=2").body, "<u8")
    assert (lower == 3).all()
