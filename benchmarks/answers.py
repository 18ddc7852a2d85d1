"""`python -m benchmarks.answers`: how long answers take about a mesh of 1,000 policies and 50 identities."""

from __future__ import annotations

import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

from attrs import evolve

import fsm_egress as fe

from . import workload

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["answers", "main"]

POLICIES = 1_000
ACCOUNTS = 50


def mesh(policies: int = POLICIES, accounts: int = ACCOUNTS) -> fe.Snapshot:
    """The mesh of the workload with so many identities."""
    spaces = workload.NAMESPACES
    identities = tuple((f"account-{index}", spaces[index % len(spaces)]) for index in range(accounts))
    return fe.load(workload.documents(policies, identities=identities))


def answers(given: fe.Snapshot) -> dict[str, Callable[[], Any]]:
    """What is asked about a mesh, by name."""
    who = given.identities()[0]
    policy = given.policies_for(who)[0]
    ports = tuple(evolve(port, number=9_999) for port in policy.spec.ports)
    changed = given.with_(evolve(policy, spec=evolve(policy.spec, ports=ports)))
    return {
        "partition of one identity": lambda: fe.partition(given, who),
        "diff of one changed policy, all identities": lambda: fe.diff(given, changed),
        "reachable, 54.0.0.0/8 port 443, all identities": lambda: fe.reachable(given, "54.0.0.0/8", 443),
        "never, outside but one host, all identities": lambda: fe.never(
            given, fe.Where.outside() & ~fe.Where.origin("httpbin.org", 443)
        ),
        "lint without the sidecar, all identities": lambda: fe.lint(given, sidecar=False),
        "lint with the sidecar, one identity": lambda: fe.lint(given, identities=[who]),
        "lint with the sidecar, all identities": lambda: fe.lint(given),
        "the same with two workers": lambda: fe.lint(given, workers=2),
    }


def main(given: fe.Snapshot) -> None:
    """Print a line for each answer about a mesh."""
    for name, ask in answers(given).items():
        start = perf_counter()
        ask()
        sys.stdout.write(f"{perf_counter() - start:8.2f} s  {name}\n")


if __name__ == "__main__":
    main(mesh())
