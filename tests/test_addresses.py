"""Every form of an address that people paste; nothing but `ValueError` for what is none."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvid_array import addresses
from dvid_array.addresses import DataAddress

SERVER = "http://emdata:8000"
GRAY = DataAddress(SERVER, "abc123", "gray")


@pytest.mark.parametrize(
    "text",
    [
        "http://emdata:8000/abc123/gray",
        "http://emdata:8000/abc123/gray/",
        "HTTP://emdata:8000/abc123/gray",
        "emdata:8000/abc123/gray",
        "  emdata:8000/abc123/gray\n",
        "dvid://emdata:8000/abc123/gray",
        "dvid://http://emdata:8000/abc123/gray",
        "http://emdata:8000/api/node/abc123/gray",
        "http://emdata:8000/api/node/abc123/gray/info",
        "http://emdata:8000/api/node/abc123/gray/raw/0_1_2/64_64_64/0_0_0",
        "emdata:8000/api/node/abc123/gray/metadata",
        "dvid://http://emdata:8000/abc123/gray?usertag=true&user=me&dvid-service=x",
    ],
)
def test_forms_of_one_address(text: str) -> None:
    assert addresses.parse(text) == GRAY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dvid://https://emdata/abc/gray", DataAddress("https://emdata", "abc", "gray")),
        ("https://emdata/abc/gray", DataAddress("https://emdata", "abc", "gray")),
        ("localhost/abc/gray", DataAddress("http://localhost", "abc", "gray")),
        ("127.0.0.1:8000/abc/gray", DataAddress("http://127.0.0.1:8000", "abc", "gray")),
        ("http://[::1]:8000/abc/gray", DataAddress("http://[::1]:8000", "abc", "gray")),
        (f"{SERVER}/abc:branch~2/gray", DataAddress(SERVER, "abc:branch~2", "gray")),
        (f"{SERVER}/:master/gray", DataAddress(SERVER, ":master", "gray")),
        (f"{SERVER}/api/node/:master~1/gray/info", DataAddress(SERVER, ":master~1", "gray")),
        (f"{SERVER}/v1.0%20final/gray%2Fraw", DataAddress(SERVER, "v1.0 final", "gray/raw")),
        (f"{SERVER}/abc/seg?scale=2", DataAddress(SERVER, "abc", "seg", 2)),
        (f"{SERVER}/abc/seg?supervoxels=true", DataAddress(SERVER, "abc", "seg", supervoxels=True)),
        (f"{SERVER}/abc/seg?scale=0&supervoxels=False", DataAddress(SERVER, "abc", "seg")),
    ],
)
def test_what_an_address_says(text: str, expected: DataAddress) -> None:
    assert addresses.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "keywords"),
    [
        (SERVER, {"version": "abc123", "instance": "gray"}),
        (f"{SERVER}/abc123", {"instance": "gray"}),
        (f"{SERVER}/api/node/abc123", {"instance": "gray"}),
        (f"{SERVER}/abc123/gray", {"version": "abc123", "instance": "gray", "scale": 0}),
        (f"{SERVER}/abc123/gray", {"server": "emdata:8000/", "supervoxels": False}),
    ],
)
def test_keywords_fill_what_is_left_open(text: str, keywords: dict[str, Any]) -> None:
    assert addresses.parse(text, **keywords) == GRAY


@pytest.mark.parametrize(
    ("text", "keywords", "words"),
    [
        (f"{SERVER}/abc/gray", {"version": "abd"}, "version='abc', the keyword version='abd'"),
        (f"{SERVER}/abc/gray", {"instance": "seg"}, "instance='gray'"),
        (f"{SERVER}/abc/gray", {"server": "other:8000"}, "server='http://emdata:8000'"),
        (f"{SERVER}/abc/gray", {"server": f"{SERVER}/abc"}, "more than a server"),
        (f"{SERVER}/abc/gray?scale=1", {"scale": 2}, "scale=1, the keyword scale=2"),
        (f"{SERVER}/abc/gray?scale=1", {"scale": 0}, "scale=1, the keyword scale=0"),
        (f"{SERVER}/a/g?supervoxels=true", {"supervoxels": False}, "supervoxels=True"),
        (SERVER, {}, "no version and no instance"),
        (f"{SERVER}/abc", {}, "names no instance"),
        (f"{SERVER}/abc/gray/raw", {}, "too many parts"),
        (f"{SERVER}/abc/gray?colour=red", {}, "colour=red is not understood"),
        (f"{SERVER}/abc/gray?scale=-1", {}, "scale=-1 is not understood"),
        (f"{SERVER}/abc/gray?scale=two", {}, "scale=two"),
        (f"{SERVER}/abc/gray?supervoxels=maybe", {}, "supervoxels=maybe"),
        (f"{SERVER}/abc/gray#here", {}, "behind '#'"),
        ("ftp://emdata/abc/gray", {}, "ftp:// is no DVID address"),
        ("precomputed://emdata/abc/gray", {}, "precomputed://"),
        ("http://me:secret@emdata/abc/gray", {}, "no user or password"),
        ("http:///abc/gray", {}, "names no host"),
        ("/abc/gray", {}, "names no host"),
        ("http://emdata:port/abc/gray", {}, "port"),
        ("http://emdata:99999/abc/gray", {}, "[Pp]ort"),
        ("", {}, "names no host"),
    ],
)
def test_wrong_addresses(text: str, keywords: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        addresses.parse(text, **keywords)
    assert "secret" not in str(refused.value)


def test_viewers_keys_leave_a_debug_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "dvid_array"):
        addresses.parse(f"{SERVER}/abc/gray?usertag=true")
    assert "usertag" in caplog.text
    assert caplog.records[0].levelno == logging.DEBUG


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


@given(names, names, st.integers(0, 9), st.booleans())
def test_an_address_survives_its_url(version: str, name: str, scale: int, bodies: bool) -> None:
    address = DataAddress(SERVER, version, name, scale, bodies)
    assert addresses.parse(address.url) == address


WORDS = "http:// dvid:// https:// // / : ? & = # @ [ ] % ~ host 8000 api node abc scale ² 1 \n"
pieces = st.sampled_from(WORDS.split(" "))


@pytest.mark.parametrize("wrong", [None, 5, b"http://emdata:8000"])
def test_an_address_is_text(wrong: Any) -> None:
    for read in (addresses.parse, addresses.origin):
        with pytest.raises(TypeError, match="an address is text"):
            read(wrong)


@given(st.lists(pieces, max_size=12).map("".join) | st.text())
def test_anything_else_is_a_value_error(text: str) -> None:
    for read in (addresses.parse, addresses.origin):
        with contextlib.suppress(ValueError):
            found = read(text)
            assert "://" in (found if isinstance(found, str) else found.server)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("emdata:8000", SERVER),
        ("http://emdata:8000/", SERVER),
        ("http://emdata:8000/api/", SERVER),
        ("dvid://emdata:8000", SERVER),
        ("EMDATA:8000", SERVER),
        ("https://emdata", "https://emdata"),
    ],
)
def test_origins(text: str, expected: str) -> None:
    assert addresses.origin(text) == expected


@pytest.mark.parametrize("text", [f"{SERVER}/abc", f"{SERVER}?u=me", "", "http://", "ftp://emdata"])
def test_more_or_less_than_an_origin(text: str) -> None:
    with pytest.raises(ValueError, match=r"http://host:port|no DVID address"):
        addresses.origin(text)


@pytest.mark.parametrize(
    ("server", "local"),
    [
        ("http://localhost:8000", True),
        ("http://127.0.0.9", True),
        ("http://[::1]:8000", True),
        ("http://dev.localhost", True),
        ("http://emdata:8000", False),
        ("http://10.0.0.1", False),
        ("http://localhost.example.org", False),
    ],
)
def test_loopback(server: str, local: bool) -> None:
    assert addresses.loopback(server) is local
