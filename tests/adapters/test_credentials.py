"""The plugin by itself, in one process; `test_cluster` has it on a cluster."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from dvid_array.adapters import dask as door
from dvid_array.adapters.dask import CredentialPlugin
from dvid_array.client import connections, registry
from dvid_array.client.registry import Credentials, Origin

SERVER = "https://dvid.example.org"
OTHER = "https://other.example.org"
THIRD = "https://third.example.org"
WORKER: Any = None
"""The plugin asks nothing of its worker."""


def kept(server: str) -> Credentials:
    return registry.state().origins.get(server, Origin).credentials


def test_it_gives_and_takes_back() -> None:
    connections.introduce(SERVER, None, Credentials("mine", "my-admin-token"))
    plugin = pickle.loads(pickle.dumps(CredentialPlugin(f"{SERVER}/", token="theirs", user="me")))
    plugin.setup(WORKER)
    assert kept(SERVER) == Credentials("theirs", "my-admin-token", "me")
    plugin.teardown(WORKER)
    assert kept(SERVER) == Credentials("mine", "my-admin-token")


@pytest.mark.parametrize("order", [1, -1])
def test_workers_of_one_process_leave_nothing(order: int) -> None:
    """Each has a copy of the plugin; whichever goes first."""
    connections.introduce(THIRD, None, Credentials("mine"))
    plugins = [CredentialPlugin(THIRD, token="theirs") for _ in range(2)]
    for plugin in plugins:
        plugin.setup(WORKER)
    assert kept(THIRD) == Credentials("theirs")
    for plugin in plugins[::order]:
        plugin.teardown(WORKER)
    assert kept(THIRD) == Credentials("mine")


def test_what_was_changed_since_stays() -> None:
    plugin = CredentialPlugin(THIRD, token="theirs")
    plugin.setup(WORKER)
    connections.introduce(THIRD, None, Credentials("newer"))
    plugin.teardown(WORKER)
    assert kept(THIRD) == Credentials("newer")


def test_a_file_is_read_on_the_worker(tmp_path: Path) -> None:
    file = tmp_path / "token"
    plugin = CredentialPlugin(OTHER, token_file=file)
    with pytest.raises(FileNotFoundError, match="token"):
        plugin.setup(WORKER)
    plugin.teardown(WORKER)
    assert kept(OTHER) == Credentials()
    file.write_text("from the file\n")
    assert b"from the file" not in pickle.dumps(plugin)
    plugin.setup(WORKER)
    assert kept(OTHER).token == "from the file"


def test_what_it_shows_and_refuses() -> None:
    plugin = CredentialPlugin(SERVER, token="hush", admin_token="hush too")
    assert "hush" not in repr(plugin)
    assert plugin.name == f"dvid credentials {SERVER}"
    with pytest.raises(ValueError, match="not both"):
        CredentialPlugin(SERVER, token="hush", token_file="token")
    with pytest.raises(AttributeError, match="nonsense"):
        door.nonsense  # noqa: B018
