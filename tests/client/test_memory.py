"""Peak memory of reads and writes: the result and 64 MiB; measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

import dvid_array
from dvid_array import Node
from tests.conftest import Sent

SCRIPT = """
import sys
import numpy as np
import dvid_array

def peak():
    # ru_maxrss would count the process that started this one
    lines = open("/proc/self/status").read().split("\\n")
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) << 10

url, what, order = sys.argv[1:]
array = dvid_array.open(url)
array[:, 0:64, 0:64, 0:64] = 1                       # whatever is imported late is there now
array[:, 0:64, 0:64, 0:64]
data = np.ones((1, 512, 512, 512), np.uint8, order=order)
before = peak()
if what == "read":
    array.read((0, 0, 0), (512, 512, 512), out=data)
    assert data[0, 5, 5, 5] == 1
elif what == "borders":
    array.voxels[:, 3:515, 3:515, 3:515] = data
else:
    array[:, 0:512, 0:512, 0:512] = data
print(peak() - before)
"""


@pytest.mark.parametrize("what", ["write", "read", pytest.param("borders", marks=pytest.mark.long)])
@pytest.mark.parametrize("order", ["F", "C"])
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_64_mebibytes_beyond_the_result(node: Node, what: str, order: str) -> None:
    array = node.create("v", "uint8", shape=(512, 512, 512))
    command = [sys.executable, "-c", SCRIPT, array.url, what, order]
    run = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
    assert int(run.stdout) <= 64 << 20


def test_more_than_one_answer_can_hold(node: Node, sent: list[Sent]) -> None:
    """4 GiB of voxels, nearly none of them written, of which every 64th is wanted."""
    array = node.create("v", "uint8", shape=(2048, 2048, 1024))
    array[:, 128:192, 128:192, 960:1024] = 9
    sent.clear()
    assert array.size > 3 << 30
    found = array[:, ::64, ::64, ::64]
    assert found.shape == (1, 32, 32, 16)
    assert (found[0, 2, 2, 15], int(found.sum())) == (9, 9)
    assert len(sent) >= 4
    assert array.plan(...).requests >= (4 << 30) // 256**3


def test_a_plan_of_petabytes_costs_nothing(node: Node, sent: list[Sent]) -> None:
    array = node.create("v", "uint8", shape=(2**20, 2**20, 2**20))
    sent.clear()
    with pytest.raises(dvid_array.DvidTooLargeError):
        array[...]
    assert not sent
