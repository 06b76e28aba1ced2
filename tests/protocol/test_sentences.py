"""DVID's sentences -> errors: every row of its table of faults."""

from __future__ import annotations

import pickle
import string
from collections.abc import Iterator
from itertools import count

import pytest

from dvid_array import Settings, errors
from dvid_array.client.transport import Call, Transport
from dvid_array.protocol import sentences
from dvid_array.testing import Fault, FaultyProxy

NOT_FOUND = errors.DvidNotFoundError
REFUSED = errors.DvidRequestError
EXISTS = errors.DvidExistsError
LOCKED = errors.DvidLockedError
FORBIDDEN = errors.DvidPermissionError
UNALIGNED = errors.DvidAlignmentError
TYPE = errors.DvidTypeError
LARGE = errors.DvidTooLargeError
FAILED = errors.DvidServerError
BUSY = errors.DvidBusyError

ROWS = [
    (400, "could not find UUID with partial match to abc", NOT_FOUND),
    (400, "more than one UUID matches abc", NOT_FOUND),
    (400, 'branch "b" not found in repo "r"', NOT_FOUND),
    (400, 'parent 7 is out of range for branch "b"', NOT_FOUND),
    (400, 'bad UUID specification "a:b:c"', NOT_FOUND),
    (400, "UUID must be specified if more than one repo exists", NOT_FOUND),
    (400, "invalid data instance name", NOT_FOUND),
    (400, 'Can\'t get ROI with name "x": invalid data instance name', NOT_FOUND),
    (
        400,
        'Bad API call (/api/node/a/gray/x) for data "gray".  See API help at http://h/help',
        TYPE,
    ),
    (404, "404 page not found", REFUSED),
    (404, "Could not find the URL: /api/node/abc/gray/x/y", REFUSED),
    (400, 'Data "gray" can only handle GET or POST HTTP verbs', REFUSED),
    (400, 'strconv.ParseInt: parsing "a": invalid syntax', REFUSED),
    (400, "Offset must be 3d coordinate", REFUSED),
    (400, "Size must be 3 (not 2) dimensions", REFUSED),
    (400, "cannot convert '5' into a Point.", REFUSED),
    (400, "Unknown data shape specification (0_1_2_3)", REFUSED),
    (400, '"raw" must be followed by shape/size/offset', REFUSED),
    (500, "Panic detected on request 123:\nruntime error", FAILED),
    (400, "Illegal geometry requested: 0 x 0 x 0", REFUSED),
    (400, "illegal geometry requested: 0 x 0 x 0", REFUSED),
    (
        400,
        "Requested payload (4294967296 bytes) exceeds this DVID server's set limit (3221225472)",
        LARGE,
    ),
    (
        400,
        "requested payload (4294967296 bytes) exceeds this DVID server's set limit (3221225472)",
        LARGE,
    ),
    (400, "cannot store voxels in non-block aligned geometry (1,0,0) -> (32,31,31)", UNALIGNED),
    (
        400,
        'cannot store labels for data "seg" in non-block aligned geometry (1,0,0) -> (64,63,63)',
        UNALIGNED,
    ),
    (
        400,
        "cannot use labels via 'blocks' endpoint in non-block aligned geometry (1,0,0) -> (2,2,2)",
        UNALIGNED,
    ),
    (400, "voxels data was 5 bytes, expected 32768 bytes for 3d volume", REFUSED),
    (400, 'expected 8 bytes for data "seg" label PUT but only received 5 bytes', REFUSED),
    (400, 'Cannot do POST on endpoint "raw" of locked node abc', LOCKED),
    (400, "Cannot do post on locked node abc", LOCKED),
    (400, "New data instance cannot be created on locked node abc", LOCKED),
    (400, "can't branch an unlocked node", REFUSED),
    (400, "branch already exists with given name", EXISTS),
    (400, "Cannot create a master branch", REFUSED),
    (400, 'Data named "gray" already exists in repo (root abc)', EXISTS),
    (400, "UUID already exists in datastore", EXISTS),
    (400, 'cannot use reserved name "log"', REFUSED),
    (400, 'Data type "foo" is not supported by current DVID server', TYPE),
    (400, "Setting for 'BlockSize' was not a string: 5", REFUSED),
    (
        400,
        "Creating a repo requires admin privileges (admintoken or DSG admin) on a server "
        "that is not read-only",
        FORBIDDEN,
    ),
    (400, "Server in read-only mode and will only accept GET and HEAD requestcs", FORBIDDEN),
    (400, "Server in read-only mode and will only accept GET and HEAD requests", FORBIDDEN),
    (400, "POST /maxlabel requires admin privileges (admintoken or DSG admin)", FORBIDDEN),
    (401, "dsg token required via Authorization header or dsg_token cookie", FORBIDDEN),
    (401, "invalid DSG token", FORBIDDEN),
    (403, "user does not have sufficient access to dataset x", FORBIDDEN),
    (400, "JWT required via Authorization in request header", FORBIDDEN),
    (400, "error parsing JWT: token contains an invalid number of segments", FORBIDDEN),
    (400, 'user "me@x.org" is not authorized', FORBIDDEN),
    (502, "unable to contact DSG auth service: dial tcp: i/o timeout", FAILED),
    (502, "unexpected DSG auth response (500): invalid DSG token", FAILED),
    (429, 'User "x" is blocked: too much', FORBIDDEN),
    (429, 'IP "1.2.3.4" is blocked: too much', FORBIDDEN),
    (503, "Server already running 1 throttled operations (max = 1)\n\n", BUSY),
    (503, "DVID server is unavailable.", BUSY),
    (400, "unable to get label block (0, 0, 0)", REFUSED),
    (500, "Panic detected on request 9:\nindex out of range\nIllegal geometry requested", FAILED),
    (404, 'Key "k" not found', NOT_FOUND),
    (416, "Range start 90 is outside value with 5 bytes", REFUSED),
    (400, 'unknown compression type "x"', REFUSED),
    (400, "don't understand 'compression' query string value: x", REFUSED),
    (400, "BlockSize must be multiples of 16", UNALIGNED),
    (404, "", NOT_FOUND),
    (401, "", FORBIDDEN),
    (403, "<html>", FORBIDDEN),
    (429, "slow down", FORBIDDEN),
    (431, "431 Request Header Fields Too Large", LARGE),
    (503, "", BUSY),
    (500, "something new", FAILED),
    (502, "<html>Bad Gateway</html>", FAILED),
    (504, "", FAILED),
    (400, "something new", REFUSED),
    (301, "", REFUSED),
]


@pytest.mark.parametrize(("status", "text", "kind"), ROWS, ids=map(str, count()))
def test_every_fault_is_classified(status: int, text: str, kind: type[errors.DvidError]) -> None:
    for body in (text, f"{text} (/api/node/abc/gray/raw).\n"):
        found, _ = sentences.classify(status, body)
        assert found is kind


@pytest.fixture(scope="module")
def path() -> Iterator[FaultyProxy]:
    """Nobody answers behind it but the faults themselves."""
    with FaultyProxy("http://127.0.0.1:9") as path:
        yield path


@pytest.mark.parametrize(("status", "text", "kind"), ROWS, ids=map(str, count()))
def test_every_fault_reaches_the_caller_in_the_servers_words(
    path: FaultyProxy, status: int, text: str, kind: type[errors.DvidError]
) -> None:
    """With the call that met it, and through a pickle."""
    path.add(Fault(forward=False, code=status, media="text/plain", keep=0, tail=text.encode()))
    with pytest.raises(errors.DvidError) as refused:
        Transport(path.url, Settings(retry_deadline=0)).document(Call("GET", "/api/x"))
    for error in (refused.value, pickle.loads(pickle.dumps(refused.value))):
        assert type(error) is kind
        assert error.sentence == text.strip()
        assert (error.status, error.method, error.url) == (status, "GET", f"{path.url}/api/x")
        assert text.strip().split("\n")[0] in str(error)


@pytest.mark.parametrize("name", sentences.SENTENCES)
def test_what_the_one_tower_says_the_other_understands(name: str) -> None:
    sentence = sentences.SENTENCES[name]
    fields = {field for _, field, _, _ in string.Formatter().parse(sentence.text) if field}
    status, text = sentences.compose(name, **dict.fromkeys(fields, "x(y"))
    assert status == sentence.status
    assert sentences.classify(status, f"{text} (/api/x).\n") == (sentence.error, sentence.remedy)


@pytest.mark.parametrize(
    "kind", [LOCKED, BUSY, UNALIGNED, LARGE, TYPE, EXISTS, NOT_FOUND, FORBIDDEN]
)
def test_classes_with_a_way_out_name_it(kind: type[errors.DvidError]) -> None:
    told = [s.remedy for s in sentences.SENTENCES.values() if s.error is kind]
    assert any(told) or kind is BUSY


def test_tokens_are_asked_for_whatever_the_words() -> None:
    for status in (401, 403):
        assert "DVID_TOKEN" in sentences.classify(status, "nothing known")[1]
