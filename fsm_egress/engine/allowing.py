"""What the claims of Egress policies on one place allow, and why the rest is denied (stage 2)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from attrs import field

from ..connections.decision import (
    ORIGINAL_DESTINATION,
    Decision,
    Reason,
    Target,
    TrafficMatch,
    UsedGateway,
    Verdict,
)
from ..connections.payloads import KINDS
from ..policy.groups import EgressGroup
from ..resolution.routes import united
from ..resources.words import Protocol
from ..values.construction import frozen
from .tables import FORBIDDEN, HostTable, RouteTable, denial, everything, leaf_of, route_table

if TYPE_CHECKING:
    from ..policy.parts import HTTPRoute
    from ..values.references import FieldRef
    from .tables import Cell, Leaf

__all__ = ["allowed_leaf"]

FEW = 32  # claims of a group, which are laid out though others share them


def allowed_leaf(group: EgressGroup, gateways: tuple[UsedGateway, ...], *, has_default: bool) -> Leaf:
    """What the union of a group's claims allows, and why the rest is denied.

    Args:
        group: the claims.
        gateways: what carries it.
        has_default: whether an unknown host has the routes of the first.
    """
    allowed = Allowed(group, gateways, has_default)
    if allowed.is_small:
        return allowed.leaf
    first, second, third, fourth, fifth = (Later(allowed, slot) for slot in range(len(KINDS)))
    return first, second, third, fourth, fifth


@frozen(eq=False)
class Allowed:
    """What the union of a group's claims allows."""

    group: EgressGroup
    gateways: tuple[UsedGateway, ...]
    has_default: bool

    def __reduce__(self) -> tuple[type[Allowed], tuple[EgressGroup, tuple[UsedGateway, ...], bool]]:
        return Allowed, (self.group, self.gateways, self.has_default)

    @property
    def is_small(self) -> bool:
        """Whether to lay all of it out is little work, however many groups share what lies around them."""
        return self.group.around is None or self.group.size <= FEW

    @cached_property
    def rules(self) -> tuple[FieldRef, ...]:
        """What is considered."""
        return tuple([claim.rule for claim in self.group.claims])

    @cached_property
    def taken(self) -> TrafficMatch:
        """The match by which connections are taken."""
        group = self.group
        protocol = (
            "tcp" if group.stream else "http" if group.has(Protocol.HTTP) else group.lead.protocol.value
        )
        return TrafficMatch(group.port, protocol, group.prefixes)

    @cached_property
    def leaf(self) -> Leaf:
        """What is decided about each kind of payload."""
        group = self.group
        if group.stream:
            return everything(self.by(Reason.TCP_PORT, group.stream.rule, ORIGINAL_DESTINATION))
        tls: Cell = self.server_names if group.has(Protocol.HTTPS) else self.denied
        http: Cell = Requests.of(self) if group.has(Protocol.HTTP) else self.denied
        return leaf_of(self.denied, tls=tls, http=http)

    @cached_property
    def denied(self) -> Decision:
        """What is decided about all that no claim speaks of."""
        lacking = self.group.first("stream")
        if lacking is not None:  # only a certificate that is missing keeps a stream from being opened
            return denial(Reason.NO_CERTIFICATE, lacking.rule, self.taken, self.rules)
        return denial(Reason.PROTOCOL_MISMATCH, self.group.lead.rule, self.taken, self.rules)

    def by(self, reason: Reason, rule: FieldRef, target: Target, route: FieldRef | None = None) -> Decision:
        """Allowed by an Egress policy, through the mesh's gateways where it has any."""
        return Decision(
            Verdict.EGRESS_POLICY,
            reason,
            rule,
            self.taken,
            (target,),
            self.gateways,
            None,
            route,
            self.rules,
        )

    @cached_property
    def server_names(self) -> Cell:
        """TLS: any, or by server name; a claim whose certificate is missing allows none of its names."""
        if self.group.any_tls:
            return self.by(Reason.TLS_ANY, self.group.any_tls.rule, ORIGINAL_DESTINATION)
        denied, is_lacking = self.denied, False
        https, anything = self.group.first("https"), self.group.first("no_tls")
        if denied.reason is not Reason.NO_CERTIFICATE and https is not None:
            reason, claim = (
                (Reason.NO_SERVER_NAME, https) if anything is None else (Reason.NO_CERTIFICATE, anything)
            )
            denied, is_lacking = denial(reason, claim.rule, self.taken, self.rules), anything is None
        return ServerNames(self, denied, is_lacking)


@frozen(eq=False)
class Later:
    """A cell of a leaf that is laid out when it is first asked for, as its claims are many and others'."""

    allowed: Allowed
    slot: int

    def decide(self, sent: Any) -> Decision:
        """What the cell that stands here decides."""
        cell = self.allowed.leaf[self.slot]
        return cell if type(cell) is Decision else cell.decide(sent)


@frozen(eq=False)
class ServerNames:
    """The server names that TLS connections may ask for.

    Attributes:
        denied: what is decided about all that no claim names.
        is_lacking: whether a name may be refused for want of a certificate.
    """

    allowed: Allowed | None
    denied: Decision
    is_lacking: bool
    by_name: dict[str, Decision] = field(factory=dict)

    def __reduce__(self) -> tuple[type[ServerNames], tuple[Any, ...]]:
        allowed, by_name = self.allowed, self.by_name
        if allowed is not None and allowed.is_small:
            https = (claim for claim in allowed.group.claims if claim.protocol is Protocol.HTTPS)
            named = {host for claim in https for host in claim.hosts}
            by_name, allowed = {name: self._decided(allowed, name) for name in named}, None
        return ServerNames, (allowed, self.denied, self.is_lacking, by_name)

    def decide(self, parts: tuple[str, str | None]) -> Decision:
        """The decision for the server name."""
        name = parts[0]
        found = self.by_name.get(name)
        if found is None:
            if self.allowed is None or not self.allowed.group.naming(Protocol.HTTPS, name):
                return self.denied
            found = self.by_name.setdefault(name, self._decided(self.allowed, name))
        return found

    def _decided(self, allowed: Allowed, name: str) -> Decision:
        claims = [claim for _, claim in allowed.group.naming(Protocol.HTTPS, name)]
        whole = next((claim for claim in claims if not claim.broken), None)
        if whole is not None:
            return allowed.by(Reason.TLS_SERVER_NAME, whole.rule, Target(name, allowed.group.port))
        if self.is_lacking:
            return denial(Reason.NO_CERTIFICATE, claims[0].rule, allowed.taken, allowed.rules)
        return self.denied


@frozen(eq=False)
class Requests:
    """The routes of the hosts that `http` claims name; those of broken claims come last, and refuse.

    Attributes:
        default: the host whose routes an unknown one has.
    """

    allowed: Allowed
    default: str | None

    @classmethod
    def of(cls, allowed: Allowed) -> HostTable:
        """The table of these hosts, none of which is laid out yet."""
        default = min(allowed.group.hosts, default=None) if allowed.has_default else None
        found = cls(allowed, default)
        otherwise = None if default is None else found.laid_out("", default)
        http = allowed.group.first("http")
        return HostTable(
            {}, otherwise, found.refused(Reason.NO_HOST, None if http is None else http.rule), found
        )

    @property
    def are_few(self) -> bool:
        """Whether laying out all of them is little work."""
        return self.allowed.is_small

    def tables(self) -> dict[str, RouteTable]:
        """Those of all hosts that are named."""
        group = self.allowed.group
        hosts = sorted(
            {host for claim in group.claims if claim.protocol is Protocol.HTTP for host in claim.hosts}
        )
        found: dict[str, RouteTable] = {}
        for host in hosts:
            found[host] = found[f"{host}:{group.port}"] = self.table(host)
        return found

    def name_of(self, authority: str) -> str | None:
        """The host that is named, with its port or without; None where none is."""
        naming = self.allowed.group.naming
        if naming(Protocol.HTTP, authority):
            return authority
        name = authority.removesuffix(self._behind)
        return name if len(name) < len(authority) and naming(Protocol.HTTP, name) else None

    @cached_property
    def _behind(self) -> str:
        """What stands behind a host that is asked for with its port."""
        return f":{self.allowed.group.port}"

    def table(self, host: str) -> RouteTable:
        """The routes of a host that is named."""
        return self.laid_out(host, host if self.allowed.group.host(host) else self.default)

    def laid_out(self, host: str, served: str | None) -> RouteTable:
        """The routes of a host, which may be served as another one."""
        group = self.allowed.group
        entries: list[tuple[HTTPRoute, Decision]] = []
        routed = None if served is None else group.host(served)
        if routed is not None:
            target = Target(routed.name, group.port)
            entries.extend(
                (route, self.allowed.by(Reason.HTTP_ROUTE, route.rule, target, route.route))
                for route in routed.routes
            )
        if self.is_mismatch:
            lacking = (claim for _, claim in group.naming(Protocol.HTTP, host) if claim.broken)
            entries.extend(
                (route, self.refused(Reason.NO_CERTIFICATE, route.rule, route.route))
                for route in united(route for claim in lacking for route in claim.routes)
            )
        _, first = group.naming(Protocol.HTTP, served or host)[0]
        return route_table(entries, self.refused(Reason.NO_ROUTE, first.rule))

    @property
    def is_mismatch(self) -> bool:
        """Whether no stream is refused besides."""
        return self.allowed.denied.reason is Reason.PROTOCOL_MISMATCH

    def refused(self, reason: Reason, rule: FieldRef | None, route: FieldRef | None = None) -> Decision:
        """That a request is denied, as the stream is where one is refused."""
        denied = self.allowed.denied
        if not self.is_mismatch:
            reason, rule, route = denied.reason, denied.rule, None
        return denial(reason, rule, self.allowed.taken, self.allowed.rules, FORBIDDEN, route)
