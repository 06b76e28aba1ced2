"""Where a source goes, told without a server."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from dvid_array.box import Box
from dvid_array.placement import placed
from tests import offline

s_ = np.s_
FLAT = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(1, 2, 3, 4)


def gray(**facts: Any) -> Any:
    return offline.array(extents=Box((-5, 0, 0), (10, 11, 12)), **facts)


@pytest.mark.parametrize(
    ("region", "start"),
    [
        (None, (0, 0, 0)),
        (Box((-7, 5, 100), (-5, 8, 104)), (-7, 5, 100)),
        (s_[:, 3:5, 0:3, 8:12], (3, 0, 8)),
        (s_[0:1, 3:5, -3:, 8:], (3, 8, 8)),
        (s_[:, 8:10, 8:11, 20:24], (8, 8, 20)),
        (s_[..., 6:10], None),
    ],
)
def test_places_in_an_array(region: Any, start: Any) -> None:
    """Slices count as in an assignment: from position 0, or from the end."""
    if start is None:
        with pytest.raises(ValueError, match=r"the region .* has shape"):
            placed(FLAT, gray(), region)
        return
    for source in (FLAT, FLAT[0], da.from_array(FLAT)):
        found, box = placed(source, gray(), region)
        assert box == Box.sized(start, (2, 3, 4))
        np.testing.assert_array_equal(np.asarray(found), FLAT, strict=True)


def test_places_in_a_window() -> None:
    """Position 0 is its start; it is filled, and does not grow."""
    window = gray().window((-2, 4, 6), (2, 10, 12))
    assert placed(FLAT, window, s_[:, 1:3, 0:3, -4:])[1] == Box((-1, 4, 8), (1, 7, 12))
    whole = np.zeros((4, 6, 6), np.uint8)
    assert placed(whole, window, None)[1] == Box((-2, 4, 6), (2, 10, 12))
    with pytest.raises(ValueError, match=r"has shape \(4, 6, 6\), the source \(2, 3, 4\)"):
        placed(FLAT, window, None)
    for beyond in (Box((1, 4, 6), (3, 7, 10)), s_[:, 3:5, 0:3, 0:4]):
        with pytest.raises(IndexError, match="does not grow"):
            placed(FLAT, window, beyond)


def test_all_channels_go() -> None:
    target = gray(kind="rgba8blk")
    source = np.zeros((4, 2, 3, 4), np.uint8)
    assert placed(source, target, None)[1] == Box((0, 0, 0), (2, 3, 4))
    for wrong in (FLAT, source[0], source[:3], source[None], np.zeros(5)):
        with pytest.raises(ValueError, match=r"axes c, x, y, z with 4 channel\(s\)"):
            placed(wrong, target, None)
    for part in (s_[0:2, 0:2, 0:3, 0:4], s_[::-1, 0:2, 0:3, 0:4], s_[3, 0:2, 0:3, 0:4]):
        with pytest.raises(ValueError, match="with all channels"):
            placed(source, target, part)


def test_what_is_no_array_becomes_one() -> None:
    """Lists; and what is read by slicing stays where it is."""
    found, box = placed([[[1, 2]]], gray(), None)
    assert isinstance(found, np.ndarray)
    assert box == Box((0, 0, 0), (1, 1, 2))

    class Stored:
        """As zarr's and h5py's arrays are."""

        shape, dtype, ndim = FLAT.shape, FLAT.dtype, 4

        def __getitem__(self, key: Any) -> np.ndarray:
            reads.append(key)
            return FLAT[key]

    reads: list[Any] = []
    found, _ = placed(Stored(), gray(), None)
    assert not reads
    assert isinstance(found, da.Array)
    np.testing.assert_array_equal(found.compute(), FLAT)


def test_elements_that_numpy_does_not_know_are_converted() -> None:
    """As tensors of torch have."""

    class Tensor:
        shape, dtype, ndim = FLAT.shape, "torch.uint8", 4

        def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
            return FLAT

    found, box = placed(Tensor(), gray(), None)
    assert found is FLAT
    assert box == Box((0, 0, 0), (2, 3, 4))


@pytest.mark.parametrize("source", ["file.zarr", None, 5, {1: 2}, (n for n in (1, 2))], ids=type)
def test_what_is_no_array(source: Any) -> None:
    with pytest.raises(TypeError, match=f"of type {type(source).__name__} is no array: give one"):
        placed(source, gray(), None)


@pytest.mark.parametrize("region", [5, "auto", ((0, 0, 0), (2, 3, 4)), s_[:, [1, 2]], s_[:, None]])
def test_what_is_no_region(region: Any) -> None:
    with pytest.raises((ValueError, IndexError), match=r"slices of c, x, y, z|axis c"):
        placed(FLAT, gray(), region)


def test_axes_in_another_order_have_their_remedy() -> None:
    for region in (Box((0, 0, 0), (2, 3, 4)), s_[:, 0:2, 0:3, 0:4]):
        with pytest.raises(ValueError, match=r"transpose values that are z, y, x"):
            placed(FLAT[0].T, gray(), region)
    with pytest.raises(ValueError, match=r"np\.moveaxis\(source, -1, 0\)"):
        placed(np.zeros((2, 3, 4, 4), np.uint8), gray(kind="rgba8blk"), None)


def test_volumes_go_where_they_lie() -> None:
    """And are not read for it."""
    source = gray(name="other", locked=True)
    found, box = placed(source.window((-3, 1, 2), (0, 5, 9)), gray(), None)
    assert isinstance(found, da.Array)
    assert box == Box((-3, 1, 2), (0, 5, 9))
    assert placed(source.stored, gray(), None)[1] == Box((-5, 0, 0), (10, 11, 12))


def test_shapes_that_nobody_knows() -> None:
    lazy = da.from_array(FLAT)
    unknown = lazy[:, lazy[0, :, 0, 0] > 3]
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        placed(unknown, gray(), None)


def labelled(**starts: int) -> xr.DataArray:
    lengths = dict(zip("xyz", FLAT.shape[1:], strict=True))
    labels = {axis: np.arange(lengths[axis]) + start for axis, start in starts.items()}
    return xr.DataArray(FLAT, dims=("channel", "x", "y", "z"), coords=labels)


def test_labels_say_where() -> None:
    there = labelled(x=-4, y=5, z=6)
    for source in (there, there.transpose("z", "y", "x", "channel")):
        found, box = placed(source, gray(), None)
        assert box == Box.sized((-4, 5, 6), (2, 3, 4))
        np.testing.assert_array_equal(np.asarray(found), FLAT)
    assert placed(there, gray(), box)[1] == box
    assert placed(labelled(y=5), gray(), box)[1] == box
    with pytest.raises(ValueError, match=r"labels along y begin at 5, the region at 6"):
        placed(there, gray(), box.shifted((0, 1, 0)))
    with pytest.raises(ValueError, match=r"no labels along x: .*assign_coords\(x="):
        placed(labelled(y=5, z=6), gray(), None)
