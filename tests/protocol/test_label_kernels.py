"""The compiled engine answers what the numpy engine answers, fault by fault and byte by byte."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvid_array.protocol import label_kernels, label_numpy
from tests.protocol.label_oracle import VECTOR
from tests.protocol.test_label_blocks import MALFORMED, some_labels, voxels_of_blocks


@pytest.mark.parametrize("how", [how for how in MALFORMED if len(MALFORMED[how][0]) >= 24])
def test_the_same_fault(how: str) -> None:
    data = np.frombuffer(MALFORMED[how][0], np.uint8)
    number = int.from_bytes(data[12:16].tobytes(), "little")
    answers = [
        engine.decode(data, number, (2, 2, 2), np.empty((16, 16, 16), np.uint64, order="F"))
        for engine in (label_numpy, label_kernels)
    ]
    assert answers[0] == answers[1]


@given(voxels_of_blocks)
def test_the_same_scan(voxels: np.ndarray) -> None:
    voxels = np.asfortranarray(voxels)
    for ours, theirs in zip(label_kernels.scan(voxels), label_numpy.scan(voxels), strict=True):
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs)


@given(st.lists(st.integers(0, 9) | st.integers(2**64 - 9, 2**64 - 1), min_size=1, max_size=300))
def test_the_same_numbers(entries: list[int]) -> None:
    array = np.array(entries, np.uint64)
    for ours, theirs in zip(label_kernels.number(array), label_numpy.number(array), strict=True):
        assert np.array_equal(ours, theirs)


def test_labels_that_share_their_hash_slot() -> None:
    """Each is looked for from one of the two last slots on, and so around the end."""
    labels = np.arange(2**19, dtype=np.uint64)
    slots = (labels * np.uint64(label_kernels.GOLDEN)) >> np.uint64(54)
    crowded = labels[slots >= label_kernels.SLOTS - 2][:512]
    voxels = np.tile(crowded, 2).reshape((16, 8, 8), order="F")
    for ours, theirs in zip(label_kernels.scan(voxels), label_numpy.scan(voxels), strict=True):
        assert np.array_equal(ours, theirs)


def test_slots_survive_from_sub_block_to_sub_block() -> None:
    voxels = some_labels((4, 4, 4), 500, 1, 3)
    again = np.concatenate([voxels, voxels], axis=2)
    counts, _, _ = label_kernels.scan(np.asfortranarray(again))
    assert np.array_equal(counts[:64], counts[64:])


WITHOUT_A_CACHE = """
import sys
from numba.core import caching
caching.FunctionCache._impl_class._locator_classes = []  # as where no folder can be written
from dvid_array.protocol import label_kernels
from dvid_array.protocol.label_blocks import decode, encode
data = bytes.fromhex(sys.argv[1])
assert encode(decode(data, engine="numba"), engine="numba") == data
print(type(label_kernels._decode._cache).__name__)
"""


def test_kernels_compile_where_nothing_can_be_kept() -> None:
    command = [sys.executable, "-c", WITHOUT_A_CACHE, VECTOR.hex()]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "NullCache"
