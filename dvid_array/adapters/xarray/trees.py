"""`.dvid` of Datasets and DataTrees: the same place, or the same version, of all that they hold.

Owns what several volumes, or scales of one, have in common. Must not know requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import xarray as xr

from dvid_array.adapters.xarray.accessors import Places
from dvid_array.adapters.xarray.labels import step, voxels
from dvid_array.array import DvidArray
from dvid_array.coordinates import DIMS
from dvid_array.storing import store

OF_ONE = ("compute", "region", "resume")
"""Options of a store that make sense for one place only."""


@xr.register_dataset_accessor("dvid")  # type: ignore[no-untyped-call]
class DatasetAccessor(Places[xr.Dataset]):
    """``ds.dvid``: boxes and points in DVID's voxels, and other versions."""

    def version(self, version: str, **how: Any) -> xr.Dataset:
        """The same voxels of all its volumes at another version, lazily; it is resolved once.

        Parameters and errors are those of `DataArrayAccessor.version`; a variable that is none of
        a DVID's is an error, since it would stay what it was.
        """
        shown, pinned = self._shown, _pinned(self._shown.data_vars.values(), version)
        made = shown.assign(
            {name: one.dvid.version(pinned, **how) for name, one in shown.data_vars.items()}
        )
        made.encoding.pop("source", None)
        return made


@xr.register_datatree_accessor("dvid")  # type: ignore[no-untyped-call]
class DataTreeAccessor:
    """``tree.dvid``: the same place at every scale, other versions, and the way to the server."""

    def __init__(self, tree: xr.DataTree) -> None:
        self._tree = tree

    def box(self, start: Sequence[int | None], stop: Sequence[int | None]) -> xr.DataTree:
        """The half-open box from `start` to `stop` (x, y, z, voxels of scale 0) at every scale: of
        coarser voxels those that hold any of it."""
        return self._each(lambda shown: shown.dvid.box(start, stop))

    def at(self, *, x: Any = None, y: Any = None, z: Any = None) -> xr.DataTree:
        """The voxels of every scale that hold a point, or points, given in voxels of scale 0."""
        return self._each(lambda shown: shown.dvid.at(x=x, y=y, z=z))

    def version(self, version: str, **how: Any) -> xr.DataTree:
        """The same voxels of all scales at another version: see `DatasetAccessor.version`."""
        shown = [one for node in self._tree.subtree for one in node.data_vars.values()]
        pinned = _pinned([one for one in shown if _placed(one)], version)
        return self._each(lambda shown: shown.dvid.version(pinned, **how))

    @property
    def array(self) -> DvidArray:
        """The volume at the finest scale shown, opened anew: see `DataArrayAccessor.array`.

        Raises
        ------
        ValueError
            Where the tree shows several volumes.
        """
        found: DvidArray = self._scales()[0].dvid.array
        return found

    def store(self, target: DvidArray, **options: Any) -> None:
        """Write every scale to that scale of a volume, where its labels say: `dvid_array.store`,
        whose options it takes.

        A label volume computes its coarser scales itself: there scale 0 is written. An image has an
        instance for each (`DvidArray.at_scale`), and all of them must be there.

        Raises
        ------
        ValueError
            Where the tree shows several volumes; for options of a single store (compute, region,
            resume) where there are several; and as `dvid_array.store`.
        DvidNotFoundError
            Where a scale of the target is missing. Nothing was written then.
        """
        if target._volume.instance.kind.has_scales:
            store(self._scales()[0], target, **options)
            return
        scales = self._scales()
        if len(scales) > 1 and (said := [name for name in OF_ONE if name in options]):
            raise ValueError(f"{', '.join(said)}: of several scales; store each by its own .dvid")
        levels = [_step(one).bit_length() - 1 for one in scales]
        targets = [target.at_scale(level) if level else target for level in levels]
        for one, there in zip(scales, targets, strict=True):
            store(_of_its_own_scale(one), there, **options)

    def _scales(self) -> list[xr.DataArray]:
        """The volume at every scale shown, finest first."""
        shown = [one for node in self._tree.subtree for one in node.data_vars.values()]
        scales = sorted((one for one in shown if _placed(one)), key=_step)
        if len({_step(one) for one in scales}) < len(scales) or not scales:
            names = sorted({str(one.name) for one in scales})
            raise ValueError(
                f"the tree shows {', '.join(names) or 'no volume'}: take the group of one volume, "
                "as tree['gray'].dvid"
            )
        return scales

    def _each(self, pick: Callable[[xr.Dataset], xr.Dataset]) -> xr.DataTree:
        return self._tree.map_over_datasets(lambda shown: pick(shown) if _placed(shown) else shown)


def _placed(shown: xr.Dataset | xr.DataArray) -> bool:
    """Whether something lies somewhere: numbers that were put beside volumes do not."""
    return not {*shown.dims, *shown.coords}.isdisjoint(DIMS[1:])


def _pinned(shown: Any, version: str) -> str:
    """A version's full id: while all volumes are read, it must not move on."""
    first = next(iter(shown), None)
    return version if first is None else str(first.dvid.array.node.sibling(version).uuid)


def _step(shown: xr.DataArray) -> int:
    """Length of its voxels, in those of scale 0."""
    return max((step(shown.coords[dim]) for dim in DIMS if dim in shown.coords), default=1)


def _of_its_own_scale(shown: xr.DataArray) -> xr.DataArray:
    """The same with labels that count its own voxels, as an instance of its own counts them."""
    labels = {}
    for dim in DIMS[1:]:
        if dim in shown.coords:
            found = shown.coords[dim]
            places = voxels(found) // step(found)
            labels[dim] = found.dims, places.reshape(found.shape)
    bare = shown.assign_coords(labels)
    bare.attrs = {name: one for name, one in shown.attrs.items() if name != "dvid_scale"}
    return bare
