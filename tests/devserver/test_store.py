"""What the store keeps: through kills, full disks, and many clients at once."""

from __future__ import annotations

import http.client
import random
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from dvid_array.devserver import DevServer
from dvid_array.devserver.store import Store, StoreFullError
from tests.devserver.conftest import Asker, noise

pytestmark = pytest.mark.dev

SERVE = """
import sys
from dvid_array.devserver import DevServer
server = DevServer(sys.argv[1], admin_token="secret").start()
print(server.url, flush=True)
sys.stdin.read()
"""
EDGE = 16


def write_until_gone(asker: Asker, where: str, acknowledged: list[int]) -> None:
    """Post block after block until nobody answers."""
    while True:
        number = len(acknowledged)
        body = noise((EDGE, EDGE, EDGE), number).tobytes()
        try:
            posted = asker.post(f"{where}/raw/0_1_2/16_16_16/{number * EDGE}_0_0", body)
        except (OSError, http.client.HTTPException):
            return
        assert posted.status == 200
        acknowledged.append(number)


def one_round(path: Path, seed: int) -> None:
    """Write until killed at a random moment; every acknowledged block must be there afterwards."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        asker = Asker(child.stdout.readline().strip(), "secret")
        where = asker.instance(asker.repo())
        acknowledged: list[int] = []
        killer = threading.Timer(random.Random(seed).uniform(0.05, 0.4), child.kill)
        killer.start()
        write_until_gone(asker, where, acknowledged)
        killer.join()
    with DevServer(path) as server:
        for number in acknowledged:
            kept = Asker(server.url, "").get(f"{where}/raw/0_1_2/16_16_16/{number * EDGE}_0_0")
            assert kept.body == noise((EDGE, EDGE, EDGE), number).tobytes()
    assert acknowledged


@pytest.mark.parametrize("seed", range(3))
def test_acknowledged_writes_survive_a_kill(tmp_path: Path, seed: int) -> None:
    one_round(tmp_path / "store.sqlite", seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 150))
def test_acknowledged_writes_survive_many_kills(tmp_path: Path, seed: int) -> None:
    one_round(tmp_path / "store.sqlite", seed)


def test_a_full_disk(tmp_path: Path) -> None:
    with DevServer(tmp_path / "store.sqlite") as server:
        asker = Asker(server.url, server.admin_token)
        where = asker.instance(asker.repo())
        assert asker.post(f"{where}/raw/0_1_2/16_16_16/0_0_0", b"\1" * 4096).status == 200
        assert server._store is not None
        with server._store.writing() as db:
            pages = db.execute("PRAGMA page_count").fetchone()[0]
            db.execute(f"PRAGMA max_page_count = {pages + 2}")
        body = noise((64, 64, 64)).tobytes()
        refused = asker.post(f"{where}/raw/0_1_2/64_64_64/0_0_0", body)
        assert refused.status == 500
        assert "store is full, nothing of this was stored" in refused.text
        assert refused.text.endswith(f"(/api/{where}/raw/0_1_2/64_64_64/0_0_0).\n")
        # Nothing half done: neither voxels nor extents.
        assert asker.get(f"{where}/raw/0_1_2/16_16_16/0_0_0").body == b"\1" * 4096
        assert asker.get(f"{where}/info").json()["Extents"]["MaxPoint"] == [15, 15, 15]
        with server._store.writing() as db:
            db.execute(f"PRAGMA max_page_count = {pages + 10_000}")
        assert asker.post(f"{where}/raw/0_1_2/64_64_64/0_0_0", body).status == 200
        assert asker.get(f"{where}/raw/0_1_2/64_64_64/0_0_0").body == body


def test_a_fault_undoes_everything(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite")

    def broken() -> None:
        with store.writing() as db:
            db.execute(
                "INSERT INTO repos (root, alias, description, log, mutations, created, updated)"
                " VALUES ('a', '', '', '[]', 0, '', '')"
            )
            raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        broken()
    with store.reading() as db:
        assert db.execute("SELECT count(*) FROM repos").fetchone() == (0,)
    store.close()


def test_a_database_that_is_full() -> None:
    store = Store()
    with store.writing() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        with store.writing() as db:
            for block in range(1000):
                db.execute(
                    "INSERT INTO blocks (instance, scale, z, y, x, version, data)"
                    " VALUES (1, 0, 0, 0, ?, 1, ?)",
                    (block, bytes(10_000)),
                )

    with pytest.raises(StoreFullError, match="full"):
        fill()
    store.close()


def test_readers_are_given_back_and_closed() -> None:
    store = Store()
    with store.reading() as one, store.reading() as other:
        assert one is not other
    with store.reading() as again:
        assert again in (one, other)
        store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        again.execute("SELECT 1")


def test_many_clients_at_once(asker: Asker) -> None:
    where = asker.instance(asker.repo())
    faults: list[str] = []
    # Each thread has blocks of its own, and one that all of them write whole.
    shared = [bytes([number]) * 4096 for number in range(8)]

    def work(number: int) -> None:
        for step in range(12):
            box = f"{where}/raw/0_1_2/32_16_16/{step * 32}_{number * 16}_0"
            body = noise((16, 16, 32), 100 * number + step).tobytes()
            if asker.post(box, body).status != 200 or asker.get(box).body != body:
                faults.append(box)
            asker.post(f"{where}/raw/0_1_2/16_16_16/0_0_160", shared[number])
            if asker.get(f"{where}/raw/0_1_2/16_16_16/0_0_160").body not in shared:
                faults.append("a torn block")

    workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not faults
    assert asker.get(f"{where}/info").json()["Extents"]["MaxPoint"] == [383, 127, 175]


def test_a_commit_stops_writers(asker: Asker) -> None:
    """After the answer to a commit no post is acknowledged any more."""
    uuid = asker.repo()
    where = asker.instance(uuid)
    stop, late = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            committed = done.is_set()
            status = asker.post(f"{where}/raw/0_1_2/16_16_16/0_0_0", b"\1" * 4096).status
            if committed and status == 200:
                late.append(status)

    done = threading.Event()
    workers = [threading.Thread(target=write) for _ in range(4)]
    for worker in workers:
        worker.start()
    assert asker.post(f"node/{uuid}/commit", {}).status == 200
    done.set()
    before = asker.get(f"repo/{uuid}/info").json()["MutationID"]
    stop.set()
    for worker in workers:
        worker.join()
    assert not late
    assert asker.get(f"repo/{uuid}/info").json()["MutationID"] == before


def test_a_reader_sees_whole_posts(asker: Asker) -> None:
    """A layer is read in one go: no post of it is seen half."""
    where = asker.instance(asker.repo())
    box = f"{where}/raw/0_1_2/64_64_16/0_0_0"
    assert asker.post(box, bytes(65536)).status == 200
    stop = threading.Event()

    def write() -> None:
        value = 0
        while not stop.is_set():
            value = (value + 1) % 256
            asker.post(box, bytes([value]) * 65536)

    writer = threading.Thread(target=write)
    writer.start()
    mixed = [len(set(np.unique(list(asker.get(box).body)))) for _ in range(30)]
    stop.set()
    writer.join()
    assert mixed == [1] * 30
