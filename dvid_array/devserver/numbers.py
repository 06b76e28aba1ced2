"""Lists of whole numbers in request bodies, as Go reads them. Must not know what they stand for.

Go drops what an array has too much and fills what it lacks with zeros; of several faults it tells
the first. A well-formed list of many numbers is taken as a whole, and only a strange one item by
item.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dvid_array.devserver.answers import Body, Refusal

Rows = np.ndarray[Any, np.dtype[np.int32]]
Naturals = np.ndarray[Any, np.dtype[np.uint64]]

_NAMES = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "bool",
    int: "number",
    float: "number",
}


def rows(body: Body, width: int, kind: str) -> Rows:
    """The 32-bit integers of a list of lists, `width` a row; `kind` is what Go calls a row.

    Raises
    ------
    ValueError
        With Go's words for what cannot be read.
    """
    document = _listed(body, f"[]{kind}")
    try:
        whole = np.array(document)
    except (ValueError, OverflowError):
        whole = np.empty(0)
    # numpy takes a bool among integers for one of them.
    plain = whole.dtype == np.int64 and not (b"true" in body.data or b"false" in body.data)
    if plain and whole.ndim == 2 and whole.shape[1] == width:
        narrow = whole.astype(np.int32)
        if (narrow == whole).all():
            return narrow
    return np.array([_row(item, width, kind) for item in document], np.int32).reshape(-1, width)


def naturals(body: Body, kind: str = "[]uint64") -> Naturals:
    """The unsigned 64-bit integers of a list; `kind` is what Go calls the list.

    Raises
    ------
    ValueError
        With Go's words for what cannot be read.
    """
    document = _listed(body, kind)
    return np.array([_whole(item, "uint64", 0, 1 << 64) for item in document], np.uint64)


def _listed(body: Body, kind: str) -> list[Any]:
    document = body.json()
    if document is None:
        return []
    if not isinstance(document, list):
        raise _unfit(document, kind)
    return document


def _row(item: Any, width: int, kind: str) -> list[int]:
    if item is None:
        return [0] * width
    if not isinstance(item, list):
        raise _unfit(item, kind)
    found = [_whole(value, "int32", -(1 << 31), 1 << 31) for value in item[:width]]
    return found + [0] * (width - len(found))


def _whole(value: Any, kind: str, low: int, high: int) -> int:
    if value is None:
        return 0
    if type(value) in (int, float):
        if type(value) is float or not low <= value < high:
            raise ValueError(f"json: cannot unmarshal number {value} into Go value of type {kind}")
        return int(value)
    raise _unfit(value, kind)


def _unfit(value: Any, target: str) -> ValueError:
    name = _NAMES[type(value)]
    return ValueError(f"json: cannot unmarshal {name} into Go value of type {target}")


def refused(fault: ValueError, complaint: str = "") -> Refusal:
    """A list that could not be read, as an answer."""
    return Refusal(400, complaint + str(fault))
