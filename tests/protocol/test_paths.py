"""Paths there and back: `parse(path(address)) == address`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvid_array.box import Box
from dvid_array.protocol import paths
from dvid_array.protocol.paths import Address

part = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
parts = st.lists(part, max_size=4)
addresses = st.one_of(
    st.builds(paths.server, part),
    st.builds(paths.repos, st.just("") | part),
    st.builds(paths.repo, part),
    st.builds(lambda uuid, action, args: paths.repo(uuid, action, *args), part, part, parts),
    st.builds(paths.node, part, part),
    st.builds(
        lambda uuid, name, action, args: paths.instance(uuid, name, action, *args),
        part,
        part,
        part,
        parts,
    ),
    st.sampled_from([Address("", "heartbeat"), Address("", "load")]),
)


@given(addresses)
def test_there_and_back(address: Address) -> None:
    text = paths.path(address)
    assert text.isascii()
    assert paths.parse(text) == address


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (paths.server("info"), "/api/server/info"),
        (paths.repos(), "/api/repos"),
        (paths.repos("info"), "/api/repos/info"),
        (paths.repo("abc"), "/api/repo/abc"),
        (paths.repo("abc", "branch-versions", "a b"), "/api/repo/abc/branch-versions/a%20b"),
        (paths.node("abc", ""), "/api/node/abc"),
        (paths.node("abc:master~1", "status"), "/api/node/abc:master~1/status"),
        (paths.instance("abc", "gray", "info"), "/api/node/abc/gray/info"),
        (
            paths.instance("abc", "a/b?", "raw", paths.VOLUME, "1_2_3", "-4_5_6"),
            "/api/node/abc/a%2Fb%3F/raw/0_1_2/1_2_3/-4_5_6",
        ),
    ],
)
def test_what_is_sent(address: Address, text: str) -> None:
    assert paths.path(address) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "/api",
        "/index.html",
        "/API/server/info",
        "/api/server/info/",
        "/api/server/blobstore/x",
        "/api/server/",
        "/api/repos/info/",
        "/api/repo/",
        "/api/repo/abc/info/",
        "/api/node/abc/",
        "/api/node//gray/info",
        "/api/nonsense/abc",
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert paths.parse(text) is None


def test_trailing_slashes_of_instances() -> None:
    """One is dropped, as DVID does; a second one is a part without a text."""
    at = "/api/node/abc/gray/raw/0_1_2"
    assert paths.parse(at + "/") == paths.parse(at)
    assert paths.parse(at + "//") == paths.instance("abc", "gray", "raw", "0_1_2", "")


@given(st.text())
def test_any_text_is_an_address_or_none(text: str) -> None:
    for address in (text, "/api/" + text, "/api/node/" + text):
        found = paths.parse(address)
        assert found is None or found.scope in ("", "server", "repos", "repo", "node", "instance")


def test_boxes() -> None:
    assert paths.box_args(Box((-1, 2, 3), (4, 5, 6))) == ("5_3_3", "-1_2_3")
