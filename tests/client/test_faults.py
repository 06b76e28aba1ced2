"""Every fault of the path with every kind of call: the right result, or an error of our tree in
time; no voxel wrong, and nothing half stored that is not told.

The page of the docs with this table is made by `tests.tables`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import dvid_array
from dvid_array import DvidArray, errors
from dvid_array.box import Box
from dvid_array.testing import Fault, FaultyProxy
from dvid_array.testing.faults import Request
from tests.client.conftest import through, voxels_of
from tests.conftest import Dvid

Voxels = np.ndarray


@dataclass(frozen=True)
class Kind:
    """A kind of call: what is done, and to which of its requests the fault happens."""

    name: str
    endpoint: str
    method: str = "GET"
    answer: str = "frames"
    """Its kind of answer, on which depends what a fault does to it."""
    volume: str = "uint8"
    """One of `VOLUMES`."""
    settings: tuple[tuple[str, object], ...] = ()
    reads: Callable[[DvidArray], Any] = lambda array: array[...]
    right: Callable[[Voxels], Any] = lambda truth: truth
    """What it reads, as numpy has it."""
    writes: Callable[[DvidArray, Voxels], None] | None = None
    """Takes the new voxels of the whole; some of them are written."""
    place: tuple[slice, ...] = (slice(None),)
    """Where these are."""
    skip: int = 0
    """Requests of this endpoint that are let through before the fault."""

    def hit(self, request: Request) -> bool:
        """Whether a request is the one that the fault is for."""
        words = request.path.split("/")
        return request.method == self.method and self.endpoint in words


WHOLE = (slice(None), slice(0, 64), slice(32, 64), slice(0, 64))
BORDER = (slice(None), slice(5, 61), slice(30, 50), slice(1, 63))
XYZ = np.random.default_rng(3).integers(0, 64, (40, 3))
BODIES = np.arange(1, 200, dtype=np.uint64)
PARTS = (("request_bytes", 40_000),)
"""Settings with which a store has several parts."""
VOLUMES: dict[str, str] = {"uint8": "uint8", "labels": "uint64", "bodies": "uint64"}
"""Names of volumes and their dtypes; that of bodies is never written again, for the index of a real
DVID lags behind."""


def _assigned(place: tuple[slice, ...]) -> dict[str, Any]:
    def assign(array: DvidArray, voxels: Voxels) -> None:
        array[place] = voxels[place]

    return {"method": "POST", "answer": "nothing", "writes": assign, "place": place}


def _stored(**options: Any) -> dict[str, Any]:
    def store(array: DvidArray, voxels: Voxels) -> None:
        dvid_array.store(voxels, array, **options)

    return {"method": "POST", "answer": "nothing", "writes": store, "settings": PARTS, "skip": 1}


KINDS = [
    Kind("info", "info", answer="document"),
    Kind("block read", "subvolblocks"),
    Kind("raw read", "raw", answer="raw", settings=(("transport", "raw"),)),
    Kind("label read", "blocks", volume="labels"),
    Kind(
        "point read",
        "labels",
        answer="document",
        volume="labels",
        reads=lambda array: array.at_points(XYZ),
        right=lambda truth: truth[(0, *XYZ.T)],
    ),
    Kind(
        "body sizes",
        "sizes",
        answer="document",
        volume="bodies",
        reads=lambda array: array.bodies.size(BODIES),
        right=lambda truth: [np.count_nonzero(truth == label) for label in BODIES],
    ),
    Kind(
        "body mask",
        "sparsevol-coarse",
        answer="runs",
        volume="bodies",
        reads=lambda array: array.sparse(7).to_dense(Box((0, 0, 0), (64, 64, 64))),
        right=lambda truth: truth[0] == 7,
    ),
    Kind(
        "roi read",
        "roi",
        answer="document",
        reads=lambda array: array.where(array.node.roi("area"))[...],
        right=lambda truth: truth * (np.arange(64) >= 32),
    ),
    Kind("aligned write", "raw", **_assigned(WHOLE)),
    Kind("border write", "raw", **_assigned(BORDER)),
    Kind(
        "border write's read",
        "subvolblocks",
        **_assigned(BORDER) | {"method": "GET", "answer": "frames"},
    ),
    Kind("label write", "raw", volume="labels", **_assigned(WHOLE)),
    Kind(
        "merges asked",
        "mappings",
        volume="labels",
        **_assigned(WHOLE) | {"method": "GET", "answer": "begin"},
    ),
    Kind("store", "raw", **_stored()),
    Kind("label store", "raw", volume="labels", **_stored()),
    Kind(
        "ingest", "blocks", volume="labels", **_stored(ingest=True) | {"answer": "once", "skip": 0}
    ),
]

TEXT = "Panic detected on request: the store is gone, and with it what you wanted to read\n"
RIGHT = "right"
PROTOCOL = errors.DvidProtocolError
TIMEOUT = errors.DvidTimeoutError
LOST = {"once": errors.DvidConnectionError}
"""An ingest is not posted again when its answer is lost."""
UNSURE = {"once": errors.DvidServerError}
FAULTS: dict[str, tuple[Fault, int, dict[str, object]]] = {
    "latency": (Fault.latency(0.1), 2, {}),
    "lost before it was sent": (Fault.lost(forward=False), 2, LOST),
    "answer lost": (Fault.lost(forward=True), 2, LOST),
    "reset behind the headers": (Fault.broken(), 2, LOST),
    "reset in the body": (Fault.broken(40), 2, LOST),
    "stall": (Fault.stall(), 1, {"": TIMEOUT}),
    "stall, unsent": (Fault.stall(forward=False), 1, {"": TIMEOUT}),
    "stall in the body": (Fault.stall(8), 1, {"": TIMEOUT}),
    "cut": (Fault.cut(-7, clean=False), 2, LOST),
    "cut cleanly": (Fault.cut(-7, clean=True), 2, {"document": PROTOCOL, "runs": PROTOCOL}),
    "cut in a frame's header": (
        Fault.cut(7, clean=True),
        1,
        {"document": PROTOCOL, "runs": PROTOCOL, "frames": (RIGHT, PROTOCOL)},
    ),
    "text behind the answer": (
        Fault.appended(TEXT),
        1,
        {"": PROTOCOL, "begin": errors.DvidTypeError},
    ),
    "surplus": (Fault(tail=bytes(4096)), 1, {"": PROTOCOL, "begin": errors.DvidTypeError}),
    "text in its middle": (
        Fault.appended(TEXT, keep=0),
        1,
        {"": PROTOCOL, "raw": RIGHT, "begin": errors.DvidTypeError},
    ),
    "502": (Fault.status(502), 3, UNSURE),
    "503": (Fault.status(503, "DVID server is unavailable.\n"), 3, {}),
    "504": (Fault.status(504), 3, UNSURE),
    "502 behind the server": (Fault.status(502, forward=True), 2, UNSURE),
    "400": (Fault.status(400, "strange"), 1, {"": errors.DvidRequestError}),
    "429": (Fault.status(429, "User is blocked: note"), 1, {"": errors.DvidPermissionError}),
    "500": (Fault.status(500, "Panic detected on request"), 1, {"": errors.DvidServerError}),
    "garbage": (
        Fault.garbage(),
        1,
        {"": PROTOCOL, "raw": RIGHT, "begin": errors.DvidTypeError},
    ),
    "page": (
        Fault.page(),
        1,
        {"": PROTOCOL, "raw": RIGHT, "begin": errors.DvidTypeError},
    ),
    "page not found": (Fault.page(404), 1, {"": PROTOCOL}),
}
"""Name -> fault, how many times in a row, and what becomes of the call by the kind of answer;
where nothing is said, the right answer comes after retries."""


Stage = Callable[[Kind], tuple[DvidArray, Voxels]]


@pytest.fixture(scope="module")
def stage(dvid: Dvid) -> Stage:
    """The volumes, and what is in them now; and a region of interest of their far half."""
    server = dvid_array.connect(dvid.url, admin_token=dvid.admin_token)
    node = server.create_repo("faults", "made by a test")
    node.create_roi("area").post_spans([(1, y, 0, 1) for y in (0, 1)])
    arrays: dict[str, DvidArray] = {}

    def made(kind: Kind) -> tuple[DvidArray, Voxels]:
        if kind.volume not in arrays:
            dtype = VOLUMES[kind.volume]
            array = arrays[kind.volume] = node.create(kind.volume, dtype, block=(32, 32, 32))
            noise = np.random.default_rng(7).integers(1, 200, (1, 64, 64, 64))
            array[:, :64, :64, :64] = noise.astype(dtype)
            if kind.volume == "bodies":
                _settle(array, noise.size)
        return arrays[kind.volume], arrays[kind.volume][...]

    return made


def _settle(array: DvidArray, count: int) -> None:
    """Wait until the index has every voxel."""
    end = time.monotonic() + 10
    while array.bodies.size(BODIES).sum() != count:
        assert time.monotonic() < end, "the index does not settle"
        time.sleep(0.02)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_with_every_call(
    name: str, kind: Kind, path: FaultyProxy, stage: Stage
) -> None:
    fault, times, told = FAULTS[name]
    array, before = stage(kind)
    silence = 0.5 if "stall" in name else 3.0
    far = through(path, array, **dict(kind.settings))
    far = far.with_settings(read_timeout=silence, post_timeout=silence)
    after = _changed(kind, before)
    path.add(fault, when=kind.hit, skip=kind.skip, times=times)
    expected = told.get(kind.answer, told.get("", RIGHT))
    start = time.monotonic()
    try:
        _do(kind, far, after)
        outcome: object = RIGHT
    except errors.DvidWriteError as error:
        outcome = type(error.first)
        _true_boxes(error, array, before, after)
        after = array[...]
    except errors.DvidError as error:
        outcome = type(error)
        after = before
    assert time.monotonic() - start < 20
    assert outcome in (expected if isinstance(expected, tuple) else (expected,))
    np.testing.assert_array_equal(array[...], after)
    assert len([one for one in path.requests if kind.hit(one)]) > kind.skip


def _changed(kind: Kind, before: Voxels) -> Voxels:
    """Other values where something is written."""
    after = before.copy()
    if kind.writes is not None:
        after[kind.place] = after[kind.place] % 199 + 1
    return after


def _do(kind: Kind, far: DvidArray, voxels: Voxels) -> None:
    """The call itself; what it reads must be right."""
    if kind.writes is not None:
        kind.writes(far, voxels)
    elif kind.endpoint == "info":
        assert far.refresh().shape == voxels.shape
    else:
        np.testing.assert_array_equal(kind.reads(far), kind.right(voxels))


def _true_boxes(
    error: errors.DvidWriteError, array: DvidArray, before: Voxels, after: Voxels
) -> None:
    """What a failed write tells is what the server has; nothing is told twice or left out."""
    assert error.stored or error.unknown
    told = [*error.stored, *error.failed, *error.unknown]
    assert sum(box.size for box in told) == sum(box.size for box in set(told))
    changed = np.argwhere((before != after)[0])
    for x, y, z in changed[:: max(1, len(changed) // 50)]:
        assert sum(box.contains(Box.sized((x, y, z), (1, 1, 1))) for box in told) == 1
    for box in told:
        found = voxels_of(array, box)
        old, new = (whole[(slice(None), *box.slices())] for whole in (before, after))
        if box in error.stored:
            np.testing.assert_array_equal(found, new)
        elif box in error.failed:
            np.testing.assert_array_equal(found, old)
        else:
            assert np.array_equal(found, new) or np.array_equal(found, old)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_server_that_went_away_and_comes_back(
    kind: Kind, path: FaultyProxy, stage: Stage
) -> None:
    array, before = stage(kind)
    after = _changed(kind, before)
    far = through(path, array, retry_deadline=5.0, **dict(kind.settings))
    done: list[bool] = []

    def work() -> None:
        _do(kind, far, after)
        done.append(True)

    worker = threading.Thread(target=work)
    with path.refusing():
        worker.start()
        time.sleep(0.2)
    worker.join(5)
    assert done
    np.testing.assert_array_equal(array[...], after)
