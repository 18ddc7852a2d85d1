"""Contenders timed round by round, each as often as the others, with the garbage collector at rest."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from time import monotonic, process_time_ns

from attrs import frozen

__all__ = ["Contender", "Timing", "measured", "rounds_within"]

LEAST = 3  # rounds, however long they take


@frozen
class Contender:
    """Something that is timed.

    Attributes:
        name: what the tables call it.
        run: does the work; what it returns is thrown away, outside of the time.
        calls: how many calls are made in one run.
        prepare: makes what a run needs anew, outside of the time; `run` is called with what it returns.
    """

    name: str
    run: Callable[..., object]
    calls: int = 1
    prepare: Callable[[], object] | None = None


@frozen
class Timing:
    """What was measured of a contender.

    Attributes:
        nanoseconds: of one call, the median of all rounds.
        ratio: to the first contender, the median of the ratios of all rounds.
    """

    nanoseconds: float
    ratio: float


def rounds_within(seconds: float, rounds: int) -> Iterator[int]:
    """Numbers of rounds, as long as there is time, but three of them anyway."""
    begin = monotonic()
    for number in range(rounds):
        if number >= LEAST and monotonic() - begin > seconds:
            return
        yield number


def measured(contenders: Sequence[Contender], rounds: int, seconds: float) -> Mapping[str, Timing]:
    """Each contender once in each round, every round beginning with another one."""
    times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    with _collector_at_rest():
        for contender in contenders:
            _timed(contender)
        for number in rounds_within(seconds, rounds):
            first = number % len(contenders)
            for contender in (*contenders[first:], *contenders[:first]):
                times[contender.name].append(_timed(contender))
    base = times[contenders[0].name]
    return {
        name: Timing(median(own), median(mine / its for mine, its in zip(own, base, strict=True)))
        for name, own in times.items()
    }


def _timed(contender: Contender) -> float:
    """The nanoseconds of one call."""
    arguments = () if contender.prepare is None else (contender.prepare(),)
    gc.collect()
    begin = process_time_ns()
    made = contender.run(*arguments)
    end = process_time_ns()
    del made
    return (end - begin) / contender.calls


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """No collection while the time is taken; what is there already is not looked at between."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
