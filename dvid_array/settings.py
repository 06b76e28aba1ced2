"""How the client behaves: timeouts, sizes, guards. Must not know credentials."""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any

from dvid_array.memory import MIB, available


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Frozen settings of a connection; pass to `connect`, `open` or make a copy with
    `dataclasses.replace`."""

    connect_timeout: float = 5.0
    """Seconds to reach the server."""
    read_timeout: float = 120.0
    """Seconds without a byte before a read is given up."""
    post_timeout: float = 600.0
    """Seconds without a byte before a post is given up (labelmap posts queue on the server)."""
    retry_deadline: float = 60.0
    """Seconds after the first failure in which new attempts are made."""
    retry_interval: float = 0.1
    """Seconds before the first new attempt; doubled each time, with jitter."""
    warning_interval: float = 10.0
    """Seconds between warnings while a busy server is waited for."""
    threads: int = 4
    """Requests of one read or write in flight."""
    request_bytes: int = 16 * MIB
    """Largest body of one request that is held in memory."""
    max_bytes: int | None = None
    """Largest read or write; None means half of the memory available, within the limits of a
    container, of a cluster's job and of `ulimit -v`."""
    max_implicit_bytes: int = 1024 * MIB
    """Largest array that `np.asarray` downloads without being asked plainly."""
    server_throttle: bool = False
    """Ask the server to count our requests against its throttle (it answers 503 when busy)."""
    cache_bytes: int = 0
    """Decoded blocks of committed versions kept per process; 0 keeps none."""
    cache_open: bool = False
    """Keep blocks of open versions too, as long as nobody writes to their repo. Each read then
    asks for the repo's mutation count, one request. DVID does not count `ingest-supervoxels` and
    `mappings`."""
    observers: tuple[str, ...] = ("dvid_array.adapters.metrics.observe",)
    """Functions that are told of requests, by dotted path. Each takes a list of
    `client.hooks.Exchange` and is called in the thread that made the call. The one that is there
    shows what requests cost in dask's dashboard."""
    leases: int = 0
    """Requests in flight to the server in a whole dask cluster, or without one in this process; 0
    for no limit."""
    limiter: str = "dvid_array.adapters.dask.leases.leases"
    """Function that keeps that limit, by dotted path; see `client.hooks.Limiter`."""
    trim_extents: bool = True
    """Set exact extents after a write that grew them; False leaves DVID's block rounding."""
    transport: str = "auto"
    """How voxels are read: "auto", "blocks" (blocks as they are stored), "lz4" (label blocks as
    voxels) or "raw"."""
    query: tuple[tuple[str, str], ...] = ()
    """Further query arguments of every request for voxels, as pairs; a `roi` masks what is read and
    written."""
    tls_verify: bool = True
    """Whether certificates of https servers are checked."""
    ca_bundle: str | None = None
    """File of trusted certificates for https servers."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            default: Any = 0.0 if field.name == "max_bytes" and value is not None else field.default
            _check_number(field.name, value, NUMBERS.get(type(default)))
        if self.threads < 1:
            raise ValueError("Settings.threads is 0; at least one request must be in flight")
        if self.request_bytes < 1:
            raise ValueError("Settings.request_bytes is 0; a request must carry something")
        for name in (*self.observers, self.limiter):
            if not all(part.isidentifier() for part in name.split(".")) or "." not in name:
                raise ValueError(f"Settings name {name!r}, which is no dotted path to a function")
        if self.transport not in TRANSPORTS:
            raise ValueError(
                f"Settings.transport is {self.transport!r}; choose one of {', '.join(TRANSPORTS)}"
            )
        if owned := sorted(OWNED_ARGUMENTS.intersection(name for name, _ in self.query)):
            raise ValueError(
                f"Settings.query holds {', '.join(owned)}, which the client says itself: see the "
                "arguments of connect() and open(), and the other settings"
            )

    @property
    def piece_bytes(self) -> int:
        """Bytes of one body that is held in memory: all of them together stay within 64 MiB."""
        return min(self.request_bytes, max(MIB, 64 * MIB // self.threads))

    @property
    def read_limit(self) -> int:
        """Bytes that one read or write may hold."""
        return available() // 2 if self.max_bytes is None else self.max_bytes


def _check_number(name: str, value: Any, taken: tuple[Any, str] | None) -> None:
    if taken is None:
        return
    kind, words = taken
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"Settings.{name} is {value!r}; it takes {words}")
    if not value >= 0:
        raise ValueError(f"Settings.{name} is {value}; it cannot be negative")


NUMBERS: dict[type, tuple[Any, str]] = {
    float: (Real, "a number"),
    int: (Integral, "a whole number"),
    bool: (bool, "True or False"),
}
"""What a setting takes, by the type of its default."""
OWNED_ARGUMENTS = frozenset(
    (
        *("blocks", "compression", "downres", "mutate", "noindexing"),
        *("scale", "supervoxels", "throttle", "admintoken"),
    )
)
"""Query arguments on which the bytes of a request depend, or a secret."""
TRANSPORTS = ("auto", "blocks", "lz4", "raw")
DEFAULT = Settings()
