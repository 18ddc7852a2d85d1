"""Near misses in what is sent: another protocol, another host, or parts of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from ..connections.payloads import HTTPRequest, TLSClientHello, shown_headers, shown_host, shown_path
from ..patterns.automata import Texts
from ..resources.resource import ObjectMeta
from ..resources.smi import HTTPMatch, HTTPRouteGroup, HTTPRouteGroupSpec
from ..resources.words import FORWARDED_METHODS, Protocol
from ..values.references import FieldRef
from .nearness import differing, host_nearness, plain_host
from .proposals import Proposal, missing_one, text_with, usual_first
from .question import missing_references
from .rule_parts import ROUTE_FIELDS, Offer, Unmet, unmet_by
from .types import Change, Difference, Edit, Nearness
from .wording import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..policy.parts import HTTPRoute
    from .question import Question

__all__ = ["other_payloads", "payloads"]

NEIGHBOURS = 4  # routes
_ASKED = {Difference.METHOD, Difference.PATH}  # which go together


def other_payloads(question: Question, offer: Offer) -> Iterator[Proposal]:
    """What is sent: another protocol, another host, or one part of the request."""
    sent = question.connection.sends
    if not isinstance(sent, HTTPRequest if offer.protocol is Protocol.HTTP else TLSClientHello):
        is_listed = question.is_listed(offer, question.name)
        asked = question if is_listed else evolve(question, name=plain_host(question.name))
        if not (asked.name and offer.hosts) or question.is_listed(offer, asked.name):
            yield Proposal(
                Difference.PROTOCOL,
                Nearness.PROTOCOL,
                0,
                offer.rule,
                offer.rule,
                question.connection.kind.value,
                offer.protocol.value,
                lambda: (question.connection.replace(sends=it) for it in payloads(asked, offer)),
            )
    elif not isinstance(sent, HTTPRequest) or not question.is_listed(offer, question.name):
        yield from _other_host(question, offer)
    else:
        lacking = [(route, unmet_by(route, sent)) for route in offer.routes or ()]
        is_close = any(len(unmet) == 1 for _, unmet in lacking)
        for route, unmet in lacking:
            if len(unmet) == 1:
                yield _other_request(question, sent, offer, route, unmet[0])
            elif unmet and (not is_close or {kind for kind, *_ in unmet} == _ASKED):
                yield _other_parts(question, sent, offer, route, unmet)
        if offer.policy:
            for at, name in missing_references(question, offer.policy, HTTPRouteGroup):
                everything = HTTPRouteGroupSpec((HTTPMatch("everything"),))
                group = HTTPRouteGroup(ObjectMeta(name, offer.policy.namespace), everything)
                yield evolve(missing_one(Difference.ROUTE_GROUP, at, group), rule=offer.rule)


def payloads(question: Question, offer: Offer) -> Iterator[HTTPRequest | TLSClientHello]:
    """The plainest things that an offer takes; of its hosts the one that is asked for, if any is."""
    asked = [question.name] if question.name else []
    hosts = [it for it in asked or offer.hosts[:1] if question.is_listed(offer, it)] if offer.hosts else asked
    if offer.protocol is Protocol.HTTPS:
        yield from map(TLSClientHello, hosts)
        if not offer.hosts and not hosts:
            yield TLSClientHello()
        return
    for route in (offer.routes or ())[: NEIGHBOURS if hosts else 0]:
        headers = {name: text_with(pattern, Texts.VALUE) for name, pattern in route.headers}
        path = "/" if route.path.search("/") else text_with(route.path, Texts.PATH)
        yield HTTPRequest(usual_first(route)[0], hosts[0], path, headers)


def _other_host(question: Question, offer: Offer) -> Iterator[Proposal]:
    """The nearest of an offer's hosts; a wildcard only if it was meant for this one."""
    ways = sorted((*host_nearness(question.name, host), host) for host in offer.hosts)
    meant = [it for it in ways if it[0] is Nearness.SPELLING or not it[2].startswith("*.")]
    if not meant:
        return
    nearness, distance, host = meant[0]
    sent, policy = question.connection.sends, offer.policy
    is_request = isinstance(sent, HTTPRequest)

    def changes() -> Iterator[Change]:
        if policy and host.startswith("*."):
            words = f"add {plain_host(question.name)} to spec.hosts of {policy.ref}"
            hosts = (*policy.spec.hosts, plain_host(question.name))
            yield Edit(words, evolve(policy, spec=evolve(policy.spec, hosts=hosts)))
        else:
            changed = sent.replace(host=host) if isinstance(sent, HTTPRequest) else TLSClientHello(host)
            yield question.connection.replace(sends=changed)

    is_wildcard = host.startswith("*.")
    difference = Difference.HOST if is_request else Difference.SERVER_NAME
    yield Proposal(
        Difference.WILDCARD if is_wildcard else difference,
        nearness,
        distance,
        offer.rule,
        offer.beside("spec.hosts"),
        shown_host(question.name),
        host if is_wildcard else shortened([name for _, _, name in ways]),
        changes,
        ("mesh", offer.rule.resource) if is_wildcard else None,
    )


def _other_request(
    question: Question, sent: HTTPRequest, offer: Offer, route: HTTPRoute, unmet: Unmet
) -> Proposal:
    """The one part of a request that a route does not take."""
    kind, name, pattern = unmet
    at = route.route or offer.rule

    def requests() -> Iterator[HTTPRequest]:
        if pattern is None:
            yield from (sent.replace(method=method) for method in usual_first(route))
        elif kind is Difference.PATH:
            yield sent.replace(path=text_with(pattern, Texts.PATH))
        elif name == "host":
            yield from (sent.replace(host=host) for host in offer.hosts if pattern.search(host))
        else:
            yield sent.replace(headers={**sent.headers, name: text_with(pattern, Texts.VALUE)})

    value = {Difference.METHOD: sent.method, Difference.PATH: sent.path}.get(kind) or sent.header(name)
    text = pattern.text if pattern else ", ".join(route.methods or FORWARDED_METHODS)
    shown = shown_host(value) if name == "host" else shown_path(value)
    found = shown_headers({name: shown})[name] if value else value
    header = f"{name}: " if name else ""
    return Proposal(
        kind,
        Nearness.REQUEST,
        differing(value, text) if pattern else 0,
        offer.rule,
        FieldRef(at.resource, f"{at.path}.{ROUTE_FIELDS[kind]}", at.source) if route.route else at,
        header + found,
        header + text,
        lambda: (question.connection.replace(sends=it) for it in requests()),
        ("pattern", text) if pattern else None,
    )


def _other_parts(
    question: Question, sent: HTTPRequest, offer: Offer, route: HTTPRoute, unmet: list[Unmet]
) -> Proposal:
    """The parts of a request that a route does not take, where they are several: they go together."""
    at, kinds = route.route or offer.rule, [kind for kind, *_ in unmet]
    headers = {name: pattern for _, name, pattern in unmet if name and pattern}
    methods = usual_first(route) if Difference.METHOD in kinds else [sent.method]

    def requests() -> Iterator[Change]:
        path = text_with(route.path, Texts.PATH) if Difference.PATH in kinds else sent.path
        texts = {name: text_with(it, Texts.VALUE) for name, it in headers.items() if name != "host"}
        host = next((it for it in offer.hosts if headers["host"].search(it)), "") if "host" in headers else ""
        for it in methods:
            other = sent.replace(method=it, path=path, headers={**sent.headers, **texts})
            yield question.connection.replace(sends=other.replace(host=host) if host else other)

    values = {name: shown_host(sent.host) if name == "host" else sent.header(name) for name in headers}
    found = {name: text and shown_headers({name: text})[name] for name, text in values.items()}
    distances = [differing(sent.path, route.path.text)] if Difference.PATH in kinds else []
    distances += [differing(sent.header(name), pattern.text) for name, pattern in headers.items()]
    patterns = {name: pattern.text for name, pattern in headers.items()}
    return Proposal(
        Difference.METHOD_AND_PATH if kinds == [Difference.METHOD, Difference.PATH] else Difference.REQUEST,
        Nearness.REQUEST,
        (len(unmet) - 1) * len(sent.path) + sum(distances),  # farther than what misses by fewer
        offer.rule,
        at,
        _together(kinds, sent.method, shown_path(sent.path), found),
        _together(kinds, ", ".join(methods), route.path.text, patterns),
        requests,
        ("pattern", tuple(pattern.text for *_, pattern in unmet if pattern)),
    )


def _together(kinds: list[Difference], method: str, path: str, headers: Mapping[str, str]) -> str:
    """Those of a request's parts that are of these kinds, in words."""
    line = {Difference.METHOD: method, Difference.PATH: path}
    words = " ".join(text for kind, text in line.items() if kind in kinds)
    return " with ".join(filter(None, [words, " and ".join(f"{it}: {text}" for it, text in headers.items())]))
