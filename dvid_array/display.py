"""How an array shows itself, in text and in a notebook. No request; no credentials."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dvid_array.attributes import Attributes


def size(count: float) -> str:
    """Bytes for people: 1536 is 1.5 KiB."""
    power = min(6, int(math.log(count, 1024))) if count >= 1 else 0
    unit = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")[power]
    return f"{count / 1024**power:.4g} {unit}"


def facts(array: Attributes) -> dict[str, str]:
    """What there is to say, by headings."""
    channels, *spatial = array.shape
    told = {
        "shape": f"{channels} channel(s), x y z {tuple(spatial)}",
        "type": f"{array.dtype.name} ({array.kind}), {size(array.nbytes)}",
        "blocks": " x ".join(map(str, array.block_shape[1:])),
        "voxel": " x ".join(f"{step:g}" for step in array.resolution) + f" {_units(array)}",
        "version": array.uuid + (" (committed)" if array.locked else " (open)"),
        "address": array.url,
    }
    if array.regions:
        told["inside"] = " and ".join(array.regions) + ", else 0"
    if array.label is not None:
        told["body"] = f"{array.label} (True where it is)"
    if any(array.origin):
        told["origin"] = f"x y z {array.origin[1:]}"
    elif not array.size:
        told["note"] = "nothing is stored yet"
    elif min(array.minindex) < 0:
        told["note"] = f"data begins at {array.minindex[1:]}: see .stored"
    return told


def _units(array: Attributes) -> str:
    return array.units[0] if len(set(array.units)) == 1 else ", ".join(array.units)


def text(array: Attributes) -> str:
    """A repr of a few lines."""
    rows = facts(array)
    width = max(map(len, rows))
    lines = [f"<{type(array).__name__} {array.instance!r}>"]
    return "\n".join(lines + [f"  {name:<{width}}  {_line(told)}" for name, told in rows.items()])


def _line(told: str) -> str:
    """On one line, whatever names hold."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in told)


def html(array: Attributes) -> str:
    """The same as a table."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(told)}</td></tr>"
        for name, told in facts(array).items()
    )
    return (
        f"<table><caption>{type(array).__name__} {escape(array.instance)}</caption>{rows}</table>"
    )
