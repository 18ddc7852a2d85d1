"""`python -m benchmarks.learning [RECORDS …]`: what `learn` costs for logs with 20,000 destinations.

Each length is measured in a process of its own, which makes its records as they are read: processor time, of
`json.loads` alone for the same lines, too, and the most memory that was taken.
"""

from __future__ import annotations

import json
import resource
import sys
from io import BufferedReader, RawIOBase
from itertools import pairwise
from multiprocessing import get_context
from random import Random
from time import process_time
from typing import TYPE_CHECKING, Any

from attrs import frozen

import fsm_egress as fe

from .logs import MESH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Costs", "costs", "main"]

DESTINATIONS = 20_000
ACCOUNTS = 50
START = 1_790_000_000
RANGES = 400  # of an account on a port: the addresses lie apart
LENGTHS = (100_000, 1_000_000)


@frozen
class Costs:
    """What learning from so many records took: seconds of processor time, and megabytes.

    Attributes:
        learned: until the policies were there.
        proven: to replay all of it in the closed mesh.
        parsed: for `json.loads` alone.
        memory: at the most, of the process.
    """

    records: int
    destinations: int
    learned: float
    proven: float
    parsed: float
    memory: float

    def __str__(self) -> str:
        return (
            f"{self.records:>10,} records, {self.destinations:,} destinations: "
            f"learned in {self.learned:.1f} s ({self.learned / self.parsed:.1f} x json.loads), "
            f"replayed in {self.proven:.1f} s,"
            f" {self.memory:.0f} MB"
        )


class _Traffic(RawIOBase):
    """A log that is made as it is read: six of ten records are TLS, two HTTP, two neither."""

    def __init__(self, records: int) -> None:
        super().__init__()
        self._lines = _lines(records)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        content = self._rest or next(self._lines, b"")
        taken, self._rest = content[: len(buffer)], content[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


def _lines(records: int) -> Iterator[bytes]:
    kinds = [json.dumps(_record(number))[1:] for number in range(DESTINATIONS)]
    random = Random(1)
    for at in range(records):
        number = (
            at if at < DESTINATIONS else min(random.randrange(DESTINATIONS), random.randrange(DESTINATIONS))
        )
        line = kinds[number % DESTINATIONS].replace("ITEM", str(at))
        yield f'{{"time": {START + at // 100}, {line}\n'.encode()


def _record(number: int) -> dict[str, Any]:
    """The records of a destination are alike, but for times and items."""
    name, kind = f"host-{number}.example", number % 10
    whose = {
        "identity": f"app-{number % ACCOUNTS}.shop",
        "destination": f"203.0.{number // 256}.{number % 256}",
    }
    if kind < 6:
        return {**whose, "port": 443, "server_name": name}
    if kind < 8:
        return {**whose, "port": 80, "host": name, "method": "GET", "path": "/v1/items/ITEM"}
    return {**whose, "port": 5432}


def _log(records: int) -> fe.Log:
    return fe.Log(BufferedReader(_Traffic(records), 2**20), "access.jsonl", fe.Format.JSON)


def costs(records: int) -> Costs:
    """What it costs to learn from so many records, in this process."""
    mesh = fe.load(MESH)
    times = [process_time()]
    lesson = fe.learn(mesh, [_log(records)], ranges=RANGES)
    times.append(process_time())
    lesson = lesson.proven([_log(records)])
    times.append(process_time())
    for line in _lines(records):
        json.loads(line)
    times.append(process_time())
    learned, proven, parsed = (after - before for before, after in pairwise(times))
    if lesson.replayed is None or lesson.still_denied or lesson.replayed.connections != records:
        raise RuntimeError(lesson.proof)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    return Costs(records, len(lesson.evidence.seen), learned, proven, parsed, most)


def main(lengths: Sequence[int]) -> None:
    """Print a line for each length."""
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for found in pool.imap(costs, lengths):
            sys.stdout.write(f"{found}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main([int(length) for length in sys.argv[1:]] or LENGTHS)
