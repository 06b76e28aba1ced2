"""The SQLite file: its tables, its connections, its transactions. Must not know HTTP, nor what the
rows mean.

WAL mode lets readers go on while one writer writes. `synchronous=FULL` puts the log on the disk
before a commit returns, so that an acknowledged write survives a kill and a power cut (NORMAL would
lose the last commits in a power cut). A temporary store, which nobody can open again, skips that.
"""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

APPLICATION = 0x44764964
"""SQLite's application id of our files ("DvId")."""
FORMAT = 2
"""Version of the tables."""
PAGE_BYTES = 16384
"""Large pages: a block is tens to hundreds of kilobytes."""
BUSY_SECONDS = 60.0
IDLE_READERS = 16

TABLES = """
CREATE TABLE repos (
    id INTEGER PRIMARY KEY, root TEXT NOT NULL UNIQUE, alias TEXT NOT NULL,
    description TEXT NOT NULL, log TEXT NOT NULL, mutations INTEGER NOT NULL,
    created TEXT NOT NULL, updated TEXT NOT NULL
);
CREATE TABLE versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE,
    repo INTEGER NOT NULL REFERENCES repos, parent INTEGER REFERENCES versions,
    branch TEXT NOT NULL, note TEXT NOT NULL, log TEXT NOT NULL, locked INTEGER NOT NULL,
    created TEXT NOT NULL, updated TEXT NOT NULL
);
CREATE INDEX versions_of_repo ON versions (repo);
CREATE INDEX children ON versions (parent);
CREATE TABLE instances (
    id INTEGER PRIMARY KEY AUTOINCREMENT, repo INTEGER NOT NULL REFERENCES repos,
    name TEXT NOT NULL, data_uuid TEXT NOT NULL, kind TEXT NOT NULL, facts TEXT NOT NULL,
    low TEXT, high TEXT, UNIQUE (repo, name)
);
CREATE TABLE extents (
    instance INTEGER NOT NULL REFERENCES instances, version INTEGER NOT NULL REFERENCES versions,
    low TEXT NOT NULL, high TEXT NOT NULL, PRIMARY KEY (instance, version)
) WITHOUT ROWID;
CREATE TABLE labels (
    instance INTEGER NOT NULL REFERENCES instances, version INTEGER NOT NULL REFERENCES versions,
    highest TEXT NOT NULL, PRIMARY KEY (instance, version)
) WITHOUT ROWID;
CREATE TABLE rois (
    instance INTEGER NOT NULL REFERENCES instances, version INTEGER NOT NULL REFERENCES versions,
    spans BLOB NOT NULL, PRIMARY KEY (instance, version)
) WITHOUT ROWID;
CREATE TABLE counts (
    instance INTEGER NOT NULL, label INTEGER NOT NULL, z INTEGER NOT NULL, y INTEGER NOT NULL,
    x INTEGER NOT NULL, version INTEGER NOT NULL, count INTEGER,
    PRIMARY KEY (instance, label, z, y, x, version)
) WITHOUT ROWID;
CREATE TABLE mappings (
    instance INTEGER NOT NULL, supervoxel INTEGER NOT NULL, version INTEGER NOT NULL,
    label INTEGER NOT NULL, PRIMARY KEY (instance, supervoxel, version)
) WITHOUT ROWID;
CREATE TABLE label_mods (
    instance INTEGER NOT NULL, label INTEGER NOT NULL, version INTEGER NOT NULL,
    mutation INTEGER NOT NULL, user TEXT NOT NULL, app TEXT NOT NULL, time TEXT NOT NULL,
    PRIMARY KEY (instance, label, version)
) WITHOUT ROWID;
CREATE TABLE blocks (
    id INTEGER PRIMARY KEY, instance INTEGER NOT NULL, scale INTEGER NOT NULL, z INTEGER NOT NULL,
    y INTEGER NOT NULL, x INTEGER NOT NULL, version INTEGER NOT NULL, data BLOB NOT NULL,
    UNIQUE (instance, scale, z, y, x, version)
);
"""

LINE = """
WITH RECURSIVE line (id) AS (
    SELECT :version UNION ALL
    SELECT parent FROM versions JOIN line USING (id) WHERE parent IS NOT NULL
)
"""
"""Begins a query that needs a version and its ancestors."""

Db = sqlite3.Connection


class StoreFullError(Exception):
    """The disk, or the file, has no room for a write; nothing of it is stored."""


class Store:
    """One SQLite file; safe to use from many threads.

    Parameters
    ----------
    path : path, optional
        The file, made where there is none; None makes a temporary one, removed by `close`.

    Raises
    ------
    OSError
        Where the file cannot be used, with what to do about it.
    """

    def __init__(self, path: str | PathLike[str] | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="dvid_array-") if path is None else None
        self.path = Path(self._folder.name, "store.sqlite") if self._folder else Path(path or "")
        self._write_lock = threading.Lock()
        self._idle_lock = threading.Lock()
        self._idle: list[Db] = []
        self._closed = False
        try:
            self._writer = self._open_writer()
        except BaseException:
            self._remove()
            raise

    def _open_writer(self) -> Db:
        try:
            db = self._connect()
        except sqlite3.Error as fault:
            raise self._unusable(fault) from fault
        try:
            self._prepare(db)
        except sqlite3.Error as fault:
            db.close()
            raise self._unusable(fault) from fault
        except BaseException:
            db.close()
            raise
        return db

    def _unusable(self, fault: sqlite3.Error) -> OSError:
        return OSError(
            f"cannot use {str(self.path)!r} as a store: {fault}; choose a path that this user may "
            "write, of a new file or of one that the development server made"
        )

    def _prepare(self, db: Db) -> None:
        db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        application, tables = (
            db.execute(query).fetchone()[0]
            for query in ("PRAGMA application_id", "SELECT count(*) FROM sqlite_master")
        )
        if tables and application != APPLICATION:
            raise OSError(
                f"{str(self.path)!r} is a database of another program: choose another path"
            )
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {'OFF' if self._folder else 'FULL'}")
        db.execute("PRAGMA journal_size_limit = 67108864")
        db.execute("BEGIN IMMEDIATE")
        if not tables:
            for statement in TABLES.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION}")
            db.execute(f"PRAGMA user_version = {FORMAT}")
        made_by = db.execute("PRAGMA user_version").fetchone()[0]
        if made_by != FORMAT:
            raise OSError(
                f"{str(self.path)!r} was made by another release of dvid_array (format {made_by}, "
                f"this one reads {FORMAT}): use that release, or choose another path"
            )
        db.execute("COMMIT")

    def _connect(self) -> Db:
        db = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        db.execute("PRAGMA mmap_size = 1073741824")
        return db

    @contextmanager
    def reading(self) -> Iterator[Db]:
        """A connection of one's own, for reads."""
        with self._idle_lock:
            db = self._idle.pop() if self._idle else None
        db = db or self._connect()
        try:
            yield db
        finally:
            with self._idle_lock:
                keep = not self._closed and len(self._idle) < IDLE_READERS
                if keep:
                    self._idle.append(db)
            if not keep:
                db.close()

    @contextmanager
    def writing(self) -> Iterator[Db]:
        """The writing connection, in a transaction of all or nothing.

        Raises
        ------
        StoreFullError
            Where there is no room.
        """
        with self._write_lock:
            db = self._writer
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException as fault:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                if isinstance(fault, sqlite3.OperationalError) and _is_full(fault):
                    raise StoreFullError(str(fault)) from fault
                raise

    def close(self) -> None:
        """Close every connection; a temporary store is removed."""
        with self._idle_lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for db in idle:
            db.close()
        with self._write_lock:
            self._writer.close()
        self._remove()

    def _remove(self) -> None:
        if self._folder:
            self._folder.cleanup()


def _is_full(fault: sqlite3.OperationalError) -> bool:
    # Extended codes say in their upper bytes which read or write it was.
    return fault.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
