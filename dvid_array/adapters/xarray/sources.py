"""What is given to xarray to open -> arrays, with a name for their data.

Owns what may be opened. Must not know variables or coordinates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dvid_array import opening
from dvid_array.adapters.xarray.labels import name_of, variable_name
from dvid_array.array import DvidArray
from dvid_array.once import once
from dvid_array.repository import Node
from dvid_array.settings import Settings

Dropped = str | Iterable[str] | None


@dataclass(frozen=True)
class Wanted:
    """What is said beside an address, as `dvid_array.open` takes it."""

    version: str | None = None
    instance: str | Sequence[str] | None = None
    scale: int = 0
    supervoxels: bool = False
    token: str | None = None
    settings: Settings | None = None


@dataclass(frozen=True)
class Opened:
    """Arrays that are open. Their name for dask follows their data, which an address cannot."""

    arrays: tuple[DvidArray, ...]
    """What was named."""
    several: bool
    """Whether a version, or a list, was named: then each array has a name of its own."""

    def __dask_tokenize__(self) -> Any:
        return self._token

    @once
    def _token(self) -> Any:
        """Asked once, however many groups a tree has, of each version that is not committed."""
        changes: dict[tuple[str, str], Any] = {}
        told = []
        for array in self.arrays:
            place = array.server_url, array.uuid
            if place not in changes:
                changes[place] = array._volume.changes()
            told.append((*array._volume.identity, changes[place], array.origin, array.shape))
        return told


def claimed(thing: Any) -> bool:
    """Whether something is ours to open, told by a look at it."""
    if isinstance(thing, str):
        return thing.startswith("dvid://") or (thing.startswith("http") and "/api/node/" in thing)
    if isinstance(thing, tuple | list):
        return bool(thing) and all(isinstance(one, DvidArray) for one in thing)
    return isinstance(thing, DvidArray | Node | Opened)


def opened(thing: Any, wanted: Wanted, dropped: Dropped = None) -> Opened:
    """The arrays that something names: an address of a volume or of a version, a `Node`, an array
    or several. What is dropped is not opened.

    Raises
    ------
    TypeError, ValueError
        For anything else, and where keywords are given for what is open already.
    """
    leave = {dropped} if isinstance(dropped, str) else set(dropped or ())
    found = thing if isinstance(thing, Opened) else _read(thing, wanted, leave)
    arrays = (array for array in found.arrays if name_of(array) not in leave)
    return Opened(tuple(arrays), found.several)


def _read(thing: Any, wanted: Wanted, leave: set[str]) -> Opened:
    if isinstance(thing, str):
        return _addressed(thing, wanted, leave)
    if not claimed(thing):
        raise TypeError(f"{type(thing).__name__} is no address, version or array of a DVID")
    if isinstance(thing, Node):
        return _of_version(thing, wanted, leave)
    if said := [name for name, value in vars(wanted).items() if value != getattr(Wanted, name)]:
        raise ValueError(f"{', '.join(said)}: not of an array that is open already")
    several = not isinstance(thing, DvidArray)
    return Opened(tuple(thing) if several else (thing,), several)


def _addressed(address: str, wanted: Wanted, leave: set[str]) -> Opened:
    one = wanted.instance if isinstance(wanted.instance, str) else None
    node, found = opening.locate(address, **vars(wanted) | {"instance": one})
    wanted = replace(wanted, scale=found.scale, supervoxels=found.supervoxels)
    if not found.instance:
        return _of_version(node, wanted, leave)
    if one is None and wanted.instance is not None:
        raise ValueError(f"{address!r} names {found.instance!r} already: leave instance= out")
    array = node.open(found.instance, scale=wanted.scale, supervoxels=wanted.supervoxels)
    return Opened((array,), several=False)


def _of_version(node: Node, wanted: Wanted, leave: set[str]) -> Opened:
    if isinstance(wanted.instance, str):
        array = node.open(wanted.instance, scale=wanted.scale, supervoxels=wanted.supervoxels)
        return Opened((array,), several=False)
    names = node.volumes if wanted.instance is None else wanted.instance
    names = [name for name in names if variable_name(name) not in leave]
    made = node.open_many(names, scale=wanted.scale, supervoxels=wanted.supervoxels)
    return Opened(tuple(made), several=True)
