"""The embedded development server: a small DVID on SQLite, for tests, demos and work without one.

It answers with DVID's own statuses and sentences, as recorded from a real one (`tests/corpus`).
It must not know the client's side: both meet in the dialect (`dvid_array.protocol`) only.
"""

from dvid_array.devserver.journal import Request
from dvid_array.devserver.running import DevServer

__all__ = ["DevServer", "Request"]
