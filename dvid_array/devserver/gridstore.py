"""The blocks behind a GridStore proxy, for tests: nothing posts to them. Must not know HTTP."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dvid_array.box import BlockGrid, Box, triple
from dvid_array.devserver import boxes, catalog, instances
from dvid_array.devserver.blocks import Volume
from dvid_array.devserver.encoding import Codec
from dvid_array.devserver.store import Store
from dvid_array.protocol.voxels import Array, to_bytes


def fill(store: Store, name: str, uuid: str, instance: str, voxels: Array, *, jpeg: bool) -> None:
    """Keep voxels (x, y, z) from coordinate 0 on as the blocks of a proxied instance."""
    with store.writing() as db:
        version = catalog.resolve(db, uuid)
        which = instances.instance(db, version.repo, instance)
        if which.facts["gridstore"] != name:
            raise ValueError(
                f"instance {instance!r} has no GridStore {name!r} in its configuration"
            )
        grid = BlockGrid(which.block)
        box = grid.cover(Box.sized((0, 0, 0), voxels.shape))
        padded = np.zeros((1, *box.shape), which.kind.dtype, order="F")
        padded[(0, *Box.sized((0, 0, 0), triple(voxels.shape)).slices())] = voxels
        width = which.block[0]
        plain = replace(which, facts=which.facts | {"gridstore": "", "compression": "none"})
        how = replace(plain, facts=plain.facts | {"compression": "jpeg", "level": width})
        codec = Codec(how if jpeg else plain)
        data = to_bytes(padded, which.kind.dtype)
        volume = Volume(which.id, catalog.root_of(db, version.repo).id)
        volume.put(db, boxes.stored(codec, data, box))
