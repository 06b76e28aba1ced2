"""Lower scales of labels, against a slow reading of the rule."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvid_array.box import Triple
from dvid_array.devserver import downres
from dvid_array.devserver.downres import Labels

pytestmark = pytest.mark.dev
EDGE = 4


def winner(children: list[int]) -> int:
    """The most frequent label but 0, the smallest where several are."""
    votes = Counter(label for label in children if label)
    return min(votes, key=lambda label: (-votes[label], label)) if votes else 0


def slow(labels: Labels) -> Labels:
    out = np.zeros([extent // 2 for extent in labels.shape], np.uint64)
    for x, y, z in product(*map(range, out.shape)):
        cube = labels[2 * x : 2 * x + 2, 2 * y : 2 * y + 2, 2 * z : 2 * z + 2]
        out[x, y, z] = winner([int(label) for label in cube.flat])
    return out


@given(st.integers(0, 2**32), st.sampled_from([1, 2, 3, 5, 9]))
def test_halving(seed: int, labels: int) -> None:
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, 2**64, labels, np.uint64)
    chosen[0] = 0
    block = chosen[rng.integers(0, labels, (8, 4, 6))]
    assert np.array_equal(downres.halved(block), slow(block))


def some(seed: int) -> Labels:
    return np.random.default_rng(seed).integers(0, 4, (EDGE,) * 3).astype(np.uint64)


def changed_to(changed: dict[Triple, Labels], held: Labels) -> dict[Triple, Labels]:
    return dict(downres.next_scale(changed, lambda block: held))


def test_only_changed_octants_are_made_anew() -> None:
    held = some(1)
    made = changed_to({(5, 2, 3): some(2)}, held)
    assert list(made) == [(2, 1, 1)]
    expected = held.copy()
    expected[2:, :2, 2:] = slow(some(2))
    assert np.array_equal(made[2, 1, 1], expected)


def test_one_block_of_zeros_wipes_its_parent() -> None:
    made = changed_to({(0, 0, 0): np.zeros((EDGE,) * 3, np.uint64)}, some(1))
    assert not made[0, 0, 0].any()


def test_one_solid_block_of_eight_does_not() -> None:
    held = some(1)
    made = changed_to({(1, 0, 0): np.full((EDGE,) * 3, 7, np.uint64)}, held)
    expected = held.copy()
    expected[2:, :2, :2] = 7
    assert np.array_equal(made[0, 0, 0], expected)


def test_eight_solid_blocks_make_a_solid_parent() -> None:
    whole = {block: np.full((EDGE,) * 3, 7, np.uint64) for block in product((0, 1), repeat=3)}
    made = changed_to({(x, y, z): labels for (x, y, z), labels in whole.items()}, some(1))
    assert (made[0, 0, 0] == 7).all()


@pytest.mark.parametrize("block", [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (1, -1, 0), (-3, -1, -5)])
def test_odd_negative_blocks(block: Triple) -> None:
    with pytest.raises(downres.NegativeOctantError, match="index out of range"):
        downres.parents({block: some(1)})


def test_even_negative_blocks() -> None:
    assert list(downres.parents({(-2, -4, 0): some(1)})) == [(-1, -2, 0)]
