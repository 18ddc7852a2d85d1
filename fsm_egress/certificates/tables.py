"""A `config.json` as the tables in which the stock sidecar looks things up: a reading of its own.

It is written from what was observed of a real sidecar (`sidecar-*.json`), and knows neither the model of the
sidecar nor what writes configs. Who asks has seen that the config is well formed. Order is kept: the
sidecar's choices depend on it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from attrs import evolve

from ..values.construction import frozen
from ..values.net import IPV6_START, Address, Prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Endpoint", "Enforced", "Entry", "Host", "Match", "Range", "Rule", "Shown", "Tables"]

ANY_GATEWAY = "*"
TUNNEL = "http2tunnel"
LONGEST_RANGE = 99  # characters of a range that is read
_OCTETS = re.compile(r"\.".join([r"(0|[1-9]\d{0,2}|)"] * 4), re.ASCII)
_GROUPS = re.compile(r"[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,7}")
_LENGTH = re.compile(r"\s*([+-]?\d+)", re.ASCII)
_IPV4, _IPV6, _OCTET = 32, 128, 256
_MAPPED = 0xFFFF  # the first 96 bits of an IPv4-mapped address


@frozen
class Shown:
    """A certificate for TLS towards a target; one that cannot be used fails when the target is dialled."""

    fsm_issued: bool
    usable: bool
    digest: str


@frozen
class Range:
    """An entry of `DestinationIPRanges`: the addresses of a family that begin with some bits.

    Attributes:
        prefixes: the addresses, one prefix or none; None where it cannot be read, which breaks the port.
    """

    prefixes: tuple[Prefix, ...] | None
    cert: Shown | None


@frozen
class Host:
    """What a Host leads to; `plain` is the form of FSM up to 1.3.7, nothing but the name of the rules."""

    rules: str
    service: str
    plain: bool


@frozen
class Rule:
    """An entry of `RouteRules`: `methods` None for those that are forwarded."""

    path: str
    kind: str
    methods: tuple[str, ...] | None
    headers: tuple[tuple[str, str], ...]
    clusters: tuple[tuple[str, int], ...]


@frozen
class Enforced:
    """What the key `Enforce` has this library's module do.

    Attributes:
        accept: what a client may send; None for anything.
        server_names: the cluster of each server name; None for any name.
    """

    egress: bool
    accept: tuple[str, ...] | None
    server_names: tuple[tuple[str, str], ...] | None
    cert: Shown | None


@frozen(eq=False)
class Match:
    """A traffic match, at a place of the config; `ranges` is None for any address."""

    place: str
    protocol: str
    ranges: tuple[Range, ...] | None
    hosts: Mapping[str, Host] | None
    rules: Mapping[str, tuple[Rule, ...]] | None
    clusters: tuple[tuple[str, int], ...]
    allowed: bool
    gateway: str
    enforced: Enforced | None

    @property
    def is_http(self) -> bool:
        """Whether it routes requests."""
        return self.protocol in {"http", "grpc"}


@frozen
class Endpoint:
    """An endpoint of a cluster; `via` the gateway between clusters, `path` what is put before a request's."""

    address: str
    weight: int
    via: str
    path: str


@frozen
class Entry:
    """An entry of `ClustersConfigs`."""

    endpoints: tuple[Endpoint, ...]
    cert: Shown | None


@frozen(eq=False)
class Tables:
    """What the scripts look at.

    Attributes:
        listens: whether anything listens at all.
        own: the certificate of the sidecar, if it has one.
        ports: the matches of each port, after they were merged.
        forwards: by key of `ForwardMatches` the gateways with their weights; `gateways`: mode and endpoints.
    """

    listens: bool
    passes: bool
    default_route: bool
    own: Shown | None
    ports: Mapping[int, tuple[Match, ...]]
    clusters: Mapping[str, Entry]
    forwards: Mapping[str, tuple[tuple[str, int], ...]]
    gateways: Mapping[str, tuple[str, tuple[str, ...]]]
    chains: Mapping[str, tuple[str, ...]]

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Tables:
        """The tables of a config."""
        spec, outbound, forward = (_under(config, key) for key in ("Spec", "Outbound", "Forward"))
        given = _under(config, "Certificate")
        certificate = _certificate(given, None)
        passes = bool(_under(spec, "Traffic").get("EnableEgress"))
        merged = _merged(_listed(_under(outbound, "TrafficMatches"), certificate))
        return cls(
            config.get("Outbound") is not None or passes,
            passes,
            bool(_under(spec, "FeatureFlags").get("EnableAutoDefaultRoute")),
            certificate if given.get("CertChain") else None,
            {int(port): found for port, found in merged.items() if str(int(port)) == port},
            {
                name: _entry(entry or {}, certificate)
                for name, entry in _under(outbound, "ClustersConfigs").items()
            },
            {key: _weights(weights) for key, weights in _under(forward, "ForwardMatches").items()},
            {
                name: ((gateway or {}).get("Mode") or TUNNEL, tuple(_under(gateway or {}, "Endpoints")))
                for name, gateway in _under(forward, "EgressGateways").items()
            },
            {name: tuple(modules or ()) for name, modules in _under(config, "Chains").items()},
        )


def _under(tree: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return tree.get(key) or {}


def _weights(given: Mapping[str, Any] | None) -> tuple[tuple[str, int], ...]:
    """What a balancer ever picks."""
    return tuple((name, weight) for name, weight in (given or {}).items() if weight)


def _certificate(given: Mapping[str, Any], own: Shown | None) -> Shown:
    """A certificate; of one that FSM issues the sidecar shows its own."""
    fsm_issued, chain = bool(given.get("FsmIssued")), given.get("CertChain") or ""
    if fsm_issued and own is not None and own.usable:
        return evolve(own, fsm_issued=True)
    usable = bool(chain and given.get("PrivateKey"))
    return Shown(fsm_issued, usable, sha256(chain.encode()).hexdigest())


def _source_cert(given: Mapping[str, Any] | None, own: Shown) -> Shown | None:
    found = (given or {}).get("SourceCert")
    return None if found is None else _certificate(found, own)


def _entry(given: Mapping[str, Any], own: Shown) -> Entry:
    endpoints = tuple(
        Endpoint(
            address,
            (end or {}).get("Weight") or 0,
            (end or {}).get("ViaGateway") or "",
            (end or {}).get("Path") or "",
        )
        for address, end in _under(given, "Endpoints").items()
    )
    return Entry(endpoints, _source_cert(given, own))


# --- matches ---------------------------------------------------------------------------------------------


def _listed(ports: Mapping[str, Any], own: Shown) -> dict[str, list[tuple[str, Match]]]:
    """The matches of each port, each with what it is merged by."""
    return {
        port: [
            (_identity(given), _match(f"TrafficMatches.{port}[{number}]", given, own))
            for number, given in enumerate(listed)
        ]
        for port, listed in ports.items()
    }


def _identity(given: Mapping[str, Any]) -> str:
    ranges = given.get("DestinationIPRanges")
    texts = [ANY_GATEWAY] if ranges is None else sorted(ranges)
    return "".join(f"|{given['Port']}_{given['Protocol']}_{text}|" for text in texts)


def _match(place: str, given: Mapping[str, Any], own: Shown) -> Match:
    ranges, hosts, rules = (
        given.get(key) for key in ("DestinationIPRanges", "HttpHostPort2Service", "HttpServiceRouteRules")
    )
    stream = _under(given, "TcpServiceRouteRules")
    return Match(
        place,
        given["Protocol"],
        None
        if ranges is None
        else tuple(Range(_prefixes(text), _source_cert(more, own)) for text, more in ranges.items()),
        None if hosts is None else {text: _host(host) for text, host in hosts.items()},
        None if rules is None else {name: tuple(_rules(listed or {})) for name, listed in rules.items()},
        _weights(stream.get("TargetClusters")),
        bool(stream.get("AllowedEgressTraffic")),
        given.get("EgressForwardGateway") or ANY_GATEWAY,
        _enforced(given.get("Enforce"), own),
    )


def _host(given: Any) -> Host:
    if isinstance(given, str):
        return Host(given, "", plain=True)
    return Host((given or {}).get("RuleName") or "", (given or {}).get("Service") or "", plain=False)


def _rules(given: Mapping[str, Any]) -> Iterator[Rule]:
    for rule in given.get("RouteRules") or ():
        methods = rule.get("Methods")
        yield Rule(
            rule["Path"],
            rule.get("Type") or "",
            None if methods is None else tuple(methods),
            tuple(_under(rule, "Headers").items()),
            _weights(rule.get("TargetClusters")),
        )


def _enforced(given: Mapping[str, Any] | None, own: Shown) -> Enforced | None:
    if given is None:
        return None
    accept, names = given.get("Accept"), given.get("ServerNames")
    return Enforced(
        bool(given.get("Egress")),
        None if accept is None else tuple(accept),
        None if names is None else tuple(names.items()),
        _source_cert(given, own),
    )


def _merged(ports: Mapping[str, Sequence[tuple[str, Match]]]) -> dict[str, tuple[Match, ...]]:
    """The matches, each folded into the first, on whichever port, whose identity contains its own."""
    known: list[str] = []
    written, starts = "", list[int]()
    found: dict[str, list[Match]] = {}
    homes: dict[str, dict[str, None]] = {port: {} for port in ports}
    for port, listed in ports.items():
        for identity, match in listed:
            place = written.find(identity) if known else -1
            home = known[_last_at(starts, place)] if place >= 0 else ""
            if home:
                found[home].append(match)
            else:  # an empty one that comes first is none to fold into
                home = identity
                if home not in found:
                    starts.append(len(written))
                    known.append(home)
                    written += f"{home}\n"
                found[home] = [match]
            homes[port].setdefault(home)
    taken: set[str] = set()
    merged: dict[str, tuple[Match, ...]] = {}
    for port, own in homes.items():
        fresh = [identity for identity in own if identity not in taken]
        taken.update(fresh)
        merged[port] = tuple(_united(found[identity]) for identity in fresh)
    return merged


def _last_at(starts: Sequence[int], place: int) -> int:
    return bisect_right(starts, place) - 1


def _united(listed: Sequence[Match]) -> Match:
    """The first match with the hosts and rules of the others; of those it has none itself, it gets none."""
    first, *others = listed
    hosts, rules = (
        None
        if getattr(first, key) is None
        else {name: value for it in listed for name, value in (getattr(it, key) or {}).items()}
        for key in ("hosts", "rules")
    )
    return evolve(first, hosts=hosts, rules=rules) if others else first


# --- ranges ----------------------------------------------------------------------------------------------


def _prefixes(text: str) -> tuple[Prefix, ...] | None:
    """A range as the sidecar reads it: without bits it is all of its family; None where it cannot."""
    address, _, tail = text.partition("/")
    found = _LENGTH.match(tail)
    length = int(found[1]) if found else 0
    value, bits, start = _ipv4(address), _IPV4, 0
    if value is None:
        value, bits, start = _ipv6(address), _IPV6, IPV6_START
    if value is None or len(text) > LONGEST_RANGE or not 0 <= length <= bits:
        return None
    first = value >> (bits - length) << (bits - length)
    if start and length >= _IPV6 - _IPV4 and first >> _IPV4 == _MAPPED:
        return ()  # those are IPv4 addresses, and no connection by IPv6 goes there
    return (Prefix.around(Address.from_key(start + first), length),)


def _ipv4(text: str) -> int | None:
    """An IPv4 address as the sidecar reads it; an octet that is missing is zero."""
    found = _OCTETS.fullmatch(text)
    octets = [int(octet or "0") for octet in found.groups()] if found else []
    return int.from_bytes(octets, "big") if octets and max(octets) < _OCTET else None


def _ipv6(text: str) -> int | None:
    """An IPv6 address as the sidecar reads it; groups that are missing at its end are zero."""
    address, scope, _ = text.partition("%")
    head, gap, tail = address.partition("::")
    if not all(part == "" or _GROUPS.fullmatch(part) for part in (head, tail)):
        return None
    if not gap and (scope or not head):
        return None
    before, after = ([int(group, 16) for group in part.split(":") if group] for part in (head, tail))
    missing = 8 - len(before) - len(after)
    if missing < 0 or (missing == 0 and before and after):
        return None
    value = 0
    for group in (*before, *[0] * missing, *after):
        value = value << 16 | group
    return value
