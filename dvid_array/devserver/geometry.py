"""Sizes and offsets of a URL as DVID reads them, with its words where it cannot. Must not know
instances.

DVID checks little: only the product of a size must be positive, and sums wrap around at 32 bits.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from dvid_array.box import BlockGrid, Box, Triple, triple
from dvid_array.devserver.answers import Refusal, refusal

SHAPES = {
    **dict.fromkeys(("xy", "0_1", "0,1"), (0, 1)),
    **dict.fromkeys(("xz", "0_2", "0,2"), (0, 2)),
    **dict.fromkeys(("yz", "1_2", "1,2"), (1, 2)),
    **dict.fromkeys(("vol", "0_1_2", "0,1,2"), (0, 1, 2)),
    "arb": (),
}
"""DVID's names of shapes -> the axes they span."""
PLANES = {(0, 1): "XY", (0, 2): "XZ", (1, 2): "YZ"}


def whole(text: str, *, bits: int = 32, function: str = "ParseInt") -> int:
    """A signed decimal integer, as Go's strconv reads it."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not (digits.isascii() and digits.isdigit()):
        raise Refusal(400, f"strconv.{function}: parsing {json.dumps(text)}: invalid syntax")
    # Python refuses to convert thousands of digits; so many are out of range in any case.
    value = int(text) if len(digits) < 40 else 1 << 200
    if not -(1 << bits - 1) <= value < 1 << bits - 1:
        raise Refusal(400, f"strconv.{function}: parsing {json.dumps(text)}: value out of range")
    return value


def natural(text: str, *, bits: int = 64) -> int:
    """An unsigned decimal integer, as Go's strconv reads it."""
    if not (text.isascii() and text.isdigit()):
        raise Refusal(400, f"strconv.ParseUint: parsing {json.dumps(text)}: invalid syntax")
    value = int(text) if len(text) < 40 else 1 << 200
    if value >= 1 << bits:
        raise Refusal(400, f"strconv.ParseUint: parsing {json.dumps(text)}: value out of range")
    return value


def point(text: str, separator: str = "_") -> tuple[int, ...]:
    """The numbers of a path part or a setting: two or more."""
    parts = text.split(separator)
    if len(parts) < 2:
        raise Refusal(400, f"cannot convert '{text}' into a Point.")
    return tuple(whole(part.strip()) for part in parts)


def wrapped(value: int, bits: int = 32) -> int:
    """An integer as it looks after overflow at `bits`."""
    half = 1 << bits - 1
    return (value + half) % (1 << bits) - half


def shown(values: Iterable[int]) -> str:
    """A point as DVID prints it."""
    return f"({','.join(map(str, values))})"


@dataclass(frozen=True, slots=True)
class Subvolume:
    """A box as DVID holds it: an offset and a size that was not checked."""

    offset: Triple
    size: Triple

    def __str__(self) -> str:
        return f"3d volume {shown(self.size)} at offset {shown(self.offset)}"

    @property
    def last(self) -> Triple:
        """The last voxel."""
        return triple(wrapped(a + n - 1) for a, n in zip(self.offset, self.size, strict=True))

    @property
    def voxels(self) -> int:
        """The product of the size, which may overflow or come from two negative numbers."""
        x, y, z = self.size
        return wrapped(x * y * z, 64)

    @property
    def box(self) -> Box:
        """The voxels it really covers."""
        return Box.sized(self.offset, self.size)

    def aligned(self, block: Triple) -> bool:
        """Whether it begins and ends with a block."""
        return all(
            a % n == 0 and (b + 1) % n == 0
            for a, b, n in zip(self.offset, self.last, block, strict=True)
        )

    def blocks(self, block: Triple) -> Box:
        """The blocks it touches."""
        return BlockGrid(block).blocks(self.box)


def subvolume(size: str, offset: str) -> Subvolume:
    """The box of two path parts; the offset is looked at first."""
    start = point(offset)
    if len(start) != 3:
        raise Refusal(400, f"Offset must be 3d coordinate, not {len(start)}-d coordinate")
    extent = point(size)
    if len(extent) != 3:
        raise Refusal(400, f"Size must be 3 (not {len(extent)}) dimensions")
    return Subvolume(triple(start), triple(extent))


def axes(shape: str) -> tuple[int, ...]:
    """The axes of a shape's name; none for one that is neither a plane nor a volume."""
    found = SHAPES.get(shape.lower())
    if found is None:
        raise refusal("bad shape", text=shape)
    return found


def check_volume(axes: tuple[int, ...]) -> None:
    """Refuse a shape that is no volume (planes are dealt with before)."""
    if len(axes) != 3:
        raise Refusal(400, "DVID currently supports shapes of only 2 and 3 dimensions")


def block_list(text: str) -> list[Triple]:
    """The blocks of a `blocks=` query."""
    numbers = text.split(",")
    if len(numbers) % 3:
        raise Refusal(400, "block query string should be three coordinates per block")
    values = [wrapped(whole(number, bits=64, function="Atoi")) for number in numbers]
    return [triple(values[index : index + 3]) for index in range(0, len(values), 3)]
