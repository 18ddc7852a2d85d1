"""Who reaches what, and what never happens: answers about several identities that are proofs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field

from ..connections.decision import ORIGINAL_DESTINATION, PASSING, Decision, Reason, Verdict, ungoverned
from ..connections.findings import Finding, stated
from ..division.criteria import reading_of_policy
from ..division.dividing import dialled
from ..engine import Engine
from ..resolution import resolve
from ..resolution.alike import once_for_all
from ..resolution.conditions import conditions_of
from ..resolution.everyone import unnamed
from ..resources.subjects import Subject, Unnamed
from ..snapshot import Snapshot
from ..values.construction import frozen
from ..values.notebook import Shown, Table
from ..values.typed import takes
from .certified import Asked, Question
from .partition import PORTION, Portion, dividing, unproven
from .predicates import Where
from .proofs import (
    Answer,
    Identities,
    Progress,
    Witness,
    counted,
    identities_of,
    others_in_words,
    told,
    told_apart,
)
from .regions import Region, Unproven, aligned
from .residual import Partial
from .unknown import unknown

if TYPE_CHECKING:
    from ..connections.connection import Connection
    from ..connections.payloads import Sends
    from ..policy import OutboundPolicy
    from ..values.net import Address, Prefix

else:  # to a type checker a name that is not there is an error
    from ..values.moved import without

    __getattr__ = without(__name__, "Partition")

__all__ = ["Reachability", "Way", "never", "reachable"]


# --- who reaches -----------------------------------------------------------------------------------------


@frozen
class Way:
    """Connections of an identity that are allowed, and by what."""

    identity: Subject
    portion: Portion

    def to_mapping(self) -> dict[str, Any]:
        """The way for machines."""
        return {"identity": str(self.identity), **self.portion.to_mapping()}

    def __str__(self) -> str:
        return f"{self.identity}: {self.portion}"

    def __repr__(self) -> str:
        return f"<Way of {self}>"


@frozen
class Reachability(Shown):
    """Who reaches something, and how; true where somebody does.

    Attributes:
        partial: what is to be reached.
        ways: by identity.
        undecided: regions in which some connections could not be decided about, and why.
        identities: whose connections were looked at.
        classes: how many classes of them were put to an engine.
        unnamed: those who were asked for, and whom no document names.
        conditions: what the mesh uses and is not modelled: the answer stands under these.
    """

    partial: Partial
    ways: tuple[Way, ...]
    undecided: tuple[Unproven, ...]
    identities: tuple[Subject, ...]
    classes: int
    unnamed: tuple[Unnamed, ...] = ()
    conditions: tuple[Finding, ...] = field(default=(), kw_only=True)

    @property
    def accounts(self) -> tuple[Subject, ...]:
        """Who is known to reach it."""
        return tuple(dict.fromkeys(way.identity for way in self.ways))

    def __bool__(self) -> bool:
        return bool(self.ways)

    def to_mapping(self) -> dict[str, Any]:
        """The answer for machines."""
        return {
            "to": str(self.partial),
            "identities": list(map(str, self.identities)),
            "classes": self.classes,
            "ways": [way.to_mapping() for way in self.ways],
            "undecided": [it.to_mapping() for it in self.undecided],
            **told(self.unnamed),
            **stated(self.conditions),
        }

    def table(self) -> Table:
        """What a notebook shows of it."""
        rows = tuple((str(way.identity), *way.portion.row) for way in self.ways)
        return Table(self.headline, ("identity", *PORTION), rows)

    @property
    def headline(self) -> str:
        """How many reach it, in a line."""
        (named, others), (reached, others_reached) = map(told_apart, (self.identities, self.accounts))
        said = [f"{len(reached)} of {counted(named)} reach it"] if named or not others else []
        if others:
            does = "reaches it" if others_reached else "does not reach it"
            is_part = 0 < len(others_reached) < len(others)
            said.append(f"{others_in_words(others_reached if is_part else others)} {does}")
        return f"{self.partial}: {'; '.join(said)}"

    def __str__(self) -> str:
        rows = [
            (f"  {way.identity}", f"port {port}", addresses, str(way.portion.decision), sent)
            for way in self.ways
            for port, addresses, sent in (way.portion.region.words,)
        ]
        unclear = [f"  {it}" for it in (*self.undecided, *self.conditions)]
        return "\n".join([self.headline, *([aligned(rows)] if rows else ()), *unclear])

    def __repr__(self) -> str:
        return f"<Reachability of {self.headline}>"


@takes(mesh=Snapshot)
def reachable(
    mesh: Snapshot,
    to: Prefix | Address | str | None = None,
    port: int | None = None,
    *,
    sends: Sends | str | None = None,
    host: str | None = None,
    identities: Identities = None,
    progress: Progress = iter,
) -> Reachability:
    """Who reaches any of some destinations, and how: by which rule, with a witness.

    Args:
        mesh: the resources.
        to: `54.0.0.0/8` or `54.9.9.9`; None for any address.
        port: the destination port; None for any.
        sends: what is sent; None for anything by TCP, as UDP passes by the sidecar.
        host: the Host of the request as it is sent, or the server name; None for any.
        identities: who is asked for (`name.namespace`); None for all that a resource names, and any other
            account.
        progress: what the identities are taken through one by one, such as `rich.progress.track`.

    Raises:
        InvalidValue: an address, port, host or identity that cannot be.
    """
    partial = Partial(to=to, port=port, sends=sends, host=host)
    whom = identities_of(identities, mesh)
    ways: list[Way] = []
    undecided = list(unknown(whom, mesh, is_led=False))
    count = 0
    divided = dividing(partial.scope)
    for identity in progress(whom):
        portions, unclear, looked_at = divided(resolve(mesh, identity))
        ways.extend(
            Way(identity, portion)
            for portion in portions
            if portion.decision.allowed and portion.region.can_be_dialled
        )
        undecided.extend(unclear)
        count += looked_at
    names, under = unnamed(whom, mesh), conditions_of(whom, mesh)
    return Reachability(partial, tuple(ways), tuple(undecided), whom, count, names, conditions=under)


# --- what never happens ----------------------------------------------------------------------------------


@takes(mesh=Snapshot, where=Where)
def never(
    mesh: Snapshot, where: Where, identities: Identities = None, *, progress: Progress = iter
) -> Answer:
    """Whether a predicate holds of no connection, whatever it is.

    Args:
        mesh: the resources.
        where: what is never to happen, such as `Where.outside() & ~Where.origin("httpbin.org", 443)`.
        identities: whose connections are meant (`name.namespace`); None for all that a resource names, and
            any other account.
        progress: what the identities are taken through one by one, such as `rich.progress.track`.

    Raises:
        InvalidValue: a text is no identity.
    """
    whom = identities_of(identities, mesh)
    claim = f"never {where}"
    undecided = list(unknown(whom, mesh, is_led=False))
    count = 0
    found = _Found()
    names, under = unnamed(whom, mesh), conditions_of(whom, mesh)
    asked = Asked(Question.NEVER, (mesh,), where)
    looked = once_for_all(lambda policy: _looked(policy, where, found))
    for identity in progress(whom):
        policy = resolve(mesh, identity)
        if policy.interception.unproven:
            continue  # because what is decided about it refutes nothing
        looked_at, unclear = looked(policy)
        count += looked_at
        if found.governed is not None:
            witness = found.governed
            return Answer(claim, False, whom, count, witness, unnamed=names, conditions=under, asked=asked)
        undecided.extend(unproven([identity], unclear))
    if found.refuting is not None:
        witness = found.refuting
        return Answer(claim, False, whom, count, witness, unnamed=names, conditions=under, asked=asked)
    proven = None if undecided else True
    beside = tuple(found.beside.values())
    return Answer(
        claim, proven, whom, count, None, tuple(undecided), beside, names, conditions=under, asked=asked
    )


def _looked(
    policy: OutboundPolicy, where: Where, found: _Found
) -> tuple[int, tuple[tuple[str, Region], ...]]:
    """How many classes of a policy were looked at, until one refutes; and what is undecided about others."""
    engine = Engine.compile(policy, incomplete=True)
    readings = (reading_of_policy(policy), *where.readings)
    ports = {port for reading in readings for port in reading.ports}
    count = 0
    unclear: list[tuple[str, Region]] = []
    for part in dialled(*readings):
        if part.undecided:
            unclear.append((part.undecided, Region.of(part, ports)))
            continue
        count += 1
        if found.look(policy.identity, part.witness, engine.classify(part.witness), where):
            break
    return count, tuple(unclear)


_PASSED = Decision(Verdict.PASSTHROUGH, Reason.NOT_INTERCEPTED, targets=(ORIGINAL_DESTINATION,))


class _Found:
    """The connections for which a predicate holds: what the mesh governs comes before what passes by it.

    What can never be governed refutes only where nothing else was asked for.
    """

    def __init__(self) -> None:
        self.governed: Witness | None = None
        self.passing: Witness | None = None  # by a list of the mesh, or by IPv6 that a rule opens
        self.beside: dict[str, Witness] = {}
        self.is_governable = False

    def look(self, identity: Subject, connection: Connection, decision: Decision, where: Where) -> bool:
        """Whether the predicate holds for a connection that the mesh governs."""
        holds, holds_beside = (where.holds(connection, it) for it in (decision, _PASSED))
        kind = ungoverned(connection)
        is_passing = decision.reason in PASSING
        if not kind:
            self.is_governable = self.is_governable or holds or holds_beside
            if holds and not is_passing:
                self.governed = Witness(identity, connection, (decision,))
                return True
        if holds_beside and kind:
            self.beside.setdefault(kind, Witness(identity, connection, (decision,)))
        if holds and self.passing is None and not (kind and is_passing):
            self.passing = Witness(identity, connection, (decision,))
        return False

    @property
    def refuting(self) -> Witness | None:
        """What refutes that the predicate never holds, where nothing that is governed does."""
        if self.passing or self.is_governable:
            return self.passing
        return self.beside.get("UDP") or self.beside.get("IPv6")
