"""All connections of an identity as regions with one decision each.

The connections are divided into the classes that the policy does not divide further (`division`), one of
each is put to the engine, and classes about which the same is decided are joined. So an answer holds for
every connection there is; what could not be decided is said, and never guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import evolve, field

from ..connections.decision import Decision
from ..connections.findings import Finding, stated
from ..division.classes import ANYTHING, Scope
from ..division.criteria import reading_of_policy
from ..division.dividing import divide
from ..engine import Engine
from ..resolution import resolve
from ..resolution.alike import once_for_all
from ..resolution.everyone import unnamed
from ..resources.subjects import Subject, Unnamed, pods_told
from ..snapshot import Snapshot
from ..values.construction import frozen
from ..values.identity import Memory
from ..values.notebook import Shown, Table
from ..values.typed import takes
from .proofs import told
from .regions import Region, Unproven, aligned, joined
from .unknown import unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from ..connections.connection import Connection
    from ..policy import OutboundPolicy

__all__ = [
    "PORTION",
    "Partition",
    "Portion",
    "decided_within",
    "dividing",
    "mapping_of",
    "partition",
    "rows_of",
    "table_of",
    "unproven",
]


PORTION = ("port", "addresses", "verdict", "reason", "rule", "sends")


@frozen
class Portion(Shown):
    """Connections about which the same is decided."""

    region: Region
    decision: Decision

    @property
    def witness(self) -> Connection:
        """One of them to show."""
        return self.region.witness

    @property
    def said(self) -> str:
        """What is decided; and that nobody can try it, where that is so."""
        return str(self.decision) if self.region.can_be_dialled else f"{self.decision}: not dialable"

    def __contains__(self, connection: Connection) -> bool:
        return connection in self.region

    @property
    def row(self) -> tuple[str, ...]:
        """The portion as texts, below `PORTION`."""
        port, addresses, sends = self.region.words
        rule = str(self.decision.rule or "-")
        return port, addresses, self.decision.verdict.value, self.decision.reason.value, rule, sends

    def table(self) -> Table:
        """What a notebook shows of it."""
        return Table(str(self.decision.verdict), PORTION, (self.row,))

    def to_mapping(self) -> dict[str, Any]:
        """The portion for machines, with the decision as it is for the witness."""
        return {**self.region.to_mapping(), "decision": self.decision.to_mapping(self.witness)}

    def __str__(self) -> str:
        return f"{self.region}: {self.said}"

    def __repr__(self) -> str:
        return f"<Portion {self}>"


@frozen
class Partition(Shown):
    """All connections of an identity: each is in one portion, or among what is undecided.

    Classes with equal decisions are joined: each portion is right as it stands, but there might be fewer.

    Attributes:
        portions: by their smallest connections; no two have one in common.
        undecided: regions in which some connections are in no portion, and why no proof was found for them.
        classes: how many classes were put to the engine.
        unnamed: the identity, where no document names it.
        conditions: what the mesh uses and is not modelled: the answer stands under these.
    """

    identity: Subject
    portions: tuple[Portion, ...]
    undecided: tuple[Unproven, ...]
    classes: int
    unnamed: tuple[Unnamed, ...] = ()
    conditions: tuple[Finding, ...] = field(default=(), kw_only=True)

    def table(self) -> Table:
        """What a notebook shows of it."""
        return Table(
            f"{self.identity}: every connection, by {self.classes} classes",
            PORTION,
            rows_of(self.portions, self.undecided),
        )

    def portion(self, connection: Connection) -> Portion | None:
        """The portion that holds a connection; None where it is among what is undecided."""
        return next((portion for portion in self.portions if connection in portion), None)

    def to_mapping(self) -> dict[str, Any]:
        """The partition for machines."""
        return {
            "identity": str(self.identity),
            **pods_told(self.identity),
            "classes": self.classes,
            **mapping_of(self.portions, self.undecided),
            **told(self.unnamed),
            **stated(self.conditions),
        }

    def __str__(self) -> str:
        table = table_of(self.portions, self.undecided)
        said = f"{self.identity}: every connection, by {self.classes} classes\n{table}"
        return "\n".join([said, *map(str, self.conditions)])

    def __repr__(self) -> str:
        return f"<Partition of {self.identity}: {len(self.portions)} portions>"


@takes(mesh=Snapshot)
def partition(mesh: Snapshot, identity: Subject | str) -> Partition:
    """All connections of an account (`name.namespace`) or a pod, divided into regions with one decision each.

    Raises:
        InvalidValue: the text is no identity, there is no such pod, or the pods of the account are not
            intercepted alike (`kinds_of_pods`).
    """
    policy = resolve(mesh, identity)
    portions, undecided, count = decided_within(policy, ANYTHING)
    lost = unknown([policy.identity], mesh)
    names = unnamed([policy.identity], mesh)
    return Partition(
        policy.identity, portions, (*undecided, *lost), count, names, conditions=policy.conditions
    )


def decided_within(
    policy: OutboundPolicy, within: Scope
) -> tuple[tuple[Portion, ...], tuple[Unproven, ...], int]:
    """The portions within a scope, what is undecided there, and how many classes were looked at."""
    engine = Engine.compile(policy, incomplete=True)
    reading = reading_of_policy(policy)
    pieces: list[tuple[Decision, Region]] = []
    undecided: list[tuple[str, Region]] = []
    for part in divide(reading, within=within):
        region = Region.of(part, reading.ports)
        if part.undecided:
            undecided.append((part.undecided, region))
        else:
            pieces.append((engine.classify(part.witness), region))
    portions = tuple(Portion(region, decision) for decision, region in joined(pieces, _telling()))
    return portions, unproven([policy.identity], undecided), len(pieces)


Divided: TypeAlias = "tuple[tuple[Portion, ...], tuple[Unproven, ...], int]"


def dividing(within: Scope) -> Callable[[OutboundPolicy], Divided]:
    """`decided_within` for many identities: those with the same policy are looked at once."""
    once = once_for_all(lambda policy: decided_within(policy, within))

    def divided(policy: OutboundPolicy) -> Divided:
        portions, undecided, count = once(policy)
        own = tuple(evolve(it, identities=(policy.identity,)) for it in undecided)
        return portions, own, count

    return divided


def unproven(identities: Iterable[Subject], undecided: Iterable[tuple[str, Region]]) -> tuple[Unproven, ...]:
    """What is undecided about some identities, joined where the reason is the same."""
    whom = tuple(identities)
    return tuple(Unproven(whom, region, reason) for reason, region in joined(undecided, str))


def _telling() -> Callable[[Decision], Hashable]:
    """What tells the decisions of an engine apart: those with the same number are equal."""
    numbers: Memory[int] = Memory()  # which holds the decisions, and so what is named of them
    alike: dict[Hashable, int] = {}

    def tell(decision: Decision) -> int:
        return alike.setdefault(decision, len(alike))

    return lambda decision: numbers.once(decision, tell)


def mapping_of(portions: tuple[Portion, ...], undecided: tuple[Unproven, ...]) -> dict[str, Any]:
    """What JSON says of them."""
    return {
        "portions": [portion.to_mapping() for portion in portions],
        "undecided": [it.to_mapping() for it in undecided],
    }


def rows_of(portions: tuple[Portion, ...], undecided: tuple[Unproven, ...]) -> tuple[tuple[str, ...], ...]:
    """A row for each, as notebooks and pages show it."""
    unclear = (
        (port, addresses, "-", f"not decided for some: {it.reason}", "-", sends)
        for it in undecided
        for port, addresses, sends in (it.region.words,)
    )
    return (*(portion.row for portion in portions), *unclear)


def table_of(portions: tuple[Portion, ...], undecided: tuple[Unproven, ...]) -> str:
    """A line for each, in columns."""
    rows = [(portion.region.words, portion.said) for portion in portions]
    rows += [(it.region.words, f"not decided for some: {it.reason}") for it in undecided]
    return aligned([(f"  port {port}", addresses, said, sent) for (port, addresses, sent), said in rows])
