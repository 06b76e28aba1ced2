"""Every exception of the package, as one tree. Must not know the HTTP library's types.

    DvidError
    ├── DvidConnectionError (ConnectionError)   nobody answers, or the line broke
    ├── DvidTimeoutError    (TimeoutError)      an answer did not come in time
    ├── DvidBusyError       (TimeoutError)      the server stayed busy until the retry deadline
    ├── DvidProtocolError   (ValueError)        the answer is short, malformed, or not a DVID's
    ├── DvidServerError                         the server failed (5xx)
    ├── DvidRequestError    (ValueError)        the server refused, for a reason not classified
    ├── DvidNotFoundError   (KeyError)          no such version, branch, instance or repo
    ├── DvidExistsError     (ValueError)        the name is taken
    ├── DvidPermissionError (PermissionError)   token, admin rights, block list, read-only server
    │   └── DvidLockedError                     the version is committed
    ├── DvidTypeError       (TypeError)         a data type or dtype that does not fit
    ├── DvidAlignmentError  (ValueError)        voxels that do not fill whole blocks
    ├── DvidTooLargeError   (MemoryError)       more than a guard or the server allows
    └── DvidWriteError                          a write failed half way: .stored .failed .unknown

The built-in parents let plain ``except KeyError`` keep working. `DvidError` stands first in
each class, so that text and pickling are its own: a `KeyError` would print a repr, and a
two-argument `TimeoutError` an errno.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dvid_array.box import Box


class DvidError(Exception):
    """The root: one message for people, and what the server said.

    Parameters
    ----------
    message : str
        What went wrong and what to do about it.
    sentence : str, optional
        The server's own words.
    method, url : str, optional
        The request, without credentials.
    status : int, optional
        The HTTP status.
    """

    uncertain: bool = False
    """Whether the request may have taken effect all the same: its answer was lost."""

    def __init__(
        self,
        message: str = "",
        *,
        sentence: str = "",
        method: str = "",
        url: str = "",
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.sentence = sentence
        self.method = method
        self.url = url
        self.status = status

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self), self.message, self.__dict__)


def _revive(kind: type[DvidError], message: str, state: dict[str, Any]) -> DvidError:
    error = kind(message)
    error.__dict__.update(state)
    return error


class DvidConnectionError(DvidError, ConnectionError):
    """Nobody answers at the address, or the connection broke and retries did not help."""


class DvidTimeoutError(DvidError, TimeoutError):
    """The server did not answer in time."""


class DvidBusyError(DvidError, TimeoutError):
    """The server stayed busy until the retry deadline; see `.attempts` and `.seconds`."""

    attempts: int = 0
    seconds: float = 0.0


class DvidProtocolError(DvidError, ValueError):
    """The answer is short, malformed, or not a DVID's."""


class DvidServerError(DvidError):
    """The server failed while it worked on the request."""


class DvidRequestError(DvidError, ValueError):
    """The server refused the request."""


class DvidNotFoundError(DvidError, KeyError):
    """No such version, branch, instance or repo; or a prefix that fits several."""


class DvidExistsError(DvidError, ValueError):
    """Something of that name exists already."""


class DvidPermissionError(DvidError, PermissionError):
    """The server wants other credentials, blocks this user, or is read-only."""


class DvidLockedError(DvidPermissionError):
    """The version is committed and cannot change; write to `node.new_version()`."""


class DvidTypeError(DvidError, TypeError):
    """A data type that this package, this server or this instance does not take."""


class DvidAlignmentError(DvidError, ValueError):
    """Voxels that do not fill whole blocks, where DVID takes whole blocks only."""


class DvidTooLargeError(DvidError, MemoryError):
    """More than a guard of `Settings`, or the server's own limit, allows."""


class DvidWriteError(DvidError):
    """A write failed half way.

    Attributes
    ----------
    stored, failed, unknown : tuple of Box
        Boxes of voxels (x, y, z, half-open) that the server acknowledged, that it does not
        have, and for which no answer came (they may still land).
    first : Exception or None
        The first fault.
    part : Box or None
        The part of a `store` that failed first.
    """

    part: Box | None = None

    def __init__(
        self,
        message: str = "",
        *,
        stored: Sequence[Box] = (),
        failed: Sequence[Box] = (),
        unknown: Sequence[Box] = (),
        first: Exception | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.stored = tuple(stored)
        self.failed = tuple(failed)
        self.unknown = tuple(unknown)
        self.first = first
