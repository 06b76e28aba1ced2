"""What DVID offers: its voxel types and limits, as tables. Must not know HTTP or documents.

Source: the type registrations of DVID's main program and each type's own defaults
(janelia-flyem/dvid, commit 3400c2cb).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dvid_array.errors import DvidTypeError

MAX_ANSWER_BYTES = 3 << 30
"""DVID refuses to answer more in one reply."""
PARALLEL_VOXELS = 256**3
"""DVID answers larger requests one at a time."""
MAX_URL_BYTES = 1 << 20
"""Longest request line DVID reads."""
COORDINATE_LIMIT = 2**31 - 1
"""Voxel coordinates are signed 32-bit integers."""
LABEL_BLOCK_MULTIPLE = 16
"""Label blocks are made of 8-voxel sub-blocks, an even number of them."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One voxel type of DVID."""

    name: str
    """DVID's type name."""
    dtype: np.dtype[Any]
    """Element type, little-endian on the wire."""
    channels: int
    """Values a voxel."""
    family: Literal["image", "labels", "roi"]
    """Which endpoints answer for it."""
    default_block: int = 32
    """Edge of a block when the creator names none."""
    interpolable: bool = True
    """Whether averages of its values mean something."""
    compression: str = "lz4"
    """How blocks are stored when the creator names nothing."""
    has_extents: bool = True
    """Whether `extents` can be posted."""
    has_scales: bool = False
    """Whether an instance keeps coarser scales of itself."""
    has_versions_of_labels: bool = False
    """Whether labels are merged supervoxels (labelmap)."""


def _kind(name: str, dtype: str, channels: int = 1, **facts: Any) -> Kind:
    return Kind(name, np.dtype(dtype), channels, facts.pop("family", "image"), **facts)


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        _kind("uint8blk", "<u1"),
        _kind("uint16blk", "<u2"),
        _kind("uint32blk", "<u4"),
        _kind("uint64blk", "<u8"),
        _kind("float32blk", "<f4"),
        _kind("rgba8blk", "<u1", 4),
        _kind(
            "labelmap",
            "<u8",
            family="labels",
            default_block=64,
            interpolable=False,
            compression="gzip",
            has_scales=True,
            has_versions_of_labels=True,
        ),
        _kind(
            "labelarray",
            "<u8",
            family="labels",
            default_block=64,
            interpolable=False,
            compression="gzip",
            has_scales=True,
            has_extents=False,
        ),
        _kind("labelblk", "<u8", family="labels", interpolable=False, has_extents=False),
    )
}

ROI = _kind("roi", "<u1", family="roi", interpolable=False, has_extents=False)
"""A region of interest holds spans of blocks, not voxels; its mask has a byte a voxel."""

LEGACY_NAMES = {
    "grayscale8": "uint8blk",
    "rgba8": "rgba8blk",
    "labels32": "uint32blk",
    "labels64": "labelmap",
}
"""Names of 2014's DVID, which its examples and pydvid still use."""

OTHER_DOORS = {
    "roi": "open a region of interest with node.roi(name), and mask arrays with arr.where(roi)",
    "imagetile": "tiles are pictures made for viewers: open the volume they were cut from",
    "multichan16": "multichan16 volumes have no 3D reads over HTTP: open their channels' volumes",
    "googlevoxels": "googlevoxels only forwards to another service: open the volume there",
}

DEFAULT_KIND = {
    ("uint8", 1): "uint8blk",
    ("uint8", 4): "rgba8blk",
    ("uint16", 1): "uint16blk",
    ("uint32", 1): "uint32blk",
    ("float32", 1): "float32blk",
    ("uint64", 1): "labelmap",
}
"""Element type and channels -> the type a new instance gets."""


def kind_of(name: str) -> Kind:
    """The facts of a DVID type name (legacy names too).

    Raises
    ------
    DvidTypeError
        For a type whose data is not an array of voxels.
    """
    known = KINDS.get(LEGACY_NAMES.get(name, name))
    if known is None:
        door = OTHER_DOORS.get(name, f"voxel types are {', '.join(KINDS)}")
        raise DvidTypeError(f"DVID type {name!r} is not an array of voxels: {door}")
    return known


def kind_for(dtype: Any, channels: int = 1, kind: str | None = None) -> Kind:
    """The DVID type that stores voxels of `dtype` with `channels` values each.

    Raises
    ------
    ValueError
        Where no type does, or the named one does not.
    """
    wanted = np.dtype(dtype)
    name = kind or DEFAULT_KIND.get((wanted.name, channels), "")
    found = KINDS.get(LEGACY_NAMES.get(name, name))
    if found is None or found.dtype != wanted.newbyteorder("<") or found.channels != channels:
        pairs = ", ".join(f"{k.dtype.name} x {k.channels} ({k.name})" for k in KINDS.values())
        named = f" as {kind!r}" if kind else ""
        raise ValueError(
            f"DVID cannot store {wanted.name} with {channels} channel(s){named}; it stores: {pairs}"
        )
    return found
