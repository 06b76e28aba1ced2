"""DVID's types as numpy pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dvid_array.errors import DvidTypeError
from dvid_array.facts import KINDS, kind_for, kind_of


@pytest.mark.parametrize(
    ("dtype", "channels", "wish", "name"),
    [
        ("uint8", 1, None, "uint8blk"),
        (np.uint8, 4, None, "rgba8blk"),
        (np.dtype(">u2"), 1, None, "uint16blk"),
        ("uint32", 1, None, "uint32blk"),
        ("float32", 1, None, "float32blk"),
        ("uint64", 1, None, "labelmap"),
        ("uint64", 1, "uint64blk", "uint64blk"),
        ("uint64", 1, "labelarray", "labelarray"),
        ("uint64", 1, "labelblk", "labelblk"),
        ("uint8", 1, "grayscale8", "uint8blk"),
        ("uint8", 4, "rgba8", "rgba8blk"),
        ("uint32", 1, "labels32", "uint32blk"),
        ("uint64", 1, "labels64", "labelmap"),
    ],
)
def test_a_type_for_each_pair(dtype: Any, channels: int, wish: str | None, name: str) -> None:
    kind = kind_for(dtype, channels, wish)
    assert kind.name == name
    assert (kind.dtype, kind.channels) == (np.dtype(dtype).newbyteorder("<"), channels)
    assert kind_of(wish or name) is kind


@pytest.mark.parametrize(
    ("dtype", "channels", "wish"),
    [
        ("uint8", 2, None),
        ("uint16", 4, None),
        ("int8", 1, None),
        ("float64", 1, None),
        ("bool", 1, None),
        ("uint8", 1, "labelmap"),
        ("uint8", 1, "rgba8blk"),
        ("uint64", 1, "nonsense"),
    ],
)
def test_impossible_pairs_name_the_possible_ones(
    dtype: str, channels: int, wish: str | None
) -> None:
    with pytest.raises(ValueError, match=f"{dtype} with {channels} channel") as refused:
        kind_for(dtype, channels, wish)
    assert all(f"({name})" in str(refused.value) for name in KINDS)
    assert wish is None or wish in str(refused.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("roi", r"node\.roi\(name\)"),
        ("imagetile", "open the volume they were cut from"),
        ("multichan16", "multichan16"),
        ("googlevoxels", "forwards"),
        ("keyvalue", "voxel types are uint8blk"),
    ],
)
def test_other_types_name_their_door(name: str, words: str) -> None:
    with pytest.raises(DvidTypeError, match=words):
        kind_of(name)
