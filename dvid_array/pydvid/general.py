"""pydvid's `general`: the documents of a server, as JSON.

Owns nothing: each function is a view of `Server`.
"""

from __future__ import annotations

from typing import Any

from dvid_array.pydvid.connection import Connection, server

__all__ = ["get_repos_info", "get_server_info", "get_server_types"]


def get_repos_info(connection: Connection) -> dict[str, Any]:
    """The documents of all repos by the id of their root version (`GET /api/repos/info`)."""
    return {root: repo.info for root, repo in server(connection).repos().items()}


def get_server_info(connection: Connection) -> dict[str, str]:
    """What the server says of itself (`GET /api/server/info`)."""
    return dict(server(connection).info())


def get_server_types(connection: Connection) -> dict[str, str]:
    """Every data type the server can make, and where its source is."""
    return dict(server(connection).types())
