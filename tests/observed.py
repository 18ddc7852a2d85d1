"""What was observed of a real sidecar, beside what an outcome says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import fsm_egress as fe
from fsm_egress.pipy.outcome import Fate
from fsm_egress.resources.words import KNOWN_METHODS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsm_egress.pipy.outcome import Outcome

Wire = dict[str, Any]


def explains(outcome: Outcome, connection: fe.Connection, seen: Wire, names: Mapping[str, str]) -> bool:
    """Whether what was seen is what one of the parts of an outcome says; names resolve through `names`."""
    return any(_explains(part, connection, seen, names) for part in (outcome, *outcome.others))


def goes_as_due(sides: fe.Sides, pair: Wire, names: Mapping[str, str]) -> bool:
    """Whether an observed connection went where the engine decides, in the way that is due.

    What the module does not cure goes as the model of the sidecar says: a Host in capitals is looked up as it
    stands, a method that the sidecar does not know closes the connection, and what shows a certificate goes
    through no gateway.
    """
    connection = fe.Connection.from_mapping(pair["connection"])
    decision = sides.engine.classify(connection)
    seen, request = pair["observed"], connection.sends
    if seen["outcome"] == "refused":  # nothing is let out, and so nothing listens
        seen = {"outcome": "closed"}
    if seen.get("identity") and decision.verdict is not fe.Verdict.IN_MESH:
        return False
    if isinstance(request, fe.HTTPRequest) and (
        request.host != request.authority or request.method not in KNOWN_METHODS
    ):
        return explains(sides.outcome(connection), connection, pair["observed"], names)
    due = sides.due(decision)
    bypassed = due.mtls and due.gateways
    return explains(sides.outcome(connection) if bypassed else due, connection, seen, names)


def _explains(outcome: Outcome, connection: fe.Connection, seen: Wire, names: Mapping[str, str]) -> bool:
    if outcome.fate is not Fate.DIALLED:
        return (outcome.fate.value, outcome.status) == (seen["outcome"], seen.get("status"))
    targets = [target.address(connection) for target in outcome.targets]
    if outcome.gateways:
        targets = [endpoint for used in outcome.gateways for endpoint in used.endpoints]
    places = {_resolved(target, names) for target in targets}
    if seen["outcome"] == "dialled":
        return seen["address"] in places and seen["mtls"] is outcome.mtls
    # What resolves to nothing, or to an address of IPv6, was dialled in vain: a request learns that.
    in_vain = any(not place.rpartition(":")[0].replace(".", "").isdecimal() for place in places)
    return in_vain and (seen["outcome"], seen.get("status")) in {("answered", 502), ("closed", None)}


def _resolved(target: str, names: Mapping[str, str]) -> str:
    host, _, port = target.rpartition(":")
    return f"{names.get(host, host)}:{port}"
