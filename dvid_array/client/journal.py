"""The journal of a store: a file that says which parts the server has acknowledged.

Owns the file. Must not know servers, and has one writer: the process that runs the store.

A line of JSON that names the store, then one line for each part, appended once the part is stored
and brought to the disk before anything else happens. A line that a crash has cut counts as never
written; its part is stored again, which changes nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dvid_array.box import Box, triple
from dvid_array.protocol.voxels import Array

MAGIC = '{"dvid_array": "journal of a store", '
HASHED = 1 << 24
"""Bytes hashed at once."""


class Journal:
    """An open journal, which no other process can open.

    Parameters
    ----------
    path : path
        Made where it is not there.
    facts : dict of str to str
        What the store is: two with the same facts store the same voxels in the same place.
    before : Box or None
        Extents before the store; kept with the facts of a new journal.

    Attributes
    ----------
    stored : dict of Box to int
        Parts that are stored, and their checksums.
    before : Box or None
        Extents before the first run.

    Raises
    ------
    ValueError
        Where the file is something else, or the journal of another store, or damaged.
    """

    def __init__(
        self, path: str | os.PathLike[str], facts: dict[str, str], before: Box | None
    ) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._file = open(self.path, "a+b")  # noqa: SIM115
        try:
            self._alone()
            self.before = before
            self.stored: dict[Box, int] = {}
            self._resume(facts)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *failed: object) -> None:
        self._file.close()

    def add(self, box: Box, checksum: int) -> None:
        """Note that a part is stored; it is on the disk when this returns."""
        with self._lock:
            self._append(json.dumps([*box.start, *box.stop, checksum]))
            self.stored[box] = checksum

    def _append(self, line: str) -> None:
        self._file.write(line.encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _alone(self) -> None:
        try:
            import fcntl
        except ImportError:  # no such locks on this system
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"{self.path} is the journal of a store that is running") from None

    def _resume(self, facts: dict[str, str]) -> None:
        self._file.seek(0)
        content = self._file.read()
        whole, newline, cut = content.rpartition(b"\n")
        if not newline and MAGIC.encode().startswith(content[: len(MAGIC)]):
            self._file.truncate(0)  # new, or killed while its first line was written
            head = {"format": 1, **facts, "before": _numbers(self.before)}
            self._append(MAGIC + json.dumps(head)[1:])
            return
        lines = whole.decode("utf-8", "replace").split("\n")
        self._check(lines[0], facts)
        for number, line in enumerate(lines[1:], 2):
            self._take(line, number)
        if cut:
            self._file.truncate(len(content) - len(cut))

    def _check(self, first: str, facts: dict[str, str]) -> None:
        if not first.startswith(MAGIC):
            raise ValueError(f"{self.path} is no journal of a store: name another file")
        head = json.loads(first)
        for name, value in {"format": 1, **facts}.items():
            if head.get(name) != value:
                hint = f"; if they are the same, say so by name={head.get(name)!r}"
                raise ValueError(
                    f"{self.path} is the journal of another store: its {name} is "
                    f"{head.get(name)}, not {value}. Name another file, or delete it to store "
                    f"everything again{hint if name == 'source' else ''}"
                )
        self.before = _box(head["before"])

    def _take(self, line: str, number: int) -> None:
        with contextlib.suppress(ValueError, TypeError):
            *corners, checksum = json.loads(line)
            box = _box(corners)
            if box is not None:
                self.stored[box] = int(checksum)
                return
        raise ValueError(f"line {number} of the journal {self.path} is damaged: delete the line")


def _numbers(box: Box | None) -> list[int] | None:
    return None if box is None else [*box.start, *box.stop]


def _box(numbers: Any) -> Box | None:
    if numbers is None:
        return None
    if len(numbers) != 6:
        raise ValueError(numbers)
    return Box(triple(numbers[:3]), triple(numbers[3:]))


def fingerprint(array: Array) -> str:
    """What tells an array in memory from others: its shape, type and every value, as they lie in
    memory."""
    found = hashlib.blake2b(digest_size=16)
    found.update(repr((array.shape, array.dtype.str)).encode())
    for piece in _pieces(array):
        found.update(np.ascontiguousarray(piece).view(np.uint8).data)
    return found.hexdigest()


def _pieces(array: Array) -> Iterator[Array]:
    """Flat pieces of an array, in an order that its strides alone decide."""
    order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    laid = array.transpose(order)
    if laid.flags.c_contiguous:
        flat = laid.reshape(-1)
        step = max(1, HASHED // array.itemsize)
        yield from (flat[n : n + step] for n in range(0, flat.size, step))
    else:
        yield from (plane.reshape(-1) for plane in laid)
