"""What a change of a mesh changes: the connections that become allowed, denied or re-routed, all of them.

The connections are divided by what the policies before and after look at, together, and one of each class is
put to both engines (`division`). Ports on which both policies are equal need no looking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field

from ..connections.decision import Decision, shares
from ..connections.findings import Finding, stated
from ..resolution.conditions import conditions_of
from ..resolution.everyone import unnamed
from ..resources.subjects import Subject, Unnamed
from ..snapshot import Snapshot
from ..values.construction import frozen
from ..values.enums import Word
from ..values.identity import Memory
from ..values.notebook import Shown, Table
from ..values.typed import takes
from .certified import Asked, Question
from .pairs import pairs_of
from .partition import unproven
from .proofs import Answer, Identities, Progress, Witness, counted, extent, identities_of, told
from .regions import Region, Unproven, joined
from .unknown import unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sized

    from .pairs import Change


__all__ = ["ALTERATION", "Alteration", "Effect", "MeshDiff", "diff", "effect_of", "equivalent", "implies"]

ALTERATION = ("effect", "identities", "connections", "such as", "before", "after")


class Effect(Word):
    """What a change of the mesh does to a connection."""

    ALLOWED = "allowed"
    DENIED = "denied"
    REROUTED = "re-routed"
    REFUSED = "refused otherwise"
    ATTRIBUTED = "attributed"


@frozen
class Alteration:
    """Connections that change alike.

    Attributes:
        effect: allowed, as they were denied; denied, as they were allowed; re-routed: another verdict, other
            targets or gateways; refused otherwise: another answer to what stays denied; attributed:
            as before, for another reason or by another rule or route.
        region: which connections.
        before, after: what was decided and what is, for the first of the identities.
        identities: whose connections they are.
    """

    effect: Effect
    region: Region
    before: Decision
    after: Decision
    identities: tuple[Subject, ...]

    @property
    def witness(self) -> Witness:
        """The smallest of the connections, with both decisions."""
        return Witness(self.identities[0], self.region.witness, (self.before, self.after))

    @property
    def row(self) -> tuple[str, ...]:
        """The alteration as texts, below `ALTERATION`."""
        whom, witness = ", ".join(map(str, self.identities)), str(self.region.witness)
        return self.effect.value, whom, str(self.region), witness, str(self.before), str(self.after)

    def to_mapping(self) -> dict[str, Any]:
        """The alteration for machines, with both decisions as they are for the witness."""
        return {
            "effect": self.effect.value,
            "identities": list(map(str, self.identities)),
            **self.region.to_mapping(),
            "before": self.before.to_mapping(self.region.witness),
            "after": self.after.to_mapping(self.region.witness),
        }

    def __str__(self) -> str:
        return f"{self.effect}: {self.region}: {self.before}, then {self.after}"

    def __repr__(self) -> str:
        return f"<Alteration {self}>"


@frozen
class MeshDiff(Shown):
    """What differs between two meshes; true unless it is proven that every connection fares the same.

    Attributes:
        changes: what is allowed, denied or re-routed, by identities, then by the smallest connections.
        attributions: where only the reason, rule or route changes by which the same is decided.
        undecided: regions in which some connections could not be decided about, and why.
        identities: whose connections were looked at.
        classes: how many classes of them were put to both engines, on ports on which policies differ.
        unnamed: those who were asked for, and whom no document names.
        conditions: what a mesh uses and is not modelled: the answer stands under these.
    """

    changes: tuple[Alteration, ...]
    attributions: tuple[Alteration, ...]
    undecided: tuple[Unproven, ...]
    identities: tuple[Subject, ...]
    classes: int
    unnamed: tuple[Unnamed, ...] = ()
    conditions: tuple[Finding, ...] = field(default=(), kw_only=True)

    def __bool__(self) -> bool:
        return bool(self.changes or self.undecided)

    def to_mapping(self) -> dict[str, Any]:
        """The difference for machines."""
        return {
            "identities": list(map(str, self.identities)),
            "classes": self.classes,
            "changes": [it.to_mapping() for it in self.changes],
            "attributions": [it.to_mapping() for it in self.attributions],
            "undecided": [it.to_mapping() for it in self.undecided],
            **told(self.unnamed),
            **stated(self.conditions),
        }

    def table(self) -> Table:
        """What a notebook shows of it."""
        rows = tuple(it.row for it in (*self.changes, *self.attributions))
        return Table(self.headline, ALTERATION, rows)

    @property
    def headline(self) -> str:
        """Whether anything changes, and how much was looked at, in a line."""
        looked = f"{extent(self.identities, self.classes)} looked at"
        if self.changes:
            return f"{_many_changes(self.changes)} ({looked})"
        return f"{'nothing is known to change' if self.undecided else 'nothing changes'} ({looked})"

    def __str__(self) -> str:
        blocks = _blocks(self.changes) or [self.headline]
        if self.attributions:
            blocks.append("as before, but for another reason:")
            blocks.extend(_blocks(self.attributions))
        return "\n".join([*blocks, *map(str, self.undecided), *map(str, self.conditions)])

    def __repr__(self) -> str:
        return f"<MeshDiff: {_many_changes(self.changes)}, {counted(self.identities)}>"


def _many_changes(changes: Sized) -> str:
    return f"{len(changes)} {'change' if len(changes) == 1 else 'changes'}"


def _blocks(alterations: Iterable[Alteration]) -> list[str]:
    """Alterations in words, those of the same identities together."""
    blocks: dict[tuple[Subject, ...], list[str]] = {}
    for it in alterations:
        lines = (f"{it.region}", f"such as {it.region.witness}", f"was {it.before}", f"now {it.after}")
        text = f"\n{'':14}".join(lines)
        blocks.setdefault(it.identities, []).append(f"  {it.effect.value:11} {text}")
    return [f"{', '.join(map(str, whom))}:\n" + "\n".join(lines) for whom, lines in blocks.items()]


@takes(before=Snapshot, after=Snapshot)
def diff(
    before: Snapshot, after: Snapshot, identities: Identities = None, *, progress: Progress = iter
) -> MeshDiff:
    """What becomes of connections otherwise; `diff(mesh, mesh.patched(…))` is what a change would do.

    Certificates, connection settings and retries are no part of a decision, so they are not compared.

    Args:
        before: the resources as they were.
        after: the resources as they are.
        identities: whose connections are meant (`name.namespace`); None for all that either mesh names, and
            any other account.
        progress: what the identities are taken through one by one, such as `rich.progress.track`.

    Raises:
        InvalidValue: a text is no identity.
    """
    whom = identities_of(identities, before, after)
    found: dict[Hashable, Alteration] = {}
    undecided = list(unknown(whom, before, after))
    count = 0
    for pair in pairs_of(before, after, progress(whom)):
        pieces: list[tuple[Change, Region]] = []
        means = _remembered(_meaning)
        unclear: list[tuple[str, Region]] = []
        for part, change in pair.classes():
            if change is None:
                unclear.append((part.undecided, pair.region(part)))
                continue
            count += 1
            if means(change[0]) != means(change[1]):
                pieces.append((change, pair.region(part)))
        undecided.extend(unproven(pair.identities, unclear))
        for change, region in joined(pieces, _meanings):
            key = region, _meanings(change)
            known = found[key].identities if key in found else ()
            found[key] = Alteration(_effect(*change), region, *change, (*known, *pair.identities))
    changes = [it for it in found.values() if it.effect is not Effect.ATTRIBUTED]
    rest = [it for it in found.values() if it.effect is Effect.ATTRIBUTED]
    names, under = unnamed(whom, before, after), conditions_of(whom, before, after)
    return MeshDiff(tuple(changes), tuple(rest), tuple(undecided), whom, count, names, conditions=under)


@takes(a=Snapshot, b=Snapshot)
def equivalent(
    a: Snapshot, b: Snapshot, identities: Identities = None, *, progress: Progress = iter
) -> Answer:
    """Whether the same becomes of every connection in two meshes, by whichever rule.

    Args:
        a: the one mesh.
        b: the other.
        identities: whose connections are meant (`name.namespace`); None for all that either mesh names, and
            any other account.
        progress: what the identities are taken through one by one, such as `rich.progress.track`.

    Raises:
        InvalidValue: a text is no identity.
    """
    return _compared(Question.EQUIVALENT, a, b, identities, (Effect.ATTRIBUTED,), progress)


@takes(a=Snapshot, b=Snapshot)
def implies(a: Snapshot, b: Snapshot, identities: Identities = None, *, progress: Progress = iter) -> Answer:
    """Whether the second mesh allows everything that the first one allows, wherever it is sent.

    Args:
        a: the one mesh.
        b: the other, which is to allow at least as much.
        identities: whose connections are meant (`name.namespace`); None for all that either mesh names, and
            any other account.
        progress: what the identities are taken through one by one, such as `rich.progress.track`.

    Raises:
        InvalidValue: a text is no identity.
    """
    harmless = (Effect.ATTRIBUTED, Effect.REROUTED, Effect.REFUSED, Effect.ALLOWED)
    return _compared(Question.IMPLIES, a, b, identities, harmless, progress)


_CLAIMS = {
    Question.EQUIVALENT: "every connection fares the same",
    Question.IMPLIES: "what is allowed before is allowed after",
}


def _compared(
    question: Question,
    before: Snapshot,
    after: Snapshot,
    identities: Identities,
    harmless: tuple[Effect, ...],
    progress: Progress,
) -> Answer:
    """Whether the step from one mesh to the other has no other effect than these."""
    claim, asked = _CLAIMS[question], Asked(question, (before, after))
    whom = identities_of(identities, before, after)
    undecided = list(unknown(whom, before, after, is_led=Effect.REROUTED not in harmless))
    names, under = unnamed(whom, before, after), conditions_of(whom, before, after)
    count = 0
    for pair in pairs_of(before, after, progress(whom)):
        if pair.before.interception.unproven or pair.after.interception.unproven:
            continue  # because what is decided about it refutes nothing
        unclear: list[tuple[str, Region]] = []
        for part, change in pair.classes():
            if change is None:
                unclear.append((part.undecided, pair.region(part)))
                continue
            count += 1
            if _effect(*change) not in harmless:
                witness = Witness(pair.identities[0], part.witness, change)
                return Answer(
                    claim, False, whom, count, witness, unnamed=names, conditions=under, asked=asked
                )
        undecided.extend(unproven(pair.identities, unclear))
    proven = None if undecided else True
    unclear_ = tuple(undecided)
    return Answer(claim, proven, whom, count, None, unclear_, unnamed=names, conditions=under, asked=asked)


# --- what decisions mean ---------------------------------------------------------------------------------


def _outcome(decision: Decision) -> Hashable:
    """What becomes of the connection."""
    targets = shares((target.host, target.port, target.by_age, target.weight) for target in decision.targets)
    gateways = shares(
        (used.name, used.mode, frozenset(used.endpoints), used.weight) for used in decision.gateways
    )
    return decision.verdict, decision.status, targets, gateways


def _meaning(decision: Decision) -> Hashable:
    """What becomes of the connection, and by what."""
    return _outcome(decision), decision.reason, decision.rule, decision.route


def _remembered(work: Callable[[Decision], Hashable]) -> Callable[[Decision], Hashable]:
    """The function, which is asked once for each decision that an engine holds."""
    known: Memory[Hashable] = Memory()
    return lambda decision: known.once(decision, work)


def _meanings(change: Change) -> Hashable:
    return tuple(map(_meaning, change))


def effect_of(before: Decision, after: Decision) -> Effect | None:
    """What a change does to a connection about which this was decided, and is; None for nothing."""
    return None if _meaning(before) == _meaning(after) else _effect(before, after)


def _effect(before: Decision, after: Decision) -> Effect:
    if before.allowed is not after.allowed:
        return Effect.ALLOWED if after.allowed else Effect.DENIED
    if _outcome(before) == _outcome(after):
        return Effect.ATTRIBUTED
    return Effect.REROUTED if after.allowed else Effect.REFUSED
