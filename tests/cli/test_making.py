"""`dvid-array create` and `create-repo`: what they make, and what they refuse."""

from __future__ import annotations

import pytest

import dvid_array
from dvid_array.cli import create
from tests.cli.conftest import Run
from tests.conftest import Dvid


def test_create_takes_every_option(run: Run, node: dvid_array.Node) -> None:
    made = run(
        *("create", f"{node.server.url}/{node.uuid}/seg", "--dtype", "uint64"),
        *("--shape", "200,100,50", "--block", "64", "--resolution", "8,8,40"),
        *("--units", "nanometers", "--kind", "labelmap", "--max-scale", "2", "--channels", "1"),
    )
    assert made.exit_code == 0, made.output
    array = dvid_array.open(made.stdout.strip())
    assert array.kind == "labelmap"
    assert array.shape == (1, 200, 100, 50)
    assert array.resolution == (8, 8, 40)
    assert dvid_array.open(array.url, scale=2).scale == 2


def test_create_makes_rgba_out_of_four_channels(run: Run, node: dvid_array.Node) -> None:
    address = f"{node.server.url}/{node.uuid}/colour"
    made = run("create", address, "--dtype", "uint8", "--channels", 4, "--block", "32,32,16")
    array = dvid_array.open(made.stdout.strip())
    assert (array.kind, array.block_shape) == ("rgba8blk", (4, 32, 32, 16))


@pytest.mark.parametrize(
    ("options", "status", "word"),
    [
        (["--dtype", "foo"], 2, "dtype"),
        ([], 2, "--dtype"),
        (["--dtype", "int16"], 1, "uint16"),
        (["--dtype", "uint8", "--channels", "3"], 1, "3 channel"),
        (["--dtype", "uint8", "--kind", "labelmap"], 1, "labelmap"),
        (["--dtype", "uint8", "--block", "7,8"], 2, "--block"),
        (["--dtype", "uint8", "--block", "0"], 1, "block"),
        (["--dtype", "uint8", "--shape", "a,b,c"], 2, "--shape"),
        (["--dtype", "uint8", "--shape", "1,-2,3"], 1, "shape"),
        (["--dtype", "uint8", "--resolution", "0"], 1, "resolution"),
        (["--dtype", "uint8", "--background", "256"], 1, "ackground"),
        (["--dtype", "uint8", "--compression", "zip"], 1, "zip"),
    ],
)
def test_create_refuses(
    run: Run, node: dvid_array.Node, options: list[str], status: int, word: str
) -> None:
    shown = run("create", f"{node.server.url}/{node.uuid}/wrong", *options)
    assert shown.exit_code == status, shown.output
    assert word in shown.stderr
    assert "Traceback" not in shown.output
    assert "wrong" not in node.refresh()


def test_create_refuses_a_name_that_is_taken(run: Run, node: dvid_array.Node) -> None:
    node.create("gray", "uint8")
    shown = run("create", f"{node.server.url}/{node.uuid}/gray", "--dtype", "uint8")
    assert shown.exit_code == 1
    assert "already exists" in shown.stderr


def test_create_needs_a_name(run: Run, node: dvid_array.Node) -> None:
    shown = run("create", f"{node.server.url}/{node.uuid}", "--dtype", "uint8")
    assert shown.exit_code == 2
    assert "URL/UUID/NAME" in shown.stderr


def test_create_repo_with_the_token_of_the_environment(
    run: Run, dvid: Dvid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVID_ADMIN_TOKEN", dvid.admin_token)
    made = run("create-repo", dvid.url, "from-cli", "--description", "of a test")
    assert made.exit_code == 0, made.output
    repo = dvid_array.connect(dvid.url)[made.stdout.strip()].repo
    assert (repo.alias, repo.description) == ("from-cli", "of a test")
    assert dvid.admin_token not in made.output


def test_create_repo_asks_for_the_token(
    run: Run, dvid: Dvid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create, "somebody_there", lambda: True)
    made = run("create-repo", dvid.url, "asked", input=f"{dvid.admin_token}\n")
    assert made.exit_code == 0, made.output
    assert dvid.admin_token not in made.output
    assert made.stdout.strip() in dvid_array.connect(dvid.url).repos()


def test_create_repo_without_anybody_to_ask(run: Run, dvid: Dvid) -> None:
    shown = run("create-repo", dvid.url, "alias")
    assert shown.exit_code == 2
    assert "DVID_ADMIN_TOKEN" in shown.stderr


def test_create_repo_with_a_wrong_token(
    run: Run, dvid: Dvid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVID_ADMIN_TOKEN", "not-the-token")
    shown = run("create-repo", dvid.url, "alias")
    assert shown.exit_code == 1
    assert "admin" in shown.stderr
    assert "not-the-token" not in shown.output


def test_ctrl_c_at_the_prompt_exits_130(
    run: Run, dvid: Dvid, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(create, "somebody_there", stop)
    shown = run("create-repo", dvid.url, "alias")
    assert shown.exit_code == 130
    assert "Stopped." in shown.stderr
