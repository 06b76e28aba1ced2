"""Credentials for the workers of a cluster.

Owns how they get there. Must not know requests. A graph carries none, ever: without this plugin,
each worker takes what its own environment holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from distributed import Worker, WorkerPlugin

from dvid_array import addresses
from dvid_array.client import connections
from dvid_array.client.registry import Credentials, Origin, state


@dataclass
class CredentialPlugin(WorkerPlugin):
    """Gives every worker, also those that start later, credentials for one server.

    With `token_file` the cluster learns a path only, and each worker reads the file when it
    starts: choose this where workers share a file system or mount secrets. A token given plainly
    travels to the scheduler, which keeps it in memory for workers to come (it is in no state
    dump); then let the cluster itself speak TLS.

    Examples
    --------
    >>> client.register_plugin(
    ...     CredentialPlugin("https://dvid.example.org", token_file="/run/secrets/dvid")
    ... )  # doctest: +SKIP
    """

    server: str
    """Its address."""
    token: str | None = field(default=None, repr=False)
    """Bearer token."""
    admin_token: str | None = field(default=None, repr=False)
    """Sent with calls that need it."""
    user: str | None = None
    """Who asks, for the server's log."""
    token_file: str | PathLike[str] | None = None
    """File on each worker's machine that holds the token, instead of `token`."""
    _before: Credentials | None = field(default=None, init=False, repr=False)
    _given: Credentials | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.server = addresses.origin(self.server)
        self.name = f"dvid credentials {self.server}"
        if self.token is not None and self.token_file is not None:
            raise ValueError("give the token, or the file that holds it, not both")

    def setup(self, worker: Worker) -> None:
        """Keep the credentials in the worker's process."""
        token = self.token
        if self.token_file is not None:
            token = Path(self.token_file).read_text("utf-8").strip()
        known = state().origins.get(self.server, Origin)
        self._before = known.credentials
        connections.introduce(self.server, None, Credentials(token, self.admin_token, self.user))
        self._given = known.credentials

    def teardown(self, worker: Worker) -> None:
        """Put back what the process had before, unless somebody has changed it since: of several
        workers in one process, each puts back what it found."""
        known = state().origins.get(self.server, Origin)
        if self._before is not None and known.credentials == self._given:
            known.credentials = self._before
