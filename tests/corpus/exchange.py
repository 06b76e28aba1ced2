"""One exchange with a server: sending it, writing it down, comparing two answers.

Ids differ from server to server and from run to run, so they are written as placeholders: `{root}`
stands for whatever id an earlier answer gave under that name.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import quote, urlsplit

import lz4.block
import numpy as np
from PIL import Image

from tests.corpus import label_block

Json = Any

HEADERS = ("content-type", "content-encoding", "x-content-type-options", "allow", "location")
"""The headers that matter."""
VOLATILE = {"DataUUID", "Created", "Updated", "KVStore", "LogStore"}
"""Fields of documents that differ from run to run; their type is compared."""
PICTURE_TOLERANCE = 4
"""JPEG encoders differ a little from one another, in gray levels."""

_PATTERNS = (
    (re.compile(r"request \S+:"), "request {id}:"),
    (re.compile(r"IP: \S+,"), "IP: {ip},"),
    (re.compile(r"http://[^/\s]+/api/help"), "http://{host}/api/help"),
    (re.compile(r"local id \d+, version id \d+"), "local id {number}, version id {number}"),
    (re.compile(r"(maximum label found for \S+ version) \d+"), r"\1 {number}"),
    (re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-][0-9:]+)  "), "{time}  "),
)


# --- bodies --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ramp:
    """Voxels by a formula, so that a recording needs to name it only."""

    dtype: str
    """Element type."""
    size: tuple[int, int, int]
    """Voxels along x, y, z."""
    seed: int = 1
    """Another seed, other voxels."""
    high: int = 200
    """Values are below it."""
    channels: int = 1
    """Values a voxel."""
    packed: str = ""
    """"", lz4 or gzip."""
    cell: int = 1
    """Voxels along each axis that share one value."""

    def array(self) -> np.ndarray[Any, np.dtype[Any]]:
        """Axes channel, x, y, z."""
        c, x, y, z = np.meshgrid(
            np.arange(self.channels), *(np.arange(n) // self.cell for n in self.size), indexing="ij"
        )
        values = (3 * x + 5 * y + 7 * z + 11 * c + 13 * self.seed) % self.high
        return values.astype(self.dtype)

    def data(self) -> bytes:
        """The body."""
        return PACKERS[self.packed](self.array().tobytes(order="F"))


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "lz4": lambda data: bytes(lz4.block.compress(data, store_size=False)),
    "gzip": lambda data: gzip.compress(data, mtime=0),
}

Payload = str | bytes | Ramp | None


def body_note(body: Payload) -> Json:
    """How a request's body is written down."""
    if isinstance(body, Ramp):
        return {"ramp": dict(vars(body))}
    if isinstance(body, bytes):
        return {"bytes": packed(body)}
    return None if body is None else {"text": body}


def body_of(note: Json) -> Payload:
    """The body that was written down."""
    if note is None:
        return None
    if "ramp" in note:
        facts = dict(note["ramp"])
        return Ramp(**facts | {"size": tuple(facts["size"])})
    return unpacked(note["bytes"]) if "bytes" in note else str(note["text"])


def packed(data: bytes) -> str:
    """Bytes as text."""
    return base64.b85encode(zlib.compress(data, 9)).decode()


def unpacked(text: str) -> bytes:
    """Bytes that were packed."""
    return zlib.decompress(base64.b85decode(text))


# --- exchanges -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """What is asked, with placeholders."""

    method: str
    path: str
    query: str = ""
    body: Payload = None
    learn: dict[str, str] = field(default_factory=dict)
    """Placeholder -> field of the JSON answer that it stands for from now on."""
    read: dict[str, Json] = field(default_factory=dict)
    """How the answer's body is to be read: `kind` and what that kind needs."""

    @property
    def title(self) -> str:
        """For people, and for the list of differences."""
        return f"{self.method} {self.path}{'?' + self.query if self.query else ''}"

    def note(self) -> Json:
        """As written down."""
        facts = {"method": self.method, "path": self.path, "query": self.query}
        facts |= {"body": body_note(self.body), "learn": self.learn, "read": self.read}
        return {key: value for key, value in facts.items() if value}

    @classmethod
    def of(cls, note: Json) -> Request:
        """The request that was written down."""
        return cls(**note | {"body": body_of(note.get("body"))})


@dataclass(frozen=True)
class Answer:
    """What came back, with placeholders."""

    status: int
    headers: dict[str, str]
    chunked: bool
    kind: str
    """json, text, or one of `COMPARISONS`."""
    body: Json
    """A document, a text, or packed bytes."""

    def note(self) -> Json:
        """As written down."""
        return dict(vars(self))

    @classmethod
    def of(cls, note: Json) -> Answer:
        """The answer that was written down."""
        return cls(**note)


class Teller:
    """A conversation with one server.

    Parameters
    ----------
    url : str
        The server.
    admin_token : str
        What grants admin rights there.
    """

    def __init__(self, url: str, admin_token: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._admin = {"admin": admin_token}
        self._known: dict[str, str] = {}

    def ask(self, request: Request) -> Answer:
        """Send a request and read its answer."""
        connection = http.client.HTTPConnection(*self._address, timeout=120)
        try:
            return self._asked(connection, request)
        finally:
            connection.close()

    def _asked(self, connection: http.client.HTTPConnection, request: Request) -> Answer:
        target = quote(self._filled(request.path), safe="/:,~%")
        if request.query:
            target += "?" + self._filled(request.query).replace(" ", "%20")
        body = request.body
        data = body.data() if isinstance(body, Ramp) else body
        if isinstance(data, str):
            data = self._filled(data).encode()
        connection.putrequest(request.method, target, skip_accept_encoding=True)
        if data is not None:
            connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data)
        answer = connection.getresponse()
        return self._noted(request, answer, answer.read())

    def _noted(self, request: Request, answer: http.client.HTTPResponse, body: bytes) -> Answer:
        headers = {name: answer.headers[name] for name in HEADERS if name in answer.headers}
        headers = {name: self._anonymous(value) for name, value in headers.items()}
        kind = request.read.get("kind", "") if answer.status == 200 else ""
        kind = kind or _kind(headers.get("content-type", ""))
        content: Json
        if kind == "json":
            document = json.loads(body) if body else None
            for name, place in request.learn.items():
                self._known[name] = document[place]
            content = normal(json.loads(self._anonymous(body.decode())) if body else None)
            content = in_order(content) if request.read.get("unordered") else content
        elif kind == "text":
            content = self._anonymous(body.decode())
        elif kind == "lines":
            content = "".join(sorted(body.decode().splitlines(keepends=True)))
        else:
            content = packed(body)
        chunked = answer.headers.get("transfer-encoding") == "chunked"
        return Answer(answer.status, headers, chunked, kind, content)

    def _filled(self, text: str) -> str:
        for name, value in (self._admin | self._known).items():
            text = text.replace(f"{{{name}}}", value)
            text = text.replace(f"{{{name}:8}}", value[:8])
        return text

    def _anonymous(self, text: str) -> str:
        for name, value in self._known.items():
            text = text.replace(value, f"{{{name}}}")
            text = text.replace(f"/{value[:8]}", f"/{{{name}:8}}")
        for pattern, placeholder in _PATTERNS:
            text = pattern.sub(placeholder, text)
        return text


def _kind(content_type: str) -> str:
    if "json" in content_type:
        return "json"
    return "text" if content_type.startswith("text/") or not content_type else "voxels"


def in_order(document: Json) -> Json:
    """A list, or lists that belong together, sorted."""
    if isinstance(document, dict):
        return sorted(map(list, zip(*document.values(), strict=True)))
    return sorted(document)


def normal(document: Json) -> Json:
    """A document without what differs from run to run."""
    if isinstance(document, list):
        return [normal(item) for item in document]
    if not isinstance(document, dict):
        return document
    if "DVID Version" in document or "goroutines" in document:
        return {key: type(value).__name__ for key, value in document.items()}
    if "Nodes" in document:
        document = document | {"Nodes": _named_versions(document["Nodes"])}
    if "MaxLabel" in document:
        # Its keys are the server's own numbers of versions.
        document = document | {"MaxLabel": sorted(document["MaxLabel"].values())}
    return {
        key: type(value).__name__ if key in VOLATILE else normal(value)
        for key, value in document.items()
    }


def _named_versions(nodes: dict[str, Json]) -> dict[str, Json]:
    names = {node["VersionID"]: uuid for uuid, node in nodes.items()}
    return {
        uuid: node
        | {
            "VersionID": "number",
            "Parents": [names[number] for number in node["Parents"]],
            "Children": [names[number] for number in node["Children"]],
        }
        for uuid, node in nodes.items()
    }


# --- comparison ----------------------------------------------------------------------------------


def difference(request: Request, recorded: Answer, fresh: Answer) -> str:
    """What differs between two answers, in words; "" where nothing that matters does."""
    if recorded.status != fresh.status:
        return f"status {fresh.status} instead of {recorded.status}: {fresh.body!r:.300}"
    if recorded.headers != fresh.headers:
        return f"headers {fresh.headers} instead of {recorded.headers}"
    if recorded.kind != fresh.kind:
        return f"a body of {fresh.kind} instead of {recorded.kind}"
    if recorded.kind in ("json", "text", "lines"):
        same = recorded.body == fresh.body
        return "" if same else _first_difference(recorded.body, fresh.body)
    if request.read.get("codec", "") == "" and recorded.chunked != fresh.chunked:
        return f"chunked {fresh.chunked} instead of {recorded.chunked}"
    told = COMPARISONS[recorded.kind]
    return told(request.read, unpacked(recorded.body), unpacked(fresh.body))


def _first_difference(recorded: Json, fresh: Json, place: str = "") -> str:
    if isinstance(recorded, dict) and isinstance(fresh, dict):
        for key in sorted({*recorded, *fresh}):
            if recorded.get(key, "nothing") != fresh.get(key, "nothing"):
                one, other = (side.get(key, "nothing") for side in (recorded, fresh))
                return _first_difference(one, other, f"{place}.{key}")
    return f"at {place or 'the top'}: {fresh!r:.400} instead of {recorded!r:.400}"


def unpack_voxels(codec: str, data: bytes, size: int) -> bytes:
    """Voxels out of a body or a frame."""
    if codec == "lz4":
        return bytes(lz4.block.decompress(data, uncompressed_size=size))
    if codec == "sized lz4":
        return bytes(lz4.block.decompress(data))
    if codec == "gzip":
        return gzip.decompress(data)
    if codec == "label block":
        return label_block.decode(data).tobytes(order="F")
    return data


def frames(data: bytes) -> dict[tuple[int, int, int], bytes]:
    """The frames of a block stream."""
    found: dict[tuple[int, int, int], bytes] = {}
    while data:
        x, y, z, size = (int(value) for value in np.frombuffer(data[:16], "<i4"))
        found[x, y, z] = data[16 : 16 + size]
        data = data[16 + size :]
    return found


def _voxels(read: dict[str, Json], recorded: bytes, fresh: bytes) -> str:
    one, other = (
        unpack_voxels(read.get("codec", ""), data, read.get("bytes", 0))
        for data in (recorded, fresh)
    )
    return "" if one == other else f"{len(other)} bytes that are not the {len(one)} recorded ones"


def _frames(read: dict[str, Json], recorded: bytes, fresh: bytes) -> str:
    one, other = (
        {
            block: unpack_voxels(read.get("codec", ""), data, read.get("bytes", 0))
            for block, data in frames(body).items()
        }
        for body in (recorded, fresh)
    )
    if sorted(one) != sorted(other):
        return f"frames {sorted(other)} instead of {sorted(one)}"
    wrong = [block for block in one if one[block] != other[block]]
    return f"other voxels in {wrong}" if wrong else ""


def runs(read: dict[str, Json], data: bytes) -> list[list[int]]:
    """The runs of a sparse volume, in order and joined: DVID cuts them where it likes."""
    if read.get("codec") == "lz4":
        data = lz4.block.decompress(data, uncompressed_size=1 << 20)
    elif read.get("codec"):
        data = unpack_voxels(read["codec"], data, 0)
    if read.get("headed", True) and data:
        count = int(np.frombuffer(data[:12], "<u4")[2])
        if data[:8] != b"\0\3" + bytes(6) or len(data) != 12 + 16 * count:
            raise ValueError(f"no header of runs: {data[:12]!r}")
        data = data[12:]
    found: list[list[int]] = []
    for z, y, x, n in sorted(
        (z, y, x, n) for x, y, z, n in np.frombuffer(data, "<i4").reshape(-1, 4).tolist()
    ):
        if found and found[-1][:2] == [z, y] and found[-1][2] + found[-1][3] == x:
            found[-1][3] += n
        else:
            found.append([z, y, x, n])
    return found


def _runs(read: dict[str, Json], recorded: bytes, fresh: bytes) -> str:
    one, other = runs(read, recorded), runs(read, fresh)
    if one == other:
        return ""
    return f"runs {other[:3]}... ({len(other)}) instead of {one[:3]}... ({len(one)})"


def _rows(width: int, *, ordered: bool) -> Callable[[dict[str, Json], bytes, bytes], str]:
    def compared(read: dict[str, Json], recorded: bytes, fresh: bytes) -> str:
        one, other = (
            np.frombuffer(data, "<u8").reshape(-1, width).tolist() for data in (recorded, fresh)
        )
        if not ordered:
            one, other = sorted(one), sorted(other)
        return "" if one == other else f"{other} instead of {one}"

    return compared


def _picture(read: dict[str, Json], recorded: bytes, fresh: bytes) -> str:
    one, other = (Image.open(BytesIO(data)) for data in (recorded, fresh))
    if (one.format, one.size) != (other.format, other.size):
        return f"{other.format} {other.size} instead of {one.format} {one.size}"
    pixels = [np.asarray(picture.convert("RGBA"), np.int16) for picture in (one, other)]
    worst = int(abs(pixels[0] - pixels[1]).max(initial=0))
    return "" if worst <= PICTURE_TOLERANCE else f"gray levels differ by {worst}"


def _jpegs(read: dict[str, Json], recorded: bytes, fresh: bytes) -> str:
    one, other = frames(recorded), frames(fresh)
    if sorted(one) != sorted(other):
        return f"frames {sorted(other)} instead of {sorted(one)}"
    told = [_picture(read, one[block], other[block]) for block in one]
    return "; ".join(filter(None, told))


COMPARISONS: dict[str, Callable[[dict[str, Json], bytes, bytes], str]] = {
    "voxels": _voxels,
    "frames": _frames,
    "picture": _picture,
    "jpegs": _jpegs,
    "runs": _runs,
    "labels": _rows(1, ordered=True),
    "pairs": _rows(2, ordered=False),
}
