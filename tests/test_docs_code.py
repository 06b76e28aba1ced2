"""The Python of the docs runs: each piece by itself, with the names that its page gives it."""

from __future__ import annotations

import http.client
import re
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr

import dvid_array
from tests import labels
from tests.conftest import Dvid

DOCS = Path(__file__).parents[1] / "docs"
FENCE = re.compile(r"^( *)```python\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = ("tcp://scheduler", "Cluster(", "/run/secrets")
"""What only runs where there is a cluster; a notebook runs a small one."""
PIECES = [
    pytest.param(
        page.stem,
        re.sub(rf"^{indent}", "", code, flags=re.MULTILINE),
        id=f"{page.stem}-{number}",
    )
    for page in sorted(DOCS.glob("*.md"))
    for number, (indent, code) in enumerate(FENCE.findall(page.read_text("utf-8")))
    if not any(word in code for word in ELSEWHERE)
]


def test_there_are_pieces() -> None:
    assert len(PIECES) > 25


@pytest.mark.parametrize(("page", "code"), PIECES)
@pytest.mark.filterwarnings("ignore:.*reads each block.*:UserWarning")
def test_a_piece_runs(
    page: str,
    code: str,
    dvid: Dvid,
    node: dvid_array.Node,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVID_ADMIN_TOKEN", dvid.admin_token)
    given = names(node)
    if page == "xarray":
        given |= labelled(given["arr"], given["labels"])
    host = dvid.url.removeprefix("http://")
    for placeholder, real in {
        "localhost:8000": host,
        "host:8000": host,
        "8f3a": node.uuid,
        "c1d2": node.uuid,
        "master~3": "master~0",
        "(1000, 2000, 500), (3000, 4000, 900)": "(10, 20, 5), (30, 40, 9)",
        "x=1234, y=2345, z=678": "x=12, y=23, z=6",
        "an-alias": node.repo.alias,
        'admin_token="..."': f"admin_token={dvid.admin_token!r}",
    }.items():
        code = code.replace(placeholder, real)
    exec(compile(code, "a piece of the docs", "exec"), given)


def names(node: dvid_array.Node) -> dict[str, Any]:
    """What the pages call an open volume, its labels, and arrays in memory."""
    rng = np.random.default_rng(1)
    arr = node.create("gray", "uint8", block=(32, 32, 32))
    arr[:, 0:100, 0:90, 0:80] = rng.integers(1, 255, (1, 100, 90, 80), np.uint8)
    seg = bodies(node)
    node.create_roi("brain").post(np.ones((64, 64, 64), bool), widen=True)
    zarr.save("gray.zarr", np.ones((40, 40, 40), np.uint8))
    zyx = np.ones((80, 90, 100), np.uint8)
    return {
        "address": arr.url,
        "arr": arr,
        "big": zyx.T,
        "da": da,
        "data": np.ones((4, 100, 100, 100), np.uint8),
        "dvid_array": dvid_array,
        "highest_id": 12,
        "http": http,
        "labels": seg,
        "lazy": arr.to_dask(),
        "node": node,
        "np": np,
        "nx": 100,
        "ny": 90,
        "nz": 80,
        "result": arr.to_dask(),
        "server": dvid_array.connect(node.server.url),
        "source": da.ones((1, 40, 40, 40), dtype=np.uint8),
        "target": arr,
        "uuid": node.uuid,
        "xr": xr,
        "xs": [1, 2],
        "ys": [3, 4],
        "zs": [5, 6],
        "zyx": zyx,
    }


def labelled(arr: dvid_array.DvidArray, seg: dvid_array.DvidArray) -> dict[str, Any]:
    """The page on xarray calls other things by short names."""
    both = dvid_array.open_dataset([arr, seg], chunks={})
    return {
        "body_ids": [7, 8, 12],
        "both": both.rename(segmentation="bodies"),
        "da": arr.to_xarray(),
        "tree": dvid_array.open_datatree(seg),
    }


def bodies(node: dvid_array.Node) -> dvid_array.DvidArray:
    """Three bodies at four scales."""
    seg = node.create("segmentation", "uint64", block=(32, 32, 32), max_scale=3)
    truth = np.full((64, 64, 64), 12, np.uint64)
    truth[:30], truth[40:] = 7, 8
    seg[:, 0:64, 0:64, 0:64] = truth[None]
    labels.settle(labels.Labels(seg, truth, (0, 0, 0)))
    return seg
