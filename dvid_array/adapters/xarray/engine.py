"""The engine "dvid" of `xarray.open_dataset`, `open_datatree` and `open_groups`.

Owns the parameters xarray sees. Must not know requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import xarray as xr
from xarray.backends import BackendEntrypoint

from dvid_array.adapters.xarray.datasets import chunked, dataset, groups, source
from dvid_array.adapters.xarray.labels import name_of
from dvid_array.adapters.xarray.sources import Dropped, Opened, Wanted, claimed, opened
from dvid_array.array import DvidArray
from dvid_array.settings import Settings


class DvidBackend(BackendEntrypoint):
    """``xr.open_dataset("dvid://host:port/<version>/<instance>", engine="dvid")``."""

    description: ClassVar[str] = "DVID volumes, lazily, by address or DvidArray"
    url: ClassVar[str] = "https://github.com/janelia-flyem/dvid"
    supports_groups: ClassVar[bool] = True
    open_dataset_parameters: ClassVar[tuple[str, ...] | None] = (
        "filename_or_obj",
        "drop_variables",
        "version",
        "instance",
        "scale",
        "supervoxels",
        "physical",
        "token",
        "settings",
    )

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Arrays, versions, and addresses that begin with ``dvid://`` or are of DVID's API."""
        return claimed(filename_or_obj)

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: Dropped = None,
        version: str | None = None,
        instance: str | Sequence[str] | None = None,
        scale: int = 0,
        supervoxels: bool = False,
        physical: bool = False,
        token: str | None = None,
        settings: Settings | None = None,
    ) -> xr.Dataset:
        """One variable for each volume, named after its instance; see `dvid_array.open_dataset`."""
        wanted = Wanted(version, instance, scale, supervoxels, token, settings)
        found = opened(filename_or_obj, wanted, drop_variables)
        return dataset(found.arrays, physical=physical)

    def open_groups_as_dict(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: Dropped = None,
        version: str | None = None,
        instance: str | Sequence[str] | None = None,
        supervoxels: bool = False,
        physical: bool = False,
        token: str | None = None,
        settings: Settings | None = None,
    ) -> dict[str, xr.Dataset]:
        """``/s0``, ``/s1``, … for the scales of a volume; ``/name/s0``, … where a version or
        several volumes are named."""
        wanted = Wanted(version, instance, 0, supervoxels, token, settings)
        found = opened(filename_or_obj, wanted, drop_variables)
        if isinstance(filename_or_obj, str) and any(array.scale for array in found.arrays):
            raise ValueError(f"{filename_or_obj!r} names a scale, but a tree holds all scales")
        made = {"/": xr.Dataset()}
        if found.arrays:
            made["/"].encoding["source"] = source(found.arrays)
        for array in found.arrays:
            above = f"/{name_of(array)}/" if found.several else "/"
            scales = groups(array.pyramid(), physical=physical)
            made |= {above + name: scale for name, scale in scales.items()}
        return made

    def open_datatree(
        self, filename_or_obj: Any, *, drop_variables: Dropped = None, **wanted: Any
    ) -> xr.DataTree:
        """The same groups as a tree."""
        found = self.open_groups_as_dict(filename_or_obj, drop_variables=drop_variables, **wanted)
        return xr.DataTree.from_dict(found)


def to_xarray(array: DvidArray, chunks: Any = None, *, physical: bool = False) -> xr.DataArray:
    """A DataArray of what is stored; see `DvidArray.to_xarray`."""
    return open_dataset(array, chunks=chunks, drop_variables=None, physical=physical)[
        name_of(array)
    ]


def open_dataset(
    source: Any, *, chunks: Any, drop_variables: Dropped, physical: bool, **wanted: Any
) -> xr.Dataset:
    """See `dvid_array.open_dataset`. Chunks are ours: xarray knows no blocks."""
    found = opened(source, Wanted(**wanted), drop_variables)
    if chunks is None:
        return xr.open_dataset(found, engine=DvidBackend, physical=physical)  # type: ignore[arg-type]
    return chunked(DvidBackend().open_dataset(found, physical=physical), chunks, found)


def open_datatree(
    source: Any, *, chunks: Any, drop_variables: Dropped, physical: bool, **wanted: Any
) -> xr.DataTree:
    """See `dvid_array.open_datatree`."""
    found: Opened = opened(source, Wanted(**wanted), drop_variables)
    if chunks is None:
        return xr.open_datatree(found, engine=DvidBackend, physical=physical)  # type: ignore[arg-type]
    groups = DvidBackend().open_groups_as_dict(found, physical=physical)
    return xr.DataTree.from_dict(
        {path: chunked(group, chunks, found) for path, group in groups.items()}
    )
