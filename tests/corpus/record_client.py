"""Walk the client through a real DVID and tape what that answers.

    DVID_ADMIN_TOKEN=… python -m tests.corpus.record_client --dvid-url http://127.0.0.1:8000

The server keeps the repos that this makes.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import dvid_array
from tests.corpus.tape import Tape, served
from tests.corpus.walks import WALKS

FOLDER = Path(__file__).parent / "walked"


def record(url: str, admin_token: str, name: str) -> int:
    """Tape one walk; how many requests it made."""
    tape = Tape()
    version = dvid_array.connect(url).info()["DVID Version"]
    with served(tape, url) as proxy:
        server = dvid_array.connect(proxy, admin_token=admin_token)
        WALKS[name](server.create_repo(f"walk {name}", "taped"))
    head = {"dvid": version, "date": datetime.now(UTC).date().isoformat()}
    tape.save(FOLDER / f"{name}.json", head)
    return sum(len(answers) for answers in tape.answers.values())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dvid-url", required=True, help="a real DVID")
    parser.add_argument("names", nargs="*", help=f"some of: {', '.join(WALKS)}")
    given = parser.parse_args()
    token = os.environ.get("DVID_ADMIN_TOKEN")
    if not token:
        sys.exit("set DVID_ADMIN_TOKEN to the server's admin token: the walks make repos")
    for name in given.names or WALKS:
        print(f"{name}: {record(given.dvid_url.rstrip('/'), token, name)} requests")


if __name__ == "__main__":
    main()
