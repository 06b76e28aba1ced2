"""What answers of labels read from their calls. Must not know what they answer."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import md5
from typing import TypeVar

from dvid_array.devserver import geometry, label_mapping
from dvid_array.devserver.answers import Body, InstanceCall, NeedsBody, Refusal, Reply
from dvid_array.devserver.label_storage import LabelCodec

Given = TypeVar("Given")
SPARSE = "used as sparse volume."
"""What the background cannot be, where a body's voxels are asked for."""


def label_of(call: InstanceCall, complaint: str, use: str) -> int:
    """The label that the path names, never 0; `complaint` is made where it names none."""
    if not call.address.args:
        raise Refusal(400, complaint)
    return no_background(geometry.natural(call.address.args[0]), use)


def no_background(label: int, use: str) -> int:
    """A label but 0, which cannot be what `use` says."""
    if label == 0:
        raise Refusal(400, f"Label 0 is protected background value and cannot be {use}\n")
    return label


def scale(call: InstanceCall, complaint: str = "") -> int:
    """The scale that is asked for."""
    text = call.query.get("scale", "")
    try:
        # DVID cuts the number to eight bits and checks nothing.
        return geometry.whole(text, bits=64, function="Atoi") % 256 if text else 0
    except Refusal as bad:
        raise Refusal(bad.status, complaint + bad.text) from bad


def codec(call: InstanceCall) -> LabelCodec:
    """How stored blocks are shown to this call."""
    if call.query.get("supervoxels") == "true":
        return LabelCodec(call.instance)
    with call.service.store.reading() as db:
        mapping = label_mapping.load(db, call.instance.id, call.at)
    return LabelCodec(call.instance, mapping.of if len(mapping) else None)


def listed(
    call: InstanceCall,
    what: str,
    read: Callable[[Body], Given],
    then: Callable[[Given], Reply],
) -> NeedsBody:
    """A GET with a list in its body, whose MD5 can be told.

    Parameters
    ----------
    call : InstanceCall
        The call.
    what : str
        How DVID calls the request.
    read : callable
        Body -> list; ValueError where it is none.
    then : callable
        The answer to the list.
    """

    def asked(body: Body) -> Reply:
        expected = call.query.get("hash", "")
        found = md5(body.data, usedforsecurity=False).hexdigest() if expected else ""
        if expected != found:
            raise Refusal(400, f"content hash incorrect.  expected {expected}, got {found}")
        try:
            given = read(body)
        except ValueError as bad:
            raise Refusal(400, f"Bad {what} request JSON: {bad}") from bad
        return then(given)

    return NeedsBody(asked)
