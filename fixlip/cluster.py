"""Many machines: calls of one function on the workers of a Dask cluster. Nothing in here knows what they compute.

Dask runs the calls of a worker that dies again on the others. So a call must be one that may be repeated: what it
returns is all it does.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pickle import PicklingError
from typing import Any, TypeVar

from .extras import need

logger = logging.getLogger("fixlip")
T = TypeVar("T")
# How long a scheduler may take to answer.
PATIENCE_SECONDS = 10
# Calls under way for each thread of the workers: one that runs, one that waits on the worker, so that none is idle.
AHEAD = 2
_LOCAL = re.compile(r"local(?::(\d+))?")
# A model's work fills a processor or GPU, so a worker does one call at a time, however many threads it has.
_ALONE = threading.Lock()


@contextmanager
def connected(dask: Any) -> Iterator[Any]:
    """Yield a client of a Dask cluster.

    Args:
        dask: address of a scheduler ("tcp://host:8786"); "local:2" for two processes of this machine, with one thread
            each, which end with the block ("local": as many as it has cores); or a cluster or a `distributed.Client` of
            one's own, which stays open.

    Raises:
        ValueError: one sentence, if distributed is not installed, this is none of these, or no scheduler answers.
    """
    distributed = need("distributed", "dask")
    if isinstance(dask, distributed.Client):
        if dask.asynchronous or dask.status != "running":
            state = "asynchronous" if dask.asynchronous else dask.status
            raise ValueError(f"dask: got a client that is {state}, wanted one that is open and not asynchronous.")
        yield dask
        return
    local = _LOCAL.fullmatch(dask) if isinstance(dask, str) else None
    if local is None:
        with _client(distributed, dask) as client:
            yield client
        return
    workers = int(local[1] or os.cpu_count() or 1)
    if workers < 1:
        raise ValueError(f'dask: got {dask!r}, wanted at least one worker, as in "local:2".')
    # Its dashboard at any free port, since another program may have the usual one.
    with distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0") as cluster:
        with _client(distributed, cluster) as client:
            yield client


def _client(distributed: Any, place: Any) -> Any:
    try:
        return distributed.Client(place, timeout=PATIENCE_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        wanted = 'wanted the address of one ("tcp://host:8786"), "local:2", or a client'
        raise ValueError(f"dask: no scheduler answers at {place!r:.80} ({_first_line(error)}); {wanted}.") from None


def spread(
    client: Any, call: Callable[..., T], jobs: Iterable[tuple[Any, ...]]
) -> Generator[tuple[int, T], None, None]:
    """Yield the number of each job and what `call(*job)` returned on some worker, in the order in which they finish.

    Jobs are taken from their iterator as they are needed, a few for each worker. What is not done when the generator is
    closed is called off. Close it in the end (`contextlib.closing`).

    Args:
        client: from `connected`.
        call: a function of a module that the workers can import.
        jobs: arguments, which pickle must be able to send.

    Raises:
        ValueError: one sentence, if workers died of a job again and again, or the scheduler was lost.
        Exception: what a call raised.
    """
    distributed = need("distributed", "dask")
    numbered = enumerate(jobs)
    waiting: dict[Any, tuple[int, Any]] = {}
    finished = distributed.as_completed(loop=client.loop, with_results=True)
    if not _threads(client):
        logger.warning("dask: the cluster has no worker yet; the work begins when one comes.")
    try:
        while True:
            room = max(1, AHEAD * _threads(client)) - len(waiting)
            for number, job in islice(numbered, max(0, room)):
                future = _submit(client, call, job)
                waiting[future.key] = number, future
                finished.add(future)
            if not waiting:
                return
            future, result = next(finished)
            yield waiting.pop(future.key)[0], result
    except distributed.KilledWorker as error:
        raise ValueError(
            f"dask: {error.allowed_failures + 1} workers ended suddenly at the same piece of work, perhaps for want of "
            "memory; what was finished is kept."
        ) from None
    except distributed.CancelledError as error:
        raise _lost(error) from None
    finally:
        if waiting and client.status == "running":
            client.cancel([future for _, future in waiting.values()])


def once(client: Any, thing: T) -> T:
    """A thing that many jobs need: what stands for it in their arguments, so that it is sent to each worker once."""
    future: T = _submit(client, _itself, (thing,))
    return future


def ask(client: Any, call: Callable[..., T], *arguments: Any) -> T:
    """What `call(*arguments)` returns on some worker."""
    ((_, found),) = spread(client, call, [arguments])
    return found


def _submit(client: Any, call: Callable[..., Any], job: tuple[Any, ...]) -> Any:
    # A job holds a picture, or an encoder that no worker can load by name; Dask would advise against that at 10 MB.
    with need("dask", "dask").config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
        try:
            return client.submit(_alone, call, *job, pure=False)
        except (TypeError, AttributeError, PicklingError) as error:
            told = _first_line(error.__cause__ or error)
            raise ValueError(
                f"dask: a piece of work cannot be sent to workers ({told}); wanted inputs that pickle can write."
            ) from None


def _itself(thing: T) -> T:
    return thing


def _alone(call: Callable[..., T], *job: Any) -> T:
    with _ALONE:
        return call(*job)


def _threads(client: Any) -> int:
    try:
        return sum(client.nthreads().values())
    except OSError as error:
        raise _lost(error) from None


def _lost(error: BaseException) -> ValueError:
    return ValueError(
        f"dask: the connection to the scheduler was lost ({_first_line(error)}); what was finished is kept."
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
