"""A snapshot and an identity -> the one policy that governs the identity's outbound connections.

The only place where order, union, claims, owners of addresses, hostnames, splits, retries, certificates and
gateways are settled. What is left out or cannot be honoured becomes a finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from operator import is_
from typing import Any

from ..connections.findings import Code, Finding
from ..interception.kinds import bound
from ..policy import OutboundPolicy
from ..resources.egress import EgressPolicy
from ..resources.kinds import KINDS
from ..resources.subjects import Subject, read_subject
from ..snapshot import Snapshot
from ..snapshot.kind import SERVICE_ACCOUNT, Kind
from ..values.construction import frozen
from ..values.typed import takes
from .absence import certain
from .claims import Claims, changed_claims, resolve_claims
from .inmesh import resolve_in_mesh
from .plugins import with_plugins
from .ports import ResolvedPort, resolved_port
from .surroundings import SURROUNDING_KINDS, surroundings_of

__all__ = ["Resolution", "resolve"]


@takes(snapshot=Snapshot)
def resolve(snapshot: Snapshot, identity: Subject | str) -> OutboundPolicy:
    """Everything that governs the outbound connections of `identity` (`name.namespace`).

    Raises:
        InvalidValue: the text is no identity.
    """
    who = read_subject(identity)
    return Resolution.of(snapshot, who).policy


@frozen(eq=False)
class Resolution:
    """A resolved policy with what it was made of, so that a change of few policies costs little.

    Attributes:
        basis: all that it depends on besides the Egress policies, as tables of the snapshot.
        claims: of the policies that name the identity.
        ports: the policy of each port.
        sources: what was found out about the sources of all policies.
        policy: the whole.
    """

    basis: tuple[Kind[Any], ...]
    claims: Claims
    ports: Mapping[int, ResolvedPort]
    sources: tuple[Finding, ...]
    policy: OutboundPolicy

    @classmethod
    def of(cls, snapshot: Snapshot, identity: Subject) -> Resolution:
        """The policy of an identity, from the beginning."""
        identity = bound(snapshot, identity)
        return _resolved(snapshot, identity, resolve_claims(snapshot, identity), None)

    def after(self, snapshot: Snapshot) -> Resolution:
        """The policy in a changed snapshot; itself where nothing has changed for the identity.

        Ports that no changed Egress policy opens keep their objects. Where other kinds have changed, all is
        made anew.
        """
        who = self.policy.identity
        if not all(map(is_, self.basis, _basis(snapshot))):
            return Resolution.of(snapshot, who)
        claims = changed_claims(snapshot, who, self.claims)
        is_same = self.policy.lost == snapshot.lost_for(who) and self.sources == _source_findings(snapshot)
        if claims is self.claims and is_same:
            return self
        return _resolved(snapshot, who, claims, self)


def _basis(snapshot: Snapshot) -> tuple[Kind[Any], ...]:
    return tuple([snapshot.kind(kind) for kind in KINDS if kind is not EgressPolicy])


def _resolved(snapshot: Snapshot, identity: Subject, claims: Claims, before: Resolution | None) -> Resolution:
    """The policy of these claims, with the ports of before wherever the claims are the same."""
    mesh = resolve_in_mesh(snapshot, identity)
    around = snapshot.once(surroundings_of, SURROUNDING_KINDS, identity)
    ports: dict[int, ResolvedPort] = {}
    for port in sorted({*mesh.matches, *claims.by_port}):
        claimed = claims.by_port.get(port, ())
        made = before.ports.get(port) if before is not None else None
        if made is None or before is None or before.claims.by_port.get(port, ()) is not claimed:
            matches = with_plugins(mesh.on(port), around.plugins)
            made = resolved_port(snapshot, identity, port, matches, claimed, made)
        ports[port] = made
    sources = _source_findings(snapshot)
    listed = [*sources, *claims.findings, *mesh.findings, *around.findings]
    findings = certain(listed, snapshot.lost) if snapshot.lost else listed
    policy = OutboundPolicy(
        identity,
        around.spec,
        around.switch,
        around.interception,
        mesh.clusters,
        tuple([resolved.policy for resolved in ports.values()]),
        around.forward,
        around.forwarded,
        tuple(chain(dict.fromkeys(findings), *[resolved.findings for resolved in ports.values()])),
        snapshot.lost_for(identity),
    )
    return Resolution(_basis(snapshot), claims, ports, sources, policy)


def _source_findings(snapshot: Snapshot) -> tuple[Finding, ...]:
    """Sources of another kind than accounts, of any policy: they name nobody."""
    sources = snapshot.kind(EgressPolicy).sources.items()
    odd = {
        policy.ref: policy for (kind, _, _), named in sources if kind != SERVICE_ACCOUNT for policy in named
    }
    return tuple(
        [
            Finding(
                Code.SOURCE_KIND,
                odd[ref].at(f"spec.sources[{index}].kind"),
                f"kind `{source.kind}` names nobody: only `{SERVICE_ACCOUNT}` does",
            )
            for ref in sorted(odd)
            for index, source in enumerate(odd[ref].spec.sources)
            if source.kind != SERVICE_ACCOUNT
        ]
    )
