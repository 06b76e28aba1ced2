"""Credentials taken out of whatever is shown: URLs, headers, answers, log lines.

Owns what a credential looks like. Must not know where one comes from.
"""

from __future__ import annotations

import logging
import re

_FORMS = (
    # an argument of a URL, also of one within another, and a field of JSON
    (r"admintoken(?:=|%3D|['\"]?\s*:\s*['\"]?)", r"[^&\s'\"]+"),
    (r"dsg_token=", r"[^;\s'\"]+"),
    # a header, of any scheme
    (r"authorization['\"]?\s*[:=]\s*b?['\"]?(?:\w+[ \t]+)?", r"[^\s'\"]+"),
    (r"bearer[ \t]+", r"[^\s'\"]+"),
    # the password of an address, as those of proxies have
    (r"://[^/\s:@'\"]*:", r"[^/\s@'\"]+(?=@)"),
)
_SECRET = re.compile("|".join(f"({before}){secret}" for before, secret in _FORMS), re.IGNORECASE)


def redacted(text: str) -> str:
    """The text with every credential in it replaced."""
    return _SECRET.sub(lambda found: f"{found[found.lastindex or 0]}[redacted]", text)


class _Redaction(logging.Filter):
    """Takes admin tokens out of urllib3's DEBUG lines, which print whole URLs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _SECRET.search(record.getMessage()):
            record.msg, record.args = redacted(record.getMessage()), ()
        return True


for _name in ("urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_Redaction())
