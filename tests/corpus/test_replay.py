"""The recorded exchanges, played on the development server: it must answer as the real DVID did."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from dvid_array.devserver import DevServer
from tests.corpus.differences import DIFFERENCES
from tests.corpus.exchange import Answer, Request, Teller, difference

pytestmark = pytest.mark.dev
FOLDER = Path(__file__).parent / "recorded"
RECORDED = sorted(path.stem for path in FOLDER.glob("*.json"))
LEAST_EXCHANGES = 300


def exchanges(name: str) -> list[tuple[Request, Answer]]:
    """What was recorded of a scenario."""
    notes: list[dict[str, Any]] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))[
        "exchanges"
    ]
    return [(Request.of(note["request"]), Answer.of(note["answer"])) for note in notes]


@pytest.mark.parametrize("name", RECORDED)
def test_replay(name: str, replay_server: DevServer) -> None:
    teller = Teller(replay_server.url, replay_server.admin_token)
    unexpected, seen = [], set()
    for request, recorded in exchanges(name):
        told = difference(request, recorded, teller.ask(request))
        title = f"{name}: {request.title}"
        allowed = [pattern for pattern in DIFFERENCES if re.fullmatch(pattern, title)]
        if told and not allowed:
            unexpected.append(f"{title}\n    {told}")
        seen.update(allowed if told else ())
    stale = [
        pattern for pattern in DIFFERENCES if pattern.startswith(f"{name}:") and pattern not in seen
    ]
    assert not unexpected, "\n".join([f"{len(unexpected)} answers differ:", *unexpected])
    assert not stale, f"listed as different, but not so: {stale}"


def test_there_is_enough() -> None:
    assert sum(len(exchanges(name)) for name in RECORDED) >= LEAST_EXCHANGES
