"""Starting, stopping, and what must not be left behind."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from pathlib import Path

import psutil
import pytest

from dvid_array.devserver import DevServer
from dvid_array.errors import DvidConnectionError
from tests.devserver.conftest import Asker

pytestmark = pytest.mark.dev


def test_it_answers_and_stops() -> None:
    server = DevServer()
    assert "stopped" in repr(server)
    with pytest.raises(DvidConnectionError, match="start"):
        _ = server.url
    with server as running:
        assert running is server
        assert server.start() is server
        assert Asker(server.url, "").get("heartbeat").body == b"OK"
        assert server.url in repr(server)
        address = Asker(server.url, "").address
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=1).close()
    assert [request.path for request in server.requests] == ["/api/heartbeat"]


def test_a_stopped_server_starts_again(tmp_path: Path) -> None:
    server = DevServer(tmp_path / "store.sqlite")
    with server:
        uuid = Asker(server.url, server.admin_token).repo()
    with server:
        assert Asker(server.url, "").get(f"repo/{uuid}/info").status == 200


def test_tokens_are_random_unless_given() -> None:
    assert DevServer().admin_token != DevServer().admin_token
    assert DevServer(admin_token="mine").admin_token == "mine"


def test_a_store_outlives_its_server(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with DevServer(path) as server:
        asker = Asker(server.url, server.admin_token)
        where = asker.instance(asker.repo())
        assert asker.post(f"{where}/raw/0_1_2/16_16_16/0_0_0", b"\7" * 4096).status == 200
    with DevServer(str(path)) as server:
        answer = Asker(server.url, "").get(f"{where}/raw/0_1_2/16_16_16/0_0_0")
        assert answer.body == b"\7" * 4096


def test_a_temporary_store_is_removed() -> None:
    with DevServer() as server:
        assert server._store is not None
        path = server._store.path
        assert path.exists()
    assert not path.parent.exists()


def test_nothing_is_leaked(tmp_path: Path) -> None:
    process = psutil.Process()

    def once(number: int) -> None:
        with DevServer(tmp_path / f"{number}.sqlite") as server:
            asker = Asker(server.url, server.admin_token)
            where = asker.instance(asker.repo())
            workers = [
                threading.Thread(target=asker.get, args=(f"{where}/info",)) for _ in range(8)
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()

    once(0)
    before = (process.num_fds(), threading.active_count())
    for number in range(1, 4):
        once(number)
    assert (process.num_fds(), threading.active_count()) <= before


def test_stopping_with_clients_connected() -> None:
    with DevServer() as server:
        line = socket.create_connection(Asker(server.url, "").address)
        begun = time.monotonic()
    assert time.monotonic() - begun < 10
    line.close()


def test_other_hosts_warn() -> None:
    server = DevServer(host="0.0.0.0")
    try:
        with pytest.warns(UserWarning, match="no credentials"):
            server.start()
        port = server.url.rpartition(":")[2]
        answer = Asker(f"http://127.0.0.1:{port}", "").ask(
            "GET", "/api/heartbeat", Host="some.name"
        )
        assert answer.status == 200
    finally:
        server.stop()


def test_a_taken_port() -> None:
    with DevServer() as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(OSError, match="choose another port"):
            DevServer(port=port).start()
    with pytest.raises(OSError, match="99999 is no port"):
        DevServer(port=99999).start()


def test_two_servers_in_one_program() -> None:
    with DevServer() as one, DevServer() as other:
        uuid = Asker(one.url, one.admin_token).repo()
        assert Asker(other.url, "").get(f"repo/{uuid}/info").status == 400


# --- stores that cannot be used ------------------------------------------------------------------


def test_no_database(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("something else entirely" * 100)
    with pytest.raises(OSError, match=r"not a database.*choose a path"):
        DevServer(path).start()
    assert path.read_text().startswith("something else")


def test_the_database_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE mine (x)")
    other.commit()
    other.close()
    with pytest.raises(OSError, match="another program"):
        DevServer(path).start()


def test_the_store_of_another_release(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with DevServer(path):
        pass
    changed = sqlite3.connect(path)
    changed.execute("PRAGMA user_version = 99")
    changed.close()
    with pytest.raises(OSError, match="format 99"):
        DevServer(path).start()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="unable to open"):
        DevServer(tmp_path / "nowhere" / "store.sqlite").start()
    with pytest.raises(OSError, match="choose a path"):
        DevServer(tmp_path).start()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_read_only_file(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with DevServer(path):
        pass
    path.chmod(0o444)
    with pytest.raises(OSError, match="readonly"):
        DevServer(path).start()
