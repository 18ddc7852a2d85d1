"""Answers as data frames of pandas: a row for each portion, change, finding, test or decision."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING, Any

from ..answers.comparison import MeshDiff
from ..answers.partition import Partition
from ..answers.reach import Reachability
from ..answers.residual import Residual
from ..connections.connection import Connection
from ..connections.decision import Decision
from ..connections.findings import Finding
from ..learning.lessons import Lesson
from ..policy import OutboundPolicy
from ..policytests.running import TestReport
from ..replaying.tally import Summary, ordered
from ..values.errors import InvalidValue, MissingExtra
from ..verification.agreement import Verification

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from ..answers.partition import Portion
    from ..values.references import FieldRef

__all__ = ["frame", "rows"]

Row = dict[str, Any]


def frame(answer: Any) -> pd.DataFrame:
    """An answer as a data frame of pandas; `rows` gives the same for any other library.

    Args:
        answer: an OutboundPolicy, Partition, Residual, Reachability, MeshDiff, Verification, Summary,
            Lesson or TestReport; or findings; or pairs of a connection and its decision.

    Raises:
        InvalidValue: it is something else.
        MissingExtra: pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415  # because it is an extra
    except ImportError:
        raise MissingExtra("a data frame", "frames") from None
    return pd.DataFrame(rows(answer))


@singledispatch
def rows(answer: Any) -> list[Row]:
    """The rows of `frame`, as flat mappings.

    Raises:
        InvalidValue: it is none of what `frame` takes.
    """
    if not isinstance(answer, (list, tuple)):
        raise InvalidValue.of("an answer, findings, or connections with their decisions", answer)
    return [_row(item) for item in answer]


def _row(item: Any) -> Row:
    if isinstance(item, Finding):
        return {
            "code": item.code.code,
            "severity": item.severity.value,
            **_ruled(item.rule),
            "message": item.message,
            "fix": item.fix or None,
            "identity": str(item.identity) if item.identity else None,
            "witness": str(item.witness) if item.witness else None,
        }
    if isinstance(item, tuple):
        connection, decision = item
        if isinstance(connection, Connection) and isinstance(decision, Decision):
            return {**_asked(connection), **_decided(decision)}
    raise InvalidValue.of("a finding, or a connection with its decision", item)


def _asked(connection: Connection) -> Row:
    mapping = connection.to_shown()
    request: Mapping[str, Any] = mapping.get("request") or {}
    return {
        "destination": mapping["destination"],
        "port": mapping["port"],
        "sends": mapping["sends"],
        "host": request.get("host") or mapping.get("sni"),
        "method": request.get("method"),
        "path": request.get("path"),
    }


def _decided(decision: Decision, suffix: str = "") -> Row:
    row = {
        "verdict": decision.verdict.value,
        "reason": decision.reason.value,
        **_ruled(decision.rule),
        "status": decision.status,
    }
    return {f"{key}{suffix}": value for key, value in row.items()}


def _ruled(rule: FieldRef | None) -> Row:
    return {
        "rule": f"{rule.resource} {rule.path}".rstrip() if rule else None,
        "source": rule.location if rule else None,
    }


def _portions(portions: Iterable[Portion]) -> list[Row]:
    return [
        {
            "ports": port,
            "ranges": addresses,
            "sends": sends,
            "addresses": portion.region.addresses,
            **_decided(portion.decision),
            "witness": str(portion.witness),
        }
        for portion in portions
        for port, addresses, sends in (portion.region.words,)
    ]


@rows.register
def _(answer: Lesson) -> list[Row]:
    return [
        {
            "accounts": ", ".join(it.grant.accounts),
            "ports": ", ".join(f"{number} {protocol}" for number, protocol in it.grant.ports),
            "hosts": ", ".join(it.grant.hosts) or None,
            "ranges": ", ".join(map(str, it.grant.ranges)) or None,
            "routes": ", ".join(f"{'/'.join(methods)} {path}" for path, methods in it.grant.routes) or None,
            "beyond": it.to_mapping()["beyond"],
        }
        for it in answer.openings
    ]


@rows.register
def _(answer: OutboundPolicy) -> list[Row]:
    return [
        {
            "port": claim.port,
            "protocol": claim.protocol.value,
            "ranges": ", ".join(map(str, claim.prefixes)) or None,
            "hosts": ", ".join(claim.hosts) or None,
            "routes": len(claim.routes),
            **_ruled(claim.rule),
        }
        for claim in answer.claims
    ]


@rows.register
def _(answer: Partition) -> list[Row]:
    return _portions(answer.portions)


@rows.register
def _(answer: Residual) -> list[Row]:
    return _portions(answer.portions)


@rows.register
def _(answer: Reachability) -> list[Row]:
    return [{"identity": str(way.identity), **_portions([way.portion])[0]} for way in answer.ways]


@rows.register
def _(answer: MeshDiff) -> list[Row]:
    return [
        {
            "effect": it.effect.value,
            "identities": ", ".join(map(str, it.identities)),
            "connections": str(it.region),
            "addresses": it.region.addresses,
            "witness": str(it.region.witness),
            **_decided(it.before, "_before"),
            **_decided(it.after, "_after"),
        }
        for it in (*answer.changes, *answer.attributions)
    ]


@rows.register
def _(answer: Verification) -> list[Row]:
    return [
        {
            "connection": str(it.connection),
            **_decided(it.decision),
            "due": str(it.due),
            "sidecar": it.happens,
        }
        for it in answer.disagreements
    ]


@rows.register
def _(answer: Summary) -> list[Row]:
    return [
        {"identity": ruling.identity, **ruling.to_mapping(), "count": count}
        for ruling, count in ordered(answer.counts)
    ]


@rows.register
def _(answer: TestReport) -> list[Row]:
    return [
        {
            "test": it.test.name,
            "source": it.test.location,
            "identity": str(it.test.identity),
            "connection": str(it.test.connection),
            "passed": it.passed,
            "failures": "; ".join(it.failures) or None,
        }
        for it in answer.results
    ]
