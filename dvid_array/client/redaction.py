"""Credentials taken out of whatever is shown: URLs, headers, answers, log lines.

Owns what a credential looks like. Must not know where one comes from.
"""

from __future__ import annotations

import logging
import re

_SECRET = re.compile(r"(admintoken=)[^&\s'\"]+|(Bearer\s+)[^\s'\"]+", re.IGNORECASE)


def redacted(text: str) -> str:
    """The text with every credential in it replaced."""
    return _SECRET.sub(lambda found: f"{found[1] or found[2]}[redacted]", text)


class _Redaction(logging.Filter):
    """Takes admin tokens out of urllib3's DEBUG lines, which print whole URLs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _SECRET.search(record.getMessage()):
            record.msg, record.args = redacted(record.getMessage()), ()
        return True


for _name in ("urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_Redaction())
