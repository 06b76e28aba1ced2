"""Arithmetic with other libraries' arrays is refused both ways round, with the remedy."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import dask.array as da
import dask_array
import numpy as np
import pytest
import xarray as xr

from dvid_array import DvidArray
from tests.conftest import Sent

Volume = tuple[DvidArray, np.ndarray]

OTHERS: dict[str, Callable[[np.ndarray], Any]] = {
    "numpy": np.asarray,
    "dask.array": da.asarray,
    "dask_array": dask_array.asarray,
    "xarray": xr.DataArray,
    "a number": lambda truth: 3,
    "a numpy number": lambda truth: np.float32(3),
}
OPERATORS = (
    operator.add,
    operator.sub,
    operator.mul,
    operator.floordiv,
    operator.and_,
    operator.lt,
    operator.eq,
    operator.ne,
    divmod,
)


@pytest.mark.parametrize("other", OTHERS)
def test_operators_both_ways_round(
    filled: Callable[..., Volume], sent: list[Sent], other: str
) -> None:
    array, truth = filled()
    made = OTHERS[other](truth)
    sent.clear()
    for operate in OPERATORS:
        for sides in ((array, made), (made, array)):
            with pytest.raises(TypeError, match="to_dask"):
                operate(*sides)
    assert not sent


@pytest.mark.parametrize(
    "use",
    [
        lambda x: abs(x),
        lambda x: x @ x,
        lambda x: ~x,
        lambda x: np.sum(x),
        lambda x: np.max(x),
        lambda x: np.add.accumulate(x),
        lambda x: np.multiply.outer(x, x),
        lambda x: np.add(1, 2, out=x),
        lambda x: np.zeros(3).__iadd__(x),
    ],
    ids=("abs", "matmul", "invert", "sum", "max", "accumulate", "outer", "out", "in place"),
)
def test_ufuncs(
    filled: Callable[..., Volume], sent: list[Sent], use: Callable[[DvidArray], Any]
) -> None:
    array, _ = filled()
    sent.clear()
    with pytest.raises(TypeError, match="to_dask"):
        use(array)
    assert not sent


@pytest.mark.parametrize("name", ["mean", "max", "T", "astype", "transpose", "reshape", "copy"])
def test_methods_of_numpy(filled: Callable[..., Volume], sent: list[Sent], name: str) -> None:
    array, _ = filled()
    sent.clear()
    with pytest.raises(AttributeError, match=rf"arr\.to_dask\(\)\.{name},.*arr\[\.\.\.\]\.{name} "):
        getattr(array, name)
    assert not hasattr(array, name)
    assert not sent
    assert hasattr(array[...], name)


@pytest.mark.parametrize("name", ["no_such_name", "__array_interface__", "_private"])
def test_other_names_are_missing_as_anywhere(filled: Callable[..., Volume], name: str) -> None:
    with pytest.raises(AttributeError, match=f"'DvidArray' object has no attribute '{name}'$"):
        getattr(filled()[0], name)


def test_the_remedies_work(filled: Callable[..., Volume]) -> None:
    array, truth = filled()
    lazy, other = array.to_dask(), da.asarray(truth)
    np.testing.assert_array_equal((lazy + other).compute(), truth + truth)
    np.testing.assert_array_equal((other - array[...]).compute(), truth - truth)
    assert (lazy == 5).any().compute() == (truth == 5).any()
    assert np.mean(lazy).compute() == truth.mean()


def test_what_a_viewer_asks_for(filled: Callable[..., Volume], sent: list[Sent]) -> None:
    """napari takes whatever has these five, and asks for planes by tuples of ints and slices."""
    array, truth = filled()
    asked = {"dtype", "shape", "ndim", "size", "__getitem__"}
    assert asked <= set(dir(array))
    assert (array.dtype, array.shape, array.ndim, array.size) == (
        truth.dtype,
        truth.shape,
        truth.ndim,
        truth.size,
    )
    whole = slice(None)
    for plane in ((0, whole, whole, np.int64(5)), (0, np.int64(7), whole, whole)):
        sent.clear()
        np.testing.assert_array_equal(np.asarray(array[plane]), truth[plane], strict=True)
        assert len(sent) == 1
