"""Values that are computed once for an object. Must not know which.

`functools.cached_property` does the same. But in Python 3.11 all objects share its lock, and a
child forked while another thread of its parent computes would wait for that lock for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

V = TypeVar("V", covariant=True)


class once(Generic[V]):
    """A property that keeps its value in the object. Two threads may both compute it."""

    def __init__(self, compute: Callable[[Any], V]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> once[V]: ...

    @overload
    def __get__(self, owner: object, kind: type) -> V: ...

    def __get__(self, owner: object | None, kind: type) -> once[V] | V:
        if owner is None:
            return self
        value = owner.__dict__[self._name] = self._compute(owner)
        return value
