"""`dvid-array demo`, small: on the server under test, on a store, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dvid_array
from dvid_array.cli import steps
from dvid_array.testing.synthetic import Tissue
from tests.cli.conftest import Run
from tests.conftest import Dvid

PNG = b"\x89PNG\r\n\x1a\n"


def test_the_demo_on_a_server(
    run: Run, dvid: Dvid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVID_ADMIN_TOKEN", dvid.admin_token)
    picture = tmp_path / "planes.png"
    shown = run("demo", "--server", dvid.url, "--size", 70, "--output", picture)
    assert shown.exit_code == 0, shown.output
    assert picture.read_bytes().startswith(PNG)
    url = next(line.split()[-1] for line in shown.stdout.splitlines() if "array info" in line)
    gray = dvid_array.open(url)
    truth, bodies = Tissue((70, 70, 70)).voxels((0, 0, 0), (70, 70, 70))
    assert (gray[...] == truth).all()
    assert (gray.node["bodies"][...] == bodies).all()
    _check_numbers(shown.stdout, bodies)


def _check_numbers(shown: str, bodies: np.ndarray) -> None:
    """The printed table names the largest bodies and their sizes."""
    ids, counts = np.unique(bodies, return_counts=True)
    order = np.argsort(counts)[::-1][:10]
    rows = [line.split() for line in shown.splitlines() if line.strip().endswith("%")]
    assert [int(row[1].replace(",", "")) for row in rows] == counts[order].tolist()
    assert {int(row[0]) for row in rows} <= set(ids.tolist())


@pytest.mark.dev
def test_the_demo_keeps_its_data_in_a_store(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "demo.sqlite"
    shown = run("demo", "--store", store, "--size", 40, "--output", tmp_path / "planes.png")
    assert shown.exit_code == 0, shown.output
    assert f"dvid-array serve --store {store}" in shown.stdout
    with dvid_array.serve(store) as running:
        repo = dvid_array.connect(running.url).repo("demo")
        assert set(repo.instances) == {"gray", "bodies"}


def test_what_the_demo_refuses(run: Run, tmp_path: Path) -> None:
    for words, word in (
        (["--size", "7"], "--size"),
        (["--output", tmp_path / "no" / "folder.png"], "folder"),
        (["--server", "http://h", "--store", tmp_path / "s.sqlite"], "--store"),
    ):
        shown = run("demo", *words)
        assert shown.exit_code == 2
        assert word in shown.stderr


@pytest.mark.dev
def test_ctrl_c_in_the_demo_exits_130(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        stopped = KeyboardInterrupt()
        stopped.add_note("2 boxes were stored")
        raise stopped

    monkeypatch.setattr(steps, "make", stop)
    shown = run("demo", "--output", tmp_path / "planes.png")
    assert shown.exit_code == 130
    assert "2 boxes were stored" in shown.stderr
