"""``dvid-array create`` and ``create-repo``: new volumes and new repos.

Results go to standard output alone, so that scripts can take them; hints go beside it.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from dvid_array.cli.options import Along, ElementType, Place, with_debug

if TYPE_CHECKING:
    from dvid_array.repository import Server

WHOLE = Along(int, "whole numbers")
NUMBERS = Along(float, "numbers")
NAMES = Along(str, "names")


@click.command()
@click.argument("address", metavar="URL/UUID/NAME")
@click.option("--dtype", type=ElementType(), required=True, help="Element type, as uint8.")
@click.option("--channels", type=int, default=1, show_default=True, help="4 of uint8 make RGBA.")
@click.option("--shape", type=WHOLE, help="Extent x,y,z before anything is written.")
@click.option("--block", type=WHOLE, default="64,64,64", show_default=True, help="Stored block.")
@click.option("--resolution", type=NUMBERS, default="1", show_default=True, help="Voxel size.")
@click.option("--units", type=NAMES, default="nanometers", show_default=True, help="Of that size.")
@click.option("--kind", help="DVID's type, where it is not the usual one of the dtype.")
@click.option("--max-scale", type=int, help="Labelmaps: how often the server halves the volume.")
@click.option("--background", type=int, default=0, show_default=True, help="Viewers' empty value.")
@click.option("--compression", help="How blocks are stored: lz4, gzip, none, jpeg.")
@with_debug
def create(address: str, **options: Any) -> None:
    """Make an empty volume, and print its address.

    Three values are written as 8,8,40; a single one counts for x, y and z.
    """
    from dvid_array.opening import connect

    place = Place.read(address)
    if place.version is None or place.instance is None:
        raise click.UsageError(f"{address!r}: write URL/UUID/NAME")
    array = connect(place.server)[place.version].create(place.instance, **options)
    click.echo(array.url)


@click.command("create-repo")
@click.argument("address", metavar="URL")
@click.argument("alias")
@click.option("--description", default="", help="What the repo will hold.")
@with_debug
def create_repo(address: str, alias: str, description: str) -> None:
    """Make a repo, and print the id of its first version.

    DVID wants its admin token for this: set DVID_ADMIN_TOKEN, or type it when asked.
    """
    from dvid_array.opening import connect

    place = Place.read(address)
    if place.version is not None:
        raise click.UsageError(f"{address!r} is more than a server: write http://host:port")
    server = connect(place.server)
    node = server.create_repo(alias, description, admin_token=admin_token(server))
    click.echo(node.uuid)
    click.echo(f"Next: dvid-array create {server.url}/{node.uuid}/NAME --dtype uint8", err=True)


def admin_token(server: Server) -> str:
    """The admin token, from the environment or from whoever sits at the terminal."""
    if token := os.environ.get("DVID_ADMIN_TOKEN"):
        return token
    server.info()  # before asking somebody for a secret: is there a server at all?
    if not somebody_there():
        raise click.UsageError("nobody to ask for the admin token: set DVID_ADMIN_TOKEN")
    token = click.prompt(f"Admin token of {server.url}", hide_input=True, err=True)
    return str(token)


def somebody_there() -> bool:
    """Whether somebody sits at a terminal."""
    return sys.stdin.isatty()
