"""Whether values fit a volume's element type: casts never lose anything.

Pure; must not know volumes. The cast itself happens piece by piece, when voxels are sent.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dvid_array.protocol.voxels import Array


def fitting(value: Any, dtype: np.dtype[Any]) -> Array:
    """The value as an array whose every entry `dtype` can hold exactly.

    Integers and booleans of any width are taken when they all fit. Floats go into float volumes
    where numpy calls the cast safe; Python's own floats are rounded, as numpy does.

    Raises
    ------
    ValueError
        Names the first entry that does not fit; and where entries are masked.
    TypeError
        For kinds of numbers that the volume does not hold, and for what holds no numbers.
    """
    array = _numbers(value)
    if array.dtype == dtype:
        return array
    if array.dtype.kind in "biu":
        _check_integers(array, dtype)
        return array
    if not hasattr(value, "dtype") and _all_integers(value):
        # numpy makes objects or floats of large Python integers, and floats of no values
        objects = np.asarray(value, dtype=object)
        _check_integers(objects, dtype)
        return objects.astype(dtype)
    if not (dtype.kind == "f" and _safe_float(value, array, dtype)):
        raise TypeError(
            f"{array.dtype} values may lose something in a {dtype.name} volume: "
            f"convert them yourself with .astype({dtype.name!r})"
        )
    return array


def _numbers(value: Any) -> Array:
    """An array of a value, whatever holds it; what hides under a mask is not for writing."""
    if np.ma.is_masked(value):
        raise ValueError("some of the values are masked: .filled(value) says what to write there")
    array = np.asarray(value)
    if array.dtype.kind not in "biufcO" or (array.dtype == object and _no_number(value)):
        what = f"{array.dtype} values" if array.ndim else f"a {type(value).__name__}"
        raise TypeError(f"{what}, where numbers are wanted")
    return array


def _no_number(value: Any) -> bool:
    return np.ndim(value) == 0 and not isinstance(value, int)


def _all_integers(value: Any) -> bool:
    return all(isinstance(entry, int) for entry in np.asarray(value, dtype=object).flat)


def _safe_float(value: Any, array: Array, dtype: np.dtype[Any]) -> bool:
    python_floats = not hasattr(value, "dtype") and array.dtype.kind == "f"
    return python_floats or (array.dtype.kind == "f" and np.can_cast(array.dtype, dtype, "safe"))


def _check_integers(array: Array, dtype: np.dtype[Any]) -> None:
    if array.size == 0 or np.can_cast(array.dtype, dtype, "safe"):
        return
    low, high = _exact_range(dtype)
    if low <= array.min() and array.max() <= high:
        return
    doubtful = array[(array < low) | (array > high)]
    first = next((value for value in doubtful.flat if not _exact(int(value), dtype)), None)
    if first is not None:
        raise ValueError(
            f"{first} does not fit a {dtype.name} volume: clip the values, or write to a volume "
            "of another type"
        )


def _exact_range(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Bounds between which `dtype` holds every integer; floats hold some beyond."""
    if dtype.kind == "f":
        last = 2 ** (np.finfo(dtype).nmant + 1)
        return -last, last
    if dtype.kind == "b":
        return 0, 1
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def _exact(value: int, dtype: np.dtype[Any]) -> bool:
    try:
        with np.errstate(over="ignore"):
            return int(dtype.type(value)) == value
    except OverflowError:
        return False
