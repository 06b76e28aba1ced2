"""The numpy engine's arithmetic, part by part, against Python's own."""

from __future__ import annotations

import numpy as np
import pytest

from dvid_array.protocol import label_numpy


@pytest.mark.parametrize("width", range(1, 10))
def test_numbers_are_packed_most_significant_bit_first(width: int) -> None:
    rng = np.random.default_rng(width)
    numbers = rng.integers(0, 2**width, (3, 512)).astype(np.uint16)
    packed = label_numpy._pack(numbers, np.full(3, width, np.uint8))
    text = "".join(f"{number:0{width}b}" for number in numbers.ravel())
    assert int.from_bytes(packed.tobytes(), "big") == int(text, 2)
    assert np.array_equal(label_numpy._unpack(packed.reshape(3, -1), width), numbers)


def test_rows_of_several_widths_follow_one_another() -> None:
    numbers = np.arange(1024, dtype=np.uint16).reshape(2, 512) % 2
    packed = label_numpy._pack(numbers, np.array([9, 1], np.uint8))
    assert packed.size == 64 * 9 + 64
    assert np.array_equal(label_numpy._unpack(packed[None, : 64 * 9], 9)[0], numbers[0])
    assert np.array_equal(label_numpy._unpack(packed[None, 64 * 9 :], 1)[0], numbers[1])


def test_bits_of_a_voxel() -> None:
    assert [int(label_numpy.BITS[n]) for n in (0, 1, 2, 3, 4, 5, 256, 257, 512)] == [
        0, 0, 1, 2, 2, 3, 8, 9, 9,
    ]  # fmt: skip


def test_scan_lists_labels_as_a_walk_meets_them() -> None:
    rng = np.random.default_rng(0)
    voxels = rng.integers(0, 40, (16, 8, 16)).astype(np.uint64)
    voxels[8:, :, 8:] = 7
    counts, entries, _ = label_numpy.scan(voxels)
    walks = [
        list(dict.fromkeys(voxels[x : x + 8, :, z : z + 8].ravel(order="F").tolist()))
        for z in (0, 8)
        for x in (0, 8)
    ]
    assert counts.tolist() == [len(walk) for walk in walks]
    assert entries.tolist() == [label for walk in walks for label in walk]


def test_number_lists_labels_by_first_occurrence() -> None:
    labels, places = label_numpy.number(np.array([9, 4, 9, 2**64 - 1, 0, 4], np.uint64))
    assert labels.tolist() == [9, 4, 2**64 - 1, 0]
    assert places.tolist() == [0, 1, 0, 2, 3, 1]


def test_layers_stay_small_and_are_at_least_one() -> None:
    assert label_numpy.layers((8, 8, 8)) == 8
    assert label_numpy.layers((128, 128, 128)) == 1
