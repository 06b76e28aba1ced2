"""Copies between memory orders against numpy's own assignment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvid_array.protocol import voxels

COPIES = (voxels.copy_rows, voxels.copy_tiled)
lengths = st.integers(1, 40)


@st.composite
def parts(draw: st.DrawFn, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """An array of `shape` that is a part of a larger one, in either order, steps and all."""
    steps = [draw(st.sampled_from([1, 1, 1, 2, -1])) for _ in shape]
    margins = [draw(st.integers(0, 3)) for _ in shape]
    extents = [m + n * abs(step) for n, m, step in zip(shape, margins, steps, strict=True)]
    whole = (
        np.arange(np.prod(extents))
        .astype(dtype)
        .reshape(extents, order=draw(st.sampled_from("CF")))
    )
    cut = tuple(slice(m, None) for m in margins)
    return whole[cut][tuple(slice(None, None, step) for step in steps)]


@pytest.mark.parametrize("copy", COPIES)
@given(st.data())
def test_a_copy_is_an_assignment(copy: Any, data: st.DataObject) -> None:
    shape = (data.draw(st.sampled_from([1, 4])), *(data.draw(lengths) for _ in range(3)))
    dtype = data.draw(st.sampled_from(["u1", "u2", "f4", "u8"]))
    source, target = data.draw(parts(shape, dtype)), data.draw(parts(shape, dtype))
    around = target
    while around.base is not None:
        around = around.base
    target[...] = 0
    before = np.array(around)
    copy(source, target)
    assert np.array_equal(target, source)
    target[...] = 0
    assert np.array_equal(around, before)
