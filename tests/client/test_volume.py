"""A volume's facts: copies that differ in one, keys, tokens, and what travels."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dvid_array import DvidArray, Node, Settings
from dvid_array.box import Box
from dvid_array.client import registry
from dvid_array.client.masks import Body
from dvid_array.client.regions import Region
from dvid_array.client.volume import Volume
from dvid_array.protocol import spans
from tests import offline
from tests.conftest import Sent


def region(block: int) -> Region:
    return Region("brain", (block,) * 3, spans.checked(np.array([[0, 0, 0, 1]])))


def test_copies_differ_in_one_fact() -> None:
    volume = offline.volume(kind="labelmap", max_scale=2, extents=Box((0, 0, 0), (9, 9, 9)))
    body = Body(7, np.array([[0, 0, 0], [3, 2, 1]]))
    assert volume.at_scale(2) == replace(volume, scale=2)
    assert volume.unmerged() == replace(volume, supervoxels=True)
    assert volume.with_extents(None).extents is None
    assert volume.with_extents(None).with_extents(volume.extents) == volume
    other = Settings(threads=1)
    assert volume.with_settings(other).settings == other
    assert volume.with_settings(other).with_settings(volume.settings) == volume
    masked = replace(volume, body=body).at_scale(1)
    assert masked.body is not None
    assert masked.body.blocks.tolist() == [[0, 0, 0], [1, 1, 0]]
    assert (masked.dtype, volume.dtype) == (np.bool_, np.uint64)


@pytest.mark.parametrize(
    ("scale", "extents"),
    [
        (0, Box((-5, 0, 3), (10, 11, 12))),
        (1, Box((-3, 0, 1), (5, 6, 6))),
        (2, Box((-2, 0, 0), (3, 3, 3))),
    ],
)
def test_extents_are_of_its_scale(scale: int, extents: Box) -> None:
    """What holds the voxels of scale 0."""
    full = Box((-5, 0, 3), (10, 11, 12))
    assert offline.volume(kind="labelmap", scale=scale, extents=full).extents == extents
    assert offline.volume(kind="labelmap", scale=scale, extents=None).extents is None


def test_what_is_asked_for_besides() -> None:
    query = (("roi", "brain"), ("interpolation", "off"))
    volume = offline.volume(settings=Settings(query=query, server_throttle=True))
    assert volume.query == {"roi": "brain", "interpolation": "off", "throttle": "on"}
    assert volume.masked_by == "brain"
    assert volume.unmasked().query == {"interpolation": "off", "throttle": "on"}
    assert volume.unmasked().masked_by is None
    assert offline.volume().query == {}


def test_its_key_names_the_data_and_not_the_way() -> None:
    """Two handles and scales of one instance share locks and extents."""
    volume = offline.volume(kind="labelmap", max_scale=1)
    same = volume.at_scale(1).unmerged().with_settings(Settings(threads=1))
    assert same.key == volume.key == (offline.VERSION, "f" * 32)
    assert same.shared_extents is volume.shared_extents
    other = replace(volume, instance=offline.instance(data_uuid="e" * 32))
    assert other.shared_extents is not volume.shared_extents


@pytest.mark.parametrize(
    ("kind", "number"), [("uint8blk", 1), ("float32blk", 4), ("rgba8blk", 4), ("labelmap", 8)]
)
def test_a_voxel_is_all_its_channels(kind: str, number: int) -> None:
    assert offline.volume(kind=kind).voxel_bytes == number


# Tokens.


def committed(**facts: Any) -> Volume:
    return offline.volume(locked=True, kind="labelmap", max_scale=3, **facts)


def test_tokens_are_those_of_the_data(sent: list[Sent]) -> None:
    """What changes voxels changes the token, and nothing else does; no request."""
    volume = committed()
    ways = [
        volume.with_settings(Settings(threads=1, transport="raw")),
        volume.with_extents(None),
        pickle.loads(pickle.dumps(volume)),
    ]
    assert {volume.token(1), *(one.token(1) for one in ways)} == {volume.token(1)}
    others = [
        volume.at_scale(1),
        volume.unmerged(),
        replace(volume, uuid="e" * 32),
        replace(volume, instance=offline.instance(kind="labelmap", data_uuid="e" * 32)),
        replace(volume, regions=(region(32),)),
        replace(volume, regions=(region(16),)),
        replace(volume, regions=(region(32), region(32))),
        replace(volume, transport=replace(volume.transport, origin="http://elsewhere")),
        volume.with_settings(Settings(query=(("roi", "brain"),))),
    ]
    tokens = [volume.token(1), volume.token(2), *(one.token(1) for one in others)]
    assert len(set(tokens)) == len(tokens)
    masks = [replace(volume, body=Body(n, np.zeros((1, 3), int))) for n in (7, 8)]
    named = [str(one.token(1)) for one in (volume, *masks)]
    assert len(set(named)) == 3
    assert not sent


def test_an_open_version_asks_for_its_changes(
    filled: Callable[..., tuple[DvidArray, np.ndarray]], sent: list[Sent]
) -> None:
    array, _ = filled()
    volume = array._volume
    sent.clear()
    before = volume.token()
    assert [one.path for one in sent] == [f"/api/repo/{volume.uuid}/info"]
    assert volume.token() == before
    array[:, 0:32, 0:32, 0:32] = 1
    assert volume.token() != before


# On a server.


def test_refreshing(filled: Callable[..., tuple[DvidArray, np.ndarray]], sent: list[Sent]) -> None:
    array, _ = filled("uint8", (1, 32, 32, 32))
    volume = array._volume
    array[:, 0:40, 0:32, 0:32] = 1
    array.node.commit()
    sent.clear()
    now = volume.refreshed()
    assert now.extents == Box((0, 0, 0), (40, 32, 32))
    assert (volume.locked, now.locked) == (False, True)
    assert sorted(one.action for one in sent) == ["info", "status"]
    sent.clear()
    assert now.refreshed() == now  # committed once is committed for ever
    assert [one.action for one in sent] == ["info"]
    assert volume.shared_extents.box == now.extents


@pytest.mark.usefixtures("_fresh_process_state")
def test_who_gets_one_waits_for_its_server(node: Node) -> None:
    """Whoever made it had answers: elsewhere a refused connection is no wrong address."""
    data = pickle.dumps(node.create("v", "uint8")._volume)
    registry.reset()
    registry._state = registry.State()
    volume = pickle.loads(data)
    assert registry.state().origins.get(volume.transport.origin, registry.Origin).answered
