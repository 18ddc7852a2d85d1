"""A client of the library, as someone else's project: a gate that says whether a change may be merged.

It is here for its types. It is checked by mypy --strict and by pyright against the installed wheel, from a
folder of its own, and it runs in the tests.
"""

from __future__ import annotations

import io
import pickle
import sys
from typing import TYPE_CHECKING, NamedTuple

import fsm_egress as fe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ESSENTIAL: Sequence[fe.Connection] = (
    fe.http("54.9.9.9", 80, "GET", "http://httpbin.org/get", {"accept": "application/json"}),
    fe.tls("54.9.9.9", 443, "httpbin.org"),
    fe.tcp("10.0.0.7", 3306),
    fe.server_first(fe.Address("10.0.0.7"), 3306),
    fe.udp("10.0.0.10", 53),
)


class Verdict(NamedTuple):
    """What the gate says of one connection."""

    connection: fe.Connection
    allowed: bool
    rule: str | None
    targets: list[str]


def judged(engine: fe.Engine, connections: Sequence[fe.Connection]) -> Iterator[Verdict]:
    """What is decided for each connection, and by which rule of which line."""
    for connection, decision in zip(connections, engine.classify_many(connections), strict=True):
        rule: fe.FieldRef | None = decision.rule
        yield Verdict(
            connection,
            decision.allowed,
            str(rule) if rule else None,
            [target.address(connection) for target in decision.targets],
        )


def columns(engine: fe.Engine, hosts: list[str]) -> list[fe.Reason]:
    """Why TLS to each of these hosts is decided as it is."""
    many = fe.Columns(["54.9.9.9"] * len(hosts), [443] * len(hosts), ["tls"] * len(hosts), hosts=hosts)
    return [decision.reason for decision in engine.classify_many(many)]


def review(mesh: fe.Snapshot, identity: fe.ServiceIdentity) -> list[str]:
    """What is wrong with a mesh in the eyes of one identity."""
    found: tuple[fe.Finding, ...] = (*fe.enforceability(mesh, identity), *fe.stock_findings(mesh, identity))
    verification: fe.Verification = fe.verify(mesh, identity, enforce=True)
    config: fe.PipyConfig = fe.pipy_config(mesh, identity)
    outcome: fe.Outcome = fe.Sidecar.read(config).handle(ESSENTIAL[0])
    files: dict[str, bytes] = fe.pipy_codebase(mesh, identity, enforce=True)
    return [
        *(f"{finding.code} {finding.severity.value}: {finding.message}" for finding in found),
        *(f"{it.connection}: {it.outcome}" for it in verification.disagreements),
        f"{outcome.fate.value}, {config.version}, {sorted(files)}",
    ]


def main(*paths: str) -> int:
    """Print the gate's words; 1 where something essential is denied or the documents are wrong."""
    try:
        mesh: fe.Snapshot = fe.load(*paths)
    except fe.LoadError as error:
        problems: Sequence[fe.Problem] = error.problems
        print(*problems, sep="\n", file=sys.stderr)
        return 1
    identity = fe.ServiceIdentity.parse("curl.curl")
    engine: fe.Engine = pickle.loads(pickle.dumps(fe.compile(mesh, identity)))  # noqa: S301  # pickled a moment ago
    for verdict in judged(engine, ESSENTIAL):
        print(*verdict)
    print(*columns(engine, ["httpbin.org", "other.example"]))
    print(*review(mesh, identity), sep="\n")
    told: fe.Explanation = fe.explain(mesh, identity, ESSENTIAL[1])
    print(told, *(miss.rule for miss in told.near_misses), sep="\n")
    after = fe.Workload.of(mesh, identity).after(mesh.patched({"spec": {"traffic": {"enableEgress": True}}}))
    log = b'{"identity": "curl.curl", "destination": "54.9.9.9:443", "server_name": "httpbin.org"}\n'
    summary: fe.Summary = fe.replay(mesh, [fe.Log(io.BytesIO(log), "access.jsonl")])
    print(after.config.version, summary.ordered_changes())
    return 0 if all(verdict.allowed for verdict in judged(engine, ESSENTIAL)) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
