"""``dvid-array serve``: the embedded development server in the foreground."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from dvid_array.cli.options import with_debug

TICK_SECONDS = 0.5
"""A wait without an end hides Ctrl-C on some systems."""


@click.command()
@click.option(
    "--store",
    type=click.Path(dir_okay=False, path_type=Path),
    help="SQLite file that keeps the data, made where there is none; else all is gone at the end.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="0: any free one.",
)
@with_debug
def serve(store: Path | None, host: str, port: int) -> None:
    """Run a small DVID until Ctrl-C.

    Its admin token, which creating repos needs, is DVID_ADMIN_TOKEN where that is set; else a new
    one each time.
    """
    from dvid_array import opening

    token = os.environ.get("DVID_ADMIN_TOKEN") or None
    with (
        _until_told() as told,
        opening.serve(store, host=host, port=port, admin_token=token) as server,
    ):
        click.echo(f"DVID at     {server.url}")
        click.echo(f"Admin token {server.admin_token}")
        click.echo(f"Data in     {store or 'a temporary file: --store FILE keeps it'}")
        click.echo("Ctrl-C stops it.")
        while not told.wait(TICK_SECONDS):
            pass
    click.echo("Stopped.")


@contextmanager
def _until_told() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C, afterwards, is the usual one."""
    told = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: told.set()) for number in numbers]
    try:
        yield told
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
