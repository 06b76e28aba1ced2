"""Whatever a credential stands in, it does not survive; all else does."""

from __future__ import annotations

import logging
import re
import string
from urllib.parse import quote

import pytest
import urllib3
from hypothesis import assume, given
from hypothesis import strategies as st

from dvid_array.client.redaction import redacted

B64 = string.ascii_letters + string.digits + "-._~+/"
tokens = st.text(B64, min_size=9).map(lambda text: text + "==")
"""Bearer tokens, by RFC 6750."""
passwords = st.text(string.printable, min_size=9).map(lambda text: quote(text, safe=""))
"""Anything, as it stands in a URL."""

HEADERS = [
    "Authorization: Bearer {}",
    "Authorization: Bearer {}\r\nAccept: */*",
    "authorization: bearer {} and more",
    "{{'Authorization': 'Bearer {}', 'Accept': 'identity'}}",
    '{{"Authorization": "Bearer {}"}}',
    "b'Authorization': b'Bearer {}'",
    "Authorization: Basic {}",
    "Authorization: {}",
    "got Bearer   {}",
    "Cookie: a=b; dsg_token={}; c=d",
]
URLS = [
    "http://h:8000/api/repos?admintoken={}",
    "http://h/api/repos?u=me&admintoken={}&app=x",
    "http://h/api/repos?ADMINTOKEN={} (refused)",
    "POST /api/repos?admintoken={} HTTP/1.1",
    "('/api/repos?admintoken={}')",
    '{{"admintoken": "{}"}}',
    "http://login/?next=%2Fapi%2Frepos%3Fadmintoken%3D{}",
    "http://me:{}@proxy:3128/",
    "https://:{}@h",
]


@pytest.mark.parametrize("form", HEADERS)
@given(tokens, st.text(), st.text())
def test_no_token_survives(form: str, secret: str, before: str, after: str) -> None:
    assume(secret not in before + after)
    told = redacted(f"{before} {form.format(secret)} {after}")
    assert secret not in told
    assert "[redacted]" in told


@pytest.mark.parametrize("form", URLS)
@given(passwords, st.text(), st.text())
def test_no_admin_token_survives(form: str, secret: str, before: str, after: str) -> None:
    assume(secret not in before + after)
    told = redacted(f"{before} {form.format(secret)} {after}")
    assert secret not in told
    assert redacted(told) == told


@given(st.lists(st.sampled_from(HEADERS + URLS), min_size=2, max_size=5))
def test_each_of_several_is_taken_out(forms: list[str]) -> None:
    secrets = [f"planted{number}" for number in range(len(forms))]
    told = redacted("\n".join(form.format(one) for form, one in zip(forms, secrets, strict=True)))
    assert not re.search("planted", told)
    assert told.count("[redacted]") == len(forms)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "http://h/api/repos?u=me&admintoken=abc&app=x",
            "http://h/api/repos?u=me&admintoken=[redacted]&app=x",
        ),
        ("http://me:abc@h:80/a@b", "http://me:[redacted]@h:80/a@b"),
        ("{'Authorization': 'Bearer abc'}", "{'Authorization': 'Bearer [redacted]'}"),
    ],
)
def test_what_is_around_a_secret_stays(text: str, told: str) -> None:
    assert redacted(text) == told


@pytest.mark.parametrize(
    "text",
    [
        "dsg token required via Authorization header or dsg_token cookie (/api/node/a).",
        "JWT required via Authorization in request header",
        "Creating a repo requires admin privileges (admintoken or DSG admin) on a server",
        "http://127.0.0.1:8000/api/node/abc:master~1/gray/raw/0_1_2/64_64_64/0_0_0?u=me@x.org",
        "http://[::1]:8000/api/node/abc:b/a@b/info",
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


def test_lines_of_urllib3_are_redacted(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever listens, and with the text made from arguments."""
    with caplog.at_level(logging.DEBUG):
        for name in ("urllib3.connectionpool", "urllib3.util.retry"):
            logging.getLogger(name).debug("%s %s", "POST", "/api/repos?admintoken=planted&u=me")
            logging.getLogger(name).debug("%d%% of /api/repos", 5)
    assert caplog.messages == ["POST /api/repos?admintoken=[redacted]&u=me", "5% of /api/repos"] * 2


def test_urllib3_itself_names_the_loggers_so(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.DEBUG),
        urllib3.PoolManager() as pool,
        pytest.raises(urllib3.exceptions.MaxRetryError),
    ):
        pool.request("GET", "http://127.0.0.1:9/x?admintoken=planted", retries=1)
    assert "admintoken=[redacted]" in caplog.text
    assert "planted" not in caplog.text
