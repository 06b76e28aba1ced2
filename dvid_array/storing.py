"""`store`: a large source into a volume, each block by one owner, and resumable.

Owns the order of things: where a source goes, what is refused, who writes which part, what became
of it. Must not know dask or xarray, whose doors are opened when a source is theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from dvid_array import casting, progress
from dvid_array.array import DvidArray
from dvid_array.box import Box
from dvid_array.client import depositing, extents, planning, writing
from dvid_array.client.depositing import Deposit
from dvid_array.client.flights import Crew
from dvid_array.client.journal import Journal, fingerprint
from dvid_array.client.ledger import Ledger
from dvid_array.client.posting import INDEXED, INGEST
from dvid_array.client.volume import Volume
from dvid_array.doors import door
from dvid_array.errors import DvidAlignmentError, DvidError
from dvid_array.owners import HOW, Owners
from dvid_array.placement import Region, placed


def store(
    source: Any,
    target: DvidArray,
    region: Region | None = None,
    *,
    compute: bool = True,
    resume: str | PathLike[str] | None = None,
    verify: bool = False,
    progress: Any = None,
    on_unaligned: str = "rechunk",
    lossy: bool = False,
    ingest: bool = False,
    name: str | None = None,
) -> Any:
    """Write a source that may be larger than memory; no voxel is lost, whatever its chunks.

    The source is cut where the target's blocks begin, and each block has one owner, which writes
    it once: by dask's scheduler or cluster where the source is a dask array, by threads of this
    process where it is in memory. Blocks that are covered partly are read, patched and written by
    their owner. Extents are set once, at the end, to the exact union of what was there and the
    box written.

    Parameters
    ----------
    source : numpy, dask, xarray, zarr or h5py array, or DvidArray
        Axes c, x, y, z, or x, y, z for a volume of one channel. A DataArray has dims channel, x,
        y, z in any order, and its labels are the target's signed coordinates.
    target : DvidArray
        An open version. A window takes a source of its own shape.
    region : Box or tuple of slices, optional
        Where the source goes: a `Box` of signed coordinates x, y, z, or slices as in
        ``target[region] = source``. Without it a source begins at the target's position 0.
    compute : bool
        False returns a dask Delayed that does all of it when it is computed.
    resume : path, optional
        The journal: a file of the parts that are stored. It is made where it is not there; where
        it is there, its parts are skipped. One journal belongs to one source and one place.
    verify : bool
        Read each part back and compare checksums; parts that a journal names, too.
    progress : True, class of bars, or callable, optional
        As in `DvidArray.read`.
    on_unaligned : "rechunk", "merge" or "error"
        What to do with chunks that end inside blocks. "rechunk" moves the cuts to where blocks
        begin, and joins or divides what makes no good post: parts of less than 16 MiB, and of
        more than 64 MiB where chunks are smaller. "merge" leaves the chunks where they are, and
        makes a part of its own of each row of blocks that two chunks share: less data moves
        between workers, in many more posts. "error" refuses.
    lossy : bool
        Accept that a target stored as JPEG changes the voxels. It takes whole blocks only.
    ingest : bool
        Post a labelmap's blocks as they are to be kept: several times as fast, but the label
        index is **not** kept. Sizes, sparse volumes and all else that is asked by label do not
        know these voxels, and later writes to the same blocks do not mend that.
    name : str, optional
        What the journal calls the source; else a dask array's own name, and a checksum of arrays
        in memory.

    Raises
    ------
    DvidWriteError
        Where some parts were stored and others not: `.stored`, `.failed`, `.unknown`.
    DvidLockedError, DvidTypeError, DvidPermissionError, DvidAlignmentError, TypeError, ValueError
        Before anything is sent.
    """
    if not isinstance(target, DvidArray):
        raise TypeError(f"the target is a {type(target).__name__}: open one by dvid_array.open")
    if on_unaligned not in HOW:
        raise ValueError(f"on_unaligned={on_unaligned!r}: choose one of {', '.join(HOW)}")
    if not compute and (resume is not None or progress):
        raise ValueError(
            "a journal and progress are kept by the process that runs the store: leave compute at "
            "True for resume= and progress=. Watch a Delayed by dask's own means"
        )
    array, box = placed(source, target, region)
    volume = target._volume.refreshed()
    if box.empty:
        return None if compute else door("dask.storing").nothing()
    how = INGEST if ingest else INDEXED
    deposit = Deposit(volume, how, sums=resume is not None, verify=verify)
    array = _checked(array, box, deposit, lossy=lossy)
    if not compute:
        return door("dask.storing").postponed(deposit, array, box, on_unaligned)
    parts = _parts(array, box, deposit, on_unaligned)
    facts = {} if resume is None else _facts(array, box, deposit, name)
    with _journal(resume, facts, volume) as journal:
        target._volume = _run(Store(deposit, array, box, parts), journal, progress)
    return None


# What is refused, and who owns what.


def _checked(array: Any, box: Box, deposit: Deposit, *, lossy: bool) -> Any:
    """Refuse what cannot be written, before anything is sent; returns the source."""
    volume = deposit.volume
    covered = volume.grid.cover(box)
    writing.check_writable(volume, covered, lossy=lossy, how=deposit.how)
    dtype = volume.instance.kind.dtype
    if isinstance(array, np.ndarray):
        array = casting.fitting(array, dtype)
    else:
        casting.fitting(np.empty(0, array.dtype), dtype)  # values are looked at part by part
        _unmasked(array)
    if volume.instance.compression == "jpeg":
        if deposit.verify:
            raise ValueError("JPEG changes voxels: there is nothing to verify")
        _only_whole_blocks(box, covered, volume)
    return array


def _unmasked(array: Any) -> None:
    """Where blocks are put together out of chunks, masks would be lost."""
    if isinstance(array._meta, np.ma.MaskedArray):
        raise ValueError(
            "the source's chunks are masked: dask.array.ma.filled(source, value) says what to "
            "write there"
        )


def _only_whole_blocks(box: Box, covered: Box, volume: Volume) -> None:
    there = volume.extents
    if there and any(not part.intersect(there).empty for part in covered.without(box)):
        raise DvidAlignmentError(
            f"{volume.instance.name!r} stores JPEG, and {box} covers some blocks partly, whose "
            f"other voxels would change: store whole blocks, {covered}"
        )


def _parts(array: Any, box: Box, deposit: Deposit, how: str) -> Owners | list[Box]:
    """Who owns what: of a dask array by its chunks, of an array in memory in large requests."""
    if not isinstance(array, np.ndarray):
        return deposit.owners(box.start, array.chunks[1:], how)
    most, threads = deposit.how.most(deposit.volume), deposit.volume.settings.threads
    return list(planning.slabs(box, deposit.cells, voxels=most, pieces=threads))


# Running it.


@dataclass(frozen=True)
class Store:
    """What is to be done."""

    deposit: Deposit
    source: Any
    box: Box
    parts: Owners | list[Box]

    @property
    def boxes(self) -> list[Box]:
        """The boxes of all owners."""
        if isinstance(self.parts, Owners):
            return [box for _, box in self.parts.each()]
        return self.parts

    def nbytes(self, box: Box) -> int:
        """Bytes of voxels in a box."""
        return box.size * self.deposit.volume.voxel_bytes


def _run(store: Store, journal: Journal | None, wish: Any) -> Volume:
    """Write what is not written yet, and set the extents; the volume as it is afterwards."""
    volume = store.deposit.volume
    covered = volume.grid.cover(store.box)
    what = f"storing {volume.instance.name}"
    with (
        progress.told(wish, store.nbytes(store.box), what) as tell,
        extents.Growth(volume, store.box, covered) as growth,
    ):
        ledger = Ledger(
            store.boxes, journal, lambda box: tell(store.nbytes(box)), store.deposit.how
        )
        with _telling(ledger):
            if journal:
                growth.resume(journal.before)
                ledger.skip(_kept(store, journal))
            if ledger.waiting:
                _write(store, ledger)
            return volume.with_extents(growth.settle())


@contextmanager
def _telling(ledger: Ledger) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        told = ledger.told(error)
        if told is error:
            raise
        bare = told is getattr(error, "first", None)  # then `error` only wraps it
        raise told from (told.__cause__ if bare else error)
    except KeyboardInterrupt as stop:
        stop.add_note(str(ledger.told(DvidError("it was interrupted"))))
        raise


def _write(store: Store, ledger: Ledger) -> None:
    if isinstance(store.source, np.ndarray):
        _by_threads(store, ledger)
    else:
        door("dask.storing").run(store.deposit, store.source, store.parts, ledger)


def _by_threads(store: Store, ledger: Ledger) -> None:
    """Parts of an array in memory, by threads of this process."""

    def work(box: Box) -> None:
        part = store.source[(slice(None), *box.slices(store.box.start))]
        ledger.account(box, lambda: store.deposit(box, part))

    crew: Crew[Box] = Crew(store.deposit.volume.settings.threads, cut=False)
    crew.each(ledger.waiting, work)


# The journal.


def _facts(array: Any, box: Box, deposit: Deposit, name: str | None) -> dict[str, str]:
    """What makes two stores the same."""
    volume = deposit.volume
    target = f"{volume.transport.origin}/{volume.uuid}/{volume.instance.name}"
    return {
        "target": f"{target} ({volume.instance.data_uuid})",
        "box": str(box),
        "way": "ingest" if deposit.how is INGEST else "indexed",
        "source": name
        or (fingerprint(array) if isinstance(array, np.ndarray) else str(array.name)),
    }


def _journal(path: str | PathLike[str] | None, facts: dict[str, str], volume: Volume) -> Any:
    return nullcontext() if path is None else Journal(path, facts, volume.shared_extents.box)


def _kept(store: Store, journal: Journal) -> list[Box]:
    """Parts that need not be stored again; where that is verified, those that are still there."""
    volume, kept = store.deposit.volume, [box for box in store.boxes if box in journal.stored]
    if not store.deposit.verify:
        return kept
    same: set[Box] = set()

    def look(box: Box) -> None:
        if depositing.checksum_of(volume, box) == journal.stored[box]:
            same.add(box)

    crew: Crew[Box] = Crew(volume.settings.threads, cut=True)
    crew.each(kept, look)
    return [box for box in kept if box in same]
