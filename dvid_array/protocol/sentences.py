"""DVID's error sentences <-> error classes: one table, used by both towers.

Owns the classification of refusals and their texts. DVID answers nearly every fault with status
400 and a sentence, so the sentence decides; the status only where none is known.

Source: the string literals of DVID's handlers; see `SENTENCES`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dvid_array import errors
from dvid_array.once import once


@dataclass(frozen=True)
class Sentence:
    """One fault DVID reports."""

    name: str
    """How both towers call it."""
    text: str
    """DVID's words, with {fields}."""
    error: type[errors.DvidError]
    """What the client raises."""
    status: int = 400
    """The status DVID sends it with."""
    remedy: str = ""
    """What to do about it."""

    @once
    def pattern(self) -> re.Pattern[str]:
        """The words as an expression; fields match anything."""
        parts = re.split(r"\{\w+\}", self.text)
        return re.compile(".*?".join(map(re.escape, parts)), re.DOTALL)


_WHOLE = "write whole blocks; arr[...] = reads, patches and posts border blocks by itself"
_SEND = "the body does not fit the box: this is a fault of the client, please report it"
_ADMIN = "pass admin_token=, or set DVID_ADMIN_TOKEN to the server's"
_COMMITTED = "the version is committed; write to node.new_version()"
TOKEN = (
    "pass token=, or set DVID_TOKEN; arrays carry no credentials to other processes, so on dask "
    "workers set DVID_TOKEN there, or register dvid_array.adapters.dask.CredentialPlugin"
)

SENTENCES: dict[str, Sentence] = {
    sentence.name: sentence
    for sentence in (
        Sentence(
            "unknown uuid",
            "could not find UUID with partial match to {uuid}",
            errors.DvidNotFoundError,
            remedy="see server.repos() for the versions there are",
        ),
        Sentence(
            "ambiguous uuid",
            "more than one UUID matches {uuid}",
            errors.DvidNotFoundError,
            remedy="give more digits of the version id",
        ),
        Sentence(
            "unknown branch",
            'branch "{branch}" not found in repo "{repo}"',
            errors.DvidNotFoundError,
            remedy="see node.repo.branches",
        ),
        Sentence(
            "parent out of range",
            'parent {number} is out of range for branch "{branch}"',
            errors.DvidNotFoundError,
        ),
        Sentence(
            "bad uuid",
            'bad UUID specification "{uuid}"',
            errors.DvidNotFoundError,
            remedy="write a version as <id>, <id>:<branch>, <id>:<branch>~<n> or :<branch>",
        ),
        Sentence(
            "uuid needed",
            "UUID must be specified if more than one repo exists",
            errors.DvidNotFoundError,
            remedy="name the repo too, as <id>:<branch>",
        ),
        Sentence(
            "unknown instance",
            "invalid data instance name",
            errors.DvidNotFoundError,
            remedy="see node.instances for the names there are",
        ),
        Sentence("unknown endpoint", "Bad API call (", errors.DvidTypeError),
        Sentence("no route", "404 page not found", errors.DvidRequestError, 404),
        Sentence("no url", "Could not find the URL: {path}", errors.DvidRequestError, 404),
        Sentence(
            "wrong method",
            'Data "{name}" can only handle GET or POST HTTP verbs',
            errors.DvidRequestError,
        ),
        Sentence(
            "gridstore raw",
            'Data "{name}" does not support /raw endpoint since it is proxying data',
            errors.DvidTypeError,
            remedy="the volume is a proxy: its stored blocks can be read, nothing can be written",
        ),
        Sentence(
            "gridstore post",
            'Data "{name}" uses an immutable GridStore so cannot received POSTs',
            errors.DvidPermissionError,
        ),
        Sentence("bad shape", "Unknown data shape specification ({text})", errors.DvidRequestError),
        Sentence(
            "too few parts",
            '"raw" must be followed by shape/size/offset',
            errors.DvidRequestError,
        ),
        Sentence("illegal geometry", "Illegal geometry requested: {box}", errors.DvidRequestError),
        Sentence(
            "illegal label geometry", "illegal geometry requested: {box}", errors.DvidRequestError
        ),
        Sentence(
            "too large",
            "Requested payload ({size} bytes) exceeds this DVID server's set limit ({limit})",
            errors.DvidTooLargeError,
            remedy="ask for less at once",
        ),
        Sentence(
            "labels too large",
            "requested payload ({size} bytes) exceeds this DVID server's set limit ({limit})",
            errors.DvidTooLargeError,
            remedy="ask for less at once",
        ),
        Sentence(
            "unaligned post",
            "cannot store voxels in non-block aligned geometry {start} -> {stop}",
            errors.DvidAlignmentError,
            remedy=_WHOLE,
        ),
        Sentence(
            "unaligned labels",
            'cannot store labels for data "{name}" in non-block aligned geometry {start} -> {stop}',
            errors.DvidAlignmentError,
            remedy=_WHOLE,
        ),
        Sentence(
            "unaligned blocks",
            "cannot use labels via '{endpoint}' endpoint in non-block aligned geometry "
            "{start} -> {stop}",
            errors.DvidAlignmentError,
        ),
        Sentence(
            "wrong length",
            "voxels data was {size} bytes, expected {expected} bytes for {box}",
            errors.DvidRequestError,
            remedy=_SEND,
        ),
        Sentence(
            "wrong label length",
            'expected {expected} bytes for data "{name}" label PUT but only received {size} bytes',
            errors.DvidRequestError,
            remedy=_SEND,
        ),
        Sentence(
            "locked data",
            'Cannot do {method} on endpoint "{endpoint}" of locked node {uuid}',
            errors.DvidLockedError,
            remedy=_COMMITTED,
        ),
        Sentence(
            "locked node",
            "Cannot do {method} on locked node {uuid}",
            errors.DvidLockedError,
            remedy=_COMMITTED,
        ),
        Sentence(
            "locked create",
            "New data instance cannot be created on locked node {uuid}",
            errors.DvidLockedError,
            remedy=_COMMITTED,
        ),
        Sentence(
            "open parent",
            "can't branch an unlocked node",
            errors.DvidRequestError,
            remedy="commit the version first: node.commit()",
        ),
        Sentence(
            "branch exists",
            "branch already exists with given name",
            errors.DvidExistsError,
            remedy="the version has a child on that branch already; see node.children",
        ),
        Sentence(
            "master branch",
            "Cannot create a master branch",
            errors.DvidRequestError,
            remedy="the first branch has that name already; choose another",
        ),
        Sentence(
            "instance exists",
            'Data named "{name}" already exists in repo (root {uuid})',
            errors.DvidExistsError,
            remedy="choose another name: it is unique in the whole repo",
        ),
        Sentence("uuid exists", "UUID already exists in datastore", errors.DvidExistsError),
        Sentence("reserved name", 'cannot use reserved name "{name}"', errors.DvidRequestError),
        Sentence(
            "unknown type",
            'Data type "{kind}" is not supported by current DVID server',
            errors.DvidTypeError,
            remedy="see server.types() for the types this server has",
        ),
        Sentence(
            "not a string",
            "Setting for '{key}' was not a string: {value}",
            errors.DvidRequestError,
        ),
        Sentence(
            "name needed",
            "POST on repo endpoint requires specification of valid '{key}'",
            errors.DvidRequestError,
        ),
        Sentence(
            "block multiple",
            "BlockSize must be multiples of 16",
            errors.DvidAlignmentError,
            remedy="choose block=(64, 64, 64)",
        ),
        Sentence(
            "admin needed",
            "Creating a repo requires admin privileges (admintoken or DSG admin) on a server "
            "that is not read-only",
            errors.DvidPermissionError,
            remedy=_ADMIN,
        ),
        Sentence(
            "admin needed here",
            "{action} requires admin privileges (admintoken or DSG admin)",
            errors.DvidPermissionError,
            remedy=_ADMIN,
        ),
        Sentence(
            "read only",
            "Server in read-only mode and will only accept GET and HEAD requestcs",
            errors.DvidPermissionError,
        ),
        Sentence(
            "read only data",
            "Server in read-only mode and will only accept GET and HEAD requests",
            errors.DvidPermissionError,
        ),
        Sentence(
            "token needed",
            "dsg token required via Authorization header or dsg_token cookie",
            errors.DvidPermissionError,
            401,
            remedy=TOKEN,
        ),
        Sentence(
            "jwt needed",
            "JWT required via Authorization in request header",
            errors.DvidPermissionError,
            remedy=TOKEN,
        ),
        Sentence("bad jwt", "error parsing JWT: {fault}", errors.DvidPermissionError, remedy=TOKEN),
        Sentence(
            "unknown user",
            'user "{user}" is not authorized',
            errors.DvidPermissionError,
            remedy="ask the server's operators",
        ),
        Sentence("bad token", "invalid DSG token", errors.DvidPermissionError, 401, remedy=TOKEN),
        Sentence(
            "no access",
            "does not have sufficient access to dataset",
            errors.DvidPermissionError,
            403,
            remedy=f"ask for access, or {TOKEN}",
        ),
        Sentence(
            "blocked",
            "is blocked: {note}",
            errors.DvidPermissionError,
            429,
            remedy="ask the server's operators",
        ),
        Sentence(
            "throttled",
            "Server already running {running} throttled operations (max = {limit})",
            errors.DvidBusyError,
            503,
        ),
        Sentence("unavailable", "DVID server is unavailable.", errors.DvidBusyError, 503),
        Sentence(
            "missing label block", "unable to get label block {block}", errors.DvidRequestError
        ),
        Sentence("panic", "Panic detected on request", errors.DvidServerError, 500),
        Sentence(
            "compression",
            "don't understand 'compression' query string value: {value}",
            errors.DvidRequestError,
        ),
        Sentence(
            "label compression", 'unknown compression type "{value}"', errors.DvidRequestError
        ),
        Sentence(
            "block compression",
            'compression must be "lz4" (default), "gzip", "blocks" or "uncompressed"',
            errors.DvidRequestError,
        ),
        Sentence(
            "needs log",
            'labelmap "{name}" instance needs a writable log yet has none assigned',
            errors.DvidServerError,
            remedy="the server's configuration must name a mutation log",
        ),
    )
}

_BY_STATUS: dict[int, type[errors.DvidError]] = {
    401: errors.DvidPermissionError,
    403: errors.DvidPermissionError,
    404: errors.DvidNotFoundError,
    429: errors.DvidPermissionError,
    431: errors.DvidTooLargeError,
    503: errors.DvidBusyError,
}


def compose(name: str, /, **fields: object) -> tuple[int, str]:
    """Status and text of a fault, as DVID words it."""
    sentence = SENTENCES[name]
    return sentence.status, sentence.text.format(**fields)


def classify(status: int, body: str) -> tuple[type[errors.DvidError], str]:
    """Error class and remedy of a refusal.

    Parameters
    ----------
    status : int
        The HTTP status.
    body : str
        The text that came with it.
    """
    for sentence in SENTENCES.values():
        # a failure may quote what somebody else refused
        if sentence.status // 100 == status // 100 and sentence.pattern.search(body):
            return sentence.error, sentence.remedy
    fallback = errors.DvidServerError if status >= 500 else errors.DvidRequestError
    remedy = TOKEN if status in (401, 403) else ""
    return _BY_STATUS.get(status, fallback), remedy
