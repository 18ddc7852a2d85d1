"""Any `config.json` as FSM's scripts read it: checked, typed, with the matches merged as they merge them.

Only the outbound part is read, and of that only what the scripts look at (fsm, sidecar codebase: `config.js`,
`modules/outbound-*.js`, `connect-*.js`). Order is kept: the sidecar's choices depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from hashlib import sha256
from typing import Any, TypeAlias, TypeVar

from attrs import evolve, field

from ..values.construction import frozen
from ..values.errors import MAX_PROBLEMS, InvalidValue, Problem, show
from ..values.identity import Memory
from ..values.layered import Layered
from ..values.references import joined
from .enforcement import ENFORCE
from .netmask import Mask, read_mask
from .parts import Ordered
from .runs import Runs

__all__ = [
    "ANY_GATEWAY",
    "Cert",
    "Cluster",
    "Endpoint",
    "Enforcement",
    "Gateway",
    "Host",
    "Match",
    "OutboundConfig",
    "Range",
    "Rule",
    "read_outbound",
]

T = TypeVar("T")
Words: TypeAlias = "tuple[str, ...]"

ANY_GATEWAY = "*"
DEFAULT_MODE = "http2tunnel"
PORT_DIGITS = 5
_MAPPING = (dict, Mapping)  # the first is what most are, and known at once
BETWEEN = "|"  # what stands between the words by which matches are merged
SECRETS = frozenset({"Certificate", "SourceCert"})  # of what is in them no problem says what it is


@frozen
class Cert:
    """A certificate for TLS towards the target; unusable ones fail when the connection is made.

    `digest` is that of the chain that is shown, and tells certificates apart.
    """

    fsm_issued: bool
    usable: bool
    digest: str = field(default="", repr=False)


@frozen
class Range:
    """One entry of `DestinationIPRanges`; without a mask it breaks its port."""

    text: str
    mask: Mask | None
    cert: Cert | None


@frozen
class Host:
    """What a Host header leads to: the name of a rule set, and of its service, if it has one.

    `plain` is the form of older FSMs: nothing but the name.
    """

    rule_name: str
    service: str
    plain: bool = False


@frozen
class Rule:
    """One entry of `RouteRules`; the headers' names are as they are written."""

    path: str
    type: str
    methods: tuple[str, ...] | None
    headers: tuple[tuple[str, str], ...]
    clusters: Mapping[str, int]

    @property
    def key(self) -> tuple[object, ...]:
        """What is the same of rules that do the same."""
        return self.path, self.type, self.methods, self.headers, tuple(self.clusters.items())


@frozen
class Enforcement:
    """What the key `Enforce` asks of this library's module (`enforce.js`).

    Attributes:
        accept: what a client may send, of `tls` and `http`; None for anything.
        server_names: the cluster of each server name; None for any name.
    """

    egress: bool
    accept: tuple[str, ...] | None
    server_names: Mapping[str, str] | None
    cert: Cert | None


@frozen(eq=False)
class Match:
    """One traffic match; `ranges`, `hosts` and `rules` are None where it has none, not even an empty one."""

    port: int
    protocol: str
    ranges: tuple[Range, ...] | None
    hosts: Mapping[str, Host] | None
    rules: Mapping[str, tuple[Rule, ...]] | None
    clusters: Mapping[str, int]
    allowed: bool
    gateway: str
    enforcement: Enforcement | None

    @property
    def is_http(self) -> bool:
        """Whether requests are routed one by one; otherwise the whole stream is."""
        return self.protocol in {"http", "grpc"}

    @property
    def routes_requests(self) -> bool:
        """Whether requests are routed one by one, by the scripts alone or with this library's module."""
        return self.is_http or (self.enforcement is not None and "http" in (self.enforcement.accept or ()))

    @property
    def asked_of_module(self) -> tuple[object, ...] | None:
        """What this library's module is asked to do with requests."""
        rules = self.enforcement
        return None if rules is None else (rules.egress, rules.accept, rules.cert)

    @cached_property
    def first_host(self) -> Host | None:
        """The first of its hosts, which stands for unknown ones where there is a default route."""
        return next(iter(self.hosts.values()), None) if self.hosts else None

    @cached_property
    def told(self) -> tuple[object, ...]:
        """What is the same of matches that do the same, but for their ranges."""
        hosts = self.hosts is None or tuple(self.hosts.items())
        rules = {name: tuple([rule.key for rule in some]) for name, some in (self.rules or {}).items()}
        ways = self.protocol, self.allowed, self.gateway, self.enforcement
        return ways, hosts, self.rules is None or rules, tuple(self.clusters.items())

    @cached_property
    def leads_to(self) -> tuple[str, ...]:
        """The names of all clusters that it leads to, each once."""
        routed = (name for some in (self.rules or {}).values() for rule in some for name in rule.clusters)
        named = (self.enforcement and self.enforcement.server_names) or {}
        return tuple(dict.fromkeys([*self.clusters, *routed, *named.values()]))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """What matches are merged by: one folds into another one that has its words side by side."""
        texts = ["*"] if self.ranges is None else sorted(entry.text for entry in self.ranges)
        return tuple(f"{self.port}_{self.protocol}_{text}" for text in texts)


@frozen
class Endpoint:
    """Where a cluster's connections go; `weight` is None where none is given.

    Attributes:
        via: the gateway between clusters that it is reached through.
        path: what is put before the request's path.
    """

    address: str
    weight: int | None
    via: str = ""
    path: str = ""


@frozen
class Cluster:
    """Endpoints that are balanced over, and the certificate that they are shown."""

    endpoints: tuple[Endpoint, ...]
    cert: Cert | None


@frozen
class Gateway:
    """An egress gateway; one without endpoints carries nothing."""

    endpoints: tuple[str, ...]
    mode: str


@frozen(eq=False)
class OutboundConfig:
    """The outbound part of a config.

    Attributes:
        present: whether `Outbound` is there at all.
        matches: by port, merged, in the order in which the first that fits is taken.
        cert: the sidecar's own certificate, if it has one.
        gateways: `EgressGateways` by name; `forwards`: their weights by the key of `ForwardMatches`.
        chains: the modules of each chain, by its name.
    """

    present: bool
    enable_egress: bool
    auto_default_route: bool
    cert: Cert | None
    matches: Mapping[str, tuple[Match, ...]]
    clusters: Mapping[str, Cluster]
    forwards: Mapping[str, Mapping[str, int]]
    gateways: Mapping[str, Gateway]
    chains: Mapping[str, tuple[str, ...]]


def read_outbound(tree: Any, parts: Memory[Any] | None = None) -> OutboundConfig:
    """What the scripts read of a config's tree.

    Args:
        tree: the config.
        parts: what parts of it were read as that other configs have, too (`Ordered`).

    Raises:
        InvalidValue: with everything that is malformed, each with its path, up to a thousand.
    """
    problems: dict[Problem, None] = {}
    root = _Value(tree, problems)
    spec, outbound, forward = root.at("Spec"), root.at("Outbound"), root.at("Forward")
    own = _cert(root.at("Certificate"), None)
    shared: Memory[Any] = Memory()
    known: Memory[Any] = Memory() if parts is None else parts

    def match(value: _Value) -> Match:
        return value.part(lambda it: _match(it, own, shared), known)

    def cluster(value: _Value) -> Cluster:
        return value.part(lambda it: _cluster(it, own), known)

    config = OutboundConfig(
        outbound.value is not None,
        spec.at("Traffic").at("EnableEgress").boolean(),
        spec.at("FeatureFlags").at("EnableAutoDefaultRoute").boolean(),
        own if root.at("Certificate").at("CertChain").text() else None,
        _merged({port: _matches(port, it, match) for port, it in outbound.at("TrafficMatches").entries()}),
        {name: cluster(it) for name, it in outbound.at("ClustersConfigs").entries()},
        {key: weights.weights() for key, weights in forward.at("ForwardMatches").entries()},
        {name: _gateway(gateway) for name, gateway in forward.at("EgressGateways").entries()},
        {name: chain.texts() or () for name, chain in root.at("Chains").entries()},
    )
    if problems:
        raise InvalidValue(*problems)
    return config


@frozen
class _Value:
    """A value of the config and where it stands; what is wrong with it is added to the problems."""

    value: Any
    problems: dict[Problem, None]
    parent: _Value | None = None
    place: str | int = ""

    @property
    def path(self) -> str:
        """Where it stands, from the root on."""
        if self.parent is None:
            return ""
        path = self.parent.path
        return joined(path, self.place) if isinstance(self.place, str) else f"{path}[{self.place}]"

    def at(self, key: str) -> _Value:
        return _Value(self._checked(_MAPPING, "a mapping", {}).get(key), self.problems, self, key)

    def entries(self) -> Iterator[tuple[str, _Value]]:
        for key, value in self._checked(_MAPPING, "a mapping", {}).items():
            yield key, _Value(value, self.problems, self, key)

    def each(self, read: Callable[[_Value], T], shared: Memory[Mapping[str, T]]) -> Mapping[str, T]:
        """What each entry is read as; what lies around several mappings is read once."""
        if isinstance(self.value, Layered):
            own, around = (
                _Value(it, self.problems, self.parent, self.place)
                for it in (self.value.own, self.value.around)
            )
            outer = shared.once(around.value, lambda _: around.each(read, shared))
            return Layered(own.each(read, shared), outer)
        return {key: read(entry) for key, entry in self.entries()}

    def part(self, read: Callable[[_Value], T], shared: Memory[Any]) -> T:
        """What it is read as; a part that several configs have is read once."""
        if not isinstance(self.value, Ordered):
            return read(self)
        found: T = shared.once(self.value, lambda _: read(self))
        return found

    def items(self) -> Iterator[_Value]:
        for index, value in enumerate(self._checked((list, tuple), "a list", ())):
            yield _Value(value, self.problems, self, index)

    def text(self) -> str:
        return str(self._checked(str, "a string", ""))

    def needed(self) -> str:
        """A string that the scripts cannot do without."""
        if self.value is None:
            self.wrong("a string")
        return self.text()

    def boolean(self) -> bool:
        return bool(self._checked(bool, "`true` or `false`", default=False))

    def number(self) -> int | None:
        """A whole number from 0 on, or None where there is none."""
        if self.value is not None and (type(self.value) is not int or self.value < 0):
            self.wrong("a whole number from 0 on")
            return None
        return self.value

    def texts(self) -> tuple[str, ...] | None:
        """A list of strings, or None where there is none."""
        return None if self.value is None else tuple(item.needed() for item in self.items())

    def weights(self) -> dict[str, int]:
        return {name: weight.number() or 0 for name, weight in self.entries()}

    def _checked(self, kind: Any, expected: str, default: Any) -> Any:
        """The value, or the default where it is null or something else than it should be."""
        if self.value is None or isinstance(self.value, kind):
            return default if self.value is None else self.value
        self.wrong(expected)
        return default

    def wrong(self, expected: str) -> None:
        is_hushed = not SECRETS.isdisjoint(self.path.split("."))
        self.note(Problem(expected, "" if is_hushed else show(self.value), self.path))

    def note(self, problem: Problem) -> None:
        self.problems.setdefault(problem)
        if len(self.problems) > MAX_PROBLEMS:
            *listed, _ = self.problems
            raise InvalidValue(*listed, Problem(f"at most {MAX_PROBLEMS} mistakes", "more"))


def _cert(value: _Value, own: Cert | None) -> Cert:
    """A certificate; one that FSM issued is the sidecar's own, where it has one that can be used."""
    fsm_issued = value.at("FsmIssued").boolean()
    chain = value.at("CertChain").text()
    complete = all([chain, value.at("PrivateKey").text()])
    if fsm_issued and own is not None and own.usable:
        return Cert(fsm_issued, usable=True, digest=own.digest)
    return Cert(fsm_issued, complete, sha256(chain.encode()).hexdigest())


def _source_cert(value: _Value, own: Cert) -> Cert | None:
    found = value.at("SourceCert")
    return None if found.value is None else _cert(found, own)


def _matches(port: str, value: _Value, match: Callable[[_Value], Match]) -> tuple[Match, ...]:
    if not (port.isascii() and port.isdecimal() and len(port) <= PORT_DIGITS):
        value.note(Problem("a port number as the key", show(port), value.path))
    if value.value is None:  # no scripts read a port without a list
        value.wrong("a list")
    return tuple(map(match, value.items()))


def _match(value: _Value, own: Cert, shared: Memory[Any]) -> Match:
    ranges, hosts, rules = (
        value.at(key) for key in ("DestinationIPRanges", "HttpHostPort2Service", "HttpServiceRouteRules")
    )
    stream = value.at("TcpServiceRouteRules")
    port = value.at("Port")
    if port.value is None:
        port.wrong("a whole number from 0 on")
    return Match(
        port.number() or 0,
        _undivided(value.at("Protocol").needed(), value.at("Protocol")),
        None if ranges.value is None else tuple(_range(*entry, own) for entry in ranges.entries()),
        None if hosts.value is None else hosts.each(_host, shared),
        None if rules.value is None else rules.each(_rules, shared),
        stream.at("TargetClusters").weights(),
        stream.at("AllowedEgressTraffic").boolean(),
        value.at("EgressForwardGateway").text() or ANY_GATEWAY,
        _enforcement(value.at(ENFORCE), own),
    )


def _enforcement(value: _Value, own: Cert) -> Enforcement | None:
    names = value.at("ServerNames")
    if value.value is None:
        return None
    return Enforcement(
        value.at("Egress").boolean(),
        value.at("Accept").texts(),
        None if names.value is None else {name: cluster.needed() for name, cluster in names.entries()},
        _source_cert(value, own),
    )


def _range(text: str, value: _Value, own: Cert) -> Range:
    return Range(_undivided(text, value), read_mask(text), _source_cert(value, own))


def _undivided(text: str, value: _Value) -> str:
    if BETWEEN in text:
        value.note(Problem(f"a text without `{BETWEEN}`", show(text), value.path))
    return text


def _host(value: _Value) -> Host:
    if isinstance(value.value, str):
        return Host(value.value, "", plain=True)
    return Host(value.at("RuleName").text(), value.at("Service").text())


def _rules(value: _Value) -> tuple[Rule, ...]:
    return tuple(_rule(rule) for rule in value.at("RouteRules").items())


def _rule(value: _Value) -> Rule:
    return Rule(
        value.at("Path").needed(),
        value.at("Type").text(),
        value.at("Methods").texts(),
        tuple((name, pattern.needed()) for name, pattern in value.at("Headers").entries()),
        value.at("TargetClusters").weights(),
    )


def _cluster(value: _Value, own: Cert) -> Cluster:
    endpoints = tuple(
        Endpoint(address, entry.at("Weight").number(), entry.at("ViaGateway").text(), entry.at("Path").text())
        for address, entry in value.at("Endpoints").entries()
    )
    return Cluster(endpoints, _source_cert(value, own))


def _gateway(value: _Value) -> Gateway:
    return Gateway(
        tuple(address for address, _ in value.at("Endpoints").entries()),
        value.at("Mode").text() or DEFAULT_MODE,
    )


# --- merging ---------------------------------------------------------------------------------------------


def _merged(ports: Mapping[str, tuple[Match, ...]]) -> dict[str, tuple[Match, ...]]:
    """The matches as `config.js` unites them: folded into the first whose identity contains theirs.

    The first may stand on any port. Hosts and rules are added to those that it has; where it has none they
    are lost, as the routes of a folded stream are.
    """
    found: dict[Words, list[Match]] = {}  # with those that are folded into the first
    known: list[Words] = []
    runs = Runs()
    identities: dict[str, list[Words]] = {}
    for port, matches in ports.items():
        own = identities.setdefault(port, [])
        for match in matches:
            number = runs.first(match.words)
            home = () if number is None else known[number]
            if home:
                found[home].append(match)
            else:
                if match.words not in found:
                    runs.add(match.words, len(known))
                    known.append(match.words)
                found[match.words] = [match]
            own.append(home or match.words)
    taken: set[Words] = set()
    merged: dict[str, tuple[Match, ...]] = {}
    for port, listed in identities.items():
        fresh = [identity for identity in dict.fromkeys(listed) if identity not in taken]
        taken.update(fresh)
        merged[port] = tuple(_united(*found[identity]) for identity in fresh)
    return merged


def _united(host: Match, *folded: Match) -> Match:
    """A match with the hosts and rules of others, if it has such itself."""
    if not folded:
        return host
    hosts, rules = host.hosts, host.rules
    if hosts is not None:
        hosts = _all(it.hosts for it in (host, *folded))
    if rules is not None:
        rules = _all(it.rules for it in (host, *folded))
    return evolve(host, hosts=hosts, rules=rules)


def _all(several: Iterable[Mapping[str, T] | None]) -> Mapping[str, T]:
    return {name: value for some in several for name, value in (some or {}).items()}
