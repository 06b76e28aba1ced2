"""Writes that fail half way, and Ctrl-C: what is told is what the server has, voxel by voxel."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dvid_array import DvidArray, Node, errors
from dvid_array.box import Box
from dvid_array.testing import Fault, FaultyProxy
from dvid_array.testing.faults import Request
from tests.client.conftest import through
from tests.client.world import key_of, on_server
from tests.interrupts import interrupted

KEY = np.s_[:, 5:300:96, 3:20, 3:20]
"""Four pieces: every other block along x is left out."""
PIECES = [Box((x, 0, 0), (x + 32, 32, 32)) for x in (0, 96, 192, 288)]
SLOW = {"read_timeout": 30.0, "post_timeout": 30.0}


def posted_to(x: int) -> Callable[[Request], bool]:
    """Posts of the piece at x."""
    return lambda request: request.method == "POST" and request.path.endswith(f"/{x}_0_0")


@pytest.fixture
def stage(node: Node) -> tuple[DvidArray, np.ndarray, np.ndarray]:
    """A volume, its voxels before, and after a whole write of 7 at `KEY`."""
    array = node.create("v", "uint8", block=(32, 32, 32))
    before = np.random.default_rng(5).integers(10, 200, (1, 320, 32, 32)).astype(np.uint8)
    array[:, 0:320, 0:32, 0:32] = before
    after = before.copy()
    after[KEY] = 7
    return array, before, after


@pytest.mark.parametrize("landed", [True, False], ids=["landed", "lost"])
@pytest.mark.parametrize("threads", [1, 4])
def test_every_box_is_told_as_it_is(
    stage: tuple[DvidArray, np.ndarray, np.ndarray], path: FaultyProxy, landed: bool, threads: int
) -> None:
    array, before, after = stage
    far = through(path, array, threads=threads, read_timeout=30.0, post_timeout=3.0)
    # the fault comes when all who write at once have begun
    no_room = replace(Fault.status(400, "no room"), delay=1.0)
    path.add(no_room, when=posted_to(96), times=-1)
    path.add(Fault.stall(forward=landed), when=posted_to(288), times=-1)
    with pytest.raises(errors.DvidWriteError) as failed:
        far[KEY] = 7
    error = failed.value
    told = {"stored": error.stored, "failed": error.failed, "unknown": error.unknown}
    if threads == 4:
        assert told == {
            "stored": (PIECES[0], PIECES[2]),
            "failed": (PIECES[1],),
            "unknown": (PIECES[3],),
        }
    else:  # one after the other, until the first fault
        assert told == {"stored": (PIECES[0],), "failed": tuple(PIECES[1:]), "unknown": ()}
    assert "no room" in str(error) or threads == 4
    assert "writing the same again is safe" in str(error)
    for box in error.stored:
        np.testing.assert_array_equal(on_server(array, box), after[key_of(box)])
    for box in error.failed:
        np.testing.assert_array_equal(on_server(array, box), before[key_of(box)])
    for box in error.unknown:
        now = after if landed else before
        np.testing.assert_array_equal(on_server(array, box), now[key_of(box)])
    assert sum(map(posted_to(288), path.requests)) == len(error.unknown)  # never repeated
    path.clear()
    far[KEY] = 7
    np.testing.assert_array_equal(on_server(array, Box((0, 0, 0), (320, 32, 32))), after)


def test_a_write_of_which_nothing_is_stored_keeps_its_error(
    stage: tuple[DvidArray, np.ndarray, np.ndarray], path: FaultyProxy
) -> None:
    array, before, _ = stage
    far = through(path, array, **SLOW)
    path.add(Fault.status(400, "no room"), when=lambda one: one.method == "POST", times=-1)
    with pytest.raises(errors.DvidRequestError, match="no room"):
        far[KEY] = 7
    np.testing.assert_array_equal(on_server(array, Box((0, 0, 0), (320, 32, 32))), before)


def test_a_lost_answer_is_asked_for_again(
    stage: tuple[DvidArray, np.ndarray, np.ndarray], path: FaultyProxy
) -> None:
    array, _, after = stage
    far = through(path, array, retry_deadline=20.0, **SLOW)
    for x, forward in ((0, True), (96, False), (192, True)):
        path.add(Fault.lost(forward=forward), when=posted_to(x))
    far[KEY] = 7
    assert [sum(map(posted_to(x), path.requests)) for x in (0, 96, 192, 288)] == [2, 2, 2, 1]
    np.testing.assert_array_equal(on_server(array, Box((0, 0, 0), (320, 32, 32))), after)


@pytest.mark.parametrize("threads", [1, 4])
def test_nothing_is_written_where_a_border_cannot_be_read(
    stage: tuple[DvidArray, np.ndarray, np.ndarray], path: FaultyProxy, threads: int
) -> None:
    array, before, _ = stage
    far = through(path, array, threads=threads, **SLOW)
    path.add(Fault.status(500, "broken disk"), when=lambda one: "_" in one.path, times=-1)
    with pytest.raises(errors.DvidServerError, match="broken disk"):
        far[KEY] = 7
    assert not [one for one in path.requests if one.method == "POST"]
    np.testing.assert_array_equal(on_server(array, Box((0, 0, 0), (320, 32, 32))), before)


# Ctrl-C.


def held(path: FaultyProxy, method: str) -> Callable[[], bool]:
    return lambda: any(one.method == method and "_" in one.path for one in path.requests)


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("keep", [None, 8], ids=["no answer", "in the body"])
def test_ctrl_c_ends_a_read(
    stage: tuple[DvidArray, np.ndarray, np.ndarray],
    path: FaultyProxy,
    threads: int,
    keep: int | None,
) -> None:
    array, before, _ = stage
    far = through(path, array, threads=threads, request_bytes=2**15, transport="raw", **SLOW)
    path.add(Fault.stall(keep), when=lambda one: "_" in one.path, times=-1)
    with interrupted(held(path, "GET")):
        far[...]
    path.clear()
    np.testing.assert_array_equal(far[...], before)


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("method", ["GET", "POST"], ids=["border read", "post"])
def test_ctrl_c_ends_a_write(
    stage: tuple[DvidArray, np.ndarray, np.ndarray],
    path: FaultyProxy,
    threads: int,
    method: str,
) -> None:
    """What may have landed is told, no lock stays held, and the same again is right."""
    array, before, after = stage
    far = through(path, array, threads=threads, **SLOW)

    def stalls(request: Request) -> bool:
        return request.method == method and "_" in request.path

    path.add(Fault.stall(forward=False), when=stalls, times=-1)
    with interrupted(held(path, method)) as notes:
        far[KEY] = 7
    assert any("it was interrupted" in note and ".unknown" in note for note in notes)
    np.testing.assert_array_equal(on_server(array, Box((0, 0, 0), (320, 32, 32))), before)
    path.clear()
    far[KEY] = 7
    np.testing.assert_array_equal(on_server(array, Box((0, 0, 0), (320, 32, 32))), after)


def test_ctrl_c_while_another_writer_holds_a_block(
    stage: tuple[DvidArray, np.ndarray, np.ndarray],
) -> None:
    from dvid_array.client import registry
    from tests.client.conftest import volume_of

    array, _, after = stage
    key: Any = (*volume_of(array).key, (0, 0, 0))
    start = time.monotonic()
    with registry.state().blocks.hold([key]), interrupted(lambda: time.monotonic() - start > 0.5):
        array[KEY] = 7
    array[KEY] = 7
    np.testing.assert_array_equal(on_server(array, Box((0, 0, 0), (320, 32, 32))), after)
