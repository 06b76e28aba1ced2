"""A DVID volume as a numpy array: lazy, exact, fast, safe to write, ready for dask and xarray.

Names are loaded with their first use: importing the package costs no more than numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dvid_array.array import DvidArray, DvidWindow
    from dvid_array.box import Box
    from dvid_array.client.cache import CacheInfo
    from dvid_array.errors import (
        DvidAlignmentError,
        DvidBusyError,
        DvidConnectionError,
        DvidError,
        DvidExistsError,
        DvidLockedError,
        DvidNotFoundError,
        DvidPermissionError,
        DvidProtocolError,
        DvidRequestError,
        DvidServerError,
        DvidTimeoutError,
        DvidTooLargeError,
        DvidTypeError,
        DvidWriteError,
    )
    from dvid_array.opening import connect, open, open_dataset, open_datatree, serve
    from dvid_array.repository import Node, Repo, Server
    from dvid_array.rois import Roi
    from dvid_array.settings import Settings
    from dvid_array.sparse_volume import SparseVolume
    from dvid_array.storing import store
    from dvid_array.views import Plan

__version__ = "0.1.0"

_HOMES = {
    "DvidArray": "array",
    "DvidWindow": "array",
    "Box": "box",
    "CacheInfo": "client.cache",
    "connect": "opening",
    "open": "opening",
    "open_dataset": "opening",
    "open_datatree": "opening",
    "serve": "opening",
    "Node": "repository",
    "Repo": "repository",
    "Server": "repository",
    "Roi": "rois",
    "Settings": "settings",
    "SparseVolume": "sparse_volume",
    "store": "storing",
    "Plan": "views",
}

__all__ = [
    "Box",
    "CacheInfo",
    "DvidAlignmentError",
    "DvidArray",
    "DvidBusyError",
    "DvidConnectionError",
    "DvidError",
    "DvidExistsError",
    "DvidLockedError",
    "DvidNotFoundError",
    "DvidPermissionError",
    "DvidProtocolError",
    "DvidRequestError",
    "DvidServerError",
    "DvidTimeoutError",
    "DvidTooLargeError",
    "DvidTypeError",
    "DvidWindow",
    "DvidWriteError",
    "Node",
    "Plan",
    "Repo",
    "Roi",
    "Server",
    "Settings",
    "SparseVolume",
    "connect",
    "open",
    "open_dataset",
    "open_datatree",
    "serve",
    "store",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'dvid_array' has no attribute {name!r}")
    value = getattr(import_module(f"dvid_array.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
