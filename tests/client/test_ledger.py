"""The account of a store: each part told once, and the error that ends it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dvid_array import errors
from dvid_array.box import Box
from dvid_array.client.journal import Journal
from dvid_array.client.ledger import Ledger
from dvid_array.client.posting import INDEXED, INGEST, Posting
from dvid_array.client.writing import Fate

PARTS = [Box.sized((32 * n, 0, 0), (32, 32, 32)) for n in range(4)]
A, B, C, D = PARTS


@pytest.fixture
def told() -> list[Box]:
    return []


@pytest.fixture
def ledger(told: list[Box]) -> Ledger:
    return Ledger(PARTS, None, told.append, INDEXED)


def test_a_part_is_told_once(ledger: Ledger, told: list[Box]) -> None:
    assert ledger.waiting == PARTS
    ledger.begun(B)
    assert ledger.waiting == PARTS
    for _ in range(2):
        ledger.stored(B, 5)
    ledger.skip([D])
    assert told == [B, D]
    assert ledger.waiting == [A, C]
    assert ledger.fates == {A: Fate.FAILED, B: Fate.STORED, C: Fate.FAILED, D: Fate.STORED}


def test_a_journal_gets_what_is_stored_now(told: list[Box], tmp_path: Path) -> None:
    facts = {"what": "a test"}
    with Journal(tmp_path / "j", facts, None) as journal:
        ledger = Ledger(PARTS, journal, told.append, INDEXED)
        ledger.begun(A)
        ledger.stored(A, 7)
        ledger.stored(A, 7)
        ledger.skip([B])
    with Journal(tmp_path / "j", facts, None) as journal:
        assert journal.stored == {A: 7}


def test_a_part_gives_way_to_its_pieces(ledger: Ledger) -> None:
    """A write knows more than that it failed."""
    left, right = Box((0, 0, 0), (16, 32, 32)), Box((16, 0, 0), (32, 32, 32))
    first = errors.DvidBusyError("busy")
    fault = errors.DvidWriteError("half", stored=[left], unknown=[right], first=first)
    fault.part = A
    ledger.begun(A)
    ledger.begun(B)
    ledger.broken(A, fault)
    error = ledger.told(fault)
    assert isinstance(error, errors.DvidWriteError)
    assert error.stored == (left,)
    assert set(error.unknown) == {right, B}
    assert set(error.failed) == {C, D}
    assert error.first is first
    assert error.part == A
    assert "1 stored, 2 failed, 2 unknown" in str(error)
    assert f"The first fault, in {A}: busy" in str(error)


def test_a_part_that_this_process_writes(ledger: Ledger, told: list[Box]) -> None:
    """Under way while it is written; a fault before the write leaves nothing behind."""

    def write() -> int:
        assert ledger.fates[A] is Fate.UNKNOWN
        return 7

    def fail() -> int:
        raise ValueError("no such thing")

    assert ledger.account(A, write) == 7
    with pytest.raises(ValueError, match="no such"):
        ledger.account(B, fail)
    ledger.begun(C)
    ledger.begun(D)
    ledger.withdrawn(D)
    assert told == [A]
    assert ledger.fates == {A: Fate.STORED, B: Fate.FAILED, C: Fate.UNKNOWN, D: Fate.FAILED}


def test_who_is_told_cannot_undo_a_part() -> None:
    def tell(box: Box) -> None:
        raise RuntimeError("enough")

    ledger = Ledger(PARTS, None, tell, INDEXED)
    with pytest.raises(RuntimeError, match="enough"):
        ledger.account(A, lambda: 7)
    assert ledger.fates[A] is Fate.STORED


def test_parts_break_while_it_is_asked(ledger: Ledger) -> None:
    """Threads that nobody waits for go on behind an interrupt."""

    def go_on() -> None:
        for number in range(3000):
            piece = Box.sized((16 * number, 64, 0), (16, 16, 16))
            fault = errors.DvidWriteError("half", failed=[piece])
            fault.part = B
            ledger.begun(B)
            ledger.broken(B, fault)

    going = threading.Thread(target=go_on)
    going.start()
    asked = 0
    while going.is_alive():
        ledger.begun(A)
        assert A in ledger.waiting
        assert isinstance(ledger.told(ValueError("stop")), errors.DvidWriteError)
        asked += 1
    going.join()
    assert asked


def test_where_nothing_was_written_the_fault_itself_is_told(ledger: Ledger) -> None:
    bare = ValueError("no such dtype")
    assert ledger.told(bare) is bare
    wrapped = errors.DvidWriteError("half", failed=[A], first=bare)
    assert ledger.told(wrapped) is bare
    assert not hasattr(bare, "__notes__")
    wrapped.part = A
    assert ledger.told(wrapped) is bare
    assert bare.__notes__ == [f"That was in the part {A}. Nothing was written."]
    ledger.begun(A)
    assert isinstance(ledger.told(bare), errors.DvidWriteError)


def test_the_way_to_go_on_is_told(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", {"what": "a test"}, None) as journal:
        ledger = Ledger(PARTS, journal, lambda box: None, INDEXED)
        ledger.stored(A, 7)
        error = ledger.told(ValueError("gone"))
    assert str(error).endswith(f"Store it again with resume={str(tmp_path / 'j')!r}")
    assert "The first fault: gone" in str(error)


@pytest.mark.parametrize(("how", "words"), [(INDEXED, "again is safe"), (INGEST, "counts them")])
def test_whether_it_may_be_stored_again(how: Posting, words: str) -> None:
    ledger = Ledger(PARTS, None, lambda box: None, how)
    ledger.begun(A)
    assert words in str(ledger.told(ValueError("gone")))
