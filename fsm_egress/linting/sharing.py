"""Processes that share the comparisons of lint."""

from __future__ import annotations

import pickle
import signal
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING

from ..replaying.streaming import undisturbed
from ..resolution import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..policy import OutboundPolicy
    from ..resources.subjects import Subject
    from ..snapshot import Snapshot
    from .comparing import Comparison, Found

__all__ = ["shared"]


@contextmanager
def shared(
    mesh: Snapshot, identities: Sequence[Subject], comparison: Comparison, workers: int
) -> Iterator[Iterator[Found]]:
    """What is found for each identity, in their order; the workers begin when the block is entered.

    Args:
        mesh: the resources.
        identities: which workers are asked about, one at a time.
        comparison: what their policies are compared with.
        workers: how many processes share the work.
    """
    given = pickle.dumps((mesh, comparison))  # a large mesh takes seconds, and would be for each worker
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (given,))
    try:
        with undisturbed():
            asked: list[Future[Found]] = [pool.submit(_found_of, identity) for identity in identities]
        yield (it.result() for it in asked)
    finally:
        pool.shutdown(cancel_futures=True)


# What a worker process knows, from its beginning to its end: a pool has no other place to keep it in.
_WORKER: list[tuple[Snapshot, Callable[[OutboundPolicy], Found]]] = []


def _begin(given: bytes) -> None:
    """Make this process a worker; Ctrl-C is for the process that waits for it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    mesh, comparison = pickle.loads(given)  # noqa: S301  # because that process has made it
    _WORKER.append((mesh, comparison.of(mesh)))


def _found_of(identity: Subject) -> Found:
    ((mesh, found),) = _WORKER
    return found(resolve(mesh, identity))
