"""Credentials stay where they belong: planted, then looked for in whatever the package shows,
writes down or sends."""

from __future__ import annotations

import contextlib
import copy
import http.server
import io
import logging
import os
import pickle
import ssl
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import urlsplit

import dask
import numpy as np
import pytest
import trustme
from dask.base import tokenize

import dvid_array
from dvid_array import Node, Settings, errors
from dvid_array.testing import Fault, FaultyProxy
from tests.client.conftest import QUICK
from tests.conftest import Dvid

TOKEN = "planted-token-5f3a"
ADMIN = "planted-admin-77c1"
PLANTED = (TOKEN, ADMIN)

pytestmark = pytest.mark.usefixtures("_fresh_process_state")


def hold_nothing(text: str | bytes) -> None:
    """A text, or bytes, without a planted secret."""
    shown = text if isinstance(text, bytes) else text.encode()
    for secret in PLANTED:
        assert secret.encode() not in shown


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    """What all loggers say, DEBUG lines included."""
    root, text = logging.getLogger(), io.StringIO()
    handler, level = logging.StreamHandler(text), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def known(dvid: Dvid, node: Node) -> Node:
    """The node by a server that knows the planted token."""
    node.create("gray", "uint8", block=(16, 16, 16))[:, 0:20, 0:20, 0:20] = 3
    return dvid_array.connect(dvid.url, token=TOKEN, admin_token=ADMIN)[node.uuid]


def test_nothing_that_is_shown_or_kept_holds_a_secret(known: Node) -> None:
    array = known["gray"]
    things = [known.server, known, known.repo, array, array.stored, array.settings, array._volume]
    for thing in things:
        hold_nothing(repr(thing) + str(thing))
        hold_nothing(pickle.dumps(thing))
        hold_nothing(pickle.dumps(copy.deepcopy(thing)))
    hold_nothing(array._repr_html_())
    hold_nothing(repr(asdict(array.settings)))
    hold_nothing(array.url + repr(array.plan(...)))


def test_graphs_tokens_and_attributes_hold_no_secret(known: Node) -> None:
    array = known["gray"]
    lazy = array.to_dask()
    hold_nothing(pickle.dumps(dict(lazy.dask)))
    hold_nothing(str(lazy.dask) + tokenize(array) + repr(array.__dask_tokenize__()))
    named = array.to_xarray(chunks={})
    hold_nothing(repr(named) + named._repr_html_() + repr(named.to_dict()) + repr(named.encoding))
    hold_nothing(pickle.dumps(named))
    hold_nothing(pickle.dumps(dask.optimize(lazy)[0].dask))


def test_logs_hold_no_secret(known: Node, everything_logged: io.StringIO) -> None:
    array = known["gray"]
    array[:, 0:5, 0:5, 0:5] = array[:, 1:6, 1:6, 1:6]
    with contextlib.suppress(errors.DvidError):  # a wrong admin token, on its way in a URL
        known.server.create_repo("never made")
    said = everything_logged.getvalue()
    assert "POST /api/repos" in said
    hold_nothing(said)


FAULTS = {
    "lost": Fault.lost(forward=False),
    "stall": Fault.stall(forward=False),
    "401": Fault.status(401, f"dsg token required; got Authorization: Bearer {TOKEN}"),
    "400": Fault.status(400, f"no such thing (/api/repos?admintoken={ADMIN}&u=me)."),
    "502": Fault.status(502, f"tried http://inner/api/repos?admintoken={ADMIN}"),
    "page": Fault.page(404),
    "tail": Fault.appended(f"Bearer {TOKEN} and admintoken={ADMIN} were refused"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_errors_hold_no_secret(name: str, dvid: Dvid, everything_logged: io.StringIO) -> None:
    """Not even one that a server repeats in its answer."""
    with FaultyProxy(dvid.url) as path:
        path.add(FAULTS[name], times=-1)
        hasty = replace(QUICK, read_timeout=0.2, post_timeout=0.2, retry_deadline=0.05)
        server = dvid_array.connect(path.url, token=TOKEN, admin_token=ADMIN, settings=hasty)
        for call in (server.info, server.repos, lambda: server.create_repo("never made")):
            with pytest.raises(errors.DvidError) as caught:
                call()
            error = caught.value
            hold_nothing("".join(traceback.format_exception(error)))
            hold_nothing(repr(error) + str(error) + repr(vars(error)))
            hold_nothing(pickle.dumps(error))
    hold_nothing(everything_logged.getvalue())


def test_the_command_line_tells_no_secret(dvid: Dvid) -> None:
    env = os.environ | {"DVID_TOKEN": TOKEN, "DVID_ADMIN_TOKEN": ADMIN}
    for words in (["ls", dvid.url], ["create-repo", dvid.url, "never made"], ["info", dvid.url]):
        command = [sys.executable, "-m", "dvid_array.cli", *words]
        ran = subprocess.run(command, capture_output=True, env=env, timeout=60, check=False)
        assert ran.stdout + ran.stderr
        hold_nothing(ran.stdout + ran.stderr)


# --- other origins -------------------------------------------------------------------------------


class _Elsewhere(http.server.BaseHTTPRequestHandler):
    """Keeps what it is told; sends on to `place` whatever comes."""

    heard: list[str]
    place: str

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.heard.append(f"{self.command} {self.path} {self.headers} {self.rfile.read(length)!r}")
        self.send_response(307 if self.place else 200)
        if self.place:
            self.send_header("Location", self.place)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def elsewhere(place: str = "") -> Iterator[tuple[str, list[str]]]:
    """A server that only listens, or sends clients on; its URL, and what it heard."""
    heard: list[str] = []
    handler = type("Handler", (_Elsewhere,), {"heard": heard, "place": place})
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_read_that_is_sent_elsewhere_takes_no_secret_along() -> None:
    with elsewhere() as (other, heard), elsewhere(f"{other}/api/server/info") as (url, first):
        server = dvid_array.connect(url, token=TOKEN, admin_token=ADMIN, settings=QUICK)
        assert dict(server.info()) == {}
    assert TOKEN in "".join(first)
    assert heard
    hold_nothing("".join(heard))


def test_a_write_is_not_sent_elsewhere() -> None:
    with elsewhere() as (other, heard), elsewhere(f"{other}/api/repos") as (url, _):
        server = dvid_array.connect(url, token=TOKEN, admin_token=ADMIN, settings=QUICK)
        with pytest.raises(errors.DvidError):
            server.create_repo("mine")
    assert heard == []


def test_a_secret_goes_to_its_own_origin_only(dvid: Dvid) -> None:
    with elsewhere() as (other, heard):
        dvid_array.connect(dvid.url, token=TOKEN, admin_token=ADMIN)
        with contextlib.suppress(errors.DvidError):
            dvid_array.connect(other, settings=QUICK).create_repo("mine")
    assert heard
    hold_nothing("".join(heard))


def test_the_admin_token_goes_with_calls_that_need_it(known: Node) -> None:
    with elsewhere() as (other, heard):
        server = dvid_array.connect(other, admin_token=ADMIN, settings=QUICK)
        server.info()
        hold_nothing("".join(heard))
        with contextlib.suppress(errors.DvidError):
            server.create_repo("mine")
    assert f"admintoken={ADMIN}" in heard[-1]


# --- TLS -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA, dvid: Dvid) -> Iterator[str]:
    """The server behind TLS, with a certificate of an authority that nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with FaultyProxy(dvid.url, context=context) as path:
        yield path.url.replace("http://", "https://")


def test_certificates_are_verified(tls: str) -> None:
    with pytest.raises(errors.DvidConnectionError, match="ca_bundle") as caught:
        dvid_array.connect(tls, token=TOKEN, settings=QUICK).info()
    hold_nothing("".join(traceback.format_exception(caught.value)))


def test_an_authority_can_be_trusted(
    tls: str, authority: trustme.CA, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.create("gray", "uint8", block=(16, 16, 16))[:, 0:20, 0:20, 0:20] = 3
    with authority.cert_pem.tempfile() as bundle:
        address = f"{tls}/{node.uuid}/gray"
        array = dvid_array.open(address, settings=Settings(ca_bundle=bundle))
        assert urlsplit(array.url).scheme == "https"
        assert int(array[...].sum()) == 3 * 20**3
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
        other = dvid_array.open(address, settings=Settings(read_timeout=77.0, post_timeout=77.0))
        assert np.array_equal(other[0, 0, 0], array[0, 0, 0])


def test_verification_can_be_switched_off(tls: str) -> None:
    with pytest.warns(Warning, match="[Uu]nverified HTTPS"):
        found: Any = dvid_array.connect(tls, settings=Settings(tls_verify=False)).info()
    assert "DVID Version" in found
