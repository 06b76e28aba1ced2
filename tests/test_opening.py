"""Opening: few requests, and every wrong address a clear error of the tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import requests

import dvid_array
from dvid_array import Node, Settings, errors
from dvid_array.testing import Fault, FaultyProxy
from tests.conftest import Dvid, Sent


@pytest.fixture
def path(dvid: Dvid) -> Iterator[FaultyProxy]:
    with FaultyProxy(dvid.url) as proxy:
        yield proxy


def test_three_requests_and_no_voxel(filled: Callable[..., Any], sent: list[Sent]) -> None:
    array, _ = filled(shape=(1, 8, 8, 8))
    sent.clear()
    dvid_array.open(array.url)
    assert [one.action for one in sent] == ["status", "info"]
    sent.clear()
    short = array.url.replace(array.uuid, array.uuid[:20])
    assert dvid_array.open(short).uuid == array.uuid
    assert len(sent) == 3


def test_an_array_shows_itself_without_a_request(
    filled: Callable[..., Any], sent: list[Sent]
) -> None:
    array, _ = filled(shape=(1, 8, 8, 8), name="<b>&'quoted'")
    sent.clear()
    for one in (array, array.stored, array.window((0, 0, 0), (4, 4, 4))):
        assert "<b>&'quoted'" in repr(one)
        assert "<b>" not in one._repr_html_()
        assert "&lt;b&gt;" in one._repr_html_()
    assert not sent


NAMED = [
    ("{url}/{uuid}/nothing", errors.DvidNotFoundError, "node.instances"),
    ("{url}/" + "f" * 32 + "/v", errors.DvidNotFoundError, "could not find UUID"),
    ("{url}/nonsense/v", errors.DvidNotFoundError, "could not find UUID"),
    ("{url}/{uuid}:nowhere/v", errors.DvidNotFoundError, "nowhere"),
    ("{url}/{uuid}/v?scale=1", ValueError, "scales 0 to 0"),
    ("{url}/{uuid}/v?supervoxels=true", ValueError, "only a labelmap"),
    ("{url}/{uuid}", ValueError, "instance"),
    ("nonsense", ValueError, "version"),
]


@pytest.mark.parametrize(("address", "error", "words"), NAMED)
def test_what_is_not_there(
    node: Node, dvid: Dvid, address: str, error: type[Exception], words: str
) -> None:
    node.create("v", "uint8")
    with pytest.raises(error, match=words):
        dvid_array.open(address.format(url=dvid.url, uuid=node.uuid))


@pytest.mark.parametrize("kind", ["roi", "keyvalue"])
def test_what_is_no_volume(node: Node, server: dvid_array.Server, kind: str) -> None:
    if kind not in server.types():
        pytest.skip(f"this server has no {kind}")
    url = f"{node.server.url}/api/repo/{node.uuid}/instance"
    config = {"typename": kind, "dataname": "v"}
    requests.post(url, json=config, timeout=10).raise_for_status()
    with pytest.raises(errors.DvidTypeError, match=f"{kind}.* is not an array of voxels"):
        node["v"]


ADDRESS = "/" + "0" * 32 + "/v"


@pytest.mark.usefixtures("_fresh_process_state")
@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("http://no-such-host.invalid:8000" + ADDRESS, errors.DvidConnectionError),
        ("http://127.0.0.1:1" + ADDRESS, errors.DvidConnectionError),
    ],
    ids=["unknown host", "refused port"],
)
def test_nobody_answers(address: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        dvid_array.open(address)
    assert isinstance(caught.value, ConnectionError)
    assert address.rsplit("/", 2)[0] in str(caught.value)
    assert "is the address right, and does the server run?" in str(caught.value)


def test_settings_are_settings() -> None:
    wrong: Any = {"threads": 2}
    with pytest.raises(TypeError, match=r"it takes a dvid_array\.Settings"):
        dvid_array.open("http://127.0.0.1:1" + ADDRESS, settings=wrong)


ANSWERS = {
    "a page": (Fault.page(), errors.DvidProtocolError, "is it a DVID"),
    "a page not found": (Fault.page(404), errors.DvidProtocolError, "is it a DVID"),
    "garbage": (Fault.garbage(), errors.DvidProtocolError, "is it a DVID"),
    "nothing": (Fault(forward=False, keep=0), errors.DvidProtocolError, "is it a DVID"),
    "other JSON": (
        Fault(forward=False, media="application/json", tail=b'{"hello": 1}'),
        errors.DvidProtocolError,
        "document",
    ),
    "silence": (Fault.stall(), errors.DvidTimeoutError, "read_timeout"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_answers_is_no_dvid(node: Node, path: FaultyProxy, name: str) -> None:
    fault, error, words = ANSWERS[name]
    path.add(fault, times=-1)
    patient = Settings(read_timeout=0.5, retry_deadline=0.5)
    with pytest.raises(error, match=words):
        dvid_array.open(f"{path.url}/{node.uuid}/v", settings=patient)


def test_an_instance_at_any_version(node: Node, filled: Callable[..., Any]) -> None:
    array, truth = filled(shape=(1, 8, 8, 8))
    node.commit()
    node.new_version()
    for version in (node.uuid, node.uuid[:20], f"{node.uuid}:master", f"{node.uuid}:master~1"):
        opened = dvid_array.open(array.server_url, version=version, instance=array.instance)
        np.testing.assert_array_equal(opened[:, 0:8, 0:8, 0:8], truth)
