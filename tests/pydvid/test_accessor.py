"""`VoxelsAccessor` against numpy, and pydvid's arguments, each seen on the wire."""

from __future__ import annotations

from dataclasses import replace
from http.client import HTTPConnection
from typing import Any

import numpy as np
import pytest

import dvid_array
from dvid_array import DvidBusyError, DvidNotFoundError
from dvid_array.pydvid.voxels import VoxelsAccessor
from dvid_array.testing import Fault, FaultyProxy
from tests.conftest import Dvid, Sent

s_ = np.s_
LOW = (-40, 8, 0)
SHAPE = (4, 70, 40, 50)
"""Channels and stored voxels; they begin at LOW."""
Volume = tuple[VoxelsAccessor, np.ndarray]


@pytest.fixture(scope="module")
def stored(dvid: Dvid) -> tuple[str, np.ndarray]:
    """A version with a volume that no test changes, and its voxels with zeros around: position 0
    is coordinate (-100, -100, -100)."""
    server = dvid_array.connect(dvid.url, admin_token=dvid.admin_token)
    node = server.create_repo("pydvid")
    array = node.create("rgba", "uint8", channels=4, block=(32, 32, 32))
    data = np.random.default_rng(3).integers(1, 255, SHAPE, dtype=np.uint8)
    corner = tuple(a + n for a, n in zip(LOW, SHAPE[1:], strict=True))
    array.post_ndarray((0, *LOW), (4, *corner), data)
    around = np.zeros((4, 300, 300, 300), np.uint8)
    place = tuple(slice(a + 100, b + 100) for a, b in zip(LOW, corner, strict=True))
    around[(slice(None), *place)] = data
    return node.uuid, around


@pytest.fixture
def volume(connection: HTTPConnection, stored: tuple[str, np.ndarray]) -> Volume:
    return VoxelsAccessor(connection, stored[0], "rgba"), stored[1]


@pytest.fixture
def new(connection: HTTPConnection, node: dvid_array.Node) -> VoxelsAccessor:
    """A volume that nobody has written."""
    node.create("gray", "uint8", block=(32, 32, 32))
    return VoxelsAccessor(connection, node.uuid, "gray")


def literal(around: np.ndarray, start: tuple[int, ...], stop: tuple[int, ...]) -> np.ndarray:
    """The voxels of a box of signed coordinates."""
    return around[
        (slice(None), *(slice(a + 100, b + 100) for a, b in zip(start, stop, strict=True)))
    ]


def test_what_it_tells(volume: Volume, stored: tuple[str, np.ndarray]) -> None:
    accessor, _ = volume
    assert (accessor.axiskeys, accessor.dtype) == ("cxyz", np.uint8)
    assert accessor.minindex == (0, -40, 8, 0)
    assert accessor.shape == (4, 30, 48, 50)
    assert (accessor.uuid, accessor.data_name) == (stored[0], "rgba")
    assert accessor.voxels_metadata.shape == accessor.shape
    assert repr(accessor).endswith("/rgba>")


def test_all_stored_voxels(volume: Volume) -> None:
    accessor, around = volume
    found = accessor.get_ndarray(accessor.minindex, accessor.shape)
    assert found.flags.f_contiguous
    np.testing.assert_array_equal(found, literal(around, LOW, (30, 48, 50)))


WHOLE = [s_[...], s_[:], s_[()], s_[:, :, :, :], s_[0:4], s_[..., :]]
NUMPYS = [
    s_[0],
    s_[-1],
    s_[1:3],
    s_[-2:],
    s_[::2],
    s_[2, ..., 5],
    s_[..., 10, :],
    s_[:, :10, :10, ::2],
    s_[0:4, 9:10, 3, :, None],
    s_[0, 3, 4, 5],
    s_[:, 5:5],
    s_[:, 9:3],
    s_[:, 3:30:7, 1:40:5, 49],
    s_[:, [1, 5, 3]],
    s_[[3, 0]],
    s_[[-1, 0]],
    s_[np.array([True, False, True, False])],
    (np.int64(1), np.uint8(4)),
]


@pytest.mark.parametrize("key", WHOLE + NUMPYS, ids=str)
def test_reads_from_zero_on_as_numpy(volume: Volume, key: Any) -> None:
    """Where nothing is negative and all is inside 0..shape, indices mean what numpy makes of
    them."""
    accessor, around = volume
    truth = literal(around, (0, 0, 0), (30, 48, 50))
    found = accessor[key]
    np.testing.assert_array_equal(found, truth[key])
    assert found.shape == truth[key].shape
    assert isinstance(found, np.ndarray if truth[key].ndim else np.uint8)


@pytest.mark.parametrize(
    ("key", "start", "stop"),
    [
        (s_[:, -40:0, 8:48, 0:50], LOW, (0, 48, 50)),
        (s_[:, -50:-10, -5:20, 45:70], (-50, -5, 45), (-10, 20, 70)),
        (s_[:, 20:90, 40:60, 40:60], (20, 40, 40), (90, 60, 60)),
        (s_[:, :, -5:10], (0, -5, 0), (30, 10, 50)),
        (s_[:, -5:, 40:60], (-5, 40, 0), (30, 60, 50)),
    ],
    ids=str,
)
def test_coordinates_are_literal(
    volume: Volume, key: Any, start: tuple[int, ...], stop: tuple[int, ...]
) -> None:
    accessor, around = volume
    np.testing.assert_array_equal(accessor[key], literal(around, start, stop))
    np.testing.assert_array_equal(
        accessor.get_ndarray((0, *start), (4, *stop)), literal(around, start, stop)
    )


def test_single_places_are_literal_too(volume: Volume) -> None:
    accessor, around = volume
    np.testing.assert_array_equal(accessor[:, -1, 9, 9], around[:, 99, 109, 109])
    np.testing.assert_array_equal(accessor[:, [-1, 60], 9, 9], around[:, [99, 160], 109, 109])
    assert accessor[0, -1, 9, 9] == around[0, 99, 109, 109]


@pytest.mark.parametrize(
    ("key", "error", "words"),
    [
        (s_[:, ::-1], IndexError, "go forward"),
        (s_[::-1], IndexError, "go forward"),
        (s_[4], IndexError, "4 channel"),
        (s_[-5], IndexError, "4 channel"),
        (s_[0, 0, 0, 0, 0], IndexError, "too many indices"),
        (s_[..., 0, ...], IndexError, "single ellipsis"),
        (s_[:, 1.5], IndexError, "integer coordinates"),
        (s_["x"], IndexError, "no index"),
        (s_[:, [1], [2]], IndexError, "only one list"),
        (s_[:, 0:4:0], ValueError, "zero"),
    ],
    ids=str,
)
def test_bad_keys(
    volume: Volume, sent: list[Sent], key: Any, error: type[Exception], words: str
) -> None:
    accessor, _ = volume
    sent.clear()
    with pytest.raises(error, match=words):
        accessor[key]
    assert sent == []


def test_iteration_is_over_channels(volume: Volume) -> None:
    accessor, _ = volume
    assert len(list(accessor)) == 4  # type: ignore[call-overload]


def test_a_volume_that_nobody_has_written(new: VoxelsAccessor) -> None:
    assert (new.minindex, new.shape) == ((0, 0, 0, 0), (1, None, None, None))
    assert not new[:, 0:5, 0:5, 0:5].any()
    with pytest.raises(ValueError, match="nothing is stored yet"):
        new.get_ndarray(new.minindex, new.shape)  # type: ignore[arg-type]
    with pytest.raises(IndexError, match="axis x has no extent yet"):
        new[...] = 1
    with pytest.raises(IndexError, match="axis z has no extent yet"):
        new[:, 0:4, 0:4] = 1


def test_what_pydvid_did_not_write(new: VoxelsAccessor) -> None:
    """Scalars, steps, single places, negative coordinates; the volume grows as it is written."""
    truth = np.zeros((1, 60, 60, 60), np.uint8)
    shown = lambda: new[:, -20:40, -20:40, -20:40]  # noqa: E731
    new[:, -20:10, 0:5, 0:5] = 3
    truth[:, 0:30, 20:25, 20:25] = 3
    np.testing.assert_array_equal(shown(), truth)
    assert (new.minindex, new.shape) == ((0, -20, 0, 0), (1, 10, 5, 5))
    new[:, 0:40:3, 2, 0:40] = np.arange(14 * 40).reshape(14, 40) % 200
    truth[:, 20:60:3, 22, 20:60] = np.arange(14 * 40).reshape(14, 40) % 200
    np.testing.assert_array_equal(shown(), truth)
    assert (new.minindex, new.shape) == ((0, -20, 0, 0), (1, 40, 5, 40))
    new[0, 39, 39, 39] = 9
    truth[0, 59, 59, 59] = 9
    np.testing.assert_array_equal(shown(), truth)
    new[:] = 5
    truth[:, 20:, 20:, 20:] = 5
    np.testing.assert_array_equal(shown(), truth)


def test_a_subset_of_channels(connection: HTTPConnection, node: dvid_array.Node) -> None:
    node.create("rgba", "uint8", channels=4, block=(32, 32, 32))
    accessor = VoxelsAccessor(connection, node.uuid, "rgba")
    truth = np.random.default_rng(1).integers(0, 255, (4, 20, 20, 20), dtype=np.uint8)
    accessor[:, 0:20, 0:20, 0:20] = truth
    accessor[-1, 3:9] = 77
    truth[-1, 3:9] = 77
    accessor[1:3] = truth[2:0:-1].copy()
    truth[1:3] = truth[2:0:-1].copy()
    np.testing.assert_array_equal(accessor[...], truth)


@pytest.mark.parametrize("shape", [(1, 6, 5, 4), (4, 5, 6, 1), (120,), (1, 4, 5), (1, 4, 5, 7)])
def test_a_wrong_shape_of_any_size_is_an_error(
    new: VoxelsAccessor, sent: list[Sent], shape: tuple[int, ...]
) -> None:
    sent.clear()
    with pytest.raises(ValueError, match="shape"):
        new[:, 0:4, 0:5, 0:6] = np.ones(shape, np.uint8)
    with pytest.raises(ValueError, match="shape"):
        new.post_ndarray((0, 0, 0, 0), (1, 4, 5, 6), np.ones(shape, np.uint8))
    assert sent == []


def test_values_that_do_not_fit(new: VoxelsAccessor) -> None:
    with pytest.raises(ValueError, match="256 does not fit"):
        new[:, 0:1, 0:1, 0:1] = 256
    with pytest.raises(TypeError, match="astype"):
        new[:, 0:1, 0:1, 0:1] = np.ones((1, 1, 1, 1))


# pydvid's arguments.


def test_query_args_go_with_every_request_for_voxels(
    connection: HTTPConnection, node: dvid_array.Node, sent: list[Sent]
) -> None:
    node.create("gray", "uint8", block=(32, 32, 32))
    args = {"interactive": False, "u": "somebody"}
    accessor = VoxelsAccessor(connection, node.uuid, "gray", query_args=args)
    sent.clear()
    accessor[:, 0:40, 0:32, 0:32] = 1
    accessor[:, 0:40, 0:32, 0:32]
    accessor[0, 3, 3, 3]
    asked = [one for one in sent if one.action in ("raw", "subvolblocks", "specificblocks")]
    assert {one.method for one in asked} == {"GET", "POST"}
    assert len(asked) >= 5
    assert all(one.query["interactive"] == "False" for one in asked)
    assert all(one.query["u"] == "somebody" for one in asked)


@pytest.mark.parametrize(("dtype", "kind"), [("uint8", None), ("uint64", "labelmap")])
def test_a_roi_masks_reads_and_writes(
    connection: HTTPConnection, node: dvid_array.Node, dtype: str, kind: str | None
) -> None:
    """Block (0, 0, 0) is in the region, its neighbours are not: nothing of them is shown, and
    nothing that is written from below them changes them."""
    array = node.create("volume", dtype, kind=kind, block=(32, 32, 32))
    truth = np.random.default_rng(2).integers(1, 200, (1, 64, 32, 32)).astype(dtype)
    array[:, 0:64, 0:32, 0:32] = truth
    node.create_roi("brain").post_spans([[0, 0, 0, 0]])
    accessor = VoxelsAccessor(connection, node.uuid, "volume", query_args={"roi": "brain"})
    shown = accessor[...]
    np.testing.assert_array_equal(shown[:, :32], truth[:, :32])
    assert not shown[:, 32:].any()
    accessor[:, 20:60, 5:9, 5:9] = 3
    truth[:, 20:32, 5:9, 5:9] = 3
    np.testing.assert_array_equal(array[...], truth)


def test_what_a_roi_hides_is_not_kept(node: dvid_array.Node) -> None:
    array = node.create("volume", "uint8", block=(32, 32, 32))
    array[:, 0:64, 0:32, 0:32] = 5
    node.create_roi("brain").post_spans([[0, 0, 0, 0]])
    node.commit()
    settings = dvid_array.Settings(cache_bytes=1 << 24)
    whole = dvid_array.open(array.url, settings=settings)
    masked = dvid_array.open(array.url, settings=replace(settings, query=(("roi", "brain"),)))
    assert not masked[0, 40:, 9, 9].any()
    assert whole[0, 40:, 9, 9].all()
    assert not masked[0, 40:, 9, 9].any()
    assert whole.__dask_tokenize__() != masked.__dask_tokenize__()


@pytest.mark.parametrize(
    ("options", "throttled"),
    [
        ({}, False),
        ({"throttle": True}, True),
        ({"throttle": False}, False),
        ({"query_args": {"throttle": "on"}}, True),
        ({"query_args": {"throttle": "off"}}, False),
        ({"query_args": {"throttle": "on"}, "throttle": True}, True),
        ({"query_args": {"throttle": "off"}, "throttle": False}, False),
    ],
    ids=str,
)
def test_throttle(
    connection: HTTPConnection,
    stored: tuple[str, np.ndarray],
    sent: list[Sent],
    options: dict[str, Any],
    throttled: bool,
) -> None:
    accessor = VoxelsAccessor(connection, stored[0], "rgba", **options)
    sent.clear()
    accessor[:, 0:20, 0:20, 0:20]
    assert [one.query.get("throttle") for one in sent] == ["on" if throttled else None]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"query_args": {"throttle": "on"}, "throttle": False}, "contradicts"),
        ({"query_args": {"throttle": "off"}, "throttle": True}, "contradicts"),
        ({"query_args": {"throttle": "often"}}, "throttle='often'"),
        ({"query_args": {"compression": "gzip"}}, "compression, which the client says itself"),
        ({"query_args": {"admintoken": "secret"}}, "admintoken"),
        ({"query_args": {"supervoxels": "maybe"}}, "supervoxels='maybe'"),
        ({"query_args": {"scale": "half"}}, "half"),
        ({"query_args": {"scale": 1}}, "scales 0 to 0"),
        ({"query_args": {"supervoxels": "true"}}, "only a labelmap has supervoxels"),
        ({"retry_timeout": -1}, "retry_deadline"),
        ({"retry_interval": -1}, "retry_interval"),
    ],
    ids=str,
)
def test_arguments_that_cannot_be_honoured(
    connection: HTTPConnection,
    stored: tuple[str, np.ndarray],
    options: dict[str, Any],
    words: str,
) -> None:
    with pytest.raises(ValueError, match=words):
        VoxelsAccessor(connection, stored[0], "rgba", **options)


def test_scale_and_supervoxels_are_those_of_the_volume(
    connection: HTTPConnection, node: dvid_array.Node, sent: list[Sent]
) -> None:
    labels = node.create("labels", "uint64", block=(32, 32, 32), max_scale=1)
    labels[:, 0:64, 0:64, 0:64] = 5
    args = {"scale": 1, "supervoxels": "true"}
    accessor = VoxelsAccessor(connection, node.uuid, "labels", args)
    assert accessor.shape == (1, 32, 32, 32)
    sent.clear()
    accessor[:, 0:32, 0:32, 0:32]
    assert [(one.query["scale"], one.query["supervoxels"]) for one in sent] == [("1", "true")]


def test_the_old_arguments_have_their_old_places(
    connection: HTTPConnection, stored: tuple[str, np.ndarray]
) -> None:
    accessor = VoxelsAccessor(connection, stored[0], "rgba", *(None, True, 7.0, 0.5, 3.0))
    settings = accessor._array.settings
    assert settings.server_throttle
    assert (settings.retry_deadline, settings.retry_interval) == (7.0, 0.5)
    assert settings.warning_interval == 3.0


@pytest.mark.parametrize(("timeout", "most"), [(0, 1), (0.4, 20)])
def test_a_server_that_stays_busy(
    dvid: Dvid, stored: tuple[str, np.ndarray], timeout: float, most: int
) -> None:
    """Attempts go on for `retry_timeout`; where it is 0, there is one."""
    with FaultyProxy(dvid.url) as path:
        path.add(Fault.status(503), when=lambda request: "blocks/" in request.path, times=99)
        accessor = VoxelsAccessor(
            path.url, stored[0], "rgba", retry_timeout=timeout, retry_interval=0.05
        )
        with pytest.raises(VoxelsAccessor.ThrottleTimeoutException) as caught:
            accessor[:, 0:20, 0:20, 0:20]
    assert isinstance(caught.value, DvidBusyError)
    assert min(2, most) <= caught.value.attempts <= most


def test_a_server_that_is_busy_for_a_while(dvid: Dvid, stored: tuple[str, np.ndarray]) -> None:
    with FaultyProxy(dvid.url) as path:
        path.add(Fault.status(503), when=lambda request: "blocks/" in request.path, times=2)
        accessor = VoxelsAccessor(path.url, stored[0], "rgba", retry_interval=0.01)
        found = accessor[:, 0:20, 10:20, 0:20]
    np.testing.assert_array_equal(found, literal(stored[1], (0, 10, 0), (20, 20, 20)))


def test_what_is_not_there(connection: HTTPConnection, node: dvid_array.Node) -> None:
    with pytest.raises(DvidNotFoundError):
        VoxelsAccessor(connection, node.uuid, "never")
    with pytest.raises(DvidNotFoundError):
        VoxelsAccessor(connection, "f" * 32, "never")
