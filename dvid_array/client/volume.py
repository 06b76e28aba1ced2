"""One data instance at one version and scale: its facts, and the way to its voxels.

Owns what a volume is; `reading` and `writing` move its voxels. Must not know numpy keys, dask or
xarray.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dvid_array.box import BlockGrid, Box
from dvid_array.client import registry
from dvid_array.client.catalog import Catalog
from dvid_array.client.masks import Body
from dvid_array.client.regions import Region
from dvid_array.client.transport import Transport
from dvid_array.once import once
from dvid_array.protocol.documents import Instance
from dvid_array.scales import rescaled
from dvid_array.settings import Settings


@dataclass(frozen=True)
class Volume:
    """A data instance at a version and scale. Picklable: it holds facts and settings only."""

    transport: Transport
    """The server."""
    uuid: str
    """Full id of the version."""
    instance: Instance
    """Facts as they were when it was opened."""
    locked: bool
    """Whether the version was committed when it was opened."""
    scale: int = 0
    """Scale of a multi-scale label volume: voxels are 2^scale times as long."""
    supervoxels: bool = False
    """Whether labels are read before merges."""
    regions: tuple[Region, ...] = ()
    """Where its voxels are seen; elsewhere they are 0."""
    body: Body | None = None
    """The body whose mask this is; None for the voxels themselves."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type."""
        return np.dtype(bool) if self.body else self.instance.kind.dtype

    def __setstate__(self, facts: dict[str, Any]) -> None:
        """Whoever made this had answers of the server: here too it is worth waiting for."""
        self.__dict__.update(facts)
        registry.state().origins.get(self.transport.origin, registry.Origin).answered = True

    @property
    def settings(self) -> Settings:
        """How requests are made."""
        return self.transport.settings

    @property
    def catalog(self) -> Catalog:
        """The server's documents."""
        return Catalog(self.transport)

    @property
    def query(self) -> dict[str, str]:
        """Query arguments of every request for its voxels."""
        throttle = {"throttle": "on"} if self.settings.server_throttle else {}
        return dict(self.settings.query) | throttle

    @property
    def masked_by(self) -> str | None:
        """Name of the region of interest that the server masks voxels with."""
        return dict(self.settings.query).get("roi")

    @property
    def key(self) -> tuple[str, str]:
        """What names this data on any server: version and data id."""
        return self.uuid, self.instance.data_uuid

    @once
    def grid(self) -> BlockGrid:
        """The grid of stored blocks; the same number of voxels at every scale."""
        return BlockGrid(self.instance.block)

    @property
    def voxel_bytes(self) -> int:
        """Bytes of one voxel, all channels together."""
        return self.instance.kind.dtype.itemsize * self.instance.kind.channels

    @property
    def extents(self) -> Box | None:
        """Reported extents in voxels of this scale."""
        box = self.instance.extents
        return None if box is None else rescaled(box, self.scale)

    @property
    def shared_extents(self) -> registry.Extents:
        """What all writers of this process know of the extents (at scale 0)."""
        return registry.state().extents.get(
            self.key, lambda: registry.Extents(self.instance.extents)
        )

    @property
    def identity(self) -> tuple[object, ...]:
        """What names the data, the same in every process; on an open version only together with
        `changes`."""
        instance = self.instance
        return (
            "dvid_array",
            self.transport.origin,
            self.uuid,
            instance.name,
            instance.data_uuid,
            instance.kind.name,
            self.scale,
            self.supervoxels,
            self.masked_by,
            *(region.token for region in self.regions),
            (self.body.label, self.body.blocks) if self.body else None,
        )

    def changes(self) -> int | None:
        """What grows when the data of an open version may have changed: the repo's mutation count,
        one request. None of a committed one."""
        return None if self.locked else self.catalog.repo(self.uuid).mutation_id

    def token(self, *view: object) -> tuple[object, ...]:
        """What names the data of a view: the same in every process, and other when it may have
        changed. One request on an open version."""
        return (*self.identity, self.changes(), *view)

    def refreshed(self) -> Volume:
        """The same volume with extents and lock state as they are now."""
        found = self.catalog.instance(self.uuid, self.instance.name)
        locked = self.locked or self.catalog.locked(self.uuid)
        record = self.shared_extents
        with record.lock:
            if not record.pending:
                record.box = found.extents
        return replace(self, instance=found, locked=locked)

    def at_scale(self, scale: int) -> Volume:
        """The same volume at another of its scales."""
        body = self.body and self.body.rescaled(scale - self.scale)
        return replace(self, scale=scale, body=body)

    def unmerged(self) -> Volume:
        """The same labels as they are stored, before merges."""
        return replace(self, supervoxels=True)

    def unmasked(self) -> Volume:
        """The same voxels, whatever region of interest they are masked with."""
        query = tuple(pair for pair in self.settings.query if pair[0] != "roi")
        return self.with_settings(replace(self.settings, query=query))

    def with_settings(self, settings: Settings) -> Volume:
        """The same volume, its requests made otherwise."""
        return replace(self, transport=replace(self.transport, settings=settings))

    def with_extents(self, box: Box | None) -> Volume:
        """The same volume with other extents (at scale 0)."""
        return replace(self, instance=replace(self.instance, extents=box))
