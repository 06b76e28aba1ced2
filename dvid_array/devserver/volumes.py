"""What answers of images and of labels share. Must not know endpoints.

The order of checks is DVID's: it decides the sentence where several things are wrong at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dvid_array.box import Triple
from dvid_array.devserver import boxes, catalog, instances, pictures, spans
from dvid_array.devserver.answers import InstanceCall, Piece, Refusal, Reply, refusal
from dvid_array.devserver.blocks import Volume
from dvid_array.devserver.geometry import Subvolume, shown
from dvid_array.devserver.numbers import Rows
from dvid_array.devserver.service import PIECE_BYTES
from dvid_array.devserver.store import Db
from dvid_array.facts import MAX_ANSWER_BYTES


def stored_at(call: InstanceCall, scale: int = 0) -> Volume:
    """The stored blocks that a call is about."""
    return Volume(call.instance.id, call.at, scale)


def corners(subvolume: Subvolume) -> dict[str, str]:
    """Both corners as DVID shows them in a refusal."""
    return {"start": shown(subvolume.offset), "stop": shown(subvolume.last)}


def unknown_endpoint(call: InstanceCall) -> Refusal:
    """DVID's word for an endpoint that the type does not have."""
    kind = call.instance.kind.name
    return Refusal(
        400,
        f'Bad API call ({call.path}) for data "{call.instance.name}".  '
        f"See API help at http://{call.service.authority}/api/help/{kind}",
        bare=True,
    )


def throttle(call: InstanceCall) -> None:
    """Count a call that wants to be counted, until it is over."""
    if call.on("throttle"):
        call.service.throttle.enter()
        call.closing.callback(call.service.throttle.leave)


@dataclass(frozen=True, slots=True)
class Region:
    """The blocks of a region of interest. DVID compares them with a volume's blocks by number,
    also where theirs are of another size."""

    found: Rows
    """z, y, x0, x1, in order."""

    def holds(self, block: Triple) -> bool:
        """Whether a block of a volume counts as inside."""
        x, y, z = block
        line = self.found[(self.found[:, 0] == z) & (self.found[:, 1] == y)]
        return bool(((line[:, 2] <= x) & (line[:, 3] >= x)).any())


def region(call: InstanceCall) -> Region | None:
    """The region of interest that a call wants to stay inside of."""
    name = call.query.get("roi")
    if not name:
        return None
    with call.service.store.reading() as db:
        try:
            which = instances.instance(db, call.version.repo, name)
        except Refusal as bad:
            raise Refusal(400, f'Can\'t get ROI with name "{name}": {bad.text}') from bad
        if which.kind.family != "roi":
            raise Refusal(400, f'Data name "{name}" was not of roi data type\n')
        return Region(spans.load(db, which.id, call.version.id))


def check_size(voxels: int, geometry_text: str, voxel_bytes: int, prefix: str = "") -> None:
    """Refuse what is empty or more than one answer may hold."""
    if voxels <= 0:
        raise refusal(f"illegal {prefix}geometry", box=geometry_text)
    if voxels * voxel_bytes > MAX_ANSWER_BYTES:
        name = "labels too large" if prefix else "too large"
        raise refusal(name, size=voxels * voxel_bytes, limit=MAX_ANSWER_BYTES)


def voxel_bytes(call: InstanceCall) -> int:
    """Bytes of one voxel."""
    return call.instance.kind.dtype.itemsize * call.instance.kind.channels


def zeros(size: int) -> Iterator[Piece]:
    """So many zero bytes."""
    blank = bytes(min(size, PIECE_BYTES))
    while size > 0:
        yield blank[:size]
        size -= len(blank)


def count_mutation(call: InstanceCall) -> None:
    """DVID gives a post of images its number before it looks whether it can be stored."""
    with call.service.store.writing() as db:
        catalog.mutated(db, call.version.repo)


def still_open(db: Db, call: InstanceCall) -> None:
    """Refuse a write whose version was committed since its request came in."""
    versioned = call.instance.facts["versioned"]
    if versioned and not call.admin and catalog.version(db, call.at).locked:
        raise refusal(
            "locked data",
            method=call.method,
            endpoint=call.address.action,
            uuid=call.version.uuid,
        )


def picture(
    call: InstanceCall, axes: tuple[int, ...], codec: boxes.Codec, scale: int = 0, prefix: str = ""
) -> Reply:
    """The picture of a plane."""
    plane = pictures.plane(axes, call.address.args[1], call.address.args[2])
    if call.method != "GET":
        raise Refusal(400, "DVID does not permit 2d mutations, only 3d block-aligned stores")
    wanted = plane
    if call.address.action == "isotropic":
        wanted = plane.isotropic(call.instance.facts["size"])
    check_size(wanted.pixels, str(wanted), voxel_bytes(call), prefix)
    inside = region(call)
    with call.service.store.reading() as db:
        array = boxes.assemble(db, stored_at(call, scale), codec, wanted.box, inside)
    return pictures.picture(array, wanted, plane, call.address.args[3:4])
