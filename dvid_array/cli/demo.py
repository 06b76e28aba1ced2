"""``dvid-array demo``: the whole way once, from an empty server to numbers and a picture.

Owns the order of the steps and what is said of them; `steps` does them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dvid_array.cli import tables
from dvid_array.cli.create import admin_token
from dvid_array.cli.options import Place, with_debug

if TYPE_CHECKING:
    from dvid_array.array import DvidArray
    from dvid_array.cli.steps import Findings, Volumes
    from dvid_array.repository import Server

LARGEST = 10


@click.command()
@click.option(
    "--size", type=click.IntRange(32, 8192), default=512, show_default=True, help="Voxels an edge."
)
@click.option(
    "--store", type=click.Path(dir_okay=False, path_type=Path), help="Keep the data here."
)
@click.option("--server", "address", metavar="URL", help="Use this DVID, not the embedded server.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    default="dvid-array-demo.png",
    show_default=True,
    help="The picture.",
)
@with_debug
def demo(size: int, store: Path | None, address: str | None, output: Path) -> None:
    """Make a volume and its segmentation, store, reopen and measure them, and draw a picture.

    Without --server a small DVID runs as long as the demo does, on a temporary file or --store.
    A real DVID wants its admin token: set DVID_ADMIN_TOKEN, or type it when asked.
    """
    if store is not None and address is not None:
        raise click.UsageError("--store is for the embedded server: leave it or --server out")
    if not output.absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder {output.absolute().parent} for --output")
    try:
        from dvid_array.cli import steps
    except ModuleNotFoundError as missing:
        raise ImportError(
            f"the demo needs {missing.name}: pip install 'dvid_array[demo]'"
        ) from missing

    with _server(store, address) as server, steps.progress() as bar:
        volumes, made = steps.make(server, size, bar)
        findings = steps.measure(volumes, made, bar)
        steps.draw(volumes, output)
    _tell(findings)
    click.echo(f"Picture: {output}")
    _tell_next(volumes, store, address)


@contextmanager
def _server(store: Path | None, address: str | None) -> Iterator[Server]:
    """A server where repos can be made: the named one, or the embedded one."""
    from dvid_array import opening

    if address is not None:
        server = opening.connect(Place.read(address).server)
        yield opening.connect(server.url, admin_token=admin_token(server))
        return
    with opening.serve(store) as running:
        click.echo(f"A small DVID runs at {running.url}")
        yield opening.connect(running.url, admin_token=running.admin_token)


def _tell(findings: Findings) -> None:
    rows = [
        (
            step.name,
            f"{step.bytes / 1e6:,.0f} MB",
            f"{step.seconds:.1f} s",
            f"{step.rate:,.0f} MB/s",
        )
        for step in findings.steps
    ]
    tables.show(("step", "voxels", "time", "throughput"), rows)
    means = findings.means
    click.echo(
        f"Mean gray value of {len(means)} slices along z: "
        f"{means.min():.1f} to {means.max():.1f}, all together {means.mean():.1f}\n"
    )
    bodies = [
        (str(body), f"{count:,}", f"{count / findings.voxels:.2%}")
        for body, count in findings.largest(LARGEST)
    ]
    tables.show(("body", "voxels", "share"), bodies, title=f"The {len(bodies)} largest bodies")


def _tell_next(volumes: Volumes, store: Path | None, address: str | None) -> None:
    click.echo("\nNext:")
    for line in _next(volumes.gray, store, address):
        click.echo(f"  {line}")


def _next(gray: DvidArray, store: Path | None, address: str | None) -> list[str]:
    """What to type next."""
    if store is None and address is None:
        return ["dvid-array demo --store demo.sqlite   # the same, and keep the data"]
    url = gray.url if address else f"http://127.0.0.1:8000/{gray.uuid}/{gray.instance}"
    serve = [] if address else [f"dvid-array serve --store {store}   # then, in another terminal:"]
    return [*serve, f"dvid-array info {url}", f"python -c 'import dvid_array; {_peek(url)}'"]


def _peek(url: str) -> str:
    return f'print(dvid_array.open("{url}")[0, :8, 9, 9])'
