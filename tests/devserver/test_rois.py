"""Regions of interest against sets of blocks."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvid_array.devserver import spans as kept
from tests.devserver.conftest import Asker

pytestmark = pytest.mark.dev
small = st.integers(-4, 4)
spans = st.lists(
    st.tuples(small, small, small, st.integers(0, 4)).map(
        lambda span: (span[0], span[1], span[2], span[2] + span[3])
    ),
    max_size=12,
)


def blocks_of(region: Any) -> set[tuple[int, int, int]]:
    """The blocks (x, y, z) of spans."""
    return {(x, y, z) for z, y, x0, x1 in region for x in range(x0, x1 + 1)}


@given(region=spans, asked=st.lists(st.tuples(small, small, small), max_size=30))
def test_points_are_inside_the_union_of_the_spans(region: Any, asked: Any) -> None:
    ordered = np.unique(np.array(region, np.int32).reshape(-1, 4), axis=0)
    found = kept.inside(ordered, np.array(asked, np.int32).reshape(-1, 3))
    assert found.tolist() == [block in blocks_of(region) for block in asked]


@given(region=spans, start=st.tuples(*[st.integers(0, 20)] * 3))
@settings(max_examples=30)
def test_masks_of_boxes_without_negative_voxels(
    asker: Asker, region: Any, start: tuple[int, int, int]
) -> None:
    where = asker.instance(asker.repo(), "some", "roi", BlockSize="5,6,7")
    assert asker.post(f"{where}/roi", json.dumps(region)).status == 200
    size = (23, 17, 16)
    offset = "_".join(map(str, start))
    body = asker.get(f"{where}/mask/0_1_2/23_17_16/{offset}").body
    mask = np.frombuffer(body, np.uint8).reshape(size, order="F")
    x, y, z = (
        np.arange(a, a + n) // block for a, n, block in zip(start, size, (5, 6, 7), strict=True)
    )
    truth = np.zeros(size, np.uint8)
    for bx, by, bz in blocks_of(region):
        truth[np.ix_(x == bx, y == by, z == bz)] = 1
    assert (mask == truth).all()


def test_many_points_and_spans(asker: Asker) -> None:
    where = asker.instance(asker.repo(), "some", "roi")
    rng = np.random.default_rng(5)
    starts = rng.integers(-300, 300, (20_000, 3))
    region = np.column_stack([starts, starts[:, 2] + rng.integers(0, 3, 20_000)])
    assert asker.post(f"{where}/roi", json.dumps(region.tolist())).status == 200
    kept = asker.get(f"{where}/roi").json()
    assert kept == np.unique(region, axis=0).tolist()
    points = rng.integers(-9600, 9600, (50_000, 3))
    answer = asker.post(f"{where}/ptquery", json.dumps(points.tolist())).json()
    inside = blocks_of(kept)
    # The instance has blocks of 16 voxels.
    assert answer == [tuple(block) in inside for block in (points // 16).tolist()]


def test_huge_masks(asker: Asker) -> None:
    """They come line by line, and only up to DVID's limit of other answers."""
    where = asker.instance(asker.repo(), "some", "roi")
    assert len(asker.get(f"{where}/mask/0_1_2/10000_10000_1/-7_-9_3").body) == 100_000_000
    for size in ("2000_2000_2000", "2000000000_1_1"):
        assert "no masks of more than" in asker.get(f"{where}/mask/0_1_2/{size}/0_0_0").text
