"""What became of each part of a store, as far as the process knows that runs it.

Owns the account that ends in a journal, a progress bar, or an error. Must not know requests.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from dvid_array.box import Box
from dvid_array.client.journal import Journal
from dvid_array.client.posting import Posting
from dvid_array.client.writing import Fate, half_way
from dvid_array.errors import DvidWriteError


class Ledger:
    """What became of each part, as far as this process knows. Any thread may tell it.

    Parameters
    ----------
    boxes : iterable of Box
        All parts.
    journal : Journal or None
        Told of each stored part.
    tell : callable
        Told of each part that is stored, now or before.
    how : Posting
        How blocks are posted, which decides whether they may be posted again.
    """

    def __init__(
        self,
        boxes: Iterable[Box],
        journal: Journal | None,
        tell: Callable[[Box], None],
        how: Posting,
    ) -> None:
        self._journal = journal
        self._tell = tell
        self._how = how
        self._lock = threading.Lock()
        self.fates = dict.fromkeys(boxes, Fate.FAILED)

    def skip(self, boxes: list[Box]) -> None:
        """Parts that an earlier run has stored."""
        for box in boxes:
            self.fates[box] = Fate.STORED
            self._tell(box)

    @property
    def waiting(self) -> list[Box]:
        """Parts that are not stored yet."""
        with self._lock:
            return [box for box, fate in self.fates.items() if fate is not Fate.STORED]

    def account(self, box: Box, write: Callable[[], int]) -> int:
        """Write a part in this process, by `write`, which returns a checksum."""
        self.begun(box)
        try:
            checksum = write()
        except Exception as error:
            self.broken(box, error)
            raise
        self.stored(box, checksum)
        return checksum

    def begun(self, box: Box) -> None:
        """A part may be on its way."""
        with self._lock:
            self.fates[box] = Fate.UNKNOWN

    def stored(self, box: Box, checksum: int) -> None:
        """The server has acknowledged a part; safe to call twice."""
        with self._lock:
            before, self.fates[box] = self.fates.get(box), Fate.STORED
        if before is Fate.STORED:
            return
        if self._journal:
            self._journal.add(box, checksum)
        self._tell(box)

    def broken(self, box: Box, error: Exception) -> None:
        """A part failed. A write knows what became of its pieces; other faults come before it."""
        pieces = {box: Fate.FAILED}
        if isinstance(error, DvidWriteError) and error.part == box:
            pieces = {piece: fate for fate in Fate for piece in getattr(error, fate.value)}
        with self._lock:
            self.fates.pop(box, None)
            self.fates |= pieces

    def withdrawn(self, box: Box) -> None:
        """A part that never began."""
        with self._lock:
            self.fates[box] = Fate.FAILED

    def told(self, error: Exception) -> Exception:
        """What to raise: the fault itself where nothing was written, else what became of all."""
        first = error.first or error if isinstance(error, DvidWriteError) else error
        part: Box | None = getattr(error, "part", None)
        with self._lock:
            fates = dict(self.fates)
        if set(fates.values()) == {Fate.FAILED}:
            if part:
                first.add_note(f"That was in the part {part}. Nothing was written.")
            return first
        told = half_way(first, fates, self._how, part)
        if self._journal:
            told.message += f". Store it again with resume={str(self._journal.path)!r}"
        told.part = part
        return told
