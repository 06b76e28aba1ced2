"""Graphs by their parts: names, chunks and warnings without a server, tasks with one."""

from __future__ import annotations

import ast
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import pytest
from dask.base import tokenize

from dvid_array import DvidArray
from dvid_array.adapters.dask import graphs
from dvid_array.box import Box
from dvid_array.client.masks import Body
from tests import offline
from tests.conftest import Sent


def committed(edge: int = 128, **facts: Any) -> DvidArray:
    return offline.array(locked=True, extents=Box((0, 0, 0), (edge,) * 3), **facts)


def test_a_graph_says_what_it_is(sent: list[Sent]) -> None:
    for kind, channels in (("float32blk", 1), ("rgba8blk", 4)):
        array = committed(kind=kind)
        lazy = graphs.to_dask(array, (-1, 64, 64, 128))
        assert (lazy.shape, lazy.dtype) == (array.shape, array.dtype)
        assert lazy.chunks == ((channels,), (64, 64), (64, 64), (128,))
        assert lazy.name.startswith("dvid-gray-")
        assert (lazy._meta.shape, lazy._meta.dtype) == ((0, 0, 0, 0), array.dtype)
    masked = committed(kind="labelmap", body=Body(7, np.zeros((1, 3), int)))
    assert graphs.to_dask(masked).dtype == np.bool_
    assert not sent


def test_names_follow_data_cut_and_order() -> None:
    """In every process the same."""
    array = committed()
    made = {
        "plain": graphs.to_dask(array),
        "cut": graphs.to_dask(array, 64),
        "order": graphs.to_dask(array, order="C"),
        "leases": graphs.to_dask(array, leases=2),
        "window": graphs.to_dask(array.window((0, 0, 0), (128, 128, 64))),
        "moved": graphs.to_dask(array.window((64, 0, 0), (192, 128, 128))),
        "other": graphs.to_dask(committed(data_uuid="e" * 32)),
    }
    assert len({lazy.name for lazy in made.values()}) == len(made)
    again = pickle.loads(pickle.dumps(array))
    assert graphs.to_dask(again).name == made["plain"].name
    assert graphs.to_dask(again, 64, order="F").name == made["cut"].name


def test_a_source_in_c_order(filled: Callable[..., Any], sent: list[Sent]) -> None:
    """What it is asked for, and no more, in one request and in C order; numbers stay numbers."""
    array, truth = filled("uint16", (1, 64, 64, 64))
    source = graphs.COrdered(array)
    assert (source.shape, source.dtype, source.ndim) == (array.shape, array.dtype, 4)
    for key in (np.s_[:, 3:40, 5:9, 32:], np.s_[0, 3:40, 5:9, 7], np.s_[0, 5, 5, 5], np.s_[:, 5:5]):
        sent.clear()
        found = source[key]
        np.testing.assert_array_equal(found, truth[key], strict=True)
        assert type(found) is type(truth[key])
        assert len(sent) == bool(truth[key].size)
        assert np.asarray(found).flags.c_contiguous
    still = committed()
    assert tokenize(graphs.COrdered(still)) == tokenize(graphs.COrdered(still))
    assert tokenize(graphs.COrdered(still)) != tokenize(still)


def test_leases_are_settings_of_the_source() -> None:
    """They go with the graph, and leave the array as it was."""
    array = committed()
    lazy = graphs.to_dask(array, leases=3)
    (source,) = [one for one in dict(lazy.dask).values() if isinstance(one, DvidArray)]
    assert source.settings.leases == 3
    assert array.settings.leases != 3


@pytest.mark.parametrize("order", ["K", "A", "c", None])
def test_there_are_two_orders(order: Any) -> None:
    with pytest.raises(ValueError, match="in C or in F order"):
        graphs.to_dask(committed(), order=order)


def test_chunks_that_were_chosen(sent: list[Sent]) -> None:
    """Their names are what is said of the data, so nothing is asked even of an open version."""
    array = offline.array(locked=False, extents=Box((0, 0, 0), (128,) * 3))
    cut = ((1,), (64, 64), (128,), (128,))
    made = [
        graphs.in_chunks(array, one, said) for one in (cut, ((1,), *cut[:0:-1])) for said in "ab"
    ]
    assert len({lazy.name for lazy in made}) == 4
    assert made[0].chunks == cut
    assert graphs.in_chunks(array, cut, "a").name == made[0].name
    assert not sent


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_graph_tells_what_it_reads(order: Any) -> None:
    """Through arithmetic and pickles; computed ones have forgotten."""
    array, other = committed(), committed(name="other")
    lazy = graphs.to_dask(array, order=order)[0, ::-1] + graphs.to_dask(other)[0] * 2
    for graph in (lazy, pickle.loads(pickle.dumps(lazy))):
        for name in ("gray", "other"):
            found = graphs.source_of(graph, lambda one, name=name: one.instance == name)
            assert found is not None
            assert found.instance == name
        assert graphs.source_of(graph, lambda one: one.instance == "third") is None
    assert graphs.source_of(da.ones(3), lambda _: True) is None


# Warnings.


def told(array: DvidArray, chunks: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        graphs.to_dask(array, chunks)
    return [str(one.message) for one in caught]


@pytest.mark.parametrize(
    ("chunks", "times"),
    [
        (64, None),
        ("auto", None),
        ((1, (64, 64), -1, -1), None),
        # 6 slabs of blocks are read for the 4 there are: as much as is let pass
        ((1, (16, 48, 48, 16), -1, -1), None),
        ((1, (48, 48, 32), -1, -1), None),
        ((1, (16,) * 8, -1, -1), "2.0"),
        ((1, (16,) * 8, (16,) * 8, -1), "4.0"),
    ],
)
def test_blocks_that_are_read_often(chunks: Any, times: str | None) -> None:
    array = committed()
    said = told(array, chunks)
    if times is None:
        assert said == []
        return
    (message,) = said
    assert f"read each block {times} times" in message
    better = message.split("chunks=")[1].removesuffix(" is")
    assert told(array, ast.literal_eval(better)) == []


def test_graphs_that_are_too_large() -> None:
    """The smallest proposal that helps, and one that holds what it says."""
    (message,) = told(committed(32 * 101), 32)
    assert message.startswith("1,030,301 chunks: ")
    size, number = message.split("chunks=")[1].split(" makes ")
    assert size == "'64 MiB'"
    assert graphs.to_dask(committed(32 * 101), ast.literal_eval(size)).npartitions == int(number)
    (message,) = told(committed(10**6), 960)
    assert message.endswith("compute on windows of the array, one after the other")
