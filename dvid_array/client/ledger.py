"""What became of each part of a store, as far as the process knows that runs it.

Owns the account that ends in a journal, a progress bar, or an error. Must not know requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dvid_array.box import Box
from dvid_array.client.journal import Journal
from dvid_array.client.posting import Posting
from dvid_array.client.writing import Fate, half_way
from dvid_array.errors import DvidWriteError


class Ledger:
    """What became of each part, as far as this process knows.

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
        self.fates = dict.fromkeys(boxes, Fate.FAILED)

    def skip(self, boxes: list[Box]) -> None:
        """Parts that an earlier run has stored."""
        for box in boxes:
            self.fates[box] = Fate.STORED
            self._tell(box)

    @property
    def waiting(self) -> list[Box]:
        """Parts that are not stored yet."""
        return [box for box, fate in self.fates.items() if fate is not Fate.STORED]

    def begun(self, box: Box) -> None:
        """A part may be on its way."""
        self.fates[box] = Fate.UNKNOWN

    def stored(self, box: Box, checksum: int) -> None:
        """The server has acknowledged a part; safe to call twice."""
        if self.fates.get(box) is Fate.STORED:
            return
        self.fates[box] = Fate.STORED
        if self._journal:
            self._journal.add(box, checksum)
        self._tell(box)

    def broken(self, error: Exception) -> None:
        """A part failed: what became of its pieces is known better."""
        if isinstance(error, DvidWriteError) and error.part in self.fates:
            del self.fates[error.part]
            for fate in Fate:
                self.fates |= dict.fromkeys(getattr(error, fate.value), fate)

    def told(self, error: Exception) -> Exception:
        """What to raise: the fault itself where nothing was written, else what became of all."""
        first = error.first or error if isinstance(error, DvidWriteError) else error
        if set(self.fates.values()) == {Fate.FAILED}:
            return first
        told = half_way(first, self.fates, self._how)
        if self._journal:
            told.message += f". Store it again with resume={str(self._journal.path)!r}"
        told.part = getattr(error, "part", None)
        return told
