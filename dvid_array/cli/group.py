"""The group of commands, and what becomes of their errors: one clear line and an exit status.

Must not know what the commands do.
"""

from __future__ import annotations

import warnings
from typing import Any

import click

from dvid_array import __version__
from dvid_array.cli.create import create, create_repo
from dvid_array.cli.demo import demo
from dvid_array.cli.info import info
from dvid_array.cli.ls import ls
from dvid_array.cli.options import debugging, with_debug
from dvid_array.cli.serve import serve
from dvid_array.errors import DvidError

EXPECTED = (DvidError, ValueError, OSError, ImportError)
"""What the world or the user can do wrong; anything else is a fault of ours and shows its trace."""
INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


class Commands(click.Group):
    """A group whose expected errors are one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort) as stop:
            click.echo("\n".join(["", "Stopped.", *getattr(stop, "__notes__", [])]), err=True)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            raise  # somebody closed our output, as `head` does: click ends quietly
        except EXPECTED as error:
            if debugging(ctx):
                raise
            raise click.ClickException(_one_line(error)) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    click.echo(f"Warning: {message}", err=True)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Credentials come from the environment: DVID_TOKEN, DVID_ADMIN_TOKEN, DVID_USER.",
)
@click.version_option(__version__, package_name="dvid_array")
@with_debug
def commands() -> None:
    """DVID volumes as numpy arrays. Begin with: dvid-array demo"""


for _command in (demo, serve, ls, info, create, create_repo):
    commands.add_command(_command)
