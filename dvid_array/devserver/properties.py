"""Info, metadata, extents and resolution of an instance: what all voxel types share. Must not know
voxels."""

from __future__ import annotations

import json
from typing import Any

from dvid_array.box import Triple, triple
from dvid_array.devserver import catalog, configuration, descriptions, instances
from dvid_array.devserver.answers import (
    Answer,
    Body,
    InstanceCall,
    NeedsBody,
    Refusal,
    Reply,
    json_reply,
)
from dvid_array.devserver.instances import Extents
from dvid_array.facts import COORDINATE_LIMIT

METADATA = "application/vnd.dvid-nd-data+json"


def info(call: InstanceCall) -> Reply:
    """The info document."""
    with call.service.store.reading() as db:
        root = catalog.repo(db, call.version.repo).root
        extents = instances.extents(db, call.instance, call.at)
        highest = instances.highest_labels(db, call.instance.id)
    return json_reply(descriptions.info(call.instance, root, extents, highest))


def image_info(call: InstanceCall) -> Reply:
    """GET info of an image."""
    if call.method != "GET":
        raise Refusal(400, "info endpoint only supports GET HTTP verb")
    return info(call)


def metadata(call: InstanceCall) -> Reply:
    """The metadata document."""
    with call.service.store.reading() as db:
        extents = instances.extents(db, call.instance, call.at)
    document = descriptions.metadata(call.instance, extents)
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n"
    return Reply(body.encode(), METADATA)


def _posted(call: InstanceCall) -> None:
    if call.method != "POST":
        word = call.address.action
        raise Refusal(400, f"{word} endpoint only supports POST HTTP verb")


def image_extents(call: InstanceCall) -> Answer:
    """POST extents of an image."""
    _posted(call)
    return extents(call)


def image_resolution(call: InstanceCall) -> Answer:
    """POST resolution of an image."""
    _posted(call)
    return resolution(call)


def extents(call: InstanceCall) -> Answer:
    """Replace the extents of this version; nothing is checked, and no other version changes."""

    def replaced(body: Body) -> Reply:
        document = _object(body)
        low, high = (_corner(document, key) for key in ("MinPoint", "MaxPoint"))
        with call.service.store.writing() as db:
            instances.set_extents(db, call.instance.id, call.at, Extents(low, high))
        return Reply()

    return NeedsBody(replaced)


def _object(body: Body) -> dict[str, Any]:
    try:
        document = body.json()
    except ValueError as bad:
        raise Refusal(400, str(bad)) from bad
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise _unfit(document, "Go value of type imageblk.extents3D")
    return {key.lower(): value for key, value in document.items()}


def _unfit(value: Any, target: str) -> Refusal:
    names = {dict: "object", list: "array", str: "string", bool: "bool"}
    name = names.get(type(value), f"number {value}")
    return Refusal(400, f"json: cannot unmarshal {name} into {target}")


def _corner(document: dict[str, Any], key: str) -> Triple:
    # Go fills what is missing with zeros and drops what is too much.
    field = f"Go struct field extents3D.{key} of type "
    numbers = document.get(key.lower())
    if numbers is None:
        numbers = []
    if not isinstance(numbers, list):
        raise _unfit(numbers, field + "dvid.Point3d")
    for number in numbers[:3]:
        whole = isinstance(number, int) and not isinstance(number, bool)
        if not whole or abs(number) > COORDINATE_LIMIT:
            raise _unfit(number, field + "int32")
    return triple((*numbers, 0, 0, 0)[:3])


def resolution(call: InstanceCall) -> Answer:
    """Replace the voxel size, for all versions."""

    def replaced(body: Body) -> Reply:
        try:
            size = body.json()
        except ValueError as bad:
            raise Refusal(400, str(bad)) from bad
        if not isinstance(size, list):
            raise _unfit(size, "Go value of type dvid.NdFloat32")
        for value in size:
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise _unfit(value, "Go value of type float32")
        if len(size) != 3:
            # DVID takes any number of axes and panics later, when it uses them.
            raise Refusal(400, f"Resolution must have 3 (not {len(size)}) numbers")
        try:
            shortest = [configuration.shortest(value) for value in size]
        except ValueError as bad:
            raise _unfit(max(size, key=abs), "Go value of type float32") from bad
        with call.service.store.writing() as db:
            fresh = instances.instance(db, call.instance.repo, call.instance.name)
            instances.set_facts(db, fresh, size=shortest)
        return Reply()

    return NeedsBody(replaced)
