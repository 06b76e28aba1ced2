"""Arguments and options that several commands take. Must not know servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from dvid_array import addresses

DEBUG = "dvid_array.debug"


def debugging(ctx: click.Context) -> bool:
    """Whether tracebacks are wanted."""
    return bool(ctx.meta.get(DEBUG))


def _remember(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        ctx.meta[DEBUG] = True


with_debug = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=_remember,
    help="Show the traceback of an error.",
)


@dataclass(frozen=True, slots=True)
class Place:
    """A server, or a version on it, or an instance at that version."""

    server: str
    version: str | None = None
    instance: str | None = None

    @classmethod
    def read(cls, text: str) -> Place:
        """The place that an address names, in any form `dvid_array.open` takes.

        Raises
        ------
        ValueError
            Where it is no address.
        """
        try:
            return cls(addresses.origin(text))
        except ValueError:
            pass
        try:
            found = addresses.parse(text)
        except ValueError:
            # an address of a version lacks the instance; a wrong one fails again, for good
            found = addresses.parse(text, instance="-")
            return cls(found.server, found.version)
        return cls(found.server, found.version, found.instance)


class Along(click.ParamType):  # type: ignore[type-arg]
    """A value for each of x, y, z, as 8,8,40; or one for all of them."""

    def __init__(self, convert: Callable[[str], Any], what: str) -> None:
        self._convert = convert
        self.name = what

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Any, Any, Any]:
        """Three values out of the text."""
        if isinstance(value, tuple):
            return value
        try:
            x, *rest = (self._convert(part.strip()) for part in value.split(","))
            y, z = rest or (x, x)
        except ValueError:
            self.fail(f"{value!r}: write {self.name}, as X,Y,Z or one for all three", param, ctx)
        return x, y, z


class ElementType(click.ParamType):  # type: ignore[type-arg]
    """A numpy dtype."""

    name = "dtype"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The dtype of that name."""
        import numpy as np

        try:
            return np.dtype(value)
        except TypeError:
            self.fail(f"{value!r} is no numpy dtype: write uint8, uint16, uint64 …", param, ctx)
