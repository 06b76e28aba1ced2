"""The journal of a store: what it keeps through crashes, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dvid_array.box import Box
from dvid_array.client.journal import Journal, fingerprint

FACTS = {"target": "http://host/1/gray (2)", "box": "x 0..9", "source": "abc"}
ONE, TWO = Box((-5, 0, 1), (3, 2, 9)), Box((3, 0, 1), (4, 2, 9))
BEFORE = Box((0, 0, 0), (7, 8, 9))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Journal(tmp_path / "journal", FACTS, BEFORE) as journal:
        journal.add(ONE, 2**32 - 1)
        journal.add(TWO, 0)
    return tmp_path / "journal"


def stored(path: Path) -> dict[Box, int]:
    with Journal(path, FACTS, None) as journal:
        assert journal.before == BEFORE
        return journal.stored


def test_a_journal_is_read_again(path: Path) -> None:
    assert stored(path) == {ONE: 2**32 - 1, TWO: 0}
    with Journal(path, FACTS, None) as journal:
        journal.add(Box((4, 0, 1), (5, 2, 9)), 7)
    assert len(stored(path)) == 3


def test_a_new_volume_has_no_extents(tmp_path: Path) -> None:
    with Journal(tmp_path / "new", FACTS, None) as journal:
        assert (journal.before, journal.stored) == (None, {})
    with Journal(tmp_path / "new", FACTS, BEFORE) as journal:
        assert journal.before is None


def test_cut_anywhere_it_keeps_all_whole_lines(path: Path) -> None:
    """A killed process, or a machine without power, leaves any part of it."""
    whole = path.read_bytes()
    head = whole.index(b"\n") + 1
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with Journal(path, FACTS, BEFORE) as journal:
            assert journal.before == BEFORE
            assert len(journal.stored) == max(0, whole[:length].count(b"\n") - 1)
            journal.add(TWO, 5)
        assert stored(path)[TWO] == 5
        assert path.read_bytes()[:head] == whole[:head]


@pytest.mark.parametrize("fact", sorted(FACTS))
def test_that_of_another_store_is_refused(path: Path, fact: str) -> None:
    whole = path.read_bytes()
    with pytest.raises(
        ValueError, match=f"journal of another store: its {fact} is {FACTS[fact][:4]}"
    ):
        Journal(path, FACTS | {fact: "another"}, BEFORE)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("text", ["my notes", "my notes\nand more\n", "{}\n", "\n", "[1, 2"])
def test_another_file_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "notes").write_text(text)
    with pytest.raises(ValueError, match="is no journal of a store"):
        Journal(tmp_path / "notes", FACTS, BEFORE)
    assert (tmp_path / "notes").read_text() == text


def test_an_empty_file_becomes_one(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    Journal(tmp_path / "empty", FACTS, BEFORE).__exit__()
    assert stored(tmp_path / "empty") == {}


@pytest.mark.parametrize("line", ["", "garbage", "[1, 2, 3]", '{"a": 1}', "\0\0\0", "null"])
def test_a_damaged_line_is_named(path: Path, line: str) -> None:
    head, *rest = path.read_text().splitlines()
    path.write_text("\n".join([head, line, *rest]) + "\n")
    with pytest.raises(ValueError, match=r"line 2 of the journal .* is damaged"):
        Journal(path, FACTS, BEFORE)


def test_it_has_one_writer(path: Path) -> None:
    code = (
        "import sys; from dvid_array.client.journal import Journal\n"
        f"Journal(sys.argv[1], {FACTS!r}, None)"
    )
    with Journal(path, FACTS, None):
        run = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True
        )
    assert "is the journal of a store that is running" in run.stderr
    assert stored(path)


# Fingerprints.


def test_fingerprints_tell_arrays_apart() -> None:
    array = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    others = [
        array,
        array + 1,
        array.astype(np.int16),
        array.reshape(3, 2, 4),
        array[::-1],
        array[:, :2],
        np.zeros((0, 3), np.uint16),
    ]
    assert len({fingerprint(one) for one in others}) == len(others)


@pytest.mark.parametrize(
    "view", [np.s_[...], np.s_[::2], np.s_[:, ::-1], np.s_[:, :, 1:3], np.s_[..., 0]]
)
def test_fingerprints_are_of_values(view: object) -> None:
    """However large the pieces are in which an array is hashed, and wherever it lies."""
    array = np.random.default_rng(0).integers(0, 9, (5, 6, 7, 8), np.uint8)
    for laid in (array, np.asfortranarray(array)):
        assert fingerprint(laid[view]) == fingerprint(laid.copy("K")[view])
        changed = laid.copy("K")
        changed[view].flat[-1] ^= 1
        assert fingerprint(laid[view]) != fingerprint(changed[view])
