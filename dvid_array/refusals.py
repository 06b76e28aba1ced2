"""What an array does not do by itself, since it lives on a server: arithmetic, comparison, truth,
and numpy's methods.

Owns the refusals, each with its remedy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin


class Refusals(NDArrayOperatorsMixin):
    """Operators that name what to use instead."""

    if not TYPE_CHECKING:  # which would take any name for one that is there

        def __getattr__(self, name: str) -> Any:
            remedy = ""
            if hasattr(np.ndarray, name) and not name.startswith("_"):
                remedy = (
                    f": it lives on a server. Use arr.to_dask().{name}, which is lazy, or "
                    f"arr[...].{name} of an array in memory"
                )
            text = f"{type(self).__name__!r} object has no attribute {name!r}{remedy}"
            raise AttributeError(text, name=name, obj=self)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        raise TypeError(
            f"{ufunc.__name__} does not compute on a DvidArray, which lives on a server: "
            "use arr.to_dask() for lazy arithmetic, or arr[...] for an array in memory"
        )

    def __eq__(self, other: object) -> Any:
        if isinstance(other, Refusals):
            return self is other
        if isinstance(other, int | float | complex | list | tuple) or hasattr(other, "__array__"):
            raise TypeError(
                "comparing a DvidArray with values downloads it: use arr.to_dask() == ..., "
                "or arr[...] == ..."
            )
        return NotImplemented

    def __ne__(self, other: object) -> Any:
        same = self.__eq__(other)
        return same if same is NotImplemented else not same

    __hash__ = object.__hash__

    def __contains__(self, value: object) -> bool:
        raise TypeError("`in` would download the whole array: use (arr.to_dask() == value).any()")

    def __bool__(self) -> bool:
        raise ValueError(
            "a DvidArray is neither true nor false: use arr.size, or arr.to_dask().any()"
        )
