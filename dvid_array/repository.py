"""`Server`, `Repo` and `Node`: what a DVID holds, as objects.

Owns the public tree of versions. Must not know HTTP. Each fetches its document once, when
something in it is first asked for, and again on `.refresh()`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from dvid_array import facts
from dvid_array.array import DvidArray
from dvid_array.box import Box
from dvid_array.client.catalog import Catalog
from dvid_array.client.transport import Transport
from dvid_array.client.volume import Volume
from dvid_array.corners import corner
from dvid_array.errors import DvidExistsError, DvidNotFoundError
from dvid_array.protocol import configs, documents
from dvid_array.rois import HasRois
from dvid_array.scales import level_name, without_levels
from dvid_array.selection import integer


class Server:
    """A DVID server; made by `dvid_array.connect`. ``server[version]`` is a `Node`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._catalog = Catalog(transport)
        self._info: Mapping[str, str] | None = None
        self._types: Mapping[str, str] | None = None
        self._repos: Mapping[str, Repo] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return self._transport.origin

    def info(self) -> Mapping[str, str]:
        """What the server says of itself: version, uptime, storage (`GET /api/server/info`)."""
        if self._info is None:
            self._info = MappingProxyType(self._catalog.server_info())
        return self._info

    def types(self) -> Mapping[str, str]:
        """Every data type it was built with, and where its source is."""
        if self._types is None:
            self._types = MappingProxyType(self._catalog.types())
        return self._types

    def repos(self) -> Mapping[str, Repo]:
        """All repos by the id of their root version."""
        if self._repos is None:
            found = self._catalog.repos().items()
            self._repos = MappingProxyType({root: Repo(self, root, doc) for root, doc in found})
        return self._repos

    def repo(self, alias_or_id: str) -> Repo:
        """The repo of that alias, or the one that holds that version.

        Raises
        ------
        DvidNotFoundError
            Where there is none, or several of that alias.
        """
        named = [repo for repo in self.repos().values() if repo.alias == alias_or_id]
        if len(named) > 1:
            ids = ", ".join(repo.root for repo in named)
            raise DvidNotFoundError(f"several repos are called {alias_or_id!r}: take one of {ids}")
        return named[0] if named else self[alias_or_id].repo

    def create_repo(
        self, alias: str, description: str = "", *, admin_token: str | None = None
    ) -> Node:
        """Make a repo, and return its first version.

        Parameters
        ----------
        alias, description : str
            Its name and what it holds.
        admin_token : str, optional
            The server's; else the one given to `connect`, or `DVID_ADMIN_TOKEN`. DVID always asks
            for it here.
        """
        transport = self._transport
        if admin_token is not None:
            transport.grant_admin(admin_token)
        root = self._catalog.create_repo(alias, description)
        self._repos = None
        return Node(self, root)

    def refresh(self) -> Server:
        """Forget the documents."""
        self._info = self._types = self._repos = None
        return self

    def __getitem__(self, version: str) -> Node:
        return Node(self, self._catalog.resolve(version))

    def __repr__(self) -> str:
        return f"<Server {self.url}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Server, (self._transport,)


class Repo:
    """A repository: a graph of versions, and the data instances in them."""

    def __init__(
        self, server: Server, version: str, document: documents.Repo | None = None
    ) -> None:
        self._server = server
        self._version = version
        self._document = document

    @property
    def _facts(self) -> documents.Repo:
        if self._document is None:
            self._document = self._server._catalog.repo(self._version)
        return self._document

    @property
    def root(self) -> str:
        """Id of the first version."""
        return self._facts.root

    @property
    def alias(self) -> str:
        """Its name for people."""
        return self._facts.alias

    @property
    def description(self) -> str:
        """What it holds, in words."""
        return self._facts.description

    @property
    def nodes(self) -> Mapping[str, Node]:
        """All versions by id, in the server's order: DVID sorts them by id."""
        return {uuid: Node(self._server, uuid, self) for uuid in self._facts.versions}

    @property
    def branches(self) -> Mapping[str, Node]:
        """The newest version of each branch, by name, the oldest branch first; that one is called
        master."""
        newest = self._facts.branches
        return {name: Node(self._server, uuid, self) for name, uuid in newest.items()}

    @property
    def instances(self) -> Mapping[str, InstanceFacts]:
        """What is known of each data instance, by name, without opening it."""
        return {
            name: InstanceFacts(name, self._facts.instance_kind(name), entry)
            for name, entry in self._facts.instances.items()
        }

    @property
    def info(self) -> Mapping[str, Any]:
        """The document itself, as the server wrote it: Root, Alias, DAG, DataInstances."""
        return self._facts.document

    def refresh(self) -> Repo:
        """Read the document again."""
        self._document = None
        return self

    def __repr__(self) -> str:
        return f"<Repo {self.alias!r} {self.root}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Repo, (self._server, self._version)


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """A data instance as its repo lists it; its extents are the master branch's."""

    name: str
    """Its name."""
    kind: str
    """DVID's type name."""
    info: Mapping[str, Any] = field(repr=False)
    """The document itself: Base, Extended."""

    def __str__(self) -> str:
        return f"{self.name} ({self.kind})"


class Node(HasRois):
    """A version of a repo: ``node[name]`` opens a volume, ``name in node`` asks for one."""

    def __init__(self, server: Server, uuid: str, repo: Repo | None = None) -> None:
        self._server = server
        self._uuid = uuid
        self._repo = repo

    @property
    def server(self) -> Server:
        """Where it lives."""
        return self._server

    @property
    def uuid(self) -> str:
        """Its full id."""
        return self._uuid

    @property
    def repo(self) -> Repo:
        """The repo it belongs to."""
        if self._repo is None:
            self._repo = Repo(self._server, self._uuid)
        return self._repo

    @property
    def _facts(self) -> documents.Version:
        try:
            return self.repo._facts.versions[self._uuid]
        except KeyError:
            raise DvidNotFoundError(f"{self.repo.root} has no version {self._uuid}") from None

    @property
    def locked(self) -> bool:
        """Whether it is committed, so that nothing in it can change."""
        return self._facts.locked

    @property
    def branch(self) -> str:
        """Name of its branch."""
        return self._facts.branch

    @property
    def note(self) -> str:
        """What its author wrote."""
        return self._facts.note

    @property
    def parents(self) -> tuple[Node, ...]:
        """The versions it came from."""
        return tuple(Node(self._server, uuid, self._repo) for uuid in self._facts.parents)

    @property
    def children(self) -> tuple[Node, ...]:
        """The versions that came from it."""
        return tuple(Node(self._server, uuid, self._repo) for uuid in self._facts.children)

    @property
    def instances(self) -> Mapping[str, InstanceFacts]:
        """The data instances of its repo, by name."""
        return self.repo.instances

    @property
    def volumes(self) -> list[str]:
        """Names of the instances that `open` takes, without the coarser scales of images."""
        kinds = {name: facts.KINDS.get(found.kind) for name, found in self.instances.items()}
        images = without_levels(n for n, kind in kinds.items() if kind and not kind.has_scales)
        return [n for n, kind in kinds.items() if kind and (kind.has_scales or n in images)]

    def sibling(self, version: str) -> Node:
        """Another version on the same server."""
        return self._server[version]

    def open(self, name: str, *, scale: int = 0, supervoxels: bool = False) -> DvidArray:
        """The instance of that name as an array. Two requests.

        Raises
        ------
        DvidNotFoundError, DvidTypeError
            Where there is none, or it holds no voxels.
        ValueError
            For a scale it does not have, or supervoxels of something else than a labelmap.
        """
        locked = self._server._catalog.locked(self._uuid)
        return self._array(name, locked, scale=scale, supervoxels=supervoxels)

    def open_many(
        self, names: Iterable[str], *, scale: int = 0, supervoxels: bool = False
    ) -> list[DvidArray]:
        """Several instances as arrays. One request, and one for each."""
        locked = self._server._catalog.locked(self._uuid)
        return [self._array(name, locked, scale=scale, supervoxels=supervoxels) for name in names]

    def _array(
        self, name: str, locked: bool, *, scale: int = 0, supervoxels: bool = False
    ) -> DvidArray:
        found = self._server._catalog.instance(self._uuid, name)
        scale = integer(scale)
        if not 0 <= scale <= found.max_scale:
            raise ValueError(
                f"{name!r} has scales 0 to {found.max_scale}, not {scale}"
                + ("" if found.kind.has_scales else f": open {level_name(name, scale)!r} for that")
            )
        if supervoxels and not found.kind.has_versions_of_labels:
            raise ValueError(f"{name!r} is a {found.kind.name}: only a labelmap has supervoxels")
        transport = self._server._transport
        return DvidArray(self, Volume(transport, self._uuid, found, locked, scale, supervoxels))

    def create(
        self,
        name: str,
        dtype: Any,
        *,
        channels: int = 1,
        shape: Sequence[int] | None = None,
        minindex: Sequence[int] | None = None,
        block: Sequence[int] = (64, 64, 64),
        resolution: Sequence[float] | float = (1, 1, 1),
        units: Sequence[str] | str = "nanometers",
        kind: str | None = None,
        max_scale: int | None = None,
        background: int = 0,
        compression: str | None = None,
    ) -> DvidArray:
        """Make a volume, and open it.

        Parameters
        ----------
        name : str
            Unique in the whole repo.
        dtype : dtype
            Element type; with `channels` it decides DVID's type, unless `kind` names one.
        channels : int
            Values a voxel: 4 for uint8 makes an RGBA volume.
        shape : three integers, optional
            Upper corner x, y, z reported before anything is written.
        minindex : three integers, optional
            Lower corner that goes with it; zeros if not given.
        block : three integers
            Voxels stored together along x, y, z.
        resolution : three numbers or one
            Size of a voxel along x, y, z, in `units`.
        units : three names or one
            Unit of each axis.
        max_scale : int, optional
            How many times the volume is halved. A labelmap keeps its scales itself, and the server
            computes them with each write; left out, there are enough for Neuroglancer when `shape`
            is given, and none otherwise, since a labelmap with scales has no negative coordinates.
            Of an image (none when left out) each scale is an instance ``name_<scale>``, made empty
            here and found by Neuroglancer; `DvidArray.at_scale` opens it.
        background : int
            Value (0..255) that DVID's own viewers show where nothing was written; reads give 0.
        compression : str, optional
            How the server stores blocks: lz4, gzip, none; "jpeg" is lossy and cannot be patched.

        Raises
        ------
        ValueError
            For pairs of dtype and channels that DVID has no type for, or settings it would ignore.
        DvidExistsError
            Where the name is taken.
        """
        found = facts.kind_for(dtype, channels, kind)
        setups = configs.volume_configs(
            found,
            name,
            extents=_extents(shape, minindex, found.channels),
            block=corner("block", block),
            resolution=resolution,
            units=units,
            max_scale=max_scale,
            background=background,
            compression=compression,
        )
        self._create(setups)
        return self.open(name)

    def _create(self, setups: Sequence[dict[str, str]]) -> None:
        """Make instances: all of them, or none where a name is taken."""
        names = [setup["dataname"] for setup in setups]
        taken = [name for name in names if name in self.refresh()] if len(names) > 1 else []
        if taken:
            raise DvidExistsError(f"the repo has {', '.join(taken)} already: nothing was made")
        catalog = self._server._catalog
        for setup in setups:
            catalog.create_instance(self._uuid, setup)
            box = configs.configured_extents(setup)
            if box is not None and facts.kind_of(setup["typename"]).has_extents:
                # those of the configuration alone are forgotten with the first post
                catalog.post_extents(self._uuid, setup["dataname"], box)
        if self._repo is not None:
            self._repo.refresh()

    def commit(self, note: str = "") -> Node:
        """Make this version immutable; returns it."""
        self._server._catalog.commit(self._uuid, note)
        return self.refresh()

    def new_version(self, note: str = "") -> Node:
        """The next version on the same branch; this one must be committed."""
        child = self._server._catalog.new_version(self._uuid, note)
        self.refresh()
        return Node(self._server, child)

    def new_branch(self, name: str, note: str = "") -> Node:
        """The first version of a new branch; this one must be committed."""
        child = self._server._catalog.new_branch(self._uuid, name, note)
        self.refresh()
        return Node(self._server, child)

    def refresh(self) -> Node:
        """Read the repo's document again when it is next asked for."""
        self._repo = None
        return self

    def __getitem__(self, name: str) -> DvidArray:
        return self.open(name)

    def __contains__(self, name: object) -> bool:
        return name in self.instances

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.instances)

    def __repr__(self) -> str:
        return f"<Node {self._uuid} of {self._server.url}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Node):
            return NotImplemented
        return (self._server.url, self._uuid) == (other._server.url, other._uuid)

    def __hash__(self) -> int:
        return hash((self._server.url, self._uuid))

    def __reduce__(self) -> tuple[Any, ...]:
        return Node, (self._server, self._uuid)


def _extents(
    shape: Sequence[int] | None, minindex: Sequence[int] | None, channels: int
) -> Box | None:
    """The box between two corners, whose channels may be named as well."""
    if shape is None:
        if minindex is not None:
            raise ValueError(f"minindex {tuple(minindex)} needs a shape, the upper corner")
        return None
    lower = (0, 0, 0) if minindex is None else corner("minindex", minindex, 0)
    return Box(lower, corner("shape", shape, channels))
