"""`store` of arrays in memory: places, refusals, journals, progress, faults; no dask needed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dvid_array
from dvid_array import Box, DvidWriteError, Node, Settings, errors, store
from dvid_array.testing import Fault, FaultyProxy
from tests.client.conftest import through
from tests.client.world import BOUNDS, World, key_of
from tests.conftest import Dvid, Sent

BLOCK = (16, 16, 16)
PLACE = Box((-3, 5, 20), (30, 40, 41))


def noise(shape: tuple[int, ...], dtype: str = "uint8") -> np.ndarray:
    return np.random.default_rng(1).integers(1, 200, shape).astype(dtype)


@pytest.fixture
def faulty(dvid: Dvid) -> Any:
    with FaultyProxy(dvid.url) as proxy:
        yield proxy


def posts(sent: list[Sent]) -> list[Sent]:
    return [one for one in sent if one.method == "POST" and one.action == "raw"]


def boxes() -> st.SearchStrategy[Box]:
    def pair(low: int, high: int) -> st.SearchStrategy[tuple[int, ...]]:
        ends = st.lists(st.integers(low, high), min_size=2, max_size=2, unique=True)
        return ends.map(sorted).map(tuple)

    axes = [pair(a, b) for a, b in zip(BOUNDS.start, BOUNDS.stop, strict=True)]
    return st.tuples(*axes).map(lambda axes: Box(*(tuple(one) for one in zip(*axes, strict=True))))


@pytest.mark.parametrize(
    ("dtype", "channels"), [("uint8", 1), ("uint8", 4), ("float32", 1), ("uint64", 1)]
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_it_is_an_assignment(node: Node, dtype: str, channels: int, order: Any) -> None:
    """Anywhere, with neighbours as they were; several threads, small requests."""
    world = World.made(node, "v", dtype, channels, block=BLOCK)
    fine = Settings(threads=4, request_bytes=30_000)
    array = dvid_array.open(world.array.url, settings=fine)

    @settings(max_examples=5)
    @given(boxes())
    def check(box: Box) -> None:
        values = np.asarray(world.noise((channels, *box.shape)), order=order)
        world.truth[world.place(key_of(box))] = values
        store(values, array, box)
        world.check()

    check()


# Places.


@pytest.mark.parametrize(
    "region",
    [PLACE.shifted((3, 0, 0)), np.s_[:, 0:33, 5:40, 20:41], np.s_[..., 0:33, 5:40, 20:41]],
    ids=["box", "slices", "ellipsis"],
)
def test_regions(node: Node, region: Any) -> None:
    array = node.create("v", "uint8", block=BLOCK)
    values = noise((1, *PLACE.shape))
    assert store(values, array, region) is None
    assert (array.minindex[1:], array.shape[1:]) == ((0, 5, 20), (33, 40, 41))
    np.testing.assert_array_equal(array[:, 0:33, 5:40, 20:41], values)


def test_without_a_region_it_begins_at_position_0(node: Node) -> None:
    array = node.create("v", "uint8", block=BLOCK)
    values = noise((20, 17, 3))
    store(values, array)
    np.testing.assert_array_equal(array[0], values)
    store([[[7]]], array)
    assert array[0, 0, 0, 0] == 7
    assert array.shape == (1, 20, 17, 3)


def test_a_window_takes_what_fits_it(node: Node) -> None:
    array = node.create("v", "uint8", block=BLOCK)
    window = array.window(PLACE.start, PLACE.stop)
    store(noise((1, *PLACE.shape)), window)
    np.testing.assert_array_equal(window[...], noise((1, *PLACE.shape)))
    store(np.full((1, 2, 2, 2), 9), window, np.s_[:, 0:2, 3:5, -2:])
    assert (array.voxels[:, -3:-1, 8:10, 39:41] == 9).all()
    for values, region, error in (
        (noise((1, 2, 2, 2)), None, ValueError),
        (noise((1, 2, 2, 2)), Box((-4, 5, 20), (-2, 7, 22)), IndexError),
        (noise((1, 40, 2, 2)), np.s_[:, 0:40, 0:2, 0:2], IndexError),
    ):
        with pytest.raises(error, match=r"window|shape"):
            store(values, window, region)


def test_a_volume_goes_where_it_lies(node: Node) -> None:
    one, two = (node.create(name, "uint8", block=BLOCK) for name in "ab")
    one.voxels[key_of(PLACE)] = noise((1, *PLACE.shape))
    store(one.stored, two)
    np.testing.assert_array_equal(two.stored[...], one.stored[...])
    assert two.minindex == one.minindex
    store(one.stored, two, Box.sized((0, 0, 0), PLACE.shape))
    np.testing.assert_array_equal(two[:, :33, :35, :21], one.stored[...])


@pytest.mark.parametrize(
    ("source", "region", "match"),
    [
        (np.zeros((2, 4, 4, 4), "u1"), None, "all channels"),
        (np.zeros((4, 4), "u1"), None, "has shape"),
        (np.zeros((1, 4, 4, 4), "u1"), Box((0, 0, 0), (4, 4, 5)), "the region .* has shape"),
        (np.zeros((1, 2, 4, 4), "u1"), np.s_[:, 0:4:2, 0:4, 0:4], "without steps"),
        (np.zeros((1, 1, 4, 4), "u1"), np.s_[[0], 0:1, 0:4, 0:4], "without steps"),
        (np.zeros((1, 4, 4, 4), "u1"), np.s_[:, :, 0:4, 0:4], "axis x"),
    ],
)
def test_places_that_do_not_fit(
    node: Node, sent: list[Sent], source: np.ndarray, region: Any, match: str
) -> None:
    array = node.create("v", "uint8")
    sent.clear()
    with pytest.raises((ValueError, IndexError), match=match):
        store(source, array, region)
    assert not sent


def test_other_things_are_no_target(node: Node) -> None:
    with pytest.raises(TypeError, match="target is a ndarray"):
        store(noise((1, 2, 2, 2)), np.zeros((1, 2, 2, 2)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="choose one of rechunk, merge, error"):
        store(noise((1, 2, 2, 2)), node.create("v", "uint8"), on_unaligned="maybe")


# Refusals, all of them before a voxel is sent.

MASKED = np.ma.masked_less(np.arange(64, dtype="u1").reshape(1, 4, 4, 4), 9)


@pytest.mark.parametrize(
    ("source", "error", "match"),
    [
        (np.full((1, 4, 4, 4), 256), ValueError, "256 does not fit"),
        (np.zeros((1, 4, 4, 4), "f4"), TypeError, "astype"),
        (MASKED, ValueError, r"masked: \.filled"),
        (da.from_array(MASKED), ValueError, r"masked: dask\.array\.ma\.filled"),
    ],
)
def test_values_are_cast_without_loss(
    node: Node, sent: list[Sent], source: Any, error: type[Exception], match: str
) -> None:
    array = node.create("v", "uint8", block=BLOCK)
    store(np.full((1, 4, 4, 4), 255, np.int64), array)
    assert (array[...] == 255).all()
    sent.clear()
    with pytest.raises(error, match=match):
        store(source, array)
    assert not posts(sent)


def test_the_remedies_of_masks_work(node: Node) -> None:
    array = node.create("v", "uint8", block=BLOCK)
    for filled in (MASKED.filled(3), da.ma.filled(da.from_array(MASKED), 3)):
        array[:, 0:4, 0:4, 0:4] = 0
        store(filled, array)
        np.testing.assert_array_equal(array[...], MASKED.filled(3))


def test_what_takes_no_writes(node: Node, sent: list[Sent]) -> None:
    node.create("labels", "uint64", block=BLOCK, max_scale=1)
    array = node.create("v", "uint8", block=BLOCK)
    node.create("lossy", "uint8", compression="jpeg", block=BLOCK)
    values = noise((1, 16, 16, 16))
    sent.clear()
    for target, region, match in (
        (node.open("labels", scale=1), None, "at scale 1"),
        (node["labels"], Box((-16, 0, 0), (0, 16, 16)), "negative coordinates"),
        (node["lossy"], None, r"store\(\.\.\., lossy=True\)"),
    ):
        with pytest.raises(errors.DvidTypeError, match=match):
            store(values, target, region)
    dvid_array.open(array.url).node.commit()
    with pytest.raises(errors.DvidLockedError, match="new_version"):
        store(values, array)  # committed behind its back
    assert not posts(sent)


def test_jpeg_takes_whole_blocks(node: Node, sent: list[Sent]) -> None:
    array = node.create("lossy", "uint8", compression="jpeg", block=BLOCK)
    x, y, z = np.ogrid[:40, :40, :40]
    smooth = (2 * x + y + z + 50).astype(np.uint8)[None]
    store(smooth, array, lossy=True)  # its border blocks hold nothing else
    assert array.shape == smooth.shape
    found = array[...].astype(int)
    assert 0 < np.abs(found - smooth).max() <= 25
    with pytest.raises(ValueError, match="nothing to verify"):
        store(smooth, array, lossy=True, verify=True)
    sent.clear()
    with pytest.raises(errors.DvidAlignmentError, match=r"store whole blocks, x 0\.\.48"):
        store(smooth[:, :35], array, lossy=True)
    assert not posts(sent)
    np.testing.assert_array_equal(array[...], found)
    store(smooth[:, :32, :32, :32], array, lossy=True)


# Journals.


def test_a_rerun_stores_what_is_missing(
    node: Node, faulty: FaultyProxy, tmp_path: Path, sent: list[Sent]
) -> None:
    """The first run breaks off, the second stores the rest, the third nothing."""
    journal = tmp_path / "journal"
    array = node.create("v", "uint8", block=BLOCK)
    values = noise((1, 40, 40, 100))
    place = Box.sized((-5, 3, 7), values.shape[1:])
    slow = through(faulty, array, retry_deadline=0.0, request_bytes=70_000, threads=1)
    faulty.add(Fault.status(500), when=lambda one: one.method == "POST", skip=7, times=-1)
    with pytest.raises(DvidWriteError, match="Store it again with resume=") as told:
        store(values, slow, place, resume=journal)
    first = told.value
    assert first.stored
    assert first.part not in first.stored
    faulty.clear()
    kept = len(journal.read_text().splitlines()) - 1
    assert kept == len([box for box in first.stored if box != first.part]) > 0
    for box in first.stored[:kept]:
        np.testing.assert_array_equal(
            array.read(box.start, box.stop), values[:, *box.slices(place.start)]
        )
    heard: list[int] = []
    sent.clear()
    store(values, slow, place, resume=journal, progress=lambda done, _: heard.append(done))
    assert heard[0] <= heard[-1] == values.nbytes
    again = len(posts(sent))
    assert again
    sent.clear()
    store(values, slow, place, resume=journal)
    assert not posts(sent)
    store(values, slow, place)
    assert len(posts(sent)) > again
    array.refresh()
    np.testing.assert_array_equal(array.stored[...], values)
    assert (array.minindex[1:], array.shape[1:]) == (place.start, place.stop)


def test_a_journal_is_of_one_source_and_one_place(node: Node, tmp_path: Path) -> None:
    array, other = (node.create(name, "uint8", block=BLOCK) for name in "ab")
    values = noise((1, 8, 8, 8))
    store(values, array, resume=tmp_path / "journal")
    for source, target, region, match in (
        (values + 1, array, None, "its source is"),
        (values, other, None, "its target is"),
        (values, array, Box((1, 0, 0), (9, 8, 8)), "its box is"),
    ):
        with pytest.raises(ValueError, match=f"journal of another store: {match}"):
            store(source, target, region, resume=tmp_path / "journal")
    with pytest.raises(ValueError, match="say so by name=") as told:
        store(values + 1, array, resume=tmp_path / "journal")
    named = str(told.value).rpartition("name='")[2].removesuffix("'")
    store(values + 1, array, resume=tmp_path / "journal", name=named)
    assert (array[...] == values).all()
    store(values, array, resume=tmp_path / "named", name="mine")
    store(values + 1, array, resume=tmp_path / "named", name="mine")
    assert (array[...] == values).all()


def test_a_volume_that_changed_can_be_named(node: Node, tmp_path: Path) -> None:
    """A copy within one open version changes what dask calls its source."""
    one, two = (node.create(name, "uint8", block=BLOCK) for name in "ab")
    one[:, :20, :20, :20] = 7
    store(one, two, resume=tmp_path / "journal")
    with pytest.raises(ValueError, match=r"its source is dvid-a-.*say so by name='dvid-a-"):
        store(one, two, resume=tmp_path / "journal")
    for _ in range(2):
        store(one, two, resume=tmp_path / "named", name="a")


def test_an_ingest_has_a_journal_of_its_own(node: Node, tmp_path: Path) -> None:
    """Else an indexed store would take its parts for done, and the index would never know."""
    array = node.create("labels", "uint64")
    values = np.ones((1, 64, 64, 64), np.uint64)
    store(values, array, resume=tmp_path / "journal", ingest=True)
    with pytest.raises(ValueError, match="its way is ingest, not indexed"):
        store(values, array, resume=tmp_path / "journal")


def test_a_verified_rerun_stores_what_others_changed(node: Node, tmp_path: Path) -> None:
    array = node.create("v", "uint8", block=BLOCK)
    array = dvid_array.open(array.url, settings=Settings(request_bytes=40_000))
    values = noise((1, 40, 40, 64))
    store(values, array, resume=tmp_path / "journal")
    array[:, 3, 4, 5] = 0
    store(values, array, resume=tmp_path / "journal")
    assert array[0, 3, 4, 5] == 0
    store(values, array, resume=tmp_path / "journal", verify=True)
    np.testing.assert_array_equal(array[...], values)


RUN = """
import os, sys, threading, numpy as np, dvid_array
array = dvid_array.open(sys.argv[1], settings=dvid_array.Settings(threads=2, request_bytes=20_000))
values = np.random.default_rng(1).integers(1, 200, (1, 40, 40, 100)).astype("uint8")
def stop(done, total):
    if done > int(sys.argv[3]) * total / 100:
        os.kill(os.getpid(), 9)
dvid_array.store(values, array, dvid_array.Box((-5, 3, 7), (35, 43, 107)), resume=sys.argv[2],
                 progress=stop)
"""


def test_a_killed_process_is_resumed(node: Node, tmp_path: Path) -> None:
    """Killed again and again; the extents are exact in the end, though each run left them
    rounded."""
    array = node.create("v", "uint8", block=BLOCK)
    command = [sys.executable, "-c", RUN, array.url, str(tmp_path / "journal")]
    for percent in (10, 60):
        assert subprocess.run([*command, str(percent)]).returncode == -9
        assert array.refresh().shape[3] % 16 == 0
    subprocess.run([*command, "100"], check=True)
    array.refresh()
    assert (array.minindex[1:], array.shape[1:]) == ((-5, 3, 7), (35, 43, 107))
    np.testing.assert_array_equal(array.stored[...], noise((1, 40, 40, 100)))


def test_verifying_finds_what_was_damaged(node: Node, faulty: FaultyProxy) -> None:
    """A post that is answered and never done."""
    array = through(faulty, node.create("v", "uint8", block=BLOCK))
    values = noise((1, 16, 16, 16))
    store(values, array, verify=True)
    faulty.add(Fault(forward=False), when=lambda one: one.method == "POST")
    with pytest.raises(DvidWriteError, match="is not what was stored") as told:
        store(values + 1, array, verify=True)
    assert told.value.failed == (Box((0, 0, 0), (16, 16, 16)),)
    np.testing.assert_array_equal(array[...], values)


# Progress, and faults of the one who is told.


def test_progress_counts_bytes_by_threads(node: Node, capfd: pytest.CaptureFixture[str]) -> None:
    array = node.create("v", "uint16", block=BLOCK)
    array = dvid_array.open(array.url, settings=Settings(threads=4, request_bytes=30_000))
    values = noise((1, 50, 50, 60), "uint16")
    inside, heard = threading.Lock(), []

    def hear(done: int, total: int) -> None:
        assert inside.acquire(blocking=False)
        heard.append((done, total))
        inside.release()

    store(values, array, progress=hear)
    assert heard == sorted(set(heard))
    assert heard[-1] == (values.nbytes, values.nbytes)
    assert len(heard) > 3
    assert capfd.readouterr() == ("", "")
    store(values, array, progress=True)
    assert "storing v: 100%" in capfd.readouterr().err


def test_a_fault_of_who_is_told_harms_nothing(node: Node, tmp_path: Path) -> None:
    array = node.create("v", "uint8", block=BLOCK)
    array = dvid_array.open(array.url, settings=Settings(threads=2, request_bytes=30_000))
    values = noise((1, 50, 50, 60))

    def break_off(done: int, total: int) -> None:
        if done > total // 3:
            raise RuntimeError("enough")

    with pytest.raises(DvidWriteError, match="enough") as told:
        store(values, array, resume=tmp_path / "journal", progress=break_off)
    assert isinstance(told.value.first, RuntimeError)
    for box in told.value.stored:
        np.testing.assert_array_equal(array.read(box.start, box.stop), values[:, *box.slices()])
    store(values, array, resume=tmp_path / "journal")
    np.testing.assert_array_equal(array.refresh()[...], values)
    assert array.shape == values.shape


def test_an_interrupted_store_says_what_is_stored(node: Node, faulty: FaultyProxy) -> None:
    """Ctrl-C against a server that has stopped answering."""
    array = through(faulty, node.create("v", "uint8", block=BLOCK), post_timeout=60.0)
    faulty.add(Fault.stall(), when=lambda one: one.method == "POST", skip=1, times=-1)

    def interrupt() -> None:
        while len([one for one in faulty.requests if one.method == "POST"]) < 3:
            threading.Event().wait(0.01)
        os.kill(os.getpid(), 2)

    killer = threading.Thread(target=interrupt)
    killer.start()
    slow = dvid_array.open(array.url, settings=Settings(threads=2, request_bytes=30_000))
    with pytest.raises(KeyboardInterrupt) as told:
        store(noise((1, 50, 50, 60)), slow)
    killer.join()
    assert "1 stored" in told.value.__notes__[0]


WITHOUT = """
import sys
for name in ("dask", "distributed", "xarray", "pandas", "tqdm"):
    sys.modules[name] = None
import numpy as np, dvid_array
array = dvid_array.open(sys.argv[1])
values = np.arange(8000, dtype="uint16").reshape(20, 20, 20)
dvid_array.store(values, array, resume=sys.argv[2], verify=True, progress=lambda done, total: None)
assert (array[0] == values).all()
try:
    dvid_array.store(values, array, compute=False)
except ImportError as told:
    print(told)
"""


def test_arrays_in_memory_need_no_dask(node: Node, tmp_path: Path) -> None:
    array = node.create("v", "uint16", block=BLOCK)
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT, array.url, str(tmp_path / "journal")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "pip install 'dvid_array[dask]'" in run.stdout
