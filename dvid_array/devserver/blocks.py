"""The table of blocks: reading and writing stored bytes by block coordinate. Must not know what the
bytes hold, nor who asks.

A block belongs to the version it was written in. Reading at a version finds the nearest ancestor's:
numbers of versions grow from parent to child, so the nearest one is the highest of the line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dvid_array.box import Box, Triple
from dvid_array.devserver.store import LINE, Db

_OF_LAYER = (
    LINE
    + """
SELECT x, y, max(version), data FROM blocks
WHERE instance = :instance AND scale = :scale AND z = :z AND y >= :y0 AND y < :y1
    AND x >= :x0 AND x < :x1 AND version IN line
GROUP BY z, y, x ORDER BY z, y, x
"""
)
_OF_BLOCK = (
    LINE
    + """
SELECT max(version), data FROM blocks
WHERE instance = :instance AND scale = :scale AND z = :z AND y = :y AND x = :x
    AND version IN line
"""
)
_LISTED = (
    LINE
    + """
SELECT key, (
    SELECT id FROM blocks
    WHERE instance = :instance AND scale = :scale AND z = json_extract(value, '$[2]')
        AND y = json_extract(value, '$[1]') AND x = json_extract(value, '$[0]') AND version IN line
    ORDER BY version DESC LIMIT 1
) AS found FROM json_each(:blocks) WHERE found IS NOT NULL
"""
)
_NEXT_LAYER = """
SELECT min(z) FROM blocks WHERE instance = :instance AND scale = :scale AND z >= :z AND z < :z1
"""
_PUT = """
INSERT INTO blocks (instance, scale, z, y, x, version, data) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (instance, scale, z, y, x, version) DO UPDATE SET data = excluded.data
"""


@dataclass(frozen=True, slots=True)
class Volume:
    """The blocks of one instance at one version and scale."""

    instance: int
    version: int
    scale: int = 0

    def layer(self, db: Db, blocks: Box, z: int) -> Iterator[tuple[Triple, bytes]]:
        """The stored blocks of one layer of a box of blocks, x fastest; those missing left out."""
        where = self._where() | {
            "z": z,
            "y0": blocks.start[1],
            "y1": blocks.stop[1],
            "x0": blocks.start[0],
            "x1": blocks.stop[0],
        }
        for x, y, _, data in db.execute(_OF_LAYER, where):
            yield (x, y, z), data

    def box(self, db: Db, blocks: Box) -> Iterator[tuple[Triple, bytes]]:
        """The stored blocks of a box of blocks, x fastest; those missing are left out."""
        z = None if blocks.empty else self._next_layer(db, blocks.start[2], blocks.stop[2])
        while z is not None:
            yield from self.layer(db, blocks, z)
            z = self._next_layer(db, z + 1, blocks.stop[2])

    def _next_layer(self, db: Db, z: int, stop: int) -> int | None:
        # A box can span millions of empty layers: only those that hold something are visited.
        row = db.execute(_NEXT_LAYER, self._where() | {"z": z, "z1": stop}).fetchone()
        found: int | None = row[0]
        return found

    def listed(self, db: Db, blocks: Iterable[Triple]) -> Iterator[tuple[Triple, bytes]]:
        """The stored blocks of a list, in its order; those missing are left out."""
        wanted = list(blocks)
        where = self._where() | {"blocks": json.dumps(wanted)}
        for index, found in db.execute(_LISTED, where).fetchall():
            row = db.execute("SELECT data FROM blocks WHERE id = ?", (found,)).fetchone()
            yield wanted[index], row[0]

    def get(self, db: Db, block: Triple) -> bytes | None:
        """One stored block."""
        x, y, z = block
        where = self._where() | {"x": x, "y": y, "z": z}
        row: tuple[int, bytes] = db.execute(_OF_BLOCK, where).fetchone()
        return row[1]

    def put(self, db: Db, stored: Iterable[tuple[Triple, bytes]]) -> None:
        """Store blocks; what this version had at their places is replaced."""
        db.executemany(
            _PUT,
            (
                (self.instance, self.scale, z, y, x, self.version, data)
                for (x, y, z), data in stored
            ),
        )

    def _where(self) -> dict[str, int | str]:
        return {"instance": self.instance, "version": self.version, "scale": self.scale}
