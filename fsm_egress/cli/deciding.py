"""The command about single connections: decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import click

from ..connections.decision import ungoverned
from ..connections.obstacles import obstacles_to
from ..engine import Engine
from ..interception.kinds import alike
from ..resolution import resolve
from ..resources.subjects import pods_told
from .connections import AnyAddress, addresses, connection_or_any_options, numbered, spoken
from .endings import end
from .help import examples
from .mesh import Documents, mesh_options, remarks
from .options import as_option, note_unnamed, output_option
from .output import NOT_CERTAIN, Row, print_objects, print_table, say, verdict_of
from .problems import print_problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..connections.connection import Connection
    from ..connections.decision import Decision
    from ..policy import OutboundPolicy
    from ..resources.subjects import Subject
    from ..snapshot import Snapshot

__all__ = ["decide", "print_decisions"]

DENIED = "denied"
DECISION = ("connection", "verdict", "reason", "target", "rule")

Decided: TypeAlias = "tuple[Connection, Decision]"


@click.command(
    epilog=examples(
        "fsm-egress decide -f policies/ --as curl.curl --to 54.9.9.9:80 --http GET http://httpbin.org/get",
        "fsm-egress decide -f policies/ --as curl.curl --to 54.9.9.9:443 --tls httpbin.org",
        "fsm-egress decide -f policies/ --as curl.curl --to any:443 --tls httpbin.org",
        "fsm-egress decide -f policies/ --as curl.curl --to '[2001:db8::5]:3306' --server-first",
        "fsm-egress decide -f policies/ --as curl.curl --connections connections.jsonl -o json",
    )
)
@mesh_options
@as_option(required=True)
@connection_or_any_options
@click.option("--fail-on", type=click.Choice([DENIED]), help="End with 1 if a connection is denied.")
@output_option()
def decide(
    documents: Documents,
    identity: Subject,
    connections: tuple[Connection, ...] | AnyAddress,
    fail_on: str | None,
    output: str,
) -> None:
    """Say what becomes of connections, and by which rule.

    HTTP is decided request by request: each --http is a request of the same connection. With `any` in the
    place of the address, every address that the policies tell apart is answered for, as `residual` does.

    A connection in JSON has the keys `destination`, `port` and `sends` (`bytes`, `nothing`, `datagram`,
    `http` or `tls`), for HTTP `request` with `method`, `host`, `path` and `headers`, for TLS `sni`. A verdict
    with a `?` depends on what --lenient left out; then the exit code is 3.
    """
    mesh = documents.changed(documents.load())
    notes = note_unnamed([identity], mesh)
    if isinstance(connections, AnyAddress):
        _decide_anywhere(mesh, identity, connections, fail_on, output)
    else:
        _decide_each(mesh, identity, connections, {"unnamed": notes} if notes else {}, fail_on, output)


def _decide_each(
    mesh: Snapshot,
    identity: Subject,
    connections: tuple[Connection, ...],
    told: Mapping[str, list[str]],
    fail_on: str | None,
    output: str,
) -> None:
    """What becomes of connections, one by one."""
    policies = [resolve(mesh, subject) for subject in alike([identity], mesh)]
    decided = {policy: _decided(policy, connections) for policy in policies}
    doubts = {policy: it for policy in policies if (it := policy.interception.unproven)}
    named = len(policies) > 1
    if any(ungoverned(connection) == "IPv6" for connection in connections):
        say(["note: FSM redirects no IPv6: it passes by the sidecar, whatever is decided about it"], err=True)
    if output != "table":
        print_objects(
            (
                {
                    **pods_told(policy.identity),
                    **number,
                    **decision.to_mapping(connection),
                    **_in_the_way(connection, decision),
                    **told,
                    **({"unproven": doubts[policy]} if policy in doubts else {}),
                }
                for policy in policies
                for number, (connection, decision) in zip(numbered(connections), decided[policy], strict=True)
            ),
            output,
        )
    else:
        for policy in policies:
            if named:
                say([f"{policy.identity}:"])
            print_decisions(decided[policy], spoken(connections))
            say(f"{NOT_CERTAIN} {it}" for it in [doubts.get(policy)] if it)
        print_problems(remarks(mesh), err=True)
        obstacles = (it for found in decided.values() for entry in found for it in obstacles_to(*entry))
        say(dict.fromkeys(f"note: cannot work: {obstacle}" for obstacle in obstacles), err=True)
        say(dict.fromkeys(finding for policy in policies for finding in policy.findings), err=True)
    every = [decision for found in decided.values() for _, decision in found]
    end(
        found=fail_on == DENIED and not all(decision.allowed for decision in every if not decision.without),
        unknown=any(decision.without for decision in every),
    )


def _in_the_way(connection: Connection, decision: Decision) -> dict[str, list[dict[str, str]]]:
    """Why a connection cannot work though it is allowed, as `explain` says it."""
    obstacles = obstacles_to(connection, decision)
    return {"cannot_work": [obstacle.to_mapping() for obstacle in obstacles]} if obstacles else {}


def _decide_anywhere(
    mesh: Snapshot, identity: Subject, connections: AnyAddress, fail_on: str | None, output: str
) -> None:
    """What becomes of connections to any address."""
    from ..answers.residual import Partial, residual  # noqa: PLC0415  # because few ask so
    from .answering import print_residuals  # noqa: PLC0415  # because ditto

    partials = [Partial(**known) for known in connections.payloads]
    answers = [residual(mesh, who, partial) for who in alike([identity], mesh) for partial in partials]
    print_residuals(answers, output)
    print_problems(remarks(mesh), err=True)
    decisions = [portion.decision for found in answers for portion in found.portions]
    end(
        found=fail_on == DENIED and not all(it.allowed for it in decisions if not it.without),
        unknown=any(found.undecided for found in answers),
    )


def _decided(policy: OutboundPolicy, connections: Iterable[Connection]) -> list[Decided]:
    engine = Engine.compile(policy, incomplete=True)
    return [(connection, engine.classify(connection)) for connection in connections]


def print_decisions(decided: Sequence[Decided], names: Iterable[str] | None = None) -> None:
    """The table of decisions, by what the connections are called or are, and why some are not certain."""
    called = names or [str(connection) for connection, _ in decided]
    rows = [_decision_row(name, *entry) for name, entry in zip(called, decided, strict=True)]
    print_table(DECISION, rows)
    say(dict.fromkeys(f"{NOT_CERTAIN} {loss}" for _, decision in decided for loss in decision.without))


def _decision_row(name: str, connection: Connection, decision: Decision) -> Row:
    return (
        name,
        verdict_of(decision),
        decision.reason.value,
        _outcome(connection, decision),
        str(decision.rule or "-"),
    )


def _outcome(connection: Connection, decision: Decision) -> str:
    """Where the connection goes, or how its client learns that it does not."""
    if not decision.targets:
        return f"HTTP {decision.status}" if decision.status else "closed"
    targets = addresses(connection, decision.targets)
    gateways = ", ".join(gateway.name for gateway in decision.gateways)
    return f"{targets} via {gateways}" if gateways else targets
