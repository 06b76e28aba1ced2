"""The log of requests."""

from __future__ import annotations

import pytest

from dvid_array.devserver import DevServer
from dvid_array.devserver.journal import Journal, Request, redacted
from tests.devserver.conftest import Asker, noise

pytestmark = pytest.mark.dev


def test_every_request_is_there_once_it_is_answered(dev: DevServer, asker: Asker) -> None:
    where = asker.instance(asker.repo())
    dev.clear_requests()
    expected = []
    for number in range(40):
        size = 16 * (1 + number % 6)
        box = f"{where}/raw/0_1_2/{size}_16_16/0_0_0"
        body = noise((16, 16, size)).tobytes()
        assert asker.post(box, body).status == 200
        expected.append(Request("POST", f"/api/{box}", "", 200, len(body), 0))
        assert dev.requests[-1] == expected[-1]
        assert asker.get(f"{box}?u=me").body == body
        expected.append(Request("GET", f"/api/{box}", "u=me", 200, 0, len(body)))
        assert dev.requests[-1] == expected[-1]
    assert list(dev.requests) == expected


def test_refusals_too(dev: DevServer, asker: Asker) -> None:
    refused = asker.get("node/nowhere/gray/info")
    assert dev.requests[-1].status == 400
    assert dev.requests[-1].bytes_out == len(refused.body)


def test_the_admin_token_is_not_in_it(dev: DevServer, asker: Asker) -> None:
    asker.repo()
    assert dev.requests[-1].query == "admintoken=***"
    assert dev.admin_token not in repr(dev.requests)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ""),
        ("a=b", "a=b"),
        ("admintoken=x&u=me", "admintoken=***&u=me"),
        ("u=me&AdminToken=x", "u=me&AdminToken=***"),
        ("u=admintoken", "u=admintoken"),
        ("a=1&admintoken=", "a=1&admintoken=***"),
    ],
)
def test_redaction(query: str, shown: str) -> None:
    assert redacted(query) == shown


def test_only_the_latest_are_kept() -> None:
    journal = Journal(kept=3)
    for status in range(5):
        journal.add(Request("GET", "/", "", status, 0, 0))
    assert [request.status for request in journal.latest()] == [2, 3, 4]
    journal.clear()
    assert journal.latest() == ()
