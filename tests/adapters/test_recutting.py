"""Dask arrays cut anew: the same voxels in other chunks, in Fortran order."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvid_array.adapters.dask.recutting import recut

Lengths = tuple[int, ...]


@st.composite
def cuts(draw: st.DrawFn, size: int, unique: bool) -> Lengths:
    edges = draw(st.lists(st.integers(1, size), max_size=4, unique=unique).map(sorted))
    return tuple(b - a for a, b in pairwise([0, *edges, size]) if b > a or not unique)


@st.composite
def both(draw: st.DrawFn) -> tuple[list[Lengths], list[Lengths]]:
    """Chunks, some of them perhaps without a voxel, and others for as many voxels."""
    sizes = [draw(st.integers(1, most)) for most in (4, 40, 40, 12)]
    return [draw(cuts(n, unique=False)) for n in sizes], [draw(cuts(n, unique=True)) for n in sizes]


@given(both(), st.sampled_from("CF"), st.sampled_from(["u1", "<u8", ">u2", "f4"]))
def test_the_same_voxels(both: Any, order: Any, dtype: str) -> None:
    old, new = both
    shape = tuple(map(sum, old))
    voxels = np.arange(np.prod(shape)).astype(dtype).reshape(shape, order=order)
    found = recut(da.from_array(voxels, chunks=tuple(old)), new)
    assert found.chunks == tuple(new)
    assert found.dtype == voxels.dtype
    computed = found.compute(scheduler="sync")
    assert computed.dtype == voxels.dtype
    np.testing.assert_array_equal(computed, voxels)


def test_parts_are_in_fortran_order_and_hold_no_chunk() -> None:
    source = da.zeros((1, 20, 20, 20), chunks=(1, 15, 20, 20), dtype="u1")
    found = recut(source, ((1,), (10, 10), (20,), (20,)))
    for part in found.to_delayed().ravel():
        array = part.compute(scheduler="sync")
        assert array.flags.f_contiguous
        assert array.flags.owndata


def test_what_is_cut_so_already_is_left_alone() -> None:
    source = da.zeros((1, 20, 20, 20), chunks=(1, 15, 20, 20))
    assert recut(source, source.chunks) is source


def test_names_follow_source_and_cuts() -> None:
    source = da.zeros((1, 8, 8, 8), chunks=(1, 3, 8, 8))
    other = ((1,), (4, 4), (8,), (8,))
    assert recut(source, other).name == recut(source, other).name
    names = {recut(array, other).name for array in (source, source + 1)}
    assert len(names | {recut(source, ((1,), (2, 6), (8,), (8,))).name}) == 3


def test_chunks_of_another_type_are_not_cast() -> None:
    """A source may be wrong about the type of its chunks; a cast would lose what is in them."""
    halves = da.map_blocks(lambda part: part + 0.5, da.zeros((1, 8, 8, 8), chunks=3), dtype="u1")
    found = recut(halves, ((1,), (8,), (8,), (8,))).compute(scheduler="sync")
    assert (found == 0.5).all()


def test_most_of_a_chunk_is_taken_from_the_chunk_itself() -> None:
    """And the rest is cut off by one task, whoever wants it: tasks cost more than voxels."""
    source = da.zeros((1, 20, 20, 20), chunks=(1, 10, 10, 10), dtype="u1")
    found = recut(source, ((1,), (12, 8), (12, 8), (12, 8)))
    names = Counter(key[0] for key in found.__dask_graph__() if key[0] != source.name)
    # the first chunk is whole in a part; of each other one some part has more than half
    assert names == {found.name: 8, f"{found.name}-pieces": 7}


def test_chunks_that_fall_apart_are_cut_piece_by_piece() -> None:
    """Else each part would be sent all of each."""
    planes = da.zeros((1, 8, 8, 2), chunks=(1, 8, 8, 1), dtype="u1")
    found = recut(planes, ((1,), (4, 4), (4, 4), (2,)))
    names = Counter(key[0] for key in found.__dask_graph__() if key[0] != planes.name)
    assert names == {found.name: 4, f"{found.name}-pieces": 8}


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 3, 8, 8), (1, 5, 8, 8)])
def test_a_chunk_of_another_shape_is_an_error(shape: tuple[int, ...]) -> None:
    wrong = da.map_blocks(
        lambda part: np.zeros(shape, part.dtype),
        da.zeros((1, 8, 8, 8), chunks=(1, 4, 8, 8)),
        dtype="u1",
    )
    for cut in [(8,), (3, 5), (2, 2, 4)]:
        with pytest.raises(ValueError, match=r"shape .* where its array says"):
            recut(wrong, ((1,), cut, (8,), (8,))).compute(scheduler="sync")
