"""New labels: the highest there is, and reserving more. Must not know voxels.

Source: `datatype/labelmap/handlers.go` (handleMaxlabel, handleNextlabel).
"""

from __future__ import annotations

from dvid_array.devserver import geometry, instances, label_calls, volumes
from dvid_array.devserver.answers import InstanceCall, Refusal, Reply, spaced_json_reply

HIGHEST_POSTED = 1 << 48
"""What an admin may raise the highest label to."""


def max_label(call: InstanceCall) -> Reply:
    """GET maxlabel; POST maxlabel/<label> with admin rights."""
    if call.method == "POST":
        return _raise_max(call)
    if call.method != "GET":
        raise _unknown_action(call)
    with call.service.store.reading() as db:
        highest = instances.highest_label(db, call.instance.id, call.at)
    if highest is None:
        name = call.instance.name
        raise Refusal(400, f"No maximum label found for {name} version {call.at}\n")
    return spaced_json_reply({"maxlabel": highest})


def _raise_max(call: InstanceCall) -> Reply:
    if not call.admin:
        raise Refusal(400, "POST /maxlabel requires admin privileges (admintoken or DSG admin)")
    missing = "DVID requires max label ID to follow POST /maxlabel"
    label = label_calls.label_of(call, missing, "used as max label.")
    if label > HIGHEST_POSTED:
        raise Refusal(400, f"Posted max label {label} exceeds allowed cap {HIGHEST_POSTED}")
    with call.service.label_lock, call.service.store.writing() as db:
        volumes.still_open(db, call)
        fresh = instances.instance(db, call.instance.repo, call.instance.name)
        instances.raise_highest(db, fresh, call.at, label)
    return Reply()


def _unknown_action(call: InstanceCall) -> Refusal:
    query = "" if not call.query else "?" + "&".join(f"{k}={v}" for k, v in call.query.items())
    return Refusal(400, f'Unknown action "{call.method}" requested: {call.path}{query}\n')


def next_label(call: InstanceCall) -> Reply:
    """GET nextlabel; POST nextlabel/<number> reserves so many."""
    if call.method == "POST":
        return _reserve(call)
    if call.method != "GET":
        raise _unknown_action(call)
    facts = call.instance.facts
    return spaced_json_reply({"nextlabel": (facts["next_label"] or facts["highest_label"]) + 1})


def _reserve(call: InstanceCall) -> Reply:
    if not call.address.args:
        raise Refusal(400, "DVID requires number of requested labels to follow POST /nextlabel")
    number = geometry.natural(call.address.args[0])
    if number == 0:
        raise Refusal(400, "cannot request 0 new labels, must be 1 or more")
    with call.service.label_lock, call.service.store.writing() as db:
        volumes.still_open(db, call)
        fresh = instances.instance(db, call.instance.repo, call.instance.name)
        first, last = instances.new_labels(db, fresh, call.at, number)
    return spaced_json_reply({"start": first, "end": last})
