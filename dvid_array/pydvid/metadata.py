"""pydvid's `VoxelsMetadata`: the axes and the values of a volume, as DVID's own document of them.

Owns the translation between that document and what `Node.create` and a `DvidArray` say.

Source: `GET /api/node/<uuid>/<name>/metadata`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from dvid_array.array import DvidArray
from dvid_array.errors import DvidProtocolError
from dvid_array.facts import kind_for
from dvid_array.protocol import documents
from dvid_array.selection import integer

AXISKEYS = "cxyz"
UNITS = "nanometers"
"""What a volume without units gets, as DVID does it."""

Corner = tuple[int | None, ...]


class VoxelsMetadata(dict[str, Any]):
    """The metadata document of a volume: change what stands in it before `create_new`.

    ``metadata["Axes"]`` has `Label`, `Resolution`, `Units`, `Size` and `Offset` of x, y and z;
    ``metadata["Properties"]`` has `Values`, one for each channel, and `BlockSize`. All of it
    reaches the server, but for the labels of values, which DVID chooses.

    Parameters
    ----------
    metadata : dict or str
        The document, or its JSON.

    Raises
    ------
    TypeError, ValueError
        For anything that is not the document of a volume c, x, y, z; the message names the place.
    """

    def __init__(self, metadata: dict[str, Any] | str) -> None:
        if not isinstance(metadata, dict | str):
            raise TypeError(f"expected metadata to be a dict or JSON text, not {metadata!r}")
        document = json.loads(metadata) if isinstance(metadata, str) else metadata
        try:
            documents.check("metadata", document)
        except DvidProtocolError as fault:
            raise ValueError(str(fault)) from fault
        super().__init__(document)
        if self.axiskeys != AXISKEYS:
            raise ValueError(f"a volume has the axes {AXISKEYS!r}, not {self.axiskeys!r}")
        types = {value["DataType"] for value in self._values}
        if len(types) != 1:
            raise ValueError(f"a volume has channels, all of one type, not {sorted(types)}")

    @classmethod
    def create_default_metadata(
        cls, shape: Sequence[int], dtype: Any, axiskeys: str, resolution: float, units: str
    ) -> VoxelsMetadata:
        """Metadata to start from.

        Parameters
        ----------
        shape : four integers
            Channels, and the upper corner x, y, z; zeros where it is not known yet.
        dtype : dtype
            Element type.
        axiskeys : str
            "cxyz".
        resolution : float
            Size of a voxel along each axis, in `units`.
        units : str
            Their unit; none means nanometers.

        Raises
        ------
        ValueError
            For other axes, or fewer than one channel.
        """
        if axiskeys[:1] != "c":
            raise ValueError(f"the channel axis must be first, not {axiskeys[:1]!r}")
        if len(axiskeys) != len(shape):
            raise ValueError(f"shape/axiskeys mismatch: {axiskeys!r} doesn't match {tuple(shape)}")
        channels, *sizes = (integer(extent) for extent in shape)
        if channels < 1 or min(sizes, default=0) < 0:
            raise ValueError(f"shape {tuple(shape)} has a negative extent or no channel")
        axes = [
            _axis(key.upper(), resolution, units, size, 0)
            for key, size in zip(axiskeys[1:], sizes, strict=True)
        ]
        values = [{"DataType": np.dtype(dtype).name, "Label": ""}] * channels
        return cls({"Axes": axes, "Properties": {"Values": [dict(value) for value in values]}})

    @classmethod
    def of(cls, array: DvidArray) -> VoxelsMetadata:
        """The metadata of a volume as its array knows it. No request."""
        stored = array.stored
        axes = [
            _axis(*facts)
            for facts in zip(
                "XYZ", array.resolution, array.units, stored.shape[1:], stored.origin[1:],
                strict=True,
            )
        ]  # fmt: skip
        values = [{"DataType": array.dtype.name, "Label": ""} for _ in range(array.shape[0])]
        properties = {"Values": values, "BlockSize": list(array.block_shape[1:])}
        return cls({"Axes": axes, "Properties": properties})

    @property
    def _values(self) -> list[dict[str, Any]]:
        return list(self.get("Properties", {}).get("Values", ()))

    @property
    def axiskeys(self) -> str:
        """The axes in the order of an array's index, channels first: "cxyz"."""
        return "c" + "".join(axis["Label"].lower() for axis in self["Axes"])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type."""
        dtype: np.dtype[Any] = np.dtype(self._values[0]["DataType"])
        return dtype

    @property
    def shape(self) -> Corner:
        """Channels, and the upper corner (exclusive); None on an axis without extent."""
        ends = (axis["Offset"] + axis["Size"] if axis["Size"] else None for axis in self["Axes"])
        return (len(self._values), *ends)

    @property
    def minindex(self) -> tuple[int, ...]:
        """Lower corner, channel first."""
        return (0, *(axis["Offset"] for axis in self["Axes"]))

    def determine_dvid_typename(self) -> str:
        """The type of DVID that stores such voxels.

        Raises
        ------
        ValueError
            Where there is none; names those that there are.
        """
        return kind_for(self.dtype, len(self._values)).name

    def to_json(self) -> str:
        """The document as JSON."""
        return json.dumps(self)

    def settings(self) -> dict[str, Any]:
        """The arguments of `Node.create` that make such a volume.

        Raises
        ------
        ValueError
            Where some axes have an extent and others none, or no type of DVID stores such voxels.
        """
        properties = self["Properties"]
        kind = kind_for(self.dtype, len(self._values))
        made = {
            "channels": len(self._values),
            "block": properties.get("BlockSize", (kind.default_block,) * 3),
            "resolution": [axis["Resolution"] for axis in self["Axes"]],
            "units": [axis["Units"] or UNITS for axis in self["Axes"]],
            # pydvid writes at negative coordinates, which a labelmap with scales does not have
            "max_scale": properties.get("MaxDownresLevel", 0),
            "background": properties.get("Background", 0),
        }
        known = [end is not None for end in self.shape[1:]]
        if any(known) and not all(known):
            raise ValueError(f"shape {self.shape}: give the extent of all axes, or of none")
        return made | (
            {"shape": self.shape[1:], "minindex": self.minindex[1:]} if all(known) else {}
        )


def _axis(label: str, resolution: float, units: str, size: int, offset: int) -> dict[str, Any]:
    return {
        "Label": label,
        "Resolution": resolution,
        "Units": units,
        "Size": size,
        "Offset": offset,
    }
