"""`dvid-array serve` in a process of its own: what it prints, keeps, and how it stops."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import dvid_array

pytestmark = pytest.mark.dev


@contextmanager
def serving(
    *words: str, token: str | None = None
) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The process, and the URL and admin token that it printed."""
    environment = {key: value for key, value in os.environ.items() if key != "DVID_ADMIN_TOKEN"}
    if token:
        environment["DVID_ADMIN_TOKEN"] = token
    command = [sys.executable, "-u", "-m", "dvid_array.cli", "serve", "--port", "0", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            admin = process.stdout.readline().split()[-1]
            yield process, url, admin
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_told_to_stop_and_keeps_its_store(
    tmp_path: Path, number: signal.Signals
) -> None:
    store = str(tmp_path / "store.sqlite")
    with serving("--store", store) as (process, url, admin):
        node = dvid_array.connect(url).create_repo("kept", admin_token=admin)
        node.create("gray", "uint8")[:, 0:9, 0:9, 0:9] = np.full((1, 9, 9, 9), 7, np.uint8)
        process.send_signal(number)
        assert process.wait(15) == 0
        assert process.stdout is not None
        assert process.stdout.read().splitlines()[-1] == "Stopped."
    # A clean end leaves one file: the log was worked into it.
    assert [file.name for file in tmp_path.iterdir()] == ["store.sqlite"]
    with serving("--store", store) as (_, url, _):
        assert (dvid_array.open(f"{url}/{node.uuid}/gray")[...] == 7).all()


def test_the_admin_token_of_the_environment_is_taken() -> None:
    with serving(token="a-token-of-mine") as (_, url, admin):
        assert admin == "a-token-of-mine"
        assert dvid_array.connect(url).create_repo("r", admin_token=admin).uuid


def test_a_port_that_is_taken_and_a_store_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "text.sqlite").write_text("this is no database, but a longer piece of text" * 99)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for words in (
            ["--port", port],
            ["--store", str(tmp_path / "text.sqlite"), "--port", "0"],
            ["--store", str(tmp_path / "no" / "folder.sqlite"), "--port", "0"],
        ):
            command = [sys.executable, "-m", "dvid_array.cli", "serve", *words]
            told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            assert told.returncode == 1, told
            assert len(told.stderr.splitlines()) == 1, told.stderr
