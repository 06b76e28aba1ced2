"""``dvid-array ls``: the repos of a server, or the data instances of a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dvid_array.cli import tables
from dvid_array.cli.options import Place, with_debug

if TYPE_CHECKING:
    from dvid_array.repository import Node, Repo, Server


@click.command()
@click.argument("address", metavar="URL[/UUID]")
@with_debug
def ls(address: str) -> None:
    """List the repos of a server, or the instances of one of its versions.

    UUID may be the beginning of an id, or an id and a branch as in 8f3a:master.
    """
    from dvid_array.opening import connect

    place = Place.read(address)
    if place.instance is not None:
        raise click.UsageError(f"{address!r} names an instance: use dvid-array info")
    server = connect(place.server)
    if place.version is None:
        _repos(server)
    else:
        _instances(server[place.version])


def _repos(server: Server) -> None:
    rows = [_row(root, repo) for root, repo in server.repos().items()]
    if not rows:
        click.echo(f"{server.url} holds no repo yet: dvid-array create-repo {server.url} ALIAS")
        return
    tables.show(("root version", "alias", "versions", "instances", "description"), rows)


def _row(root: str, repo: Repo) -> tuple[str, str, str, str, str]:
    """One repo; what cannot be read of it does not hide the others."""
    from dvid_array.errors import DvidProtocolError

    try:
        counts = str(len(repo.nodes)), str(len(repo.instances))
    except DvidProtocolError as fault:
        click.echo(f"Warning: {repo.alias!r}: {fault}", err=True)
        counts = "?", "?"
    return (root, repo.alias, *counts, repo.description)


def _instances(node: Node) -> None:
    rows = [(name, one.kind, _voxels(one.kind)) for name, one in node.instances.items()]
    state = "committed" if node.locked else "open"
    click.echo(f"version {node.uuid} ({state}) of {node.repo.alias!r}, {_branch(node)}")
    if not rows:
        click.echo(f"no instance yet: dvid-array create {node.server.url}/{node.uuid}/NAME")
        return
    tables.show(("instance", "type", "voxels"), rows)


def _branch(node: Node) -> str:
    return f"branch {node.branch or 'master'}"


def _voxels(name: str) -> str:
    """Element type and channels; nothing for what is no volume."""
    from dvid_array import facts
    from dvid_array.errors import DvidTypeError

    try:
        kind = facts.kind_of(name)
    except DvidTypeError:
        return "-"
    return kind.dtype.name if kind.channels == 1 else f"{kind.channels} x {kind.dtype.name}"
