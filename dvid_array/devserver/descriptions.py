"""Info and metadata documents of instances, as DVID writes them. Must not know the store.

Source: `datatype/imageblk/imageblk.go`, `datatype/labelmap/labelmap.go` (MarshalJSONExtents).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dvid_array.box import Triple
from dvid_array.devserver.instances import Extents, Instance
from dvid_array.facts import Kind

_SOURCE = "github.com/janelia-flyem/dvid/datatype/"
_TYPE_VERSIONS = {"uint8blk": "0.2", "rgba8blk": "0.2"}
_CHANNELS = ("red", "green", "blue", "alpha")
_COMPRESSIONS = {
    "none": "No compression",
    "lz4": "LZ4 compression",
    "gzip": "gzip compression",
    "jpeg": "jpeg compression",
}
_CHECKSUMS = {"none": "No checksum", "crc32": "CRC32 checksum"}


def type_url(kind: Kind) -> str:
    """The id of a type."""
    if kind.family == "image":
        return f"{_SOURCE}imageblk/{kind.name.removesuffix('blk')}.go"
    return _SOURCE + kind.name


def _number(value: float) -> float:
    return int(value) if float(value).is_integer() else value


def _index(corner: Triple | None, block: Triple) -> list[int] | None:
    return None if corner is None else [a // n for a, n in zip(corner, block, strict=True)]


def _points(extents: Extents) -> dict[str, Any]:
    return {
        "MinPoint": extents.low and list(extents.low),
        "MaxPoint": extents.high and list(extents.high),
    }


def _values(kind: Kind) -> list[dict[str, str]]:
    dtype = kind.dtype.name
    if kind.channels > 1:
        return [{"DataType": dtype, "Label": label} for label in _CHANNELS]
    return [{"DataType": dtype, "Label": kind.name if kind.family == "labels" else dtype}]


def properties(which: Instance, extents: Extents) -> dict[str, Any]:
    """The part of a document that describes the voxels."""
    facts = which.facts
    return {
        "Values": _values(which.kind),
        "Interpolable": which.kind.interpolable,
        "BlockSize": facts["block"],
        "VoxelSize": [_number(size) for size in facts["size"]],
        "VoxelUnits": facts["units"],
        **_points(extents),
        "MinIndex": _index(extents.low, which.block),
        "MaxIndex": _index(extents.high, which.block),
        "Background": facts["background"],
        "GridStore": facts["gridstore"],
        "ScaleLevel": facts["scale_level"],
    }


def _base_document(which: Instance, root: str) -> dict[str, Any]:
    facts, kind = which.facts, which.kind
    return {
        "TypeName": kind.name,
        "TypeURL": type_url(kind),
        "TypeVersion": _TYPE_VERSIONS.get(kind.name, "0.1"),
        "DataUUID": which.data_uuid,
        "Name": which.name,
        "RepoUUID": root,
        "Compression": f"{_COMPRESSIONS[facts['compression']]}, level {facts['level']}",
        "Checksum": _CHECKSUMS[facts["checksum"]],
        "Syncs": [],
        "Versioned": facts["versioned"],
        "KVStore": "sqlite",
        "LogStore": "sqlite",
        "Tags": facts["tags"],
    }


def info(
    which: Instance, root: str, extents: Extents, highest: Mapping[str, int]
) -> dict[str, Any]:
    """The info document of an instance.

    Parameters
    ----------
    which : Instance
        The instance.
    root : str
        Id of its repo.
    extents : Extents
        What it reports at the version that was asked for.
    highest : mapping
        For labels, version number -> highest label written there.
    """
    if which.kind.family == "roi":
        return {"Base": _base_document(which, root), "Extended": _region(which)}
    extended = properties(which, extents)
    if which.kind.family == "labels":
        extended |= {
            "MaxLabel": dict(highest),
            "MaxRepoLabel": which.facts["highest_label"],
            "NextLabel": which.facts["next_label"],
            "IndexedLabels": which.facts["indexed"],
            "MaxDownresLevel": which.facts["max_scale"],
        }
    base = _base_document(which, root)
    return {"Base": base, "Extended": extended, "Extents": _points(extents)}


def _region(which: Instance) -> dict[str, Any]:
    facts = which.facts
    return {"BlockSize": facts["block"], "MinZ": facts["min_z"], "MaxZ": facts["max_z"]}


def metadata(which: Instance, extents: Extents) -> dict[str, Any]:
    """The metadata document of an instance."""
    low, high = extents.low or (0, 0, 0), extents.high or (-1, -1, -1)
    axes = [
        {
            "Label": label,
            "Resolution": _number(which.facts["size"][axis]),
            "Units": which.facts["units"][axis],
            "Size": high[axis] - low[axis] + 1,
            "Offset": low[axis],
        }
        for axis, label in enumerate("XYZ")
    ]
    return {"Axes": axes, "Properties": properties(which, extents)}
