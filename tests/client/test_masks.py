"""From labels to a mask, without a server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dvid_array.box import BlockGrid, Box
from dvid_array.client.masks import Body, Hull, Matching, Pieces
from dvid_array.client.picks import Grid
from dvid_array.protocol import runs

GRID = BlockGrid((4, 5, 6))
HIGH = 2**64 - 1
corners = st.tuples(*[st.integers(-20, 20)] * 3)
sizes = st.tuples(*[st.integers(0, 15)] * 3)


@given(
    st.sets(st.tuples(*[st.integers(-3, 3)] * 3), max_size=30),
    st.lists(st.builds(Box.sized, corners, sizes), max_size=3),
)
def test_boxes_are_cut_to_the_blocks(blocks: set[tuple[int, int, int]], wanted: list[Box]) -> None:
    body = Body(1, np.array(sorted(blocks), np.int64).reshape(-1, 3))
    truth = [
        part
        for box in wanted
        for block in blocks
        if not (part := GRID.block_box(block).intersect(box)).empty
    ]
    assert sorted(body.boxes(wanted, GRID)) == sorted(truth)


def test_labels_become_a_mask() -> None:
    labels = np.array([0, 5, HIGH, HIGH - 1], np.uint64).reshape(1, 4, 1, 1)
    out = np.zeros((1, 4, 1, 1), bool)
    target = Matching(HIGH, Grid([range(1), range(4), range(1), range(1)], out))
    box = Box((0, 0, 0), (4, 1, 1))
    assert target.view(box) is None
    target.place(box, labels)
    assert out.ravel().tolist() == [False, False, True, False]
    target.clear(box)
    assert not out.any()


def test_pieces_of_many_boxes() -> None:
    pieces, boxes = Pieces(HIGH), [Box.sized((x, -7, 9), (4, 5, 6)) for x in (-4, 0, 8)]
    truth = []
    for seed, box in enumerate([*boxes, boxes[0]]):
        labels = np.random.default_rng(seed % 3).choice(
            np.array([0, HIGH], np.uint64), (1, 4, 5, 6)
        )
        pieces.place(box, np.asfortranarray(labels))
        truth += (np.argwhere(labels[0] == HIGH) + box.start).tolist()
    pieces.clear(boxes[1])
    assert pieces.view(boxes[0]) is None
    found = runs.voxels(runs.joined(np.concatenate(pieces.runs)))
    assert {tuple(place) for place in found.tolist()} == {tuple(place) for place in truth}
    assert len(found) < len(truth)  # the first came twice


@given(st.sets(st.tuples(*[st.integers(-9, 9)] * 3), min_size=1), st.integers(0, 2))
def test_blocks_of_other_scales(blocks: set[tuple[int, int, int]], steps: int) -> None:
    body = Body(1, np.array(sorted(blocks), np.int64))
    coarser = {tuple(n >> steps for n in block) for block in blocks}
    assert {tuple(block) for block in body.rescaled(steps).blocks.tolist()} == coarser
    finer = body.rescaled(-steps).blocks
    assert len(finer) == len(np.unique(finer, axis=0)) == len(blocks) * 8**steps
    assert {tuple(n >> steps for n in block) for block in finer.tolist()} == blocks


@given(st.lists(st.tuples(corners, st.integers(0, 2**32 - 1)), min_size=1, max_size=6))
def test_the_hull_of_many_boxes(parts: list[tuple[tuple[int, int, int], int]]) -> None:
    hull, truth = Hull(7), []
    with ThreadPoolExecutor(3) as pool:
        for corner, seed in parts:
            noise = np.random.default_rng(seed).random((1, 4, 5, 6))
            labels = np.select([noise < 0.02, noise < 0.6], [7, 8], 0)
            truth += (np.argwhere(labels[0] == 7) + corner).tolist()
            pool.submit(hull.place, Box.sized(corner, (4, 5, 6)), labels.astype(np.uint64))
    if not truth:
        assert hull.box.empty
        return
    low, high = np.min(truth, axis=0), np.max(truth, axis=0) + 1
    assert (hull.box.start, hull.box.stop) == (tuple(low), tuple(high))
    hull.clear(hull.box)
    assert hull.view(hull.box) is None
