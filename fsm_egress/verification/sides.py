"""What the policies of an identity mean, and what a sidecar does: the two sides, and how they differ.

The engine states what the policies mean (`docs/decision.md`), the model of the stock sidecar what a
`config.json` makes of it (`sidecar-*.json`).
"""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from attrs import evolve, field

from ..connections.connection import Connection
from ..connections.decision import ORIGINAL_DESTINATION, Decision, Reason, Verdict, shares
from ..connections.payloads import HTTPRequest, Sends
from ..division.classes import Reading
from ..division.criteria import reading_of_policy
from ..engine import Engine, used_gateways
from ..pipy.balancing import mixed
from ..pipy.config import PipyConfig, config_tree, in_version, write_config
from ..pipy.enforcement import enforced_tree, write_enforced_config
from ..pipy.outcome import Fate, Outcome
from ..pipy.parts import Parts, canonical
from ..pipy.sidecar import Sidecar
from ..pipy.versions import fsm_version
from ..policy import OutboundPolicy
from ..resolution import resolve
from ..resolution.inmesh import IN_MESH_KINDS
from ..values.construction import frozen
from ..values.frozen import EMPTY
from ..values.identity import Memory
from ..values.net import IPV6_START

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..policy import Interception
    from ..resources.subjects import Subject
    from ..snapshot import Snapshot
    from ..values.references import FieldRef

__all__ = [
    "Disagreement",
    "Sides",
    "Sort",
    "Undecided",
    "intercepted",
    "own_certificate",
    "own_config",
    "own_sidecar",
]

T = TypeVar("T")
Sort: TypeAlias = tuple[int, int, bool, bool]
"""The numbers of a decision and of an outcome, and what else tells disagreements apart (`Sides.sort`)."""

ROOT = "/"
MORE = "others likewise"
CERTIFICATE = {"CertChain": "(the sidecar's own)", "PrivateKey": "(its key)", "IssuingCA": "(the mesh's)"}


@frozen
class Disagreement:
    """A class of connections on which engine and sidecar differ.

    Attributes:
        connection: the smallest of them.
        decision: what the policies mean, and the rule that says so.
        due: what a sidecar that honours the decision would do.
        outcome: what becomes of the connection in the stock sidecar, or beside it.
        more: whether others, about which the same rule decides the same, are not told: the same happens to
            them but for the hosts that they lead to, each of which is told with another disagreement.
    """

    connection: Connection
    decision: Decision
    due: Outcome
    outcome: Outcome
    more: bool = field(default=False, eq=False)
    _signs: Memory[Any] = field(init=False, factory=Memory, eq=False, repr=False)

    def once(self, sign: Callable[..., T], *given: Any) -> T:
        """What it is a sign of, worked out once: it hangs on nothing but the sides that have found it.

        Args:
            sign: a function, which is given whatever else is given, and the disagreement.
            given: the sides, or what holds them.
        """
        found: T = self._signs.once(sign, lambda it: it(*given, self))
        return found

    def to_mapping(self) -> dict[str, Any]:
        """The disagreement for machines, as `fsm-egress verify -o json` prints it."""
        return {
            "connection": self.connection.to_mapping(),
            "decision": self.decision.to_mapping(self.connection),
            "due": self.due.to_mapping(self.connection),
            "sidecar": self.outcome.to_mapping(self.connection),
            **({"more": True} if self.more else {}),
        }

    @property
    def happens(self) -> str:
        """The outcome in words, and whether there are more like it."""
        return f"{self.outcome}; {MORE}" if self.more else str(self.outcome)

    def __str__(self) -> str:
        return f"{self.connection}: {self.decision}; should be: {self.due}; the sidecar: {self.happens}"


@frozen
class Undecided:
    """A class of connections, shown by one, on which it could not be decided whether they differ, and why."""

    connection: Connection
    reason: str

    def __str__(self) -> str:
        return f"{self.connection}: not decided: {self.reason}"


@frozen(eq=False)
class Sides:
    """The two sides of a comparison: what the policies of an identity mean, and a sidecar with a config."""

    policy: OutboundPolicy
    engine: Engine
    sidecar: Sidecar
    _read: Reading | None = field(default=None, kw_only=True, repr=False, alias="read")
    _dues: Memory[Outcome] = field(init=False, factory=Memory, repr=False)
    _alike: dict[tuple[Any, ...], int] = field(init=False, factory=dict, repr=False)
    _likenesses: Memory[int] = field(init=False, factory=Memory, repr=False)
    _reaching: dict[tuple[int, int, bool], bool] = field(init=False, factory=dict, repr=False)
    _equal: dict[Decision | Outcome, int] = field(init=False, factory=dict, repr=False)
    _numbers: Memory[int] = field(init=False, factory=Memory, repr=False)

    @classmethod
    def of(
        cls,
        snapshot: Snapshot,
        identity: Subject | str,
        config: Sidecar | PipyConfig | Mapping[str, Any] | bytes | None = None,
        *,
        enforce: bool = False,
        fsm: str | None = None,
    ) -> Sides:
        """The sides of an identity; see `verify`."""
        policy = resolve(snapshot, identity)
        if config is None:
            return cls.own(snapshot, policy, enforce=enforce, fsm=fsm)
        sidecar = config if isinstance(config, Sidecar) else Sidecar.read(config, fsm)
        return cls(policy, Engine.compile(policy, incomplete=True), sidecar)

    @classmethod
    def own(
        cls, snapshot: Snapshot, policy: OutboundPolicy, *, enforce: bool = False, fsm: str | None = None
    ) -> Sides:
        """The sides of a policy whose sidecar has the config that this library writes; see `verify`."""
        sidecar = own_sidecar(snapshot, policy, enforce=enforce, fsm=fsm)
        return cls(policy, Engine.compile(policy, incomplete=True), sidecar)

    def __reduce__(self) -> tuple[type[Sides], tuple[OutboundPolicy, Engine, Sidecar]]:
        return Sides, (self.policy, self.engine, self.sidecar)

    def alone(self) -> Sides:
        """The same where upstreams close each connection, so that none is lent to another request."""
        return self.beside(self.sidecar.alone())

    def beside(self, sidecar: Sidecar) -> Sides:
        """The same policies, and another sidecar."""
        return Sides(self.policy, self.engine, sidecar, read=self.reading)

    @cached_property
    def reading(self) -> Reading:
        """What the policies look at."""
        return self._read or reading_of_policy(self.policy)

    def compare(self, connection: Connection) -> Disagreement | Undecided | None:
        """How the sides differ on a connection, if they do."""
        decision = self.engine.classify(connection)
        outcome = self.outcome(connection)
        if outcome.fate is Fate.UNKNOWN:
            return Undecided(connection, outcome.cause)
        due = self.due(decision)
        return Disagreement(connection, decision, due, outcome) if self.differ(due, outcome) else None

    def differ(self, due: Outcome, outcome: Outcome) -> bool:
        """Whether something else happens than is due."""
        return self._likeness(due) != self._likeness(outcome) and not _is_of_an_age(due, outcome)

    def sort(self, found: Disagreement) -> Sort:
        """What disagreements of one sort have in common, besides being shown by different connections.

        What passes by the sidecar is told from what it handles, and TLS that is denied from the rest, as
        other shortcomings are behind them.
        """
        reaches = self.intercepts(found.connection)
        denied_tls = not found.decision.allowed and found.connection.kind is Sends.TLS
        return self.number(found.decision), self.number(found.outcome), reaches, denied_tls

    def number(self, it: Decision | Outcome) -> int:
        """A number that equal ones share; those that are kept are compared once."""
        return self._numbers.once(it, lambda it: self._equal.setdefault(it, len(self._equal)))

    def simplest(self, found: Disagreement) -> Disagreement:
        """A disagreement of the same sort by a plainer request, where there is one."""
        request = found.connection.sends
        if isinstance(request, HTTPRequest) and (request.path != ROOT or request.headers):
            for path, headers in ((ROOT, EMPTY), (request.path, EMPTY), (ROOT, request.headers)):
                plain = found.connection.replace(sends=request.replace(path=path, headers=headers))
                other = self.compare(plain)
                if isinstance(other, Disagreement) and self.sort(other) == self.sort(found):
                    return other
        return found

    def outcome(self, connection: Connection) -> Outcome:
        """What becomes of a connection: past the sidecar, or in it."""
        if self.intercepts(connection):
            return self.sidecar.handle(connection)
        return _PAST_IT

    def intercepts(self, connection: Connection) -> bool:
        """Whether a connection comes to the sidecar."""
        key = connection.port, connection.key, connection.sends is Sends.DATAGRAM
        if key not in self._reaching:
            self._reaching[key] = intercepted(self.policy.interception, connection)
        return self._reaching[key]

    def due(self, decision: Decision) -> Outcome:
        """What a sidecar that honours a decision of the engine does."""
        return self._dues.once(decision, self._due)

    def _likeness(self, outcome: Outcome) -> int:
        """A number that is the same where it comes to the same: refused is as good as closed."""
        return self._likenesses.once(
            outcome, lambda it: self._alike.setdefault(_comparable(it), len(self._alike))
        )

    def _due(self, decision: Decision) -> Outcome:
        if not decision.allowed:
            return Outcome(Fate.ANSWERED if decision.status else Fate.CLOSED, status=decision.status)
        mtls = self._mtls_due(decision)
        outcome = Outcome(Fate.DIALLED, mtls=mtls, gateways=decision.gateways)
        if decision.verdict is Verdict.IN_MESH and decision.reason is Reason.HTTP_ROUTE and self._elsewhere:
            away = Outcome(Fate.DIALLED, gateways=used_gateways(self.policy))
            return mixed(
                (
                    away if (target.host, target.port) in self._elsewhere else outcome,
                    evolve(target, by_age=None),
                )
                for target in decision.targets
            )
        return evolve(outcome, targets=decision.targets)

    def _mtls_due(self, decision: Decision) -> bool:
        """Whether TLS by the sidecar is due: in the mesh, and where a policy shows a certificate.

        A client that opens TLS itself is passed on as it is (`docs/decision.md`, `https`).
        """
        if decision.verdict is Verdict.IN_MESH:
            return self.sidecar.config.cert is not None
        if decision.reason is Reason.HTTP_ROUTE:
            return {f"{target.host}:{target.port}" for target in decision.targets} <= self._certified_clusters
        return decision.reason is Reason.TCP_PORT and self.certified(decision)

    def certified(self, decision: Decision) -> bool:
        """Whether the policy that decides shows a certificate."""
        return decision.rule in self._certified_rules

    @cached_property
    def _elsewhere(self) -> frozenset[tuple[str, int]]:
        """Where other clusters take requests below a path: in the clear, and through the mesh's gateways."""
        ends = (end for cluster in self.policy.clusters for end in cluster.endpoints)
        return frozenset((end.host, end.port) for end in ends if end.path)

    @cached_property
    def _certified_rules(self) -> frozenset[FieldRef]:
        groups = (group for port in self.policy.ports for group in port.groups)
        return frozenset(claim.rule for group in groups for claim in group.claims if claim.source_cert)

    @cached_property
    def _certified_clusters(self) -> frozenset[str]:
        clusters = (cluster for port in self.policy.ports for cluster in port.clusters)
        return frozenset(cluster.name for cluster in clusters if cluster.source_cert)


def own_config(snapshot: Snapshot, policy: OutboundPolicy, *, enforce: bool = False) -> PipyConfig:
    """The config of a policy, with a certificate where the mesh gives its sidecars one."""
    write = write_enforced_config if enforce else write_config
    return write(policy, own_certificate(snapshot))


def own_certificate(snapshot: Snapshot) -> Mapping[str, Any]:
    """The certificate that the sidecars of a mesh carry, where it gives them one."""
    disabled = snapshot.mesh_config.spec.sidecar.sidecar_disabled_mtls
    return {} if disabled else {"Certificate": CERTIFICATE}


def own_sidecar(
    snapshot: Snapshot, policy: OutboundPolicy, *, enforce: bool = False, fsm: str | None = None
) -> Sidecar:
    """The sidecar that reads what `own_config` writes; see `verify`.

    It is read from a tree, in which ranges have once what is common to them: the text is the square of them.
    """
    if fsm is not None and fsm_version(fsm).plain_hosts:
        config = own_config(snapshot, policy, enforce=enforce)
        return Sidecar.read(in_version(config, fsm_version(fsm)), fsm)
    parts = snapshot.once(_no_parts, IN_MESH_KINDS)
    write = enforced_tree if enforce else config_tree
    return Sidecar.read(canonical(write(policy, own_certificate(snapshot), parts)), fsm, parts=parts)


def _no_parts(_: Snapshot) -> Parts:
    """Where to begin with a mesh."""
    return Parts()


_PAST_IT = Outcome(Fate.DIALLED, (ORIGINAL_DESTINATION,))


def intercepted(interception: Interception, connection: Connection) -> bool:
    """Whether FSM's iptables rules redirect the connection to the sidecar: IPv4 and TCP only."""
    if connection.key >= IPV6_START or connection.sends is Sends.DATAGRAM or interception.without is not None:
        return False
    address = connection.destination
    passed = (*interception.local, *(prefix for prefix, _ in interception.excluded))
    if any(address in prefix for prefix in passed):
        return False
    if any(connection.port == port for port, _ in interception.excluded_ports):
        return False
    return not interception.included or any(address in prefix for prefix, _ in interception.included)


def _comparable(outcome: Outcome) -> tuple[Any, ...]:
    """What has to be equal where the same happens; weights count as shares."""
    fate = Fate.CLOSED if outcome.fate is Fate.REFUSED else outcome.fate
    targets = shares((target.host, target.port, target.weight) for target in outcome.targets)
    gateways = shares(
        (used.name, used.mode, frozenset(used.endpoints), used.weight) for used in outcome.gateways
    )
    return fate, targets, outcome.status, outcome.mtls, gateways, outcome.others, outcome.either


def _is_of_an_age(due: Outcome, outcome: Outcome) -> bool:
    """Whether what happens is what is due at some age of the pods, where shares hang on it."""
    if not any(target.by_age for target in due.targets):
        return False
    rest, due_rest = (_comparable(evolve(it, targets=())) for it in (outcome, due))
    all_due, all_found = (sum(target.weight for target in it.targets) for it in (due, outcome))
    parts = {(it.host, it.port): Fraction(it.weight, all_found) for it in outcome.targets}
    for target in due.targets:
        part = parts.pop((target.host, target.port), Fraction(0))
        exact = Fraction(target.weight, all_due)
        least, most = (target.by_age.least, target.by_age.most) if target.by_age else (exact, exact)
        if not least <= part <= most:
            return False
    return not parts and rest == due_rest
