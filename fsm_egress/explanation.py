"""Why a connection is decided as it is: the way through the stages, and what it missed by one thing only.

A near miss is proposed by looking at the rules, nearest first, and told only if the engine allows the changed
question by that very rule: what is told was tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import evolve, field, frozen

from .automata import Texts, Undecided, witness
from .checks import FORWARDED_METHODS, KNOWN_METHODS, Protocol
from .connection import Connection, HTTPRequest, Sends, TLSClientHello, socket_address
from .core import Namespace, Secret
from .decision import Decision, Reason, Verdict
from .egress import EgressPolicy, UpstreamTrafficSetting, UpstreamTrafficSettingSpec
from .engine import Engine
from .errors import InvalidValue, shortly
from .frozen import FrozenMap
from .net import IPV6_START, Address, Prefix
from .policy import HTTPRoute
from .references import FieldRef, ResourceRef
from .resolution import resolve
from .resource import ObjectMeta, Resource, ServiceIdentity
from .smi import HTTPMatch, HTTPRouteGroup, HTTPRouteGroupSpec
from .snapshot import SERVICE_ACCOUNT, Snapshot
from .tables import Shown, Table
from .words import Word

if TYPE_CHECKING:
    from .egress import EgressSource
    from .meshconfig import MeshConfig
    from .patterns import Pattern
    from .policy import Claim, MeshMatch, OutboundPolicy

__all__ = ["Difference", "Edit", "Explanation", "NearMiss", "Nearness", "Stage", "StageName", "explain"]

SHOWN = 5  # near misses in the text
TRIES = 64  # proposals that are put to the engine
NEEDS = 8  # other ports, accounts and meshes that are looked into, and patterns that texts are found for
WAYS = 12  # of changing one thing that are tried, from so many
NEIGHBOURS = 4  # prefixes or routes
SLIP = 2  # characters that a slip of the pen gets wrong
KIN_BITS = {4: 16, 6: 80}  # the last ones, in which addresses of one neighbourhood may differ
OTHER_FAMILY = 129
LISTED = 2  # resources that are named one by one
NAMED = 3  # hosts or ranges that are
MONITORED = "flomesh.io/monitored-by"


class StageName(Word):
    """The stages of `spec/decision.md`, in their order."""

    INTERCEPTION = "interception"
    IN_MESH = "in-mesh"
    EGRESS_POLICIES = "egress policies"
    PASSTHROUGH = "passthrough"


STAGES = tuple(StageName)
WIDTH = max(map(len, STAGES))


class Difference(Word):
    """The one thing that a near miss differs in."""

    HOST = "host"
    SERVER_NAME = "server_name"
    PORT = "port"
    ADDRESS = "address"
    PROTOCOL = "protocol"
    METHOD = "method"
    PATH = "path"
    HEADER = "header"
    ACCOUNT = "account"
    SOURCE_KIND = "source_kind"
    NAMESPACE = "namespace"
    FEATURE_FLAG = "feature_flag"
    ROUTE_GROUP = "route_group"
    SETTING = "setting"
    CERTIFICATE = "certificate"
    PERMISSIVE_MODE = "permissive_mode"
    ENABLE_EGRESS = "enable_egress"


_SENTENCES = {
    Difference.HOST: "host {found} is not in hosts {wanted}",
    Difference.SERVER_NAME: "server name {found} is not in hosts {wanted}",
    Difference.PORT: "port {found}, the {noun} has {wanted}",
    Difference.ADDRESS: "address {found} is outside {wanted}",
    Difference.PROTOCOL: "{found} is sent, the {noun} takes {wanted}",
    Difference.METHOD: "method {found}, the route has {wanted}",
    Difference.PATH: "path {found}, the route looks for {wanted}",
    Difference.HEADER: "header {found}, the route looks for {wanted}",
    Difference.ACCOUNT: "source account {found}, the policy has {wanted}",
    Difference.SOURCE_KIND: "source kind {found}, only {wanted} counts",
    Difference.NAMESPACE: "namespace {found} is not monitored",
    Difference.FEATURE_FLAG: "`enableEgressPolicy` is off",
    Difference.ROUTE_GROUP: "HTTPRouteGroup {wanted} does not exist",
    Difference.SETTING: "UpstreamTrafficSetting {wanted} does not exist",
    Difference.CERTIFICATE: "Secret {wanted} does not exist",
    Difference.PERMISSIVE_MODE: "`enablePermissiveTrafficPolicyMode` is off, no TrafficTarget names {found}",
    Difference.ENABLE_EGRESS: "`enableEgress` is off",
}
_NOUNS = {"Egress": "policy", "Service": "service"}


class Nearness(IntEnum):
    """How near a miss is, the nearest first; within one rank the smaller difference, then the rule's name.

    OUT_OF_FORCE: nothing differs, but a flag, a namespace, a wrong source kind or a missing resource keeps
        the rule out of force.
    SPELLING: the host, by a port or a dot at its end, or as a wildcard that is compared to the letter.
    REQUEST: the method, the path or one header, at a host that the rule has.
    SLIP: the host, in one stretch of at most two characters.
    PORT: the port, where the rule lists the host or the address.
    PROTOCOL: what is sent.
    KIN: a host of the same domain or with the same first label, an address where the host is right or the
        first bits are (16 of IPv4, 48 of IPv6), an account of the same name or namespace.
    OTHER: any other host, address, port or account.
    PASSTHROUGH: `enableEgress`, which lets out everything that no rule claims.
    """

    OUT_OF_FORCE = 0
    SPELLING = 1
    REQUEST = 2
    SLIP = 3
    PORT = 4
    PROTOCOL = 5
    KIN = 6
    OTHER = 7
    PASSTHROUGH = 8


@frozen
class Edit:
    """A change of the mesh: one resource, added or changed in one field, and what that is in words."""

    words: str
    resource: Resource = field(repr=False)

    def __str__(self) -> str:
        return self.words


_SWITCHES = {Difference.FEATURE_FLAG, Difference.PERMISSIVE_MODE, Difference.ENABLE_EGRESS}

Change: TypeAlias = "Connection | ServiceIdentity | Edit"


@frozen
class NearMiss:
    """A rule that would allow the connection but for one thing.

    Attributes:
        difference: that thing.
        nearness: how near it is.
        rule: what decides once it is changed.
        at: the field that stands in the way.
        found: what the question has there; empty where something is missing in the mesh.
        wanted: what the rule has there.
        change: the connection, the identity or the edit of the mesh with which the rule allows it.
    """

    difference: Difference
    nearness: Nearness
    rule: FieldRef
    at: FieldRef
    found: str
    wanted: str
    change: Change

    def applied(
        self, mesh: Snapshot, identity: ServiceIdentity, connection: Connection
    ) -> tuple[Snapshot, ServiceIdentity, Connection]:
        """The question with the one thing changed; what it was asked about comes in."""
        if isinstance(self.change, Connection):
            return mesh, identity, self.change
        if isinstance(self.change, ServiceIdentity):
            return mesh, self.change, connection
        return mesh.with_(self.change.resource), identity, connection

    def to_mapping(self) -> dict[str, Any]:
        """The near miss for machines; of its three changes, one is not null."""
        change = self.change
        return {
            "difference": self.difference.value,
            "nearness": self.nearness.name.lower(),
            "found": self.found,
            "wanted": self.wanted,
            "rule": _name(self.rule),
            "source": self.rule.location,
            "at": _name(self.at),
            "at_source": self.at.location,
            "connection": change.to_mapping() if isinstance(change, Connection) else None,
            "identity": str(change) if isinstance(change, ServiceIdentity) else None,
            "edit": change.words if isinstance(change, Edit) else None,
        }

    def __str__(self) -> str:
        """The one thing, in words."""
        quoted = str if self.difference is Difference.PORT else shortly
        noun = _NOUNS.get(self.rule.resource.kind, "mesh")
        return _SENTENCES[self.difference].format(
            found=quoted(self.found), wanted=quoted(self.wanted), noun=noun
        )


@frozen
class Stage:
    """A stage that the connection came to.

    Attributes:
        finding: what was looked at and found, in words.
        rules: the rules that were found.
        decides: whether it decides; else it hands on to the next.
    """

    name: StageName
    finding: str
    rules: tuple[FieldRef, ...]
    decides: bool

    def to_mapping(self) -> dict[str, Any]:
        """The stage for machines."""
        return {
            "stage": self.name.value,
            "decides": self.decides,
            "finding": self.finding,
            "rules": [{"rule": _name(rule), "source": rule.location} for rule in self.rules],
        }

    def __str__(self) -> str:
        return f"{self.name.value:{WIDTH}}  {'decides ' if self.decides else 'hands on'}  {self.finding}"


@frozen(repr=False)
class Explanation(Shown):
    """What is decided about a connection, how it came to that, and what it missed by one thing only.

    Attributes:
        decision: the engine's.
        answer: verdict and reason, in words.
        stages: those that the connection came to; the last one decides.
        near_misses: nearest first, each tried; none where the connection is allowed.
        untried: how many proposals were left when enough had been tried.
    """

    identity: ServiceIdentity
    connection: Connection
    decision: Decision
    answer: str
    stages: tuple[Stage, ...]
    near_misses: tuple[NearMiss, ...] = ()
    untried: int = 0

    @property
    def also(self) -> tuple[FieldRef, ...]:
        """The rules that claim the destination besides the one that decides."""
        return tuple(rule for rule in self.decision.considered if rule != self.decision.rule)

    def table(self) -> Table:
        """What a notebook shows of it: the stages, what decided, and what it missed by one thing only."""
        rows = (
            *((stage.name.value, stage.finding) for stage in self.stages),
            *((name, str(text)) for name, text in self._facts()),
            *(("but for", f"{miss} ({miss.at})") for miss in self.near_misses[:SHOWN]),
        )
        return Table(self.answer, (), rows)

    def lines(self, most: int = SHOWN) -> Iterator[str]:
        """The explanation for people: the answer, the stages, what decided, and at `most` so many misses."""
        yield self.answer
        yield ""
        yield from map(str, self.stages)
        yield ""
        yield from (f"{name:{WIDTH}}  {text}" for name, text in self._facts())
        if self.near_misses:
            shown = self.near_misses[:most]
            width = max((len(str(miss)) for miss in shown), default=0)
            yield ""
            yield "but for one thing it would be allowed:"
            yield from (f"  {miss!s:{width}}  {miss.at}" for miss in shown)
            rest = len(self.near_misses) - len(shown)
            if rest or self.untried:
                count = f"{'at least ' if self.untried else ''}{rest}" if rest else "perhaps"
                yield f"  and {count} more"

    def _facts(self) -> Iterator[tuple[str, object]]:
        decision, connection = self.decision, self.connection
        yield "connection", f"{self.identity} to {connection}"
        if decision.rule:
            yield "decided by", decision.rule
        if decision.route:
            yield "route", decision.route
        if decision.targets:
            several = len(decision.targets) > 1
            targets = [
                f"{target.address(connection)} ({target.weight})" if several else target.address(connection)
                for target in decision.targets
            ]
            yield "goes to", ", ".join(targets)
        if decision.gateways:
            yield "through", ", ".join(gateway.name for gateway in decision.gateways)
        if self.also:
            shown = self.also[:SHOWN]
            yield from (("also claimed by", rule) for rule in shown)
            if len(self.also) > len(shown):
                yield "", f"and {len(self.also) - len(shown)} more"

    def to_mapping(self) -> dict[str, Any]:
        """The explanation for machines."""
        return {
            "identity": str(self.identity),
            "connection": self.connection.to_mapping(),
            "answer": self.answer,
            "decision": self.decision.to_mapping(self.connection),
            "route": _name(self.decision.route) if self.decision.route else None,
            "stages": [stage.to_mapping() for stage in self.stages],
            "also": [{"rule": _name(rule), "source": rule.location} for rule in self.also],
            "near_misses": [miss.to_mapping() for miss in self.near_misses],
            "untried": self.untried,
        }

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return f"<Explanation {self.identity} to {self.connection}: {self.answer}>"


def explain(mesh: Snapshot, identity: ServiceIdentity | str, connection: Connection) -> Explanation:
    """Why a connection of `identity` (`name.namespace`) is decided as it is (`spec/decision.md`).

    Near misses are told of a connection that is denied, and of no other: one that is allowed lacks nothing,
    and by what else it might be allowed is nothing that its owner has to change. A rule is a near miss if the
    engine allows the connection by that rule once one thing is changed: one part of the connection, the
    account, or one resource of the mesh. A rule whose change another rule would decide is left out; so is one
    whose pattern no text was found for, and one that lets a host in by `enableAutoDefaultRoute` only.

    Raises:
        InvalidValue: the text is no identity.
    """
    who = identity if isinstance(identity, ServiceIdentity) else ServiceIdentity.parse(identity)
    question = _Question.of(mesh, who, connection)
    policy = resolve(question.here(), who)
    engine = Engine.compile(policy)
    decision = engine.classify(connection)
    stages = tuple(_stages(question, policy, decision))
    offers = () if decision.allowed else tuple(question.offers_of(policy))
    found, untried = ((), 0) if decision.allowed else question.near_misses(offers, decision, engine)
    answer = _answer(question, decision, offers, stages[-1])
    return Explanation(who, connection, decision, answer, stages, found, untried)


# --- the stages and the answer ---------------------------------------------------------------------------


Found: TypeAlias = "tuple[str, tuple[FieldRef, ...]]"
"""What a stage found, in words, and the rules."""

_VERDICTS = {
    Verdict.IN_MESH: "in mesh",
    Verdict.EGRESS_POLICY: "allowed",
    Verdict.PASSTHROUGH: "passed through",
    Verdict.DENIED: "denied",
}
_ANSWERS = {
    Reason.TCP_SERVICE: "{by} has {place}",
    Reason.HTTP_ROUTE: "{by} takes {request} of {name}",
    Reason.TCP_PORT: "{by} lets anything out to {place}",
    Reason.TLS_SERVER_NAME: "{by} has the server name {name}",
    Reason.TLS_ANY: "{by} lets any TLS out to {place}",
    Reason.NO_HOST: "{name} is no host of {those}",
    Reason.NO_ROUTE: "no route of {those} takes {request}",
    Reason.NO_ENDPOINTS: "{by} has no endpoints",
    Reason.NO_SERVER_NAME: "server name {name} is no host of {those}",
    Reason.NO_CERTIFICATE: "the certificate of {by} does not exist",
    Reason.PROTOCOL_MISMATCH: "`{sent}` is sent, which no port of {those} takes",
    Reason.EGRESS_ENABLED: "no rule claims {place}, and `enableEgress` is on",
    Reason.EGRESS_DISABLED: "no rule claims {place}, and `enableEgress` is off",
}
_UNNAMED = {
    Reason.NO_HOST: "no host is asked for, which {those} would need",
    Reason.NO_SERVER_NAME: "no server name is asked for, which {those} would need",
}
_CONCERNED = {
    Reason.NO_HOST: Protocol.HTTP,
    Reason.NO_ROUTE: Protocol.HTTP,
    Reason.NO_SERVER_NAME: Protocol.HTTPS,
}


def _stages(question: _Question, policy: OutboundPolicy, decision: Decision) -> Iterator[Stage]:
    """The stages up to the one that decides."""
    last = _stage_of(decision)
    findings = (_interception, _in_mesh, _egress_policies, _passthrough)
    for name, find in zip(STAGES[: STAGES.index(last) + 1], findings, strict=False):
        finding, rules = find(question, policy, decision, is_last=name is last)
        yield Stage(name, finding, rules, name is last)


def _interception(question: _Question, policy: OutboundPolicy, decision: Decision, *, is_last: bool) -> Found:
    """Stage 0: why the sidecar never sees the connection, or that it does."""
    here, port, rule = shortly(str(question.connection.destination)), question.connection.port, decision.rule
    lists = policy.interception
    if not is_last:
        return f"no list keeps {here}, port {port}, from the sidecar", ()
    if rule is None:
        what = "UDP" if question.connection.kind is Sends.DATAGRAM else here
        return f"{what} is never redirected to the sidecar", ()
    if any(rule == listed for _, listed in lists.excluded_ports):
        return f"port {port} is excluded by {_owner(rule)}", (rule,)
    if any(rule == listed for _, listed in lists.included):
        return f"{here} is in no range that {_owner(rule)} includes", (rule,)
    return f"{here} is excluded by {_owner(rule)}", (rule,)


def _in_mesh(question: _Question, policy: OutboundPolicy, _: Decision, *, is_last: bool) -> Found:
    """Stage 1: the service that has the destination, if one has that may be reached."""
    if is_last:
        owners = (
            owner.rule
            for port in policy.ports
            if port.port == question.connection.port
            for match in port.mesh
            for owner in match.owners
            if question.connection.destination in owner.prefix
        )
        rule = next(owners)
        return f"{_owner(rule)} has {question.place}", (rule,)
    is_open = question.mesh.mesh_config.spec.traffic.enable_permissive_traffic_policy_mode
    return f"no service{'' if is_open else f' that `{question.who}` may reach'} has {question.place}", ()


def _egress_policies(question: _Question, _: OutboundPolicy, decision: Decision, *, is_last: bool) -> Found:
    """Stage 2: the policies of the identity that claim the destination."""
    count = len(question.own)
    if is_last:
        rules = decision.considered
        return f"{_those(rules)} claim{_s(rules)} {question.place}", rules
    if not count:
        return f"no policy names `{question.who}`", ()
    is_one = count == 1
    policies = f"{'policy' if is_one else f'{count} policies'} of `{question.who}`"
    if not question.mesh.mesh_config.spec.feature_flags.egress_policies_apply:
        return f"`enableEgressPolicy` is off: the {policies} do{'es' * is_one} not count", ()
    if is_one:
        return f"the only {policies} does not claim {question.place}", ()
    return f"none of the {policies} claims {question.place}", ()


def _passthrough(_question: _Question, policy: OutboundPolicy, _: Decision, *, is_last: bool) -> Found:
    """Stage 3: the switch."""
    return f"`enableEgress` is {'on' if policy.spec.enable_egress else 'off'}", (policy.switch,) * is_last


def _answer(question: _Question, decision: Decision, offers: tuple[_Offer, ...], last: Stage) -> str:
    """Verdict and reason, in words."""
    sent = question.connection.sends
    reason = last.finding
    if last.name is not StageName.INTERCEPTION:
        unnamed = not question.name and decision.reason in _UNNAMED
        reason = (_UNNAMED if unnamed else _ANSWERS)[decision.reason].format(
            by=_owner(decision.rule) if decision.rule else "",
            those=_those(_concerned(question, decision, offers)),
            place=question.place,
            name=shortly(sent.host if isinstance(sent, HTTPRequest) else question.name),
            request=shortly(f"{sent.method} {sent.path}") if isinstance(sent, HTTPRequest) else "",
            sent=question.connection.kind.value,
        )
    verdict = _VERDICTS[decision.verdict]
    if not decision.allowed:
        verdict += f" ({decision.status or 'closed'})"
    return f"{verdict}: {reason}"


def _concerned(question: _Question, decision: Decision, offers: tuple[_Offer, ...]) -> tuple[FieldRef, ...]:
    """The rules that a reason is about: those that might have let the connection through, and did not."""
    rule, rules = decision.rule, frozenset(decision.considered)
    protocol = _CONCERNED.get(decision.reason)
    found = [
        offer.rule
        for offer in offers
        if offer.rule in rules
        and offer.port == question.connection.port
        and offer.protocol is protocol
        and (decision.reason is not Reason.NO_ROUTE or offer.has(question.name))
    ]
    if decision.reason is Reason.PROTOCOL_MISMATCH and rule and rule.resource.kind == EgressPolicy.kind:
        found = list(decision.considered)
    return tuple(found) or ((rule,) if rule else ())


def _stage_of(decision: Decision) -> StageName:
    """The stage that decided."""
    if decision.reason is Reason.NOT_INTERCEPTED:
        return StageName.INTERCEPTION
    if not decision.considered:
        return StageName.PASSTHROUGH
    is_policy = decision.considered[0].resource.kind == EgressPolicy.kind
    return StageName.EGRESS_POLICIES if is_policy else StageName.IN_MESH


# --- what the rules offer --------------------------------------------------------------------------------


@frozen
class _Offer:
    """What one rule lets out on one port.

    Attributes:
        protocol: `http` or `https`; another stands for anything.
        is_here: whether the destination is among its addresses.
        hosts: those that it lists; `suffix` is the port that a Host may have besides.
        routes: None where they were not looked at.
        is_broken: whether its certificate is missing.
        policy: the Egress policy that it is of; None for a service.
    """

    rule: FieldRef
    port: int
    protocol: Protocol
    prefixes: tuple[Prefix, ...]
    is_here: bool
    hosts: tuple[str, ...] = ()
    suffix: str = ""
    routes: tuple[HTTPRoute, ...] | None = None
    is_broken: bool = False
    policy: EgressPolicy | None = None

    def has(self, name: str) -> bool:
        """Whether a host or server name is among its own."""
        return name in self.hosts or name.removesuffix(self.suffix) in self.hosts

    def beside(self, path: str) -> FieldRef:
        """Another field of its policy; for a service the rule itself, as it is made of several resources."""
        return self.policy.at(path) if self.policy else self.rule


def _offer(
    rule: FieldRef, port: int, protocol: Protocol, prefixes: tuple[Prefix, ...], *, is_here: bool, **rest: Any
) -> _Offer:
    suffix = f":{port}" if protocol is Protocol.HTTP else ""
    return _Offer(rule, port, protocol, prefixes, is_here, suffix=suffix, **rest)


_ROUTE_FIELDS = {
    Difference.METHOD: "methods",
    Difference.PATH: "pathRegex",
    Difference.HEADER: "headers",
}

Unmet: TypeAlias = "tuple[Difference, str, Pattern | None]"
"""What a request fails of a route: the kind, the name of the header, the pattern that is not found."""


def _unmet(route: HTTPRoute, request: HTTPRequest) -> list[Unmet]:
    """Everything of a route that a request does not meet."""
    unmet: list[Unmet] = []
    if request.method not in (route.methods or FORWARDED_METHODS):
        unmet.append((Difference.METHOD, "", None))
    if not route.path.search(request.path):
        unmet.append((Difference.PATH, "", route.path))
    unmet.extend(
        (Difference.HEADER, name, pattern)
        for name, pattern in route.headers
        if not pattern.search(request.header(name))
    )
    return unmet


@frozen
class _Proposal:
    """What may be a near miss.

    Attributes:
        rule: what has to decide then; None where any rule may.
        changes: the ways to change the one thing; the first that is allowed counts.
        need: what it takes to try it: another port, account or mesh to look into, a text for a pattern.
    """

    difference: Difference
    nearness: Nearness
    distance: int
    rule: FieldRef | None
    at: FieldRef
    found: str
    wanted: str
    changes: Callable[[], Iterable[Change]]
    need: tuple[str, object] | None = None

    @property
    def order(self) -> tuple[Nearness, int, ResourceRef, str, ResourceRef, str, str, str]:
        """The nearest first, then by name."""
        rule, at = self.rule or self.at, self.at
        names = rule.resource, rule.path, at.resource, at.path, self.difference.value, self.wanted
        return self.nearness, self.distance, *names


def _order(proposal: _Proposal) -> tuple[object, ...]:
    return proposal.order


@frozen
class _Question:
    """What is asked, with what the looking at it starts from.

    Attributes:
        bare: the mesh without Egress policies.
        own: those of the identity.
        name: the host that the connection asks for, in lower case; empty where it names none.
    """

    mesh: Snapshot
    who: ServiceIdentity
    connection: Connection
    bare: Snapshot
    own: tuple[EgressPolicy, ...]
    name: str

    @classmethod
    def of(cls, mesh: Snapshot, who: ServiceIdentity, connection: Connection) -> _Question:
        """The question, taken apart."""
        bare = mesh.without(*[policy.ref for policy in mesh.kind(EgressPolicy)])
        sent = connection.sends
        name = ""
        if isinstance(sent, HTTPRequest):
            name = sent.authority
        elif isinstance(sent, TLSClientHello):
            name = sent.name
        return cls(mesh, who, connection, bare, mesh.policies_for(who), name)

    # --- parts of the mesh: what no decision on the port depends on is left out ---

    def is_in(self, prefixes: tuple[Prefix, ...]) -> bool:
        """Whether the destination is among these addresses; none are all."""
        key = self.connection.key
        return not prefixes or any(prefix.first <= key <= prefix.last for prefix in prefixes)

    def opens(self, policy: EgressPolicy) -> bool:
        """Whether a policy has the connection's port."""
        return any(port.number == self.connection.port for port in policy.spec.ports)

    def here(self) -> Snapshot:
        """The mesh with the policies of the identity on the connection's port."""
        return self.bare.with_(*[policy for policy in self.own if self.opens(policy)])

    def claiming(self, account: ServiceIdentity, *ports: int) -> Snapshot:
        """The mesh with the policies of an account that claim the destination address on some ports."""
        numbers = frozenset(ports)
        return self.bare.with_(
            *[
                policy
                for policy in self.mesh.policies_for(account)
                if self.is_in(policy.spec.ip_addresses)
                and not numbers.isdisjoint([port.number for port in policy.spec.ports])
            ]
        )

    # --- offers ---

    def offers_of(self, policy: OutboundPolicy) -> Iterator[_Offer]:
        """What services and Egress policies let out, by port."""
        for port in policy.ports:
            for match in port.mesh:
                yield from self.offers_of_match(match)
            claims = {id(claim): claim for group in port.groups for claim in group.claims}
            yield from map(self.offer_of_claim, claims.values())

    def offers_of_match(self, match: MeshMatch) -> Iterator[_Offer]:
        """What the services of a match let in: by host where they read requests, else anything."""
        own: dict[FieldRef, list[Prefix]] = {}
        for owner in match.owners:
            own.setdefault(owner.rule, []).append(owner.prefix)
        if not match.is_http:
            for rule, prefixes in own.items():
                is_here = self.is_in(tuple(prefixes))
                yield _offer(rule, match.port, Protocol.TCP, tuple(prefixes), is_here=is_here)
            return
        is_here = self.is_in(tuple([owner.prefix for owner in match.owners]))
        for host in match.virtual_hosts:
            prefixes = own.get(host.rule, [])
            if prefixes:
                yield _offer(
                    host.rule,
                    match.port,
                    Protocol.HTTP,
                    tuple(prefixes),
                    is_here=is_here,
                    hosts=host.hostnames,
                    routes=host.routes,
                )

    def offer_of_claim(self, claim: Claim) -> _Offer:
        """What a port of an Egress policy lets out."""
        return _offer(
            claim.rule,
            claim.port,
            claim.protocol,
            claim.prefixes,
            is_here=self.is_in(claim.prefixes),
            hosts=claim.hosts,
            routes=claim.routes,
            is_broken=claim.broken,
            policy=self.mesh.kind(EgressPolicy).get(claim.rule.resource.namespace, claim.rule.resource.name),
        )

    def offers_here(self, policy: EgressPolicy) -> Iterator[_Offer]:
        """What a policy would let out at the destination on any port, whatever its routes."""
        spec = policy.spec
        if self.is_in(spec.ip_addresses):
            for index, port in enumerate(spec.ports):
                rule = policy.at(f"spec.ports[{index}]")
                number, protocol, prefixes = port.number, port.protocol, spec.ip_addresses
                yield _offer(rule, number, protocol, prefixes, is_here=True, hosts=spec.hosts, policy=policy)

    def is_taken(self, offer: _Offer) -> bool:
        """Whether an offer takes what is sent, wherever it goes."""
        sent = self.connection.sends
        if offer.protocol is Protocol.HTTPS:
            return isinstance(sent, TLSClientHello) and (not offer.hosts or offer.has(self.name))
        if offer.protocol is not Protocol.HTTP:
            return True
        return (
            isinstance(sent, HTTPRequest)
            and offer.has(self.name)
            and (offer.routes is None or any(not _unmet(route, sent) for route in offer.routes))
        )

    @property
    def place(self) -> str:
        """Where the connection goes, in backticks."""
        return f"`{socket_address(str(self.connection.destination), self.connection.port)}`"

    # --- near misses ---

    def near_misses(
        self, offers: tuple[_Offer, ...], decision: Decision, here: Engine
    ) -> tuple[tuple[NearMiss, ...], int]:
        """The near misses of a connection that is denied, and how many proposals were left."""
        made = [*self.by_switch(decision), *(it for offer in offers for it in self.by_offer(offer))]
        if self.mesh.mesh_config.spec.feature_flags.egress_policies_apply:
            made.extend(it for policy in self.mesh.kind(EgressPolicy) for it in self.by_policy(policy))
        proposals = sorted({it.order: it for it in made}.values(), key=_order)
        chosen = tuple(_affordable(proposals))
        return tuple(self.tried(chosen, here)), len(proposals) - len(chosen)

    def tried(self, proposals: tuple[_Proposal, ...], here: Engine) -> Iterator[NearMiss]:
        """Those proposals that are allowed by their rules."""
        port = self.connection.port
        ports = {int(it.wanted) for it in proposals if it.difference is Difference.PORT}
        elsewhere = _engine(self.claiming(self.who, *ports), self.who) if ports else here
        accounts: dict[ServiceIdentity, Engine] = {}
        for proposal in proposals:
            for change in _changes(proposal):
                if isinstance(change, Connection):
                    decision = (here if change.port == port else elsewhere).classify(change)
                elif isinstance(change, ServiceIdentity):
                    if change not in accounts:
                        accounts[change] = _engine(self.claiming(change, port), change)
                    decision = accounts[change].classify(self.connection)
                else:
                    edited = self.claiming(self.who, port).with_(change.resource)
                    decision = _engine(edited, self.who).classify(self.connection)
                rule = decision.rule
                if decision.allowed and rule and proposal.rule in {None, rule}:
                    yield NearMiss(
                        proposal.difference,
                        proposal.nearness,
                        rule,
                        proposal.at,
                        proposal.found,
                        proposal.wanted,
                        change,
                    )
                    break

    def by_switch(self, decision: Decision) -> Iterator[_Proposal]:
        """The flags of the mesh that are off, where they matter."""
        config = self.mesh.mesh_config
        spec, traffic = config.spec, config.spec.traffic
        if self.own and not spec.feature_flags.egress_policies_apply:
            flags = evolve(spec.feature_flags, enable_egress_policy=True)
            changed = evolve(config, spec=evolve(spec, feature_flags=flags))
            yield _switch(Difference.FEATURE_FLAG, config, changed, "spec.featureFlags.enableEgressPolicy")
        if not traffic.enable_permissive_traffic_policy_mode:
            permissive = evolve(traffic, enable_permissive_traffic_policy_mode=True)
            changed = evolve(config, spec=evolve(spec, traffic=permissive))
            path = "spec.traffic.enablePermissiveTrafficPolicyMode"
            yield _switch(Difference.PERMISSIVE_MODE, config, changed, path, str(self.who))
        if decision.reason is Reason.EGRESS_DISABLED:
            changed = evolve(config, spec=evolve(spec, traffic=evolve(traffic, enable_egress=True)))
            yield _switch(Difference.ENABLE_EGRESS, config, changed, "spec.traffic.enableEgress")

    def by_offer(self, offer: _Offer) -> Iterator[_Proposal]:
        """What an offer lacks, where that is one thing."""
        is_elsewhere = offer.port != self.connection.port
        if is_elsewhere and not offer.is_here:
            return
        is_taken = self.is_taken(offer)
        lacks = [is_elsewhere, not offer.is_here, not is_taken, offer.is_broken].count(True)
        if lacks == 0 or (lacks == 1 and offer.is_broken):
            # Lacks nothing: a service of the mesh has the address, which another account may not reach.
            yield from self.other_source(offer.policy, offer) if offer.policy else ()
        if lacks != 1:
            return
        if is_elsewhere:
            yield self.other_port(offer)
        elif not offer.is_here:
            yield self.other_address(offer)
        elif offer.is_broken:
            yield from self.other_certificate(offer)
        else:
            yield from self.other_payload(offer)

    def by_policy(self, policy: EgressPolicy) -> Iterator[_Proposal]:
        """What keeps a policy from being an offer: its port, its sources, or what puts it out of force."""
        is_own = any(_is_account(source, self.who) for source in policy.spec.sources)
        is_open = self.opens(policy)
        hindrance = self.hindrance(policy) if is_own else None
        if is_own and is_open and not hindrance:
            return
        for offer in self.offers_here(policy):
            if (is_own and not hindrance) or offer.port == self.connection.port:
                if not self.is_taken(offer):
                    continue
                if hindrance:
                    yield evolve(hindrance, rule=offer.rule)
                elif is_own:
                    yield self.other_port(offer)
                else:
                    yield from self.other_source(policy, offer)

    def hindrance(self, policy: EgressPolicy) -> _Proposal | None:
        """What puts a policy of the identity out of force."""
        space = policy.namespace
        if not self.mesh.monitors(space):
            namespace = self.mesh.kind(Namespace).get("", space) or Namespace(ObjectMeta(space))
            labels = FrozenMap({**namespace.metadata.labels, MONITORED: "fsm"})
            watched = evolve(namespace, metadata=evolve(namespace.metadata, labels=labels))
            edit = Edit(f"label {watched.ref} with {MONITORED}", watched)
            at = policy.at("metadata.namespace")
            return _out_of_force(Difference.NAMESPACE, at, space, MONITORED, edit)
        for at, name in self.missing(policy, UpstreamTrafficSetting):
            spec = UpstreamTrafficSettingSpec(name)
            return _missing(Difference.SETTING, at, UpstreamTrafficSetting(ObjectMeta(name, space), spec))
        return None

    def missing(self, policy: EgressPolicy, kind: type[Resource]) -> Iterator[tuple[FieldRef, str]]:
        """The resources of a kind that a policy refers to and that are not there: where, and their names."""
        known = self.mesh.kind(kind)
        for index, match in enumerate(policy.spec.matches):
            if match.kind == kind.kind and known.get(policy.namespace, match.name) is None:
                yield policy.at(f"spec.matches[{index}]"), match.name

    # --- one thing each ---

    def other_port(self, offer: _Offer) -> _Proposal:
        """The port of an offer."""
        found, wanted = str(self.connection.port), str(offer.port)
        is_alike = found.endswith(wanted) or wanted.endswith(found)
        is_meant = offer.hosts or offer.prefixes
        return _Proposal(
            Difference.PORT,
            Nearness.PORT if is_meant else Nearness.OTHER,
            0 if is_alike else 1,
            offer.rule,
            offer.rule,
            found,
            wanted,
            lambda: [self.connection.replace(port=offer.port)],
            ("port", offer.port),
        )

    def other_address(self, offer: _Offer) -> _Proposal:
        """The addresses of an offer."""
        here = self.connection.destination
        ways = sorted((_unlikeness(here, prefix), prefix) for prefix in offer.prefixes)
        distance = ways[0][0]
        near = [prefix for _, prefix in ways[:NEIGHBOURS]]
        keys = [key for it in near for key in (min(max(here.key, it.first), it.last), it.first, it.last)]
        is_kin = offer.hosts or distance <= KIN_BITS[here.version]
        return _Proposal(
            Difference.ADDRESS,
            Nearness.KIN if is_kin else Nearness.OTHER,
            distance,
            offer.rule,
            offer.beside("spec.ipAddresses"),
            str(here),
            _shortened([str(prefix) for _, prefix in ways]),
            lambda: (self.connection.replace(destination=Address.from_key(key)) for key in keys),
        )

    def other_certificate(self, offer: _Offer) -> Iterator[_Proposal]:
        """The secret that a policy shows to the outside, where it names one."""
        sources = enumerate(offer.policy.spec.sources if offer.policy else ())
        index, source = next((index, it) for index, it in sources if _is_account(it, self.who))
        secret = source.mtls.cert.secret if source.mtls and source.mtls.cert else None
        if secret:
            meta = ObjectMeta(secret.name, secret.namespace or offer.rule.resource.namespace)
            at = offer.beside(f"spec.sources[{index}].mtls")
            yield evolve(_missing(Difference.CERTIFICATE, at, Secret(meta)), rule=offer.rule)

    def other_source(self, policy: EgressPolicy, offer: _Offer) -> Iterator[_Proposal]:
        """The sources of a policy that are somebody else, or that name nobody for their kind."""
        for index, source in enumerate(policy.spec.sources):
            at = policy.at(f"spec.sources[{index}]")
            is_name, is_space = source.name == self.who.name, source.namespace == self.who.namespace
            account = f"{source.name}.{source.namespace}"
            if source.kind == SERVICE_ACCOUNT and not (is_name and is_space):
                yield _Proposal(
                    Difference.ACCOUNT,
                    Nearness.KIN if is_name or is_space else Nearness.OTHER,
                    0 if is_space else 1,
                    offer.rule,
                    at,
                    str(self.who),
                    account,
                    partial(_identities, source),
                    ("account", account),
                )
            elif source.kind != SERVICE_ACCOUNT and is_name and is_space:
                before, after = policy.spec.sources[:index], policy.spec.sources[index + 1 :]
                sources = (*before, evolve(source, kind=SERVICE_ACCOUNT), *after)
                named = evolve(policy, spec=evolve(policy.spec, sources=sources))
                edit = Edit(f"set {at.path}.kind of {policy.ref} to {SERVICE_ACCOUNT}", named)
                at = policy.at(f"{at.path}.kind")
                found = _out_of_force(Difference.SOURCE_KIND, at, source.kind, SERVICE_ACCOUNT, edit)
                yield evolve(found, rule=offer.rule)

    def other_payload(self, offer: _Offer) -> Iterator[_Proposal]:
        """What is sent: another protocol, another host, or one part of the request."""
        sent = self.connection.sends
        if not isinstance(sent, HTTPRequest if offer.protocol is Protocol.HTTP else TLSClientHello):
            if not (self.name and offer.hosts) or offer.has(self.name):
                yield _Proposal(
                    Difference.PROTOCOL,
                    Nearness.PROTOCOL,
                    0,
                    offer.rule,
                    offer.rule,
                    self.connection.kind.value,
                    offer.protocol.value,
                    lambda: (self.connection.replace(sends=it) for it in self.payloads(offer)),
                )
        elif not isinstance(sent, HTTPRequest) or not offer.has(self.name):
            yield from self.other_host(offer)
        else:
            for route in offer.routes or ():
                unmet = _unmet(route, sent)
                if len(unmet) == 1:
                    yield self.other_request(sent, offer, route, unmet[0])
            if offer.policy:
                for at, name in self.missing(offer.policy, HTTPRouteGroup):
                    everything = HTTPRouteGroupSpec((HTTPMatch("everything"),))
                    group = HTTPRouteGroup(ObjectMeta(name, offer.policy.namespace), everything)
                    yield evolve(_missing(Difference.ROUTE_GROUP, at, group), rule=offer.rule)

    def payloads(self, offer: _Offer) -> Iterator[HTTPRequest | TLSClientHello]:
        """The plainest things that an offer takes; of its hosts the one that is asked for, if any is."""
        asked = [self.name] if self.name else []
        hosts = [it for it in asked or offer.hosts[:1] if offer.has(it)] if offer.hosts else asked
        if offer.protocol is Protocol.HTTPS:
            yield from map(TLSClientHello, hosts)
            if not offer.hosts and not hosts:
                yield TLSClientHello()
            return
        for route in (offer.routes or ())[: NEIGHBOURS if hosts else 0]:
            headers = {name: _text_with(pattern, Texts.VALUE) for name, pattern in route.headers}
            path = "/" if route.path.search("/") else _text_with(route.path, Texts.PATH)
            yield HTTPRequest(_usual_first(route)[0], hosts[0], path, headers)

    def other_host(self, offer: _Offer) -> Iterator[_Proposal]:
        """The nearest of an offer's hosts; a wildcard only if it was meant for this one."""
        ways = sorted((*_host_nearness(self.name, host), host) for host in offer.hosts)
        meant = [it for it in ways if it[0] is Nearness.SPELLING or not it[2].startswith("*.")]
        if not meant:
            return
        nearness, distance, host = meant[0]
        sent, policy = self.connection.sends, offer.policy
        is_request = isinstance(sent, HTTPRequest)

        def changes() -> Iterator[Change]:
            if policy and host.startswith("*."):
                words = f"add {_plain(self.name)} to spec.hosts of {policy.ref}"
                hosts = (*policy.spec.hosts, _plain(self.name))
                yield Edit(words, evolve(policy, spec=evolve(policy.spec, hosts=hosts)))
            else:
                changed = sent.replace(host=host) if isinstance(sent, HTTPRequest) else TLSClientHello(host)
                yield self.connection.replace(sends=changed)

        yield _Proposal(
            Difference.HOST if is_request else Difference.SERVER_NAME,
            nearness,
            distance,
            offer.rule,
            offer.beside("spec.hosts"),
            self.name,
            _shortened([name for _, _, name in ways]),
            changes,
            ("mesh", offer.rule.resource) if host.startswith("*.") else None,
        )

    def other_request(self, sent: HTTPRequest, offer: _Offer, route: HTTPRoute, unmet: Unmet) -> _Proposal:
        """The one part of a request that a route does not take."""
        kind, name, pattern = unmet
        at = route.route or offer.rule

        def requests() -> Iterator[HTTPRequest]:
            if pattern is None:
                yield from (sent.replace(method=method) for method in _usual_first(route))
            elif kind is Difference.PATH:
                yield sent.replace(path=_text_with(pattern, Texts.PATH))
            elif name == "host":
                yield from (sent.replace(host=host) for host in offer.hosts if pattern.search(host))
            else:
                yield sent.replace(headers={**sent.headers, name: _text_with(pattern, Texts.VALUE)})

        value = {Difference.METHOD: sent.method, Difference.PATH: sent.path}.get(kind) or sent.header(name)
        text = pattern.text if pattern else ", ".join(route.methods or FORWARDED_METHODS)
        header = f"{name}: " if name else ""
        return _Proposal(
            kind,
            Nearness.REQUEST,
            _differing(value, text) if pattern else 0,
            offer.rule,
            FieldRef(at.resource, f"{at.path}.{_ROUTE_FIELDS[kind]}", at.source) if route.route else at,
            header + value,
            header + text,
            lambda: (self.connection.replace(sends=it) for it in requests()),
            ("pattern", text) if pattern else None,
        )


# --- proposals -------------------------------------------------------------------------------------------


def _affordable(proposals: Iterable[_Proposal]) -> Iterator[_Proposal]:
    """As many of the first proposals as are tried in time, and every switch."""
    needs: dict[str, set[object]] = {}
    tries = 0
    for proposal in proposals:
        if proposal.difference not in _SWITCHES:
            kind, value = proposal.need or ("nothing", None)
            known = needs.setdefault(kind, set())
            if tries == TRIES or (value not in known and len(known) == NEEDS):
                continue
            known.add(value)
            tries += 1
        yield proposal


def _engine(mesh: Snapshot, who: ServiceIdentity) -> Engine:
    return Engine.compile(resolve(mesh, who))


def _changes(proposal: _Proposal) -> Iterator[Change]:
    """The changes of a proposal, up to one that cannot be made."""
    try:
        yield from islice(proposal.changes(), WAYS)
    except (InvalidValue, Undecided):
        return


def _text_with(pattern: Pattern, texts: Texts) -> str:
    """The smallest text in which a pattern is found.

    Raises:
        Undecided: none was found; there may be none.
    """
    text = witness([(pattern, True)], texts)
    if text is None:
        raise Undecided
    return text


def _usual_first(route: HTTPRoute) -> list[str]:
    """The methods of a route, those that the sidecar forwards first."""
    return sorted(route.methods or FORWARDED_METHODS, key=KNOWN_METHODS.index)


def _switch(
    difference: Difference, config: MeshConfig, changed: MeshConfig, path: str, found: str = "false"
) -> _Proposal:
    """The proposal to switch a flag of the mesh on."""
    nearness = Nearness.PASSTHROUGH if difference is Difference.ENABLE_EGRESS else Nearness.OUT_OF_FORCE
    edit = Edit(f"set {path} of {config.ref} to true", changed)
    return _Proposal(difference, nearness, 0, None, config.at(path), found, "true", lambda: [edit])


def _out_of_force(difference: Difference, at: FieldRef, found: str, wanted: str, edit: Edit) -> _Proposal:
    return _Proposal(
        difference, Nearness.OUT_OF_FORCE, 0, None, at, found, wanted, lambda: [edit], ("mesh", edit.words)
    )


def _missing(difference: Difference, at: FieldRef, resource: Resource) -> _Proposal:
    """The proposal to add a resource that is referred to."""
    name = f"{resource.namespace}/{resource.name}"
    return _out_of_force(difference, at, "", name, Edit(f"add {resource.ref}", resource))


def _identities(source: EgressSource) -> list[ServiceIdentity]:
    """The identity that a source names; it may be none, as a namespace without a dot is asked for."""
    return [ServiceIdentity(source.name, source.namespace)]


def _is_account(source: EgressSource, who: ServiceIdentity) -> bool:
    return (source.name, source.namespace, source.kind) == (who.name, who.namespace, SERVICE_ACCOUNT)


# --- how near --------------------------------------------------------------------------------------------


def _host_nearness(asked: str, host: str) -> tuple[Nearness, int]:
    """How near a host that is asked for is to one that is listed: rank, and the length of what differs."""
    found, listed = _plain(asked), _plain(host)
    distance = _differing(found, listed)
    if not distance or (host.startswith("*.") and found.endswith(host[1:])):
        return Nearness.SPELLING, distance
    if found and distance <= SLIP:
        return Nearness.SLIP, distance
    labels, others = found.split("."), listed.split(".")
    is_kin = len(labels) > 1 and (labels[0] == others[0] or labels[-2:] == others[-2:])
    return Nearness.KIN if is_kin else Nearness.OTHER, distance


def _plain(host: str) -> str:
    """A host without a port and a dot at its end."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() and ":" not in name else host).removesuffix(".")


def _differing(one: str, other: str) -> int:
    """The length of the stretch in which two texts differ."""
    least = min(len(one), len(other))
    start = next((at for at in range(least) if one[at] != other[at]), least)
    end = next((at for at in range(least - start) if one[-1 - at] != other[-1 - at]), least - start)
    return max(len(one), len(other)) - start - end


def _unlikeness(address: Address, prefix: Prefix) -> int:
    """How many of an address's last bits have to change for it to be in a prefix; 129 for another family."""
    start, first = (0 if key < IPV6_START else IPV6_START for key in (address.key, prefix.first))
    if start != first:
        return OTHER_FAMILY
    nearest = min(max(address.key, prefix.first), prefix.last)
    return (address.key - start ^ nearest - start).bit_length()


# --- words -----------------------------------------------------------------------------------------------


def _name(rule: FieldRef) -> str:
    return f"{rule.resource} {rule.path}".rstrip()


def _owner(rule: FieldRef) -> str:
    return str(rule.resource)


def _those(rules: Iterable[FieldRef]) -> str:
    """The resources of some rules, in words."""
    names = list(dict.fromkeys(map(_owner, rules)))
    if len(names) > LISTED:
        return f"{names[0]} and {len(names) - 1} others"
    return " and ".join(names)


def _s(rules: Iterable[FieldRef]) -> str:
    """The ending of a verb that these rules are the subject of."""
    return "s" if len({rule.resource for rule in rules}) == 1 else ""


def _shortened(items: Sequence[object]) -> str:
    """The first few of a list."""
    rest = f", and {len(items) - NAMED} more" if len(items) > NAMED else ""
    return f"[{', '.join(map(str, items[:NAMED]))}{rest}]"
