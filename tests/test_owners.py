"""Every block has one owner, whatever the chunks."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvid_array.box import BlockGrid, Box, triple
from dvid_array.errors import DvidAlignmentError
from dvid_array.owners import HOW, Owners, owners, resized

lengths = st.lists(st.integers(0, 70), min_size=1, max_size=5).filter(sum)
starts = st.integers(-150, 150)
blocks = st.sampled_from([1, 8, 16, 30])
three = st.tuples


def cut(start: int, along: list[int], block: int, how: str) -> tuple[int, ...]:
    made = owners((start, 0, 0), (along, [1], [1]), (block, 1, 1), how)
    return made.edges[0]


@pytest.mark.parametrize(
    ("how", "start", "along", "edges"),
    [
        ("rechunk", 0, [64, 64, 10], (0, 64, 128, 138)),
        ("rechunk", 0, [100, 100], (0, 128, 200)),
        ("rechunk", 0, [90, 110], (0, 64, 200)),
        ("rechunk", 0, [1] * 200, (0, 64, 128, 192, 200)),
        ("rechunk", -70, [50, 50], (-70, 0, 30)),
        ("rechunk", -70, [5, 5], (-70, -64, -60)),
        ("rechunk", -60, [5, 5], (-60, -50)),
        ("merge", 0, [64, 64, 10], (0, 64, 128, 138)),
        ("merge", 0, [200, 200], (0, 192, 256, 400)),
        ("merge", -70, [50, 50], (-70, -64, 0, 30)),
        ("error", 5, [59, 64, 3], (5, 64, 128, 131)),
        ("error", -100, [36, 64], (-100, -64, 0)),
    ],
)
def test_cuts(how: str, start: int, along: list[int], edges: tuple[int, ...]) -> None:
    assert cut(start, along, 64, how) == edges


@pytest.mark.parametrize(("start", "along"), [(0, [60, 68]), (5, [64, 64]), (-3, [1, 1, 64])])
def test_chunks_that_share_blocks_can_be_an_error(start: int, along: list[int]) -> None:
    with pytest.raises(DvidAlignmentError, match=r"axis x ends at .* inside a block"):
        cut(start, along, 64, "error")


@given(starts, lengths, blocks, st.sampled_from(sorted(HOW)))
def test_cuts_fill_the_axis_and_lie_on_the_grid(
    start: int, along: list[int], block: int, how: str
) -> None:
    try:
        edges = cut(start, along, block, how)
    except DvidAlignmentError:
        assert any(edge % block for edge in list(accumulate(along, initial=start))[1:-1])
        return
    assert (edges[0], edges[-1]) == (start, start + sum(along))
    assert all(a < b for a, b in pairwise(edges))
    assert not [edge for edge in edges[1:-1] if edge % block]


@given(starts, lengths, blocks)
def test_rechunking_keeps_the_size_of_chunks(start: int, along: list[int], block: int) -> None:
    """No part is longer than the longest chunk by a block or more."""
    edges = cut(start, along, block, "rechunk")
    assert max(b - a for a, b in pairwise(edges)) < max(along) + 2 * block


@given(starts, lengths, blocks)
def test_merging_moves_border_blocks_only(start: int, along: list[int], block: int) -> None:
    """A part lies within one chunk, or within one row of blocks."""
    chunks = list(pairwise(accumulate(along, initial=start)))
    for a, b in pairwise(cut(start, along, block, "merge")):
        within_one = any(low <= a and b <= high for low, high in chunks)
        assert within_one or a // block == (b - 1) // block


@given(starts, lengths, blocks, st.sampled_from(sorted(HOW)))
def test_aligned_chunks_stay_as_they_are(
    start: int, along: list[int], block: int, how: str
) -> None:
    blocked = [block * n for n in along if n]
    start *= block
    assert cut(start, blocked, block, how) == tuple(accumulate(blocked, initial=start))


@given(
    three(starts, starts, starts),
    three(lengths, lengths, lengths),
    st.sampled_from(["rechunk", "merge"]),
)
def test_every_block_has_one_owner(
    start: tuple[int, int, int], along: tuple[list[int], list[int], list[int]], how: str
) -> None:
    grid = BlockGrid((32, 40, 50))
    whole = Box.sized(start, (sum(one) for one in along))
    made = owners(start, along, grid.block, how)
    found = [box for _, box in made.each()]
    assert len(found) == len(made)
    assert sum(box.size for box in found) == whole.size
    taken = Counter(block for box in found for block in grid.each(box))
    assert taken == Counter(grid.each(whole))
    assert triple(sum(one) for one in made.lengths) == whole.shape


def test_places() -> None:
    made = Owners(((0, 8, 10), (-8, 0), (5, 6, 7)))
    assert made.counts == (2, 1, 2)
    assert made.box((1, 0, 1)) == Box((8, -8, 6), (10, 0, 7))
    assert [place for place, _ in made.each()] == [(0, 0, 0), (1, 0, 0), (0, 0, 1), (1, 0, 1)]


@given(
    three(starts, starts, starts),
    three(lengths, lengths, lengths),
    st.integers(1, 200_000),
    st.integers(1, 200_000),
)
def test_resized_parts_keep_blocks_whole(
    start: tuple[int, int, int],
    along: tuple[list[int], list[int], list[int]],
    least: int,
    most: int,
) -> None:
    """And are within the bounds, where there are several to join, and blocks to divide."""
    grid = BlockGrid((32, 40, 50))
    made = owners(start, along, grid.block, "rechunk")
    most = max(least, most)
    found = resized(made, grid.block, least, most)
    for axis, cuts in enumerate(found.edges):
        assert (cuts[0], cuts[-1]) == (made.edges[axis][0], made.edges[axis][-1])
        assert all(a < b for a, b in pairwise(cuts))
        assert not [cut for cut in cuts[1:-1] if cut % grid.block[axis]]
    sizes = [box.size for _, box in found.each()]
    assert max(sizes) <= most or all(
        a // block == (b - 1) // block
        for cuts, block in zip(found.edges, grid.block, strict=True)
        for a, b in [max(pairwise(cuts), key=lambda pair: pair[1] - pair[0])]
    )
    assert 2 * max(sizes) > least or len(found) == 1


@pytest.mark.parametrize(
    ("chunks", "least", "most", "counts"),
    [
        # a zarr of 64-voxel chunks: posts of 128 x 64 x 64 are within 2**19 voxels, 128**2 x 64 not
        (((64,) * 8,) * 3, 1 << 19, 1 << 22, (4, 8, 8)),
        # the planes of a stack: slabs of a block's thickness are divided across
        (((1024,), (1024,), (1,) * 256), 1 << 20, 1 << 22, (4, 4, 4)),
        # large chunks on the grid stay
        (((512, 512),) * 3, 1 << 20, 1 << 27, (2, 2, 2)),
    ],
)
def test_sizes_for_posts(
    chunks: tuple[tuple[int, ...], ...], least: int, most: int, counts: tuple[int, ...]
) -> None:
    made = owners((0, 0, 0), chunks, (64, 64, 64), "rechunk")
    assert resized(made, (64, 64, 64), least, most).counts == counts
