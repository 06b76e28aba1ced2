"""The taped answers of a real DVID, played back to the client: it must make of them what numpy
would, and ask for nothing that a real one was never asked for."""

from __future__ import annotations

import pytest

import dvid_array
from tests.corpus.record_client import FOLDER
from tests.corpus.tape import Tape, named, served
from tests.corpus.walks import WALKS

pytestmark = pytest.mark.dev


def test_every_walk_is_taped() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == {*WALKS}


@pytest.mark.parametrize("name", WALKS)
def test_a_walk_along_a_real_dvids_answers(name: str) -> None:
    tape = Tape.load(FOLDER / f"{name}.json")
    with served(tape) as url:
        server = dvid_array.connect(url, admin_token="any")
        try:
            WALKS[name](server.create_repo(f"walk {name}", "taped"))
        except dvid_array.DvidError as stop:
            if not tape.unknown:
                raise
            raise AssertionError(f"a real DVID was never asked: {tape.unknown}") from stop
    assert tape.unknown == []
    assert tape.left == []


def test_a_request_is_known_by_what_it_asks() -> None:
    one = named("GET", "/api/node/1/a/raw?b=2&u=me&a=1&app=x&admintoken=s")
    assert one == "GET /api/node/1/a/raw?a=1&b=2"
    assert named("GET", "/api/load") == "GET /api/load"
    assert named("POST", "/api/load", b"voxels") == "POST /api/load"
    assert named("GET", "/sizes", b"[1]") == named("GET", "/sizes", b"[1]")
    assert len({named("GET", "/sizes", body) for body in (b"", b"[1]", b"[2]")}) == 3
