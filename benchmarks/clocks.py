"""Seconds: of the wall, and of the server's processor."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def busy(work: Callable[[], object]) -> float:
    """Processor seconds of this thread in one call."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


@dataclass(frozen=True)
class Spent:
    """What one call took."""

    wall: float
    client: float
    """Processor seconds of this process."""
    server: float
    """Processor seconds of the server's."""


class Server:
    """A server on this machine, whose processor time can be read.

    Parameters
    ----------
    port : int
        Where it listens.
    pid : int, optional
        Its process; else the one that listens there.
    """

    def __init__(self, port: int, pid: int | None = None) -> None:
        self._process = psutil.Process(pid or _listening(port))

    def spent(self, work: Callable[[], object]) -> Spent:
        """What a call takes, here and there."""
        before, own = self._processor(), time.process_time()
        wall = seconds(work)
        return Spent(wall, time.process_time() - own, self._processor() - before)

    def _processor(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


def _listening(port: int) -> int:
    for line in psutil.net_connections("tcp"):
        if line.status == psutil.CONN_LISTEN and line.laddr.port == port and line.pid:
            return int(line.pid)
    raise SystemExit(f"no process of this user listens on port {port}: name it by --server-pid")
