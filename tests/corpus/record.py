"""Play the scenarios on a real DVID and write down what it answers.

    DVID_ADMIN_TOKEN=… python -m tests.corpus.record --dvid-url http://127.0.0.1:8000

The server keeps the repos that this makes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

from tests.corpus import (
    scenes_bodies,
    scenes_images,
    scenes_label_reads,
    scenes_labels,
    scenes_merges,
    scenes_rois,
    scenes_server,
)
from tests.corpus.exchange import Answer, Request, Teller
from tests.corpus.scenarios import SCENARIOS, Scenario

SCENES = (
    scenes_server,
    scenes_images,
    scenes_labels,
    scenes_label_reads,
    scenes_bodies,
    scenes_merges,
    scenes_rois,
)
"""The modules whose scenarios fill the table."""
FOLDER = Path(__file__).parent / "recorded"
SETTLE_SECONDS = 0.15
SETTLING = re.compile("/(raw|blocks|merge|cleave|split-supervoxel|renumber)(/|$)")
"""DVID counts labels behind the answer to such a post."""


def play(scenario: Scenario, ask: Callable[[Request], Answer]) -> list[tuple[Request, Answer]]:
    """All exchanges of a scenario."""
    exchanges = []
    for request in scenario():
        exchanges.append((request, ask(request)))
        if request.method == "POST" and SETTLING.search(request.path):
            time.sleep(SETTLE_SECONDS)
    return exchanges


def record(url: str, admin_token: str, names: list[str]) -> int:
    """Record scenarios; how many exchanges there were."""
    with urlopen(f"{url}/api/server/info", timeout=30) as reply:
        version = json.load(reply)["DVID Version"]
    count = 0
    for name in names or list(SCENARIOS):
        exchanges = play(SCENARIOS[name], Teller(url, admin_token).ask)
        count += len(exchanges)
        notes = [
            json.dumps({"request": request.note(), "answer": answer.note()}, sort_keys=True)
            for request, answer in exchanges
        ]
        head = json.dumps({"dvid": version, "date": datetime.now(UTC).date().isoformat()})
        text = f'{{"recorded": {head}, "exchanges": [\n' + ",\n".join(notes) + "\n]}\n"
        (FOLDER / f"{name}.json").write_text(text, "utf-8")
    return count


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dvid-url", required=True, help="a real DVID")
    parser.add_argument("names", nargs="*", help=f"some of: {', '.join(SCENARIOS)}")
    given = parser.parse_args()
    token = os.environ.get("DVID_ADMIN_TOKEN")
    if not token:
        sys.exit("set DVID_ADMIN_TOKEN to the server's admin token: the scenarios make repos")
    count = record(given.dvid_url.rstrip("/"), token, given.names)
    print(f"recorded {count} exchanges")


if __name__ == "__main__":
    main()
