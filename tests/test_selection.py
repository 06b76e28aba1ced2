"""Keys against numpy: what is picked, in which order, in which shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dvid_array import selection
from dvid_array.selection import Axis

SHAPE = (2, 5, 4, 6)
TRUTH = np.arange(np.prod(SHAPE)).reshape(SHAPE)
AXES = [Axis(name, 0, extent) for name, extent in zip("cxyz", SHAPE, strict=True)]


def picked(key: Any, choose: Any = selection.basic) -> np.ndarray:
    """The key by this package's rules, on an array in memory."""
    chosen = choose(key, AXES)
    result = chosen.finish(TRUTH[np.ix_(*map(np.asarray, _integers(chosen.axes)))])
    assert result.shape == chosen.shape
    return result


def _integers(axes: Any) -> list[np.ndarray]:
    return [np.asarray(axis, dtype=np.int64) for axis in axes]


def lists(extent: int) -> st.SearchStrategy[Any]:
    """A list, an index array of any integer type, or a mask of one axis."""
    numbers = st.lists(st.integers(-extent, extent - 1), max_size=5)
    typed = st.sampled_from([np.int8, np.int64, np.intp])
    masks = hnp.arrays(bool, extent)
    return st.one_of(
        numbers,
        numbers.map(tuple),
        st.builds(np.array, numbers.filter(len), typed),
        masks,
        masks.map(list),
    )


@st.composite
def keys_with_a_list(draw: st.DrawFn) -> tuple[Any, ...]:
    """As many parts as there are axes or fewer, one of them a list; `None` and `...` anywhere."""
    place = draw(st.integers(0, 3))
    parts = [
        draw(lists(extent) if axis == place else part(extent)) for axis, extent in enumerate(SHAPE)
    ]
    if draw(st.booleans()):
        parts = parts[: draw(st.integers(place + 1, 4))]
        if draw(st.booleans()):
            parts.append(Ellipsis)
    for _ in range(draw(st.integers(0, 2))):
        parts.insert(draw(st.integers(0, len(parts))), None)
    return tuple(parts)


def part(extent: int) -> st.SearchStrategy[Any]:
    return st.integers(-extent, extent - 1) | st.slices(extent)


@given(hnp.basic_indices(SHAPE, allow_newaxis=True, max_dims=8))
def test_basic_keys(key: Any) -> None:
    np.testing.assert_array_equal(picked(key), TRUTH[key], strict=True)


@given(keys_with_a_list())
def test_keys_with_one_list(key: Any) -> None:
    np.testing.assert_array_equal(picked(key), TRUTH[key], strict=True)


@given(st.tuples(*(lists(extent) | part(extent) for extent in SHAPE)))
def test_outer_keys(key: tuple[Any, ...]) -> None:
    """Lists of several axes mean their product; integers drop their axis."""
    expected = TRUTH[np.ix_(*_outer(key))]
    dropped = tuple(axis for axis, one in enumerate(key) if isinstance(one, int))
    expected = expected.squeeze(axis=dropped)
    np.testing.assert_array_equal(picked(key, selection.outer), expected, strict=True)


def _outer(key: tuple[Any, ...]) -> list[np.ndarray]:
    """Each part as the coordinates numpy gives it."""
    whole = [np.arange(extent) for extent in SHAPE]
    return [
        np.atleast_1d(axis[one if isinstance(one, int | slice) else np.asarray(one, _kind(one))])
        for axis, one in zip(whole, key, strict=True)
    ]


def _kind(one: Any) -> Any:
    return bool if len(one) and np.asarray(one).dtype == bool else np.int64


@given(
    st.lists(
        st.tuples(*(st.integers(-extent, extent - 1) for extent in SHAPE)), min_size=0, max_size=9
    )
)
def test_points(points: list[tuple[int, ...]]) -> None:
    columns = tuple(np.array(points, dtype=np.int64).reshape(-1, 4).T)
    found = selection.points(columns, AXES)
    np.testing.assert_array_equal(TRUTH[tuple(found.coordinates)], TRUTH[columns])
    assert found.shape == (len(points),)


@pytest.mark.parametrize(
    "key",
    [
        (0, [1, 2], 3, 4),
        (0, [[1], [2]], [[1, 2, 3]], -1),
        ([0, 1], [1, 2], [0, 3], np.array([5, 5], np.uint8)),
        (0, 1, 2, 3),
        (0, [], 1, []),
        TRUTH % 7 == 0,
        (TRUTH > 10**6),
    ],
)
def test_points_broadcast_and_masks(key: Any) -> None:
    found = selection.points(key, AXES)
    at = tuple(np.asarray(k, int) for k in key) if isinstance(key, tuple) else key
    expected = TRUTH[at]
    assert found.shape == expected.shape
    np.testing.assert_array_equal(
        TRUTH[tuple(found.coordinates)].reshape(found.shape), expected, strict=True
    )


@given(hnp.basic_indices(SHAPE, allow_newaxis=True, max_dims=8) | keys_with_a_list(), st.data())
def test_values_spread_as_numpy_assigns(key: Any, data: st.DataObject) -> None:
    result = TRUTH[key].shape
    shapes = hnp.broadcastable_shapes(result, max_dims=len(result), max_side=6)
    value = np.arange(1000, 1000 + 10**5)
    shape = data.draw(shapes | st.just((1, *result)))
    value = value[: np.prod(shape, dtype=int)].reshape(shape)
    expected, ours = TRUTH.copy(), TRUTH.copy()
    chosen = selection.basic(key, AXES)
    try:
        expected[key] = value
    except ValueError:
        with pytest.raises(ValueError, match="could not broadcast"):
            chosen.spread(value)
        return
    ours[np.ix_(*_integers(chosen.axes))] = chosen.spread(value)
    np.testing.assert_array_equal(ours, expected)


FAR = np.array([2**64 - 3, 1], np.uint64)
"""Signed, it would count from the end."""


@pytest.mark.parametrize(
    ("key", "error", "words"),
    [
        ((0, 0, 0, 0, 0), IndexError, "too many indices"),
        ((..., ...), IndexError, "single ellipsis"),
        (1.5, IndexError, "integer coordinates"),
        (np.float32(1), IndexError, "integer coordinates"),
        ("a", IndexError, "'a' is no index"),
        (b"a", TypeError, "bytes"),
        ({1}, TypeError, "set"),
        (object(), TypeError, "object"),
        (True, IndexError, "None for a new axis"),
        (np.False_, IndexError, "None for a new axis"),
        ((slice(None), True), IndexError, "mask as long as its axis"),
        (2, IndexError, "index 2 is out of bounds for axis c with size 2"),
        ((slice(None), -6), IndexError, "index -6 is out of bounds for axis x with size 5"),
        ((slice(None), [0, 5]), IndexError, "index 5 is out of bounds for axis x with size 5"),
        ((0, [0.5]), IndexError, "float64"),
        ((0, ["a"]), IndexError, "no index"),
        ((0, [[0, 1]]), IndexError, "one dimension"),
        ((0, np.array([], float)), IndexError, "float64"),
        ((0, [1], [2]), IndexError, r"\.oindex.*\.vindex"),
        ((slice(None), [True] * 4), IndexError, "mask has 4 entries, axis x has 5"),
        (TRUTH > 3, IndexError, "one dimension.*masks of the whole array"),
        (slice(None, None, 0), ValueError, "step cannot be zero"),
        (slice(1.5), TypeError, "1.5 is not an integer"),
        ((0, FAR), IndexError, "index 18446744073709551613 is out of bounds for axis x"),
    ],
)
def test_refused_keys(key: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        selection.basic(key, AXES)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ((0, 0, 0), "takes 4 integers or lists"),
        ((0, 0, 0, slice(None)), "use .oindex for slices"),
        ((0, None, 0, 0), "integers or lists on axis x"),
        ((0, 0, 0, ...), "on axis z"),
        ((0, [0, 1], [0, 1, 2], 0), "do not broadcast"),
        ((0, [0.5], 0, 0), "integer coordinates"),
        ((0, [5], 0, 0), "out of bounds for axis x"),
        ((0, FAR, 0, 0), "18446744073709551613 is out of bounds for axis x"),
        (np.ones((2, 5), bool), "mask has shape"),
    ],
)
def test_refused_points(key: Any, words: str) -> None:
    with pytest.raises(IndexError, match=words):
        selection.points(key, AXES)


def test_outer_refuses_new_axes() -> None:
    with pytest.raises(IndexError, match="use it on the result"):
        selection.outer((None, 0), AXES)


# Writes may reach beyond the extent.

SIZE = 10
ends = st.none() | st.integers(-15, 30)
steps = st.none() | st.integers(-4, 4).filter(bool)


def grown(part: slice, size: int = SIZE) -> list[int]:
    (coordinates,) = selection.basic((part,), [Axis("x", 0, size, grows=True)]).axes
    return list(coordinates)


@given(st.none() | st.integers(-15, SIZE), st.none() | st.integers(-15, SIZE), steps)
def test_slices_within_the_extent_are_numpys(
    start: int | None, stop: int | None, step: int | None
) -> None:
    assume(not (start == SIZE and (step or 1) < 0))  # that one begins beyond the extent
    assert grown(slice(start, stop, step)) == list(range(SIZE)[start:stop:step])


@given(st.integers(0, 30), st.integers(0, 30), steps)
def test_named_ends_may_lie_beyond(start: int, stop: int, step: int | None) -> None:
    assert grown(slice(start, stop, step)) == list(range(100)[start:stop:step])


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (slice(8, None), [8, 9]),
        (slice(12, None), []),
        (slice(-2, 13), [8, 9, 10, 11, 12]),
        (slice(12, -3, -1), [12, 11, 10, 9, 8]),
        (slice(12, None, -5), [12, 7, 2]),
        (slice(None, 7, -1), [9, 8]),
        (slice(-20, 12, 5), [0, 5, 10]),
        (slice(13, -20, -6), [13, 7, 1]),
    ],
)
def test_what_counts_from_the_end_counts_from_the_extent(part: slice, expected: list[int]) -> None:
    assert grown(part) == expected


@pytest.mark.parametrize("part", [slice(None), slice(3, None), slice(-1, 5), slice(None, 3, -1)])
def test_without_an_extent_ends_must_be_named(part: slice) -> None:
    with pytest.raises(IndexError, match="axis x has no extent yet"):
        grown(part, size=0)
    assert grown(slice(2, 5), size=0) == [2, 3, 4]
    assert grown(slice(None, 3), size=0) == [0, 1, 2]


def test_integers_and_lists_do_not_grow() -> None:
    for wrong in (SIZE, [SIZE]):
        with pytest.raises(IndexError, match=f"index {SIZE} is out of bounds"):
            selection.basic((wrong,), [Axis("x", 0, SIZE, grows=True)])


# Literal coordinates.


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (slice(-50, -48), [-50, -49]),
        (slice(None, 2), [-4, -3, -2, -1, 0, 1]),
        (slice(5, None), [5, 6]),
        (slice(None), list(range(-4, 7))),
        (slice(-6, 10, 5), [-6, -1, 4, 9]),
        (slice(9, None), []),
        (slice(3, -3), []),
        ([-9, 100, -9], [-9, 100, -9]),
        (np.arange(11) > 8, [5, 6]),
        (-1, [-1]),
        (10**6, [10**6]),
    ],
)
def test_literal_coordinates(part: Any, expected: list[int]) -> None:
    (found,) = selection.basic((part,), [Axis("x", -4, 7, literal=True)]).axes
    assert list(found) == expected


def test_unsigned_lists_are_not_wrapped_around() -> None:
    axis = Axis("x", -4, 7, literal=True)
    with pytest.raises(IndexError, match="18446744073709551613 is beyond DVID's coordinates"):
        selection.basic((FAR,), [axis])
    assert selection.basic((FAR[1:],), [axis]).axes[0].tolist() == [1]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("shape", "wanted", "back"),
    [
        ((4, 3, 5), (5, 3, 4), True),
        ((4, 3, 5), (1, 5, 3, 4), True),
        ((1, 4, 3, 5), (1, 5, 3, 4), True),
        ((4, 3, 5, 2), (2, 5, 3, 4), True),
        ((4, 3, 5, 1), (1, 5, 3, 4), True),
        ((4, 3), (1, 3, 4), True),
        ((4, 3, 5), (4, 3, 6), False),
        ((4, 3, 4), (1, 4, 3, 4), False),
        ((), (4, 3, 5), False),
        ((7,), (4, 3, 5), False),
    ],
)
def test_values_in_the_other_order_of_axes_have_their_remedy(
    shape: tuple[int, ...], wanted: tuple[int, ...], back: bool
) -> None:
    remedy = selection.turned(shape, wanted)
    assert bool(remedy) == back
    assert ".T" in remedy or not back


def test_the_other_order_of_axes_is_told() -> None:
    for key in ((0,), (slice(None),)):
        chosen = selection.basic(key, AXES)
        with pytest.raises(ValueError, match=r"could not broadcast .*; transpose values"):
            chosen.spread(np.zeros(chosen.shape[::-1]))
        with pytest.raises(ValueError, match=r"into shape \(.*\)$"):
            chosen.spread(np.zeros((4, 3, 5, 7)))


def test_literal_steps_go_forward() -> None:
    with pytest.raises(IndexError, match="reverse the result"):
        selection.basic((slice(5, 0, -1),), [Axis("x", -4, 7, literal=True)])


@given(st.tuples(*(part(extent) for extent in SHAPE)), st.tuples(*[st.integers(-9, 9)] * 4))
def test_shifting_moves_coordinates(key: Any, by: tuple[int, ...]) -> None:
    chosen = selection.basic(key, AXES)
    moved = chosen.shifted(by)
    assert moved.shape == chosen.shape
    for before, after, distance in zip(chosen.axes, moved.axes, by, strict=True):
        assert [value + distance for value in before] == list(after)
