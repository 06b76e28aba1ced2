"""`dvid-array ls` and `info`: what is shown of what a server holds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import dvid_array
from tests.cli.conftest import Run


@pytest.fixture
def volume(node: dvid_array.Node) -> dvid_array.DvidArray:
    return node.create("gray", "uint8", shape=(100, 80, 60), block=(32, 32, 32), resolution=8)


def test_ls_of_a_server_lists_its_repos(run: Run, node: dvid_array.Node) -> None:
    shown = run("ls", node.server.url)
    assert shown.exit_code == 0, shown.output
    line = next(line for line in shown.stdout.splitlines() if node.repo.root in line)
    assert node.repo.alias in line
    assert "made by a test" in line


def test_ls_of_a_version_lists_its_instances(run: Run, volume: dvid_array.DvidArray) -> None:
    shown = run("ls", f"{volume.server_url}/{volume.uuid}")
    assert shown.exit_code == 0, shown.output
    assert volume.uuid in shown.stdout
    assert "(open)" in shown.stdout
    line = next(line for line in shown.stdout.splitlines() if "gray" in line)
    assert line.split() == ["gray", "uint8blk", "uint8"]


def test_ls_takes_the_beginning_of_an_id(run: Run, volume: dvid_array.DvidArray) -> None:
    assert volume.uuid in run("ls", f"{volume.server_url}/{volume.uuid[:12]}").stdout


def test_ls_of_an_empty_version_says_what_to_do(run: Run, node: dvid_array.Node) -> None:
    assert "dvid-array create" in run("ls", f"{node.server.url}/{node.uuid}").stdout


def test_ls_of_an_instance_names_info(run: Run, volume: dvid_array.DvidArray) -> None:
    shown = run("ls", volume.url)
    assert shown.exit_code == 2
    assert "dvid-array info" in shown.stderr


def test_info_tells_the_facts(run: Run, volume: dvid_array.DvidArray) -> None:
    shown = run("info", volume.url)
    assert shown.exit_code == 0, shown.output
    for fact in ("(100, 80, 60)", "uint8blk", "32 x 32 x 32", "8 x 8 x 8 nanometers", volume.uuid):
        assert fact in shown.stdout


def test_info_as_json(run: Run, volume: dvid_array.DvidArray) -> None:
    told = json.loads(run("info", "--json", volume.url).stdout)
    assert told["shape"] == [1, 100, 80, 60]
    assert told["dtype"] == "uint8"
    assert dvid_array.open(told["url"]).instance == "gray"


@pytest.mark.parametrize(
    ("command", "rest"),
    [("ls", ""), ("ls", "/abcd"), ("info", "/abcd/gray"), ("create-repo", ""), ("demo", "")],
)
def test_a_refused_port_is_one_line(
    run: Run, closed_port: int, command: str, rest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVID_ADMIN_TOKEN", "x")
    address = f"http://127.0.0.1:{closed_port}{rest}"
    words = {"create-repo": [address, "alias"], "demo": ["--server", address]}
    shown = run(command, *words.get(command, [address]))
    assert shown.exit_code == 1
    assert len(shown.stderr.splitlines()) == 1
    assert f"127.0.0.1:{closed_port}" in shown.stderr


@pytest.mark.parametrize("rest", ["", "/abcd"])
def test_a_server_that_is_no_dvid(run: Run, homepage: str, rest: str) -> None:
    shown = run("ls", homepage + rest)
    assert shown.exit_code == 1
    assert "DVID" in shown.stderr
    assert len(shown.stderr.splitlines()) == 1


def test_an_unknown_version_and_an_unknown_instance(run: Run, node: dvid_array.Node) -> None:
    server = node.server.url
    for address in (f"{server}/{'0' * 32}/gray", f"{server}/{node.uuid}/nothing"):
        shown = run("info", address)
        assert shown.exit_code == 1
        assert len(shown.stderr.splitlines()) == 1
        assert shown.stderr.startswith("Error: ")


@pytest.mark.parametrize(
    "address", ["ftp://host/a/b", "http://", "host:port", "h/a/b/c", "h/a?b=c"]
)
def test_what_is_no_address(run: Run, address: str) -> None:
    for command in ("ls", "info"):
        shown = run(command, address)
        assert shown.exit_code == 1
        assert len(shown.stderr.splitlines()) == 1


def test_debug_shows_the_traceback(run: Run, closed_port: int) -> None:
    for words in (("--debug", "ls"), ("ls", "--debug")):
        shown = run(*words, f"http://127.0.0.1:{closed_port}")
        assert isinstance(shown.exception, dvid_array.DvidConnectionError)


def test_help_loads_nothing_heavy() -> None:
    heavy = ("numpy", "requests", "rich", "dask", "xarray", "matplotlib", "starlette")
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from dvid_array.cli.group import commands\n"
            "commands(['--help'], standalone_mode=False)\n"
            f"print([name for name in {heavy} if name in sys.modules])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.splitlines()[-1] == "[]"
    for command in ("demo", "serve", "ls", "info", "create", "create-repo"):
        assert command in told.stdout
