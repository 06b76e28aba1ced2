"""The configuration of a new instance, in DVID's words, with every setting checked.

Owns what `POST /api/repo/<uuid>/instance` is told: DVID ignores what it does not understand. Must
not know how it travels.

Source: `datastore/datainstance.go`, `datatype/imageblk/imageblk.go`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dvid_array import scales
from dvid_array.box import Box, Triple, triple
from dvid_array.errors import DvidProtocolError
from dvid_array.facts import LABEL_BLOCK_MULTIPLE, LEGACY_NAMES, Kind
from dvid_array.protocol.documents import check

MOST_SCALE = 30
"""Beyond it every volume is one voxel. DVID takes up to 255, and then cannot be written."""


def config(kind: str, name: str, **settings: str | None) -> dict[str, str]:
    """The configuration of a new instance; settings that are None are left to the server.

    Raises
    ------
    ValueError
        Names the setting DVID would not understand: it ignores misspelt and ill-formed ones.
    """
    made = {"typename": LEGACY_NAMES.get(kind, kind), "dataname": name}
    made |= {key: value for key, value in settings.items() if value is not None}
    try:
        checked: dict[str, str] = check("config", made)
    except DvidProtocolError as fault:
        raise ValueError(f"cannot create instance {name!r}: {fault}") from fault
    return checked


def volume_configs(
    kind: Kind,
    name: str,
    *,
    max_scale: int | None,
    extents: Box | None,
    resolution: Sequence[float] | float,
    **settings: Any,
) -> list[dict[str, str]]:
    """The configurations of a new volume and of the instances that hold its coarser scales, where
    its type keeps none itself; see `volume_config`."""
    if kind.has_scales or not max_scale:
        settings |= {"extents": extents, "resolution": resolution}
        return [volume_config(kind, name, max_scale=max_scale, **settings)]
    if not 0 < max_scale <= MOST_SCALE:
        raise ValueError(f"max_scale={max_scale} is not between 0 and {MOST_SCALE}")
    size = _three(resolution, "resolution", float)
    return [
        volume_config(
            kind,
            scales.level_name(name, scale),
            max_scale=None,
            extents=None if extents is None else scales.rescaled(extents, scale),
            resolution=[value * (1 << scale) for value in size],
            **settings,
        )
        for scale in range(max_scale + 1)
    ]


def volume_config(
    kind: Kind,
    name: str,
    *,
    extents: Box | None,
    block: Triple,
    resolution: Sequence[float] | float,
    units: Sequence[str] | str,
    max_scale: int | None,
    background: int,
    compression: str | None,
) -> dict[str, str]:
    """The configuration of a new volume, with every setting checked: DVID ignores what it does not
    understand.

    Raises
    ------
    ValueError
        Names the setting and what it may be.
    """
    multiple = LABEL_BLOCK_MULTIPLE if kind.family == "labels" else 1
    if any(n < 1 or n % multiple for n in block):
        raise ValueError(f"block {block}: a {kind.name} takes positive multiples of {multiple}")
    if max_scale is not None and not 0 <= max_scale <= (MOST_SCALE if kind.has_scales else 0):
        raise ValueError(
            f"max_scale={max_scale}: a labelmap has scales 0 to {MOST_SCALE}, "
            "a coarser scale of an image is an instance of its own"
        )
    if not 0 <= background <= 255:
        raise ValueError(f"background={background} is not between 0 and 255")
    if extents is not None and extents.empty:
        raise ValueError(
            f"shape {extents.stop}: every extent must be at least 1, from {extents.start} on"
        )
    return config(
        kind.name,
        name,
        BlockSize=_joined(block),
        VoxelSize=_joined(_three(resolution, "resolution", float)),
        VoxelUnits=_joined(_three(units, "units", str)),
        MinPoint=None if extents is None else _joined(extents.start),
        MaxPoint=None if extents is None else _joined(n - 1 for n in extents.stop),
        MaxDownresLevel=_scales(kind, extents, max_scale),
        Background=str(background) if background else None,
        Compression=compression,
    )


def _scales(kind: Kind, extents: Box | None, max_scale: int | None) -> str | None:
    """Scales to be kept. Where nobody said how many: enough for a viewer when extents are given
    that lie at 0 and above; else none, since scales shut out negative coordinates."""
    if not kind.has_scales:
        return None
    if max_scale is None:
        high = extents is not None and min(extents.start) >= 0
        max_scale = scales.enough(extents.shape) if extents and high else 0
    return str(max_scale) if max_scale else None


def configured_extents(setup: Mapping[str, str]) -> Box | None:
    """The half-open extents that a configuration gives a new volume."""
    if "MaxPoint" not in setup:
        return None
    low, high = (triple(map(int, setup[end].split(","))) for end in ("MinPoint", "MaxPoint"))
    return Box(low, triple(value + 1 for value in high))


def _joined(values: Iterable[object]) -> str:
    return ",".join(f"{value:.17g}" if isinstance(value, float) else str(value) for value in values)


def _three(values: Any, name: str, kind: type) -> list[Any]:
    """One value for each of x, y, z."""
    listed = [values] * 3 if isinstance(values, str | int | float) else list(values)
    if len(listed) != 3:
        raise ValueError(f"{name}={values!r}: one value, or three for x, y, z")
    made = [kind(value) for value in listed]
    wrong = [v for v in made if ("," in v or not v if kind is str else not 0 < v < math.inf)]
    if wrong:
        raise ValueError(f"{name}={values!r}: {wrong[0]!r} cannot be one")
    return made
