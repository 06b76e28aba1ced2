"""A server killed in the middle of a store, and started again: nothing acknowledged is lost, and
the journal knows what is missing."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest

import dvid_array
from dvid_array import Box, DvidArray, DvidError, Settings, store
from dvid_array.client.journal import Journal
from dvid_array.devserver import DevServer
from tests.conftest import Sent

pytestmark = pytest.mark.dev

SERVE = """
import sys, dvid_array
server = dvid_array.serve(sys.argv[1], admin_token="secret")
print(server.url, flush=True)
sys.stdin.read()
"""
PLACE = Box((-7, 5, 9), (57, 69, 137))
HASTY = Settings(
    threads=2, request_bytes=20_000, connect_timeout=1, post_timeout=5, retry_deadline=0.1
)


def made(url: str) -> DvidArray:
    node = dvid_array.connect(url, admin_token="secret").create_repo("killed")
    array = node.create("v", "uint8", block=(16, 16, 16))
    return dvid_array.open(array.url, settings=HASTY)


def killed_in_the_middle(path: Path, seed: int, source: Any, journal: Path) -> tuple[str, int]:
    """Store until the server is killed; the array's address, and the server's port."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        url = child.stdout.readline().strip()
        array = made(url)
        parts = random.Random(seed).uniform(0.05, 0.9)
        killed = threading.Event()

        def kill(done: int, total: int) -> None:
            if done > parts * total and not killed.is_set():
                killed.set()
                child.kill()

        with pytest.raises(DvidError) as told:
            store(source, array, PLACE, resume=journal, progress=kill)
        assert isinstance(told.value, dvid_array.DvidWriteError)
        assert killed.is_set()
    return array.url, int(url.rpartition(":")[2])


def one_round(folder: Path, seed: int, source: Any, values: np.ndarray, sent: list[Sent]) -> None:
    journal = folder / "journal"
    address, port = killed_in_the_middle(folder / "store.sqlite", seed, source, journal)
    with DevServer(folder / "store.sqlite", port=port):
        array = dvid_array.open(address, settings=replace(HASTY, retry_deadline=10))
        acknowledged = noted(journal)
        for box in acknowledged:
            np.testing.assert_array_equal(
                array.read(box.start, box.stop), values[:, *box.slices(PLACE.start)]
            )
        sent.clear()
        store(source, array, PLACE, resume=journal)
        assert set(noted(journal)) > set(acknowledged)
        np.testing.assert_array_equal(array.refresh().stored[...], values)
        assert (array.minindex[1:], array.shape[1:]) == (PLACE.start, PLACE.stop)
        first = {box.start for box in acknowledged}
        again = [one for one in sent if one.method == "POST" and one.action == "raw"]
        assert again
        corners = {tuple(map(int, one.path.rpartition("/")[2].split("_"))) for one in again}
        assert not corners & {c for c in first if not any(n % 16 for n in c)}


def noted(journal: Path) -> list[Box]:
    """The parts that a journal names."""
    head = json.loads(journal.read_text().splitlines()[0])
    facts = {name: head[name] for name in ("target", "box", "way", "source")}
    with Journal(journal, facts, None) as kept:
        return list(kept.stored)


VALUES = np.random.default_rng(4).integers(1, 200, (1, *PLACE.shape), np.uint8)


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_server_loses_nothing(tmp_path: Path, seed: int, sent: list[Sent]) -> None:
    one_round(tmp_path, seed, VALUES, VALUES, sent)


@pytest.mark.parametrize("seed", range(2, 3))
def test_a_killed_server_loses_nothing_of_dask(tmp_path: Path, seed: int, sent: list[Sent]) -> None:
    source = da.from_array(VALUES, chunks=(1, 23, 30, 17))
    with dask.config.set(scheduler="threads"):
        one_round(tmp_path, seed, source, VALUES, sent)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 150))
def test_many_killed_servers_lose_nothing(tmp_path: Path, seed: int, sent: list[Sent]) -> None:
    source = da.from_array(VALUES, chunks=(1, 23, 30, 17)) if seed % 2 else VALUES
    with dask.config.set(scheduler="threads"):
        one_round(tmp_path, seed, source, VALUES, sent)
