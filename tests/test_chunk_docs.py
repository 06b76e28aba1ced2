"""The page on chunks: its table is computed, its bounds are the code's."""

from __future__ import annotations

import math
import re
import warnings
from pathlib import Path

import dask.array as da

import dvid_array
from dvid_array import chunking

PAGE = (Path(__file__).parents[1] / "docs" / "chunks.md").read_text("utf-8")
ROW = re.compile(
    r"^\| `((?:arr|da)\..+?)` \| (.+?) \| (.+?) \| (.+?) \| (.+?) times \|$", re.MULTILINE
)


def test_the_table_of_over_reads(node: dvid_array.Node) -> None:
    arr = node.create("v", "uint8", block=(64, 64, 64)).window((0, 0, 0), (20_000, 30_000, 40_000))
    rows = ROW.findall(PAGE)
    assert len(rows) == 9
    for code, *told in rows:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            lazy = eval(code, {"arr": arr, "da": da})
        edges = [max(lengths) for lengths in lazy.chunks[1:]]
        assert told == [
            " × ".join(f"{edge:,}" for edge in edges),
            f"{math.prod(edges) / 2**20:.3g} MiB",
            f"{chunking.count(lazy.chunks):,}",
            f"{chunking.over_read(lazy.chunks, arr.blocked_axes):.1f}",
        ], code


def test_its_bounds() -> None:
    automatic = f"chunks of {chunking.AUTO_BYTES >> 20} MiB, grown evenly from the block; of up to "
    automatic += f"{chunking.LARGEST_AUTO_BYTES >> 20} MiB where there would be more than "
    assert f"{automatic}{chunking.MANY:,}" in PAGE
