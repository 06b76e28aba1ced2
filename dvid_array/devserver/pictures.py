"""Pictures of planes, as DVID makes them of voxels. Must not know where voxels come from.

Pillow makes PNG, JPEG, TIFF and BMP of gray and RGBA pixels; it has no RGBA of 16 bits a channel,
which is how DVID draws 64-bit voxels, so that PNG is written by hand.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from dvid_array.box import Box, Triple, triple
from dvid_array.devserver import geometry
from dvid_array.devserver.answers import Refusal, Reply
from dvid_array.protocol.voxels import Array

if TYPE_CHECKING:
    from PIL.Image import Image

KINDS = {
    "": "PNG",
    "png": "PNG",
    "jpg": "JPEG",
    "jpeg": "JPEG",
    "tif": "TIFF",
    "tiff": "TIFF",
    "bmp": "BMP",
}
JPEG_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Plane:
    """A slice: two axes, where it begins, how wide and high it is."""

    axes: tuple[int, int]
    offset: Triple
    size: tuple[int, int]

    def __str__(self) -> str:
        name = geometry.PLANES[self.axes]
        width, height = self.size
        offset = geometry.shown(self.offset)
        return f"{name} slice @ offset {offset}, size ({width}, {height})"

    @property
    def pixels(self) -> int:
        """Width times height, which DVID does not check further."""
        return self.size[0] * self.size[1]

    @property
    def box(self) -> Box:
        """The voxels of the slice."""
        shape = [1, 1, 1]
        for axis, extent in zip(self.axes, self.size, strict=True):
            shape[axis] = extent
        return Box.sized(self.offset, triple(shape))

    def isotropic(self, voxel_size: list[float]) -> Plane:
        """The slice to read so that, scaled to this one's size, its pixels are square."""
        (width, height), (rx, ry) = self.size, (voxel_size[axis] for axis in self.axes)
        if rx < ry:
            height = int(height * rx / ry + 0.5)
        elif ry < rx:
            width = int(width * ry / rx + 0.5)
        return replace(self, size=(width, height))


def plane(axes: tuple[int, ...], size: str, offset: str) -> Plane:
    """The slice of two path parts."""
    start = geometry.point(offset)
    if len(start) != 3:
        raise Refusal(400, f"Offset must be 3d coordinate, not {len(start)}-d coordinate")
    parts = size.split("_")
    if len(parts) != 2:
        raise Refusal(400, "cannot parse into a 2d point")
    width, height = (geometry.whole(part.strip()) for part in parts)
    return Plane((axes[0], axes[1]), triple(start), (width, height))


def picture(array: Array, read: Plane, wanted: Plane, kinds: tuple[str, ...]) -> Reply:
    """The picture of a slice (channel, x, y, z), scaled where another size is wanted."""
    pixels = array.reshape((array.shape[0], *read.size), order="F")
    return _encoded(pixels, kinds[0] if kinds else "", wanted.size)


def stacked(array: Array, kind: str) -> Reply:
    """A volume as one picture, its slices one below the other."""
    channels, width, height, depth = array.shape
    pixels = array.reshape((channels, width, height * depth), order="F")
    return _encoded(pixels, kind, (width, height * depth))


def _encoded(pixels: Array, said: str, size: tuple[int, int]) -> Reply:
    name, *qualities = said.split(":")
    quality = JPEG_QUALITY
    if qualities:
        quality = geometry.whole(qualities[0], bits=64, function="Atoi")
    kind = KINDS.get(name)
    if kind is None:
        raise Refusal(400, f"Illegal image format requested: {name}")
    if pixels.dtype.itemsize * pixels.shape[0] == 8:
        return Reply(_deep_png(pixels, kind), "image/png")
    image = _image(pixels)
    if image.size != size:
        image = image.resize(size)
    if kind == "JPEG" and image.mode != "L":
        image = image.convert("L" if image.mode.startswith("I") else "RGB")
    out = BytesIO()
    image.save(out, kind, **({"quality": quality} if kind == "JPEG" else {}))
    return Reply(out.getvalue(), f"image/{kind.lower()}")


def _image(pixels: Array) -> Image:
    try:
        from PIL import Image
    except ImportError as missing:
        raise Refusal(
            500, "This development server has no Pillow, and makes no pictures without"
        ) from missing
    size = (pixels.shape[1], pixels.shape[2])
    mode = {1: "L", 2: "I;16", 4: "RGBA"}[pixels.dtype.itemsize * pixels.shape[0]]
    return Image.frombytes(mode, size, pixels.tobytes(order="F"))


def _deep_png(pixels: Array, kind: str) -> bytes:
    if kind != "PNG":
        raise Refusal(500, "This development server makes only PNG of 64-bit voxels")
    _, width, height = pixels.shape
    rows: np.ndarray[Any, np.dtype[np.uint8]] = np.zeros((height, 1 + 8 * width), np.uint8)
    rows[:, 1:] = np.frombuffer(pixels.tobytes(order="F"), np.uint8).reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 16, 6, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    check = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)
