"""Where a DataArray came from: by its attributes, and by what still remembers the opening.

Owns the way back to an array. Must not know selections or requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from dvid_array import opening
from dvid_array.adapters.xarray.datasets import ARRAY, attributes
from dvid_array.adapters.xarray.labels import step
from dvid_array.adapters.xarray.values import held
from dvid_array.array import DvidArray
from dvid_array.client.regions import Region
from dvid_array.coordinates import DIMS
from dvid_array.doors import door
from dvid_array.rois import Roi
from dvid_array.settings import DEFAULT, Settings


def address(told: Mapping[Any, Any]) -> tuple[str, str, str, int]:
    """Server, version, instance and scale, as attributes tell them."""
    needed = ("dvid_server", "dvid_uuid", "dvid_instance", "dvid_scale")
    if lost := [name for name in needed if name not in told]:
        raise ValueError(
            f"there are no attributes {', '.join(lost)}, which say where this came from: it is "
            "none of a DVID's, or lost them. xr.set_options(keep_attrs=True) keeps attributes in "
            "arithmetic"
        )
    server, version, instance, scale = (told[name] for name in needed)
    return server, version, instance, int(scale)


def reopened(
    shown: xr.DataArray, settings: Settings | None, regions: Iterable[Roi] | None
) -> DvidArray:
    """The volume that is shown, opened anew; see `DataArrayAccessor.reopen`."""
    told = shown.attrs
    server, version, instance, scale = address(told)
    known = _remembered(shown)
    if settings is None:
        settings = DEFAULT if known is None else known.settings
    through = _remembered_regions(shown, known) if regions is None else _named(shown, regions)
    array = opening.open(
        server,
        version=version,
        instance=instance,
        scale=scale,
        supervoxels=bool(told.get("dvid_supervoxels", 0)),
        settings=_masking(settings, told.get("dvid_roi")),
    )._through(*through)
    return array.body(int(told["dvid_body"])) if "dvid_body" in told else array


def _remembered(shown: xr.DataArray) -> DvidArray | None:
    """The array that is shown, with the settings and regions it was opened with, where something
    still holds it: it must be what the attributes say."""

    def same(array: DvidArray | None) -> bool:
        if array is None:
            return False
        told = attributes(array)
        names = {name for name in (*told, *shown.attrs) if str(name).startswith("dvid_")}
        return all(name in told and told[name] == shown.attrs.get(name) for name in names)

    found: DvidArray | None = shown.encoding.get(ARRAY)
    if not same(found):
        lazy = shown.variable._data
        graphs = None if shown.chunks is None else door("dask.graphs")
        found = graphs.source_of(lazy, same) if graphs else held(lazy)
    return found if same(found) else None


def _remembered_regions(shown: xr.DataArray, known: DvidArray | None) -> tuple[Region, ...]:
    if known is not None:
        return known._volume.regions
    if lost := np.atleast_1d(shown.attrs.get("dvid_regions", [])).tolist():
        raise ValueError(
            f"this was seen through {', '.join(lost)}, whose blocks are forgotten: say "
            "reopen(regions=[node.roi(...)]), or regions=() for all of the volume"
        )
    return ()


def _named(shown: xr.DataArray, regions: Iterable[Roi]) -> list[Region]:
    """Regions over the voxels shown. Each scale of an image is an instance, which takes its voxels
    for those of scale 0; labels know better."""
    longest = max((step(shown.coords[dim]) for dim in DIMS if dim in shown.coords), default=1)
    halvings = (longest >> int(shown.attrs["dvid_scale"])).bit_length() - 1
    return [_region(roi).halved(halvings) for roi in regions]


def _region(roi: Any) -> Region:
    if not isinstance(roi, Roi):
        raise TypeError(f"a {type(roi).__name__} is no region of interest: node.roi(name) is one")
    return roi.region


def _masking(settings: Settings, roi: str | None) -> Settings:
    """Settings by which DVID masks voxels with a region."""
    if roi is None or "roi" in dict(settings.query):
        return settings
    return replace(settings, query=(*settings.query, ("roi", roi)))
