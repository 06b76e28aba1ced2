"""Chunks: they fill the array, end where blocks end, and are worth a task."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Any

import pytest
from dask.utils import parse_bytes
from hypothesis import given
from hypothesis import strategies as st

from dvid_array import chunking
from dvid_array.chunking import BlockedAxes

GRAY = BlockedAxes((0, 0, 0, 0), (1, 1000, 1000, 100), (1, 64, 64, 64), 1)

grids = st.builds(
    BlockedAxes,
    st.tuples(st.just(0), *[st.integers(-99, 99)] * 3),
    st.tuples(st.integers(1, 4), *[st.integers(0, 300)] * 3),
    st.tuples(st.integers(1, 4), *[st.sampled_from([16, 32, 48])] * 3),
    st.sampled_from([1, 2, 8]),
).filter(lambda grid: grid.shape[0] == grid.block[0])
wishes = st.one_of(
    st.sampled_from(["auto", "1 MiB", -1, None]),
    st.integers(1, 400),
    st.tuples(*[st.sampled_from(["auto", "64 kB", -1, None, 5, 64, 1000])] * 4),
)


@given(grids, wishes)
def test_chunks_fill_the_array_and_end_on_blocks(grid: BlockedAxes, wish: Any) -> None:
    cut = chunking.chunks(wish, grid)
    assert tuple(map(sum, cut)) == grid.shape
    assert all(min(lengths) > 0 or lengths == (0,) for lengths in cut)
    for start, block, lengths in zip(grid.start[1:], grid.block[1:], cut[1:], strict=True):
        assert all((start + end) % block == 0 for end in list(accumulate(lengths))[:-1])
    assert chunking.over_read(cut, grid) <= 1.0  # 0 where nothing is read
    assert chunking.count(cut) == math.prod(map(len, cut))


@given(grids)
def test_auto_chunks_are_worth_a_task(grid: BlockedAxes) -> None:
    cut = chunking.chunks("auto", grid)
    largest = math.prod(max(lengths) for lengths in cut) * grid.itemsize
    assert chunking.count(cut) < chunking.MANY
    assert largest <= max(chunking.AUTO_BYTES, math.prod(grid.block) * grid.itemsize)


@pytest.mark.parametrize(
    ("wish", "sizes"),
    [
        ("auto", (1, 512, 256, 100)),
        ("1 MiB", (1, 128, 128, 64)),
        ("1MB", (1, 128, 64, 64)),
        ("1.5gib", (1, 1000, 1000, 100)),
        (100, (1, 128, 128, 100)),
        (-1, (1, 1000, 1000, 100)),
        (None, (1, 1000, 1000, 100)),
        ((1, 64, "auto", -1), (1, 64, 1000, 100)),
        ({"x": 65}, (1, 128, 1000, 100)),
        ({1: 65, "z": -1}, (1, 128, 1000, 100)),
        ((1, (1000,), 64, (50, 50)), (1, 1000, 64, 50)),
        # free axes grow by what the others hold
        ((1, "1 MiB", "1 MiB", (20,) * 5), (1, 256, 128, 20)),
        ((1, "1 MiB", "auto", -1), (1, 128, 64, 100)),
    ],
)
def test_wishes(wish: Any, sizes: tuple[int, ...]) -> None:
    cut = chunking.chunks(wish, GRAY)
    assert tuple(lengths[0] for lengths in cut) == sizes


@pytest.mark.parametrize(
    ("size", "itemsize", "edges"),
    [
        ((20_000, 30_000, 40_000), 1, (512, 512, 256)),
        ((10_000, 10_000, 10_000), 1, (256, 256, 256)),
        ((15_000, 15_000, 10_000), 1, (512, 256, 256)),
        ((20_000, 30_000, 40_000), 8, (256, 256, 128)),
    ],
)
def test_chunks_of_very_large_volumes_are_larger(
    size: tuple[int, int, int], itemsize: int, edges: tuple[int, int, int]
) -> None:
    """Up to 64 MiB, where there would be more than 100,000 of them; unless a size was given."""
    grid = BlockedAxes((0, 0, 0, 0), (1, *size), (1, 64, 64, 64), itemsize)
    cut = chunking.chunks("auto", grid)
    assert tuple(lengths[0] for lengths in cut[1:]) == edges
    given = chunking.chunks("16 MiB", grid)
    assert math.prod(lengths[0] for lengths in given) * itemsize == 16 << 20


def test_lengths_become_whole_blocks() -> None:
    cut = ((1,), (20,) * 50, (1000,), (64, 36))
    assert chunking.whole_blocks(cut, GRAY) == (1, 64, 1024, 64)


def test_big_elements_make_small_chunks() -> None:
    labels = BlockedAxes((0,) * 4, (1, 1000, 1000, 1000), (1, 64, 64, 64), 8)
    assert [lengths[0] for lengths in chunking.chunks("auto", labels)] == [1, 128, 128, 128]


@pytest.mark.parametrize(
    "text",
    ["1000", "1e4", "64k", "64 kib", "64 KB", "0.5 MB", "1.5gib", ".5M", "3 Mi", "7 B", "2 PB"],
)
def test_sizes_are_dasks(text: str) -> None:
    cut = chunking.chunks(text, GRAY)
    assert cut == chunking.chunks(f"{parse_bytes(text)}", GRAY)


SIZES_THAT_ARE_NONE = ("64 miles", "", "MiB", "-5 MiB", "inf", "nan", "1 kMiB", "5 ib", "1 2 MB")


@pytest.mark.parametrize(
    ("wish", "error", "words"),
    [
        ("nonsense", ValueError, "chunks='nonsense'"),
        *((size, ValueError, "write a size") for size in SIZES_THAT_ARE_NONE),
        ((1, "1 MiB", "2 MiB", -1), ValueError, "one size in bytes"),
        (0, ValueError, "chunks=0"),
        (-2, ValueError, "chunks=-2"),
        ((1, 2, 3), ValueError, "c, x, y, z"),
        (((1,), (999,), 64, 64), ValueError, "axis x do not make up its 1000"),
        (((1,), (500, 0, 500, -1, 1), 64, 64), ValueError, "axis x"),
        ({"w": 64}, ValueError, "w"),
        ({"channel": 1, 7: 2}, ValueError, "channel"),
        (1.5, TypeError, "1.5 is not an integer"),
    ],
)
def test_wrong_wishes(wish: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        chunking.chunks(wish, GRAY)


@pytest.mark.parametrize(
    ("lengths", "touched"),
    [((64,) * 15 + (40,), 16), ((1000,), 16), ((96,) * 10 + (40,), 21), ((20,) * 50, 62)],
)
def test_over_read(lengths: tuple[int, ...], touched: int) -> None:
    """Blocks that several chunks touch are read by each."""
    cut = ((1,), lengths, (1000,), (100,))
    assert chunking.over_read(cut, GRAY) == pytest.approx(touched / 16)
