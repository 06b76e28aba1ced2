"""One part of a store: cast, written by one request at a time, read back, and told."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dvid_array import DvidArray, Node, errors
from dvid_array.box import Box
from dvid_array.client.depositing import Deposit, checksum_of
from dvid_array.client.posting import INDEXED, INGEST
from dvid_array.testing import Fault, FaultyProxy
from tests.client.conftest import through
from tests.conftest import Sent

PART = Box((-16, 0, 5), (20, 33, 37))
BULK = ("raw", "blocks", "subvolblocks", "specificblocks")


def noise(channels: int = 1, dtype: str = "uint8") -> np.ndarray:
    shape = (channels, *PART.shape)
    return np.random.default_rng(2).integers(1, 200, shape).astype(dtype)


def deposit(array: DvidArray, **how: bool) -> Deposit:
    told = {"sums": False, "verify": False} | how
    return Deposit(array._volume, INDEXED, **told)


@pytest.mark.parametrize(
    ("dtype", "channels"), [("uint8", 1), ("uint8", 4), ("float32", 1), ("uint64", 1)]
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_part_is_stored(node: Node, dtype: str, channels: int, order: Any) -> None:
    """Its checksum is that of its voxels as the server has them, whatever their order here."""
    array = node.create("v", dtype, channels=channels, block=(16, 16, 16))
    values = np.asarray(noise(channels, dtype), order=order)
    expected = zlib.crc32(values.tobytes(order="F"))
    assert deposit(array, sums=True)(PART, values) == expected
    found = array.read(PART.start, PART.stop)
    np.testing.assert_array_equal(found, values)
    assert checksum_of(array._volume, PART) == expected
    assert deposit(array)(PART, values) == 0
    travelled = pickle.loads(pickle.dumps(deposit(array, verify=True)))
    assert travelled(PART, values) == expected


def test_values_are_cast(node: Node) -> None:
    array = node.create("v", "uint8", block=(16, 16, 16))
    deposit(array)(PART, noise().astype(np.int64))
    np.testing.assert_array_equal(array.read(PART.start, PART.stop), noise())


def test_it_writes_and_does_nothing_else(node: Node, sent: list[Sent]) -> None:
    """Extents and refusals are for the one who hands out parts."""
    array = node.create("v", "uint8", block=(16, 16, 16))
    sent.clear()
    deposit(array, sums=True)(PART, noise())
    assert {one.action for one in sent} <= set(BULK)
    sent.clear()
    deposit(array, sums=True)(Box((0, 0, 0), (32, 16, 16)), np.ones((1, 32, 16, 16), np.uint8))
    assert [(one.method, one.action) for one in sent] == [("POST", "raw")]


def test_one_request_at_a_time(node: Node, path: FaultyProxy) -> None:
    """Those who own parts run side by side, not their requests."""
    array = node.create("v", "uint8", block=(16, 16, 16))
    busy = through(path, array, threads=8, request_bytes=16**3)
    path.add(Fault.latency(0.01), times=-1)
    before = len(path.requests), path.connections
    deposit(busy)(PART, noise())
    assert len(path.requests) > before[0] + 8
    assert path.connections == before[1] + 1


@pytest.fixture
def damaged(node: Node, path: FaultyProxy) -> Iterator[DvidArray]:
    """What is written here is changed by somebody before it is read back."""
    array = node.create("v", "uint8", block=(16, 16, 16))
    far = through(path, array, read_timeout=30.0)

    def meddle(request: Any) -> bool:
        if request.method == "GET" and not meddled:
            meddled.append(request)
            array[:, 0:16, 0:16, 0:16] = 77
        return False

    meddled: list[Any] = []
    path.add(Fault(), when=meddle)
    yield far
    assert meddled


def test_what_is_not_read_back_is_no_success(damaged: DvidArray) -> None:
    box = Box((0, 0, 0), (32, 32, 32))
    with pytest.raises(errors.DvidWriteError, match=r"not what was stored.*Store it again") as no:
        deposit(damaged, verify=True)(box, np.ones((1, 32, 32, 32), np.uint8))
    assert (no.value.part, no.value.failed) == (box, (box,))


def test_a_fault_is_told_with_its_part(node: Node, path: FaultyProxy) -> None:
    array = node.create("v", "uint8", block=(16, 16, 16))
    far = through(path, array, request_bytes=16**3)
    path.requests.clear()
    with pytest.raises(errors.DvidWriteError) as cast:
        deposit(far)(PART, noise().astype(np.int64) + 200)
    assert isinstance(cast.value.first, ValueError)
    assert (cast.value.part, list(cast.value.failed)) == (PART, [PART])
    assert not path.requests

    path.add(Fault.status(400, "no room"), when=lambda one: one.method == "POST", skip=2, times=-1)
    with pytest.raises(errors.DvidWriteError, match="no room") as half:
        deposit(far)(PART, noise())
    assert half.value.part == PART
    assert len(half.value.stored) == 2
    for box in half.value.stored:
        place = (slice(None), *box.intersect(PART).slices(PART.start))
        inside = box.intersect(PART)
        np.testing.assert_array_equal(array.read(inside.start, inside.stop), noise()[place])


def test_where_parts_may_be_cut(node: Node) -> None:
    """Into blocks; of an ingest into blocks of the scales that are filled at once."""
    one = deposit(node.create("v", "uint64", block=(16, 16, 16), max_scale=3))
    assert one.cells.block == (16, 16, 16)
    wide = replace(one, how=INGEST).cells.block
    assert all(n > 16 and n % 16 == 0 for n in wide)
