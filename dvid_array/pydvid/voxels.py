"""pydvid's `voxels`: volumes made, described and accessed.

Owns names; `metadata` and `accessor` hold what they mean.
"""

from __future__ import annotations

from dvid_array.pydvid.accessor import VoxelsAccessor
from dvid_array.pydvid.connection import Connection, server
from dvid_array.pydvid.metadata import VoxelsMetadata

__all__ = ["VoxelsAccessor", "VoxelsMetadata", "create_new", "get_metadata"]


def create_new(
    connection: Connection, uuid: str, data_name: str, voxels_metadata: VoxelsMetadata
) -> None:
    """Make a volume as its metadata say: type, block, resolution, units and shape.

    Parameters
    ----------
    connection : http.client.HTTPConnection or str
        The server; a URL or ``host:port`` will do.
    uuid : str
        The version, as everywhere: an id, the beginning of one, or a branch expression.
    data_name : str
        Unique in the whole repo.
    voxels_metadata : VoxelsMetadata
        See `VoxelsMetadata.create_default_metadata`.

    Raises
    ------
    ValueError
        For what DVID cannot make: the message names it.
    DvidExistsError, DvidLockedError, DvidNotFoundError
        Where the name is taken, the version committed, or there is no such version.
    """
    node = server(connection)[uuid]
    node.create(data_name, voxels_metadata.dtype, **voxels_metadata.settings())


def get_metadata(connection: Connection, uuid: str, data_name: str) -> VoxelsMetadata:
    """The metadata of a volume at a version."""
    return VoxelsMetadata.of(server(connection)[uuid][data_name])
