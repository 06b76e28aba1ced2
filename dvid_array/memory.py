"""How much memory this process may still take: what is free on the machine, within the limits of
its control groups (a job of a cluster, a container) and its own.

Owns the reading of what Linux says. Must not know who asks.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
UNKNOWN = 4096 * MIB
"""What is taken to be free where the system does not say."""
ROOT = Path("/")


def available(root: Path = ROOT) -> int:
    """Bytes of memory that can be used now."""
    within = [left for left in (*_of_groups(root), _of_addresses(root)) if left is not None]
    return max(0, min([_free(root), *within]))


def _free(root: Path) -> int:
    try:
        lines = (root / "proc/meminfo").read_text("ascii").splitlines()
        facts = dict(line.split(":", 1) for line in lines)
        return int(facts["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        try:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
        except (AttributeError, OSError, ValueError):
            return UNKNOWN


def _of_addresses(root: Path) -> int | None:
    """What `ulimit -v` leaves."""
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        pages = int((root / "proc/self/statm").read_text("ascii").split()[0])
    except (ImportError, OSError, ValueError):
        return None
    used = pages * resource.getpagesize()
    return None if limit == resource.RLIM_INFINITY else limit - used


@dataclass(frozen=True, slots=True)
class _Groups:
    """How a version of control groups tells of memory."""

    controller: str
    """As named in `/proc/self/cgroup`."""
    mount: str
    limit: str
    used: str
    cached: str
    """Entry of `memory.stat`: part of what is used that gives way."""


GROUPS = (
    _Groups("", "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    _Groups(
        "memory",
        "sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)


def _of_groups(root: Path) -> list[int | None]:
    """What the process's groups and those around them leave."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
        rows = [line.split(":", 2) for line in lines]
    except OSError:
        return []
    return [
        _left(root / kind.mount / folder, kind)
        for _, controllers, path in rows
        for kind in GROUPS
        if kind.controller in controllers.split(",")
        for folder in (Path(path.lstrip("/")), *Path(path.lstrip("/")).parents)
    ]


def _left(folder: Path, kind: _Groups) -> int | None:
    """What a group leaves; None where it sets no limit, or is not to be seen from here."""
    try:
        limit, used = (int((folder / name).read_text()) for name in (kind.limit, kind.used))
        lines = (folder / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):
        return None
    return limit - used + int(dict(line.split() for line in lines).get(kind.cached, 0))
