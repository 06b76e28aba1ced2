"""Gzip members: both libraries read each other, and refuse what is no single member."""

from __future__ import annotations

import gzip
import subprocess
import sys
import tracemalloc
import zlib

import pytest
from isal import isal_zlib

from dvid_array.protocol import gzips

DATA = b"blocks and blocks and blocks" * 100


@pytest.fixture(params=[isal_zlib, zlib], ids=["isal", "zlib"], autouse=True)
def _library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gzips, "_library", lambda: request.param)


def test_both_ways() -> None:
    assert gzip.decompress(gzips.pack(DATA)) == DATA
    for level in (0, 1, 6, 9):
        packed = gzip.compress(DATA, level)
        assert gzips.unpack(packed, len(DATA)) == DATA
        assert gzips.unpack(memoryview(packed), 1 << 20) == DATA
    assert gzips.unpack(gzips.pack(b""), 0) == b""


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"plain text, no gzip",
        gzip.compress(DATA, mtime=0)[:-1],
        gzip.compress(DATA, mtime=0)[:20],
        gzip.compress(DATA, mtime=0) + b"\0",
        gzip.compress(DATA, mtime=0) * 2,
        gzip.compress(DATA, mtime=0)[:-8] + b"\0\0\0\0" + gzip.compress(DATA, mtime=0)[-4:],
        zlib.compress(DATA),
        gzip.compress(DATA + b"!", mtime=0),
    ],
)
def test_anything_else_is_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="gzip data"):
        gzips.unpack(damaged, len(DATA))


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(1 << 26))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="more than one block"):
            gzips.unpack(bomb, 1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 1 << 23
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("library", ["isal.isal_zlib", "zlib"])
def test_isal_is_taken_where_it_is(library: str) -> None:
    gone = "sys.modules['isal'] = None" if library == "zlib" else ""
    code = f"import sys; {gone}\nfrom dvid_array.protocol import gzips as it"
    code += "\nprint(it._library().__name__)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == library
