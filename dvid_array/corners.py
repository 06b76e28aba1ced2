"""What people write for the corners of a box: integers x, y, z, some with the channel before them.

Pure; must not know arrays or servers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dvid_array.box import Box, Triple, triple
from dvid_array.selection import integer


def corner(name: str, values: Any, channel: int | None = None) -> Triple:
    """Three plain integers; or four, where the first is the `channel` that is meant anyway.

    Raises
    ------
    ValueError
        For anything else, by its `name`.
    """
    numbers = _integers(values)
    if len(numbers) == 4 and numbers[0] == channel:
        numbers = numbers[1:]
    if len(numbers) != 3:
        also = "" if channel is None else f", or {channel}, x, y, z"
        raise ValueError(f"{name}={values!r}: it takes three integers x, y, z{also}")
    return triple(numbers)


def box(start: Any, stop: Any, channels: int | None = None) -> Box:
    """The box between two corners, all of whose `channels` may be named as well.

    Raises
    ------
    ValueError
        For what are no corners, and where the box ends before it starts.
    """
    lower = corner("start", start, None if channels is None else 0)
    upper = corner("stop", stop, channels)
    in_order(lower, upper)
    return Box(lower, upper)


def slices(start: Any, stop: Any) -> tuple[slice, ...]:
    """The key of literal coordinates between two corners c, x, y, z.

    Raises
    ------
    ValueError
        As for `box`.
    """
    ends = _integers(start), _integers(stop)
    if any(len(numbers) != 4 for numbers in ends):
        raise ValueError(f"corners are four integers c, x, y, z, not {start!r} and {stop!r}")
    in_order(*ends)
    return tuple(slice(a, b) for a, b in zip(*ends, strict=True))


def in_order(lower: Sequence[int | None], upper: Sequence[int | None]) -> None:
    """Refuse a box that ends before it starts; None is no bound."""
    ends = zip(lower, upper, strict=True)
    if any(a is not None and b is not None and b < a for a, b in ends):
        raise ValueError(f"the box ends before it starts: {tuple(lower)} to {tuple(upper)}")


def _integers(values: Any) -> list[int]:
    """Empty where they are no integers."""
    try:
        return [integer(value) for value in values]
    except TypeError:
        return []
