"""Labels through kills, damage and nonsense: voxels and index stay true to one another."""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from dvid_array.devserver import DevServer
from dvid_array.protocol import frames as wire
from tests.corpus import label_block
from tests.devserver.conftest import Asker
from tests.devserver.test_label_index import Labels, counts_of, listed
from tests.devserver.test_store import SERVE

pytestmark = pytest.mark.dev


def block(seed: int) -> Labels:
    """A block of a few labels."""
    return np.asfortranarray(np.random.default_rng(seed).integers(0, 9, (16, 16, 16), np.uint64))


def overwrite_until_gone(asker: Asker, where: str, acknowledged: list[int]) -> None:
    """Write three blocks over and over, merging now and then, until nobody answers."""
    while True:
        number = len(acknowledged)
        path = f"{where}/raw/0_1_2/16_16_16/{number % 3 * 16}_0_0?mutate=true"
        try:
            posted = asker.post(path, block(number).tobytes(order="F"))
            if number == 5:
                assert asker.post(f"{where}/merge", "[1, 2]").status == 200
        except (OSError, http.client.HTTPException):
            return
        assert posted.status == 200
        acknowledged.append(number)


def one_round(path: Path, seed: int) -> None:
    """Kill the server while it writes: the last acknowledged blocks are there, or one newer than
    that, and every size is that of the voxels."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        asker = Asker(child.stdout.readline().strip(), "secret")
        where = asker.instance(asker.repo(), "seg", "labelmap", MaxDownresLevel="1")
        # The first write of a process loads what encodes blocks.
        first = asker.post(f"{where}/raw/0_1_2/16_16_16/0_0_0", block(0).tobytes(order="F"))
        assert first.status == 200
        acknowledged: list[int] = [0]
        killer = threading.Timer(random.Random(seed).uniform(0.1, 0.5), child.kill)
        killer.start()
        overwrite_until_gone(asker, where, acknowledged)
        killer.join()
    with DevServer(path) as server:
        asker = Asker(server.url, "")
        body = asker.get(f"{where}/raw/0_1_2/48_16_16/0_0_0?supervoxels=true").body
        labels = np.frombuffer(body, "<u8").reshape((48, 16, 16), order="F")
        for place in range(min(3, len(acknowledged))):
            kept = labels[16 * place : 16 * place + 16]
            last = max(number for number in acknowledged if number % 3 == place)
            assert np.array_equal(kept, block(last)) or np.array_equal(kept, block(last + 3))
        sizes = asker.ask("GET", f"/api/{where}/sizes?supervoxels=true", str([*range(10)])).json()
        plain = counts_of(labels)
        assert sizes == [plain.get(label, 0) for label in range(10)]


def test_voxels_and_index_survive_a_kill(tmp_path: Path) -> None:
    one_round(tmp_path / "store.sqlite", 0)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 130))
def test_voxels_and_index_survive_many_kills(tmp_path: Path, seed: int) -> None:
    one_round(tmp_path / "store.sqlite", seed)


def test_damaged_blocks(asker: Asker) -> None:
    """A stream with a bit turned over is refused, or it is stored as what it now says."""
    where = asker.instance(asker.repo(), "seg", "labelmap")
    chance, taken = random.Random(7), 0
    for number in range(150):
        payload = bytearray(label_block.encode(block(number)))
        for _ in range(chance.randint(1, 3)):
            payload[chance.randrange(len(payload))] ^= 1 << chance.randrange(8)
        stream = bytearray(wire.pack((number, 0, 0), bytes(payload)))
        if number % 5 == 0:
            stream = stream[: chance.randrange(len(stream))]
        answer = asker.post(f"{where}/blocks", bytes(stream))
        assert answer.status in (200, 400), answer.text
        taken += answer.status == 200
    assert taken < 150
    body = asker.get(f"{where}/blocks/2400_16_16/0_0_0?compression=uncompressed").body
    voxels = np.concatenate([np.frombuffer(data, "<u8") for data in streamed(body)] or [[]])
    assert listed(asker, where) == counts_of(voxels.astype(np.uint64))


def streamed(body: bytes) -> list[bytes]:
    """The payloads of a block stream."""
    found = []
    while body:
        size = wire.HEADER.unpack_from(body)[3]
        found.append(body[16 : 16 + size])
        body = body[16 + size :]
    return found


WORDS = (
    *(
        "raw/0_1_2/16_16_16/0_0_0",
        "blocks/16_16_16/0_0_0",
        "blocks",
        "specificblocks",
        "label/1_2_3",
    ),
    *("labels", "sizes", "size/3", "sparsevol/3", "sparsevol-size/3", "sparsevol-coarse/3"),
    *("sparsevol-by-point/1_2_3", "supervoxels/3", "supervoxel-sizes/3", "lastmod/3", "index/3"),
    *("listlabels", "existing-labels", "mapping", "mappings", "merge", "cleave/3", "maxlabel"),
    *("nextlabel", "nextlabel/2", "ingest-supervoxels", "roi", "mask/0_1_2/9_9_9/0_0_0", "ptquery"),
)
VALUES = (
    "",
    "-1",
    "0",
    "1",
    "2",
    "255",
    "x",
    "18446744073709551616",
    "true",
    "lz4",
    "blocks",
    "rles",
)
KEYS = (
    *("scale", "compression", "format", "minx", "maxx", "minz", "maxy", "exact", "supervoxels"),
    *("start", "number", "sizes", "nolookup", "hash", "blocks", "mutate", "noindexing", "downres"),
)
BODIES = (
    *(b"", b"null", b"{}", b"[]", b"[1]", b"[1, 2]", b"[[1, 2, 3]]", b"[[[[", b'["a"]', b"[1e3]"),
    *(b"\x1f\x8b" * 9, b"\xff" * 40, bytes(32768), b"[0]", b"[18446744073709551615, 1]"),
    *(b"[[2147483647, -2147483648, 0]]", b"[[0, 0, 5, 2147483647]]", b"[" * 5000),
)


def test_nonsense(dev: DevServer, asker: Asker) -> None:
    """Requests of known words with unfitting values: an answer to each, and no fault inside."""
    uuid = asker.repo()
    seg = asker.instance(uuid, "seg", "labelmap", MaxDownresLevel="1")
    asker.instance(uuid, "some", "roi")
    posted = asker.post(f"{seg}/raw/0_1_2/16_16_16/0_0_0", block(1).tobytes(order="F"))
    assert posted.status == 200
    chance = random.Random(3)
    for _ in range(300):
        name = chance.choice(["seg", "seg", "seg", "some"])
        query = "&".join(
            f"{chance.choice(KEYS)}={chance.choice(VALUES)}" for _ in range(chance.randrange(3))
        )
        method = chance.choice(["GET", "GET", "POST", "POST", "HEAD", "PUT", "DELETE"])
        path = f"/api/node/{uuid}/{name}/{chance.choice(WORDS)}?{query}"
        answer = asker.ask(method, path, chance.choice(BODIES))
        told = (method, path, answer.body[:300])
        assert answer.status in (200, 204, 400, 404) or answer.body.startswith(
            (
                b"Panic detected on request dev/0:\nruntime error",
                b"Panic detected on request dev/0:\ni",
            )
        ), told
    assert asker.get(f"{seg}/info").status == 200


def test_many_clients_write_and_merge(asker: Asker) -> None:
    """Posts and merges at once: none is lost, and sizes are those of the voxels."""
    where = asker.instance(asker.repo(), "seg", "labelmap")
    answers: list[int] = []

    def work(part: int) -> None:
        for turn in range(6):
            labels = block(10 * part + turn) + np.uint64(10 * part)
            path = f"{where}/raw/0_1_2/16_16_16/{16 * part}_0_0?mutate=true"
            answers.append(asker.post(path, labels.tobytes(order="F")).status)
        merged = json.dumps([10 * part + 1, 10 * part + 2])
        answers.append(asker.post(f"{where}/merge", merged).status)

    threads = [threading.Thread(target=work, args=(part,)) for part in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 42
    body = asker.get(f"{where}/raw/0_1_2/96_16_16/0_0_0").body
    assert listed(asker, where) == counts_of(np.frombuffer(body, "<u8"))
