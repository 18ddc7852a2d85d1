"""Faults that are planted in one of the readings, each in a copy: the other reading and the solver show it.

The usual run plants one in each; `--hypothesis-profile long` all of them, and none.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
import small
from random_meshes import resource
from small import WHO, config, egress, load, routes, service
from solving import agrees, agrees_about_the_sidecar, asking, fate_of, is_long

import fsm_egress as fe
from fsm_egress.resolution import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Where = fe.Where

# The module, what stands in it, and what stands there instead.
Fault = tuple[str, str, str]
ENGINE: list[Fault] = [
    ("engine.tables", "return all(\n        pattern.search(", "return any(\n        pattern.search("),
    ("engine.allowing", "if group.stream:", "if group.stream and group.prefixes:"),
    ("engine.compiling", "reversed(interception.excluded_ports)", "()"),
    ("engine.compiling", "dict.fromkeys(interception.local, ", "dict.fromkeys(interception.own, "),
    (
        "engine.tables",
        "for method in route.methods or FORWARDED_METHODS:",
        "for method in FORWARDED_METHODS:",
    ),
    ("engine.compiling", "if not targets:", "if targets is None:"),
    ("engine.allowing", "authority.removesuffix(self._behind)", "authority"),
    ("engine.allowing", "if self.group.any_tls:", "if self.group.any_tls and self.group.server_names:"),
    (
        "engine.allowing",
        "min(allowed.group.hosts, default=None)",
        "max(allowed.group.hosts, default=None)",
    ),
    ("engine.compiling", "if policy.spec.enable_egress:", "if not policy.spec.enable_egress:"),
    (
        "engine.compiling",
        "return over(cut(PrefixTable(owned, None)), cut(PrefixTable(claimed, anywhere)))",
        "return cut(PrefixTable(claimed, anywhere))",
    ),
    (
        "engine.compiling",
        "mismatch = denial(Reason.PROTOCOL_MISMATCH, rule, taken, owners)",
        "mismatch = denial(Reason.NO_HOST, rule, taken, owners)",
    ),
]
PARTITION: list[Fault] = [
    (
        "division.criteria",
        "lines.update((number, passed) for number, _ in policy.interception.excluded_ports if number)",
        "lines.update(())",
    ),
    ("division.criteria", "_table((prefix, Place()) for prefix, _ in interception.excluded)", "_table(())"),
    ("division.criteria", "if group.stream:", "if group.stream or group.any_tls:"),
    (
        "division.criteria",
        "if claim.protocol is Protocol.HTTPS for host in claim.hosts",
        "if claim.protocol is Protocol.TCP for host in claim.hosts",
    ),
    ("division.criteria", "dict.fromkeys(host.hostnames, _cond", "dict.fromkeys(host.hostnames[:1], _cond"),
    ("division.criteria", "by_host[min(by_host)] if by_host and default else ()", "()"),
    (
        "division.criteria",
        "in _asked(route.methods or FORWARDED_METHODS, path, route.headers)",
        "in _asked(FORWARDED_METHODS, path, route.headers)",
    ),
    (
        "division.criteria",
        'sent = tuple(header for header in headers if _can_be(headers={header[0]: ""}))',
        "sent = ()",
    ),
    (
        "division.dividing",
        "if part.appeal is not Appeal.NOWHERE",
        "if part.appeal is not Appeal.NOWHERE and part.port is not None",
    ),
    ("division.criteria", "names | outer.server_names,", "outer.server_names,"),
    (
        "division.dividing",
        "if kind in within.kinds:",
        "if kind in within.kinds and kind is not Sends.DATAGRAM:",
    ),
    (
        "division.dividing",
        "TLSClientHello(unlisted_host(layer.words))",
        "TLSClientHello(min(layer.words, default=None))",
    ),
    (
        "division.requests",
        "return Asked(unlisted_host(words), Among(words))",
        "return Asked(min(words), Among(words)) if words else Asked(unlisted_host(words), Among(words))",
    ),
]
WRITER: list[Fault] = [
    ("certificates.reading", "return any_of(sends(Sends.DATAGRAM), named)", "return sends(Sends.DATAGRAM)"),
    ("certificates.reading", "self.words.to(claim.prefixes) if claim.prefixes else TRUE", "TRUE"),
    (
        "certificates.reading",
        "whole = [claim for claim in claims if not claim.broken]",
        "whole = list(claims)",
    ),
    ("certificates.reading", "in route.methods or FORWARDED_METHODS)", "in FORWARDED_METHODS)"),
    (
        "certificates.reading",
        "for name, pattern in route.headers)",
        "for name, pattern in route.headers[1:])",
    ),
    ("certificates.reading", "return fork(owned, egress)", "return egress"),
    ("certificates.reading", "anything = [it for it in whole if", "anything = [it for it in () if"),
    ("certificates.reading", 'ported = f"{host}:{port}"', "ported = host"),
    (
        "certificates.reading",
        "unknown = in_order(defaults, unknown, self.words.definitions)",
        "unknown = in_order(defaults[1:], unknown, self.words.definitions)",
    ),
    ("certificates.reading", "Fraction(weight, whole) * own", "own"),
    (
        "certificates.expressions",
        "return {side: _both(EMPTY, rest[side]) for side in SIDES}",
        "return rest",
    ),
    (
        "certificates.expressions",
        "_BEFORE_OTHER if (side == WORD) is is_boundary else _BEFORE_WORD",
        "_BEFORE_WORD if (side == WORD) is is_boundary else _BEFORE_OTHER",
    ),
    (
        "certificates.connection",
        "((_ extract {bits - 1} {bits - prefix.length})",
        "((_ extract {prefix.length - 1} 0)",
    ),
    (
        "certificates.predicates",
        "frozenset({Verdict.EGRESS_POLICY, Verdict.PASSTHROUGH})",
        "frozenset({Verdict.EGRESS_POLICY})",
    ),
    ("certificates.script", "any_of(seen, unseen) if beside else seen", "seen"),
]
MODEL: list[Fault] = [
    (
        "pipy.taking",
        "entry.mask.last, Taken(match, entry.cert, is_egress=False))",
        "entry.mask.last, Taken(match, entry.cert, is_egress=True))",
    ),
    (
        "pipy.sidecar",
        "entry = (match.hosts or {}).get(sends.host)",
        "entry = (match.hosts or {}).get(sends.authority)",
    ),
    ("pipy.sidecar", "if sends.method in rule.methods:", "if rule.methods:"),
    (
        "pipy.sidecar",
        "return CLOSED if self.version.closes_unknown_hosts else answered(FORBIDDEN)",
        "return CLOSED",
    ),
    (
        "pipy.sidecar",
        "ways.append(Way(Fraction(weight), answered(NOT_FOUND)))",
        "ways.append(Way(Fraction(weight), CLOSED))",
    ),
    (
        "pipy.sidecar",
        "passes = self.config.enable_egress or (match is not None and match.allowed)",
        "passes = self.config.enable_egress",
    ),
    ("pipy.sidecar", "shown = cert or (None if is_egress else self.config.cert)", "shown = cert"),
    (
        "pipy.taking",
        "rest = Taken(anywhere, None, is_egress=anywhere is not None)",
        "rest = Taken(anywhere, None, is_egress=False)",
    ),
    (
        "pipy.sidecar",
        "if taken.match is None and not self.config.enable_egress:",
        "if self.config.enable_egress:",
    ),
    (
        "pipy.sidecar",
        "return CLOSED if found is None else self._through",
        "return ECHOED if found is None else self._through",
    ),
    (
        "pipy.sidecar",
        "if taken.match is None and not self.config.enable_egress:",
        "if taken.match is None:",
    ),
    ("pipy.sidecar", "http2 or _is_read(sends)", "http2 or True"),
]
SIDECAR: list[Fault] = [
    ("certificates.sidecar", "return in_order(ways, rest, self.words.definitions)", "return rest"),
    (
        "certificates.sidecar",
        "any_of(*map(self.words.host, texts))",
        "any_of(*map(self.words.authority, texts))",
    ),
    (
        "certificates.sidecar",
        "_one_of(FORWARDED if rule.methods is None else rule.methods)",
        "_one_of(FORWARDED)",
    ),
    ("certificates.sidecar", "CLOSED if self.scripts.closes_unknown else answered(FORBIDDEN)", "CLOSED"),
    (
        "certificates.sidecar",
        "ways += _weighted(answered(NOT_FOUND).ways, Fraction(weight))",
        "ways += _weighted(CLOSED.ways, Fraction(weight))",
    ),
    (
        "certificates.sidecar",
        "is_let = self.tables.passes or (only is None and match is not None and match.allowed)",
        "is_let = self.tables.passes",
    ),
    (
        "certificates.sidecar",
        "shown = cert or (None if taken.is_egress else self.tables.own)\n        if shown is not None:",
        "shown = cert\n        if shown is not None:",
    ),
    (
        "certificates.sidecar",
        "self.through(_Taken(anywhere, None, is_egress=True))",
        "self.through(_Taken(anywhere, None, is_egress=False))",
    ),
    ("certificates.sidecar", "if self.tables.default_route:", "if self.tables.default_route and not hosts:"),
    ("certificates.sidecar", "if not self.tables.listens:", "if self.tables.listens:"),
    ("certificates.fares", "return answered(fate.status) if fate.status else CLOSED", "return CLOSED"),
    ("certificates.fares", "shown = has_certificate if inside else fate.certified", "shown = fate.certified"),
]
FAULTS = [*ENGINE, *PARTITION, *WRITER, *MODEL, *SIDECAR]
PLANTED = FAULTS if is_long() else [ENGINE[0], PARTITION[3], WRITER[3], SIDECAR[3]]

GROUP = [{"apiGroup": small.ROUTES, "kind": "HTTPRouteGroup", "name": "r"}]
GET = routes("r", {"pathRegex": r"^/v1\b.*x$", "methods": ["PUT"], "headers": [{"x-a": "^1$"}, {"x-b": "2"}]})
LACKING = {"issuer": "other"}
RANGES = ["54.0.0.0/8", "10.9.0.0/16"]
LISTS = {"outboundPortExclusionList": [7], "outboundIPRangeExclusionList": ["198.51.100.0/24"]}
DEFAULT = {"enableAutoDefaultRoute": True}
WEB = service("web", "http-web 80", ip="54.9.9.9", pods=["10.0.0.1"])
SPLIT = {
    "service": "shared",
    "backends": [{"service": "db", "weight": 30}, {"service": "shared", "weight": 70}],
}
MESHES: list[list[Any]] = [
    [
        config(),
        GET,
        egress("routed", "http 80", hosts=["a.com"], matches=GROUP),
        egress("named", "https 443", hosts=["a.com"]),
        egress("any", "https 8443"),
        egress("ranged", "tcp 80", ipAddresses=RANGES),
        WEB,
    ],
    [
        config({"enableEgress": True, **LISTS}, featureFlags=DEFAULT),
        egress("ranged", "http 80", hosts=["a.com"], ipAddresses=RANGES),
        egress("wide", "http 80", "https 80", "tcp 25", hosts=["b.com"]),
        egress("lacking", "http 80", "https 443", hosts=["c.org"], mtls=LACKING),
        service("db", "tcp-db 5432", ip="10.96.0.2", pods=[]),
        WEB,
    ],
    [
        config(featureFlags=DEFAULT),
        GET,
        egress("routed", "http 80", hosts=["a.com"], matches=GROUP),
        egress("any", "https 80", hosts=[]),
        egress("unrouted", "http 80", hosts=["z.com"]),
        WEB,
    ],
    [
        config({"outboundPortExclusionList": [7]}),
        egress("any", "https 443"),
        WEB,
        service("none", "http-web 81", ip="10.96.0.3", pods=[]),
        service("db", "http-web 82", ip="10.96.0.2", pods=["10.0.0.2", "10.0.0.3"]),
        service("shared", "http-web 82", ip="10.96.0.4", pods=["10.0.0.4"]),
        resource("split.smi-spec.io/v1alpha4", "TrafficSplit", "shop", "s", spec=SPLIT),
    ],
    [
        config(featureFlags=DEFAULT),
        GET,
        egress("routed", "http 80", hosts=["a.com"], matches=GROUP),
        egress("lacking", "http 80", hosts=["c.org"], mtls=LACKING),
    ],
]
BOTH = {"x-a": "1", "x-b": "2"}
REQUESTS = [
    fe.HTTPRequest(method, host, path, headers)
    for host in ("a.com", "A.com:80", "b.com", "c.org", "nobody.org", "web.shop")
    for method in ("PUT", "GET")
    for path, headers in (
        ("/v1/x", BOTH),
        ("/v1/x", {"x-a": "1"}),
        ("/v1/x", {"x-b": "2"}),
        ("/v1/xy", BOTH),
        ("/v1x", BOTH),
    )
]
SENT: list[Any] = [
    fe.Sends.BYTES,
    fe.Sends.DATAGRAM,
    *map(fe.TLSClientHello, (None, "a.com", "z.net")),
    *REQUESTS,
]
CONNECTIONS = [
    fe.Connection(address, port, sent)
    for address, port in (
        ("54.9.9.8", 80),
        ("203.0.113.7", 80),
        ("54.9.9.9", 80),
        ("203.0.113.7", 8443),
        ("203.0.113.7", 25),
        ("203.0.113.7", 7),
        ("127.0.0.1", 443),
        ("10.96.0.2", 5432),
        ("10.96.0.2", 9),
    )
    for sent in (SENT if port == 80 else SENT[:5])
]
CONNECTIONS.append(fe.Connection("10.96.0.4", 82, fe.HTTPRequest("GET", "shared.shop", "/")))  # fmt: skip
OUT = Where.outside()
QUESTIONS = [
    OUT & Where.host("a.com") & ~Where.method("PUT"),
    OUT & ~Where.to(*RANGES) & Where.port(80) & Where.sends("http") & Where.host("b.com:80"),
    OUT & Where.port(443) & Where.sends("tls"),
    OUT & Where.port(7),
    OUT & Where.to("198.51.100.0/24") & Where.port(80),
    OUT & ~Where.port(80) & ~Where.port(443) & ~Where.port(8443),
    OUT & Where.port(80) & Where.host("nobody.org"),
    OUT & Where.port(80) & Where.sends("http") & ~Where.to(*RANGES),
    OUT & Where.port(80) & Where.sends("tls") & ~Where.to(*RANGES),
    OUT & Where.port(80) & Where.sends("http") & ~Where.host("a.com", "a.com:80", "b.com", "b.com:80"),
    OUT & Where.sends("bytes"),
    OUT & Where.sends("bytes") & ~Where.to("54.0.0.0/8"),
    Where.verdict("IN_MESH") & Where.sends("http") & ~Where.host("10.0.0.1"),
    Where.sends("datagram"),
    Where.sends("nothing") & Where.to(RANGES[0]),
    Where.verdict("IN_MESH") & Where.host("web.shop.svc"),
    Where.reason("no_certificate") & Where.host("c.org:80"),
    Where.reason("no_server_name") & ~Where.host("", "a.com", "c.org"),
    Where.reason("http_route") & ~Where.method("PUT") & ~Where.host("web.shop"),
]


@cache
def mesh(number: int) -> fe.Snapshot:
    return load(*MESHES[number])


def disagreements(numbers: Iterable[int] = range(len(MESHES))) -> Iterator[str]:
    """Where the readings differ: about connections, about what never happens, about what a change does."""
    for number in numbers:
        if not agrees_about_the_sidecar(fe.verify(mesh(number), WHO)):
            yield f"{number}: the sidecar"
    for number in numbers:
        yield from _about_connections(number)
    for number in numbers:
        for where in QUESTIONS:
            if not agrees(fe.never(mesh(number), where, WHO)):
                yield f"{number}: {where}"
        for other in range(number):
            if not agrees(fe.implies(mesh(number), mesh(other), WHO)):
                yield f"{number}, {other}"


def _about_connections(number: int) -> Iterator[str]:
    policy = resolve(mesh(number), WHO)
    engine, solver = fe.Engine.compile(policy), asking(policy)
    told = [(it, fate_of(engine.classify(it))) for it in CONNECTIONS]
    yield from (f"{number}: {connection}" for connection, _ in solver.wrong(told))


def source_of(room: str) -> str:
    """The text of a module of the package."""
    file = import_module(f"fsm_egress.{room}").__file__
    assert file is not None
    return Path(file).read_text(encoding="utf-8")


def plant(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a copy of a module with the fault in the place of the module, wherever it is known."""
    room, old, new = fault
    for known in (
        *fe.__all__,
        "certificates.script",
        "certificates.documents",
        "verification.certified",
        *(it for it, *_ in FAULTS),
    ):
        _ = getattr(fe, known, None) or import_module(f"fsm_egress.{known}")  # else it would keep the fault
    original = import_module(f"fsm_egress.{room}")
    name = original.__name__
    copy = ModuleType(name)
    copy.__package__ = name.rpartition(".")[0]
    exec(compile(source_of(room).replace(old, new), f"<{name}>", "exec"), vars(copy))  # noqa: S102  # because it is ours
    own = {
        id(value): key for key, value in vars(original).items() if getattr(value, "__module__", "") == name
    }
    for module in [it for key, it in sys.modules.items() if key.startswith(("fsm_egress", "solving"))]:
        for key, value in list(vars(module).items()):
            if id(value) in own:
                monkeypatch.setattr(module, key, vars(copy)[own[id(value)]])


def told(fault: Fault) -> str:
    return f"{fault[0]}: {fault[1][:40]}"


@pytest.mark.parametrize("fault", PLANTED, ids=told)
def test_a_planted_fault_is_found(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(fault, monkeypatch)
    assert next(disagreements(), None) is not None


@pytest.mark.parametrize("number", range(len(MESHES)) if is_long() else [2])
def test_where_no_fault_is_planted_none_is_found(number: int) -> None:
    assert next(disagreements([number]), None) is None


@pytest.mark.parametrize("fault", FAULTS, ids=told)
def test_each_fault_can_be_planted(fault: Fault) -> None:
    room, old, new = fault
    assert (source_of(room).count(old), old != new) == (1, True)


def test_there_are_a_dozen_in_each_reading() -> None:
    assert min(map(len, (ENGINE, PARTITION, WRITER, MODEL, SIDECAR))) >= 12
