"""What memory is left, as Linux tells it, and as jobs and containers limit it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import dvid_array
from dvid_array import memory

GIB = 1 << 30


def written(root: Path, files: dict[str, object]) -> Path:
    """A file system that says so."""
    for name, text in ({"proc/meminfo": f"MemAvailable: {8 << 20} kB\n"} | files).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(text))
    return root


def v2(folder: str, limit: object, used: int, cached: int = 0) -> dict[str, object]:
    place = f"sys/fs/cgroup{folder}"
    stat = f"anon 5\ninactive_file {cached}\n"
    return {
        f"{place}/memory.max": limit,
        f"{place}/memory.current": used,
        f"{place}/memory.stat": stat,
    }


def v1(folder: str, limit: int, used: int, cached: int = 0) -> dict[str, object]:
    place = f"sys/fs/cgroup/memory{folder}"
    stat = f"inactive_file 7\ntotal_inactive_file {cached}\n"
    return {
        f"{place}/memory.limit_in_bytes": limit,
        f"{place}/memory.usage_in_bytes": used,
        f"{place}/memory.stat": stat,
    }


JOB = {"proc/self/cgroup": "0::/slurm/job_7\n"}
MIXED = {"proc/self/cgroup": "9:cpu,memory:/slurm/job_7\n1:cpuset:/\n0::/\n"}


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({}, 8 * GIB),
        ({"proc/meminfo": "nothing\n"}, None),
        ({"proc/self/cgroup": "0::/\n"}, 8 * GIB),
        (JOB | v2("/slurm/job_7", 2 * GIB, GIB // 2), 1.5 * GIB),
        (JOB | v2("/slurm/job_7", 2 * GIB, GIB, GIB // 2), 1.5 * GIB),
        (JOB | v2("/slurm/job_7", "max\n", GIB), 8 * GIB),
        (JOB | v2("/slurm/job_7", "max\n", GIB) | v2("/slurm", 3 * GIB, GIB), 2 * GIB),
        (JOB | v2("", 4 * GIB, GIB), 3 * GIB),
        (JOB | v2("/slurm/job_7", 99 * GIB, 0), 8 * GIB),
        (JOB | v2("/slurm/job_7", GIB, GIB + 5), 0),
        (MIXED | v1("/slurm/job_7", 2 * GIB, GIB, 9), GIB + 9),
        (MIXED | v1("/slurm/job_7", (1 << 63) - 4096, GIB) | v1("", 5 * GIB, GIB), 4 * GIB),
    ],
)
def test_what_is_left(tmp_path: Path, files: dict[str, object], left: float | None) -> None:
    found = memory.available(written(tmp_path, files))
    assert found > 0 if left is None else found == left


def test_on_this_machine() -> None:
    assert 16 * memory.MIB < memory.available() < 1 << 50


LIMITED = """
import resource
from pathlib import Path
from dvid_array import memory
pages = int(Path("/proc/self/statm").read_text().split()[0])
used = pages * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (100 << 20),) * 2)
print(memory.available())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v is Linux's")
def test_a_limit_of_addresses() -> None:
    run = subprocess.run(
        [sys.executable, "-c", LIMITED],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(dvid_array.__file__).parents[1],
    )
    assert 50 << 20 < int(run.stdout) <= 100 << 20
