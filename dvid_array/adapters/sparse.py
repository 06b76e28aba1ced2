"""The door to pydata/sparse. Owns nothing but the way of its coordinates."""

from __future__ import annotations

import sparse

from dvid_array.box import Box
from dvid_array.sparse_volume import SparseVolume


def to_sparse(volume: SparseVolume, box: Box) -> sparse.COO:
    """The part of a volume in a box; see `SparseVolume.to_sparse`."""
    places = volume.clip(box).voxels() - box.start
    return sparse.COO(places.T, data=True, shape=box.shape, has_duplicates=False, fill_value=False)
