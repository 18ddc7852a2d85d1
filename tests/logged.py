"""What a real sidecar logged, beside what was sent, what became of it, and what is decided about it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import fsm_egress as fe
from fsm_egress.pipy.outcome import Fate
from fsm_egress.resources.words import KNOWN_METHODS

if TYPE_CHECKING:
    from fsm_egress.pipy.outcome import Outcome

Wire = dict[str, Any]
REFUSALS = (403, 404)


@cache
def _sides(mesh: fe.Snapshot, identity: str) -> fe.Sides:
    return fe.Sides.of(mesh, identity)


def says_what_is_due(today: fe.Snapshot, after: fe.Snapshot, identity: str, probe: Wire) -> bool:
    """Whether a record says what was sent, what became of it, and what the other mesh decides about it."""
    connection = fe.Connection.from_mapping(probe["connection"])
    record = probe["record"]
    return bool(
        record["identity"] == identity
        and (record["destination"], record["port"]) == (str(connection.destination), connection.port)
        and (_sent(record) == _sendable(connection) or _too_early(probe))
        and (
            record["shadow_verdict"] == fe.compile(after, identity).classify(connection).verdict.value
            or _too_early(probe)
        )
        and _says_what_became(_sides(today, identity), connection, probe)
    )


def _too_early(probe: Wire) -> bool:
    """Whether a target was dialled in vain before the client had said anything."""
    return bool(probe["observed"]["outcome"] == "closed" and probe["record"]["sends"] == "nothing")


def _sent(record: Wire) -> Wire:
    known = ("sends", "server_name", "host", "method", "path")
    found = {key: record[key] for key in known if key in record}
    return found | ({"server_name": found["server_name"].lower()} if "server_name" in found else {})


def _sendable(connection: fe.Connection) -> Wire:
    """A connection as the sidecar sees it, which takes requests of other methods for bytes."""
    sends = connection.sends
    if isinstance(sends, fe.TLSClientHello):
        return {"sends": "tls", **({"server_name": sends.server_name.lower()} if sends.server_name else {})}
    if not isinstance(sends, fe.HTTPRequest):
        return {"sends": sends.value}
    if sends.method not in {*KNOWN_METHODS, "TRACE", "CONNECT"}:
        return {"sends": "bytes"}
    return {"sends": "http", "host": sends.host, "method": sends.method, "path": sends.path}


def _says_what_became(sides: fe.Sides, connection: fe.Connection, probe: Wire) -> bool:
    """What was let through has a verdict that says so; what was refused is denied."""
    seen, verdict = probe["observed"], probe["record"]["verdict"]
    decision = sides.engine.classify(connection)
    if seen["outcome"] == "answered" and seen["status"] in REFUSALS:
        return bool(verdict == "DENIED")
    if seen["outcome"] != "dialled":  # or dialled in vain
        return bool(verdict == "DENIED" or sides.outcome(connection).fate is not Fate.CLOSED)
    if verdict == "PASSTHROUGH" and _passes(sides.outcome(connection), connection, seen):
        return True  # as where a backend has no endpoints
    is_leak = decision.verdict is fe.Verdict.DENIED and verdict != "DENIED"
    return bool(is_leak or verdict == decision.verdict.value)


def _passes(outcome: Outcome, connection: fe.Connection, seen: Wire) -> bool:
    """Whether a connection went to where it was dialled, and that is how it may fare."""
    own = f"{connection.destination}:{connection.port}"
    parts = [part for part in (outcome, *outcome.others) if part.fate is Fate.DIALLED]
    return seen["address"] == own and any(not target.host for part in parts for target in part.targets)
