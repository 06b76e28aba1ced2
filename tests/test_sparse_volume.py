"""Runs of voxels against numpy's boolean arrays."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dvid_array
from dvid_array import Box, SparseVolume
from dvid_array.sparse_volume import DEFAULT

SPACE = Box((-7, -3, 100), (4, 3, 104))
SIZES = st.tuples(*[st.integers(0, n) for n in SPACE.shape])
seeds = st.tuples(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1, 0.6, 1.0]))


def mask_of(seed: tuple[int, float]) -> np.ndarray:
    return np.random.default_rng(seed[0]).random(SPACE.shape) < seed[1]


def of(mask: np.ndarray) -> SparseVolume:
    return SparseVolume.from_mask(mask, SPACE.start)


@st.composite
def boxes(draw: Any) -> Box:
    start = [draw(st.integers(a - 2, b + 2)) for a, b in zip(SPACE.start, SPACE.stop, strict=True)]
    return Box.sized(start, draw(SIZES))


@given(seeds)
def test_a_mask_and_back(seed: tuple[int, float]) -> None:
    mask = mask_of(seed)
    made = of(mask)
    assert np.array_equal(made.mask(SPACE), mask)
    assert made.mask(SPACE).flags.f_contiguous
    assert made.size == made.counts.sum() == mask.sum()
    assert len(made) == len(made.coords) == (np.diff(mask, axis=0, prepend=False) & mask).sum()
    x, y, z = np.nonzero(mask)
    listed = np.stack([x, y, z], axis=1) + SPACE.start
    assert np.array_equal(made.voxels(), listed[np.lexsort(listed.T)])


@given(seeds)
def test_the_box_around_it(seed: tuple[int, float]) -> None:
    mask = mask_of(seed)
    box = of(mask).bbox
    if not mask.any():
        assert box.empty
        return
    assert mask[box.slices(SPACE.start)].sum() == mask.sum()
    for axis in range(3):
        ends = np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) + SPACE.start[axis]
        assert (box.start[axis], box.stop[axis]) == (ends[0], ends[-1] + 1)


@given(seeds, boxes())
def test_a_part_of_it(seed: tuple[int, float], box: Box) -> None:
    mask = mask_of(seed)
    wide = np.zeros([n + 40 for n in SPACE.shape], bool)
    wide[tuple(slice(20, 20 + n) for n in SPACE.shape)] = mask
    origin = tuple(n - 20 for n in SPACE.start)
    part = wide[box.slices(origin)]
    assert np.array_equal(of(mask).mask(box), part)
    assert of(mask).clip(box).size == part.sum()


@given(seeds, seeds)
def test_sets(one: tuple[int, float], other: tuple[int, float]) -> None:
    a, b = mask_of(one), mask_of(other)
    assert of(a) | of(b) == of(a).union(of(b)) == of(a | b)
    assert of(a) & of(b) == of(a).intersect(of(b)) == of(a & b)
    assert of(a) - of(b) == of(a).difference(of(b)) == of(a & ~b)


@given(seeds, st.randoms(use_true_random=False))
def test_any_runs_are_put_in_order(seed: tuple[int, float], random: Any) -> None:
    truth = of(mask_of(seed))
    pieces = truth.voxels().tolist()
    pieces += pieces[::3]
    random.shuffle(pieces)
    runs = np.array([(*piece, 1) for piece in pieces], np.int32).reshape(-1, 4)
    assert SparseVolume(runs) == truth


def test_the_ends_of_the_coordinates() -> None:
    low, high = -(2**31), 2**31 - 1
    ends = SparseVolume(np.array([[low, low, low, 5], [high, high, high, 1], [low, high, high, 7]]))
    assert ends.bbox == Box((low,) * 3, (2**31,) * 3)
    whole = SparseVolume(np.array([[low, high, high, 2**32]]))
    assert (ends & whole).size == 8
    assert (whole - ends).size == 2**32 - 8


def test_dense_values() -> None:
    volume = SparseVolume(np.array([[1, 0, 0, 2], [0, 1, 0, 1]]))
    assert volume.to_dense().tolist() == [[[False], [True]], [[True], [False]], [[True], [False]]]
    assert volume.to_dense().dtype == bool
    assert volume.to_dense(value=2**63 + 5).dtype == np.uint64
    assert volume.to_dense(value=7).dtype == np.uint8
    assert volume.to_dense(value=np.int64(7)).dtype == np.int64
    assert volume.to_dense(Box((1, 0, 0), (3, 1, 1)), 2.5).tolist() == [[[2.5]], [[2.5]]]
    assert volume.to_dense(value=2**63 + 5).max() == 2**63 + 5


def test_volumes_of_space() -> None:
    runs = np.array([[0, 0, 0, 1000]])
    assert SparseVolume(runs, (8, 8, 40)).volume_nm3 == pytest.approx(2_560_000)
    assert SparseVolume(runs, (0.5, 0.5, 2), ("um",) * 3).volume_um3 == pytest.approx(500)
    with pytest.raises(ValueError, match="'pixels' is no unit"):
        SparseVolume(runs, units=("pixels",) * 3).volume_nm3  # noqa: B018


def test_other_voxels_do_not_mix() -> None:
    runs = np.array([[0, 0, 0, 5]])
    small, large = SparseVolume(runs, (8, 8, 8)), SparseVolume(runs, (16, 16, 16))
    assert small != large
    for mix in (small.union, small.intersect, small.difference):
        with pytest.raises(ValueError, match="at one scale"):
            mix(large)
    with pytest.raises(TypeError):
        small & 3  # type: ignore[operator]


def test_it_is_a_value() -> None:
    volume = SparseVolume(np.array([[0, 0, 0, 5], [3, 0, 0, 4]]), (8, 8, 8))
    assert pickle.loads(pickle.dumps(volume)) == volume
    assert volume != "a volume"
    assert repr(volume) == "<SparseVolume: 7 voxels in 1 runs, x 0..7 y 0..1 z 0..1>"
    for read_only in (volume.runs, volume.coords, volume.counts):
        with pytest.raises(ValueError, match="read-only"):
            read_only[...] = 0
    with pytest.raises(TypeError):
        hash(volume)


@pytest.mark.parametrize(
    "runs",
    [np.zeros((3, 4), int), np.zeros((3, 3), int), np.zeros(4, int), np.zeros((0, 4)), [[0.5] * 4]],
)
def test_what_is_no_runs_is_refused(runs: Any) -> None:
    with pytest.raises(ValueError, match="run"):
        SparseVolume(runs)


@pytest.mark.parametrize("mask", [np.zeros((2, 2, 2), int), np.zeros((2, 2), bool)])
def test_what_is_no_mask_is_refused(mask: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a mask is boolean"):
        SparseVolume.from_mask(mask)


def test_a_mask_that_is_too_large_is_refused() -> None:
    far = SparseVolume(np.array([[0, 0, 0, 1], [0, 0, 2**30, 1], [0, 2**20, 0, 1]]))
    assert far.bbox.size > DEFAULT.read_limit
    for make in (lambda: far.mask(far.bbox), far.to_dense):
        with pytest.raises(dvid_array.DvidTooLargeError, match="to_sparse"):
            make()
