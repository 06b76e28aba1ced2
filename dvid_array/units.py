"""Units of length, as people write them into DVID: how many nanometres one is.

Owns the names. Must not know volumes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

NANOMETERS = {
    "ångström": 0.1,
    "å": 0.1,
    "angstrom": 0.1,
    "nanometer": 1.0,
    "nanometre": 1.0,
    "nm": 1.0,
    "micrometer": 1e3,
    "micrometre": 1e3,
    "micron": 1e3,
    "um": 1e3,
    "µm": 1e3,
    "μm": 1e3,
    "millimeter": 1e6,
    "millimetre": 1e6,
    "mm": 1e6,
}
"""Length of each unit in nanometres; the two signs of µm are the micro sign and the Greek mu."""


def nanometers(resolution: Sequence[float], units: Sequence[str]) -> tuple[float, float, float]:
    """Lengths along x, y, z in nanometres.

    Raises
    ------
    ValueError
        Names the unit that is none of a length's.
    """
    x, y, z = (length * _nanometers(unit) for length, unit in zip(resolution, units, strict=True))
    return x, y, z


def cubic_nanometers(resolution: Sequence[float], units: Sequence[str]) -> float:
    """The volume of a voxel in nm³."""
    return math.prod(nanometers(resolution, units))


def _nanometers(unit: str) -> float:
    name = unit.strip().lower()
    found = NANOMETERS.get(name, NANOMETERS.get(name.removesuffix("s")))
    if found is None:
        raise ValueError(
            f"{unit!r} is no unit of length known here ({', '.join(NANOMETERS)}): multiply numbers "
            "of voxels by the volume of a voxel yourself"
        )
    return found
