"""The steps of the demo: make and store, reopen and measure, draw. Must not know the terminal.

Nothing here holds a volume in memory: dask moves chunks of whole blocks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.callbacks import Callback
from dask.delayed import delayed
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dvid_array.array import DvidArray
from dvid_array.box import Box, triple
from dvid_array.repository import Server
from dvid_array.testing.synthetic import Tissue

CHUNK = 128
"""Voxels of a chunk along each axis: whole blocks, and 18 MB of both volumes together."""


@dataclass(frozen=True, slots=True)
class Volumes:
    """The two volumes of the demo, on a server."""

    gray: DvidArray
    bodies: DvidArray

    @property
    def nbytes(self) -> int:
        """Bytes of all voxels."""
        return self.gray.nbytes + self.bodies.nbytes


@dataclass(frozen=True, slots=True)
class Step:
    """What was done, how much of it, and how long it took."""

    name: str
    bytes: int
    seconds: float

    @property
    def rate(self) -> float:
        """Megabytes of voxels a second."""
        return self.bytes / 1e6 / self.seconds


@dataclass(frozen=True, slots=True)
class Findings:
    """What the demo found out."""

    steps: tuple[Step, ...]
    means: NDArray[np.float64]
    """Mean gray value of each slice along z."""
    counts: NDArray[np.int64]
    """Voxels of each body, by id."""

    @property
    def voxels(self) -> int:
        """Voxels of the volume."""
        return int(self.counts.sum())

    def largest(self, most: int) -> list[tuple[int, int]]:
        """Ids and sizes of the largest bodies."""
        order = np.argsort(self.counts)[::-1][:most]
        return [(int(body), int(self.counts[body])) for body in order if self.counts[body]]


def progress() -> Progress:
    """A bar of what is done, counted in dask's tasks."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    )


def make(server: Server, size: int, bar: Progress) -> tuple[Volumes, Step]:
    """Create both volumes in a new repo and write them through dask."""
    node = server.create_repo("demo", "synthetic tissue, made by dvid-array demo")
    shape = (size, size, size)
    volumes = Volumes(
        node.create("gray", np.uint8, shape=shape, resolution=8),
        node.create("bodies", np.uint64, shape=shape, resolution=8),
    )
    sources = _tissue(Tissue(shape))
    targets = (volumes.gray, volumes.bodies)
    began = time.perf_counter()
    with _shown(bar, "making and writing both volumes"):
        # no lock: chunks are whole blocks, so no two tasks share one
        da.store(sources, targets, lock=False)
    return volumes, Step("made and written", volumes.nbytes, time.perf_counter() - began)


def _tissue(tissue: Tissue) -> list[da.Array]:
    """Gray values and bodies as lazy dask arrays, made chunk by chunk, both at once."""
    along = [range(0, n, CHUNK) for n in tissue.shape]
    pairs = np.empty([len(axis) for axis in along], dtype=object)
    voxels = delayed(tissue.voxels, pure=True, nout=2)
    whole = Box((0, 0, 0), tissue.shape)
    for place in product(*map(range, pairs.shape)):
        box = Box.sized([n * CHUNK for n in place], (CHUNK,) * 3).intersect(whole)
        pairs[place] = (box, voxels(box.start, box.stop))
    return [_assembled(pairs, part, dtype) for part, dtype in enumerate((np.uint8, np.uint64))]


def _assembled(pairs: NDArray[Any], part: int, dtype: Any) -> da.Array:
    chunks = np.empty((1, *pairs.shape), dtype=object)
    for place, (box, pair) in np.ndenumerate(pairs):
        shape = (1, *box.shape)
        chunks[0, *place] = da.from_delayed(pair[part], shape, dtype=dtype)  # type: ignore[no-untyped-call]
    whole: da.Array = da.block(chunks.tolist())  # type: ignore[no-untyped-call]
    return whole


def measure(volumes: Volumes, made: Step, bar: Progress) -> Findings:
    """Reopen both volumes through xarray, and compute on them out of core."""
    gray = reopened(volumes.gray)
    began = time.perf_counter()
    with _shown(bar, "mean of each slice"):
        means = gray.mean(dim=("channel", "x", "y")).compute().values
    middle = time.perf_counter()
    with _shown(bar, "sizes of all bodies"):
        counts = sizes(reopened(volumes.bodies)).compute()  # type: ignore[no-untyped-call]
    end = time.perf_counter()
    steps = (
        made,
        Step("mean of each slice", volumes.gray.nbytes, middle - began),
        Step("sizes of all bodies", volumes.bodies.nbytes, end - middle),
    )
    return Findings(steps, means, counts)


def reopened(array: DvidArray) -> xr.DataArray:
    """The volume as anybody finds it who has its address."""
    return xr.open_dataset(array.url, engine="dvid", chunks={})[array.instance]


def sizes(bodies: xr.DataArray) -> da.Array:
    """Voxels of each body, by id, lazily."""
    blocks = bodies.data
    # flat chunk by chunk: a plain ravel would bring voxels into an order that nobody needs
    flat = [blocks.blocks[place].ravel() for place in np.ndindex(blocks.numblocks)]
    ids = da.concatenate(flat).astype(np.int64)  # type: ignore[no-untyped-call]
    most = Tissue(triple(bodies.shape[1:])).most_bodies
    counts: da.Array = da.bincount(ids, minlength=most + 1)
    return counts


def draw(volumes: Volumes, output: Path) -> None:
    """One picture of the three planes through the middle: gray, with the bodies in colour."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.3), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, names in zip(figure.subplots(1, 3), ("xy", "xz", "yz"), strict=True):
        key = _plane(names, volumes.gray.shape[1:])
        axes.imshow(volumes.gray[key].T, cmap="gray", vmin=0, vmax=255)
        axes.imshow(_coloured(volumes.bodies[key].T))
        axes.set(xlabel=names[0], ylabel=names[1])
    figure.suptitle("gray and bodies, three planes through the middle", fontsize="medium")
    figure.savefig(output, dpi=100)


def _plane(names: str, shape: tuple[int, ...]) -> tuple[int | slice, ...]:
    """The key of a plane through the middle, channel first."""
    spatial = zip("xyz", shape, strict=True)
    return (0, *(slice(None) if name in names else n // 2 for name, n in spatial))


def _coloured(bodies: NDArray[np.uint64]) -> NDArray[np.float64]:
    """A colour for each body, half transparent."""
    hue = (bodies * np.uint64(2654435761) % np.uint64(997)).astype(float) / 997
    thirds = [0.5 + 0.5 * np.cos(2 * np.pi * (hue + third / 3)) for third in range(3)]
    return np.stack([*thirds, np.full(hue.shape, 0.35)], axis=-1)


@contextmanager
def _shown(bar: Progress, what: str) -> Iterator[None]:
    """A line of the bar, moved by dask."""
    with _Tasks(bar, what):
        yield


class _Tasks(Callback):
    """Moves a progress bar with each task that dask has done."""

    def __init__(self, bar: Progress, what: str) -> None:
        self._bar = bar
        self._line = bar.add_task(what, total=None)
        super().__init__()  # type: ignore[no-untyped-call]

    def _posttask(self, key: Any, result: Any, dsk: Any, state: Any, worker: Any) -> None:
        total = sum(len(state[kind]) for kind in ("ready", "waiting", "running", "finished"))
        self._bar.update(self._line, completed=len(state["finished"]), total=total)
