"""The server every test talks to: the embedded one, or the DVID named by `--dvid-url`."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import dvid_array
from dvid_array.client import connections, registry

settings.register_profile(
    "default",
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--dvid-url",
        default=None,
        help="run the suite on this DVID (admin token from DVID_ADMIN_TOKEN) "
        "instead of the embedded development server",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On another server, tests about the development server itself are not selected."""
    if config.getoption("--dvid-url") is None:
        return
    about_dev = [item for item in items if item.get_closest_marker("dev")]
    config.hook.pytest_deselected(items=about_dev)
    items[:] = [item for item in items if item not in about_dev]


@dataclass(frozen=True)
class Dvid:
    """The server under test."""

    url: str
    admin_token: str
    real: bool


@pytest.fixture(scope="session")
def dvid(request: pytest.FixtureRequest) -> Iterator[Dvid]:
    url = request.config.getoption("--dvid-url")
    if url:
        yield Dvid(url.rstrip("/"), os.environ.get("DVID_ADMIN_TOKEN", ""), real=True)
        return
    with dvid_array.serve() as running:
        yield Dvid(running.url, running.admin_token, real=False)


@pytest.fixture
def server(dvid: Dvid) -> dvid_array.Server:
    return dvid_array.connect(dvid.url, admin_token=dvid.admin_token)


@pytest.fixture
def node(server: dvid_array.Server) -> dvid_array.Node:
    """The open root version of a repo of its own."""
    return server.create_repo(f"test-{uuid.uuid4().hex[:12]}", "made by a test")


@pytest.fixture
def filled(node: dvid_array.Node) -> Callable[..., tuple[dvid_array.DvidArray, np.ndarray]]:
    """Makes a volume of random voxels, and the numpy array of the same voxels: the oracle."""

    def make(
        dtype: str = "uint8",
        shape: tuple[int, ...] = (1, 64, 96, 128),
        block: tuple[int, int, int] = (32, 32, 32),
        name: str = "volume",
        **options: Any,
    ) -> tuple[dvid_array.DvidArray, np.ndarray]:
        array = node.create(name, dtype, channels=shape[0], block=block, **options)
        rng = np.random.default_rng(7)
        truth = np.asfortranarray(rng.integers(1, 200, shape).astype(dtype))
        array[tuple(slice(0, n) for n in shape)] = truth
        return array, truth

    return make


@dataclass(frozen=True)
class Sent:
    """One request that left this process."""

    method: str
    path: str
    query: dict[str, str]

    @property
    def action(self) -> str:
        """The endpoint's word below the instance."""
        parts = self.path.split("/")
        return parts[5] if len(parts) > 5 else parts[-1]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Sent]:
    """Every request that is really sent, as its connection sees it."""
    log: list[Sent] = []
    send = connections.Cuttable.request

    def recorded(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        parts = urlsplit(url)
        log.append(Sent(method, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True))))
        send(self, method, url, *args, **kwargs)

    monkeypatch.setattr(connections.Cuttable, "request", recorded)
    return log


@pytest.fixture(autouse=True)
def _no_leaked_threads() -> Iterator[None]:
    """Threads of a read or write end with it."""
    yield
    end = time.monotonic() + 3
    while time.monotonic() < end:
        left = [thread for thread in threading.enumerate() if thread.name == "dvid_array"]
        if not left:
            return
        time.sleep(0.02)
    pytest.fail(f"threads are left over: {left}")


@pytest.fixture
def _fresh_process_state() -> Iterator[None]:
    """Sessions and credentials as in a new process."""
    registry.reset()
    yield
    registry.reset()
