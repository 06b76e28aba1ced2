"""Units of length."""

from __future__ import annotations

import pytest

from dvid_array import units


@pytest.mark.parametrize(
    ("unit", "length"),
    [
        *[("nanometers", 1), ("nm", 1), (" Nanometer ", 1), ("Å", 0.1), ("angstroms", 0.1)],
        *[("microns", 1e3), ("µm", 1e3), ("μm", 1e3), ("micrometers", 1e3), ("um", 1e3)],
        *[("mm", 1e6), ("millimetres", 1e6)],
    ],
)
def test_names_of_units(unit: str, length: float) -> None:
    told = units.nanometers((1, 2, 3), (unit,) * 3)
    assert told == pytest.approx((length, 2 * length, 3 * length))


def test_each_axis_has_its_own_unit() -> None:
    assert units.cubic_nanometers((8, 8, 0.04), ("nm", "nanometers", "um")) == pytest.approx(2560)


@pytest.mark.parametrize("unit", ["", "pixels", "s", "seconds"])
def test_what_is_no_length_is_named(unit: str) -> None:
    with pytest.raises(ValueError, match=f"'{unit}' is no unit of length"):
        units.nanometers((1, 1, 1), ("nm", unit, "nm"))
