"""A model of the stock sidecar: what it does with a connection, over any `config.json` (`sidecar-*.json`).

A literal reading of FSM's scripts (fsm, sidecar codebase: `modules/outbound-main.js`, `outbound-tcp-*.js`,
`outbound-http-*.js`, `connect-upstream.js`, `connect-tls.js`). It knows nothing of resources. What happens
after the target has been dialled is no part of it: retries, failover, circuit breaking, metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve, field

from ..connections.decision import Target, UsedGateway
from ..connections.obstacles import has_long_line
from ..connections.payloads import HTTPRequest, Sends, TLSClientHello
from ..patterns import MANY
from ..patterns.prefilter import Prefilter
from ..values.construction import frozen
from ..values.errors import InvalidValue
from ..values.identity import Memory, each_once
from ..values.layered import parts_of
from .balancing import DEFAULT_WEIGHT, Way, positive, spread, target_of, united, weighted
from .bare import bare_tree
from .chains import foreign_to, without_module
from .config import PipyConfig, read_tree
from .enforcement import HTTP_CHAIN, MODULE, TCP_CHAIN
from .outcome import CLOSED, ECHOED, ORIGINAL, PASSED_BY, REFUSED, WHOLE, Fate, Outcome, answered, unknown
from .rules import FORWARDED_METHODS, ReadRule, filter_of, read_rules, texts_of
from .scripts import ANY_GATEWAY, Cert, Cluster, Endpoint, Enforcement, OutboundConfig, read_outbound
from .taking import Kept, Taken, is_broken, routing, taken_line
from .versions import LATEST, FSMVersion, fsm_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..connections.connection import Connection
    from ..values.segments import Segments
    from .parts import Parts
    from .scripts import Host, Rule

__all__ = ["Sidecar"]

T = TypeVar("T")

KNOWN_METHODS = frozenset({*FORWARDED_METHODS, "TRACE", "CONNECT"})
GRPC = "grpc"
FORBIDDEN, NOT_FOUND, BAD_GATEWAY = 403, 404, 502

_OVER = frozenset([Fate.CLOSED, Fate.REFUSED, Fate.ECHOED])  # and nothing more is read as a request


@frozen(eq=False)
class Sidecar:
    """The stock sidecar with a config, and the scripts of an FSM; immutable.

    Attributes:
        lends: whether it lends connections that it has kept, as it does unless upstreams close each of them.
        source: what the config was read from, if it was.
    """

    config: OutboundConfig
    version: FSMVersion = LATEST
    lends: bool = True
    source: Mapping[str, Any] | bytes | None = field(default=None, repr=False)
    _known: dict[tuple[object, ...], Any] = field(init=False, factory=dict, repr=False)
    _read: Memory[tuple[ReadRule, ...] | Outcome] = field(init=False, factory=Memory, repr=False)
    _filters: Memory[Prefilter] = field(init=False, factory=Memory, repr=False)

    @classmethod
    def read(
        cls,
        config: PipyConfig | Mapping[str, Any] | bytes,
        fsm: str | None = None,
        *,
        parts: Parts | None = None,
    ) -> Sidecar:
        """The sidecar that was given this config: one of ours, its tree, or the bytes of a file.

        Args:
            config: what it reads.
            fsm: the version of FSM whose scripts it runs, `1.4` or `1.3.7`; None for 1.5 to 1.7.
            parts: what a tree has in common with those of others that carry the same certificate.

        Raises:
            InvalidValue: with everything in it that is malformed, each with its path; or `fsm` is no version.
        """
        version = LATEST if fsm is None else fsm_version(fsm)
        if isinstance(config, PipyConfig):
            return cls(read_outbound(config.tree), version, source=config.content)
        tree = read_tree(config) if isinstance(config, bytes) else config
        known = None if parts is None else parts.read
        return cls(read_outbound(tree, known), version, source=config)

    @property
    def tree(self) -> Any:
        """What the scripts look at of the config, in wire names, without secrets.

        Raises:
            InvalidValue: the sidecar was not made by `read`.
        """
        if self.source is None:
            raise InvalidValue.of("a sidecar that was read from a config", "one that was not")
        return bare_tree(read_tree(self.source) if isinstance(self.source, bytes) else self.source)

    @property
    def is_of_another_version(self) -> bool:
        """Whether the hosts of the config are written as these scripts cannot read them.

        Up to FSM 1.3.7 they were plain names of rules (`docs/decision.md`).
        """
        matches = (match for listed in self.config.matches.values() for match in listed)
        parts = (part for match in matches for part, _ in parts_of(match.hosts or {}))
        hosts = (host for part in each_once(parts) for host in part.values())
        return any(host.plain is not self.version.plain_hosts for host in hosts)

    def __reduce__(self) -> tuple[type[Sidecar], tuple[Any, ...]]:
        source = None if self.source is None else self.tree
        return Sidecar, (self.config, self.version, self.lends, source)

    def alone(self) -> Sidecar:
        """The same with upstreams that close each connection: what came before changes nothing."""
        return Sidecar(self.config, self.version, lends=False, source=self.source)

    def handle(self, connection: Connection, *, http2: bool = False) -> Outcome:
        """What the sidecar does with a connection that was redirected to it; UDP never is, and passes by.

        Args:
            connection: where to, and what is sent; of HTTP one request.
            http2: whether a request comes by HTTP/2, where one of an unknown method is answered with 403;
                by HTTP/1.1 it closes the connection.
        """
        if connection.sends is Sends.DATAGRAM:
            return PASSED_BY
        if not (self.config.present or self.config.enable_egress):
            return REFUSED
        found = self._led(connection)
        return CLOSED if found is None else self._through(*found, connection, http2=http2)

    def chain(self, connection: Connection) -> str | None:
        """The chain whose modules see a connection that was redirected to it; None where none does."""
        found = self._led(connection)
        return found and found[0]

    def _led(self, connection: Connection) -> tuple[str, Taken] | None:
        """The chain that a connection is led into, and the match that takes it."""
        port = str(connection.port)
        if self._once(is_broken, (port,), self.config.matches.get(port, ())):
            return None
        taken = self.taking(connection)
        if taken.match is None and not self.config.enable_egress:
            return None
        return HTTP_CHAIN if taken.match is not None and taken.match.is_http else TCP_CHAIN, taken

    def handle_requests(self, requests: Iterable[Connection], *, http2: bool = False) -> tuple[Outcome, ...]:
        """What the sidecar does with the requests of one HTTP connection, in their order.

        Each is handled on its own, also after a 403; but once the sidecar has closed the connection, none
        reaches it any more.

        Args:
            requests: a connection each, as `fe.requests` makes them.
            http2: as for `handle`.
        """
        outcomes: list[Outcome] = []
        for request in requests:
            is_over = bool(outcomes) and outcomes[-1].fate in _OVER
            outcomes.append(outcomes[-1] if is_over else self.handle(request, http2=http2))
        return tuple(outcomes)

    def _through(self, chain: str, taken: Taken, connection: Connection, *, http2: bool) -> Outcome:
        """What a chain does with a connection, with this library's module at its head or without."""
        modules = self.config.chains.get(chain, ())
        if not modules:
            return ECHOED
        foreign = self._once(foreign_to, (chain,), chain, modules)
        if foreign:
            return unknown(f"Chains.{chain}: {foreign}")
        rules = taken.match.enforcement if taken.match and modules[0] == MODULE else None
        if rules is not None and rules.egress:
            taken = evolve(taken, cert=rules.cert, is_egress=True)
        if chain == HTTP_CHAIN:
            return self._request(taken, connection.sends, http2=http2)
        if rules is None or rules.accept is None:
            return self._stream(taken)
        return self._accepted(taken, rules, connection, http2=http2)

    def _accepted(self, taken: Taken, rules: Enforcement, connection: Connection, *, http2: bool) -> Outcome:
        """What the module makes of a stream, by what is sent first; a client that waits is closed."""
        sends = connection.sends
        if connection.kind.value not in (rules.accept or ()):
            return CLOSED
        if isinstance(sends, HTTPRequest):
            return self._through(HTTP_CHAIN, taken, connection, http2=http2)
        if isinstance(sends, TLSClientHello) and rules.server_names is not None:
            cluster = rules.server_names.get(sends.name)
            return CLOSED if cluster is None else self._stream(taken, cluster)
        return self._stream(taken)

    def taking(self, connection: Connection) -> Taken:
        """The match that takes a connection to this port and address."""
        return self.line(connection.port).at(connection.key)

    def line(self, port: int) -> Segments[Taken]:
        """The matches of a port, as addresses are taken by them."""
        return self._once(taken_line, (str(port),), self.config.matches.get(str(port), ()))

    def basis(self, port: int, key: int) -> tuple[object, ...]:
        """All that it hangs on what becomes of connections to an address: where it is equal, that is.

        Args:
            port: that they go to.
            key: of the address.
        """
        matches = self.config.matches.get(str(port), ())
        taken = self.line(port).at(key)
        breaks = self._once(is_broken, (str(port),), matches)
        return breaks, *self._once(self._basis, taken.key, taken)

    def _around(self, enforced: bool) -> tuple[object, ...]:
        """What it hangs on for every match that asks this library's module for something, or for nothing."""
        config = self.config
        chains = {
            name: modules if enforced or not modules else without_module(name, modules)
            for name, modules in config.chains.items()
        }
        return (
            (self.version, self.lends, config.present, config.enable_egress, config.auto_default_route),
            (config.cert, chains, config.gateways),
            {key: tuple(weights.items()) for key, weights in config.forwards.items()},
        )

    def _basis(self, taken: Taken) -> tuple[object, ...]:
        config, match = self.config, taken.match
        rules = match.enforcement if match else None
        around = self._once(self._around, (rules is not None,), rules is not None)
        if match is None:
            return around
        clusters = tuple([config.clusters.get(name, _NO_CLUSTER) for name in match.leads_to])
        lent = self._once(self._lent, ()) if self.lends else {}
        ends = (end.address for cluster in clusters for end in cluster.endpoints) if lent else ()
        return (
            *around,
            (taken.cert, taken.is_egress),
            match.told,
            (match.leads_to, clusters),
            {address: lent[address] for address in ends if address in lent},
        )

    def rules(self, host: Host, rules: Mapping[str, tuple[Rule, ...]]) -> tuple[ReadRule, ...] | Outcome:
        """The rules of a host of the config, or what becomes of every request to it.

        Args:
            host: as a match names it.
            rules: those of the match, by name.
        """
        if host.plain is not self.version.plain_hosts:
            return answered(FORBIDDEN)
        return self._read.once(rules.get(host.rule_name, ()), read_rules)

    def _once(self, work: Callable[..., T], key: tuple[object, ...], *given: object) -> T:
        """What a part of the config comes to, worked out once; the key holds the parts that it names.

        Of two threads that come here at once, both go on with what one has made.
        """
        named = (work.__name__, *key)
        if named not in self._known:
            self._known.setdefault(named, work(*given))
        known: T = self._known[named]
        return known

    # --- streams ---

    def _stream(self, taken: Taken, only: str | None = None) -> Outcome:
        """What becomes of a stream, which may be for one cluster only."""
        return self._once(self._balanced, (*taken.key, only), taken, only)

    def _balanced(self, taken: Taken, only: str | None) -> Outcome:
        if only is not None:
            taken = taken.leading_to(only)
        match = taken.match
        passes = self.config.enable_egress or (match is not None and match.allowed)
        onward = [Way(WHOLE, CLOSED)]
        if passes:
            onward = self._dial(ORIGINAL, taken, taken.cert, is_egress=True)
        weights = match.clusters if match else {}
        ways: list[Way] = []
        for name, weight in positive(weights):
            cluster = self.config.clusters.get(name)
            endpoints = [
                (endpoint.address, endpoint.weight or DEFAULT_WEIGHT)
                for endpoint in (cluster.endpoints if cluster else ())
            ]
            if cluster is None or not endpoints:
                ways.extend(weighted(onward, Fraction(weight)))
                continue
            if taken.cert is None and cluster.cert is not None and cluster.cert.fsm_issued:
                ways.append(
                    Way(Fraction(weight), CLOSED)
                )  # the script names a variable that it does not have
                continue
            total = sum(share for _, share in endpoints)
            dialled = self._dial(ORIGINAL, taken, taken.cert or cluster.cert, is_egress=taken.is_egress)
            targets = [(target_of(address), share) for address, share in endpoints]
            ways.extend(spread(dialled, targets, Fraction(weight, total)))
        return united(ways or weighted(onward, Fraction(DEFAULT_WEIGHT)))

    # --- requests ---

    def _request(self, taken: Taken, sends: object, *, http2: bool) -> Outcome:
        match = taken.match
        if match is None or not isinstance(sends, HTTPRequest) or not (http2 or _is_read(sends)):
            return CLOSED
        entry = (match.hosts or {}).get(sends.host)
        host = sends.host
        if entry is None and self.config.auto_default_route:
            entry = match.first_host
            if entry is None:
                return CLOSED  # the script looks for the first of no hosts
            host = entry.service or entry.rule_name or host
        if entry is None:
            return CLOSED if self.version.closes_unknown_hosts else answered(FORBIDDEN)
        rules = self.rules(entry, match.rules or {})
        if isinstance(rules, Outcome):
            return rules
        for rule in self._left(rules, sends, host):
            if sends.method in rule.methods:
                if rule.breaks:
                    return CLOSED
                if rule.matches(sends, host):
                    return self._once(self._routed, (*taken.key, rule), taken, rule.clusters)
        return answered(FORBIDDEN)

    def _left(self, rules: tuple[ReadRule, ...], request: HTTPRequest, host: str) -> Iterable[ReadRule]:
        """The rules that may take a request whose Host may have been rewritten; of few, all of them."""
        if len(rules) < MANY:
            return rules
        prefilter = self._filters.once(rules, filter_of)
        return (rules[at] for at in prefilter.left(texts_of(request, host)))

    def _routed(self, taken: Taken, clusters: Mapping[str, int]) -> Outcome:
        ways: list[Way] = []
        lent: dict[Outcome, None] = {}
        for name, weight in positive(clusters):
            cluster = self.config.clusters.get(name, _NO_CLUSTER)
            endpoints = [(endpoint, endpoint.weight) for endpoint in cluster.endpoints if endpoint.weight]
            total = sum(share for _, share in endpoints)
            if not endpoints:
                ways.append(Way(Fraction(weight), answered(NOT_FOUND)))
            for endpoint, share in endpoints:
                dialled = self._to_endpoint(taken, cluster, endpoint)
                ways.extend(weighted(dialled, Fraction(weight * share, total)))
                lent.update(dict.fromkeys(self._lent_instead(taken, cluster, endpoint)))
        return evolve(united(ways or [Way(WHOLE, answered(NOT_FOUND))]), either=tuple(lent))

    def _to_endpoint(self, taken: Taken, cluster: Cluster, endpoint: Endpoint) -> list[Way]:
        """The ways of a request to an endpoint."""
        is_egress = taken.is_egress or bool(endpoint.via or endpoint.path)
        target = target_of(endpoint.via or endpoint.address)
        cert = taken.cert or cluster.cert
        return self._dial(target, taken, cert, is_egress=is_egress, broken=answered(BAD_GATEWAY))

    # --- connections that are kept ---

    def _kept(self, taken: Taken, cluster: Cluster, endpoint: Endpoint) -> Kept:
        """What a connection that is opened for an endpoint is, when another request finds it."""
        cert = taken.cert or cluster.cert or self.config.cert
        by_http2 = taken.match is not None and taken.match.protocol == GRPC
        outcome = united(self._to_endpoint(taken, cluster, endpoint))
        return Kept(outcome, cert.digest if cert and outcome.mtls else None, by_http2)

    def _lent_instead(self, taken: Taken, cluster: Cluster, endpoint: Endpoint) -> Iterator[Outcome]:
        """What happens to a request that finds a connection which another match has opened."""
        others = self._once(self._lent, ()).get(endpoint.address, ()) if self.lends else ()
        own = self._kept(taken, cluster, endpoint) if others else None
        for kept in others:
            if own is not None and kept != own:
                yield kept.instead_of(own)

    def _lent(self) -> Mapping[str, tuple[Kept, ...]]:
        """The connections that may be kept to each address: one for each way that some match leads there."""
        ways: dict[str, list[tuple[Taken, Cluster, Endpoint]]] = {}
        for taken, rules in self._leading():
            names = (name for rule in rules for name, _ in positive(rule.clusters))
            for name in dict.fromkeys(names):
                cluster = self.config.clusters.get(name, _NO_CLUSTER)
                for endpoint in cluster.endpoints:
                    if endpoint.weight:
                        ways.setdefault(endpoint.address, []).append((taken, cluster, endpoint))
        lent: dict[str, tuple[Kept, ...]] = {}
        for address, several in ways.items():
            if several[1:]:
                kept = (self._kept(*way) for way in several)
                lent[address] = tuple(dict.fromkeys(it for it in kept if it.outcome.fate is Fate.DIALLED))
        return {address: kept for address, kept in lent.items() if kept[1:]}

    def _leading(self) -> Iterable[tuple[Taken, list[Rule]]]:
        """The rules of all matches that open connections in one way, each once, with one of these matches."""
        ways: dict[object, tuple[Taken, list[Rule], set[int]]] = {}
        for taken in routing(self.config):
            match = taken.match
            way = taken.cert, taken.is_egress, match and (match.gateway, match.protocol == GRPC)
            _, rules, seen = ways.setdefault(way, (taken, [], set()))
            for part, hidden in parts_of((match and match.rules) or {}):
                if hidden or id(part) not in seen:  # the config holds them all
                    rules.extend(
                        rule for name, listed in part.items() if name not in hidden for rule in listed
                    )
                if not hidden:
                    seen.add(id(part))
        return [(taken, rules) for taken, rules, _ in ways.values()]

    # --- dialling ---

    def _dial(
        self, target: Target, taken: Taken, cert: Cert | None, *, is_egress: bool, broken: Outcome = CLOSED
    ) -> list[Way]:
        """The ways to a target: with TLS of the sidecar's own, through gateways, or directly."""
        shown = cert or (None if is_egress else self.config.cert)
        if shown is not None:
            outcome = Outcome(Fate.DIALLED, mtls=True) if shown.usable else broken
            return [Way(WHOLE, outcome, target if shown.usable else None)]
        direct = Way(WHOLE, Outcome(Fate.DIALLED), target)
        chosen = self._gateways(taken) if is_egress else {}
        total = sum(chosen.values())
        used = tuple(gateway for gateway in chosen if gateway is not None)
        if not used:
            return [direct]
        tunnelled = sum(gateway.weight for gateway in used)
        ways = [Way(Fraction(tunnelled, total), Outcome(Fate.DIALLED, gateways=used), target)]
        if tunnelled < total:
            ways.append(evolve(direct, weight=Fraction(total - tunnelled, total)))
        return ways

    def _gateways(self, taken: Taken) -> dict[UsedGateway | None, int]:
        """The gateways that may be chosen, with their weights; None stands for those that carry nothing."""
        key = taken.match.gateway if taken.match else ANY_GATEWAY
        chosen: dict[UsedGateway | None, int] = {}
        for name, weight in positive(self.config.forwards.get(key, {})):
            gateway = self.config.gateways.get(name)
            if gateway is None or not gateway.endpoints:
                chosen[None] = chosen.get(None, 0) + weight
            else:
                addresses = tuple(target_of(address).spoken() for address in gateway.endpoints)
                chosen[UsedGateway(name, weight, gateway.mode, addresses)] = weight
        return chosen


_NO_CLUSTER = Cluster((), None)


def _is_read(request: HTTPRequest) -> bool:
    """Whether a request of HTTP/1.1 is read at all."""
    return request.method in KNOWN_METHODS and not has_long_line(request)
