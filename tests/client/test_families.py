"""What is posted by itself: coarser scales must hold what scale 0 says."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dvid_array
from dvid_array import Box, DvidArray, Node
from dvid_array.box import BlockGrid
from dvid_array.client import families
from tests.conftest import Sent

BLOCK = BlockGrid((16, 16, 16))
CORNERS = st.tuples(*[st.integers(0, 5)] * 3)


def halved(labels: np.ndarray) -> np.ndarray:
    """DVID's rule, where every 2³ voxels hold one label or none."""
    x, y, z = (n // 2 for n in labels.shape)
    return labels.reshape(x, 2, y, 2, z, 2).max(axis=(1, 3, 5))


def check(array: DvidArray, truth: np.ndarray) -> None:
    for scale in range(3):
        found = dvid_array.open(f"{array.url}?scale={scale}").read((0, 0, 0), truth.shape)
        assert np.array_equal(found[0], truth), scale
        truth = halved(truth)


def some() -> np.ndarray:
    """Cubes of 4³ of one label, in some of the blocks of 16³ only."""
    rng = np.random.default_rng(3)
    filled = rng.random((6, 6, 6)) < 0.3
    filled[:2, 4:, :] = False
    small = rng.integers(0, 2, (24, 24, 24)) * np.kron(filled, np.ones((4, 4, 4)))
    return np.asfortranarray(np.kron(small, np.ones((4, 4, 4))).astype(np.uint64) * 9)


def whole(array: DvidArray, truth: np.ndarray) -> None:
    array[:, :96, :96, :96] = truth[None]


def slabs(array: DvidArray, truth: np.ndarray) -> None:
    for x in range(0, 96, 16):
        array[:, x : x + 16, :96, :96] = truth[None, x : x + 16]


def unaligned(array: DvidArray, truth: np.ndarray) -> None:
    for z in range(0, 96, 24):
        array[:, :96, :96, z : z + 24] = truth[None, :, :, z : z + 24]


def chunks(array: DvidArray, truth: np.ndarray) -> None:
    dvid_array.store(da.from_array(truth[None], chunks=(1, 16, 32, 48)), array)


def ingested(array: DvidArray, truth: np.ndarray) -> None:
    box = Box((0, 0, 0), truth.shape)  # type: ignore[arg-type]
    dvid_array.store(truth[None], array, box, ingest=True)


@pytest.mark.parametrize("how", [whole, slabs, unaligned, chunks, ingested])
def test_coarser_scales_follow_however_it_is_written(node: Node, how: Any) -> None:
    array = node.create("seg", "uint64", block=(16, 16, 16), max_scale=2)
    how(array, some())
    check(array, some())
    assert dvid_array.open(array.url).shape == (1, 96, 96, 96)


def test_zeros_that_are_there_are_not_posted(node: Node, sent: list[Sent]) -> None:
    array = node.create("seg", "uint64", block=(16, 16, 16), max_scale=1)
    zeros = np.zeros((1, 16, 16, 16), np.uint64)
    array[:, :16, :16, :16] = zeros
    assert array.shape == dvid_array.open(array.url).shape == (1, 16, 16, 16)
    array[:, 16:32, :16, :16] = 5
    array[:, :16, :16, :16] = zeros
    assert [one.action for one in sent if one.method == "POST"].count("raw") == 1
    array[:, 16:32, :16, :16] = zeros
    assert not array[...].any()


def test_a_write_that_erases_posts_what_it_keeps_last(node: Node) -> None:
    array = node.create("seg", "uint64", block=(16, 16, 16), max_scale=2)
    truth = np.full((64, 64, 64), 7, np.uint64, order="F")
    array[:, :64, :64, :64] = truth[None]
    truth[:16, :48] = 0
    array[:, :64, :64, :64] = truth[None]
    check(array, truth)


@given(CORNERS, CORNERS, st.integers(0, 2**32), st.integers(1, 3))
def test_parts_fill_a_piece_and_lose_nothing(one: Any, other: Any, seed: int, scales: int) -> None:
    blocks = Box.sized(map(min, one, other), np.abs(np.subtract(one, other)) + 1)
    filled = np.random.default_rng(seed).random(blocks.shape) < 0.2
    array = np.kron(filled, np.ones((16, 16, 16), bool))[None]
    parts = families.parts(array, BLOCK.voxels(blocks), BLOCK, scales)
    times = np.zeros(blocks.shape, int)
    for box, holds in parts:
        part = BLOCK.blocks(box)
        place = part.slices(blocks.start)
        times[place] += 1
        assert holds == filled[place].any()
        assert not holds or not families._loses(filled[place], part, scales)
    assert (times == 1).all()
    assert parts == sorted(parts, key=lambda part: part[1])
