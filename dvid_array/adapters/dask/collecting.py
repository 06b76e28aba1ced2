"""How the parts of a store come back from a cluster, and what is known of them when one fails.

Owns futures. Must not know graphs or requests: a task writes its part, and returns a checksum.
"""

from __future__ import annotations

from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any

from dask._task_spec import Alias
from dask.delayed import Delayed

from dvid_array.box import Box
from dvid_array.client.ledger import Ledger
from dvid_array.errors import DvidWriteError

Tasks = dict[Box, Delayed]
"""By the parts that they write."""
Futures = dict[Any, Box]
"""Those that have not come, and the parts that they write."""
LAST_SECONDS = 10.0
"""So long are tasks waited for that are under way when another fails."""


def writer(task: Delayed) -> Any:
    """The key of the task that writes a part. Where dask has fused it with what comes before, it
    goes by another name."""
    node = task.dask[task.key]
    return node.target if isinstance(node, Alias) else task.key


def on_cluster(client: Any, tasks: Tasks, ledger: Ledger) -> None:
    """Account for results as they arrive; all that has not arrived may be under way."""
    for box in tasks:
        ledger.begun(box)
    left = dict(zip(client.compute(list(tasks.values())), tasks, strict=True))
    with client.as_current():
        try:
            _collect(left, ledger)
        except Exception:
            _stop(client, left, tasks, ledger, LAST_SECONDS)
            raise
        except KeyboardInterrupt:
            _stop(client, left, tasks, ledger, 0)
            raise
        finally:
            client.cancel(list(left))


def _collect(left: Futures, ledger: Ledger) -> None:
    """Account for each part that is stored, and let go of its future."""
    from distributed import as_completed

    for future, result in as_completed(list(left), with_results=True, raise_errors=False):  # type: ignore[no-untyped-call]
        if future.status == "error":
            raise _in_part(left[future], result[1].with_traceback(result[2]))
        if isinstance(result, Exception):  # the cluster was restarted, or is gone
            raise result
        ledger.stored(left[future], result.item())
        del left[future]
        future.release()  # else the loss of a worker would make it write again


def _in_part(box: Box, error: Exception) -> Exception:
    """A fault that says to which part it happened."""
    if isinstance(error, DvidWriteError) and error.part == box:
        return error
    told = DvidWriteError(str(error), unknown=[box], first=error)
    told.part, told.__cause__ = box, error
    return told


def _stop(client: Any, left: Futures, tasks: Tasks, ledger: Ledger, seconds: float) -> None:
    """Let no more tasks begin, wait a little for those that have, and account for all: what may
    still be under way is unknown."""
    from distributed import wait

    never, again = _withdrawn(client, {tasks[box].key: writer(tasks[box]) for box in left.values()})
    under_way = [future for future in left if future.key not in never]
    with suppress(TimeoutError, CancelledError):
        wait(under_way, seconds)  # type: ignore[no-untyped-call]
    for future, box in left.items():
        if future.key in never:
            ledger.withdrawn(box)
        elif future.status == "finished":
            with suppress(Exception):  # it may be who hears of it that failed
                ledger.stored(box, future.result().item())
        elif future.status == "error" and future.key not in again:
            ledger.broken(box, future.exception())


def _withdrawn(client: Any, writers: dict[Any, Any]) -> tuple[set[Any], set[Any]]:
    """Take back tasks that have not begun; their keys, and those of tasks that may have written
    before, on a worker that died."""
    try:
        never, again = client.run_on_scheduler(_withdraw, writers, client.id)
    except Exception:  # it is gone, or takes no code
        return set(), set(writers)
    return set(never), set(again)


def _withdraw(writers: dict[Any, Any], client: str, dask_scheduler: Any) -> tuple[list[Any], ...]:
    """Run by the scheduler, which gives no task to a worker meanwhile."""
    never, again = [], []
    for key, writer in writers.items():
        task = dask_scheduler.tasks.get(writer) or dask_scheduler.tasks.get(key)
        if task and (task.suspicious or (task.nbytes >= 0 and task.state != "memory")):
            again.append(key)
        elif task and task.state not in ("processing", "memory", "erred"):
            never.append(key)
    dask_scheduler.client_releases_keys(keys=never, client=client)
    return never, again
