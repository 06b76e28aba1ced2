"""The pages of the docs that tests stand for: what every fault does to every kind of call, and
where the development server differs from a real DVID.

    python -m tests.tables        writes them

Each cell of the first is a test in `tests/client/test_faults.py`; each line of the second is
checked by `tests/corpus/test_replay.py`. `tests/test_tables.py` holds the pages to both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.client.test_faults import FAULTS, KINDS, RIGHT, Kind
from tests.corpus.differences import DIFFERENCES, UNRECORDED
from tests.corpus.record_client import FOLDER as WALKED
from tests.corpus.test_replay import FOLDER as RECORDED

DOCS = Path(__file__).parents[1] / "docs"


def outcome(fault: str, kind: Kind) -> str:
    """What becomes of a call, in a word."""
    _, _, told = FAULTS[fault]
    found = told.get(kind.answer, told.get("", RIGHT))
    ways = found if isinstance(found, tuple) else (found,)
    return " or ".join("✓" if way == RIGHT else f"`{way.__name__}`" for way in ways)


def row(cells: Iterable[str]) -> str:
    """A line of a table."""
    return "| " + " | ".join(cells) + " |"


def faults() -> str:
    """Every fault of the path with every kind of call."""
    kinds = [kind.name for kind in KINDS]
    lines = [row(["fault", *kinds]), row(["---"] * (len(kinds) + 1))]
    lines += [row([name, *(outcome(name, kind) for kind in KINDS)]) for name in FAULTS]
    table = "\n".join(lines)
    return f"""# Faults of the path

What becomes of a call when the way to the server does this to it. ✓ means the right result,
after new attempts where they were needed; anything else is the error that is raised, within the
deadline.

Each cell is a test: a real proxy does the fault, and every voxel is compared afterwards. No cell
gives a wrong voxel, and none leaves a write half done without saying so: a write that fails half
way is a `DvidWriteError`, which names what was stored, what was not and what may still land; the
cell then tells its cause.

{table}

A `400` or a `429` is never asked again. Silence is not asked again either: a post that timed out
may still land.
"""


def differences() -> str:
    """Where the development server differs from a real DVID, on purpose."""
    heads = [_head(path, "recorded") for path in sorted(RECORDED.glob("*.json"))]
    tapes = [_head(path, "taped") for path in sorted(WALKED.glob("*.json"))]
    versions = sorted({dvid for dvid, _ in heads + tapes})
    listed = "\n".join(f"- `{_plain(title)}`: {why}" for title, why in DIFFERENCES.items())
    unrecorded = "\n".join(f"- {why}" for why in UNRECORDED)
    return f"""# Held to a real DVID

The package is tested against what a real DVID answers, even where none is at hand:

- {sum(count for _, count in heads)} exchanges in {len(heads)} scenarios are played on the
  development server: status, sentence, document and voxels must be those that were recorded;
- {sum(count for _, count in tapes)} answers in {len(tapes)} walks are played back to the client:
  it must make of them what numpy would.

They were recorded from DVID {", ".join(versions)}. `pytest --dvid-url` runs the whole suite on a
living one.

## Where the development server differs on purpose

In exchanges that are recorded:

{listed}

In others:

{unrecorded}
"""


def _head(path: Path, key: str) -> tuple[str, int]:
    document = json.loads(path.read_text("utf-8"))
    return document[key]["dvid"], sum(len(e.get("answers", "1")) for e in document["exchanges"])


def _plain(pattern: str) -> str:
    """A pattern of the list as the title it stands for."""
    return pattern.replace("\\", "")


PAGES: dict[str, Callable[[], str]] = {"faults.md": faults, "held-to-a-dvid.md": differences}


def main() -> None:
    """Write the pages."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
