"""Mappings against dictionaries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvid_array.devserver import catalog, label_mapping
from dvid_array.devserver.label_mapping import Mapping
from dvid_array.devserver.store import Db, Store

pytestmark = pytest.mark.dev
some = st.sampled_from([0, 1, 2, 3, 2**63, 2**64 - 1])


def mapping_of(known: dict[int, int]) -> Mapping:
    ordered = sorted(known)
    return Mapping(np.array(ordered, np.uint64), np.array([known[sv] for sv in ordered], np.uint64))


@given(known=st.dictionaries(some, some), asked=st.lists(some))
def test_bodies(known: dict[int, int], asked: list[int]) -> None:
    mapping, labels = mapping_of(known), np.array(asked, np.uint64)
    assert mapping.of(labels).tolist() == [known.get(label, label) for label in asked]
    assert mapping.known(labels).tolist() == [label in known for label in asked]
    for body in asked:
        inside = {sv for sv in {*known, body} if known.get(sv, sv) == body}
        assert set(mapping.inside(body).tolist()) == inside


def loaded(db: Db, version: int) -> dict[int, int]:
    """The mapping of instance 5."""
    mapping = label_mapping.load(db, 5, version)
    return dict(zip(mapping.supervoxels.tolist(), mapping.bodies.tolist(), strict=True))


def test_versions(tmp_path: Path) -> None:
    """The nearest ancestor's row counts, and other branches do not."""
    store = Store(tmp_path / "store.sqlite")
    with store.writing() as db:
        root = catalog.resolve(db, catalog.new_repo(db, "", ""))
        line = [root]
        for branch in ("", "other", ""):
            parent = root if branch else line[-1]
            if not catalog.version(db, parent.id).locked:
                catalog.commit(db, parent, "", [])
            made = catalog.new_version(db, parent, branch=branch, note="")
            line.append(catalog.resolve(db, made))
        root, child, other, grandchild = line
        for version, supervoxels, body in (
            (root, [1, 2, 2**64 - 1], 7),
            (child, [2], 8),
            (other, [1, 3], 9),
        ):
            label_mapping.put(db, 5, version.id, np.array(supervoxels, np.uint64), body)
        found = {version.id: loaded(db, version.id) for version in line}
        assert len(label_mapping.load(db, 6, root.id)) == 0
    store.close()
    high = 2**64 - 1
    assert found[root.id] == {1: 7, 2: 7, high: 7}
    assert found[child.id] == {1: 7, 2: 8, high: 7}
    assert found[other.id] == {1: 9, 2: 7, 3: 9, high: 7}
    assert grandchild.parent == other.id
    assert found[grandchild.id] == found[other.id]
