"""Sparse volumes: DVID's own bytes, round trips against masks, and damage."""

from __future__ import annotations

import re
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvid_array.errors import DvidProtocolError
from dvid_array.protocol import runs
from dvid_array.protocol.runs import Mask, Runs

BLOCK = (16, 16, 16)
ONE_RUN = bytes.fromhex("00030000 00000000 01000000 05000000 06000000 07000000 03000000")
BLOCKS = bytes.fromhex(
    "02000000 02000000 02000000 0500000000000000 10000000 00000000 20000000 02"
    "02 02" + "00" * 62 + "80" + "00" * 7
)
"""A real DVID's answer for voxels (1, 0, 0) and (7, 7, 7) of the 16³ block at (16, 0, 32)."""

blobs = st.tuples(st.integers(0, 2**32 - 1), st.sampled_from([0.02, 0.5, 0.98]))


def blob(seed: int, density: float, shape: tuple[int, int, int] = BLOCK) -> Mask:
    """Coarse noise, so that there are whole, empty and mixed sub-blocks."""
    rng = np.random.default_rng(seed)
    coarse = rng.random([n // 8 for n in shape])
    noise = rng.random(shape)
    mask = np.kron(coarse, np.ones((8, 8, 8))) < density
    return np.asfortranarray(np.where(noise < 0.1, ~mask, mask) if seed % 3 else mask)


def painted(found: Runs, start: tuple[int, int, int], shape: tuple[int, int, int]) -> Mask:
    """The oracle: run by run into a mask, each voxel once."""
    count = np.zeros(shape, int)
    for x, y, z, length in found - np.array((*start, 0)):
        assert min(x, y, z) >= 0
        assert length > 0
        count[x : x + length, y, z] += 1
    assert count.sum() == found[:, 3].sum(), "a run leaves the box"
    assert count.max(initial=0) <= 1
    return count.astype(bool)


def test_a_run_of_dvid() -> None:
    assert runs.decode_rles(ONE_RUN).tolist() == [[5, 6, 7, 3]]
    assert runs.encode_rles(np.array([[5, 6, 7, 3]])) == ONE_RUN
    assert runs.decode_srles(ONE_RUN[12:]).tolist() == [[5, 6, 7, 3]]
    assert runs.encode_srles(np.array([[5, 6, 7, 3]])) == ONE_RUN[12:]


def test_blocks_of_dvid() -> None:
    assert runs.decode_blocks(BLOCKS, 5, BLOCK).tolist() == [[17, 0, 32, 1], [23, 7, 39, 1]]
    mask = np.zeros(BLOCK, bool)
    mask[1, 0, 0] = mask[7, 7, 7] = True
    assert b"".join(runs.encode_blocks(5, BLOCK, [((16, 0, 32), mask)])) == BLOCKS


def test_an_empty_answer_is_a_body_without_voxels() -> None:
    for found in (runs.decode_rles(b""), runs.decode_srles(b""), runs.decode_blocks(b"", 5, BLOCK)):
        assert found.shape == (0, 4)
    assert runs.decode_rles(runs.encode_rles(runs.none())).shape == (0, 4)
    assert list(runs.encode_blocks(5, BLOCK, [])) == []


@given(blobs, st.sampled_from([(16, 16, 16), (32, 16, 48), (1, 5, 3), (7, 1, 2)]))
def test_runs_of_a_mask(seeded: tuple[int, float], shape: tuple[int, int, int]) -> None:
    mask = np.random.default_rng(seeded[0]).random(shape) < seeded[1]
    start = (-5, 1000, -(2**31))
    for one in (mask, np.asfortranarray(mask)):
        found = runs.of_mask(one, start)
        assert (painted(found, start, shape) == mask).all()
        assert (runs.joined(found) == found).all()


@given(st.lists(st.tuples(*[st.integers(-9, 9)] * 3, st.integers(1, 7)), max_size=30))
def test_joined_runs_are_sorted_apart_and_the_same_voxels(listed: list[tuple[int, ...]]) -> None:
    found = np.array(listed, np.int64).reshape(-1, 4)
    voxels = {(z, y, x + n) for x, y, z, length in listed for n in range(length)}
    made = runs.joined(found)
    told = [(z, y, x + n) for x, y, z, length in made.tolist() for n in range(length)]
    assert told == sorted(voxels)
    starts = sum((z, y, x - 1) not in voxels for z, y, x in voxels)
    assert len(made) == starts


def test_joined_at_the_ends_of_the_coordinates() -> None:
    low, high = -(2**31), 2**31 - 1
    found = np.array([[high, high, high, 1], [low, low, low, 2**32], [low, high, high, 5]])
    assert runs.joined(found).tolist() == [
        [low, low, low, 2**32],
        [low, high, high, 5],
        [high, high, high, 1],
    ]


@given(st.lists(blobs, max_size=4), st.sampled_from([(16, 16, 16), (32, 16, 48)]))
def test_blocks_both_ways(seeded: list[tuple[int, float]], block: tuple[int, int, int]) -> None:
    nx, ny, nz = block
    masks = [((nx * (n - 2), -ny * n, nz * 7), blob(*one, block)) for n, one in enumerate(seeded)]
    data = b"".join(runs.encode_blocks(2**64 - 1, block, masks))
    found = runs.decode_blocks(data, 2**64 - 1, block)
    truth = [runs.of_mask(mask, corner) for corner, mask in masks]
    assert (runs.joined(found) == runs.joined(np.concatenate([runs.none(), *truth]))).all()


def test_whole_and_empty_blocks_are_a_flag() -> None:
    masks = [((0, 0, 0), np.ones(BLOCK, bool)), ((16, 0, 0), np.zeros(BLOCK, bool))]
    data = b"".join(runs.encode_blocks(9, BLOCK, masks))
    assert len(data) == 20 + 13 + 13
    assert runs.joined(runs.decode_blocks(data, 9, BLOCK))[:, 3].tolist() == [16] * 256


DAMAGED_RLES = {
    "another kind": (b"\x01" + ONE_RUN[1:], "header"),
    "a cut header": (ONE_RUN[:11], "header"),
    "a cut run": (ONE_RUN[:-1], "announces 1 runs"),
    "a run too many": (ONE_RUN + ONE_RUN[12:], "announces 1 runs"),
    "the text of a late error": (ONE_RUN + b"store failed\n", "store failed"),
    "gigabytes": (ONE_RUN[:8] + b"\xff" * 4 + ONE_RUN[12:], "announces 4294967295"),
    "an empty run": (ONE_RUN[:-4] + bytes(4), "impossible run (5, 6, 7, 0)"),
    "a negative run": (ONE_RUN[:-4] + b"\xff" * 4, "impossible run"),
    "a run beyond the coordinates": (ONE_RUN[:-4] + b"\xff\xff\xff\x7f", "impossible run"),
}
LATE = BLOCKS[:20] + BLOCKS[20:32]
DAMAGED_BLOCKS = {
    "a cut header": (BLOCKS[:19], "begin"),
    "another size": (b"\x01" + BLOCKS[1:], "begin"),
    "another label": (BLOCKS[:12] + b"\x06" + BLOCKS[13:], "begin"),
    "a cut block header": (BLOCKS[:30], "block's header"),
    "a block's flag": (LATE + b"\x03" + BLOCKS[33:], "flags a block with 3"),
    "a sub-block's flag": (BLOCKS[:-1] + b"\x09", "flags a sub-block with 9"),
    "a cut mask": (BLOCKS[:60], "within a block"),
    "a cut list of flags": (BLOCKS[:-1], "within a block"),
    "a block off the grid": (BLOCKS[:20] + b"\x11" + BLOCKS[21:], "impossible block at (17, 0,"),
    "a block twice": (BLOCKS + BLOCKS[20:], "impossible block"),
    "a late error": (BLOCKS + b"store failed", "store failed"),
}


@pytest.mark.parametrize(("data", "told"), DAMAGED_RLES.values(), ids=DAMAGED_RLES)
def test_damaged_rles(data: bytes, told: str) -> None:
    with pytest.raises(DvidProtocolError, match=re.escape(told)):
        runs.decode_rles(data)


def test_damaged_srles() -> None:
    with pytest.raises(DvidProtocolError, match="ends within a run; it ends with: 'store failed'"):
        runs.decode_srles(b"store failed\n")


@pytest.mark.parametrize(("data", "told"), DAMAGED_BLOCKS.values(), ids=DAMAGED_BLOCKS)
def test_damaged_blocks(data: bytes, told: str) -> None:
    with pytest.raises(DvidProtocolError, match=re.escape(told)):
        runs.decode_blocks(data, 5, BLOCK)


@given(st.integers(0, len(BLOCKS) - 1), st.integers(1, 255), st.booleans())
def test_flipped_bits_are_an_error_or_other_voxels(place: int, flip: int, cut: bool) -> None:
    data = bytearray(BLOCKS[:place] if cut else BLOCKS)
    if not cut:
        data[place] ^= flip
    try:
        found = runs.decode_blocks(bytes(data), 5, BLOCK)
    except DvidProtocolError:
        return
    assert found[:, 3].sum() <= 16**3


@given(st.binary(max_size=200))
def test_garbage_is_an_error_or_runs(data: bytes) -> None:
    header = struct.pack("<IIIQ", 2, 2, 2, 5)
    for decode in (
        runs.decode_rles,
        runs.decode_srles,
        lambda data: runs.decode_blocks(header + data, 5, BLOCK),
    ):
        try:
            found = decode(data)
        except DvidProtocolError:
            continue
        assert found.shape[1] == 4
        assert (found[:, 3] > 0).all()
