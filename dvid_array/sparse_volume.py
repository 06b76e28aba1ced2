"""`SparseVolume`: a body's voxels as runs along x, in memory.

Owns the arithmetic of runs. Must not know servers: runs go in, arrays come out.

Axes are x, y, z: a body has no channel. A mask that lines up with ``arr[...]`` is that of
`DvidArray.body`, which has all four axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dvid_array import display, units
from dvid_array.box import EMPTY, Box, triple
from dvid_array.doors import door
from dvid_array.errors import DvidTooLargeError
from dvid_array.protocol import runs as run_arrays
from dvid_array.protocol.runs import Mask, Runs
from dvid_array.protocol.voxels import Array
from dvid_array.settings import DEFAULT

if TYPE_CHECKING:
    import sparse


@dataclass(frozen=True, eq=False, repr=False)
class SparseVolume:
    """A set of voxels, kept as runs along x: in order of z, y, x, none touching another.

    `arr.sparse` makes them of a body, `arr.bodies.coarse` of the blocks of one; `from_mask` of any
    boolean array. ``len()`` is the number of runs, `size` that of voxels. ``a & b``, ``a | b`` and
    ``a - b`` are sets again, and ``a == b`` compares voxels.
    """

    runs: Runs
    """Of each run x, y, z of its first voxel and its length, integers (n, 4). Any runs are taken,
    and kept sorted and joined."""
    resolution: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Size of a voxel along x, y, z, in `units`."""
    units: tuple[str, str, str] = ("nanometers", "nanometers", "nanometers")
    """Unit of `resolution` along x, y, z."""

    def __post_init__(self) -> None:
        given = np.asarray(self.runs)
        if given.ndim != 2 or given.shape[1] != 4 or given.dtype.kind not in "iu":
            raise ValueError(
                "runs are integers of shape (n, 4): x, y, z and length; "
                f"not {given.dtype} of shape {given.shape}"
            )
        if (given[:, 3] < 1).any():
            raise ValueError("a run has at least one voxel")
        made = run_arrays.joined(given.astype(np.int64))
        made.flags.writeable = False
        object.__setattr__(self, "runs", made)

    @classmethod
    def from_mask(cls, mask: Any, start: tuple[int, int, int] = (0, 0, 0)) -> SparseVolume:
        """The voxels where a boolean array (x, y, z) is True; its first voxel lies at `start`."""
        array: Mask = np.asarray(mask)
        if array.ndim != 3 or array.dtype != bool:
            raise ValueError(f"a mask is boolean and x, y, z; not {array.dtype} of {array.shape}")
        return cls(run_arrays.of_mask(array, triple(start)))

    # What it is.

    @property
    def coords(self) -> Runs:
        """First voxel x, y, z of each run, shape (n, 3)."""
        return self.runs[:, :3]

    @property
    def counts(self) -> Runs:
        """Voxels of each run."""
        return self.runs[:, 3]

    def __len__(self) -> int:
        return len(self.runs)

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(self.counts.sum())

    @property
    def bbox(self) -> Box:
        """The smallest box around it; empty where there is no voxel."""
        if not len(self):
            return EMPTY
        last = self.coords.max(axis=0) + 1
        last[0] = (self.coords[:, 0] + self.counts).max()
        return Box(triple(self.coords.min(axis=0)), triple(last))

    @property
    def volume_nm3(self) -> float:
        """Its volume in nm³."""
        return self.size * units.cubic_nanometers(self.resolution, self.units)

    @property
    def volume_um3(self) -> float:
        """Its volume in µm³."""
        return self.volume_nm3 / 1e9

    def voxels(self) -> Runs:
        """Coordinates x, y, z of every voxel, shape (size, 3)."""
        return run_arrays.voxels(self.runs)

    def __repr__(self) -> str:
        return f"<SparseVolume: {self.size:,} voxels in {len(self):,} runs, {self.bbox}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SparseVolume):
            return NotImplemented
        return self._scale == other._scale and np.array_equal(self.runs, other.runs)

    __hash__ = None  # type: ignore[assignment]

    # As an array.

    def mask(self, box: Box) -> Mask:
        """A boolean array (x, y, z) of a box, Fortran-ordered: True where the volume is.

        Parameters
        ----------
        box : Box
            Voxels x, y, z, half-open; it may reach beyond the volume, and cut it.

        Raises
        ------
        DvidTooLargeError
            Where the array would take more than half of the memory available.
        """
        if box.size > DEFAULT.read_limit:
            raise DvidTooLargeError(
                f"a mask of {box.shape} voxels takes {display.size(box.size)}: take a smaller "
                "box, or the voxels as .runs or .to_sparse()"
            )
        nx, ny, _ = box.shape
        inside = self.clip(box).runs - np.array((*box.start, 0))
        first = (inside[:, 2] * ny + inside[:, 1]) * nx + inside[:, 0]
        edges = np.column_stack([first, first + inside[:, 3]]).reshape(-1)
        lengths = np.diff(edges, prepend=0, append=box.size)
        flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
        return flat.reshape(box.shape, order="F")

    def to_dense(self, box: Box | None = None, value: Any = True) -> Array:
        """An array (x, y, z) of a box, by default of `bbox`: `value` where the volume is, else 0.

        Its type is that of the value; of Python's integers the smallest that holds it.
        """
        mask = self.mask(self.bbox if box is None else box)
        kind = np.min_scalar_type(value) if type(value) is int else np.asarray(value).dtype
        dense = mask.astype(kind, copy=False)
        dense[mask] = value
        return dense

    def to_sparse(self, box: Box | None = None) -> sparse.COO:
        """A boolean array (x, y, z) of pydata/sparse; position 0 is the start of `box`, by default
        of `bbox`. It holds three integers for each voxel, of runs or not."""
        made: sparse.COO = door("sparse").to_sparse(self, self.bbox if box is None else box)
        return made

    # Sets.

    def clip(self, box: Box) -> SparseVolume:
        """The part of it that lies in a box."""
        start, stop = np.array(box.start), np.array(box.stop)
        across = (self.coords[:, 1:] >= start[1:]) & (self.coords[:, 1:] < stop[1:])
        kept = self.runs[across.all(axis=1)]
        first = np.maximum(kept[:, 0], start[0])
        last = np.minimum(kept[:, 0] + kept[:, 3], stop[0])
        cut = np.column_stack([first, kept[:, 1:3], last - first])
        return self._like(cut[last > first])

    def union(self, other: SparseVolume) -> SparseVolume:
        """The voxels of either."""
        return self._like(np.concatenate([self.runs, self._same(other).runs]))

    def intersect(self, other: SparseVolume) -> SparseVolume:
        """The voxels of both."""
        mine, theirs = _lined_up(self.runs, self._same(other).runs)
        return self._like(_overlaps(self.runs, mine, theirs))

    def difference(self, other: SparseVolume) -> SparseVolume:
        """The voxels of this one that the other does not have."""
        mine, theirs = _lined_up(self.runs, self._same(other).runs)
        far = np.iinfo(np.int64)
        gaps = np.array([np.append(far.min, theirs[1]), np.append(theirs[0], far.max)])
        return self._like(_overlaps(self.runs, mine, gaps))

    def __or__(self, other: object) -> SparseVolume:
        return self.union(other) if isinstance(other, SparseVolume) else NotImplemented

    def __and__(self, other: object) -> SparseVolume:
        return self.intersect(other) if isinstance(other, SparseVolume) else NotImplemented

    def __sub__(self, other: object) -> SparseVolume:
        return self.difference(other) if isinstance(other, SparseVolume) else NotImplemented

    @property
    def _scale(self) -> tuple[object, ...]:
        return self.resolution, self.units

    def _same(self, other: SparseVolume) -> SparseVolume:
        if self._scale != other._scale:
            raise ValueError(
                f"voxels of {self.resolution} {self.units} and of {other.resolution} "
                f"{other.units} are not the same: take both volumes at one scale"
            )
        return other

    def _like(self, found: Runs) -> SparseVolume:
        return SparseVolume(found, self.resolution, self.units)


def _lined_up(one: Runs, other: Runs) -> tuple[Runs, Runs]:
    """Starts and stops of each run on one line, on which rows (y, z) follow one another."""
    both = np.concatenate([one, other])
    order = np.lexsort(both[:, 1:3].T)
    turns = np.diff(both[order, 1:3], axis=0, prepend=both[order[:1], 1:3]).any(axis=1)
    row = np.empty(len(both), np.int64)
    row[order] = np.cumsum(turns)
    width = np.ptp(both[:, 0]) + both[:, 3].max() + 1 if len(both) else 1
    first = row * width + both[:, 0]
    line = np.array([first, first + both[:, 3]])
    return line[:, : len(one)], line[:, len(one) :]


def _overlaps(runs: Runs, mine: Runs, theirs: Runs) -> Runs:
    """What lies in `theirs` of some runs; both are starts and stops, in order and apart."""
    low = np.searchsorted(theirs[1], mine[0], side="right")
    high = np.searchsorted(theirs[0], mine[1], side="left")
    count = np.maximum(0, high - low)
    which = np.repeat(np.arange(len(runs)), count)
    nth = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    met = theirs[:, low[which] + nth]
    first = np.maximum(mine[0][which], met[0])
    last = np.minimum(mine[1][which], met[1])
    x = runs[which, 0] + first - mine[0][which]
    return np.column_stack([x, runs[which, 1:3], last - first])
