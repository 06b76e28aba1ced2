"""What fits a volume's element type: every entry, or nothing is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dvid_array.casting import fitting

VOLUMES = [np.dtype(name) for name in ("uint8", "uint16", "uint32", "uint64", "float32")]
INTEGERS = [np.dtype(name) for name in ("bool", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")]


@given(
    st.sampled_from(INTEGERS).flatmap(lambda dtype: hnp.arrays(dtype, st.integers(0, 4))),
    st.sampled_from(VOLUMES),
)
def test_integers_fit_exactly_or_not_at_all(values: np.ndarray, dtype: np.dtype[Any]) -> None:
    exact = []
    for value in values.tolist():
        with np.errstate(all="ignore"):
            exact.append(int(values.dtype.type(value).astype(dtype)) == int(value))
    if all(exact):
        np.testing.assert_array_equal(fitting(values, dtype).astype(dtype), values)
    else:
        first = values[exact.index(False)]
        with pytest.raises(ValueError, match=f"^{first} does not fit a {dtype.name} volume"):
            fitting(values, dtype)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (0, "uint8"),
        (255, "uint8"),
        (True, "uint8"),
        (1, "bool"),
        (np.ma.array([1, 2], mask=[0, 0]), "uint8"),
        ([True, False], "uint64"),
        (2**64 - 1, "uint64"),
        ([0, 2**64 - 1], "uint64"),
        ([[1], [2]], "uint16"),
        ([], "uint8"),
        (np.arange(5, dtype=">i4"), "uint8"),
        (np.array([0, 2**63], np.uint64), "uint64"),
        (2**24, "float32"),
        (np.array([2**30, -(2**25)]), "float32"),
        (2**63, "float32"),
        (-(2**64), "float32"),
        (0.1, "float32"),
        ([0.1, 3], "float32"),
        (float("nan"), "float32"),
        (np.float16(0.5), "float32"),
        (np.array([0.1], ">f4"), "float32"),
    ],
)
def test_taken(value: Any, name: str) -> None:
    dtype = np.dtype(name)
    np.testing.assert_array_equal(fitting(value, dtype).astype(dtype), np.array(value, dtype))


@pytest.mark.parametrize(
    ("value", "name", "error", "words"),
    [
        (256, "uint8", ValueError, "256 does not fit a uint8"),
        (-1, "uint64", ValueError, "-1 does not fit a uint64"),
        (2**64, "uint64", ValueError, "18446744073709551616 does not fit a uint64"),
        ([-1, 2**64 - 1], "uint64", ValueError, "-1"),
        (2**64 + 1, "float32", ValueError, "does not fit a float32"),
        (10**1000, "float32", ValueError, "does not fit a float32"),
        (10**50, "float32", ValueError, "does not fit a float32"),
        (2**24 + 1, "float32", ValueError, "16777217 does not fit a float32"),
        (np.array([1, 2**63 + 1], np.uint64), "float32", ValueError, "9223372036854775809"),
        (np.array([2**64 - 1], np.uint64), "float32", ValueError, "18446744073709551615"),
        (1.0, "uint8", TypeError, r"float64.*uint8.*astype\('uint8'\)"),
        ([1, 2.5], "uint8", TypeError, "astype"),
        (np.float32(1), "uint64", TypeError, "astype"),
        (np.float64(0.5), "float32", TypeError, "astype"),
        (np.zeros(3), "float32", TypeError, r"float64.*float32.*astype\('float32'\)"),
        (1j, "float32", TypeError, "complex128"),
        ("1", "uint8", TypeError, "a str, where numbers are wanted"),
        (None, "uint8", TypeError, "a NoneType, where"),
        ({1, 2}, "uint64", TypeError, "a set, where"),
        ((n for n in (1, 2)), "uint8", TypeError, "a generator, where"),
        (["1"], "uint8", TypeError, "<U1 values, where"),
        (np.ma.array([1, 2], mask=[0, 1]), "uint8", ValueError, r"masked: \.filled"),
        (2, "bool", ValueError, "2 does not fit a bool"),
        (np.array(["2020"], "M8[s]"), "uint64", TypeError, "datetime64"),
        ([None, 1], "uint8", TypeError, "object"),
    ],
)
def test_refused(value: Any, name: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        fitting(value, np.dtype(name))


def test_what_fits_is_not_copied() -> None:
    """The cast happens piece by piece, when voxels are sent."""
    for dtype in (np.dtype("uint8"), np.dtype("int64")):
        values = np.zeros((50, 50), dtype)
        assert np.shares_memory(fitting(values, np.dtype("uint8")), values)


def test_integers_of_ordinary_size_go_into_floats_without_objects() -> None:
    """A billion labels as Python objects would not fit any memory."""
    import tracemalloc

    values = np.arange(1_000_000, dtype=np.int64)
    tracemalloc.start()
    fitting(values, np.dtype("float32"))
    assert tracemalloc.get_traced_memory()[1] < 2 * values.nbytes
    tracemalloc.stop()
