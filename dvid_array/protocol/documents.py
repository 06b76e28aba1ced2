"""DVID's JSON documents <-> frozen dataclasses, checked by JSON Schemas.

Owns what a document must hold. Must not know how it travelled.

Unknown keys pass; a missing or wrong-typed field is an error that names the path in the document.
Validators are built once. Of a repo's document, which can be megabytes, only the parts that are
asked for are checked.

Source: `GET .../info`, `/metadata`, `/api/repo/<uuid>/info`; `datatype/imageblk/imageblk.go`,
`datastore/datainstance.go`, `datastore/repo_local.go`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dvid_array.box import Box, Triple, triple
from dvid_array.errors import DvidProtocolError
from dvid_array.facts import Kind, kind_of
from dvid_array.once import once

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

Json = Any
NOT_JSON = object()


@cache
def validator(schema: str) -> Validator:
    """The validator of a shipped schema, built once."""
    from jsonschema import Draft202012Validator

    text = files("dvid_array.protocol.schemas").joinpath(f"{schema}.json").read_text("utf-8")
    return Draft202012Validator(json.loads(text))


def check(schema: str, document: Json, source: str = "", at: str = "") -> Json:
    """The document itself, when it is as its schema says.

    Parameters
    ----------
    schema : str
        Name of a shipped schema.
    document : object
        Decoded JSON.
    source : str
        Where it came from, for the message.
    at : str
        Where in a larger document it stands.

    Raises
    ------
    DvidProtocolError
        Names the path of the first field that is wrong.
    """
    from jsonschema.exceptions import best_match

    fault = best_match(validator(schema).iter_errors(document))
    if fault is None:
        return document
    place = at + "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault.absolute_path
    )
    raise DvidProtocolError(
        f"the {schema} document{' of ' + source if source else ''} is not as DVID writes it: "
        f"at {place.lstrip('.') or 'its top'}: {fault.message[:300]}",
        url=source,
    )


def parse(data: bytes, schema: str, source: str = "") -> Json:
    """A checked document out of the bytes of a body; uint64 values stay exact.

    Raises
    ------
    DvidProtocolError
        Where the bytes are no JSON, or not the document that was expected.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = NOT_JSON
    if document is NOT_JSON:
        # not chained to json's own error, which holds the whole answer
        start = data[:60].decode("utf-8", "replace").strip()
        raise DvidProtocolError(
            f"{source or 'the server'} answered something that is not JSON ({start!r}…): "
            "is it a DVID server?",
            url=source,
        )
    return check(schema, document, source)


def ids(data: bytes, source: str, count: int | None = None) -> NDArray[np.uint64]:
    """The labels or counts of a list, in the server's order; `count` of them, where that is known.

    Raises
    ------
    DvidProtocolError
        Where the bytes are no list of unsigned integers.
    """
    listed = parse(data, "list", source)
    # numpy would cut floats and take booleans
    if not all(type(value) is int and 0 <= value < 1 << 64 for value in listed):
        raise DvidProtocolError(f"{source}: something in this list is no label", url=source)
    if count is not None and len(listed) != count:
        raise DvidProtocolError(
            f"{source}: the list should have {count} entries, and has {len(listed)}", url=source
        )
    return np.array(listed, np.uint64)


@dataclass(frozen=True, slots=True)
class Instance:
    """A voxel instance at one version, as its info document tells."""

    name: str
    """Name within the repo."""
    kind: Kind
    """DVID type."""
    data_uuid: str
    """Id of the instance, the same at every version."""
    block: Triple
    """Voxels of a stored block along x, y, z."""
    resolution: tuple[float, float, float]
    """Size of a voxel along x, y, z, in `units`."""
    units: tuple[str, str, str]
    """Unit of each axis."""
    extents: Box | None
    """Voxels the server reports as written; None while nothing set them."""
    compression: str
    """How blocks are stored: lz4, gzip, none, snappy or jpeg."""
    background: int = 0
    """Value of blocks never written, which only `/blocks` honours."""
    gridstore: str = ""
    """Name of the read-only store behind a proxy."""
    max_scale: int = 0
    """Highest scale of a labelmap."""
    indexed: bool = True
    """Whether a labelmap keeps an index of its bodies."""

    @property
    def proxied(self) -> bool:
        """Whether the voxels live in a read-only GridStore, so that `raw` is refused."""
        return bool(self.gridstore)


_STORED = {
    "LZ4": "lz4",
    "gzip": "gzip",
    "No compression": "none",
    "Go Snappy": "snappy",
    "jpeg": "jpeg",
}
"""Beginnings of the human text in `Base.Compression`."""


def instance(document: Json, source: str = "") -> Instance:
    """The facts of an info document.

    Raises
    ------
    DvidProtocolError
        Where the document is not one of a voxel instance.
    DvidTypeError
        Where the instance is no array of voxels.
    """
    base = check("instance", document, source)["Base"]
    kind = kind_of(base["TypeName"])
    check("info", document, source)
    extended = document["Extended"]
    values = [value["DataType"] for value in extended["Values"]]
    if values != [kind.dtype.name] * kind.channels:
        raise DvidProtocolError(
            f"{source}: a {kind.name} should hold {kind.channels} x {kind.dtype.name}, "
            f"but the server says {values}",
            url=source,
        )
    units = extended["VoxelUnits"]
    size = extended["VoxelSize"]
    return Instance(
        name=base["Name"],
        kind=kind,
        data_uuid=base["DataUUID"],
        block=triple(extended["BlockSize"]),
        resolution=(float(size[0]), float(size[1]), float(size[2])),
        units=(units[0], units[1], units[2]),
        extents=extents(document),
        compression=stored_compression(base.get("Compression", "")),
        background=extended.get("Background", 0),
        gridstore=extended.get("GridStore", ""),
        max_scale=extended.get("MaxDownresLevel", 0),
        indexed=extended.get("IndexedLabels", True),
    )


def stored_compression(text: str) -> str:
    """The short name of a `Base.Compression` text; "" where it is none of DVID's."""
    return next((short for start, short in _STORED.items() if text.startswith(start)), "")


def extents(document: Json) -> Box | None:
    """The half-open extents of a checked info document: those of the version, where it has them.

    Points are inclusive, but for a GridStore proxy DVID reports the size of its store as MaxPoint.
    """
    own = document.get("Extents") or document["Extended"]
    low, high = own.get("MinPoint"), own.get("MaxPoint")
    if low is None or high is None:
        return None
    beyond = 0 if document["Extended"].get("GridStore") else 1
    return Box(triple(low), triple(value + beyond for value in high))


def extents_body(box: Box) -> bytes:
    """The body that sets extents (POST .../extents): inclusive points."""
    body = {"MinPoint": list(box.start), "MaxPoint": [value - 1 for value in box.stop]}
    return json.dumps(body).encode()


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a repo's graph."""

    uuid: str
    """Its id."""
    number: int
    """Grows from version to version, in the order they were made."""
    locked: bool
    """Whether it is committed."""
    branch: str
    """Name of its branch; the first one is called master."""
    note: str
    """What its author wrote."""
    parents: tuple[str, ...]
    """Ids of the versions it came from."""
    children: tuple[str, ...]
    """Ids of the versions that came from it."""


class Repo:
    """One repo's document; its versions and instances are checked when they are asked for."""

    def __init__(self, document: Json, source: str = "") -> None:
        self._document: dict[str, Json] = check("repo", document, source)
        self._source = source

    @property
    def document(self) -> dict[str, Json]:
        """All of it, as the server wrote it."""
        return self._document

    @property
    def root(self) -> str:
        """Id of the first version."""
        return str(self._document["Root"])

    @property
    def alias(self) -> str:
        """Its name for people."""
        return str(self._document["Alias"])

    @property
    def description(self) -> str:
        """What it holds, in words."""
        return str(self._document.get("Description", ""))

    @property
    def mutation_id(self) -> int:
        """Grows with writes to any instance of the repo, but for extents and resolution."""
        return int(self._document.get("MutationID", 0))

    @once
    def versions(self) -> dict[str, Version]:
        """All versions by id, in the server's order: DVID sorts them by id."""
        nodes = self._document["DAG"]["Nodes"]
        for uuid, entry in nodes.items():
            check("node", entry, self._source, f"DAG.Nodes.{uuid}")
        ids = {entry["VersionID"]: uuid for uuid, entry in nodes.items()}
        return {
            uuid: Version(
                uuid=uuid,
                number=entry["VersionID"],
                locked=entry["Locked"],
                branch=entry.get("Branch") or "master",
                note=entry.get("Note", ""),
                parents=self._uuids(entry["Parents"], ids),
                children=self._uuids(entry["Children"], ids),
            )
            for uuid, entry in nodes.items()
        }

    @property
    def branches(self) -> dict[str, str]:
        """Id of the newest version of each branch, by name; the oldest branch first."""
        made = sorted(self.versions.values(), key=lambda version: version.number)
        return {version.branch: version.uuid for version in made}

    def _uuids(self, numbers: list[int] | None, ids: Mapping[int, str]) -> tuple[str, ...]:
        return tuple(ids[number] for number in numbers or () if number in ids)

    @once
    def instances(self) -> dict[str, dict[str, Json]]:
        """The info documents of the instances by name, in the server's order, not yet checked."""
        return dict(self._document["DataInstances"] or {})

    def instance_kind(self, name: str) -> str:
        """The DVID type name of an instance."""
        entry = check("instance", self.instances[name], self._source, f"DataInstances.{name}")
        return str(entry["Base"]["TypeName"])
