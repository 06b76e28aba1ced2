"""Labels -> voxels, and what is no voxel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvid_array import coordinates
from dvid_array.coordinates import SPACING, STEP

STARTS = st.lists(st.integers(-(2**31) // 8, 2**31 // 8 - 1), max_size=9)


@given(STARTS, st.sampled_from([1, 2, 8]), st.sampled_from([None, 1.0, 0.004, 5.95, 8.0, 40.0]))
def test_there_and_back(starts: list[int], by: int, spacing: float | None) -> None:
    """From whole numbers and from lengths, of whichever precision files keep."""
    wanted = np.array(starts, np.int64) * by
    told: dict[str, Any] = {STEP: np.int32(by)}
    labels: Any = wanted
    if spacing is not None:
        told[SPACING] = spacing
        labels = wanted * spacing
    found = coordinates.voxels("x", labels, told)
    np.testing.assert_array_equal(found, wanted)
    assert found.dtype == np.int64
    assert coordinates.step(told) == by


@pytest.mark.parametrize(
    ("labels", "told", "wanted"),
    [
        (7, {}, [7]),
        (7.0, {}, [7]),
        (np.uint64(7), {}, [7]),
        (np.float32(8 * 12_345), {SPACING: 8.0}, [12_345]),
        ([16, 8], {SPACING: 8.0}, [2, 1]),
        ([-6, 4], {STEP: 2}, [-6, 4]),
        ([0.016, 0.024], {SPACING: 0.004, STEP: 2}, [4, 6]),
        ([], {}, []),
    ],
)
def test_what_is_a_voxel(labels: Any, told: dict[str, Any], wanted: list[int]) -> None:
    assert coordinates.voxels("x", labels, told).tolist() == wanted


@pytest.mark.parametrize(
    ("labels", "told", "words"),
    [
        ([0.5, 2.5], {}, "no whole numbers of voxels: 0.5"),
        ([0, np.nan], {}, "no whole numbers of voxels: nan"),
        ([0, np.inf], {}, "no whole numbers of voxels: inf"),
        ([8.0, 12.0], {SPACING: 8.0}, "no whole numbers of voxels: 12.0 where voxels are 8 apart"),
        ([8, 12], {SPACING: 8.0}, "12"),
        ([0, 3], {STEP: 2}, "none that is 2 long starts at 3"),
        ([0.0, 24.0], {SPACING: 8.0, STEP: 2}, "none that is 2 long"),
        (["a"], {}, "no whole numbers of voxels"),
        ([True], {}, "no whole numbers"),
        (np.array(["2026-01-01"], "M8[D]"), {}, "no whole numbers"),
    ],
)
def test_what_is_none(labels: Any, told: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        coordinates.voxels("y", labels, told)
    assert str(refused.value).startswith("labels of y are no")
