"""What `progress=` may be, and that it tells the truth under threads."""

from __future__ import annotations

import functools
import io
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from rich.progress import Progress
from tqdm import tqdm

import dvid_array
from dvid_array import DvidArray, Settings
from dvid_array.progress import told
from tests.conftest import Sent

Volume = tuple[DvidArray, np.ndarray]
BOX = ((3, 0, -4), (64, 90, 128))


class Bar:
    """A factory that is nobody's: it knows `total` only."""

    made: list[Bar]

    def __init__(self, total: int) -> None:
        self.total, self.steps, self.closed = total, [], 0
        type(self).made.append(self)

    def update(self, step: int) -> None:
        self.steps.append(step)

    def close(self) -> None:
        self.closed += 1


def work(wish: Any, steps: tuple[int, ...] = (3, 7), total: int = 10) -> None:
    with told(wish, total, "moving") as tell:
        for step in steps:
            tell(step)


@pytest.mark.parametrize("wish", [None, False])
def test_nothing_is_shown_by_default(wish: Any, capfd: pytest.CaptureFixture[str]) -> None:
    work(wish)
    assert capfd.readouterr() == ("", "")


def test_true_is_a_bar_of_tqdm(capfd: pytest.CaptureFixture[str]) -> None:
    work(wish=True, steps=(1_000_000, 1_000_000), total=2_000_000)
    shown = capfd.readouterr().err
    assert "moving: 100%" in shown
    assert "2.00M/2.00M" in shown


def test_a_function_hears_done_and_total() -> None:
    heard: list[tuple[int, int]] = []
    work(lambda done, total: heard.append((done, total)))
    assert heard == [(3, 10), (10, 10)]


@pytest.mark.parametrize(("steps", "last"), [((3,), [3, 10]), ((9, 9, 9), [9, 10]), ((), [10])])
def test_all_is_told_once_and_no_more(steps: tuple[int, ...], last: list[int]) -> None:
    """Caches make steps fewer."""
    heard: list[int] = []
    work(lambda done, total: heard.append(done), steps)
    assert heard == last


@pytest.mark.parametrize(
    "wish",
    [Bar, lambda total: Bar(total), functools.partial(Bar)],
    ids=["class", "function", "partial"],
)
def test_factories(wish: Any) -> None:
    Bar.made = []
    work(wish)
    (bar,) = Bar.made
    assert (bar.total, bar.steps, bar.closed) == (10, [3, 7], 1)


def test_a_partial_of_tqdm_keeps_its_words() -> None:
    out = io.StringIO()
    work(functools.partial(tqdm, desc="mine", file=out))
    assert "mine: 100%" in out.getvalue()
    assert "moving" not in out.getvalue()


def test_rich() -> None:
    out = io.StringIO()
    with Progress(console=Console(file=out, width=100)) as shown:
        work(shown)
        (task,) = shown.tasks
        assert (task.description, task.completed, task.total) == ("moving", 10, 10)
    assert "moving" in out.getvalue()
    work(Progress)


def test_factories_of_displays() -> None:
    """Of rich's kind: shown while work goes on, with a line of its own."""
    for make in (functools.partial, lambda made, **words: lambda: made(**words)):
        out = io.StringIO()
        work(make(Progress, console=Console(file=out, width=100)))
        assert "moving" in out.getvalue()
        assert "100%" in out.getvalue()


def test_a_bar_that_is_there_is_left_open() -> None:
    with tqdm(total=10, file=io.StringIO()) as bar:
        work(bar)
        assert bar.n == 10
        assert not bar.disable


@pytest.mark.parametrize(
    "wish",
    [7, {}, "tqdm", lambda: None, lambda total: {}],
    ids=["7", "dict", "str", "None", "no bar"],
)
def test_nonsense_is_named(wish: Any) -> None:
    with pytest.raises(TypeError, match=r"progress=.*: give True"):
        work(wish)


def test_a_bar_is_closed_after_a_fault() -> None:
    Bar.made = []
    with pytest.raises(ValueError, match="broken"), told(Bar, 10, "moving"):
        raise ValueError("broken")
    assert Bar.made[0].closed == 1
    assert Bar.made[0].steps == []


# Reading.


def test_a_read_tells_its_bytes_one_thread_at_a_time(filled: Callable[..., Volume]) -> None:
    array, truth = filled("uint16")
    inside, heard, threads = threading.Lock(), [], set()

    def hear(done: int, total: int) -> None:
        assert inside.acquire(blocking=False), "told by two threads at once"
        heard.append((done, total))
        threads.add(threading.current_thread().name)
        inside.release()

    array = dvid_array.open(array.url, settings=Settings(threads=4, transport="raw"))
    found = array.read(*BOX, progress=hear)
    np.testing.assert_array_equal(found[..., 4:], truth[:, 3:, :90])
    done, totals = zip(*heard, strict=True)
    assert set(totals) == {found.nbytes}
    assert list(done) == sorted(set(done))
    assert done[-1] == found.nbytes


def test_a_read_from_the_cache_tells_all(node: dvid_array.Node, sent: list[Sent]) -> None:
    array = node.create("v", "uint8", block=(16, 16, 16))
    array[:, :40, :40, :40] = 1
    node.commit()
    array = dvid_array.open(array.url, settings=Settings(cache_bytes=1 << 24))
    array.read((0, 0, 0), (40, 40, 20))
    sent.clear()
    heard: list[int] = []
    array.read((0, 0, 0), (40, 40, 40), progress=lambda done, total: heard.append(done))
    assert heard[-1] == 64000
    assert sent
    sent.clear()
    heard.clear()
    array.read((0, 0, 0), (40, 40, 40), progress=lambda done, total: heard.append(done))
    assert heard == [64000]
    assert not sent


def test_a_fault_of_who_is_told_ends_the_read(filled: Callable[..., Volume]) -> None:
    array, truth = filled()
    out = np.zeros(truth.shape, truth.dtype, order="F")

    def break_off(done: int, total: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        array.read((0, 0, 0), truth.shape[1:], out, progress=break_off)
    np.testing.assert_array_equal(array.read((0, 0, 0), truth.shape[1:], out), truth)


def test_nothing_to_read_tells_nothing(filled: Callable[..., Volume]) -> None:
    array, _ = filled()
    array.read((5, 5, 5), (5, 9, 9), progress=lambda done, total: pytest.fail("told"))
