"""What helps to test code that uses a DVID: a faulty path to a server."""

from dvid_array.testing.faults import Fault, Request
from dvid_array.testing.proxy import FaultyProxy

__all__ = ["Fault", "FaultyProxy", "Request"]
