"""What a task's requests add to dask's metrics."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Hashable

import numpy as np
import pytest
from distributed.metrics import context_meter

import dvid_array
from dvid_array.adapters.metrics import busy
from tests.conftest import Sent

Filled = Callable[..., tuple[dvid_array.DvidArray, np.ndarray]]


def test_a_read_is_metered(filled: Filled, sent: list[Sent]) -> None:
    """By default, though its requests run in threads that the meter does not see."""
    array, truth = filled("uint8", (1, 256, 256, 128))
    view = array.with_settings(transport="raw")
    metered: Counter[Hashable] = Counter()
    sent.clear()
    with (
        context_meter.add_callback(lambda label, value, unit: metered.update({unit: value})),
        context_meter.meter("all"),
    ):
        view[...]
        alone = dict(metered)
    assert alone["bytes"] == truth.nbytes
    assert alone["requests"] == len(sent) > 1
    assert 0 < alone["seconds"] <= metered["seconds"]


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ([], 0),
        ([(1, 3)], 2),
        ([(1, 3), (2, 4)], 3),
        ([(1, 9), (2, 3), (4, 5)], 8),
        ([(5, 6), (1, 2)], 2),
        ([(1, 2), (2, 3)], 2),
    ],
)
def test_busy_seconds(spans: list[tuple[float, float]], seconds: float) -> None:
    """Requests side by side do not count twice: no task can be busy for longer than it lasts."""
    assert busy(spans) == seconds


def test_metering_loads_no_dask(filled: Filled) -> None:
    array, truth = filled()
    code = (
        "import sys, dvid_array; print(dvid_array.open(sys.argv[1])[...].sum());"
        "print({name.split('.')[0] for name in sys.modules} & {'dask', 'distributed'})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, array.url], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == [str(truth.sum()), "set()"]
