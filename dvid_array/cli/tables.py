"""Tables for the terminal and for pipes. Must not know what is in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 400
"""Columns of a pipe: a program that reads ids wants them in one piece."""


def console() -> Console:
    """Where results are printed: standard output as it is now."""
    from rich.console import Console

    shown = Console(highlight=False)
    return shown if shown.is_terminal else Console(highlight=False, width=PIPE_WIDTH)


def show(headings: Iterable[str], rows: Iterable[Iterable[str]], title: str = "") -> None:
    """Print rows under headings; the first column is never cut."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*map(Text, row))
    console().print(table)


def show_facts(facts: Iterable[tuple[str, str]], title: str = "") -> None:
    """Print names and what they are."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.title, table.title_justify = title or None, "left"
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, told in facts:
        table.add_row(Text(name), Text(told))
    console().print(table)
