"""HTTP/1.1 on the wire: what uvicorn answers before any request is understood. Must not know DVID.

Go tells a request line or header that is too long (431) from one that is broken (400), in words of
its own; and it lets the client read that before the connection is cut, although it may still be
sending.
"""

from __future__ import annotations

import sys

from uvicorn.protocols.http.h11_impl import H11Protocol

from dvid_array.facts import MAX_URL_BYTES

HEADER_BYTES = MAX_URL_BYTES + 4096
"""DVID reads request lines and headers of about 1 MiB, and answers 431 beyond."""
LINGER_SECONDS = 1.0
"""How long a refused connection swallows what its client still sends."""
REASONS = {400: "Bad Request", 431: "Request Header Fields Too Large", 501: "Not Implemented"}


def told(status: int) -> str:
    """What Go's HTTP server says by itself, line and body."""
    return f"{status} {REASONS[status]}"


class Protocol(H11Protocol):
    """One connection."""

    _refused = False

    def data_received(self, data: bytes) -> None:
        """Take what the client sent, unless it was refused already."""
        if not self._refused:
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not one."""
        # uvicorn calls this while it handles the parser's fault, which knows the status.
        hint = getattr(sys.exception(), "error_status_hint", 400)
        status = hint if hint in REASONS else 400
        text = told(status)
        answer = (
            f"HTTP/1.1 {text}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Connection: close\r\n\r\n{text}"
        )
        self._refused = True
        self.transport.write(answer.encode("ascii"))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        # A socket closed with bytes unread resets the connection, and the answer would be lost.
        self.loop.call_later(LINGER_SECONDS, self.transport.close)
