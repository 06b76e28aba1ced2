"""Connections: one pooled session an origin, and the means to cut a connection that stalls.

Owns sessions. Must not know calls or paths.
"""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import fields, replace
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from dvid_array.addresses import loopback
from dvid_array.client import flights
from dvid_array.client.registry import Credentials, Origin, state
from dvid_array.settings import Settings

CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Where requests looks for certificates to trust."""


def introduce(origin: str, session: requests.Session | None, credentials: Credentials) -> None:
    """Keep what a caller brings for an origin: credentials, and a session of its own."""
    known = state().origins.get(origin, Origin)
    given = {field.name: getattr(credentials, field.name) for field in fields(credentials)}
    known.credentials = replace(
        known.credentials, **{name: value for name, value in given.items() if value is not None}
    )
    if session is not None:
        known.session = session


def session(origin: str, settings: Settings) -> requests.Session:
    """The session for an origin: the caller's own where one was introduced, else the process's."""
    own: requests.Session | None = state().origins.get(origin, Origin).session
    if own is not None:
        return own
    key = (
        origin,
        settings.threads,
        settings.tls_verify,
        settings.ca_bundle,
        settings.post_timeout,
    )
    made: requests.Session = state().sessions.get(key, lambda: _session(origin, settings))
    return made


def _session(origin: str, settings: Settings) -> requests.Session:
    made = requests.Session()
    made.trust_env = False  # netrc would send somebody's password
    if not loopback(origin):
        made.proxies.update(requests.utils.get_environ_proxies(origin))
    bundle = settings.ca_bundle or next(filter(None, map(os.environ.get, CA_VARIABLES)), True)
    made.verify = bundle if settings.tls_verify else False
    adapter = _Adapter(settings)
    made.mount("http://", adapter)
    made.mount("https://", adapter)
    return made


class Cuttable:
    """A connection that leaves with this thread's crew how to cut it, whenever a request is sent,
    and that sends with the patience of a post: left alone, urllib3 gives a body no more time than
    connecting may take."""

    sock: socket.socket | None
    patience: float

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]
        if crew := flights.current():
            crew.watch(self.cut)
        self.timeout = self.patience
        super().request(*args, **kwargs)  # type: ignore[misc]

    def cut(self) -> None:
        """Wake whoever waits on the connection; it is good for nothing afterwards."""
        if (sock := self.sock) is not None:
            with contextlib.suppress(OSError):
                # TLS's own shutdown would take the socket from under its reader
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Adapter(HTTPAdapter):
    """requests' adapter on pools of such connections, directly and through a proxy."""

    def __init__(self, settings: Settings) -> None:
        self._pools = {
            "http": _pool(HTTPConnectionPool, HTTPConnection, settings.post_timeout),
            "https": _pool(HTTPSConnectionPool, HTTPSConnection, settings.post_timeout),
        }
        super().__init__(pool_maxsize=max(16, 4 * settings.threads), max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _pool(pool: type, connection: type, patience: float) -> Any:
    cuttable = type(connection.__name__, (Cuttable, connection), {"patience": patience})
    return type(pool.__name__, (pool,), {"ConnectionCls": cuttable})
