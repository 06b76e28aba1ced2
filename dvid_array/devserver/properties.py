"""Info, metadata, extents and resolution of an instance: what all voxel types share. Must not know
voxels."""

from __future__ import annotations

import json
from typing import Any

from dvid_array.box import Triple, triple
from dvid_array.devserver import catalog, configuration, instances
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

METADATA = "application/vnd.dvid-nd-data+json"


def info(call: InstanceCall) -> Reply:
    """The info document."""
    with call.service.store.reading() as db:
        root = catalog.repo(db, call.version.repo).root
        extents = instances.extents(db, call.instance, call.at)
        highest = instances.highest_labels(db, call.instance.id)
    return json_reply(configuration.info(call.instance, root, extents, highest))


def image_info(call: InstanceCall) -> Reply:
    """GET info of an image."""
    if call.method != "GET":
        raise Refusal(400, "info endpoint only supports GET HTTP verb")
    return info(call)


def metadata(call: InstanceCall) -> Reply:
    """The metadata document."""
    with call.service.store.reading() as db:
        extents = instances.extents(db, call.instance, call.at)
    document = configuration.metadata(call.instance, extents)
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
        low, high = (_corner(document.get(key)) for key in ("MinPoint", "MaxPoint"))
        with call.service.store.writing() as db:
            instances.set_extents(db, call.instance.id, call.at, Extents(low, high))
        return Reply()

    return NeedsBody(replaced)


def _object(body: Body) -> dict[str, Any]:
    try:
        document = body.json()
    except ValueError as bad:
        raise Refusal(400, str(bad)) from bad
    if not isinstance(document, dict):
        raise Refusal(400, "json: cannot unmarshal into Go value of type imageblk.extents3D")
    return document


def _corner(value: Any) -> Triple:
    # Go fills what is missing with zeros and drops what is too much.
    numbers = value if isinstance(value, list) else []
    if not all(isinstance(number, int) for number in numbers):
        raise Refusal(400, "json: cannot unmarshal number into Go struct field of type int32")
    return triple((*numbers, 0, 0, 0)[:3])


def resolution(call: InstanceCall) -> Answer:
    """Replace the voxel size, for all versions."""

    def replaced(body: Body) -> Reply:
        try:
            size = body.json()
        except ValueError as bad:
            raise Refusal(400, str(bad)) from bad
        if not isinstance(size, list) or len(size) != 3 or not all(map(_is_number, size)):
            raise Refusal(400, "json: cannot unmarshal into Go value of type dvid.NdFloat32")
        with call.service.store.writing() as db:
            fresh = instances.instance(db, call.instance.repo, call.instance.name)
            shortest = [configuration.shortest(value) for value in size]
            instances.set_facts(db, fresh, size=shortest)
        return Reply()

    return NeedsBody(replaced)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
