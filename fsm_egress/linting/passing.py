"""What passes by the sidecar by the lists of mesh and pod, each with a connection that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..connections.decision import Reason
from ..connections.findings import Code
from ..policy import PortPolicy
from ..values.net import IPV6_START

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..connections.connection import Connection
    from ..connections.findings import Finding
    from ..policy import Interception
    from ..values.references import FieldRef
    from .view import Place, View

__all__ = ["passing_findings"]

UNGOVERNED = "no policy can deny it"


def passing_findings(view: View) -> Iterator[Finding]:
    """The findings about what the lists keep from the sidecar of an identity, though it would be denied."""
    yield from _claimed(view)
    if not view.policy.spec.enable_egress:
        yield from _unclaimed(view)


def _claimed(view: View) -> Iterator[Finding]:
    """What policies claim, and would deny.

    IPv6 that is not included is no news: FSM redirects none of it.
    """
    included = view.policy.interception.included
    outside = included[0][1] if included else None
    found: set[FieldRef] = set()
    for port, places in view.ports:
        for place, rule in _passing(port, places):
            group, is_ipv6 = place.group, place.connection.key >= IPV6_START
            if group is None or group.stream is not None or rule in found or (rule == outside and is_ipv6):
                continue
            found.add(rule)
            message = f"it lets pass by the sidecar what {group.claims[0].rule} would deny"
            yield view.finding(Code.EXCLUSION_BYPASSES_POLICY, rule, message, place.connection)


def _unclaimed(view: View) -> Iterator[Finding]:
    """What no policy claims, and a closed mesh would deny."""
    interception = view.policy.interception
    claimed = {port.port: port for port in view.policy.ports}
    listed = sorted({number for number, _ in interception.excluded_ports if number})
    found: dict[tuple[str, FieldRef], Connection] = {}
    for number in (
        [*listed, view.free_port] if listed or interception.excluded or interception.included else []
    ):
        port = claimed.get(number, PortPolicy(number, (), (), ()))
        for place, _ in _passing(port, view.places(port)):
            if place.group is None and place.connection.key < IPV6_START:
                for entry in _entries(interception, place.connection):
                    found.setdefault(entry, place.connection)
    for (what, rule), witness in found.items():
        yield view.finding(
            Code.PASSES_BY_SIDECAR, rule, f"{what} passes by the sidecar: {UNGOVERNED}", witness
        )


def _entries(interception: Interception, connection: Connection) -> list[tuple[str, FieldRef]]:
    """The entries of the lists that keep a connection from the sidecar: what passes by each, and where."""
    excluded = [
        *((f"what goes to `{it}`", at) for it, at in interception.excluded if connection.destination in it),
        *((f"what goes to port {it}", at) for it, at in interception.excluded_ports if it == connection.port),
    ]
    return excluded or [("what no included range holds", at) for _, at in interception.included[:1]]


def _passing(
    port: PortPolicy, places: Iterator[Place] | tuple[Place, ...]
) -> Iterator[tuple[Place, FieldRef]]:
    """The places of a port that a list keeps from the sidecar, but those of services; the entry by which."""
    owned = {owner.prefix.first for match in port.mesh for owner in match.owners}
    for place in places:
        rule = place.decision.rule
        is_passing = place.decision.reason is Reason.NOT_INTERCEPTED
        if is_passing and rule is not None and place.connection.key not in owned:
            yield place, rule
