"""What people paste -> server, version, instance, scale.

Owns the forms of an address. Pure: must not know HTTP.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlsplit

log = logging.getLogger(__name__)

SCHEMES = {"http": "http", "https": "https", "dvid": "http"}
VIEWER_KEYS = frozenset({"usertag", "user", "dvid-service"})
"""Query keys that Neuroglancer and its relatives add."""


@dataclass(frozen=True, slots=True)
class DataAddress:
    """Where one data instance lives."""

    server: str
    """Origin, as `http://host:port`."""
    version: str
    """Version expression: an id, a prefix, `id:branch`, `id:branch~n` or `:branch`."""
    instance: str
    """Name of the data instance."""
    scale: int = 0
    """Scale of a multi-scale label volume."""
    supervoxels: bool = False
    """Whether labels are read before merges."""

    @property
    def url(self) -> str:
        """An address that `open()` takes."""
        query = [f"scale={self.scale}"] * bool(self.scale) + ["supervoxels=true"] * self.supervoxels
        path = "/".join(quote(part, safe=":~") for part in (self.version, self.instance))
        return f"{self.server}/{path}" + ("?" + "&".join(query) if query else "")


def origin(text: str) -> str:
    """The origin of a server address: scheme, host and port, nothing else.

    Raises
    ------
    ValueError
        Where no host can be read, or something follows it.
    """
    scheme, host, path, query = _split(text)
    if path.strip("/") not in ("", "api") or query:
        raise ValueError(
            f"{text!r} is more than a server: write http://host:port, "
            "or pass the whole address to open()"
        )
    return f"{scheme}://{host}"


def loopback(server: str) -> bool:
    """Whether a server's origin is this machine itself."""
    host = urlsplit(server).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse(
    text: str,
    *,
    version: str | None = None,
    instance: str | None = None,
    scale: int | None = None,
    supervoxels: bool | None = None,
    server: str | None = None,
    needs: Sequence[str] = ("version", "instance"),
) -> DataAddress:
    """Read an address; keywords fill what it leaves open.

    Parameters
    ----------
    text : str
        `host:port/<version>/<instance>`, the same behind `http://`, `https://`, `dvid://` or
        `dvid://https://`, or a URL of DVID's API below `/api/node/`.
    version, instance, scale, supervoxels, server : optional
        What the address does not say.
    needs : sequence of str
        What must be said; an instance that need not be is "".

    Raises
    ------
    ValueError
        Where something is missing, unknown, or said twice in different ways.
    """
    scheme, host, path, query = _split(text)
    parts = [unquote(part) for part in path.split("/") if part]
    if parts[:2] == ["api", "node"]:
        parts = parts[2:4]
    elif len(parts) > 2:
        raise ValueError(
            f"{text!r} has too many parts: write http://host:port/<version>/<instance>"
        )
    found: dict[str, object] = dict(zip(("version", "instance"), parts, strict=False))
    found |= {"server": f"{scheme}://{host}"} | _query(query, text)
    said = {
        "server": origin(server) if server is not None else None,
        "version": version,
        "instance": instance,
        "scale": scale,
        "supervoxels": supervoxels,
    }
    for key, value in said.items():
        if value is not None and found.setdefault(key, value) != value:
            raise ValueError(
                f"the address says {key}={found[key]!r}, the keyword {key}={value!r}: leave one out"
            )
    missing = [key for key in needs if not found.get(key)]
    if missing:
        raise ValueError(
            f"{text!r} names no {' and no '.join(missing)}: "
            "write http://host:port/<version>/<instance>"
        )
    return DataAddress(**{"instance": ""} | found)  # type: ignore[arg-type]


def _split(text: str) -> tuple[str, str, str, str]:
    """Scheme, host with port, path and query of an address in any of its forms."""
    if not isinstance(text, str):
        raise TypeError(
            f"an address is text, as http://host:port/<version>/<instance>, not {text!r}"
        )
    rest = text.strip()
    if rest.startswith("dvid://") and rest[7:].startswith(("http://", "https://")):
        rest = rest[7:]
    if "://" not in rest:
        rest = "http://" + rest
    parts = urlsplit(rest)
    if parts.scheme not in SCHEMES:
        raise ValueError(f"{text!r}: {parts.scheme}:// is no DVID address; use http, https or dvid")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address holds no user or password: pass token= or set DVID_TOKEN")
    if not parts.hostname:
        raise ValueError(f"{text!r} names no host: write http://host:port/<version>/<instance>")
    try:
        port = parts.port
    except ValueError as fault:
        raise ValueError(f"{text!r}: {fault}") from None
    if parts.fragment:
        raise ValueError(f"{text!r} has a part behind '#', which is not understood")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return (
        SCHEMES[parts.scheme],
        host if port is None else f"{host}:{port}",
        parts.path,
        parts.query,
    )


def _query(query: str, text: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key == "scale" and value.isdecimal():
            found["scale"] = int(value)
        elif key == "supervoxels" and value.lower() in ("true", "false"):
            found["supervoxels"] = value.lower() == "true"
        elif key in VIEWER_KEYS:
            log.debug("ignoring the viewer's key %s in an address", key)
        else:
            raise ValueError(
                f"{key}={value} is not understood in the address {text!r}: "
                "?scale=2 and ?supervoxels=true are"
            )
    return found
