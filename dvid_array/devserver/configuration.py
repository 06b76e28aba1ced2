"""What a new instance's configuration may say. Must not know voxels or HTTP.

DVID takes every value as a string, ignores keys it does not know and the case of those it does,
and looks at them in a fixed order, which decides the sentence where several are wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

from dvid_array.devserver.answers import Refusal, refusal
from dvid_array.devserver.geometry import natural, point, whole
from dvid_array.facts import KINDS, LABEL_BLOCK_MULTIPLE, ROI, Kind

SUPPORTED = {
    name: kind
    for name, kind in KINDS.items()
    if kind.family == "image" or kind.has_versions_of_labels
} | {ROI.name: ROI}
"""The types this server has."""
NO_LAYERS = {"min_z": (1 << 31) - 1, "max_z": -(1 << 31)}
"""What an empty region of interest says about its layers of blocks."""
RESERVED = ("log", "branch", "note", "commit", "newversion")
_COMPRESSIONS = ("none", "lz4", "gzip", "jpeg")
_CHECKSUMS = ("none", "crc32")
_FLAGS = {"false": False, "0": False, "true": True, "1": True}

Settings = Mapping[str, Any]


def lowered(document: Any) -> dict[str, Any]:
    """A configuration with its keys in lower case; where two differ in case only, one wins."""
    if not isinstance(document, dict):
        kind = {list: "array", str: "string", bool: "bool"}.get(type(document), "number")
        raise ValueError(
            f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
        )
    return {key.lower(): value for key, value in document.items()}


def text(settings: Settings, key: str) -> str | None:
    """A setting, which must be a string; None where it is not there."""
    value = settings.get(key.lower(), "")
    if not isinstance(value, str):
        raise refusal("not a string", key=key, value=_go(value))
    return value if key.lower() in settings else None


def _go(value: Any) -> str:
    """A JSON value as Go prints it."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{k}:{_go(v)}' for k, v in sorted(value.items()))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_go, value))}]"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def shown(kind: Kind, settings: Settings) -> str:
    """A configuration as DVID writes it into the log of a repo."""
    defaults: dict[str, str] = {}
    if kind.family == "labels":
        edge = kind.default_block
        defaults = {"blocksize": f"{edge},{edge},{edge}", "compression": kind.compression}
    return "{" + _go(defaults | dict(settings)) + "}"


def new_facts(kind: Kind, name: str, settings: Settings, stores: Collection[str]) -> dict[str, Any]:
    """The facts of a new instance.

    Raises
    ------
    Refusal
        For the first setting that DVID would not take.
    """
    if kind.family == "labels":
        _check_label_block(settings)
    if name in RESERVED:
        raise refusal("reserved name", name=name)
    facts: dict[str, Any] = {"compression": kind.compression, "level": -1}
    facts |= _compression(settings)
    facts |= _base(settings)
    if kind is ROI:
        return facts | {"block": _roi_block(kind, settings)} | NO_LAYERS
    facts |= _properties(kind, settings, stores)
    if kind.family == "labels":
        facts |= _labels(settings)
    return facts


def _check_label_block(settings: Settings) -> None:
    block = text(settings, "BlockSize")
    numbers = [part.strip() for part in (block or "").split(",")]
    if any(part.isdigit() and int(part[:9]) % LABEL_BLOCK_MULTIPLE for part in numbers):
        raise refusal("block multiple")


def _compression(settings: Settings) -> dict[str, Any]:
    named = text(settings, "Compression")
    if named is None:
        return {}
    name, *levels = named.lower().split(":")
    if name == "gzip" and len(levels) == 1:
        if not levels[0].isdigit():
            raise Refusal(
                400,
                f'unable to parse gzip compression level ("{levels[0]}").  '
                "Should be 'gzip:<level>'",
            )
        return {"compression": "gzip", "level": int(levels[0])}
    if name == "snappy" and not levels:
        raise Refusal(400, "This development server has no snappy: choose lz4, gzip or none")
    if levels or name not in _COMPRESSIONS:
        raise Refusal(400, f"Illegal compression specified: {named}")
    if name == "jpeg":
        return {"compression": name, "level": _jpeg_width(settings)}
    return {"compression": name, "level": -1}


def _jpeg_width(settings: Settings) -> int:
    if find_spec("PIL") is None:
        raise Refusal(400, "This development server has no Pillow: choose lz4, gzip or none")
    first = (text(settings, "BlockSize") or "32").split(",")[0]
    if not first.isdigit():
        raise Refusal(400, f'unable to parse first block dim ("{first}")')
    if int(first) <= 0:
        raise Refusal(400, "Invalid blocksize dim for jpeg compression")
    return int(first)


def _base(settings: Settings) -> dict[str, Any]:
    checksum = text(settings, "Checksum")
    if (checksum or "none").lower() not in _CHECKSUMS:
        raise Refusal(400, f"Illegal checksum specified: {checksum}")
    versioned = settings.get("versioned")
    if not isinstance(versioned, bool):
        said = text(settings, "Versioned")
        if said is not None and said.lower() not in _FLAGS:
            raise Refusal(
                400,
                "Illegal setting for 'versioned' (needs to be 'false', '0', 'true', or '1'): "
                f"{said}",
            )
        versioned = _FLAGS[(said or "true").lower()]
    return {
        "checksum": (checksum or "none").lower(),
        "versioned": versioned,
        "tags": _tags(text(settings, "Tags")),
    }


def _tags(said: str | None) -> dict[str, str] | None:
    if said is None:
        return None
    pairs = [pair.split("=") for pair in said.split(",")]
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and pair[0]}


def _properties(kind: Kind, settings: Settings, stores: Collection[str]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "block": [kind.default_block] * 3,
        "size": [8.0] * 3,
        "units": ["nanometers"] * 3,
        "background": 0,
        "gridstore": "",
        "scale_level": 0,
    }
    readers: tuple[tuple[str, str, Callable[[str], Any]], ...] = (
        ("BlockSize", "block", _block),
        ("VoxelSize", "size", _floats),
        ("VoxelUnits", "units", lambda said: _three("VoxelUnits", said.split(","))),
        ("MinPoint", "low", lambda said: _three("MinPoint", list(point(said, ",")))),
        ("MaxPoint", "high", lambda said: _three("MaxPoint", list(point(said, ",")))),
        ("Background", "background", lambda said: natural(said, bits=8)),
        ("GridStore", "gridstore", lambda said: _gridstore(said, stores)),
        ("ScaleLevel", "scale_level", lambda said: whole(said, bits=64, function="Atoi")),
    )
    for key, fact, read in readers:
        said = text(settings, key)
        if said is not None:
            facts[fact] = read(said)
    return facts


def _three(key: str, values: list[Any]) -> list[Any]:
    # DVID takes any number of axes and panics later, when it uses them.
    if len(values) != 3:
        raise Refusal(400, f"{key} must have 3 (not {len(values)}) dimensions")
    return values


def _block(said: str) -> list[int]:
    block: list[int] = _three("BlockSize", list(point(said, ",")))
    if min(block) < 1:
        raise Refusal(400, f"BlockSize must be positive, not {said}")
    return block


def _roi_block(kind: Kind, settings: Settings) -> list[int]:
    said = text(settings, "BlockSize")
    if said is None:
        return [kind.default_block] * 3
    block = list(point(said, ","))
    if len(block) != 3:
        raise Refusal(400, f"BlockSize must be 3d, not {len(block)}d")
    if min(block) < 1:
        raise Refusal(400, f"BlockSize must be positive, not {said}")
    return block


def _floats(said: str) -> list[float]:
    values = []
    for part in said.split(","):
        try:
            values.append(shortest(float(part.strip())))
        except ValueError as bad:
            quoted = json.dumps(part.strip())
            what = "value out of range" if isinstance(bad, _EndlessError) else "invalid syntax"
            raise Refusal(400, f"strconv.ParseFloat: parsing {quoted}: {what}") from bad
    return _three("VoxelSize", values)


class _EndlessError(ValueError):
    pass


def shortest(value: float) -> float:
    """The shortest number that is the same as a 32-bit float, which is how DVID keeps it.

    Raises
    ------
    ValueError
        For infinities and the like, which no document can hold.
    """
    if not abs(value) <= np.finfo(np.float32).max:
        raise _EndlessError(f"{value} is no finite 32-bit number")
    return float(str(np.float32(value)))


def _gridstore(said: str, stores: Collection[str]) -> str:
    if said not in stores:
        raise Refusal(
            400,
            f"bad store ({said}) designated for GridStore: "
            f'could not find store with alias "{said}" in TOML config file',
        )
    return said


def _labels(settings: Settings) -> dict[str, Any]:
    indexed = text(settings, "IndexedLabels")
    if indexed is not None and indexed.lower() not in _FLAGS:
        raise Refusal(
            400,
            f"Cannot parse '{indexed}' as a boolean.  Use 'true', 'false', '0', or '1'.",
        )
    levels = text(settings, "MaxDownresLevel")
    scales = 0 if levels is None else whole(levels, bits=64, function="Atoi")
    if not 0 <= scales <= 255:
        raise Refusal(
            400, f"illegal number of down-res levels specified ({scales}): must be 0 <= n <= 255"
        )
    return {
        "indexed": _FLAGS[(indexed or "true").lower()],
        "max_scale": scales,
        "highest_label": 0,
        "next_label": 0,
    }
