"""Lists of numbers, as Go reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dvid_array.devserver import numbers
from dvid_array.devserver.answers import Body

pytestmark = pytest.mark.dev


def body(document: Any) -> Body:
    data = bytearray(document if isinstance(document, bytes) else json.dumps(document).encode())
    return Body(data, len(data))


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([[1, 2, 3], [-4, 5, 2**31 - 1]], [[1, 2, 3], [-4, 5, 2**31 - 1]]),
        ([[1, 2], [3, 4, 5, "dropped"], None, []], [[1, 2, 0], [3, 4, 5], [0, 0, 0], [0, 0, 0]]),
        ([[1, None, 3]], [[1, 0, 3]]),
        ([], []),
        (None, []),
    ],
)
def test_rows(document: Any, expected: list[list[int]]) -> None:
    assert numbers.rows(body(document), 3, "dvid.Point3d").tolist() == expected


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({}, "object into Go value of type []dvid.Point3d"),
        ([3], "number into Go value of type dvid.Point3d"),
        ([[1, 2, True]], "bool into Go value of type int32"),
        ([[True, False, True]], "bool into Go value of type int32"),
        ([[1, 2, 2**31]], "number 2147483648 into Go value of type int32"),
        ([[1, 2, 2**70]], f"number {2**70} into Go value of type int32"),
        ([[1.0, 2.0, 3.0]], "number 1.0 into Go value of type int32"),
        ([[1, [2], 3]], "array into Go value of type int32"),
        (b"[[1, 2", "unexpected end of JSON input"),
    ],
)
def test_what_is_no_row(document: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told.replace("[", r"\[")):
        numbers.rows(body(document), 3, "dvid.Point3d")


def test_naturals() -> None:
    assert numbers.naturals(body([0, 2**64 - 1, None])).tolist() == [0, 2**64 - 1, 0]
    for bad in ([-1], [2**64], [1.5], ["1"], 5):
        with pytest.raises(ValueError, match=r"json: cannot unmarshal .* Go value of type"):
            numbers.naturals(body(bad))
