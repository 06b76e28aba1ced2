"""Arrays against a model of numpy arrays: reads, writes, windows, versions, commits, several
handles, in any order. Hypothesis looks for a sequence of steps after which they differ."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run

import dvid_array
from dvid_array import Box, DvidArray, Node
from tests.conftest import Dvid

LOW, HIGH = -40, 72
"""Coordinates that the model covers, along each axis."""
KINDS = {"gray": ("uint8", (16, 32, 16)), "labels": ("uint64", (16, 16, 16))}

corners = st.tuples(*[st.integers(LOW, HIGH)] * 3)
values = st.integers(1, 250)


@dataclass(frozen=True)
class Truth:
    """What one instance holds at one version."""

    voxels: np.ndarray
    """Shape (1, x, y, z) from `LOW` to `HIGH`."""
    extents: Box
    """Exact union of all that was written."""

    def at(self, box: Box) -> tuple[slice, ...]:
        """Where a box lies in the voxels."""
        return (slice(None), *box.slices((LOW, LOW, LOW)))


def box_of(a: tuple[int, int, int], b: tuple[int, int, int]) -> Box:
    """The box between two corners; a voxel thick at least."""
    low = [min(pair) for pair in zip(a, b, strict=True)]
    high = [max(pair) for pair in zip(a, b, strict=True)]
    start = tuple(min(n, HIGH - 1) for n in low)
    stop = tuple(max(n, m + 1) for n, m in zip(high, start, strict=True))
    return Box(start, stop)  # type: ignore[arg-type]


class Model(RuleBasedStateMachine):
    """Versions of a repo with a gray and a label volume; the newest handle of each is tried as
    well as older ones."""

    server: dvid_array.Server

    @initialize()
    def begin(self) -> None:
        self.nodes: list[Node] = [self.server.create_repo(f"model-{uuid.uuid4().hex[:8]}")]
        self.locked: set[str] = set()
        self.truths: dict[tuple[str, str], Truth] = {}
        self.handles: list[DvidArray] = []
        for name, (dtype, block) in KINDS.items():
            array = self.nodes[0].create(name, dtype, block=block)
            shape = (1, HIGH - LOW, HIGH - LOW, HIGH - LOW)
            first = Box((3, 4, 5), (20, 21, 22))
            truth = Truth(np.zeros(shape, dtype), first)
            truth.voxels[truth.at(first)] = 7
            array.post_ndarray((0, *first.start), (1, *first.stop), np.full((1, 17, 17, 17), 7))
            self.truths[self.nodes[0].uuid, name] = truth
            self.handles.append(array)

    def handle(self, pick: int) -> tuple[DvidArray, Truth]:
        array = self.handles[pick % len(self.handles)]
        return array, self.truths[array.uuid, array.instance]

    def wrote(self, array: DvidArray, box: Box, change: Callable[[np.ndarray], None]) -> None:
        key = (array.uuid, array.instance)
        truth = self.truths[key]
        change(truth.voxels[truth.at(box)])
        self.truths[key] = replace(truth, extents=truth.extents.hull(box))
        found, union = _stored(array), self.truths[key].extents
        if array.instance == "gray":
            assert found == union
        else:
            # a growing post to a labelmap brings the bounds of all its versions, block-rounded
            assert found.contains(union)
            self.truths[key] = replace(truth, extents=found)

    def stored(self, array: DvidArray, write: Callable[[], None]) -> bool:
        """Whether a write was taken; on a committed version it must not be."""
        if array.uuid not in self.locked:
            write()
            return True
        with pytest.raises(dvid_array.DvidLockedError):
            write()
        return False

    @rule(pick=st.integers(0, 99), a=corners, b=corners, value=values)
    def write_a_box(self, pick: int, a: Any, b: Any, value: int) -> None:
        array, _ = self.handle(pick)
        box = box_of(a, b)
        data = np.arange(box.size).reshape(1, *box.shape) % 97 + value % 100

        def write() -> None:
            array.post_ndarray((0, *box.start), (1, *box.stop), data)

        if self.stored(array, write):
            self.wrote(array, box, lambda voxels: np.copyto(voxels, data, casting="unsafe"))

    @rule(pick=st.integers(0, 99), a=corners, b=corners, step=st.integers(2, 5), value=values)
    def write_with_steps(self, pick: int, a: Any, b: Any, step: int, value: int) -> None:
        array, _ = self.handle(pick)
        box = box_of(a, b)
        key = (0, *(slice(m, n, step) for m, n in zip(box.start, box.stop, strict=True)))

        def write() -> None:
            array.voxels[key] = value

        if self.stored(array, write):
            last = [
                m + (n - m - 1) // step * step for m, n in zip(box.start, box.stop, strict=True)
            ]
            touched = Box(box.start, tuple(n + 1 for n in last))  # type: ignore[arg-type]
            self.wrote(array, touched, lambda voxels: _set(voxels, step, value))

    @rule(pick=st.integers(0, 99), a=corners, b=corners, value=values)
    def write_a_window(self, pick: int, a: Any, b: Any, value: int) -> None:
        array, _ = self.handle(pick)
        box = box_of(a, b)
        window = array.window(box.start, box.stop)

        def write() -> None:
            window[:, ::-1] = value

        if self.stored(array, write):
            assert window.shape[1:] == box.shape
            array.refresh()
            self.wrote(array, box, lambda voxels: voxels.fill(value))

    @rule(pick=st.integers(0, 99), a=corners, b=corners)
    def read_a_box(self, pick: int, a: Any, b: Any) -> None:
        array, truth = self.handle(pick)
        box = box_of(a, b)
        expected = truth.voxels[truth.at(box)]
        assert np.array_equal(array.read(box.start, box.stop), expected)
        window = array.window(box.start, box.stop)
        assert np.array_equal(window[0, ::2, -1], expected[0, ::2, -1])

    @rule(pick=st.integers(0, 99))
    def read_all(self, pick: int) -> None:
        array, truth = self.handle(pick)
        array.refresh()
        found = _stored(array)
        assert found.contains(truth.extents)
        whole = np.zeros((1, *found.shape), array.dtype)
        known = found.intersect(Box((LOW,) * 3, (HIGH,) * 3))
        whole[(slice(None), *known.slices(found.start))] = truth.voxels[truth.at(known)]
        assert np.array_equal(array.stored[...], whole)

    @rule(pick=st.integers(0, 99), a=corners, b=corners)
    def read_points(self, pick: int, a: Any, b: Any) -> None:
        array, truth = self.handle(pick)
        places = np.array([a, b, a]).T
        inside = np.clip(places, 0, np.array(array.shape[1:])[:, None] - 1)
        if min(array.shape[1:]) > 0:
            expected = truth.voxels[(0, *(inside - LOW))]
            assert np.array_equal(array.vindex[(0, *inside)], expected)

    @rule(pick=st.integers(0, 99))
    def open_again(self, pick: int) -> None:
        array, _ = self.handle(pick)
        self.handles.append(dvid_array.open(array.url))

    @rule(pick=st.integers(0, 99), branch=st.booleans())
    def commit(self, pick: int, branch: bool) -> None:
        node = self.nodes[pick % len(self.nodes)]
        if node.uuid not in self.locked:
            node.commit("enough")
            self.locked.add(node.uuid)
        if branch or node.children:
            child = node.new_branch(f"b{len(self.nodes)}")
        else:
            child = node.new_version()
            node.refresh()
        self.nodes.append(child)
        for name in KINDS:
            parent = self.truths[node.uuid, name]
            self.truths[child.uuid, name] = replace(parent, voxels=parent.voxels.copy())
            self.handles.append(child[name])

    @invariant()
    def committed_versions_say_so(self) -> None:
        for array in getattr(self, "handles", [])[-2:]:
            assert array.node.uuid == array.uuid


def _stored(array: DvidArray) -> Box:
    view = array.stored
    start = view.origin[1:]
    return Box(start, tuple(a + n for a, n in zip(start, view.shape[1:], strict=True)))  # type: ignore[arg-type]


def _set(voxels: np.ndarray, step: int, value: int) -> None:
    voxels[:, ::step, ::step, ::step] = value


def _walk(dvid: Dvid, examples: int, steps: int) -> None:
    Model.server = dvid_array.connect(dvid.url, admin_token=dvid.admin_token)
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    profile = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=checks,
        print_blob=True,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )
    run(Model, settings=profile)


def test_a_hundred_steps(dvid: Dvid) -> None:
    _walk(dvid, examples=8, steps=15)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_thousands_of_steps(dvid: Dvid) -> None:
    _walk(dvid, examples=100, steps=50)
