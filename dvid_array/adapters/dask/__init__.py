"""The door to dask: lazy arrays whose chunks are whole blocks, and what a cluster needs."""

from dvid_array.adapters.dask.graphs import to_dask

__all__ = ["to_dask"]
