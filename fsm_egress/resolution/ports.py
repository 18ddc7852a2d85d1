"""One port: what is reached in the mesh there, and what Egress policies claim, as the policy of the port."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from attrs import evolve, field

from ..connections.findings import Code, Finding
from ..policy import PortPolicy
from ..policy.parts import Claim, Cluster
from ..resources.kinds import KINDS
from ..resources.words import STREAMS, Protocol
from ..values.construction import frozen
from ..values.identity import Memory
from .claims import host_clusters
from .grouping import NOTHING, Grouping, grouped
from .retries import retries_of, retry_for, service_called

if TYPE_CHECKING:
    from ..policy.groups import EgressGroup
    from ..policy.parts import MeshMatch
    from ..resources.subjects import Subject
    from ..snapshot import Snapshot

__all__ = ["ResolvedPort", "resolved_port"]


@frozen(eq=False)
class ResolvedPort:
    """The policy of a port, the claims that it was made of, and what was found out about them."""

    claims: tuple[Claim, ...]
    policy: PortPolicy
    findings: tuple[Finding, ...]
    _grouping: Grouping = field(repr=False)
    _met: Memory[tuple[Finding, ...]] = field(repr=False)  # by group


def resolved_port(
    snapshot: Snapshot,
    identity: Subject,
    port: int,
    matches: tuple[MeshMatch, ...],
    claims: tuple[Claim, ...],
    before: ResolvedPort | None = None,
) -> ResolvedPort:
    """The policy of a port: what is reached in the mesh there, and what is claimed.

    It is that of the identity before where both reach and claim the same, unless requests are retried, which
    is said of an identity. A changed snapshot begins anew: equal claims may stand in other lines.

    Args:
        snapshot: the mesh.
        identity: whose policy it is.
        port: its number.
        matches: what is reached in the mesh.
        claims: by namespace, name and port of the policy.
        before: the same port with other claims; groups of the same ones are the same objects.
    """
    if any(True for _ in retries_of(snapshot, identity)):
        return _resolved(snapshot, identity, port, matches, claims, before)
    latest = snapshot.once(_latest, KINDS)
    known = latest.get(port)
    if known is None or known.claims != claims or known.policy.mesh != matches:
        known = latest[port] = _resolved(snapshot, None, port, matches, claims, before)
    return known


def _latest(_: Snapshot) -> dict[int, ResolvedPort]:
    """An empty notebook, in which each port is kept as it was resolved last."""
    return {}


def _resolved(
    snapshot: Snapshot,
    retrying: Subject | None,
    port: int,
    matches: tuple[MeshMatch, ...],
    claims: tuple[Claim, ...],
    before: ResolvedPort | None,
) -> ResolvedPort:
    taken = frozenset([owner.prefix for match in matches for owner in match.owners])
    grouping, met = (before._grouping, before._met) if before else (NOTHING, Memory())  # noqa: SLF001  # because it is one
    grouping = grouped(port, claims, taken, grouping)
    met = met.after(grouping.groups, _meetings)
    hosts, findings = host_clusters(claims)
    clusters: dict[str, Cluster] = {}
    for group in grouping.groups:  # what lies around one is a group, too
        for host in group.own_hosts:
            if host.routes:
                name = f"{host.name}:{port}"
                clusters[name] = hosts[name]
                if retrying is not None:
                    retried = retry_for(snapshot, retrying, service_called(name))
                    clusters[name] = evolve(hosts[name], retry_policy=retried)
    outside = tuple([clusters[name] for name in sorted(clusters)])
    policy = PortPolicy(port, matches, grouping.groups, outside)
    listed = tuple(dict.fromkeys(chain(findings, *met.values())))
    return ResolvedPort(claims, policy, listed, grouping, met)


def _meetings(group: EgressGroup) -> tuple[Finding, ...]:
    """Claims of several protocols on the same addresses: the stock sidecar uses one match only."""
    kinds = [name for name, protocols in _MATCHED_AS if group.has(*protocols)]
    if len(kinds) <= 1:
        return ()
    where = ", ".join(map(str, group.prefixes)) or "any address"
    met = " and ".join(f"`{kind}`" for kind in kinds)
    message = f"{met} claims meet on port {group.port}, {where}: the stock sidecar uses `{kinds[0]}` only"
    return (Finding(Code.PROTOCOLS_MEET, group.lead.rule, message),)


_MATCHED_AS = (("tcp", STREAMS), ("http", (Protocol.HTTP,)), ("https", (Protocol.HTTPS,)))
