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
        Names the first entry that does not fit.
    TypeError
        For kinds of numbers that the volume does not hold.
    """
    array = _array(value)
    if array.dtype == dtype:
        return array
    if array.dtype.kind in "biu":
        _check_integers(array, dtype)
    elif not (dtype.kind == "f" and _safe_float(value, array, dtype)):
        raise TypeError(
            f"{array.dtype} values may lose something in a {dtype.name} volume: "
            f"convert them yourself with .astype({dtype.name!r})"
        )
    return array


def _array(value: Any) -> Array:
    array = np.asarray(value)
    if array.dtype.kind not in "Of" or hasattr(value, "dtype"):
        return array
    # numpy makes objects or floats of large Python integers; as integers they may fit
    objects = np.asarray(value, dtype=object)
    if all(isinstance(entry, int) for entry in objects.flat):
        for wide in (np.int64, np.uint64):
            limits = np.iinfo(wide)
            if all(limits.min <= entry <= limits.max for entry in objects.flat):
                return objects.astype(wide)
        first = next(entry for entry in objects.flat if not -(2**63) <= entry < 2**64)
        raise ValueError(f"{first} does not fit any volume of DVID")
    return array


def _safe_float(value: Any, array: Array, dtype: np.dtype[Any]) -> bool:
    python_floats = not hasattr(value, "dtype") and array.dtype.kind == "f"
    return python_floats or (array.dtype.kind == "f" and np.can_cast(array.dtype, dtype, "safe"))


def _check_integers(array: Array, dtype: np.dtype[Any]) -> None:
    if array.size == 0 or np.can_cast(array.dtype, dtype, "safe"):
        return
    if dtype.kind == "f":
        wrong = array.astype(dtype).astype(object) != array.astype(object)
    else:
        limits = np.iinfo(dtype)
        if limits.min <= int(array.min()) and int(array.max()) <= limits.max:
            return
        wrong = (array < limits.min) | (array > limits.max)
    if wrong.any():
        first = array[wrong].flat[0]
        raise ValueError(
            f"{first} does not fit a {dtype.name} volume: no voxel was written. "
            f"Clip the values, or write to a volume of another type"
        )
