"""`connect`, `open` and `serve`: where the floors are put together."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

from dvid_array import addresses
from dvid_array.array import DvidArray
from dvid_array.client import connections
from dvid_array.client.registry import Credentials
from dvid_array.client.transport import Transport
from dvid_array.repository import Server
from dvid_array.settings import DEFAULT, Settings

if TYPE_CHECKING:
    import requests

    from dvid_array.devserver import DevServer


def connect(
    server: str,
    *,
    token: str | None = None,
    session: requests.Session | None = None,
    user: str | None = None,
    app: str | None = None,
    admin_token: str | None = None,
    settings: Settings | None = None,
) -> Server:
    """A server to look around in. No request is made.

    Parameters
    ----------
    server : str
        Its address, as ``http://host:port`` or ``host:port``.
    token : str, optional
        Sent as a bearer token; else `DVID_TOKEN`. Kept per server, sent only there.
    session : requests.Session, optional
        Used as it is for all requests to this server.
    user, app : str, optional
        Who asks, for the server's log; else `DVID_USER` or the login name, and ``dvid_array``.
    admin_token : str, optional
        Sent only with calls that need it; else `DVID_ADMIN_TOKEN`.
    settings : Settings, optional
        Timeouts, sizes and guards.
    """
    origin = addresses.origin(server)
    connections.introduce(origin, session, Credentials(token, admin_token, user, app))
    return Server(Transport(origin, settings or DEFAULT))


def open(
    address: str,
    *,
    version: str | None = None,
    instance: str | None = None,
    scale: int = 0,
    supervoxels: bool = False,
    server: str | None = None,
    token: str | None = None,
    settings: Settings | None = None,
) -> DvidArray:
    """Open a volume as an array. Three requests at most, and no voxel.

    Parameters
    ----------
    address : str
        ``http://host:port/<version>/<instance>``, the same without scheme, behind ``dvid://``, as
        Neuroglancer writes it, or a URL of DVID's API. A version is an id, the beginning of one,
        ``id:branch``, ``id:branch~n`` or ``:branch``; it is resolved once, now.
    version, instance, server : str, optional
        What the address leaves open.
    scale : int
        Scale of a multi-scale label volume.
    supervoxels : bool
        Labels before merges.
    token : str, optional
        Bearer token; else `DVID_TOKEN`.
    settings : Settings, optional
        Timeouts, sizes and guards.

    Returns
    -------
    DvidArray
        Axes channel, x, y, z.

    Raises
    ------
    ValueError
        For an address that is incomplete, or that a keyword contradicts.
    DvidNotFoundError, DvidTypeError, DvidConnectionError
        For what the server does not have, what is no volume, and a server that does not answer.
    """
    found = addresses.parse(
        address,
        version=version,
        instance=instance,
        scale=scale or None,
        supervoxels=supervoxels or None,
        server=server,
    )
    node = connect(found.server, token=token, settings=settings)[found.version]
    return node.open(found.instance, scale=found.scale, supervoxels=found.supervoxels)


def serve(
    path: str | PathLike[str] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    admin_token: str | None = None,
) -> DevServer:
    """Start the embedded development server; a context manager that stops it.

    Parameters
    ----------
    path : path, optional
        SQLite file that keeps the data; else it is gone when the server stops.
    host : str
        Loopback, unless you mean to be reached from elsewhere.
    port : int
        0 takes any free one.
    admin_token : str, optional
        What clients must show to create repos; else a random one, see `.admin_token`.
    """
    from dvid_array.devserver import DevServer

    return DevServer(path, host=host, port=port, admin_token=admin_token).start()
