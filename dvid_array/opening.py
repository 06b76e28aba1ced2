"""`connect`, `open` and their like: where the floors are put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from dvid_array import addresses
from dvid_array.addresses import DataAddress
from dvid_array.array import DvidArray
from dvid_array.client import connections
from dvid_array.client.registry import Credentials
from dvid_array.client.transport import Transport
from dvid_array.doors import door, needing
from dvid_array.repository import Node, Server
from dvid_array.settings import DEFAULT, Settings

if TYPE_CHECKING:
    import requests
    import xarray

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
    if settings is not None and not isinstance(settings, Settings):
        raise TypeError(f"settings={settings!r}: it takes a dvid_array.Settings(...)")
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
    node, found = locate(
        address,
        version=version,
        instance=instance,
        scale=scale,
        supervoxels=supervoxels,
        server=server,
        token=token,
        settings=settings,
        needs=("version", "instance"),
    )
    return node.open(found.instance, scale=found.scale, supervoxels=found.supervoxels)


def locate(
    address: str,
    *,
    version: str | None = None,
    instance: str | None = None,
    scale: int = 0,
    supervoxels: bool = False,
    server: str | None = None,
    token: str | None = None,
    settings: Settings | None = None,
    needs: Sequence[str] = ("version",),
) -> tuple[Node, DataAddress]:
    """The version that an address names, and what else it says, as `open` takes it. The instance
    may be left open, and is "" then. One request, unless the version is a full id."""
    found = addresses.parse(
        address,
        version=version,
        instance=instance,
        scale=scale or None,
        supervoxels=supervoxels or None,
        server=server,
        needs=needs,
    )
    return connect(found.server, token=token, settings=settings)[found.version], found


def open_dataset(
    source: Any,
    *,
    chunks: Any = None,
    drop_variables: str | Iterable[str] | None = None,
    version: str | None = None,
    instance: str | Sequence[str] | None = None,
    scale: int = 0,
    supervoxels: bool = False,
    physical: bool = False,
    token: str | None = None,
    settings: Settings | None = None,
) -> xarray.Dataset:
    """Open volumes as a lazy xarray Dataset, one variable for each.

    ``xr.open_dataset(address, engine="dvid")`` does the same, but names dask arrays after the
    address alone; here the name follows the data, so that dask never takes old results of a
    version that is still open for new ones.

    Parameters
    ----------
    source : str, Node, DvidArray or sequence of DvidArray
        An address that `open` takes, or one of a version (``dvid://host:port/<version>``), all of
        whose volumes are shown; arrays that are open.
    chunks : optional
        Makes dask arrays, in chunks as `DvidArray.to_dask` makes them: ``{}`` or "auto", sizes
        (rounded up to whole blocks), or lengths; of some dims by name, ``{"x": 256}``. All
        variables have the same.
    drop_variables : str or iterable of str, optional
        Names to leave out, without opening them.
    version, scale, supervoxels, token, settings
        As in `open`.
    instance : str or sequence of str, optional
        What the address leaves open: one volume, or several.
    physical : bool
        Label voxels x, y, z by where they start in units of length, rather than by voxel.

    Raises
    ------
    ValueError
        Where volumes differ in voxel size, units, channels or scale, so that they share no grid.
    """
    made: xarray.Dataset = door("xarray").open_dataset(
        source,
        chunks=chunks,
        drop_variables=drop_variables,
        version=version,
        instance=instance,
        scale=scale,
        supervoxels=supervoxels,
        physical=physical,
        token=token,
        settings=settings,
    )
    return made


def open_datatree(
    source: Any,
    *,
    chunks: Any = None,
    drop_variables: str | Iterable[str] | None = None,
    version: str | None = None,
    instance: str | Sequence[str] | None = None,
    supervoxels: bool = False,
    physical: bool = False,
    token: str | None = None,
    settings: Settings | None = None,
) -> xarray.DataTree:
    """Open all scales of a volume as a lazy xarray DataTree: groups ``s0``, ``s1``, …

    Labels are voxels of scale 0 in all of them, so that ``tree.dvid.box(start, stop)`` takes the
    same place everywhere. Of a version, or several volumes, each has a group of its own above.

    Parameters
    ----------
    source, chunks, drop_variables, version, instance, supervoxels, physical, token, settings
        As in `open_dataset`.
    """
    made: xarray.DataTree = door("xarray").open_datatree(
        source,
        chunks=chunks,
        drop_variables=drop_variables,
        version=version,
        instance=instance,
        supervoxels=supervoxels,
        physical=physical,
        token=token,
        settings=settings,
    )
    return made


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
    with needing("server"):
        from dvid_array.devserver import DevServer

    return DevServer(path, host=host, port=port, admin_token=admin_token).start()
