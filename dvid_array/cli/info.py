"""``dvid-array info``: what one volume is, without a voxel of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from dvid_array.cli import tables
from dvid_array.cli.options import with_debug

if TYPE_CHECKING:
    from dvid_array.array import DvidArray


@click.command()
@click.argument("address", metavar="URL/UUID/NAME")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@with_debug
def info(address: str, as_json: bool) -> None:
    """Tell what a volume is: shape, type, blocks, voxel size, version.

    The address is anything that dvid_array.open takes, ?scale=2 and ?supervoxels=true included.
    """
    from dvid_array import display
    from dvid_array.opening import open as open_array

    array = open_array(address)
    if as_json:
        click.echo(json.dumps(_document(array), indent=2))
        return
    told = display.facts(array)
    tables.show_facts(told.items(), title=array.instance)


def _document(array: DvidArray) -> dict[str, Any]:
    return {
        "url": array.url,
        "uuid": array.uuid,
        "instance": array.instance,
        "kind": array.kind,
        "dtype": array.dtype.name,
        "axes": array.axiskeys,
        "shape": array.shape,
        "minindex": array.minindex,
        "block_shape": array.block_shape,
        "resolution": array.resolution,
        "units": array.units,
        "scale": array.scale,
        "supervoxels": array.supervoxels,
        "locked": array.locked,
        "nbytes": array.nbytes,
    }
