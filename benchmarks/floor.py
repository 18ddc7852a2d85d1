"""`f`: the fastest dictionaries that we could write by hand for the workload, the floor of what can be.

A connection is a plain tuple with its address as an integer, a result a tuple made beforehand. Nothing is
checked, and what the workload does not hold is left out: `http` and `https` policies with prefixes, `tcp`
policies without, certificates, gateways, traffic splits, services with a common address, UDP.

Measured and found slower, or no faster: dictionaries by prefix length, or by leading bits before the
bisection; a line for each kind of payload; port and kind in one number; a list of 65,536 ports; exceptions
for what is missing; nested tuples; arguments with defaults instead of variables of the function around.
"""

from __future__ import annotations

import re
import socket
from bisect import bisect_right
from functools import cache, partial
from socket import inet_pton
from typing import TYPE_CHECKING, Any, TypeAlias

from fsm_egress import (
    EgressPolicy,
    Endpoints,
    HTTPRouteGroup,
    Protocol,
    Reason,
    Service,
    Snapshot,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .workload import Call

__all__ = ["Floor", "Index", "Plain", "Result", "TextFloor", "plain"]

Rule: TypeAlias = "tuple[Any, str]"
"""A resource, and the path of a field in it."""
Result: TypeAlias = "tuple[Verdict, Reason, Rule]"
Plain: TypeAlias = "tuple[int, int, int, str | None, str, str, Mapping[str, str] | None]"
"""Port, address, kind, host in lower case or server name, method, path, headers."""
Floor: TypeAlias = "Callable[[Plain], Result]"
TextFloor: TypeAlias = "Callable[[str, int, str, str | None, str, str, Mapping[str, str] | None], Result]"
Account: TypeAlias = "tuple[str, str]"
Leaf: TypeAlias = "tuple[Any, Any, Any]"
"""Of each kind the result, or the dictionary of hosts that leads to it; what is unknown is under None."""
Line: TypeAlias = "tuple[list[int], list[Leaf]]"
"""Where the line of all addresses is cut, and from the second on the leaf of each piece."""

Tables: TypeAlias = "tuple[dict[int, Line], Line]"
"""The line of each port, and of all others."""
Piece: TypeAlias = "tuple[int, int, int, Leaf]"
"""A prefix: its first key, the last one below zero, the order of its policy, its leaf."""

AF_INET, AF_INET6 = int(socket.AF_INET), int(socket.AF_INET6)  # quicker than as members of an enumeration
TCP, TLS, HTTP = range(3)
KINDS = {"bytes": TCP, "nothing": TCP, "tls": TLS, "http": HTTP}
IPV6 = 1 << 32
END = IPV6 + (1 << 128)
PORT_PATHS = [f"spec.ports[{at}]" for at in range(64)]
FORWARDED = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
SUFFIXES = ("", ".svc", ".svc.cluster", ".svc.cluster.local")
LITERAL = re.compile(r"[\w/=&-]*", re.ASCII)
STREAMS = (Protocol.TCP, Protocol.TCP_SERVER_FIRST)


def plain(call: Call) -> Plain:
    """A connection as `f` takes it."""
    return (
        call.port,
        _key(call.destination),
        KINDS[call.sends],
        call.host and call.host.lower(),
        call.method,
        call.path,
        call.headers or {},
    )


def _key(text: str) -> int:
    if ":" in text:
        return IPV6 + int.from_bytes(inet_pton(AF_INET6, text), "big")
    return int.from_bytes(inet_pton(AF_INET, text), "big")


# --- deciding --------------------------------------------------------------------------------------------
# The same is written twice, as a call in a call costs a fifth of the time.


def _decider(tables: Tables) -> Floor:
    """`f` of a connection that is given."""
    lines, other = tables
    line_of, bisect, result = lines.get, bisect_right, tuple

    def f(connection: Any) -> Any:
        port, key, kind, host, method, path, headers = connection
        starts, leaves = line_of(port, other)
        cell = leaves[bisect(starts, key)][kind]
        if cell.__class__ is result:
            return cell
        found = cell.get(host)
        if found is None:
            return cell[None]
        if kind == TLS:
            return found
        routes = found.get(method)
        if routes.__class__ is result:
            return routes
        if routes is not None:
            for literal, search, wanted, decided in routes:
                if (literal in path) if search is None else search(path):
                    if wanted is None:
                        return decided
                    for name, look in wanted:
                        if not look(headers.get(name, "")):
                            break
                    else:
                        return decided
        return found[None]

    return f


def _decider_of_texts(tables: Tables) -> TextFloor:
    """`f` of a connection in texts, as `Call` has them."""
    lines, other = tables
    line_of, bisect, result = lines.get, bisect_right, tuple
    read, number, ipv4, ipv6, start, kinds = inet_pton, int.from_bytes, AF_INET, AF_INET6, IPV6, KINDS

    def f(
        destination: str,
        port: int,
        sends: str,
        host: str | None,
        method: str,
        path: str,
        headers: Mapping[str, str] | None,
    ) -> Any:
        if ":" in destination:
            key = start + number(read(ipv6, destination), "big")
        else:
            key = number(read(ipv4, destination), "big")
        starts, leaves = line_of(port, other)
        kind = kinds[sends]
        cell = leaves[bisect(starts, key)][kind]
        if cell.__class__ is result:
            return cell
        found = cell.get(host and host.lower())
        if found is None:
            return cell[None]
        if kind == TLS:
            return found
        routes = found.get(method)
        if routes.__class__ is result:
            return routes
        if routes is not None:
            for literal, search, wanted, decided in routes:
                if (literal in path) if search is None else search(path):
                    if wanted is None:
                        return decided
                    for name, look in wanted:
                        if not look(headers.get(name, "") if headers else ""):
                            break
                    else:
                        return decided
        return found[None]

    return f


# --- building --------------------------------------------------------------------------------------------


class Index:
    """What `f` of any account is made of; all that several accounts need is made once."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.inside = cache(partial(_inside, snapshot))
        self.named: dict[Account, list[EgressPolicy]] = {}
        named = self.named
        for policy in snapshot.kind(EgressPolicy):
            for source in policy.spec.sources:
                account = source.name, source.namespace
                if account in named:
                    named[account].append(policy)
                else:
                    named[account] = [policy]

    def floor(self, account: Account) -> Floor:
        """`f` of an account, by name and namespace."""
        return _decider(self._tables(account))

    def floor_of_texts(self, account: Account) -> TextFloor:
        """The same, of connections in texts."""
        return _decider_of_texts(self._tables(account))

    def _tables(self, account: Account) -> Tables:
        return _tables(self.snapshot, self.inside(account[1]), self.named.get(account, []))


def _inside(snapshot: Snapshot, namespace: str) -> dict[int, list[Piece]]:
    """The addresses of services by port, as accounts of a namespace reach them."""
    pieces: dict[int, list[Piece]] = {}
    requests: dict[int, list[tuple[list[int], Rule]]] = {}
    hosts: dict[int, dict[str | None, Any]] = {}
    endpoints_of = snapshot.kind(Endpoints).get
    for service in snapshot.kind(Service):
        name, space = service.metadata.name, service.metadata.namespace
        endpoints = endpoints_of(space, name)
        pods = [entry.ip for subset in endpoints.subsets for entry in subset.addresses] if endpoints else []
        keys = [_key(service.spec.cluster_ip), *(pod.key for pod in pods)]
        for at, port in enumerate(service.spec.ports):
            number, rule = port.port, (service, PORT_PATHS[at])
            if port.app_protocol == "http":
                routes: dict[str | None, Any] = dict.fromkeys(
                    FORWARDED, (Verdict.IN_MESH, Reason.HTTP_ROUTE, rule)
                )
                routes[None] = (Verdict.DENIED, Reason.NO_ROUTE, rule)
                table = hosts.setdefault(number, {})
                if space == namespace:
                    table[name] = table[f"{name}:{number}"] = routes
                for suffix in SUFFIXES:
                    table[f"{name}.{space}{suffix}"] = table[f"{name}.{space}{suffix}:{number}"] = routes
                for address in (service.spec.cluster_ip, *map(str, pods)):
                    table[address] = table[f"{address}:{number}"] = routes
                requests.setdefault(number, []).append((keys, rule))
            else:
                decided = (Verdict.IN_MESH, Reason.TCP_SERVICE, rule)
                leaf: Leaf = (decided, decided, decided)
                pieces.setdefault(number, []).extend((key, -key, -1, leaf) for key in keys)
    for number, owners in requests.items():
        for keys, rule in owners:
            mismatch = (Verdict.DENIED, Reason.PROTOCOL_MISMATCH, rule)
            leaf = mismatch, mismatch, {**hosts[number], None: (Verdict.DENIED, Reason.NO_HOST, rule)}
            pieces.setdefault(number, []).extend((key, -key, -1, leaf) for key in keys)
    return pieces


def _tables(snapshot: Snapshot, inside: Mapping[int, list[Piece]], policies: list[EgressPolicy]) -> Tables:
    """The line of each port, and that of all others."""
    pieces = {number: owned.copy() for number, owned in inside.items()}
    firsts: dict[int, Rule] = {}  # the first claim of a port for any address
    names: dict[int, dict[str | None, Result]] = {}
    hosts: dict[int, dict[str | None, Any]] = {}
    claims: dict[tuple[int, str], list[tuple[EgressPolicy, Rule]]] = {}
    groups = snapshot.kind(HTTPRouteGroup).get
    for order, policy in enumerate(policies):
        spec = policy.spec
        for at, port in enumerate(spec.ports):
            number, protocol, rule = port.number, port.protocol, (policy, PORT_PATHS[at])
            if protocol is Protocol.HTTP:
                if number not in hosts:
                    hosts[number] = {None: (Verdict.DENIED, Reason.NO_HOST, rule)}
                    firsts.setdefault(number, rule)
                table = hosts[number]
                claim = [(policy, rule)]
                routes = None
                for host in spec.hosts:
                    known = claims.get((number, host))
                    if known is None:
                        claims[number, host] = claim
                        if routes is None:
                            routes = _routes(claim, groups)
                        table[host] = table[f"{host}:{number}"] = routes
                    else:
                        claims[number, host] = both = [*known, *claim]
                        table[host] = table[f"{host}:{number}"] = _routes(both, groups)
            elif protocol is Protocol.HTTPS:
                if number not in names:
                    names[number] = {None: (Verdict.DENIED, Reason.NO_SERVER_NAME, rule)}
                    firsts.setdefault(number, rule)
                decided = (Verdict.EGRESS_POLICY, Reason.TLS_SERVER_NAME, rule)
                for host in spec.hosts:
                    names[number].setdefault(host, decided)
            else:
                decided = (Verdict.EGRESS_POLICY, Reason.TCP_PORT, rule)
                leaf = (decided, decided, decided)
                line = pieces.get(number)
                if line is None:
                    line = pieces[number] = []
                for prefix in spec.ip_addresses:
                    first = prefix.first
                    size = 1 << (32 if first < IPV6 else 128) - prefix.length
                    line.append((first, 1 - first - size, order, leaf))
    nothing = (Verdict.DENIED, Reason.EGRESS_DISABLED, (snapshot.mesh_config, "spec.traffic.enableEgress"))
    unclaimed = (nothing, nothing, nothing)
    lines: dict[int, Line] = {}
    for number in {*pieces, *firsts}:
        anywhere: Leaf = unclaimed
        if number in firsts:
            mismatch = (Verdict.DENIED, Reason.PROTOCOL_MISMATCH, firsts[number])
            anywhere = mismatch, names.get(number, mismatch), hosts.get(number, mismatch)
        lines[number] = _line(pieces.get(number, []), anywhere)
    return lines, _line([], unclaimed)


def _line(pieces: list[Piece], anywhere: Leaf) -> Line:
    """The line cut by prefixes; where several hold a place, the first policy has it."""
    starts, leaves = [0], [anywhere, anywhere]
    around: list[tuple[int, int, Leaf]] = []
    pieces.sort()
    for first, last, order, leaf in [*pieces, (END, -END, 0, anywhere)]:
        while around and around[-1][0] < first:
            end = around.pop()[0] + 1
            outer = around[-1][2] if around else anywhere
            if starts[-1] == end:
                leaves[-1] = outer
            else:
                starts.append(end)
                leaves.append(outer)
        if first == END or (around and around[-1][1] < order):
            continue
        around.append((-last, order, leaf))
        if starts[-1] == first:
            leaves[-1] = leaf
        else:
            starts.append(first)
            leaves.append(leaf)
    return starts, leaves


def _routes(
    claims: list[tuple[EgressPolicy, Rule]], groups: Callable[[str, str], HTTPRouteGroup | None]
) -> Any:
    """The routes of a host by method: those of all claims, in canonical order."""
    found: list[Any] = []
    for policy, rule in claims:
        decided = (Verdict.EGRESS_POLICY, Reason.HTTP_ROUTE, rule)
        if not policy.spec.matches:
            found.append((".*", (), (), decided))
        for reference in policy.spec.matches:
            group: Any = groups(policy.metadata.namespace, reference.name)
            for match in group.spec.matches:
                path = match.path_regex.text if match.path_regex else ".*"
                headers: Any = ()
                if match.headers:
                    headers = tuple([(name.lower(), look.text) for name, look in match.headers.items()])
                found.append((path, match.methods, headers, decided))
    if len(found) > 1:
        found.sort(key=_rank)
    routes: dict[str | None, Any] = {None: (Verdict.DENIED, Reason.NO_ROUTE, claims[0][1])}
    for path, methods, headers, decided in found:
        entry = [None, None, None, decided]
        if path == ".*":
            entry[0] = ""
        elif LITERAL.fullmatch(path):
            entry[0] = path
        else:
            entry[1] = _late(entry, path)
        if headers:
            entry[2] = wanted = [[name, None] for name, _ in headers]
            for pair, (_, look) in zip(wanted, headers, strict=True):
                pair[1] = _late(pair, look)
        for method in methods or FORWARDED:
            known = routes.get(method)
            if known is None:
                routes[method] = [entry] if path != ".*" or headers else decided
            elif known.__class__ is list:
                known.append(entry)
    return routes


def _rank(route: Any) -> Any:
    path, methods, headers, _ = route
    return path == ".*", path, -len(headers), -len(methods), headers, tuple(sorted(methods))


def _late(entry: list[Any], text: str) -> Any:
    """A search that is compiled when it is first asked for, and then stands in the entry itself."""

    def search(subject: str) -> Any:
        entry[1] = found = _search(text)
        return found(subject)

    return search


@cache
def _search(text: str) -> Any:
    return re.compile(text, re.ASCII).search
