"""The command line, `dvid-array`: one file for each command.

Owns the entry point. Must not know requests or paths: commands use the public objects only.
Libraries are imported inside the commands, so that ``dvid-array --help`` is quick.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; ends the process."""
    try:
        from dvid_array.cli.group import commands
    except ModuleNotFoundError as missing:
        if missing.name != "click":
            raise
        sys.exit("Error: the command line needs click and rich: pip install 'dvid_array[cli]'")
    commands(prog_name="dvid-array")
