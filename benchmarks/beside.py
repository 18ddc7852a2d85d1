"""`python -m benchmarks beside FOLDER`: this build against another one, such as an earlier one in a worktree.

Each row is measured in new processes, which take turns; what is compared are medians of processor time, or
bytes. The workload is this build's for both.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time
from typing import TYPE_CHECKING

from attrs import evolve

import fsm_egress as fe

from . import answers
from .memory import size_of
from .meshes import documents, fresh, mesh
from .workload import IDENTITIES, PORTS, as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["ROWS", "against", "measured"]

ROOT = Path(__file__).parent.parent
FIRST = ".".join(IDENTITIES[0])


def _compiled(size: int) -> Callable[[], object]:
    return partial(fe.compile, fresh(mesh(size)), FIRST)


def _compiled_for_all(size: int) -> Callable[[], object]:
    snapshot = fresh(mesh(size))
    return lambda: [fe.compile(snapshot, fe.ServiceIdentity(*account)) for account in IDENTITIES]


def _changed(size: int) -> Callable[[], object]:
    snapshot, first = fresh(mesh(size)), fe.ServiceIdentity(*IDENTITIES[0])
    policy = snapshot.policies_for(first)[0]
    (port,) = policy.spec.ports
    moved = evolve(port, number=next(number for number in PORTS if number != port.number))
    changed = evolve(policy, spec=evolve(policy.spec, ports=(moved,)))
    workload = fe.Workload.of(snapshot, first)
    _ = workload.engine, workload.config.to_json()

    def followed() -> object:
        return workload.after(snapshot.with_(changed)).config.to_json()

    return followed


def _from_strings(size: int) -> Callable[[], object]:
    engine = fe.compile(mesh(size), FIRST)
    return lambda: [
        engine.classify(fe.http(f"54.9.{index & 255}.9", 80, "GET", "http://a.com/get"))
        for index in range(20_000)
    ]


def _loaded(size: int) -> Callable[[], object]:
    text = as_json(documents(size)).encode()
    return lambda: fe.loads(text, "mesh.json")


def _linted(size: int) -> Callable[[], object]:
    snapshot = answers.mesh(20 * size, size)
    return lambda: fe.lint(snapshot)


def _verified(size: int) -> Callable[[], object]:
    snapshot = answers.mesh(20 * size, size)
    return lambda: [fe.verify(snapshot, who) for who in snapshot.identities()]


ROWS: Mapping[str, tuple[Callable[[int], Callable[[], object]], int, int]] = {
    "compile, a new mesh": (_compiled, 10_000, 4),
    "compile for all 16 identities": (_compiled_for_all, 10_000, 4),
    "one policy changed, for an identity that it names": (_changed, 10_000, 4),
    "the same, among 100,000": (_changed, 100_000, 4),
    "made from strings and decided": (_from_strings, 100, 4),
    "load JSON": (_loaded, 10_000, 4),
    "lint with the sidecar, 20 policies for each identity": (_linted, 50, 3),
    "verify all identities of that mesh": (_verified, 50, 3),
}
"""What is measured, at which size, and at which before that: policies, or identities."""
SNAPSHOT = "memory of a Snapshot"
POLICIES = 100_000


def measured(row: str, size: int) -> float:
    """Seconds of processor time; of a Snapshot the bytes."""
    if row == SNAPSHOT:
        return size_of(fe.load(documents(size)), frozenset())
    prepare, _, small = ROWS[row]
    prepare(small)()  # whatever is done once in a process
    work = prepare(size)
    begun = process_time()
    work()
    return process_time() - begun


def against(folder: Path, rounds: int, only: str = "", size: int | None = None) -> Iterator[str]:
    """A line for each row: the medians of both, and this build's part of the other's.

    Args:
        folder: where the other build is.
        rounds: how often each is measured.
        only: the beginning of the rows that are wanted.
        size: of the meshes, instead of each row's own.
    """
    with TemporaryDirectory() as common:
        Path(common, "benchmarks").symlink_to(ROOT / "benchmarks")  # before those of the other build
        for row, own in {**{name: at for name, (_, at, _) in ROWS.items()}, SNAPSHOT: POLICIES}.items():
            if not row.startswith(only):
                continue
            figures: tuple[list[float], list[float]] = ([], [])
            for _ in range(rounds):
                for found, build in zip(figures, (folder, ROOT), strict=True):
                    found.append(_asked(common, build, row, size or own))
            before, after = map(median, figures)
            yield f"{row:52} {size or own:7,}  {before:14.4g} {after:14.4g}  {after / before:6.2f} x"


def _asked(common: str, build: Path, row: str, size: int) -> float:
    program = f"from benchmarks.beside import measured; print(measured({row!r}, {size}))"
    path = os.pathsep.join([common, str(build.resolve())])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    asked = [sys.executable, "-c", program]
    # From a folder without builds, as Python looks for modules first where it is started.
    ended = subprocess.run(asked, cwd=common, env=environment, check=True, capture_output=True, text=True)
    return float(ended.stdout)
