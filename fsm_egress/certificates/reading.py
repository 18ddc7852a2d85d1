"""A third reading of the specification: what becomes of a connection, from the `OutboundPolicy` alone.

It is written from `docs/decision.md`, stage by stage, and knows neither the engine nor the division into
classes. Egress policies are read one by one, as their claims stand, and not by the groups that the others
are made from.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from ..connections.connection import socket_address
from ..connections.decision import Reason, Verdict
from ..connections.payloads import Sends
from ..policy import OutboundPolicy
from ..resources.words import FORWARDED_METHODS, Protocol
from ..values.construction import frozen
from .connection import METHOD, PATH, SERVER_NAME, Vocabulary, sends
from .terms import FALSE, TRUE, all_of, any_of, is_text, no
from .trees import fork, in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..policy import Interception, PortPolicy
    from ..policy.parts import Claim, Endpoint, HTTPRoute, MeshMatch, Place, VirtualHost, WeightedCluster
    from ..values.references import FieldRef
    from .trees import Tree

__all__ = ["ORIGINAL", "Fate", "Gateways", "decided", "gateways_of", "passing"]

WHOLE = Fraction(1)
ORIGINAL = (("", 0, WHOLE, WHOLE, WHOLE),)
FORBIDDEN, NOT_FOUND = 403, 404
ANY_WEIGHT = 100
STREAMS = frozenset({Protocol.TCP, Protocol.TCP_SERVER_FIRST})


Gateways: TypeAlias = "tuple[tuple[str, str, tuple[str, ...], Fraction], ...]"
Targets: TypeAlias = "tuple[tuple[str, int, Fraction, Fraction, Fraction], ...]"


@frozen
class Fate:
    """What becomes of a connection.

    Attributes:
        verdict, reason, status: as in a `Decision`.
        targets: hosts and ports, with their shares, which add up to one, and the least and the most of
            them by the age of pods; no host is the original destination.
        gateways: what it is tunnelled through, with shares.
        leads_outside: whether an in-mesh connection may leave the cluster.
        certified: whether the policy has the sidecar show a certificate, wherever it goes.
    """

    verdict: Verdict
    reason: Reason
    status: int | None = None
    targets: Targets = ()
    gateways: Gateways = ()
    leads_outside: bool = False
    certified: bool = False

    @property
    def outcome(self) -> tuple[object, ...]:
        """What differs for the connection itself."""
        return self.verdict, self.status, self.targets, self.gateways

    def is_alike(self, other: Fate) -> bool:
        """Whether the other is decided by the same reason, and comes to the same."""
        return (self.reason, self.outcome) == (other.reason, other.outcome)

    def __str__(self) -> str:
        if self.verdict is Verdict.DENIED:
            return f"DENIED {self.status or 'and closed'}"
        shown = [f"{host}:{port}" if host else "the original destination" for host, port, *_ in self.targets]
        through = f" through {', '.join(name for name, *_ in self.gateways)}" if self.gateways else ""
        return f"{self.verdict} to {', '.join(shown)}{through}"


def decided(policy: OutboundPolicy, words: Vocabulary) -> Tree[Fate]:
    """What becomes of every connection."""
    return _Reader(policy, words).decided()


def passing(lists: Interception, words: Vocabulary) -> str:
    """Stage 0: that it never comes to the sidecar."""
    outside = no(words.to(prefix for prefix, _ in lists.included)) if lists.included else FALSE
    named = words.definitions.name(
        "passes by the sidecar",
        any_of(
            words.to(lists.local),
            words.to(prefix for prefix, _ in lists.excluded),
            *(words.port(number) for number, _ in lists.excluded_ports),
            outside,
        ),
    )
    return any_of(sends(Sends.DATAGRAM), named)


def gateways_of(policy: OutboundPolicy) -> Gateways:
    """The egress gateways that carry anything: name, mode, endpoints and share."""
    listed = [it for it in (policy.forward.gateways if policy.forward else ()) if it.endpoints]
    total = sum(it.weight for it in listed) or 1
    return tuple(
        sorted(
            (
                it.name,
                it.mode,
                tuple(sorted({socket_address(endpoint.host, endpoint.port) for endpoint in it.endpoints})),
                Fraction(it.weight, total),
            )
            for it in listed
        )
    )


@frozen(eq=False)
class _Reader:
    """Reads one policy, in the words of a script."""

    policy: OutboundPolicy
    words: Vocabulary

    def decided(self) -> Tree[Fate]:
        """All stages: each decides, or hands on."""
        unseen = Fate(Verdict.PASSTHROUGH, Reason.NOT_INTERCEPTED, targets=ORIGINAL)
        if self.policy.interception.without is not None:
            alone = Fate(Verdict.PASSTHROUGH, Reason.NO_SIDECAR, targets=ORIGINAL)
            return fork([(sends(Sends.DATAGRAM), unseen)], alone)
        unclaimed = self.unclaimed()
        ports = [
            (self.words.port(it.port), self.on_port(it, unclaimed))
            for it in self.policy.ports
            if self.words.speaks_of(it.port)
        ]
        return fork([(passing(self.policy.interception, self.words), unseen)], fork(ports, unclaimed))

    def unclaimed(self) -> Fate:
        """Stage 3: what no rule claims."""
        if not self.policy.spec.enable_egress:
            return Fate(Verdict.DENIED, Reason.EGRESS_DISABLED)
        return Fate(
            Verdict.PASSTHROUGH, Reason.EGRESS_ENABLED, targets=ORIGINAL, gateways=gateways_of(self.policy)
        )

    def on_port(self, port: PortPolicy, unclaimed: Fate) -> Tree[Fate]:
        """Stages 1 to 3 on one port."""
        claims = claims_of(port)
        egress = (
            fork([(self.claimed(claims), self.egress(port.port, claims))], unclaimed) if claims else unclaimed
        )
        owned = [
            (self.words.to(owner.prefix for owner in match.owners), self.in_mesh(match))
            for match in port.mesh
        ]
        return fork(owned, egress)

    def named(self, what: str, rule: FieldRef, body: str) -> str:
        return self.words.definitions.name(f"{what} {rule}", body)

    # --- stage 1 -----------------------------------------------------------------------------------------

    def in_mesh(self, match: MeshMatch) -> Tree[Fate]:
        """What becomes of a connection to a service."""
        if match.protocol not in {Protocol.HTTP, Protocol.GRPC}:
            return self.sent_to(match.clusters, Reason.TCP_SERVICE, None)
        closed = Fate(Verdict.DENIED, Reason.PROTOCOL_MISMATCH)
        return fork([(sends(Sends.HTTP), self.requested(match.virtual_hosts))], closed)

    def requested(self, hosts: Sequence[VirtualHost]) -> Tree[Fate]:
        """Which service a request is for, by its Host."""
        by_name = {name: host for host in hosts for name in host.hostnames}
        unknown: Tree[Fate] = Fate(Verdict.DENIED, Reason.NO_HOST, FORBIDDEN)
        routed = {id(host): self.routed(host) for host in hosts}
        names: dict[int, list[str]] = {}
        for name, host in by_name.items():
            names.setdefault(id(host), []).append(name)
        if by_name and self.policy.spec.enable_auto_default_route:
            unknown = routed[id(by_name[min(by_name)])]
        return fork(
            [
                (any_of(*map(self.words.authority, sorted(listed))), routed[host])
                for host, listed in names.items()
            ],
            unknown,
        )

    def routed(self, host: VirtualHost) -> Tree[Fate]:
        """What the first of the routes that match decides."""
        routes = [
            (self.matches(route), self.sent_to(route.clusters, Reason.HTTP_ROUTE, NOT_FOUND))
            for route in host.routes
        ]
        return in_order(routes, Fate(Verdict.DENIED, Reason.NO_ROUTE, FORBIDDEN), self.words.definitions)

    def sent_to(self, clusters: Iterable[WeightedCluster], reason: Reason, refusal: int | None) -> Fate:
        """To the endpoints of clusters, each with its share; denied where there is none."""
        known = {cluster.name: cluster for cluster in self.policy.clusters}
        ways: list[tuple[int, list[Ages], tuple[Endpoint, ...]]] = []
        outside = False
        for weighted in clusters:
            ends = known[weighted.name].endpoints if weighted.name in known else ()
            outside = outside or (any(end.outside for end in ends) and weighted.weight > 0)
            weights = [_ages(end, is_stream=refusal is None) for end in ends]
            if any(grown for grown, _, _ in weights):
                ways.append((weighted.weight, weights, ends))
        whole = sum(weight for weight, _, _ in ways)
        parts: dict[tuple[str, int], list[Fraction]] = {}
        for weight, weights, ends in ways if whole else ():
            for index, end in enumerate(ends):
                others = [*weights[:index], *weights[index + 1 :]]
                rest = [
                    sum(it[age] for it in others) for age in (0, 2, 1)
                ]  # young beside grown, and grown beside young
                part = parts.setdefault((end.host, end.port), [Fraction(0)] * 3)
                for age, mine in enumerate(weights[index]):
                    own = Fraction(mine, mine + rest[age]) if rest[age] else WHOLE
                    part[age] += Fraction(weight, whole) * own
        targets = tuple(
            (*place, grown, least, most) for place, (grown, least, most) in sorted(parts.items()) if grown
        )
        if not targets:
            return Fate(Verdict.DENIED, Reason.NO_ENDPOINTS, refusal)
        return Fate(Verdict.IN_MESH, reason, targets=targets, leads_outside=outside)

    # --- stage 2 -----------------------------------------------------------------------------------------

    def claims(self, claim: Claim) -> str:
        """That a port of a policy claims the destination."""
        where = self.words.to(claim.prefixes) if claim.prefixes else TRUE
        return self.named("claimed by", claim.rule, all_of(f"(= port #x{claim.port:04x})", where))

    def claimed(self, claims: Iterable[Claim]) -> str:
        """That one of these claims the destination; said once, as much is said of it."""
        listed = list(claims)
        term = any_of(*map(self.claims, listed))
        if len(listed) == 1:
            return term
        return self.words.definitions.name(f"claimed by one of {len(listed)} ports", term)

    def egress(self, port: int, claims: Sequence[Claim]) -> Tree[Fate]:
        """What claimed connections come to: whatever one of the claims allows, else they are denied."""
        whole = [claim for claim in claims if not claim.broken]
        streams = [claim for claim in whole if claim.protocol in STREAMS]
        spoken = {
            Sends.TLS: self.greeted(port, claims, whole),
            Sends.HTTP: self.asked(port, claims, whole),
        }
        rest = self.refused(claims, (), Fate(Verdict.DENIED, Reason.PROTOCOL_MISMATCH))
        by_kind = fork([(sends(kind), tree) for kind, tree in spoken.items()], rest)
        return self.streamed(streams, by_kind)

    def streamed(self, streams: Sequence[Claim], otherwise: Tree[Fate]) -> Tree[Fate]:
        """What goes out as it comes: the first claim says whether a certificate is shown."""
        plain, shown = (self.allowed(Reason.TCP_PORT, certified=is_shown) for is_shown in (False, True))
        if len({it.source_cert is None for it in streams}) > 1:
            ways = [(self.claims(it), shown if it.source_cert else plain) for it in streams]
            return in_order(ways, otherwise, self.words.definitions)
        fate = shown if streams and streams[0].source_cert else plain
        return fork([(self.claimed(streams), fate)], otherwise)

    def allowed(self, reason: Reason, host: str = "", port: int = 0, *, certified: bool = False) -> Fate:
        targets = ((host, port, WHOLE, WHOLE, WHOLE),)
        gateways = gateways_of(self.policy)
        return Fate(Verdict.EGRESS_POLICY, reason, None, targets, gateways, certified=certified)

    def refused(self, claims: Sequence[Claim], missed: Iterable[str], otherwise: Tree[Fate]) -> Tree[Fate]:
        """Denied: for want of a certificate where with it the connection were allowed, else otherwise."""
        opened = self.claimed(it for it in claims if it.broken and it.protocol in STREAMS)
        lacking = Fate(Verdict.DENIED, Reason.NO_CERTIFICATE)
        return fork([(any_of(opened, *missed), lacking)], otherwise)

    def greeted(self, port: int, claims: Sequence[Claim], whole: Sequence[Claim]) -> Tree[Fate]:
        """TLS: any, or by server name."""
        https = [it for it in claims if it.protocol is Protocol.HTTPS]
        anything = [it for it in whole if it.protocol is Protocol.HTTPS and not it.hosts]
        lacking = [it for it in https if it.broken]
        missed = [
            all_of(
                self.claims(it),
                any_of(*(is_text(SERVER_NAME, host) for host in it.hosts)) if it.hosts else TRUE,
            )
            for it in lacking
        ]
        mismatch = Fate(Verdict.DENIED, Reason.PROTOCOL_MISMATCH)
        nameless = fork([(self.claimed(https), Fate(Verdict.DENIED, Reason.NO_SERVER_NAME))], mismatch)
        denied = self.refused(claims, missed, nameless)
        by_name = _by_host(it for it in whole if it.protocol is Protocol.HTTPS)
        named = [
            (
                all_of(is_text(SERVER_NAME, host), self.claimed(listing)),
                self.allowed(Reason.TLS_SERVER_NAME, host, port),
            )
            for host, listing in by_name.items()
        ]
        return fork([(self.claimed(anything), self.allowed(Reason.TLS_ANY))], fork(named, denied))

    def asked(self, port: int, claims: Sequence[Claim], whole: Sequence[Claim]) -> Tree[Fate]:
        """HTTP: by Host, then by route."""
        http = [it for it in claims if it.protocol is Protocol.HTTP]
        if not http:
            return self.refused(claims, (), Fate(Verdict.DENIED, Reason.PROTOCOL_MISMATCH))
        served = _by_host(it for it in whole if it.protocol is Protocol.HTTP)
        certified = {
            host for host, listing in served.items() if listing[0].source_cert
        }  # the first one counts
        lacking = _by_host(it for it in http if it.broken)
        known = {host: self.known(host, port, served) for host in served}
        half = {host: self.known(host, port, lacking) for host in lacking}
        missed = [
            all_of(half[host], self.claims(it), self.routed_by(it))
            for host, listing in lacking.items()
            for it in listing
        ]

        def denied(reason: Reason) -> Tree[Fate]:
            status = Fate(Verdict.DENIED, reason, FORBIDDEN)
            forbidden = fork(
                [(any_of(opened, *missed), Fate(Verdict.DENIED, Reason.NO_CERTIFICATE, FORBIDDEN))], status
            )
            return fork([(self.claimed(http), forbidden)], closed)

        opened = self.claimed(it for it in claims if it.broken and it.protocol in STREAMS)
        closed = self.refused(claims, (), Fate(Verdict.DENIED, Reason.PROTOCOL_MISMATCH))
        no_route, no_host = denied(Reason.NO_ROUTE), denied(Reason.NO_HOST)
        routed = {
            host: fork(
                [
                    (
                        any_of(*(all_of(self.claims(it), self.routed_by(it)) for it in listing)),
                        self.allowed(Reason.HTTP_ROUTE, host, port, certified=host in certified),
                    )
                ],
                no_route,
            )
            for host, listing in served.items()
        }
        unknown = fork([(any_of(*half.values()), no_route)], no_host)
        if self.policy.spec.enable_auto_default_route:
            defaults = [(self.claimed(served[host]), routed[host]) for host in sorted(served)]
            unknown = in_order(defaults, unknown, self.words.definitions)
        return fork([(known[host], routed[host]) for host in served], unknown)

    def routed_by(self, claim: Claim) -> str:
        """That one of the routes of a claim takes a request."""
        return self.named("a route of", claim.rule, any_of(*map(self.matches, claim.routes)))

    def known(self, host: str, port: int, listed: Mapping[str, Sequence[Claim]]) -> str:
        """That a request is for a host of a claim: the Host is it, or it with the port."""
        ported = f"{host}:{port}"
        with_port = self.words.authority(ported)
        if ported in listed:  # the whole of another one that is listed
            with_port = all_of(with_port, no(self.claimed(listed[ported])))
        name = self.words.definitions.name(
            f"for {host}, port {port}", any_of(self.words.authority(host), with_port)
        )
        return all_of(name, self.claimed(listed[host]))

    def matches(self, route: HTTPRoute) -> str:
        """That a request is what a route asks for."""
        words = self.words
        methods = any_of(*(is_text(METHOD, method) for method in route.methods or FORWARDED_METHODS))
        if not route.methods:
            methods = words.definitions.name("a method that is forwarded", methods)
        body = all_of(
            methods,
            words.found(route.path, PATH),
            *(words.found(pattern, words.header(name)) for name, pattern in route.headers),
        )
        return self.named("matches", route.route or route.rule, body)


Ages: TypeAlias = "tuple[int, int, int]"


def _ages(end: Endpoint, *, is_stream: bool) -> Ages:
    """The weight of an endpoint that is grown up, and the least and the most at any age.

    For a stream, one without weight is as good as another.
    """
    least, most = (end.growth.least, end.growth.most) if end.growth else (end.weight, end.weight)
    if not is_stream:
        return end.weight, least, most
    if end.growth and not least:
        return end.weight or ANY_WEIGHT, 1, max(most, ANY_WEIGHT)
    return end.weight or ANY_WEIGHT, least or ANY_WEIGHT, most or ANY_WEIGHT


def claims_of(port: PortPolicy) -> tuple[Claim, ...]:
    """All claims of a port, each once, in the order in which the first counts."""
    found: dict[Place, Claim] = {}
    for group in port.groups:
        found.update(group.placed)
    return tuple(claim for _, claim in sorted(found.items()))


def _by_host(claims: Iterable[Claim]) -> dict[str, list[Claim]]:
    found: dict[str, list[Claim]] = {}
    for claim in claims:
        for host in claim.hosts:
            found.setdefault(host, []).append(claim)
    return found
