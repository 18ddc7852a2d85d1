"""`python -m benchmarks.repetition`: what it costs to replay logs that repeat themselves, and others.

Ten million records of 20,000 different connections of 50 accounts, or as many as `--records` says, as Parquet
and as JSON lines; and a tenth of them, all different. Each is replayed in a process of its own, in turns with
another build of the library, whose folder `--beside` names (`git worktree add`): processor time, ratios by
round, and the most memory. `--dask` replays the Parquet by Dask instead, with one worker and with two, in
partitions of 100,000 rows with categories, learns from it, too, and says how many bytes travel back;
`--spark` does so with a local Spark, where pyspark and Java are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from attrs import frozen

from .logs import MESH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Cost", "main", "records", "written"]

DIFFERENT = 20_000
ACCOUNTS = 50
START = 1_790_000_000
CHUNK = 100_000  # records that are made at a time
HERE = Path(__file__).parent.parent

REPLAY = """
import json, resource, sys, time
import fsm_egress as fe
mesh, path, written = fe.load(json.loads(sys.argv[1])), sys.argv[2], sys.argv[3]
begin = time.process_time()
with open(path, "rb") as stream:
    summary = fe.replay(mesh, [fe.Log(stream, "log", written)])
taken = time.process_time() - begin
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([summary.connections, taken, memory, 0]))
"""
DASK = """
import json, pickle, resource, sys, time
import dask, pyarrow.parquet
import fsm_egress as fe
from fsm_egress import replay_dask
mesh, path, workers = fe.load(json.loads(sys.argv[1])), sys.argv[2], int(sys.argv[3])
is_learning, size = bool(sys.argv[4:]), 100_000

class Frames:
    def __init__(self, parts):
        self.parts = parts
    def to_delayed(self):
        return self.parts

def part(path, number, size):
    rows = pyarrow.parquet.read_table(path).slice(number * size, size)
    return rows.to_pandas(strings_to_categorical=True)

def counted(parts):
    if is_learning:
        return fe.learn(mesh, replay_dask.Partitions(Frames(parts)), ranges=400).evidence
    return replay_dask.replay(Frames(parts), mesh)

if __name__ == "__main__":
    rows = pyarrow.parquet.ParquetFile(path).metadata.num_rows
    parts = [dask.delayed(part)(path, number, size) for number in range(-(-rows // size))]
    with dask.config.set(scheduler="synchronous"):
        travels = len(pickle.dumps(counted(parts[:1]))) * len(parts)
    with dask.config.set(scheduler="processes", num_workers=workers):
        begin = time.perf_counter()
        found = counted(parts)
        taken = time.perf_counter() - begin
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([found.counted if is_learning else found.connections, taken, memory, travels]))
"""
SPARK = """
import json, os, pickle, resource, sys, time
os.environ["PYSPARK_PYTHON"] = sys.executable
from pyspark.sql import SparkSession
import fsm_egress as fe
from fsm_egress import replay_spark
from fsm_egress.replaying import on_spark
mesh, path, workers = fe.load(json.loads(sys.argv[1])), sys.argv[2], sys.argv[3]
is_learning, travels = bool(sys.argv[4:]), 0

class Counting:
    dumps = pickle.dumps
    @staticmethod
    def loads(content):
        global travels
        travels += len(content)
        return pickle.loads(content)

def counted(frame):
    if is_learning:
        return fe.learn(mesh, replay_spark.Partitions(frame), ranges=400).evidence
    return replay_spark.replay(frame, mesh)

builder = SparkSession.builder.master(f"local[{workers}]").config("spark.ui.enabled", "false")
session = builder.config("spark.sql.files.maxPartitionBytes", 1 << 20).getOrCreate()
frame = session.read.parquet(path)
counted(frame.limit(1_000))  # whatever is done once in a session
on_spark.pickle, travels = Counting, 0
begin = time.perf_counter()
found = counted(frame)
taken = time.perf_counter() - begin
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
session.stop()
print(json.dumps([found.counted if is_learning else found.connections, taken, memory, travels]))
"""


@frozen
class Cost:
    """What a run took: seconds of processor time (elsewhere of the clock), megabytes, bytes that travel."""

    records: int
    seconds: float
    memory: float
    bytes: int

    def __str__(self) -> str:
        travels = f", {self.bytes:,} bytes travel" if self.bytes else ""
        return f"{self.records / self.seconds / 1_000:,.0f} k records/s, {self.memory:.0f} MB{travels}"


def records(count: int, *, alike: bool) -> Iterator[dict[str, Any]]:
    """Records: six of ten are TLS, two HTTP, two neither; some destinations are asked for more often."""
    random = Random(1)
    for at in range(count):
        number = min(random.randrange(DIFFERENT), random.randrange(DIFFERENT)) if alike else at
        yield {"time": START + at // 100, **_record(number)}


def _record(number: int) -> dict[str, Any]:
    name, kind = f"host-{number}.example", number % 10
    where = f"203.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    whose = {"identity": f"app-{number % ACCOUNTS}.shop", "destination": where}
    if kind < 6:
        return {**whose, "port": 443, "server_name": name}
    if kind < 8:
        return {**whose, "port": 80, "host": name, "method": "GET", "path": "/v1/items"}
    return {**whose, "port": 5432}


def written(folder: Path, name: str, listed: Iterable[dict[str, Any]]) -> dict[str, Path]:
    """The same records as JSON lines and as Parquet."""
    import pyarrow as pa  # noqa: PLC0415  # because Parquet is an extra
    from pyarrow import parquet  # noqa: PLC0415  # ditto

    texts = ("identity", "destination", "server_name", "host", "method", "path")
    schema = pa.schema([("time", pa.int64()), ("port", pa.int64()), *((text, pa.string()) for text in texts)])
    paths = {kind: folder / f"{name}.{kind}" for kind in ("json", "parquet")}
    with (
        paths["json"].open("w", encoding="utf-8") as lines,
        parquet.ParquetWriter(paths["parquet"], schema) as rows,
    ):
        some: list[dict[str, Any]] = []
        for record in listed:
            lines.write(f"{json.dumps(record)}\n")
            some.append(record)
            if len(some) == CHUNK:
                rows.write_table(pa.Table.from_pylist(some, schema))
                some = []
        if some:
            rows.write_table(pa.Table.from_pylist(some, schema))
    return paths


def _cost(build: Path, script: str, *arguments: str) -> Cost:
    environment = {**os.environ, "PYTHONPATH": str(build)}
    command = [sys.executable, "-c", script, json.dumps(MESH), *arguments]
    ended = subprocess.run(command, env=environment, check=True, capture_output=True, cwd=build)
    return Cost(*json.loads(ended.stdout))


def _measured(build: Path, beside: Path | None, rounds: int, script: str, *arguments: str) -> str:
    """This build, and the other one in turns with it."""
    own: list[Cost] = []
    others: list[Cost] = []
    for _ in range(rounds):
        own.append(_cost(build, script, *arguments))
        if beside is not None:
            others.append(_cost(beside, script, *arguments))
    said = str(min(own, key=lambda cost: cost.seconds))
    if not others:
        return said
    ratio = median(other.seconds / mine.seconds for mine, other in zip(own, others, strict=True))
    return f"{said}; {ratio:.1f} x the other build: {min(others, key=lambda cost: cost.seconds)}"


def main(arguments: list[str] | None = None) -> None:
    """Print a line for each log."""
    parser = ArgumentParser(prog="python -m benchmarks.repetition")
    parser.add_argument("--records", type=int, default=10_000_000, metavar="N")
    parser.add_argument("--rounds", type=int, default=15, metavar="N")
    parser.add_argument("--beside", type=Path, metavar="FOLDER", help="another build, measured in turns")
    parser.add_argument("--dask", action="store_true", help="with Dask, one worker and two")
    parser.add_argument("--spark", action="store_true", help="with Spark, likewise")
    asked = parser.parse_args(arguments)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        alike = written(folder, "alike", records(asked.records, alike=True))
        if asked.dask or asked.spark:
            name, script = ("Dask,", DASK) if asked.dask else ("Spark,", SPARK)
            for how in ((), ("learn",)):
                for workers in ("1", "2"):
                    arguments_ = (str(alike["parquet"]), workers, *how)
                    found = _measured(HERE, asked.beside, asked.rounds, script, *arguments_)
                    _say(" ".join((name, workers, "at work,", *(how or ("replay",)))), found)
            return
        different = written(folder, "different", records(asked.records // 10, alike=False))
        for what, paths in (("20,000 different", alike), ("all different", different)):
            for kind, path in paths.items():
                found = _measured(HERE, asked.beside, asked.rounds, REPLAY, str(path), kind)
                _say(f"{kind}, {what}", found)


def _say(what: str, found: str) -> None:
    sys.stdout.write(f"{what}: {found}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
