"""A third reading of the specification: what becomes of a connection, from the `OutboundPolicy` alone.

It is written from `docs/decision.md`, stage by stage, and knows neither the engine nor the division into
classes. Egress policies are read one by one, as their claims stand, and not by the groups that the others
are made from.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from attrs import Factory, field

from ..connections.connection import Sends, socket_address
from ..connections.decision import Reason, Verdict
from ..policy import OutboundPolicy
from ..resources.checks import FORWARDED_METHODS, Protocol
from ..values.construction import frozen
from .connection import METHOD, PATH, SERVER_NAME, Vocabulary, sends
from .terms import FALSE, TRUE, all_of, any_of, choice, is_text, no

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..policy import Claim, Endpoint, HTTPRoute, MeshMatch, PortPolicy, VirtualHost, WeightedCluster
    from ..values.references import FieldRef

__all__ = ["Fate", "Fork", "Tree", "decided", "fates_of", "where_so"]

WHOLE = Fraction(1)
ORIGINAL = (("", 0, WHOLE, WHOLE, WHOLE),)
FORBIDDEN, NOT_FOUND = 403, 404
ANY_WEIGHT = 100
STREAMS = frozenset({Protocol.TCP, Protocol.TCP_SERVER_FIRST})


@frozen
class Fate:
    """What becomes of a connection.

    Attributes:
        verdict, reason, status: as in a `Decision`.
        targets: hosts and ports, with their shares, which add up to one, and the least and the most of
            them by the age of pods; no host is the original destination.
        gateways: what it is tunnelled through, with shares.
        leads_outside: whether an in-mesh connection may leave the cluster.
    """

    verdict: Verdict
    reason: Reason
    status: int | None = None
    targets: tuple[tuple[str, int, Fraction, Fraction, Fraction], ...] = ()
    gateways: tuple[tuple[str, str, tuple[str, ...], Fraction], ...] = ()
    leads_outside: bool = False

    @property
    def outcome(self) -> tuple[object, ...]:
        """What differs for the connection itself."""
        return self.verdict, self.status, self.targets, self.gateways

    def __str__(self) -> str:
        if self.verdict is Verdict.DENIED:
            return f"DENIED {self.status or 'and closed'}"
        shown = [f"{host}:{port}" if host else "the original destination" for host, port, *_ in self.targets]
        through = f" through {', '.join(name for name, *_ in self.gateways)}" if self.gateways else ""
        return f"{self.verdict} to {', '.join(shown)}{through}"


@frozen(eq=False)
class Fork:
    """Where conditions decide: of several that exclude one another the one that holds, else the rest.

    Attributes:
        fates: all that it leads to.
    """

    ways: tuple[tuple[str, Tree], ...]
    otherwise: Tree
    fates: frozenset[Fate] = field(
        init=False,
        default=Factory(
            lambda self: frozenset().union(*map(fates_of, (*(way for _, way in self.ways), self.otherwise))),
            takes_self=True,
        ),
    )


Tree: TypeAlias = "Fate | Fork"


def fates_of(tree: Tree) -> frozenset[Fate]:
    """All that it leads to."""
    return tree.fates if isinstance(tree, Fork) else frozenset([tree])


def fork(ways: Iterable[tuple[str, Tree]], otherwise: Tree) -> Tree:
    """What the one of these ways decides whose condition holds, else the rest."""
    open_ways = tuple((condition, way) for condition, way in ways if condition != FALSE)
    return Fork(open_ways, otherwise) if open_ways else otherwise


def where_so(tree: Tree, chosen: frozenset[Fate]) -> str:
    """That the connection's fate is among these."""
    found = fates_of(tree)
    if found <= chosen:
        return TRUE
    if found.isdisjoint(chosen) or not isinstance(tree, Fork):
        return FALSE
    told = [(condition, where_so(way, chosen)) for condition, way in tree.ways]
    rest = where_so(tree.otherwise, chosen)
    if len(told) == 1:
        return choice(*told[0], rest)
    if rest == TRUE:
        return no(any_of(*(all_of(condition, no(so)) for condition, so in told)))
    here = any_of(*(all_of(condition, so) for condition, so in told))
    return any_of(here, all_of(no(any_of(*(condition for condition, _ in told))), rest))


def decided(policy: OutboundPolicy, words: Vocabulary) -> Tree:
    """What becomes of every connection."""
    return _Reader(policy, words).decided()


@frozen(eq=False)
class _Reader:
    """Reads one policy, in the words of a script."""

    policy: OutboundPolicy
    words: Vocabulary

    def decided(self) -> Tree:
        """All stages: each decides, or hands on."""
        unseen = Fate(Verdict.PASSTHROUGH, Reason.NOT_INTERCEPTED, targets=ORIGINAL)
        if self.policy.interception.without is not None:
            alone = Fate(Verdict.PASSTHROUGH, Reason.NO_SIDECAR, targets=ORIGINAL)
            return fork([(sends(Sends.DATAGRAM), unseen)], alone)
        unclaimed = self.unclaimed()
        ports = [(self.words.port(it.port), self.on_port(it, unclaimed)) for it in self.policy.ports]
        return fork([(self.passing(), unseen)], fork(ports, unclaimed))

    def passing(self) -> str:
        """Stage 0: that it never comes to the sidecar."""
        lists, words = self.policy.interception, self.words
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

    def unclaimed(self) -> Fate:
        """Stage 3: what no rule claims."""
        if not self.policy.spec.enable_egress:
            return Fate(Verdict.DENIED, Reason.EGRESS_DISABLED)
        return Fate(Verdict.PASSTHROUGH, Reason.EGRESS_ENABLED, targets=ORIGINAL, gateways=self.gateways())

    def gateways(self) -> tuple[tuple[str, str, tuple[str, ...], Fraction], ...]:
        listed = [it for it in (self.policy.forward.gateways if self.policy.forward else ()) if it.endpoints]
        total = sum(it.weight for it in listed) or 1
        return tuple(
            sorted(
                (
                    it.name,
                    it.mode,
                    tuple(
                        sorted({socket_address(endpoint.host, endpoint.port) for endpoint in it.endpoints})
                    ),
                    Fraction(it.weight, total),
                )
                for it in listed
            )
        )

    def on_port(self, port: PortPolicy, unclaimed: Fate) -> Tree:
        """Stages 1 to 3 on one port."""
        claims = tuple(dict.fromkeys(claim for group in port.groups for claim in group.claims))
        egress = (
            fork([(any_of(*map(self.claims, claims)), self.egress(port.port, claims))], unclaimed)
            if claims
            else unclaimed
        )
        owned = [
            (self.words.to(owner.prefix for owner in match.owners), self.in_mesh(match))
            for match in port.mesh
        ]
        return fork(owned, egress)

    def named(self, what: str, rule: FieldRef, body: str) -> str:
        return self.words.definitions.name(f"{what} {rule}", body)

    # --- stage 1 -----------------------------------------------------------------------------------------

    def in_mesh(self, match: MeshMatch) -> Tree:
        """What becomes of a connection to a service."""
        if match.protocol not in {Protocol.HTTP, Protocol.GRPC}:
            return self.sent_to(match.clusters, Reason.TCP_SERVICE, None)
        closed = Fate(Verdict.DENIED, Reason.PROTOCOL_MISMATCH)
        return fork([(sends(Sends.HTTP), self.requested(match.virtual_hosts))], closed)

    def requested(self, hosts: Sequence[VirtualHost]) -> Tree:
        """Which service a request is for, by its Host."""
        by_name = {name: host for host in hosts for name in host.hostnames}
        unknown: Tree = Fate(Verdict.DENIED, Reason.NO_HOST, FORBIDDEN)
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

    def routed(self, host: VirtualHost) -> Tree:
        """What the first of the routes that match decides."""
        routes = [
            (self.matches(route), self.sent_to(route.clusters, Reason.HTTP_ROUTE, NOT_FOUND))
            for route in host.routes
        ]
        return self.in_order(routes, Fate(Verdict.DENIED, Reason.NO_ROUTE, FORBIDDEN))

    def in_order(self, ways: Iterable[tuple[str, Tree]], otherwise: Tree) -> Tree:
        """What the first of these ways decides whose condition holds, else the rest."""
        apart: list[tuple[str, Tree]] = []
        none = TRUE
        for condition, way in ways:
            apart.append((all_of(condition, none), way))
            none = self.words.definitions.name("none of the former", all_of(none, no(condition)))
        return fork(apart, otherwise)

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
        return any_of(*map(self.claims, claims))

    def egress(self, port: int, claims: Sequence[Claim]) -> Tree:
        """What claimed connections come to: whatever one of the claims allows, else they are denied."""
        whole = [claim for claim in claims if not claim.broken]
        streams = [claim for claim in whole if claim.protocol in STREAMS]
        spoken = {
            Sends.TLS: self.greeted(port, claims, whole),
            Sends.HTTP: self.asked(port, claims, whole),
        }
        rest = self.refused(claims, (), Fate(Verdict.DENIED, Reason.PROTOCOL_MISMATCH))
        by_kind = fork([(sends(kind), tree) for kind, tree in spoken.items()], rest)
        return fork([(self.claimed(streams), self.allowed(Reason.TCP_PORT))], by_kind)

    def allowed(self, reason: Reason, host: str = "", port: int = 0) -> Fate:
        targets = ((host, port, WHOLE, WHOLE, WHOLE),)
        return Fate(Verdict.EGRESS_POLICY, reason, targets=targets, gateways=self.gateways())

    def refused(self, claims: Sequence[Claim], missed: Iterable[str], otherwise: Tree) -> Tree:
        """Denied: for want of a certificate where with it the connection were allowed, else otherwise."""
        opened = self.claimed(it for it in claims if it.broken and it.protocol in STREAMS)
        lacking = Fate(Verdict.DENIED, Reason.NO_CERTIFICATE)
        return fork([(any_of(opened, *missed), lacking)], otherwise)

    def greeted(self, port: int, claims: Sequence[Claim], whole: Sequence[Claim]) -> Tree:
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

    def asked(self, port: int, claims: Sequence[Claim], whole: Sequence[Claim]) -> Tree:
        """HTTP: by Host, then by route."""
        http = [it for it in claims if it.protocol is Protocol.HTTP]
        if not http:
            return self.refused(claims, (), Fate(Verdict.DENIED, Reason.PROTOCOL_MISMATCH))
        served = _by_host(it for it in whole if it.protocol is Protocol.HTTP)
        lacking = _by_host(it for it in http if it.broken)
        known = {host: self.known(host, port, served) for host in served}
        half = {host: self.known(host, port, lacking) for host in lacking}
        missed = [
            all_of(half[host], self.claims(it), self.routed_by(it))
            for host, listing in lacking.items()
            for it in listing
        ]

        def denied(reason: Reason) -> Tree:
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
                        self.allowed(Reason.HTTP_ROUTE, host, port),
                    )
                ],
                no_route,
            )
            for host, listing in served.items()
        }
        unknown = fork([(any_of(*half.values()), no_route)], no_host)
        if self.policy.spec.enable_auto_default_route:
            defaults = [(self.claimed(served[host]), routed[host]) for host in sorted(served)]
            unknown = self.in_order(defaults, unknown)
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


def _by_host(claims: Iterable[Claim]) -> dict[str, list[Claim]]:
    found: dict[str, list[Claim]] = {}
    for claim in claims:
        for host in claim.hosts:
            found.setdefault(host, []).append(claim)
    return found
