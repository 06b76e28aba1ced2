"""A faulty path to the server, and settings that do not try anybody's patience."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import dvid_array
from dvid_array.box import Box
from dvid_array.client.volume import Volume
from dvid_array.settings import Settings
from dvid_array.testing import FaultyProxy
from tests.conftest import Dvid

QUICK = Settings(
    connect_timeout=3.0,
    read_timeout=3.0,
    post_timeout=3.0,
    retry_interval=0.01,
    retry_deadline=1.5,
    threads=2,
)


@pytest.fixture
def path(dvid: Dvid) -> Iterator[FaultyProxy]:
    """A proxy in front of the server; without a plan, everything passes."""
    with FaultyProxy(dvid.url) as proxy:
        yield proxy


def through(
    path: FaultyProxy, array: dvid_array.DvidArray, **changes: object
) -> dvid_array.DvidArray:
    """The same array, reached through a proxy; settings are `QUICK` with some changes."""
    settings = replace(QUICK, **changes)  # type: ignore[arg-type]
    address = array.url.replace(array.node.server.url, path.url)
    return dvid_array.open(address, settings=settings)


def volume_of(array: dvid_array.DvidArray) -> Volume:
    """The volume behind an array."""
    return array._volume


def voxels_of(array: dvid_array.DvidArray, box: Box) -> np.ndarray:
    """What the server really has in a box."""
    return array.read(box.start, box.stop)
