"""Request bodies as documents, with DVID's complaints about them. Must not know what is done with
them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dvid_array.devserver import configuration
from dvid_array.devserver.answers import Body, NeedsBody, Refusal, Reply, VersionCall, refusal
from dvid_array.devserver.store import Db


def config(body: Body, what: str) -> dict[str, Any]:
    """A configuration: an object, its keys in lower case; an empty body is an empty one."""
    if not body.data.strip():
        return {}
    try:
        return configuration.lowered(body.json())
    except ValueError as bad:
        raise Refusal(
            400,
            f"Error decoding POSTed JSON config for {what}: Malformed JSON request in body: {bad}",
        ) from bad


def worded(settings: dict[str, Any], key: str, complaint: str) -> str | None:
    """A setting that must be a string; `complaint` stands before what is wrong with it."""
    try:
        return configuration.text(settings, key)
    except Refusal as bad:
        raise Refusal(bad.status, complaint + bad.text) from bad


def required(settings: dict[str, Any], key: str) -> str:
    """A setting that must be there."""
    value = settings.get(key)
    if not isinstance(value, str):
        raise refusal("name needed", key=key)
    return value


def append_log(call: VersionCall, append: Callable[[Db, list[str]], None]) -> NeedsBody:
    """Append the messages of a body to a log."""

    def appended(body: Body) -> Reply:
        messages = field(body, "log", list)
        with call.service.store.writing() as db:
            append(db, [str(message) for message in messages])
        return Reply()

    return NeedsBody(appended)


def field(body: Body, key: str, kind: type) -> Any:
    """One field of a body that must be there."""
    document = loaded(body) if body.data.strip() else {}
    value = document.get(key)
    if not isinstance(value, kind):
        raise Refusal(400, f"Could not find '{key}' value in POSTed JSON.")
    return value


def loaded(body: Body) -> dict[str, Any]:
    """The object that a body holds."""
    try:
        document = body.json()
    except ValueError as bad:
        raise Refusal(400, f"Malformed JSON request in body: {bad}") from bad
    if not isinstance(document, dict):
        raise Refusal(400, "Malformed JSON request in body: json: cannot unmarshal into an object")
    return document
