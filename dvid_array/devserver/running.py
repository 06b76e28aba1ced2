"""Starting and stopping the server, in a thread. Must not know DVID."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import socket
import threading
import warnings
from os import PathLike
from types import TracebackType
from typing import Self

import anyio.to_thread
import numpy as np
import uvicorn

from dvid_array.devserver import gridstore
from dvid_array.devserver.app import App
from dvid_array.devserver.journal import Request
from dvid_array.devserver.service import MAX_BODY_BYTES, Service
from dvid_array.devserver.store import Store
from dvid_array.devserver.wire import HEADER_BYTES, Protocol
from dvid_array.errors import DvidConnectionError
from dvid_array.protocol.voxels import Array

THREADS = 64
"""Requests that can be worked on at once; more wait."""
GRACE_SECONDS = 5
LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))


class DevServer:
    """A small DVID in a thread of this process, on SQLite.

    Parameters
    ----------
    path : path, optional
        The store, a SQLite file, made where there is none. None makes a temporary store, which is
        removed by `stop`.
    host : str, optional
        Address to listen at; any but loopback lets others read and write, and warns.
    port : int, optional
        Port to listen at; 0 takes a free one.
    admin_token : str, optional
        What grants admin rights (creating repos); random unless given.
    max_body : int, optional
        Longest request body in bytes.
    read_only : bool, optional
        Answer only GET and HEAD, as a DVID started with `-readonly`.

    Raises
    ------
    OSError
        By `start`, where the store or the address cannot be used.

    Examples
    --------
    >>> with DevServer() as server:
    ...     print(server.url)  # doctest: +SKIP
    http://127.0.0.1:41234
    """

    def __init__(
        self,
        path: str | PathLike[str] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        admin_token: str | None = None,
        max_body: int = MAX_BODY_BYTES,
        read_only: bool = False,
    ) -> None:
        self._path = path
        self._host = host
        self._port = port
        self.admin_token = admin_token or secrets.token_urlsafe(18)
        self._max_body = max_body
        self._read_only = read_only
        self._gridstores: set[str] = set()
        self._lock = threading.RLock()
        self._store: Store | None = None
        self._app: App | None = None
        self._socket: socket.socket | None = None
        self._server: _Uvicorn | None = None
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<DevServer {self.url if self._socket else 'stopped'}>"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where the server answers."""
        if self._socket is None:
            raise DvidConnectionError("the development server is not running: call start() first")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._socket.getsockname()[1]}"

    @property
    def requests(self) -> tuple[Request, ...]:
        """The latest 10,000 requests in order; one is here when its client has the answer."""
        return self._app.journal.latest() if self._app else ()

    def clear_requests(self) -> None:
        """Forget the requests so far."""
        if self._app:
            self._app.journal.clear()

    def start(self) -> Self:
        """Start, unless it runs."""
        with self._lock:
            if self._thread is None:
                server, listening = self._open()
                self._thread = threading.Thread(
                    target=server.run_on, args=(listening,), name="dvid devserver", daemon=True
                )
                self._thread.start()
                server.ready.wait()
                if not server.started:
                    self.stop()
                    raise OSError("the development server could not start; see the log of uvicorn")
        return self

    def stop(self) -> None:
        """Stop, unless it does not run; running answers get a few seconds to finish."""
        with self._lock:
            if self._server and self._thread:
                self._server.should_exit = True
                self._thread.join()
            self._close()

    def add_gridstore(self, name: str) -> None:
        """Let new instances proxy a read-only store of that name (`GridStore` of their
        configuration); `fill_gridstore` fills it."""
        self._gridstores.add(name)

    def fill_gridstore(
        self, name: str, uuid: str, instance: str, voxels: Array, *, jpeg: bool = True
    ) -> None:
        """Fill the read-only store behind an instance, which nothing can be posted to.

        Parameters
        ----------
        name : str
            The store's name, which the instance's configuration must hold.
        uuid : str
            A version of the instance's repo.
        instance : str
            The instance.
        voxels : array
            Gray voxels (x, y, z) from coordinate 0 on; blocks at the far faces are filled with 0.
        jpeg : bool, optional
            Whether blocks are kept as JPEG, as such stores do, or as plain bytes.
        """
        self.add_gridstore(name)
        if self._store is None:
            raise DvidConnectionError("the development server is not running: call start() first")
        gridstore.fill(self._store, name, uuid, instance, np.asarray(voxels), jpeg=jpeg)

    def _open(self) -> tuple[_Uvicorn, socket.socket]:
        self._warn()
        self._store = store = Store(self._path)
        try:
            self._socket = listening = _listen(self._host, self._port)
        except BaseException:
            self._close()
            raise
        service = Service(
            store,
            self.admin_token,
            authority=f"{self._host}:{listening.getsockname()[1]}",
            read_only=self._read_only,
            max_body=self._max_body,
            gridstores=self._gridstores,
        )
        hosts = LOOPBACK | {self._host} if _is_loopback(self._host) else None
        self._app = App(service, hosts)
        self._server = _Uvicorn(self._app)
        return self._server, listening

    def _warn(self) -> None:
        if not _is_loopback(self._host):
            warnings.warn(
                f"the development server listens at {self._host}: whoever reaches this machine can "
                "read and write the store, since it asks for no credentials",
                UserWarning,
                stacklevel=4,
            )

    def _close(self) -> None:
        if self._socket:
            self._socket.close()
        if self._store:
            self._store.close()
        self._socket = self._store = self._server = self._thread = None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port < 1 << 16:
        raise OSError(f"{port} is no port; choose another one, up to 65535 (0 takes a free one)")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=2048)
        # Connections inherit it. asyncio sets it only on sockets that were made with a protocol
        # number, and without it every answer in two parts waits 40 ms for an acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as fault:
        raise OSError(
            f"cannot listen at {host}:{port}: {fault.strerror or fault}; choose another port "
            "(0 takes a free one)"
        ) from fault


class _Uvicorn(uvicorn.Server):
    """A uvicorn that runs in any thread, on a socket that is open already."""

    def __init__(self, app: App) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Protocol,
                ws="none",
                lifespan="off",
                h11_max_incomplete_event_size=HEADER_BYTES,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
                timeout_keep_alive=75,
            )
        )
        self.ready = threading.Event()

    def run_on(self, listening: socket.socket) -> None:
        """Serve until told to exit."""
        try:
            with asyncio.Runner() as runner:
                runner.run(self._serve_on(listening))
        finally:
            self.ready.set()

    async def _serve_on(self, listening: socket.socket) -> None:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        await self._serve([listening])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self.ready.set()
