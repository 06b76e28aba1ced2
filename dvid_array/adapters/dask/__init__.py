"""The door to dask: lazy arrays whose chunks are whole blocks, and what a cluster needs."""

from typing import TYPE_CHECKING, Any

from dvid_array.adapters.dask.graphs import to_dask
from dvid_array.adapters.dask.rois import roi_to_dask

if TYPE_CHECKING:
    from dvid_array.adapters.dask.credentials import CredentialPlugin

__all__ = ["CredentialPlugin", "roi_to_dask", "to_dask"]


def __getattr__(name: str) -> Any:
    """What needs distributed is loaded with its first use."""
    if name != "CredentialPlugin":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dvid_array.adapters.dask.credentials import CredentialPlugin

    return CredentialPlugin


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
