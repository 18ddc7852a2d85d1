"""Logs read as streams, block by block, in this process or by several workers."""

from __future__ import annotations

import pickle
import signal
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain, islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from ..resources import checks
from .logs import cut, read
from .repeated import gathered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from multiprocessing.context import BaseContext

    from .logs import Block, Log
    from .records import Layout, Records

__all__ = ["Partitions", "Tally", "streamed"]

T = TypeVar("T")

TASK = 8  # blocks that a worker gets at once: the more, the fewer counts it sends back
TASKS = 2  # for each worker: one that it works on, and one that waits for it


class Tally(Protocol[T]):
    """What counts records: part by part, and parts together. It is pickled for each worker."""

    @property
    def layout(self) -> Layout:
        """Which columns hold what."""
        ...

    @property
    def timed(self) -> bool:
        """Whether it matters when records were made."""
        ...

    def summary(self, records: Records) -> T:
        """What some records come to."""
        ...

    def total(self, parts: Iterable[T]) -> T:
        """What parts come to together, in whatever order they are."""
        ...


@runtime_checkable
class Partitions(Protocol):
    """Records that are spread over machines: what counts goes to them, and only counts come back."""

    def tallied(self, tally: Tally[T]) -> T:
        """What all of them come to."""
        ...


def streamed(
    tally: Tally[T], logs: Iterable[Log] | Partitions, workers: int = 1, context: BaseContext | None = None
) -> Iterator[T]:
    """What the parts of logs come to, in order.

    Args:
        tally: what counts.
        logs: open streams; or partitions, which share the work in their own way.
        workers: how many processes share the work; a log of one block is not shared.
        context: how worker processes are started; by default they are spawned.

    Raises:
        InvalidValue: there are no workers.
    """
    workers = checks.workers(workers)
    if isinstance(logs, Partitions):
        return iter((logs.tallied(tally),))
    layout = tally.layout
    blocks = gathered(cut(logs, layout, timed=tally.timed), () if tally.timed else layout.names("time"))
    begun = tuple(islice(blocks, 2))
    blocks = chain(begun, blocks)
    if workers == 1 or not begun[1:]:
        return (tally.summary(read(block, tally.layout)) for block in blocks)
    return _shared(tally, blocks, workers, context or get_context("spawn"))


# What a worker process decides by, from its beginning to its end: a pool has no other place to keep it in.
_WORKER: list[Tally[Any]] = []


@contextmanager
def _ctrl_c_held() -> Iterator[None]:
    """Hold Ctrl-C back; a process that is started meanwhile never hears of it, not even while it begins."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def undisturbed() -> AbstractContextManager[None]:
    """Where worker processes are started: Ctrl-C is not for them, but for the process that waits for them."""
    return _ctrl_c_held() if hasattr(signal, "pthread_sigmask") else nullcontext()


def _begin(tally: bytes) -> None:
    """Make this process a worker; Ctrl-C is for the process that waits for it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _WORKER.append(pickle.loads(tally))  # noqa: S301  # because that process has made it


def _summary_of(blocks: Iterable[Block]) -> Any:
    (tally,) = _WORKER
    return tally.total(tally.summary(read(block, tally.layout)) for block in blocks)


def _shared(tally: Tally[T], blocks: Iterator[Block], workers: int, context: BaseContext) -> Iterator[T]:
    """The summaries of the blocks, in order; only a few are under way at a time."""
    once = pickle.dumps(tally)  # a large mesh takes seconds, and would be pickled for each worker
    pool = ProcessPoolExecutor(workers, context, _begin, (once,))
    under_way: deque[Future[T]] = deque()
    try:
        while task := list(islice(blocks, TASK)):
            if len(under_way) == TASKS * workers:
                yield under_way.popleft().result()
            with undisturbed():
                under_way.append(pool.submit(_summary_of, task))
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
