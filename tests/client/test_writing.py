"""Writing against numpy: every type, every kind of source, and no neighbour ever changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dvid_array
from dvid_array import Settings
from dvid_array.box import Box
from dvid_array.client import writing
from dvid_array.client.picks import Grid
from dvid_array.client.posting import INDEXED
from tests.client.conftest import volume_of
from tests.client.world import BOUNDS, World, key_of, on_server
from tests.conftest import Dvid, Sent

s_ = np.s_
KINDS: list[tuple[str, int, str | None, tuple[int, int, int]]] = [
    ("uint8", 1, None, (32, 32, 32)),
    ("uint8", 4, None, (32, 16, 48)),
    ("uint16", 1, None, (16, 32, 48)),
    ("uint32", 1, None, (32, 32, 16)),
    ("float32", 1, None, (64, 32, 16)),
    ("uint64", 1, "uint64blk", (32, 32, 48)),
    ("uint64", 1, "labelmap", (32, 32, 32)),
]
BOXES = {
    "aligned": Box((0, 0, -48), (64, 32, 48)),
    "border": Box((5, -29, -40), (41, 41, 47)),
    "inside one block": Box((33, 5, 3), (37, 9, 4)),
    "negative": Box((-20, -5, -40), (3, 33, 7)),
    "one voxel": Box((-1, 0, 47), (0, 1, 48)),
}
SOURCES: dict[str, Callable[[np.ndarray], Any]] = {
    "F": np.asfortranarray,
    "C": np.ascontiguousarray,
    "reversed": lambda data: data[:, ::-1, :, ::-1],
    "every second": lambda data: np.repeat(data, 2, axis=2)[:, :, ::2],
    "big-endian": lambda data: data.astype(data.dtype.newbyteorder(">")),
    "list": lambda data: data[:, :1, :1, :1].tolist(),
    "one value": lambda data: data[0, 0, 0, 0],
}
Worlds = Callable[..., World]


@pytest.fixture(scope="module")
def worlds(dvid: Dvid) -> Worlds:
    """One world for each type."""
    server = dvid_array.connect(dvid.url, admin_token=dvid.admin_token)
    node = server.create_repo("writing", "made by a test")
    made: dict[tuple[Any, ...], World] = {}

    def world(*kind: Any) -> World:
        if kind not in made:
            dtype, channels, name, block = kind or KINDS[0]
            flat = {"max_scale": 0} if name == "labelmap" else {}
            made[kind] = World.made(
                node, f"v{len(made)}", dtype, channels, kind=name, block=block, **flat
            )
        return made[kind]

    return world


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind[0]}x{kind[1]}-{kind[2]}")
@pytest.mark.parametrize("place", BOXES)
def test_boxes_of_every_type(worlds: Worlds, kind: tuple[Any, ...], place: str) -> None:
    world, box = worlds(*kind), BOXES[place]
    for source in (np.asfortranarray, np.ascontiguousarray):
        world.write(key_of(box), source(world.noise((world.array.shape[0], *box.shape))))
        world.check()


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("kind", [KINDS[1], KINDS[2], KINDS[6]], ids=["rgba", "uint16", "labels"])
def test_sources_of_every_kind(worlds: Worlds, kind: tuple[Any, ...], source: str) -> None:
    world, box = worlds(*kind), BOXES["border"]
    values = SOURCES[source](world.noise((world.array.shape[0], *box.shape)))
    world.write(key_of(box), values)
    world.check()


@pytest.mark.parametrize(
    "key",
    [
        s_[:, -20:60:3, 5:40, 0:5],
        s_[:, 0:64:33, 0:64:63, -48:48:50],
        s_[:, 0:32:2, 0:32, 0:32],
        s_[:, 5:6, 5:6, -48:48],
    ],
)
@pytest.mark.parametrize("kind", KINDS[:2] + KINDS[-1:], ids=["uint8", "rgba", "labels"])
def test_strides(worlds: Worlds, kind: tuple[Any, ...], key: Any) -> None:
    world = worlds(*kind)
    world.write(key, world.noise(world.truth[world.place(key)].shape))
    world.check()


@pytest.mark.parametrize("channels", [s_[1:3], s_[::2], s_[0:1], s_[3:4], s_[0:4]])
@pytest.mark.parametrize("place", ["aligned", "border"])
def test_some_of_the_channels(worlds: Worlds, channels: slice, place: str) -> None:
    world = worlds(*KINDS[1])
    key = (channels, *key_of(BOXES[place])[1:])
    world.write(key, world.noise(world.truth[world.place(key)].shape))
    world.check()


@pytest.mark.parametrize("lists", [([3, 0],), ([0, 0, 1],)])
def test_lists_of_channels(worlds: Worlds, lists: tuple[list[int]]) -> None:
    world = worlds(*KINDS[1])
    box = Box((0, 0, 0), (33, 20, 48))
    key = (lists[0], *key_of(box)[1:])
    values = world.noise((len(lists[0]), *box.shape))
    world.array.oindex[key] = values
    world.truth[world.place(key)] = values
    world.check()


corners = st.tuples(*(st.integers(a, b) for a, b in zip(BOUNDS.start, BOUNDS.stop, strict=True)))


@given(a=corners, b=corners, order=st.sampled_from("CF"), kind=st.sampled_from(KINDS))
def test_any_box(worlds: Worlds, a: Any, b: Any, order: Any, kind: tuple[Any, ...]) -> None:
    """Written, with its surroundings untouched, and read back through the library."""
    box = Box(tuple(map(min, a, b)), tuple(map(max, a, b)))  # type: ignore[arg-type]
    world = worlds(*kind)
    values = np.asarray(world.noise((world.array.shape[0], *box.shape)), order=order)
    world.write(key_of(box), values)
    around = box if box.empty else volume_of(world.array).grid.cover(box).intersect(BOUNDS)
    if not box.empty:
        found = on_server(world.array, around)
        np.testing.assert_array_equal(found, world.truth[world.place(key_of(around))])
    np.testing.assert_array_equal(world.array.read(box.start, box.stop), values)


# What is sent.


def test_whole_blocks_are_posted_without_a_read(worlds: Worlds, sent: list[Sent]) -> None:
    world = worlds()
    for key in (s_[:, 0:64, 0:32, -32:32], s_[:, -32:64, -32:64, 0:32]):
        sent.clear()
        world.write(key, np.full((1, 1, 1, 1), 7, np.uint8))
        assert {(one.method, one.action) for one in sent} == {("POST", "raw")}
        world.check()


def test_only_border_blocks_are_read(worlds: Worlds, sent: list[Sent]) -> None:
    world = worlds()
    sent.clear()
    world.write(s_[:, -31:63, 0:32, 0:32], 5)
    reads = [one.path.split("/")[-2:] for one in sent if one.method == "GET"]
    assert sorted(reads) == [["32_32_32", "-32_0_0"], ["32_32_32", "32_0_0"]]
    posts = [one.path.split("/")[-2:] for one in sent if one.method == "POST"]
    assert sorted(posts) == [*sorted(reads)[:1], ["32_32_32", "0_0_0"], *sorted(reads)[1:]]
    world.check()


def test_borders_that_take_several_reads(
    filled: Callable[..., tuple[dvid_array.DvidArray, np.ndarray]], sent: list[Sent]
) -> None:
    """A stride over many blocks is one piece, whose blocks are read by more than one request."""
    array, truth = filled("uint8", (1, 200, 190, 180), (64, 64, 64))
    sent.clear()
    for key in (s_[:, 3:197:2, 1:, :-1:3], s_[:, 5:199, 3:190, 1:179]):
        array[key] = truth[key] = truth[key][..., ::-1] + 1
        np.testing.assert_array_equal(on_server(array, Box((0, 0, 0), truth.shape[1:])), truth[:])  # type: ignore[arg-type]
    asked = [one.action for one in sent]
    assert asked.count("subvolblocks") > asked.count("raw")


def test_a_post_is_never_larger_than_dvid_answers_side_by_side(worlds: Worlds) -> None:
    """Pieces: whole blocks, each once, of at most 256³ voxels and `request_bytes` bytes."""
    volume = volume_of(worlds(*KINDS[2]).array)
    volume = replace(
        volume,
        transport=replace(volume.transport, settings=Settings(request_bytes=2**22, threads=3)),
    )
    box = Box((-7, 5, 3), (1010, 700, 801))
    stand_in = np.broadcast_to(np.zeros((), np.uint16), (1, *box.shape))
    spatial = (range(a, b) for a, b in zip(box.start, box.stop, strict=True))
    pieces = writing._pieces(volume, Grid((range(1), *spatial), stand_in), INDEXED)
    assert sum(piece.box.size for piece in pieces) == volume.grid.cover(box).size
    assert all(volume.grid.aligned(piece.box) for piece in pieces)
    assert max(piece.box.size for piece in pieces) * 2 <= 2**22
    whole = [piece.box for piece in pieces if piece.whole]
    assert sum(part.size for part in whole) == volume.grid.inner(box).size
    assert all(box.contains(part) for part in whole)
    blocks = [block for piece in pieces for block in volume.grid.each(piece.box)]
    assert len(blocks) == len(set(blocks))
