"""How long the doors take to open: processor time of new processes, against what they stand on."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from attrs import frozen

from .figures import Figure
from .timing import rounds_within

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["door_times"]

MESH = """\
apiVersion: config.flomesh.io/v1alpha3
kind: MeshConfig
metadata: {name: fsm-mesh-config, namespace: fsm-system}
spec: {featureFlags: {enableEgressPolicy: true}}
---
apiVersion: policy.flomesh.io/v1alpha1
kind: Egress
metadata: {name: httpbin, namespace: curl}
spec:
  sources: [{kind: ServiceAccount, name: curl, namespace: curl}]
  hosts: [httpbin.org]
  ports: [{number: 443, protocol: https}]
"""
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "curl"}}
FIRST = (
    f"import fsm_egress as fe; mesh = fe.load({NAMESPACE!r}); "
    "fe.compile(mesh, 'curl.curl').classify(fe.tls('54.9.9.9', 443, 'httpbin.org'))"
)
TAB = {"_FSM_EGRESS_COMPLETE": "bash_complete", "COMP_WORDS": "fsm-egress ", "COMP_CWORD": "1"}


@frozen
class Door:
    """A way in: what a process runs, and what its time is compared with."""

    base: str
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()


def door_times(rounds: int, seconds: float) -> Iterator[Figure]:
    """Each against what it cannot do without, in the same rounds."""
    with TemporaryDirectory() as folder:
        mesh = Path(folder, "mesh.yaml")
        mesh.write_text(MESH, encoding="utf-8")
        doors = _doors(str(mesh))
        times: dict[str, list[float]] = {name: [] for name in doors}
        for _ in rounds_within(seconds, rounds):
            for name, door in doors.items():
                times[name].append(_processor_time(door))
    for name, door in doors.items():
        own, base = times[name], times[door.base]
        ratio = None if name == door.base else median(own) / median(base)
        yield Figure("doors", name, "", median(own), "ns", ratio)


def _doors(mesh: str) -> dict[str, Door]:
    as_who = ("--as", "curl.curl", "--to", "54.9.9.9:443", "--tls", "httpbin.org")
    program = ("-c", "from fsm_egress.__main__ import main; main()")  # as the script does
    click, attrs, all_three = "import click", "import attrs", "import click, yaml, attrs"
    return {
        click: Door(click, ("-c", click)),
        "--version": Door(click, (*program, "--version")),
        "--help": Door(click, (*program, "--help")),
        "completion": Door(click, program, tuple(TAB.items())),
        all_three: Door(all_three, ("-c", all_three)),
        "check": Door(all_three, (*program, "check", "-f", mesh)),
        "decide": Door(all_three, (*program, "decide", "-f", mesh, *as_who)),
        attrs: Door(attrs, ("-c", attrs)),
        "import fsm_egress": Door(attrs, ("-c", "import fsm_egress")),
        "a first decision": Door(attrs, ("-c", FIRST)),
    }


def _processor_time(door: Door) -> float:
    """The nanoseconds of processor time that a new process takes, of the user and of the system."""
    with open(os.devnull, "wb") as sink:  # noqa: PTH123  # because a device is no path
        streams = [(os.POSIX_SPAWN_DUP2, sink.fileno(), number) for number in (1, 2)]
        command = [sys.executable, *door.arguments]
        environment = {**os.environ, **dict(door.environment)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # installed programs are compiled once
        process = os.posix_spawn(sys.executable, command, environment, file_actions=streams)
        _, status, used = os.wait4(process, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} has ended with {os.waitstatus_to_exitcode(status)}")
    return (used.ru_utime + used.ru_stime) * 1e9
