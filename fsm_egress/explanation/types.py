"""What an explanation is made of: stages, near misses, and how near they are."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import field

from ..connections.connection import Connection
from ..connections.decision import Decision
from ..connections.findings import Finding
from ..connections.obstacles import Obstacle
from ..resources.resource import Resource
from ..resources.subjects import Subject, pods_told
from ..values.construction import frozen
from ..values.enums import Word
from ..values.errors import shortly
from ..values.notebook import Shown, Table
from ..values.references import FieldRef
from ..values.secrecy import Discreet
from .wording import rule_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..snapshot import Snapshot

__all__ = [
    "SHOWN",
    "SLIP",
    "STAGES",
    "SWITCHES",
    "WIDTH",
    "Change",
    "Difference",
    "Edit",
    "Explanation",
    "NearMiss",
    "Nearness",
    "Stage",
    "StageName",
]

SLIP = 2  # characters that a slip of the pen gets wrong
SHOWN = 5  # near misses in the text


class StageName(Word):
    """The stages of `docs/decision.md`, in their order."""

    INTERCEPTION = "interception"
    IN_MESH = "in-mesh"
    EGRESS_POLICIES = "egress policies"
    PASSTHROUGH = "passthrough"


STAGES = tuple(StageName)
WIDTH = max(map(len, STAGES))


class Difference(Word):
    """The one thing that a near miss differs in, or several that go together."""

    HOST = "host"
    SERVER_NAME = "server_name"
    WILDCARD = "wildcard"
    PORT = "port"
    ADDRESS = "address"
    PROTOCOL = "protocol"
    METHOD = "method"
    PATH = "path"
    HEADER = "header"
    METHOD_AND_PATH = "method_and_path"
    REQUEST = "request"
    PORT_AND_PROTOCOL = "port_and_protocol"
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
    Difference.WILDCARD: "host {found} is not {wanted}: hosts are compared to the letter, without wildcards",
    Difference.PORT: "port {found}, the {noun} has {wanted}",
    Difference.ADDRESS: "address {found} is outside {wanted}",
    Difference.PROTOCOL: "{found} is sent, the {noun} takes {wanted}",
    Difference.METHOD: "method {found}, the route has {wanted}",
    Difference.PATH: "path {found}, the route looks for {wanted}",
    Difference.HEADER: "header {found}, the route looks for {wanted}",
    Difference.METHOD_AND_PATH: "{found} is asked for, the route has {wanted}",
    Difference.REQUEST: "{found} is asked for, the route has {wanted}",
    Difference.PORT_AND_PROTOCOL: "{found} is sent, the {noun} takes {wanted}",
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
    REQUEST: the method, the path or headers, at a host that the rule has.
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


SWITCHES = {Difference.FEATURE_FLAG, Difference.PERMISSIVE_MODE, Difference.ENABLE_EGRESS}

Change: TypeAlias = "Connection | Subject | Edit"


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
        change: the connection, the identity or the edit of the mesh with which the rule allows it; of an
            account whose pods are not intercepted alike, those of its pods that the rule has a say about.
    """

    difference: Difference
    nearness: Nearness
    rule: FieldRef
    at: FieldRef
    found: str
    wanted: str
    change: Change

    def applied(
        self, mesh: Snapshot, identity: Subject, connection: Connection
    ) -> tuple[Snapshot, Subject, Connection]:
        """The question with the one thing changed; what it was asked about comes in."""
        if isinstance(self.change, Connection):
            return mesh, identity, self.change
        if isinstance(self.change, Edit):
            return mesh.with_(self.change.resource), identity, connection
        return mesh, self.change, connection

    def to_mapping(self) -> dict[str, Any]:
        """The near miss for machines; of its three changes, one is not null."""
        change = self.change
        return {
            "difference": self.difference.value,
            "nearness": self.nearness.name.lower(),
            "found": self.found,
            "wanted": self.wanted,
            "rule": rule_name(self.rule),
            "source": self.rule.location,
            "at": rule_name(self.at),
            "at_source": self.at.location,
            "connection": change.to_shown() if isinstance(change, Connection) else None,
            "identity": None if isinstance(change, (Connection, Edit)) else str(change),
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
        decides: whether it decides; else it goes on to the next.
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
            "rules": [{"rule": rule_name(rule), "source": rule.location} for rule in self.rules],
        }

    def __str__(self) -> str:
        return f"{self.name.value:{WIDTH}}  {'decides ' if self.decides else 'goes on '}  {self.finding}"


@frozen(repr=False)
class Explanation(Discreet, Shown):
    """What is decided about a connection, how it came to that, and what it missed by one thing only.

    Attributes:
        decision: the engine's.
        answer: verdict and reason, in words.
        stages: those that the connection came to; the last one decides.
        near_misses: nearest first, each tried; none where the connection is allowed.
        untried: how many proposals were left when enough had been tried.
        findings: what is amiss with the resources that decide or claim, as `resolve` finds it.
        obstacles: why it cannot work though it is allowed.
    """

    identity: Subject
    connection: Connection
    decision: Decision
    answer: str
    stages: tuple[Stage, ...]
    near_misses: tuple[NearMiss, ...] = ()
    untried: int = 0
    findings: tuple[Finding, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()

    @property
    def also(self) -> tuple[FieldRef, ...]:
        """The rules that claim the destination besides the one that decides."""
        return tuple(rule for rule in self.decision.considered if rule != self.decision.rule)

    def table(self) -> Table:
        """What a notebook shows of it: the stages, what decided, and what it missed by one thing only."""
        rows = (
            *((stage.name.value, stage.finding) for stage in self.stages),
            *((name, str(text)) for name, text in self._facts()),
            *(("amiss", str(finding)) for finding in self.findings),
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
        if self.findings:
            yield ""
            yield "what is amiss with it:"
            yield from (f"  {finding}" for finding in self.findings)
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
                f"{target.address(connection)} ({target.share})" if several else target.address(connection)
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
        yield from (("not certain", loss) for loss in decision.without)
        yield from (("stands under", condition) for condition in decision.conditions)
        yield from (("cannot work", obstacle) for obstacle in self.obstacles)

    def to_mapping(self) -> dict[str, Any]:
        """The explanation for machines."""
        return {
            "identity": str(self.identity),
            **pods_told(self.identity),
            "connection": self.connection.to_shown(),
            "answer": self.answer,
            "decision": self.decision.to_mapping(self.connection),
            "route": rule_name(self.decision.route) if self.decision.route else None,
            "stages": [stage.to_mapping() for stage in self.stages],
            "also": [{"rule": rule_name(rule), "source": rule.location} for rule in self.also],
            "near_misses": [miss.to_mapping() for miss in self.near_misses],
            "untried": self.untried,
            "findings": [finding.to_mapping() for finding in self.findings],
            **({"cannot_work": [it.to_mapping() for it in self.obstacles]} if self.obstacles else {}),
        }

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return f"<Explanation {self.identity} to {self.connection}: {self.answer}>"
