"""The door to xarray: the engine "dvid", lazy Datasets and trees with signed voxel coordinates, and
the accessors `.dvid`, which are there as soon as this is imported."""

from dvid_array.adapters.xarray import accessors, trees
from dvid_array.adapters.xarray.engine import DvidBackend, open_dataset, open_datatree, to_xarray

__all__ = ["DvidBackend", "accessors", "open_dataset", "open_datatree", "to_xarray", "trees"]
