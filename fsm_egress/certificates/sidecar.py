"""A reading of the stock sidecar over a `config.json`: what becomes of a connection in it.

It is written from what was observed of a real one, and shares nothing with the library's model of it, nor
with what writes configs. What happens after a target was dialled is no part of it.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

from attrs import evolve

from ..connections.connection import socket_address
from ..connections.payloads import Sends
from ..patterns import Pattern, PatternError, escaped
from ..values.construction import frozen
from .connection import HOST, METHOD, PATH, SERVER_NAME, TOO_LONG, Vocabulary, sends
from .fares import CLOSED, ECHOED, UNKNOWN, Fare, Way, answered, fare
from .tables import Entry, Match, Shown, Tables
from .terms import all_of, any_of, is_text, literal, no
from .trees import fork, in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .reading import Gateways
    from .tables import Endpoint, Host, Range, Rule
    from .trees import Tree

__all__ = ["Scripts", "Sidecar"]

FORWARDED = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
READ = (*FORWARDED, "TRACE", "CONNECT")
FORBIDDEN, NOT_FOUND, BAD_GATEWAY = 403, 404, 502
USUAL = 100  # the weight of an endpoint of a stream that has none
TCP, HTTP = "outbound-tcp", "outbound-http"
OURS = "modules/fsm-egress.js"
ROUTING = "modules/outbound-http-routing.js"
CORE = {
    chain: tuple(f"modules/{chain}-{part}.js" for part in ("routing", "load-balancing", "default"))
    for chain in (TCP, HTTP)
}
WATCHING = frozenset(
    f"modules/outbound-{part}.js"
    for part in ("metrics-http", "tracing-http", "logging-http", "circuit-breaker")
)
FRAMES = {"Regex": "{}", "Exact": "^{}$", "Prefix": "^{}"}


@frozen
class Scripts:
    """What sets the scripts of an FSM apart.

    Attributes:
        plain_hosts: whether a Host leads to the name of its rules and nothing else, as up to 1.3.7.
        closes_unknown: whether a request for a Host that nobody names is closed, and not answered.
        lends: whether connections that are kept are lent, as they are unless upstreams close each.
    """

    plain_hosts: bool = False
    closes_unknown: bool = False
    lends: bool = True


@frozen
class _Taken:
    """The match that takes a connection, if one does, and what the scripts remember of the choice."""

    match: Match | None
    cert: Shown | None
    is_egress: bool


@frozen
class _Kept:
    """A connection that is kept, as another request finds it."""

    fare: Fare
    cert: str | None
    by_grpc: bool


@frozen(eq=False)
class Sidecar:
    """Reads the tables of one sidecar, in the words of a script."""

    tables: Tables
    scripts: Scripts
    words: Vocabulary

    def handled(self) -> Tree[Fare]:
        """What becomes of all connections that are redirected: by port, by the match that takes one."""
        if not self.tables.listens:
            return CLOSED
        unmatched = self.through(_Taken(None, None, is_egress=False)) if self.tables.passes else CLOSED
        ports = (
            (self.words.port(port), self.on_port(matches, unmatched))
            for port, matches in self.tables.ports.items()
            if 0 < port < 1 << 16 and self.words.speaks_of(port)
        )
        return fork(ports, unmatched)

    def on_port(self, matches: Sequence[Match], unmatched: Tree[Fare]) -> Tree[Fare]:
        """The first match with a range that holds the address, else the first without ranges."""
        ranged = [(match, entry) for match in matches for entry in match.ranges or ()]
        if any(entry.prefixes is None for _, entry in ranged):
            return CLOSED
        anywhere = next((match for match in matches if match.ranges is None), None)
        rest = unmatched if anywhere is None else self.through(_Taken(anywhere, None, is_egress=True))
        ways = []
        for match in matches:
            by_cert: dict[Shown | None, list[Range]] = {}
            for entry in match.ranges or ():
                by_cert.setdefault(entry.cert, []).append(entry)
            for cert, entries in by_cert.items():
                holds = self.words.to(prefix for entry in entries for prefix in entry.prefixes or ())
                taken = self.words.definitions.name(f"in a range of {match.place}", holds)
                ways.append((taken, self.through(_Taken(match, cert, is_egress=False))))
        return in_order(ways, rest, self.words.definitions)

    # --- chains ------------------------------------------------------------------------------------------

    def through(self, taken: _Taken, chain: str = "") -> Tree[Fare]:
        """What a chain of modules does: FSM's, with this library's at its head or without."""
        match = taken.match
        chain = chain or (HTTP if match and match.is_http else TCP)
        modules = self.tables.chains.get(chain, ())
        if not modules:
            return ECHOED
        if not _is_known(chain, modules):
            return UNKNOWN
        enforced = match.enforced if match and modules[0] == OURS else None
        if enforced and enforced.egress:
            taken = evolve(taken, cert=enforced.cert, is_egress=True)
        if match and chain == HTTP:
            return fork([(sends(Sends.HTTP), self.requested(taken, match))], CLOSED)
        stream = self.streamed(taken)
        if not (enforced and match) or enforced.accept is None:
            return stream
        taking: dict[Sends, Tree[Fare]] = {kind: stream for kind in Sends if kind.value in enforced.accept}
        if Sends.HTTP in taking:
            taking[Sends.HTTP] = self.through(taken, HTTP)
        if Sends.TLS in taking and enforced.server_names is not None:
            taking[Sends.TLS] = fork(
                (
                    (is_text(SERVER_NAME, name), self.streamed(taken, ((cluster, 1),)))
                    for name, cluster in enforced.server_names
                ),
                CLOSED,
            )
        return fork(((sends(kind), tree) for kind, tree in taking.items()), CLOSED)

    # --- streams -----------------------------------------------------------------------------------------

    def streamed(self, taken: _Taken, only: tuple[tuple[str, int], ...] | None = None) -> Fare:
        """What becomes of a stream; with `only`, the module sends it to these clusters alone."""
        match = taken.match
        is_let = self.tables.passes or (only is None and match is not None and match.allowed)
        onward = CLOSED.ways
        if is_let:
            onward = self.dialled(("", 0), evolve(taken, is_egress=True), taken.cert, CLOSED)
        ways: list[tuple[Way, Fraction]] = []
        for name, weight in only or (match.clusters if match else ()):
            entry = self.tables.clusters.get(name)
            if entry is None or not entry.endpoints:
                ways += _weighted(onward, Fraction(weight))
            elif taken.cert is None and entry.cert is not None and entry.cert.fsm_issued:
                ways += _weighted(CLOSED.ways, Fraction(weight))  # the script has no such variable
            else:
                total = sum(end.weight or USUAL for end in entry.endpoints)
                for end in entry.endpoints:
                    share = Fraction(weight * (end.weight or USUAL), total)
                    cert = taken.cert or entry.cert
                    ways += _weighted(self.dialled(_place(end.address), taken, cert, CLOSED), share)
        return fare(ways or onward)

    # --- requests ----------------------------------------------------------------------------------------

    def requested(self, taken: _Taken, match: Match) -> Tree[Fare]:
        """What becomes of a request: by its Host as it is sent, then by the first rule that takes it."""
        unread = any_of(TOO_LONG, no(self.words.definitions.name("a method that is read", _one_of(READ))))
        unknown: Tree[Fare] = CLOSED if self.scripts.closes_unknown else answered(FORBIDDEN)
        hosts = match.hosts or {}
        if self.tables.default_route:
            first = next(iter(hosts.values()), None)
            unknown = (
                CLOSED if first is None else self.ruled(taken, match, first, first.service or first.rules)
            )
        alike: dict[Host, list[str]] = {}
        for text, host in hosts.items():
            alike.setdefault(host, []).append(text)
        named = (
            (any_of(*map(self.words.host, texts)), self.ruled(taken, match, host, None))
            for host, texts in alike.items()
        )
        return fork([(unread, CLOSED)], fork(named, unknown))

    def ruled(self, taken: _Taken, match: Match, host: Host, rewritten: str | None) -> Tree[Fare]:
        """What the first of the rules decides that takes a request, whose Host may have been rewritten."""
        if host.plain is not self.scripts.plain_hosts:
            return answered(FORBIDDEN)
        ways: list[tuple[str, Tree[Fare]]] = []
        try:
            for number, rule in enumerate((match.rules or {}).get(host.rules, ())):
                place = f"{match.place} {host.rules}[{number}]"
                ways.append(self.rule(taken, rule, place, rewritten))
        except PatternError as error:
            return UNKNOWN if error.ours else CLOSED
        return in_order(ways, answered(FORBIDDEN), self.words.definitions)

    def rule(self, taken: _Taken, rule: Rule, place: str, rewritten: str | None) -> tuple[str, Tree[Fare]]:
        """When a rule takes a request, and what becomes of that.

        Raises:
            PatternError: one of its patterns cannot be read.
        """
        text = rule.path if rule.kind == "Regex" else escaped(rule.path)
        path = Pattern.of_bytes(FRAMES.get(rule.kind, "").format(text))
        headers = [(name, Pattern.of_bytes(value)) for name, value in rule.headers]
        by_method = _one_of(FORWARDED if rule.methods is None else rule.methods)
        if rule.kind not in FRAMES:
            return by_method, CLOSED
        searched = (self.words.found(value, self.header(name, rewritten)) for name, value in headers)
        term = all_of(by_method, self.words.found(path, PATH), *searched)
        return self.words.definitions.name(f"taken by {place}", term), self.routed(taken, rule)

    def header(self, name: str, rewritten: str | None) -> str:
        """The value of a header under the name as it is written: requests have names in lower case only."""
        if name == HOST and rewritten:
            return literal(rewritten.encode())
        return self.words.header(name)

    def routed(self, taken: _Taken, rule: Rule) -> Fare:
        """Where the clusters of a rule lead."""
        ways: list[tuple[Way, Fraction]] = []
        lent = False
        for name, weight in rule.clusters:
            entry = self.tables.clusters.get(name, _NOWHERE)
            ends = [end for end in entry.endpoints if end.weight]
            total = sum(end.weight for end in ends)
            if not ends:
                ways += _weighted(answered(NOT_FOUND).ways, Fraction(weight))
            for end in ends:
                kept = self.kept(taken, entry, end)
                ways += _weighted(kept.fare.ways, Fraction(weight * end.weight, total))
                others = self.ever_kept.get(end.address, frozenset()) if self.scripts.lends else frozenset()
                lent = lent or (len(others) > 1 and bool(others - {kept}))
        return fare(ways or answered(NOT_FOUND).ways, lent=lent)

    def kept(self, taken: _Taken, entry: Entry, end: Endpoint) -> _Kept:
        """How a request is dialled to an endpoint, and what another one finds of that."""
        taken = evolve(taken, is_egress=taken.is_egress or bool(end.via or end.path))
        cert = taken.cert or entry.cert
        dialled = self.dialled(_place(end.via or end.address), taken, cert, answered(BAD_GATEWAY))
        by_grpc = taken.match is not None and taken.match.protocol == "grpc"
        shown = cert or (None if taken.is_egress else self.tables.own)
        return _Kept(fare(dialled), shown.digest if shown else None, by_grpc)

    @cached_property
    def ever_kept(self) -> dict[str, frozenset[_Kept]]:
        """The connections that may be kept to each address, one for each way that some rule leads there."""
        found: dict[str, set[_Kept]] = {}
        for taken in self.routing():
            rules = (
                (rule for listed in (taken.match.rules or {}).values() for rule in listed)
                if taken.match
                else ()
            )
            for name in {name for rule in rules for name, _ in rule.clusters}:
                entry = self.tables.clusters.get(name, _NOWHERE)
                for end in entry.endpoints:
                    kept = self.kept(taken, entry, end)
                    if end.weight and kept.fare.ways[0][0].end == "dialled":
                        found.setdefault(end.address, set()).add(kept)
        return {address: frozenset(ways) for address, ways in found.items()}

    def routing(self) -> Iterator[_Taken]:
        """The matches that route requests, as each of their ranges and the module has them."""
        is_ours = self.tables.chains.get(HTTP, ())[:1] == (OURS,)
        for taken in self.ever_taken():
            enforced = taken.match.enforced if taken.match else None
            if taken.match and (taken.match.is_http or (enforced and "http" in (enforced.accept or ()))):
                is_enforced = is_ours and enforced is not None and enforced.egress
                yield evolve(taken, cert=enforced.cert, is_egress=True) if enforced and is_enforced else taken

    def ever_taken(self) -> Iterator[_Taken]:
        """Each match by each of its ranges; of those without ranges the first of a port."""
        for matches in self.tables.ports.values():
            entries = [(match, entry) for match in matches for entry in match.ranges or ()]
            if any(entry.prefixes is None for _, entry in entries):
                continue
            yield from (_Taken(match, entry.cert, is_egress=False) for match, entry in entries)
            anywhere = (match for match in matches if match.ranges is None)
            yield from (_Taken(match, None, is_egress=True) for match in list(anywhere)[:1])

    # --- dialling ----------------------------------------------------------------------------------------

    def dialled(
        self, target: tuple[str, int], taken: _Taken, cert: Shown | None, broken: Fare
    ) -> tuple[tuple[Way, Fraction], ...]:
        """The ways to a target: with TLS of the sidecar's own, through gateways, or directly."""
        shown = cert or (None if taken.is_egress else self.tables.own)
        if shown is not None:
            return ((Way("dialled", target, mtls=True), Fraction(1)),) if shown.usable else broken.ways
        usable, direct = self.gateways(taken) if taken.is_egress else ((), Fraction(1))
        straight = (Way("dialled", target), direct)
        tunnelled = (Way("dialled", target, gateways=usable), 1 - direct)
        return tuple(way for way in (tunnelled, straight) if way[1])

    def gateways(self, taken: _Taken) -> tuple[Gateways, Fraction]:
        """The gateways that carry something, with their shares; and the share that they do not carry."""
        weights = self.tables.forwards.get(taken.match.gateway if taken.match else "*", ())
        used: dict[tuple[str, str, tuple[str, ...]], int] = {}
        for name, weight in weights:
            mode, addresses = self.tables.gateways.get(name, ("", ()))
            if addresses:
                places = {socket_address(*_place(address)) for address in addresses}
                used[name, mode, tuple(sorted(places))] = weight
        carried = sum(used.values())
        if not carried:
            return (), Fraction(1)
        shares = tuple(sorted((*it, Fraction(weight, carried)) for it, weight in used.items()))
        return shares, 1 - Fraction(carried, sum(weight for _, weight in weights))


_NOWHERE = Entry((), None)


def _one_of(methods: Iterable[str]) -> str:
    return any_of(*(is_text(METHOD, method) for method in methods))


def _weighted(ways: Iterable[tuple[Way, Fraction]], weight: Fraction) -> list[tuple[Way, Fraction]]:
    return [(way, share * weight) for way, share in ways]


def _place(address: str) -> tuple[str, int]:
    """`host:port`, the host perhaps an IPv6 address without brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port) if port.isdecimal() else 0


def _is_known(chain: str, modules: Sequence[str]) -> bool:
    """Whether a chain has FSM's modules in FSM's order, and none of anybody else's that could do anything."""
    left = list(modules)
    if left[0] == OURS:
        del left[0]
        behind = left.index(ROUTING) + 1 if chain == HTTP and ROUTING in left else len(left)
        if left[behind : behind + 1] == [OURS]:
            del left[behind]
    core = [module for module in left if module in CORE[chain]]
    others = set(left) - set(core)
    return core == list(CORE[chain]) and others <= (WATCHING if chain == HTTP else set())
