"""Labels of coordinates -> voxels: the names of dims and attributes, and what is no voxel.

Owns what a label means. Pure; must not know xarray, arrays or servers.

A label is where a voxel starts, in voxels of scale 0, or in units of length. What is needed to
come back from it stands in the coordinate's own attributes, which survive arithmetic and files.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

DIMS = ("channel", "x", "y", "z")
STEP = "dvid_step"
"""Attribute: length of a voxel along this axis, in voxels of scale 0."""
SPACING = "dvid_spacing"
"""Attribute of labels in units: size of a voxel of scale 0."""
NEAR = 0.01
"""How far from a voxel's start a label may lie, in voxels: numbers in files may be short ones."""

Indices = np.ndarray[Any, np.dtype[np.int64]]


def step(told: Mapping[Any, Any]) -> int:
    """Length of the voxels that a coordinate with these attributes labels, in voxels of scale 0."""
    return int(told.get(STEP, 1))


def voxels(name: Hashable, labels: Any, told: Mapping[Any, Any]) -> Indices:
    """Where each label's voxel starts, in voxels of scale 0.

    Parameters
    ----------
    name : str
        The coordinate, for errors.
    labels : array
        Its values.
    told : mapping
        Its attributes.

    Raises
    ------
    ValueError
        For labels at which no voxel starts: means of several, as `coarsen` makes them, or places
        in between, as `interp` does.
    """
    found = np.atleast_1d(labels)
    if found.dtype.kind not in "iuf":
        raise ValueError(f"labels of {name} are no whole numbers of voxels: {found.flat[:3]}")
    if SPACING in told or found.dtype.kind == "f":
        found = _whole(name, found, float(told.get(SPACING, 1.0)))
    starts: Indices = found.astype(np.int64)
    by = step(told)
    if (starts % by).any():
        lost = found[starts % by != 0].flat[0]
        raise ValueError(f"labels of {name} are no voxels: none that is {by} long starts at {lost}")
    return starts


def _whole(name: Hashable, labels: Any, spacing: float) -> Any:
    places = labels / spacing
    whole = np.rint(places)
    near = np.isclose(places, whole, rtol=0, atol=NEAR) & np.isfinite(places)
    if not near.all():
        raise ValueError(
            f"labels of {name} are no whole numbers of voxels: {labels[~near].flat[0]}"
            + (f" where voxels are {spacing:g} apart" if spacing != 1 else "")
        )
    return whole
