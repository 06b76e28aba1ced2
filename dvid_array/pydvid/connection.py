"""What pydvid's functions take for a connection -> a `Server`.

A connection is only read, never used: requests go through the package's own pooled sessions.
"""

from __future__ import annotations

from dataclasses import replace
from http.client import HTTPS_PORT, HTTPConnection
from typing import Any

from dvid_array.opening import connect
from dvid_array.repository import Server
from dvid_array.settings import DEFAULT, Settings

Connection = HTTPConnection | str
"""An `http.client` connection, a URL, or ``host:port``."""


def server(connection: Connection, settings: Settings = DEFAULT) -> Server:
    """The server at the other end of a connection. No request is made.

    Parameters
    ----------
    connection : http.client.HTTPConnection, HTTPSConnection or str
        An object with `host` and `port`, a URL, or ``host:port``. The timeout of an object bounds
        connecting; certificates are checked as `settings` say, not by its own TLS context.
    settings : Settings, optional
        How requests are made.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(connection, str):
        return connect(connection, settings=settings)
    host, port = getattr(connection, "host", None), getattr(connection, "port", None)
    if not isinstance(host, str) or not isinstance(port, int):
        raise TypeError(
            f"a connection is an http.client.HTTPConnection, a URL or 'host:port', "
            f"not {connection!r}"
        )
    scheme = "https" if getattr(connection, "default_port", None) == HTTPS_PORT else "http"
    name = f"[{host}]" if ":" in host else host
    return connect(f"{scheme}://{name}:{port}", settings=_timed(settings, connection))


def _timed(settings: Settings, connection: Any) -> Settings:
    """A connection made without a timeout has an object there that stands for none."""
    timeout = getattr(connection, "timeout", None)
    if isinstance(timeout, int | float) and timeout > 0:
        return replace(settings, connect_timeout=float(timeout))
    return settings
