"""Connections: one pooled session an origin, and the means to cut a connection that stalls.

Owns sessions. Must not know calls or paths.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from dvid_array.addresses import loopback
from dvid_array.client import flights
from dvid_array.client.registry import Credentials, Origin, state
from dvid_array.settings import Settings


def introduce(origin: str, session: requests.Session | None, credentials: Credentials) -> None:
    """Keep what a caller brings for an origin: credentials, and a session of its own."""
    known = state().origins.get(origin, Origin)
    if credentials != Credentials():
        known.credentials = credentials
    if session is not None:
        state().sessions.put(("own", origin), session)


def session(origin: str, settings: Settings) -> requests.Session:
    """The session for an origin: the caller's own where one was introduced, else the process's."""
    own: requests.Session | None = state().sessions.get(("own", origin), lambda: None)
    if own is not None:
        return own
    key = (origin, settings.threads, settings.tls_verify, settings.ca_bundle)
    made: requests.Session = state().sessions.get(key, lambda: _session(origin, settings))
    return made


def _session(origin: str, settings: Settings) -> requests.Session:
    made = requests.Session()
    made.trust_env = False  # netrc would send somebody's password
    if not loopback(origin):
        made.proxies.update(requests.utils.get_environ_proxies(origin))
    bundle = settings.ca_bundle or os.environ.get("REQUESTS_CA_BUNDLE")
    made.verify = (bundle or True) if settings.tls_verify else False
    adapter = _Adapter(pool_maxsize=max(16, 4 * settings.threads), max_retries=0)
    made.mount("http://", adapter)
    made.mount("https://", adapter)
    return made


class Cuttable:
    """Leaves with this thread's crew how to cut the connection, whenever a request is sent."""

    sock: socket.socket | None

    def request(self, *args: Any, **kwargs: Any) -> None:
        if crew := flights.current():
            crew.watch(self.cut)
        super().request(*args, **kwargs)  # type: ignore[misc]

    def cut(self) -> None:
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


class _Http(Cuttable, HTTPConnection):
    pass


class _Https(Cuttable, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


class _Adapter(HTTPAdapter):
    """requests' adapter on pools whose connections can be cut."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
