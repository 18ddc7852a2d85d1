"""What the module costs a real sidecar: with it and without it, by turns, in one run.

`python tests/dataplane/load.py` prints the figures of the documentation; it needs what `observe.py` needs.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from observe import aside, connections_held, inside, sidecar  # noqa: E402  # because the tests are no package
from small import WHO, config, egress, load  # noqa: E402  # ditto

import fsm_egress as fe  # noqa: E402  # ditto

HOST, PORT = "a.com", 443
TASK = {"place": ["54.9.9.9", PORT], "name": HOST}
MESH = load(
    config(sidecar={"sidecarTimeout": 60, "compressConfig": False}),
    egress("a", f"https {PORT}", hosts=[HOST]),
)
KINDS = {
    "stock scripts": fe.pipy_codebase(MESH, WHO),
    "with the module": fe.pipy_codebase(MESH, WHO, enforce=True),
    "with the module, observing": fe.pipy_codebase(MESH, WHO, enforce=True, observe=True),
}
LEAVING = {**TASK, "do": "leave", "count": 300, "data": "\x16\x03\x01\x02", "seconds": 0.3}
MANY = {**TASK, "do": "come and go", "count": 10_000}


def memory(process: int) -> float:
    """Megabytes that a process holds."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def processor(process: int) -> float:
    """Seconds that a process has had of a processor, which other work on the machine does not change."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(codebase: dict[str, bytes]) -> dict[str, float]:
    """What a sidecar with this codebase comes to."""
    found: dict[str, float] = {}
    with (
        sidecar(codebase, {HOST: "54.1.1.2"}) as pipy,
        aside("peers.py", {"do": "serve", "port": PORT}),
    ):
        before = processor(pipy.pid)
        calls: dict[str, Any] = inside("peers.py", {**TASK, "do": "call"})
        found["new connection, quickest tenth, ms"] = calls["quick"]
        found["new connection, median, ms"] = calls["median"]
        found["new connection, processor, ms"] = (processor(pipy.pid) - before) * 1000 / calls["count"]
        before = processor(pipy.pid)
        found["throughput, MB/s"] = inside("peers.py", {**TASK, "do": "download"})["MB/s"]
        found["throughput, processor, s"] = processor(pipy.pid) - before
        inside("peers.py", LEAVING)
        time.sleep(2)
        found["connections held 2 s after 300 left"] = connections_held()
        found["memory before, MB"] = memory(pipy.pid)
        for count in ("10,000", "20,000"):
            inside("peers.py", MANY)
            time.sleep(4)
            found[f"memory after {count} clients, MB"] = memory(pipy.pid)
        found["connections held after them"] = connections_held()
    return found


def main(rounds: int = 3) -> None:
    """Measure by turns, and print the best of each, as other work on the machine only adds."""
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    for _ in range(rounds):
        for kind, codebase in KINDS.items():
            found[kind].append(measured(codebase))
    for figure in found["with the module"][0]:
        best = max if figure.endswith("MB/s") else min
        values = [best(turn[figure] for turn in turns) for turns in found.values()]
        print(figure, *(f"{value:.4g}" for value in values), sep=" | ")  # noqa: T201  # a script of the tests


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
