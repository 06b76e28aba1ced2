"""Extents after writes: exact, face by face; what others have written never leaves them."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

import dvid_array
from dvid_array import DvidArray, Node, Settings, errors
from dvid_array.box import BlockGrid, Box
from dvid_array.client import registry
from dvid_array.client.extents import Growth, exact_faces, unrounded
from dvid_array.testing import Fault, FaultyProxy
from dvid_array.testing.faults import Request
from tests.client.conftest import through, volume_of
from tests.conftest import Sent

s_ = np.s_
GRID = BlockGrid((32, 32, 32))


def cube(a: int, b: int) -> Box:
    return Box((a, a, a), (b, b, b))


# The rule, as a table.

FACES = [
    (cube(0, 32), cube(0, 10), cube(0, 10), "its own rounding"),
    (cube(-32, 32), cube(-5, 10), cube(-5, 10), "also below zero"),
    (cube(0, 64), cube(0, 10), cube(0, 64), "another's growth stays"),
    (cube(0, 33), cube(0, 10), cube(0, 33), "by one voxel too"),
    (cube(0, 31), cube(0, 10), cube(0, 31), "an exact face of another stays"),
    (cube(0, 5), cube(0, 10), cube(0, 10), "never smaller than what is written"),
    (cube(5, 7), cube(0, 64), cube(0, 64), "aligned writes are their own rounding"),
    (
        Box((0, -32, 0), (64, 32, 96)),
        Box((3, -7, 1), (64, 20, 40)),
        Box((3, -7, 1), (64, 20, 96)),
        "each face for itself",
    ),
]


@pytest.mark.parametrize(("found", "exact", "wanted", "why"), FACES, ids=[row[3] for row in FACES])
def test_faces(found: Box, exact: Box, wanted: Box, why: str) -> None:
    assert exact_faces(found, exact, GRID) == wanted, why


boxes = st.tuples(*[st.integers(-100, 100)] * 3, *[st.integers(1, 100)] * 3).map(
    lambda n: Box.sized(n[:3], n[3:])
)


@given(boxes, boxes)
def test_no_voxel_written_is_left_out(found: Box, exact: Box) -> None:
    wanted = exact_faces(found, exact, GRID)
    assert wanted.contains(exact)
    assert found.hull(exact).contains(wanted)
    assert exact_faces(wanted, exact, GRID) == wanted


# On a server.


def told(array: DvidArray) -> Box | None:
    """The server's own word."""
    url = f"{array.server_url}/api/node/{array.uuid}/{array.instance}/info"
    document = requests.get(url, timeout=10).json()
    low, high = (document["Extents"][name] for name in ("MinPoint", "MaxPoint"))
    return low and Box(tuple(low), tuple(value + 1 for value in high))


def put(array: DvidArray, box: Box) -> None:
    """Set extents, without the library."""
    url = f"{array.server_url}/api/node/{array.uuid}/{array.instance}/extents"
    body = {"MinPoint": box.start, "MaxPoint": [value - 1 for value in box.stop]}
    requests.post(url, json=body, timeout=10).raise_for_status()


def post(array: DvidArray, box: Box, value: int) -> None:
    """Post whole blocks, as another process does, without the library."""
    size, offset = ("_".join(map(str, corner)) for corner in (box.shape, box.start))
    url = f"{array.server_url}/api/node/{array.uuid}/{array.instance}/raw/0_1_2/{size}/{offset}"
    body = np.full(box.shape, value, array.dtype).tobytes()
    requests.post(url, data=body, timeout=10).raise_for_status()


@pytest.fixture
def array(node: Node) -> DvidArray:
    return node.create("v", "uint8", block=(32, 32, 32))


TYPES = [
    ("uint8", 1, {}),
    ("uint8", 4, {}),
    ("uint16", 1, {}),
    ("uint32", 1, {}),
    ("float32", 1, {}),
    ("uint64", 1, {"kind": "uint64blk"}),
    ("uint64", 1, {"max_scale": 0}),
]


@pytest.mark.parametrize(("dtype", "channels", "options"), TYPES)
def test_every_type_grows_exactly(
    node: Node, dtype: str, channels: int, options: dict[str, Any]
) -> None:
    array = node.create("v", dtype, channels=channels, block=(32, 32, 32), **options)
    known = Box((0, 0, 0), (0, 0, 0))
    for box in (cube(3, 10), cube(2, 5), Box((-7, 4, 4), (40, 5, 33)), cube(0, 64), cube(63, 64)):
        array.voxels[(slice(None), *box.slices())] = 1
        known = known.hull(box)
        assert told(array) == known
        assert (array.minindex[1:], array.shape[1:]) == (known.start, known.stop)


def test_strided_writes_mean_the_hull_of_their_voxels(array: DvidArray) -> None:
    array.voxels[:, 5:60:20, 3:4, 0:33:30] = 1
    assert told(array) == Box((5, 3, 0), (46, 4, 31))
    array.oindex[0, [2, 45], 3, [7]] = 1
    assert told(array) == Box((2, 3, 0), (46, 4, 31))


def test_a_write_inside_sends_nothing_extra(array: DvidArray, sent: list[Sent]) -> None:
    array[:, 0:64, 0:64, 0:64] = 1
    sent.clear()
    array[:, 0:32, 5:60, 0:64] = 2
    assert not [one for one in sent if one.action in ("info", "extents")]


def test_what_another_process_wrote_stays(array: DvidArray) -> None:
    """A handle that is not new knows less than the server."""
    array[:, 0:20, 0:20, 0:20] = 1
    post(array, Box((0, 0, 0), (96, 32, 64)), 2)
    array[:, 0:25, 0:20, 0:20] = 3
    assert told(array) == Box((0, 0, 0), (96, 32, 64))


def test_an_exact_face_within_the_same_blocks_stays(array: DvidArray) -> None:
    """Two processes that take turns, each with a handle of its own."""
    array[:, 0:20, 0:20, 0:20] = 1
    registry_of_another_process(array, s_[:, 0:28, 0:20, 0:20])
    assert told(array) == Box((0, 0, 0), (28, 20, 20))
    array[:, 0:22, 0:25, 0:20] = 3
    assert told(array) == Box((0, 0, 0), (28, 25, 20))
    assert array.shape == (1, 28, 25, 20)


def registry_of_another_process(array: DvidArray, key: Any) -> None:
    """Write as a process does that shares no state with this one."""
    mine, registry._state = registry._state, registry.State()
    try:
        dvid_array.open(array.url)[key] = 2
    finally:
        registry._state = mine


def test_writers_of_one_process_at_once(array: DvidArray) -> None:
    """Each in one corner of the same blocks; whoever settles last, all is exact."""
    for round_ in range(4):
        ends = [(9 + 2 * round_, 5, 6), (3, 8 + 4 * round_, 6), (3, 5, 12 + 5 * round_)]
        writers = [
            threading.Thread(
                target=lambda end=end: dvid_array.open(array.url).voxels.__setitem__(
                    (slice(None), *(slice(-1, n) for n in end)), 1
                )
            )
            for end in ends
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert told(array) == Box((-1, -1, -1), (9 + 2 * round_, 8 + 4 * round_, 12 + 5 * round_))


def test_a_post_in_flight_that_puts_old_extents_back(array: DvidArray, path: FaultyProxy) -> None:
    """DVID's post of blocks reads extents, grows them and writes them back, and whatever was set
    in between is undone; the writer in flight sets it right."""
    far = volume_of(through(path, array, read_timeout=30.0, post_timeout=30.0))
    first = Growth(far, cube(5, 10), cube(0, 32))
    second = Growth(far, Box((40, 5, 5), (50, 9, 10)), Box((32, 0, 0), (64, 32, 32)))
    seen: list[str] = []

    def undo(request: Request) -> bool:
        seen.append(request.path.rsplit("/", 1)[1])
        if seen == ["info", "extents", "info"]:
            put(array, Box((0, 0, 0), (64, 32, 32)))
        return False

    with first, second:
        post(array, cube(0, 32), 1)
        path.add(Fault(), when=undo)
        first.settle()
        assert told(array) == Box((0, 0, 0), (64, 32, 32))
        second.settle()
    assert told(array) == Box((5, 5, 5), (50, 10, 10))


THEIRS = Box((96, 0, 0), (128, 32, 32))


def grown_around_the_set(array: DvidArray, path: FaultyProxy, *, before: bool) -> DvidArray:
    """A handle that has written, while another process's post came just before it set extents, or
    just after."""
    far = through(path, array, read_timeout=30.0, post_timeout=30.0)
    seen: list[tuple[str, str]] = []

    def grow(request: Request) -> bool:
        seen.append((request.method, request.path.rsplit("/", 1)[1]))
        when = seen[-1] if before else seen[-2] if len(seen) > 1 else None
        if when == ("POST", "extents"):
            path.clear()
            post(array, THEIRS, 9)
        return False

    path.add(Fault(), when=grow)
    far[:, 0:10, 0:10, 0:10] = 1
    assert ("POST", "extents") in seen
    return far


def test_growth_after_extents_are_set_is_seen(array: DvidArray, path: FaultyProxy) -> None:
    """The extents are read once more, so that the handle knows of it."""
    far = grown_around_the_set(array, path, before=False)
    assert told(array) == Box((0, 0, 0), (128, 32, 32))
    assert far.shape == (1, 128, 32, 32)
    far[:, 0:12, 0:10, 0:10] = 1
    assert told(array) == Box((0, 0, 0), (128, 32, 32))


def test_growth_that_is_undone_comes_back_with_the_next_post(
    array: DvidArray, path: FaultyProxy
) -> None:
    """Between the look at the extents and the set of them nobody can see another's growth: its
    voxels stay, and its next post grows the extents again."""
    far = grown_around_the_set(array, path, before=True)
    assert told(array) == Box((0, 0, 0), (10, 10, 10))
    assert (far.voxels[(slice(None), *THEIRS.slices())] == 9).all()
    post(array, THEIRS, 9)
    far[:, 0:12, 0:10, 0:10] = 1
    assert told(array) == Box((0, 0, 0), (128, 32, 32))


def test_rounding_can_be_left(node: Node, sent: list[Sent]) -> None:
    node.create("v", "uint8", block=(32, 32, 32))
    array = dvid_array.open(node["v"].url, settings=Settings(trim_extents=False))
    sent.clear()
    array[:, 3:10, 3:10, 3:40] = 1
    assert "extents" not in [one.action for one in sent]
    assert told(array) == Box((0, 0, 0), (32, 32, 64))
    assert array.shape == (1, 32, 32, 64)
    assert array.minindex == (0, 0, 0, 0)


@pytest.mark.parametrize("kind", ["labelarray", "labelblk"])
def test_types_without_an_endpoint_keep_their_rounding(
    node: Node, server: dvid_array.Server, sent: list[Sent], kind: str
) -> None:
    if kind not in server.types():
        pytest.skip(f"this server has no {kind}")
    array = node.create("v", "uint64", kind=kind, block=(32, 32, 32))
    array[:, 3:10, 3:40, 3:10] = 1
    assert "extents" not in [one.action for one in sent]
    assert array.shape == (1, 32, 64, 32)


def test_a_shape_given_at_creation_is_kept(node: Node) -> None:
    array = node.create("v", "uint8", shape=(100, 100, 100), block=(32, 32, 32))
    array[:, 5:10, 5:10, 5:10] = 1
    assert array.shape == (1, 100, 100, 100)
    array[:, 90:110, 5:10, 5:10] = 1
    assert array.shape == (1, 110, 100, 100)
    assert array.refresh().shape == (1, 110, 100, 100)


def test_a_shape_given_at_creation_outlives_a_write_inside(node: Node) -> None:
    """DVID forgets one that is only in the configuration, with the first post."""
    for name, options in (("image", {}), ("labels", {"dtype": "uint64"})):
        kind = {"dtype": "uint8"} | options
        array = node.create(name, **kind, shape=(100, 90, 80), block=(32, 32, 32))
        array[:, 5:10, 5:10, 5:10] = 1
        assert array.refresh().shape == (1, 100, 90, 80)
        array[:, 32:64, 32:64, 32:64] = 1
        assert dvid_array.open(array.url).shape == (1, 100, 90, 80)


def test_a_child_has_extents_of_its_own(array: DvidArray) -> None:
    array[:, 0:10, 0:10, 0:10] = 1
    array.node.commit()
    child = array.at(array.node.new_version().uuid)
    child[:, 5:20, 0:10, 0:10] = 2
    assert child.shape == (1, 20, 10, 10)
    assert told(child) == Box((0, 0, 0), (20, 10, 10))
    assert array.refresh().shape == (1, 10, 10, 10)


def test_what_a_failed_write_has_stored_is_not_cut_off_by_the_next(
    array: DvidArray, path: FaultyProxy
) -> None:
    array[:, 0:5, 0:5, 0:5] = 1
    far = through(path, array, threads=1, read_timeout=30.0, post_timeout=30.0)
    path.add(
        Fault.status(400, "full"),
        when=lambda request: request.method == "POST" and request.path.endswith("/96_0_0"),
    )
    with pytest.raises(errors.DvidWriteError) as failed:
        far.voxels[:, 10:101:45, 0:5, 0:5] = 7
    assert failed.value.stored or failed.value.unknown
    array[:, 0:6, 0:5, 0:5] = 1
    extents = told(array)
    assert extents is not None
    for box in failed.value.stored:
        found = np.argwhere(array.read(box.start, box.stop)[0] == 7) + box.start
        for place in found:
            assert extents.contains(Box.sized(place, (1, 1, 1)))


def test_extents_that_cannot_be_set_are_told(array: DvidArray, path: FaultyProxy) -> None:
    far = through(path, array, read_timeout=30.0, post_timeout=30.0)
    path.add(Fault.status(400, "no"), when=lambda request: request.path.endswith("/extents"))
    with pytest.raises(errors.DvidWriteError, match="every voxel is stored") as failed:
        far[:, 0:10, 0:10, 0:10] = 4
    assert failed.value.stored == (cube(0, 32),)
    assert (array[:, 0:10, 0:10, 0:10] == 4).all()


# Interrupted writes.


@pytest.mark.parametrize(
    ("found", "before", "expected"),
    [
        ((-16, 112), (5, 9), (5, 9)),  # both faces are the write's own rounding
        ((0, 96), (5, 9), (5, 9)),  # it was interrupted in its middle
        ((5, 112), (5, 112), (5, 112)),  # what was there before, on a block's face or not
        ((-16, 112), (-16, 112), (-16, 112)),
        ((-32, 128), (5, 9), (-32, 128)),  # beyond what it covers: another's
        ((-13, 105), (5, 9), (-13, 105)),  # not where a block begins: another's
        ((3, 12), (5, 9), (3, 12)),
    ],
)
def test_the_rounding_of_an_interrupted_write_is_known(
    found: tuple[int, int], before: tuple[int, int], expected: tuple[int, int]
) -> None:
    """Along x -7..100 is written."""

    def box(ends: tuple[int, int]) -> Box:
        return Box((ends[0], 0, 0), (ends[1], 16, 16))

    assert unrounded(box(found), box(before), box((-7, 100)), BlockGrid((16, 16, 16))) == box(
        expected
    )
